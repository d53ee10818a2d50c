//! `bollinger`: reversion to the mean from outside of the Bollinger bands.
//!
//! With each bar: a close below the lower band goes long, and flat when a close is back at or above the middle; if `short` is set, a close
//! above the upper band goes short, and flat when a close is back at or below the middle. The bands include the bar that is compared with
//! them. Bands of no width (a market that stands still) say nothing.
//!
//! Source: John Bollinger, *Bollinger on Bollinger Bands* (2001), chapter 7 for the bands; the trade at their outside and the exit at the
//! middle are the common reading of them as a measure of "high and low on a relative basis", not a method of his.

use super::bars;
use super::stance::{BarRules, Stance};
use crate::bar::Bar;
use crate::indicator::{Bollinger, PERIOD_MAX};
use crate::strategy::parameter::{Parameter, ParameterError, ParameterKind, Values};

/// Parameters beside those of all bar strategies.
const PARAMETERS: [Parameter; 2] = [
    Parameter {
        name: "period",
        kind: ParameterKind::Integer {
            min: 2,
            max: PERIOD_MAX as i64,
            default: 20,
        },
        about: "bars in the average and the deviation",
    },
    Parameter {
        name: "width",
        kind: ParameterKind::Real {
            min: 0.1,
            max: 10.0,
            default: 2.0,
        },
        about: "standard deviations from the middle to a band",
    },
];

/// All parameters.
pub const TABLE: [Parameter; 7] = bars::table(PARAMETERS);

/// The bands.
#[derive(Debug)]
pub struct BollingerReversion {
    bands: Bollinger,
}

impl BarRules for BollingerReversion {
    const NAME: &'static str = "bollinger";

    fn new(values: &Values) -> Result<BollingerReversion, ParameterError> {
        Ok(BollingerReversion {
            bands: Bollinger::new(values.period("period"), values.real("width")),
        })
    }

    fn on_bar(&mut self, bar: &Bar, now: Stance) -> Option<Stance> {
        let close = bar.close as f64;
        let bands = self.bands.update(close)?;
        match now {
            _ if close < bands.lower => Some(Stance::Long),
            _ if close > bands.upper => Some(Stance::Short),
            Stance::Long if close >= bands.middle => Some(Stance::Flat),
            Stance::Short if close <= bands.middle => Some(Stance::Flat),
            _ => None,
        }
    }

    fn describe(&self, out: &mut dyn FnMut(&'static str, f64)) {
        if let Some(bands) = self.bands.value() {
            out("upper", bands.upper);
            out("middle", bands.middle);
            out("lower", bands.lower);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::stance::tests::stances;
    use super::*;

    #[test]
    fn it_buys_below_and_leaves_at_the_middle() {
        // Three bars, one deviation. (10,10,4): 8 ± 2.83, 4 is below. (10,4,7): 7 ± 2.45, 7 is the middle. (4,7,7): 6 ± 1.41, within.
        // (7,7,13): 9 ± 2.83, 13 is above. (7,13,12): 10.67 ± 2.62, within and above the middle. (13,12,11): 12 ± 0.82, 11 is below.
        let closes = [10, 10, 4, 7, 7, 13, 12, 11];
        let expected = [
            None,
            None,
            Some(Stance::Long),
            Some(Stance::Flat),
            None,
            Some(Stance::Short),
            None,
            Some(Stance::Long),
        ];
        let given = [("period", "3"), ("width", "1")];
        assert_eq!(stances::<BollingerReversion>(&PARAMETERS, &given, &closes), expected);
    }

    #[test]
    fn a_market_that_stands_still_says_nothing() {
        let stances = stances::<BollingerReversion>(&PARAMETERS, &[("period", "3")], &[7; 9]);
        assert_eq!(stances, [None; 9]);
    }
}
