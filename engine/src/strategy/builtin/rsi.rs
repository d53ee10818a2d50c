//! `rsi`: reversion to the mean by Wilder's relative strength index.
//!
//! With each bar: at or below `oversold` the strategy goes long, and goes flat when the index is back at or above `exit`; if `short` is
//! set, it goes short at or above `overbought` and flat when the index is back at or below `exit`.
//!
//! Source: J. Welles Wilder, *New Concepts in Technical Trading Systems* (1978), section VI: tops above 70, bottoms below 30. The exit at
//! the middle is ours.

use super::bars;
use super::stance::{BarRules, Stance};
use crate::bar::Bar;
use crate::indicator::{PERIOD_MAX, Rsi};
use crate::strategy::parameter::{Parameter, ParameterError, ParameterKind, Values};

/// Parameters beside those of all bar strategies.
const PARAMETERS: [Parameter; 4] = [
    Parameter {
        name: "period",
        kind: ParameterKind::Integer {
            min: 1,
            max: PERIOD_MAX as i64,
            default: 14,
        },
        about: "changes of the close in the averages",
    },
    level("oversold", 30.0, "index at or below which it buys; below `exit`"),
    level("exit", 50.0, "index at which it goes flat"),
    level("overbought", 70.0, "index at or above which it sells; above `exit`"),
];

/// All parameters.
pub const TABLE: [Parameter; 9] = bars::table(PARAMETERS);

const fn level(name: &'static str, default: f64, about: &'static str) -> Parameter {
    let (min, max) = (0.0, 100.0);
    Parameter {
        name,
        kind: ParameterKind::Real { min, max, default },
        about,
    }
}

/// The index and its levels.
#[derive(Debug)]
pub struct RsiReversion {
    rsi: Rsi,
    oversold: f64,
    exit: f64,
    overbought: f64,
}

impl BarRules for RsiReversion {
    const NAME: &'static str = "rsi";

    fn new(values: &Values) -> Result<RsiReversion, ParameterError> {
        let [oversold, exit, overbought] = ["oversold", "exit", "overbought"].map(|name| values.real(name));
        if oversold >= exit || exit >= overbought {
            return Err(values.contradiction(format!(
                "oversold ({oversold}) must be below exit ({exit}), and exit below overbought ({overbought})"
            )));
        }
        Ok(RsiReversion {
            rsi: Rsi::new(values.period("period")),
            oversold,
            exit,
            overbought,
        })
    }

    fn on_bar(&mut self, bar: &Bar, now: Stance) -> Option<Stance> {
        let index = self.rsi.update(bar.close as f64)?;
        match now {
            _ if index <= self.oversold => Some(Stance::Long),
            _ if index >= self.overbought => Some(Stance::Short),
            Stance::Long if index >= self.exit => Some(Stance::Flat),
            Stance::Short if index <= self.exit => Some(Stance::Flat),
            _ => None,
        }
    }

    fn describe(&self, out: &mut dyn FnMut(&'static str, f64)) {
        if let Some(index) = self.rsi.value() {
            out("rsi", index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::stance::tests::stances;
    use super::*;

    #[test]
    fn it_buys_low_and_leaves_in_the_middle() {
        // Period 2, weight 1/2. changes: -2 -2 | +4 +1 | +3
        // after 100 98 96: gain 0, loss 2: 0. +4: gain 2, loss 1: 66.7. +1: 1.5, 0.5: 75. +3: 2.25, 0.25: 90. -9: 1.125, 4.625: 19.6
        let closes = [100, 98, 96, 100, 101, 104, 95];
        let expected = [
            None,
            None,
            Some(Stance::Long),
            Some(Stance::Flat),
            Some(Stance::Short),
            Some(Stance::Short),
            Some(Stance::Long),
        ];
        assert_eq!(
            stances::<RsiReversion>(&PARAMETERS, &[("period", "2")], &closes),
            expected
        );
    }

    #[test]
    fn levels_out_of_order_are_refused() {
        let values = Values::parse("rsi", &PARAMETERS, [("exit", "30")]).unwrap();
        assert!(
            RsiReversion::new(&values)
                .unwrap_err()
                .to_string()
                .contains("oversold (30) must be below exit (30)")
        );
    }
}
