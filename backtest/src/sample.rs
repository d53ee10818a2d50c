//! Values of a run at equal distances in time, of which there are never more than [`POINTS_MAX`], however long the run.
//!
//! Points are counted from the first record's second. When they become too many, the distance rises to the next of [`PERIODS_NS`], each a multiple of the one
//! before, and only points that lie on it stay. So the distance follows from the data alone. The last point lies at or behind the last record.

/// Points that are kept.
pub const POINTS_MAX: usize = 1 << 14;

const SECOND_NS: i64 = 1_000_000_000;

/// The distances that are chosen from: 1, 5 and 15 s, 1, 5 and 15 min, 1, 4 and 12 h, 1 d.
pub const PERIODS_NS: [i64; 10] = [
    SECOND_NS,
    5 * SECOND_NS,
    15 * SECOND_NS,
    60 * SECOND_NS,
    300 * SECOND_NS,
    900 * SECOND_NS,
    3_600 * SECOND_NS,
    14_400 * SECOND_NS,
    43_200 * SECOND_NS,
    86_400 * SECOND_NS,
];

/// Samples of values that a run can be asked for.
#[derive(Clone, Debug)]
pub struct Samples<T> {
    points: Vec<(i64, T)>,
    period: usize,
    /// When the next point is due; `i64::MAX` before the first record.
    due_ns: i64,
}

impl<T: Copy> Samples<T> {
    /// At the first of [`PERIODS_NS`] that is not below `least_ns`, or a larger one if the run is long.
    #[must_use]
    pub fn new(least_ns: i64) -> Samples<T> {
        let first = PERIODS_NS.iter().position(|period| *period >= least_ns);
        Samples {
            points: Vec::with_capacity(POINTS_MAX + 1),
            period: first.unwrap_or(PERIODS_NS.len() - 1),
            due_ns: i64::MAX,
        }
    }

    /// Takes the value before anything happened.
    pub fn begin(&mut self, first_ns: i64, value: T) {
        let start = first_ns - first_ns.rem_euclid(SECOND_NS);
        self.points.push((start, value));
        self.due_ns = start.saturating_add(self.period_ns());
    }

    /// Whether a point is due before what happened at `now_ns` is taken into account.
    #[inline]
    #[must_use]
    pub fn is_due(&self, now_ns: i64) -> bool {
        now_ns >= self.due_ns
    }

    /// Takes the value for every point up to `now_ns`: nothing happened between them.
    #[cold]
    pub fn take(&mut self, now_ns: i64, value: T) {
        while self.due_ns <= now_ns {
            let left = (now_ns - self.due_ns) / self.period_ns();
            while self.points.len() + left as usize / 8 > POINTS_MAX && self.widen() {}
            if self.due_ns <= now_ns {
                self.points.push((self.due_ns, value));
                self.due_ns = self.due_ns.saturating_add(self.period_ns());
            }
        }
    }

    /// Goes on at the next larger distance; whether there is one.
    fn widen(&mut self) -> bool {
        if self.period + 1 == PERIODS_NS.len() {
            return false;
        }
        self.period += 1;
        let (period, start) = (self.period_ns(), self.points[0].0);
        self.points.retain(|(at_ns, _)| (at_ns - start) % period == 0);
        let last = self.points[self.points.len() - 1].0;
        self.due_ns = last.saturating_add(period);
        true
    }

    /// Takes the last value, for the first point at or behind the last record; all points then, and their distance.
    #[must_use]
    pub fn finish(mut self, value: T) -> (Vec<(i64, T)>, i64) {
        if !self.points.is_empty() {
            self.points.push((self.due_ns, value));
        }
        let period = self.period_ns();
        (self.points, period)
    }

    fn period_ns(&self) -> i64 {
        PERIODS_NS[self.period]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_holds_what_was_before_it() {
        let mut samples = Samples::new(0);
        samples.begin(1_500_000_000, 'a');
        assert!(!samples.is_due(1_999_999_999));
        assert!(samples.is_due(2_000_000_000));
        // Until 3.2 s nothing happened: 'b' was true at 2 s and at 3 s.
        samples.take(3_200_000_000, 'b');
        let (points, period) = samples.finish('c');
        assert_eq!(period, SECOND_NS);
        assert_eq!(
            points,
            [(1, 'a'), (2, 'b'), (3, 'b'), (4, 'c')].map(|(s, value)| (s * SECOND_NS, value))
        );
    }

    #[test]
    fn points_stay_few_and_equally_far_apart() {
        for (step_s, count) in [(1, 100_000), (60, 525_600), (86_400, 4_000), (7, 3)] {
            let mut samples = Samples::new(0);
            samples.begin(0, 0);
            for n in 1..count {
                let now = n * step_s * SECOND_NS;
                if samples.is_due(now) {
                    samples.take(now, n);
                }
            }
            let (points, period) = samples.finish(count);
            assert!(points.len() <= POINTS_MAX + 2, "{} points", points.len());
            assert!(points.windows(2).all(|pair| pair[1].0 - pair[0].0 == period));
            let last = (count - 1) * step_s * SECOND_NS;
            assert!((last..=last + period).contains(&points[points.len() - 1].0));
        }
    }

    #[test]
    fn a_least_distance_is_kept() {
        let mut samples = Samples::new(PERIODS_NS[3]);
        samples.begin(0, 0);
        samples.take(PERIODS_NS[3] * 10, 1);
        let (points, period) = samples.finish(2);
        assert_eq!((points.len(), period), (12, PERIODS_NS[3]));
    }
}
