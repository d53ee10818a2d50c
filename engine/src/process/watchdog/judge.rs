//! What the watchdog makes of what it sees: times and numbers in, reasons out.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tickpath_protocol::trading::Reason;
use tickpath_service::config::engine::{Decimal, Watchdog as Keys};

use crate::process::meters::Phase;

/// What the engine's page said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// `tickpath_engine_phase`
    pub phase: i64,
    /// `tickpath_engine_heartbeat_ns`
    pub heartbeat_ns: i64,
    /// Gains and losses of all strategies, 1e-8, by currency.
    pub gains: BTreeMap<String, i64>,
}

/// Why trading has to stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The code in the latch.
    pub reason: Reason,
    /// For people.
    pub words: String,
}

/// Remembers what it saw last.
#[derive(Debug)]
pub struct Judge {
    stale_after: Option<Duration>,
    silent_after: Option<Duration>,
    loss_max: Option<i64>,
    data_at: Option<Instant>,
    sight: Option<Sight>,
    alive_at: Option<Instant>,
    /// Gains from which losses count: those of the last arming.
    base: BTreeMap<String, i64>,
}

impl Judge {
    /// A judge who saw nothing yet.
    #[must_use]
    pub fn new(keys: &Keys) -> Judge {
        let time = |ms: u64| (ms > 0).then(|| Duration::from_millis(ms));
        Judge {
            stale_after: time(keys.stale_ms),
            silent_after: time(keys.silence_ms),
            loss_max: (keys.loss_max > Decimal(0)).then_some(keys.loss_max.0),
            data_at: None,
            sight: None,
            alive_at: None,
            base: BTreeMap::new(),
        }
    }

    /// A record of a traded instrument came.
    pub fn on_data(&mut self, now: Instant) {
        self.data_at = Some(now);
    }

    /// The engine's page was looked at; `None`: there is none.
    pub fn on_sight(&mut self, sight: Option<Sight>, now: Instant) {
        let Some(sight) = sight else { return };
        let beats = self
            .sight
            .as_ref()
            .is_none_or(|old| old.heartbeat_ns != sight.heartbeat_ns);
        if beats {
            self.alive_at = Some(now);
        }
        self.sight = Some(sight);
    }

    /// Someone armed: all times start over, and losses count from here.
    pub fn on_armed(&mut self, now: Instant) {
        self.data_at = self.data_at.map(|_| now);
        self.alive_at = self.alive_at.map(|_| now);
        self.base = self.sight.as_ref().map(|sight| sight.gains.clone()).unwrap_or_default();
    }

    /// Whether trading has to stop. Nothing is judged before the engine ran, nor after it stopped in order.
    #[must_use]
    pub fn verdict(&self, now: Instant) -> Option<Verdict> {
        let sight = self
            .sight
            .as_ref()
            .filter(|sight| sight.phase == Phase::Running as i64)?;
        let older = |at: Option<Instant>, limit: Option<Duration>| {
            let age = now.saturating_duration_since(at?);
            (age >= limit?).then_some(age.as_millis())
        };
        if let Some((currency, loss)) = self.loss(sight) {
            let words = format!("{} {currency} were lost", String::from(Decimal(loss)));
            return Some(verdict(Reason::Drawdown, words));
        }
        if let Some(ms) = older(self.data_at, self.stale_after) {
            let words = format!("no record of any traded instrument for {ms} ms");
            return Some(verdict(Reason::StaleData, words));
        }
        let ms = older(self.alive_at, self.silent_after)?;
        Some(verdict(
            Reason::NotRunning,
            format!("no sign of life of the engine for {ms} ms"),
        ))
    }

    fn loss<'a>(&self, sight: &'a Sight) -> Option<(&'a str, i64)> {
        let limit = self.loss_max?;
        sight.gains.iter().find_map(|(currency, gain)| {
            let base = self.base.get(currency).copied().unwrap_or(0);
            let loss = base.saturating_sub(*gain);
            (loss >= limit).then_some((currency.as_str(), loss))
        })
    }
}

fn verdict(reason: Reason, words: String) -> Verdict {
    Verdict { reason, words }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn judge() -> (Judge, Instant) {
        let keys = Keys {
            enabled: true,
            stale_ms: 5000,
            loss_max: Decimal::whole(100),
            silence_ms: 3000,
        };
        (Judge::new(&keys), Instant::now())
    }

    fn sight(heartbeat_ns: i64, gain: i64) -> Option<Sight> {
        Some(Sight {
            phase: Phase::Running as i64,
            heartbeat_ns,
            gains: [("USD".to_owned(), gain * 100_000_000)].into(),
        })
    }

    fn reason(judge: &Judge, now: Instant) -> Option<Reason> {
        judge.verdict(now).map(|verdict| verdict.reason)
    }

    #[test]
    fn silence_counts_from_the_last_beat_also_when_the_page_is_gone() {
        let (mut judge, start) = judge();
        judge.on_sight(None, start);
        assert_eq!(reason(&judge, start + 100 * SECOND), None, "there never was an engine");
        judge.on_sight(sight(1, 0), start);
        judge.on_sight(sight(1, 0), start + SECOND);
        judge.on_sight(None, start + 2 * SECOND);
        assert_eq!(reason(&judge, start + 2 * SECOND), None);
        assert_eq!(reason(&judge, start + 3 * SECOND), Some(Reason::NotRunning));
        judge.on_sight(sight(2, 0), start + 4 * SECOND);
        assert_eq!(reason(&judge, start + 5 * SECOND), None);
        let stopping = sight(3, 0).map(|sight| Sight { phase: 4, ..sight });
        judge.on_sight(stopping, start + 5 * SECOND);
        assert_eq!(reason(&judge, start + 50 * SECOND), None, "it stopped in order");
    }

    #[test]
    fn stale_data_and_losses_stop_and_arming_starts_over() {
        let (mut judge, start) = judge();
        judge.on_sight(sight(1, -99), start);
        judge.on_data(start);
        assert_eq!(reason(&judge, start), None);
        judge.on_sight(sight(2, -100), start);
        assert_eq!(reason(&judge, start), Some(Reason::Drawdown));
        judge.on_armed(start);
        assert_eq!(reason(&judge, start), None);
        judge.on_sight(sight(3, -150), start + 5 * SECOND);
        assert_eq!(reason(&judge, start + 5 * SECOND), Some(Reason::StaleData));
        judge.on_data(start + 5 * SECOND);
        assert_eq!(reason(&judge, start + 5 * SECOND), None);
    }
}
