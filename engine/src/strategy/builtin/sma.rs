//! `sma`: the cross of two simple moving averages.
//!
//! With each bar the averages of the last `fast` and `slow` closes are compared. When the fast one comes to stand above the slow one the strategy goes
//! long, when below it goes flat, or short if `short` is set. Only a *cross* counts: how the averages stand when both are first known is where it starts
//! from. Equal averages change nothing.
//!
//! Source: W. Brock, J. Lakonishok, B. LeBaron, *Simple Technical Trading Rules and the Stochastic Properties of Stock Returns*, Journal of Finance 47
//! (1992), 1731–1764: the variable-length moving average rule without a band.

use super::bars;
use super::stance::{BarRules, Cross, Stance};
use crate::bar::Bar;
use crate::indicator::{PERIOD_MAX, Sma};
use crate::strategy::parameter::{Parameter, ParameterError, ParameterKind, Values};

/// Parameters beside those of all bar strategies.
const PARAMETERS: [Parameter; 2] = [
    Parameter {
        name: "fast",
        kind: ParameterKind::Integer {
            min: 1,
            max: PERIOD_MAX as i64,
            default: 20,
        },
        about: "bars in the fast average; below `slow`",
    },
    Parameter {
        name: "slow",
        kind: ParameterKind::Integer {
            min: 2,
            max: PERIOD_MAX as i64,
            default: 50,
        },
        about: "bars in the slow average",
    },
];

/// All parameters.
pub const TABLE: [Parameter; 7] = bars::table(PARAMETERS);

/// The averages and how they stood.
#[derive(Debug)]
pub struct SmaCross {
    fast: Sma,
    slow: Sma,
    cross: Cross,
}

impl BarRules for SmaCross {
    const NAME: &'static str = "sma";

    fn new(values: &Values) -> Result<SmaCross, ParameterError> {
        let (fast, slow) = (values.period("fast"), values.period("slow"));
        if fast >= slow {
            return Err(values.contradiction(format!("fast ({fast}) must be below slow ({slow})")));
        }
        Ok(SmaCross {
            fast: Sma::new(fast),
            slow: Sma::new(slow),
            cross: Cross::default(),
        })
    }

    fn on_bar(&mut self, bar: &Bar, _now: Stance) -> Option<Stance> {
        let close = bar.close as f64;
        let (fast, slow) = (self.fast.update(close), self.slow.update(close));
        self.cross.update(fast? - slow?)
    }

    fn describe(&self, out: &mut dyn FnMut(&'static str, f64)) {
        for (name, value) in [("fast", self.fast.value()), ("slow", self.slow.value())] {
            if let Some(value) = value {
                out(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::stance::tests::stances;
    use super::*;

    #[test]
    fn only_a_cross_is_an_opinion() {
        let closes = [11, 10, 8, 8, 6, 9, 11, 6];
        // fast: -, 10.5, 9, 8, 7, 7.5, 10, 8.5; slow: -, -, 9.67, 8.67, 7.33, 7.67, 8.67, 8.67.
        let expected = [
            None,
            None,
            None,
            None,
            None,
            None,
            Some(Stance::Long),
            Some(Stance::Short),
        ];
        assert_eq!(
            stances::<SmaCross>(&PARAMETERS, &[("fast", "2"), ("slow", "3")], &closes),
            expected
        );
    }

    #[test]
    fn equal_averages_change_nothing() {
        let closes = [1, 1, 1, 4, 1, 1, 1, 1];
        // fast (1): the close; slow (2): 1, 1, 2.5, 2.5, 1, 1, 1. Up with the 4, which is the first stand that is not equal: no cross.
        let expected = [None, None, None, None, Some(Stance::Short), None, None, None];
        assert_eq!(
            stances::<SmaCross>(&PARAMETERS, &[("fast", "1"), ("slow", "2")], &closes),
            expected
        );
    }

    #[test]
    fn a_fast_average_that_is_not_faster_is_refused() {
        let values = Values::parse("sma", &PARAMETERS, [("fast", "50")]).unwrap();
        let error = SmaCross::new(&values).unwrap_err().to_string();
        assert_eq!(
            error,
            "parameters of strategy `sma` contradict each other: fast (50) must be below slow (50)"
        );
    }
}
