//! What the strategies that decide by bars have in common: rules that take a bar and answer with a stance.

use crate::bar::Bar;
use crate::strategy::parameter::{ParameterError, Values};
use crate::units::Quantity;

/// What a strategy wants to hold: a position of its `quantity` on one side, or none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stance {
    /// Bought.
    Long,
    /// Nothing.
    #[default]
    Flat,
    /// Sold short.
    Short,
}

impl Stance {
    /// The stance that a position is.
    #[must_use]
    pub fn of(position: Quantity) -> Stance {
        match position.0.signum() {
            1 => Stance::Long,
            -1 => Stance::Short,
            _ => Stance::Flat,
        }
    }

    /// 1, 0 or −1.
    #[must_use]
    pub fn sign(self) -> i64 {
        match self {
            Stance::Long => 1,
            Stance::Flat => 0,
            Stance::Short => -1,
        }
    }
}

/// The rules of a strategy that decides once a bar.
pub trait BarRules: Send + Sized {
    /// The strategy's name.
    const NAME: &'static str;

    /// With values of the strategy's table.
    ///
    /// # Errors
    /// [`ParameterError::Contradiction`] if they do not go together.
    fn new(values: &Values) -> Result<Self, ParameterError>;

    /// Takes a complete bar, and the stance until now; the stance from now on, if the rules have one to give.
    fn on_bar(&mut self, bar: &Bar, now: Stance) -> Option<Stance>;

    /// Names the values that the next decision builds on.
    fn describe(&self, out: &mut dyn FnMut(&'static str, f64));
}

/// Two lines and which of them was above.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cross {
    above: Option<bool>,
}

impl Cross {
    /// Takes the difference of the lines. The stance if they crossed: long upwards, short downwards. Where they first stand is no cross, and
    /// equal lines are where they were.
    pub fn update(&mut self, difference: f64) -> Option<Stance> {
        if difference == 0.0 {
            return None;
        }
        let above = difference > 0.0;
        let before = self.above.replace(above)?;
        match (before, above) {
            (false, true) => Some(Stance::Long),
            (true, false) => Some(Stance::Short),
            _ => None,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::strategy::parameter::Parameter;

    /// What the rules answer to bars of one price each, shorts allowed.
    pub(in crate::strategy::builtin) fn stances<R: BarRules>(
        table: &[Parameter],
        given: &[(&str, &str)],
        closes: &[i64],
    ) -> Vec<Option<Stance>> {
        let values = Values::parse(R::NAME, table, given.iter().copied()).unwrap();
        let mut rules = R::new(&values).unwrap();
        let mut now = Stance::Flat;
        let on_close = |&close: &i64| {
            let stance = rules.on_bar(&bar(close), now);
            now = stance.unwrap_or(now);
            stance
        };
        closes.iter().map(on_close).collect()
    }

    fn bar(price: i64) -> Bar {
        Bar {
            start_ns: 0,
            end_ns: 1,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: 1,
            ticks: 1,
            skipped: 0,
        }
    }

    #[test]
    fn a_cross_is_a_change_of_sides() {
        let mut cross = Cross::default();
        let answers = [0.0, 1.0, 2.0, 0.0, 1.0, 0.0, -1.0, -2.0, 0.5].map(|difference| cross.update(difference));
        let (long, short) = (Some(Stance::Long), Some(Stance::Short));
        assert_eq!(answers, [None, None, None, None, None, None, short, None, long]);
    }
}
