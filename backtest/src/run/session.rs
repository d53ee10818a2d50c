//! An engine that is fed, sampled and asked at the end what came of it.

use tickpath_engine::engine::StrategyConfig;
use tickpath_engine::paper::PaperVenue;
use tickpath_engine::portfolio::Currency;
use tickpath_engine::{Engine, Time};
use tickpath_protocol::{Flags, Instrument, InstrumentId, Kind, Record, Side, Venue};

use super::error::RunError;
use super::name::InstrumentName;
use super::tally::Tally;
use super::{Build, RunConfig};
use crate::metrics::{Metrics, Point};
use crate::money::rounded;
use crate::outcome::{CurrencyOutcome, OpenPosition, Outcome, PriceLine};
use crate::sample::Samples;
use crate::source::{Block, Blocks};
use crate::trips::{Overflow, Trip};

/// One run under way.
pub struct Session<'a> {
    config: &'a RunConfig,
    build: &'a Build<'a>,
    engine: Engine<PaperVenue>,
    tally: Tally,
    /// By place in the configuration: the instrument, once the data named it.
    traded: Vec<Option<Instrument>>,
    /// Every instrument that the data named.
    known: Vec<Instrument>,
    samples: Samples<u32>,
    /// Equity of each currency, and the middle of each traded instrument, at a sample.
    rows: Vec<(Vec<i128>, Vec<Option<f64>>)>,
    currencies: Vec<Currency>,
    is_started: bool,
    is_over: bool,
    records: u64,
    /// Receive times of the first and the last record of all, and of the first and the last that was traded on.
    covered: Option<(i64, i64)>,
    played: Option<(i64, i64)>,
}

impl<'a> Session<'a> {
    /// A session that has seen nothing yet.
    #[must_use]
    pub fn new(engine: Engine<PaperVenue>, config: &'a RunConfig, build: &'a Build<'a>) -> Session<'a> {
        Session {
            config,
            build,
            engine,
            tally: Tally::new(Venue::PAPER),
            traded: vec![None; config.instruments.len()],
            known: Vec::new(),
            samples: Samples::new(config.period_ns),
            rows: Vec::new(),
            currencies: Vec::new(),
            is_started: false,
            is_over: false,
            records: 0,
            covered: None,
            played: None,
        }
    }

    /// Feeds it all blocks, up to the end of its window.
    ///
    /// # Errors
    /// If the data or the strategy refuses.
    pub fn play(&mut self, blocks: &mut dyn Blocks) -> Result<(), RunError> {
        while !self.is_over {
            let Some(block) = blocks.next()? else { break };
            self.block(block)?;
        }
        Ok(())
    }

    fn block(&mut self, block: &Block) -> Result<(), RunError> {
        for instrument in &block.instruments {
            self.instrument(instrument);
        }
        let mut at = 0;
        if !self.is_started {
            at = self.warm_up(block)?;
        }
        self.trade(&block.records[at..], &block.positions[at..])
    }

    fn instrument(&mut self, instrument: &Instrument) {
        let name = InstrumentName::of(instrument);
        let wanted = self.config.instruments.iter().position(|wanted| *wanted == name);
        if let Some(at) = wanted {
            // What is not traded need not be followed: the core looks at nothing else.
            self.engine.add_instrument(instrument);
            self.traded[at] = Some(instrument.clone());
        }
        self.known.push(instrument.clone());
    }

    /// Feeds what lies before the window, or before all instruments are known; how many records that was.
    fn warm_up(&mut self, block: &Block) -> Result<usize, RunError> {
        for (at, (record, position)) in block.records.iter().zip(&block.positions).enumerate() {
            let is_named = self.traded.iter().all(Option::is_some);
            if is_named && record.ts_recv >= self.config.window.from_ns {
                self.start(record.ts_recv, *position)?;
                return Ok(at);
            }
            self.cover(record.ts_recv);
            self.feed(record, *position);
        }
        Ok(block.records.len())
    }

    fn start(&mut self, now_ns: i64, position: u64) -> Result<(), RunError> {
        let instruments: Vec<Instrument> = self.traded.iter().flatten().cloned().collect();
        let strategy = (self.build)(&instruments)?;
        let config = StrategyConfig {
            instruments: instruments.iter().map(|instrument| instrument.id).collect(),
            limits: self.config.limits,
            capital: self.config.capital,
        };
        self.engine.add_strategy(strategy, &config).map_err(RunError::Setup)?;
        for instrument in &instruments {
            let index = self.engine.market().index(instrument.id);
            let currency = index.map(|index| self.engine.portfolio().currency(index));
            self.currencies
                .extend(currency.filter(|currency| !self.currencies.contains(currency)));
        }
        self.tally.position = position;
        self.engine.start(position, Time(now_ns), &mut self.tally);
        let row = self.row();
        self.samples.begin(now_ns, row);
        self.is_started = true;
        Ok(())
    }

    /// The part that has to be fast: nothing here is done for a record that is not needed for it.
    fn trade(&mut self, records: &[Record], positions: &[u64]) -> Result<(), RunError> {
        let to_ns = self.config.window.to_ns;
        let mut now_ns = self.played.map_or(i64::MIN, |(_, last)| last);
        for (record, position) in records.iter().zip(positions) {
            if record.ts_recv >= to_ns {
                self.is_over = true;
                break;
            }
            now_ns = now_ns.max(record.ts_recv);
            if self.samples.is_due(now_ns) {
                self.sample(now_ns);
            }
            self.feed(record, *position);
            self.refuse_crossed(record, *position)?;
        }
        self.refuse_panic()?;
        if let Some(first) = records.first().filter(|first| first.ts_recv < to_ns) {
            let (start, _) = *self.played.get_or_insert((first.ts_recv, now_ns));
            self.played = Some((start, now_ns));
            self.cover(now_ns);
        }
        self.tally.check().map_err(RunError::Overflow)
    }

    #[inline]
    fn feed(&mut self, record: &Record, position: u64) {
        // What a core published in the recorded session, or a venue answered it, is not input of this one.
        if record.venue == Venue::PAPER.0 || record.venue == Venue::GATEWAY.0 {
            return;
        }
        self.records += 1;
        self.tally.position = position;
        self.engine.on_record(record, position, &mut self.tally);
    }

    /// A strategy that is over makes no result. Looked at once a block.
    fn refuse_panic(&mut self) -> Result<(), RunError> {
        match self.engine.take_panic() {
            None => Ok(()),
            Some(panic) => Err(RunError::Panic {
                name: panic.name,
                position: self.tally.position,
                message: panic.message,
            }),
        }
    }

    /// A book that is proven is not crossed. Looked at when an event of the book or a quote ends.
    #[inline]
    fn refuse_crossed(&self, record: &Record, position: u64) -> Result<(), RunError> {
        const CONCERNED: u8 = Flags::LAST.with(Flags::UNTRUSTED).with(Flags::SNAPSHOT).0;
        let is_quoted = record.kind == Kind::Quote as u8 || record.kind == Kind::BookLevel as u8;
        if record.flags & CONCERNED != Flags::LAST.0 || !is_quoted || self.config.carries_crossed {
            return Ok(());
        }
        let Some(view) = self.engine.market().get(record.instrument()) else {
            return Ok(());
        };
        match (view.best(Side::Bid), view.best(Side::Ask)) {
            (Some(bid), Some(ask)) if bid.price >= ask.price => Err(RunError::Crossed {
                name: InstrumentName::of(view.instrument()),
                position,
            }),
            _ => Ok(()),
        }
    }

    fn cover(&mut self, ns: i64) {
        let (first, last) = self.covered.unwrap_or((ns, ns));
        self.covered = Some((first.min(ns), last.max(ns)));
    }

    #[cold]
    fn sample(&mut self, now_ns: i64) {
        let row = self.row();
        self.samples.take(now_ns, row);
    }

    /// Notes what everything is worth; where it is noted.
    fn row(&mut self) -> u32 {
        let total = self.engine.portfolio().total();
        let equity = self.currencies.iter().map(|currency| total.equity(*currency)).collect();
        let middles = self
            .traded
            .iter()
            .flatten()
            .map(|instrument| middle(&self.engine, instrument))
            .collect();
        self.rows.push((equity, middles));
        (self.rows.len() - 1) as u32
    }

    /// What came of it.
    ///
    /// # Errors
    /// If an instrument had no data, the window no record, or an amount does not fit.
    pub fn finish(mut self) -> Result<Outcome, RunError> {
        self.refuse_nothing()?;
        let row = self.row();
        let (points, period_ns) = std::mem::replace(&mut self.samples, Samples::new(0)).finish(row);
        let instruments: Vec<Instrument> = self.traded.iter().flatten().cloned().collect();
        let (first_ns, last_ns) = self.played.unwrap_or_default();
        let decisions = self.tally.hash();
        let trips = std::mem::take(&mut self.tally.trips);
        let (trips, _) = trips.finish();
        let currencies = self.currencies(&points, period_ns, &trips)?;
        let prices = instruments.iter().enumerate().map(|(at, instrument)| PriceLine {
            instrument: instrument.id,
            points: points
                .iter()
                .map(|(ns, row)| (*ns, self.rows[*row as usize].1[at]))
                .collect(),
        });
        Ok(Outcome {
            records: self.records,
            first_ns,
            last_ns,
            period_ns,
            strategies: Vec::new(),
            prices: prices.collect(),
            currencies,
            open: self.open(&instruments),
            instruments,
            fills: self.tally.fills,
            trips,
            events: self.tally.events,
            reasons: self.tally.reasons,
            decisions,
        })
    }

    fn refuse_nothing(&self) -> Result<(), RunError> {
        let known = || known_text(&self.known);
        for (name, instrument) in self.config.instruments.iter().zip(&self.traded) {
            let is_silent = |id: InstrumentId| {
                let view = self.engine.market().get(id);
                view.is_none_or(|view| view.updated() == Time(i64::MIN))
            };
            if instrument.as_ref().is_none_or(|instrument| is_silent(instrument.id)) {
                return Err(RunError::NoData {
                    name: name.clone(),
                    known: known(),
                });
            }
        }
        let (first_ns, last_ns) = self.covered.unwrap_or_default();
        self.played.map(|_| ()).ok_or(RunError::EmptyWindow {
            from_ns: self.config.window.from_ns,
            to_ns: self.config.window.to_ns,
            first_ns,
            last_ns,
        })
    }

    fn currencies(
        &self,
        points: &[(i64, u32)],
        period_ns: i64,
        trips: &[Trip],
    ) -> Result<Vec<CurrencyOutcome>, RunError> {
        let portfolio = self.engine.portfolio();
        let of = |id: InstrumentId| self.engine.market().index(id).map(|index| portfolio.currency(index));
        let mut outcomes = Vec::new();
        for (at, currency) in self.currencies.iter().enumerate() {
            let curve: Vec<Point> = points
                .iter()
                .map(|(ns, row)| Point {
                    at_ns: *ns,
                    equity: self.rows[*row as usize].0[at],
                })
                .collect();
            let (mut traded, mut fees) = (0_i128, 0_i128);
            for fill in self
                .tally
                .fills
                .iter()
                .filter(|fill| of(fill.instrument) == Some(*currency))
            {
                let notional = rounded(fill.notional(), fill.notional_decimals()).ok_or(Overflow(fill.instrument))?;
                traded += notional;
                fees += i128::from(fill.fee);
            }
            let net = trips.iter().filter(|trip| of(trip.instrument) == Some(*currency));
            let net: Vec<i128> = net.map(|trip| trip.net).collect();
            outcomes.push(CurrencyOutcome {
                currency: portfolio.currencies()[usize::from(currency.0)].clone(),
                capital: curve.first().map_or(0, |point| point.equity),
                metrics: Metrics::of(&curve, period_ns, &net, traded),
                curve,
                traded,
                fees,
            });
        }
        outcomes.sort_by(|a, b| a.currency.cmp(&b.currency));
        Ok(outcomes)
    }

    fn open(&self, instruments: &[Instrument]) -> Vec<OpenPosition> {
        let total = self.engine.portfolio().total();
        let held = instruments.iter().filter_map(|instrument| {
            let index = self.engine.market().index(instrument.id)?;
            let quantity = total.position(index).quantity().0;
            (quantity != 0).then_some(OpenPosition {
                instrument: instrument.id,
                quantity,
            })
        });
        held.collect()
    }
}

/// Instruments as they are typed, in order.
#[must_use]
pub fn known_text(known: &[Instrument]) -> String {
    let mut names: Vec<String> = known
        .iter()
        .map(|instrument| InstrumentName::of(instrument).to_string())
        .collect();
    names.sort();
    names.dedup();
    match names.is_empty() {
        true => "none at all".to_owned(),
        false => names.join(", "),
    }
}

fn middle(engine: &Engine<PaperVenue>, instrument: &Instrument) -> Option<f64> {
    let view = engine.market().get(instrument.id)?;
    let (bid, ask) = (view.best(Side::Bid)?, view.best(Side::Ask)?);
    let scale = libm::pow(10.0, instrument.scale.price_decimals().into());
    Some((bid.price as f64 + ask.price as f64) / 2.0 / scale)
}
