//! A running sum that does not lose what is small beside it.

/// Neumaier's sum: what an addition rounds away is kept beside it, so that the error does not grow with the number of additions.
///
/// Source: A. Neumaier, *Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen*, ZAMM 54 (1974), 39–51.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Compensated {
    sum: f64,
    lost: f64,
}

impl Compensated {
    pub(super) fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        self.lost += if self.sum.abs() >= value.abs() {
            (self.sum - sum) + value
        } else {
            (value - sum) + self.sum
        };
        self.sum = sum;
    }

    pub(super) fn total(&self) -> f64 {
        self.sum + self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_small_is_not_lost() {
        let mut plain = 1e16;
        let mut compensated = Compensated::default();
        compensated.add(1e16);
        for _ in 0..1000 {
            plain += 1.0;
            compensated.add(1.0);
        }
        assert_eq!(plain, 1e16, "each 1 is rounded away");
        compensated.add(-1e16);
        assert_eq!(compensated.total(), 1000.0);
    }
}
