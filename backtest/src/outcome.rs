//! What a run came to, before anybody writes it down.

use std::collections::BTreeMap;

use tickpath_protocol::{Instrument, InstrumentId};

use crate::metrics::{Metrics, Point};
use crate::trips::{Fill, Trip};

/// A strategy as it ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StrategyRun {
    /// Its name in the registry.
    pub name: String,
    /// Every parameter with its value, defaults included.
    pub params: Vec<(String, String)>,
}

/// Everything of one quote currency; currencies are never converted.
#[derive(Clone, Debug, PartialEq)]
pub struct CurrencyOutcome {
    /// `USD`, `USDT`, …
    pub currency: String,
    /// What the run began with.
    pub capital: i128,
    /// Equity at equal distances in time.
    pub curve: Vec<Point>,
    /// Notional of all fills.
    pub traded: i128,
    /// Fees of all fills, less rebates.
    pub fees: i128,
    /// The figures.
    pub metrics: Metrics,
}

/// A position at the end, valued at market.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenPosition {
    /// What is held.
    pub instrument: InstrumentId,
    /// Mantissa, below 0 if short.
    pub quantity: i64,
}

/// Prices of an instrument at the times of the curve; `None` where there was no market.
#[derive(Clone, Debug, PartialEq)]
pub struct PriceLine {
    /// The instrument.
    pub instrument: InstrumentId,
    /// Time, and middle between best bid and offer.
    pub points: Vec<(i64, Option<f64>)>,
}

/// A whole run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Records that the core was fed.
    pub records: u64,
    /// Receive time of the first record that strategies could act on, ns since the Unix epoch.
    pub first_ns: i64,
    /// Receive time of the last one.
    pub last_ns: i64,
    /// Distance of the curves' points.
    pub period_ns: i64,
    /// What ran.
    pub strategies: Vec<StrategyRun>,
    /// Instruments that the strategies were given.
    pub instruments: Vec<Instrument>,
    /// By currency, in order of name.
    pub currencies: Vec<CurrencyOutcome>,
    /// In order of time.
    pub fills: Vec<Fill>,
    /// In order of their end.
    pub trips: Vec<Trip>,
    /// Trading events by name of their kind.
    pub events: BTreeMap<&'static str, u64>,
    /// Rejections, cancellations and breaches by reason.
    pub reasons: BTreeMap<&'static str, u64>,
    /// What is held at the end.
    pub open: Vec<OpenPosition>,
    /// For charts.
    pub prices: Vec<PriceLine>,
    /// BLAKE3 of every record that the core published, in order: two runs that decide alike have the same.
    pub decisions: String,
}

impl Outcome {
    /// The instrument with this id.
    #[must_use]
    pub fn instrument(&self, id: InstrumentId) -> Option<&Instrument> {
        self.instruments.iter().find(|instrument| instrument.id == id)
    }

    /// Venue and symbol, or the bare id where no table names it.
    #[must_use]
    pub fn label(&self, id: InstrumentId) -> (String, String) {
        let symbol = self.instrument(id).map(|instrument| instrument.symbol.clone());
        (
            id.venue().to_string(),
            symbol.unwrap_or_else(|| format!("#{}", id.index())),
        )
    }

    /// How many events of a kind there were.
    #[must_use]
    pub fn count(&self, kind: &str) -> u64 {
        self.events.get(kind).copied().unwrap_or(0)
    }

    /// The outcome that a sweep goes by: the currency that was traded most, the first in order of name among equals.
    #[must_use]
    pub fn main_currency(&self) -> Option<&CurrencyOutcome> {
        self.currencies
            .iter()
            .reduce(|most, next| if next.traded > most.traded { next } else { most })
    }
}

/// What an instrument's prices are in: the part of its name behind the slash.
#[must_use]
pub fn quote_currency(instrument: &Instrument) -> &str {
    instrument.name.rsplit_once('/').map_or("", |(_, quote)| quote)
}
