//! Bars built from ticks: by time, by number of ticks, by volume.
//!
//! A tick is a price and a size, mantissas at the instrument's scale; a bar keeps the mantissas, so nothing is rounded. A [`BarBuilder`] is
//! given ticks one at a time and says when a bar is complete. It allocates nothing.
//!
//! | rule | a bar ends |
//! |---|---|
//! | [`BarRule::Time`] | with its interval `[k × interval, (k + 1) × interval)` since the epoch: at the first tick, or word of the clock, after it |
//! | [`BarRule::Ticks`] | with its `n`th tick |
//! | [`BarRule::Volume`] | with the tick that brings its volume to the threshold or above it; a tick is never split, so a bar may hold more |
//!
//! **Empty intervals** make no bar: a bar exists only where something traded. How many intervals were passed over stands in the next bar
//! ([`Bar::skipped`]), so that a reader that wants flat bars there can have them, and one that does not is not flooded after a pause.
//!
//! **Late ticks.** Time must not go backwards; a tick that is older than the bar under construction is counted in it, because a bar that
//! was given out is final.
//!
//! Source of tick and volume bars: M. López de Prado, *Advances in Financial Machine Learning* (2018), section 2.3.

mod rule;

pub use rule::{BarRule, BarRuleError};

/// Open, high, low, close, volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// When it began, ns since the Unix epoch: the start of the interval for time bars, else the time of its first tick.
    pub start_ns: i64,
    /// When it ended, ns since the Unix epoch: the end of the interval (exclusive) for time bars, else the time of its last tick.
    pub end_ns: i64,
    /// Price of the first tick.
    pub open: i64,
    /// Highest price.
    pub high: i64,
    /// Lowest price.
    pub low: i64,
    /// Price of the last tick.
    pub close: i64,
    /// Sum of the sizes; wider than a size, so that no sum overflows.
    pub volume: i128,
    /// Ticks in it, at least 1.
    pub ticks: u64,
    /// Time bars: intervals without a tick between the bar before and this one.
    pub skipped: u64,
}

/// Builds bars by a rule.
#[derive(Clone, Debug)]
pub struct BarBuilder {
    rule: BarRule,
    open: Option<Bar>,
    /// Of time bars: where the last complete one ended.
    last_end_ns: Option<i64>,
}

impl BarBuilder {
    /// No bar has begun.
    #[must_use]
    pub fn new(rule: BarRule) -> BarBuilder {
        BarBuilder {
            rule,
            open: None,
            last_end_ns: None,
        }
    }

    /// The rule.
    #[must_use]
    pub fn rule(&self) -> BarRule {
        self.rule
    }

    /// The bar under construction.
    #[must_use]
    pub fn current(&self) -> Option<&Bar> {
        self.open.as_ref()
    }

    /// When the time bar under construction ends, ns since the Unix epoch; other bars do not end by time.
    #[must_use]
    pub fn ends_ns(&self) -> Option<i64> {
        match self.rule {
            BarRule::Time { .. } => self.open.map(|bar| bar.end_ns),
            BarRule::Ticks(_) | BarRule::Volume(_) => None,
        }
    }

    /// Takes a tick of `size` at `price`. Gives the bar that is complete by it: one that ended before the tick (time), or with it (ticks, volume).
    /// A negative size is none.
    pub fn on_tick(&mut self, now_ns: i64, price: i64, size: i64) -> Option<Bar> {
        let complete = self.on_time(now_ns);
        let (start_ns, end_ns) = self.span(now_ns);
        let skipped = self.skipped(start_ns);
        let bar = self.open.get_or_insert(Bar {
            start_ns,
            end_ns,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: 0,
            ticks: 0,
            skipped,
        });
        bar.high = bar.high.max(price);
        bar.low = bar.low.min(price);
        bar.close = price;
        bar.volume += i128::from(size.max(0));
        bar.ticks += 1;
        bar.end_ns = bar.end_ns.max(end_ns);
        let full = match self.rule {
            BarRule::Time { .. } => return complete,
            BarRule::Ticks(ticks) => bar.ticks >= u64::from(ticks.get()),
            BarRule::Volume(volume) => bar.volume >= i128::from(volume.get()),
        };
        if full { self.open.take() } else { None }
    }

    /// Says what time it is. Gives the time bar that ended by now, if it had a tick; other bars do not end by time.
    pub fn on_time(&mut self, now_ns: i64) -> Option<Bar> {
        let BarRule::Time { .. } = self.rule else {
            return None;
        };
        let bar = self.open.take_if(|bar| now_ns >= bar.end_ns)?;
        self.last_end_ns = Some(bar.end_ns);
        Some(bar)
    }

    /// Drops the bar under construction, as after a gap: half a bar would be a wrong one.
    pub fn reset(&mut self) {
        (self.open, self.last_end_ns) = (None, None);
    }

    /// Start and end of a bar that begins with a tick now.
    fn span(&self, now_ns: i64) -> (i64, i64) {
        match self.rule {
            BarRule::Time { interval_ns } => {
                let start = now_ns.saturating_sub(now_ns.rem_euclid(interval_ns.get()));
                (start, start.saturating_add(interval_ns.get()))
            }
            BarRule::Ticks(_) | BarRule::Volume(_) => (now_ns, now_ns),
        }
    }

    fn skipped(&self, start_ns: i64) -> u64 {
        match (self.rule, self.last_end_ns) {
            (BarRule::Time { interval_ns }, Some(end_ns)) => {
                let between = i128::from(start_ns) - i128::from(end_ns);
                (between.max(0) / i128::from(interval_ns.get())) as u64
            }
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests;
