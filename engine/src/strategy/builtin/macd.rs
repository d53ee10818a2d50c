//! `macd`: MACD crosses its signal line.
//!
//! With each bar the difference of two exponential averages (MACD) is compared with its own exponential average (the signal line). When it comes to
//! stand above, the strategy goes long; when below, flat, or short if `short` is set. Only a cross counts, as for `sma`.
//!
//! Source: Gerald Appel, *Technical Analysis: Power Tools for Active Investors* (2005), chapter 8.

use super::bars;
use super::stance::{BarRules, Cross, Stance};
use crate::bar::Bar;
use crate::indicator::{Macd, PERIOD_MAX};
use crate::strategy::parameter::{Parameter, ParameterError, ParameterKind, Values};

/// Parameters beside those of all bar strategies.
const PARAMETERS: [Parameter; 3] = [
    Parameter {
        name: "fast",
        kind: ParameterKind::Integer {
            min: 1,
            max: PERIOD_MAX as i64,
            default: 12,
        },
        about: "bars in the fast average; below `slow`",
    },
    Parameter {
        name: "slow",
        kind: ParameterKind::Integer {
            min: 2,
            max: PERIOD_MAX as i64,
            default: 26,
        },
        about: "bars in the slow average",
    },
    Parameter {
        name: "signal",
        kind: ParameterKind::Integer {
            min: 1,
            max: PERIOD_MAX as i64,
            default: 9,
        },
        about: "values in the signal line",
    },
];

/// All parameters.
pub const TABLE: [Parameter; 8] = bars::table(PARAMETERS);

/// The lines and how they stood.
#[derive(Debug)]
pub struct MacdCross {
    macd: Macd,
    cross: Cross,
}

impl BarRules for MacdCross {
    const NAME: &'static str = "macd";

    fn new(values: &Values) -> Result<MacdCross, ParameterError> {
        let (fast, slow) = (values.period("fast"), values.period("slow"));
        if fast >= slow {
            return Err(values.contradiction(format!("fast ({fast}) must be below slow ({slow})")));
        }
        Ok(MacdCross {
            macd: Macd::new(fast, slow, values.period("signal")),
            cross: Cross::default(),
        })
    }

    fn on_bar(&mut self, bar: &Bar, _now: Stance) -> Option<Stance> {
        let lines = self.macd.update(bar.close as f64)?;
        self.cross.update(lines.histogram())
    }

    fn describe(&self, out: &mut dyn FnMut(&'static str, f64)) {
        if let Some(lines) = self.macd.value() {
            out("macd", lines.macd);
            out("signal", lines.signal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::stance::tests::stances;
    use super::*;

    #[test]
    fn the_histogram_changes_sign() {
        // Fast 1: the close. Slow 2: weight 2/3 after the mean of two. Signal 1 would be MACD itself, so 2: weight 2/3 after the mean of two.
        // closes  8     8     8     14     14      8       8
        // slow    -     8     8     12     13.33   9.78    8.59
        // macd    -     0     0     2      0.67    -1.78   -0.59
        // signal  -     -     0     1.33   0.89    -0.89   -0.69
        // histo   -     -     0     0.67   -0.22   -0.89   0.10
        let closes = [8, 8, 8, 14, 14, 8, 8];
        let given = [("fast", "1"), ("slow", "2"), ("signal", "2")];
        let expected = [None, None, None, None, Some(Stance::Short), None, Some(Stance::Long)];
        assert_eq!(stances::<MacdCross>(&PARAMETERS, &given, &closes), expected);
    }
}
