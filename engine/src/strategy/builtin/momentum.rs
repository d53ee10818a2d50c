//! `momentum`: breakout of a channel (Donchian).
//!
//! With each bar: a close above the highest high of the `entry` bars before it goes long; a close below the lowest low of the `exit` bars
//! before it ends that. If `short` is set the same holds the other way round. A breakout against the position turns it at once.
//!
//! Source: Richard Donchian's channel rule as the Turtles traded it (System 1: 20 bars in, 10 out): Curtis Faith, *Way of the Turtle* (2007), chapter 5
//! and its appendix. Their filter of the last signal, their pyramiding and their stops are not part of this.

use super::bars;
use super::stance::{BarRules, Stance};
use crate::bar::Bar;
use crate::indicator::PERIOD_MAX;
use crate::strategy::parameter::{Parameter, ParameterError, ParameterKind, Values};

/// Parameters beside those of all bar strategies.
const PARAMETERS: [Parameter; 2] = [
    Parameter {
        name: "entry",
        kind: ParameterKind::Integer {
            min: 1,
            max: PERIOD_MAX as i64,
            default: 20,
        },
        about: "bars in the channel whose breakout is an entry; at least `exit`",
    },
    Parameter {
        name: "exit",
        kind: ParameterKind::Integer {
            min: 1,
            max: PERIOD_MAX as i64,
            default: 10,
        },
        about: "bars in the channel whose breakout is an exit",
    },
];

/// All parameters.
pub const TABLE: [Parameter; 7] = bars::table(PARAMETERS);

/// Highs and lows of the last bars, the newest at `next - 1`.
#[derive(Debug)]
pub struct Breakout {
    ranges: Box<[(i64, i64)]>,
    next: usize,
    seen: usize,
    exit: usize,
}

impl Breakout {
    /// Highest high and lowest low of the last `bars` bars.
    fn channel(&self, bars: usize) -> (i64, i64) {
        let len = self.ranges.len();
        let newest_first = (1..=bars).map(|back| self.ranges[(self.next + len - back) % len]);
        newest_first.fold((i64::MIN, i64::MAX), |(high, low), range| {
            (high.max(range.0), low.min(range.1))
        })
    }

    fn stance(&self, close: i64, now: Stance) -> Option<Stance> {
        if self.seen < self.ranges.len() {
            return None;
        }
        let (entry, exit) = (self.channel(self.ranges.len()), self.channel(self.exit));
        match now {
            _ if close > entry.0 => Some(Stance::Long),
            _ if close < entry.1 => Some(Stance::Short),
            Stance::Long if close < exit.1 => Some(Stance::Flat),
            Stance::Short if close > exit.0 => Some(Stance::Flat),
            _ => None,
        }
    }
}

impl BarRules for Breakout {
    const NAME: &'static str = "momentum";

    fn new(values: &Values) -> Result<Breakout, ParameterError> {
        let (entry, exit) = (values.period("entry"), values.period("exit"));
        if exit > entry {
            return Err(values.contradiction(format!("exit ({exit}) must not be above entry ({entry})")));
        }
        Ok(Breakout {
            ranges: vec![(0, 0); entry].into_boxed_slice(),
            next: 0,
            seen: 0,
            exit,
        })
    }

    fn on_bar(&mut self, bar: &Bar, now: Stance) -> Option<Stance> {
        let stance = self.stance(bar.close, now);
        self.ranges[self.next] = (bar.high, bar.low);
        self.next = (self.next + 1) % self.ranges.len();
        self.seen = (self.seen + 1).min(self.ranges.len());
        stance
    }

    fn describe(&self, out: &mut dyn FnMut(&'static str, f64)) {
        if self.seen == self.ranges.len() {
            let (high, low) = self.channel(self.ranges.len());
            out("channel_high", high as f64);
            out("channel_low", low as f64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::stance::tests::stances;
    use super::*;

    #[test]
    fn a_breakout_is_an_entry_and_a_shorter_one_the_exit() {
        // Entry 4, exit 2, bars of one price. 13: entry channel 10 to 12, above. 14: channel 11 to 13, above again. 12: exit channel 13 to 14, below it;
        // entry channel 11 to 14, within. 10: entry channel 11 to 14, below. 13: exit channel 10 to 12, above it; entry channel 10 to 14, within.
        let closes = [10, 11, 12, 11, 13, 14, 12, 10, 13];
        let (long, flat, short) = (Some(Stance::Long), Some(Stance::Flat), Some(Stance::Short));
        let expected = [None, None, None, None, long, long, flat, short, flat];
        let given = [("entry", "4"), ("exit", "2")];
        let stances = stances::<Breakout>(&PARAMETERS, &given, &closes);
        assert_eq!(stances, expected);
    }

    #[test]
    fn an_exit_channel_longer_than_the_entry_is_refused() {
        let values = Values::parse("momentum", &PARAMETERS, [("entry", "9")]).unwrap();
        assert!(
            Breakout::new(&values)
                .unwrap_err()
                .to_string()
                .contains("exit (10) must not be above entry (9)")
        );
    }
}
