//! An engine with one strategy, a market made by hand, and what came of it as lines of text.

use tickpath_engine::engine::{Engine, EngineConfig, Recovered, StrategyConfig};
use tickpath_engine::paper::{PaperConfig, PaperVenue};
use tickpath_engine::risk::Limits;
use tickpath_engine::strategy::registry;
use tickpath_engine::units::{Money, Quantity, Time};
use tickpath_protocol::trading::{Action, TradingDecoder, TradingEvent};
use tickpath_protocol::{Flags, Instrument, InstrumentId, Kind, Record, Scale, Side, StatusCode, Venue};

pub const SECOND: i64 = 1_000_000_000;
/// When a test begins: a whole minute.
pub const START: i64 = 1_700_000_040 * SECOND;

/// BTC/USD with cents and hundredths, unless changed.
pub fn instrument(venue: Venue) -> Instrument {
    Instrument {
        id: InstrumentId::new(venue, 0),
        symbol: "BTC/USD".into(),
        name: "BTC/USD".into(),
        scale: Scale::new(2, 2).unwrap(),
        tick: 1,
        lot: 1,
    }
}

/// A venue without latency and fees.
pub const PAPER: PaperConfig = PaperConfig {
    order_latency_ns: 0,
    report_latency_ns: 0,
    maker_fee_ppm: 0,
    taker_fee_ppm: 0,
    slippage_ppm: 0,
    queue_ahead_ppm: 1_000_000,
};

pub struct Desk {
    pub engine: Engine<PaperVenue>,
    instruments: Vec<Instrument>,
    /// Everything that was published, and how much of it was told.
    out: Vec<Record>,
    told: usize,
    decoder: TradingDecoder,
    position: u64,
    pub now: i64,
}

impl Desk {
    /// One strategy over these instruments, at a venue without latency and fees.
    pub fn new(strategy: &str, given: &[(&str, &str)], instruments: &[Instrument]) -> Desk {
        let limits = Limits {
            orders_per_second_max: 10_000,
            ..Limits::default()
        };
        Desk::with(strategy, given, instruments, PAPER, limits)
    }

    pub fn with(
        strategy: &str,
        given: &[(&str, &str)],
        instruments: &[Instrument],
        paper: PaperConfig,
        limits: Limits,
    ) -> Desk {
        Desk::after(&[], strategy, given, instruments, paper, limits)
    }

    /// The same after the records of earlier sessions.
    fn after(
        earlier: &[Record],
        strategy: &str,
        given: &[(&str, &str)],
        instruments: &[Instrument],
        paper: PaperConfig,
        limits: Limits,
    ) -> Desk {
        let recovered = Recovered::fold(Venue::PAPER, earlier.iter().copied());
        let config = EngineConfig {
            session: recovered.session + 1,
            limits: Limits {
                orders_per_second_max: 10_000,
                ..Limits::default()
            },
        };
        let mut engine = Engine::new(config, PaperVenue::new(paper).unwrap()).unwrap();
        for instrument in instruments {
            engine.add_instrument(instrument);
        }
        let built = registry::find(strategy)
            .unwrap()
            .build(given.iter().copied(), instruments);
        let config = StrategyConfig {
            instruments: instruments.iter().map(|instrument| instrument.id).collect(),
            limits,
            capital: Money::whole(1_000_000),
        };
        engine.add_strategy(built.unwrap(), &config).unwrap();
        let mut out = Vec::new();
        if !earlier.is_empty() {
            assert_eq!(engine.recover(&recovered, 0, Time(START), &mut out), []);
        }
        engine.start(0, Time(START), &mut out);
        Desk {
            engine,
            instruments: instruments.to_vec(),
            out,
            told: 0,
            decoder: TradingDecoder::new(Venue::PAPER),
            position: 0,
            now: START,
        }
    }

    /// The engine is killed and starts again with what its journal says.
    pub fn restart(self, strategy: &str, given: &[(&str, &str)]) -> Desk {
        let mut desk = Desk::after(&self.out, strategy, given, &self.instruments, PAPER, Limits::default());
        desk.now = self.now;
        desk
    }

    pub fn feed(&mut self, record: Record) {
        let record = Record {
            ts_event: self.now,
            ts_recv: self.now,
            sequence: self.position + 1,
            ..record
        };
        self.engine.on_record(&record, self.position, &mut self.out);
        self.position += 1;
    }

    fn market_record(&self, leg: usize, kind: Kind, flags: Flags, price: i64, size: i64) -> Record {
        let instrument = &self.instruments[leg];
        Record {
            kind: kind as u8,
            venue: instrument.venue().0,
            flags: flags.0,
            scale: instrument.scale.to_byte(),
            instrument: instrument.id.0,
            price,
            size,
            ..Record::default()
        }
    }

    /// A quote of instrument `leg`, each side with its size.
    pub fn quote(&mut self, leg: usize, bid: (i64, i64), ask: (i64, i64)) {
        self.quote_flagged(leg, bid, ask, Flags::NONE);
    }

    pub fn quote_flagged(&mut self, leg: usize, bid: (i64, i64), ask: (i64, i64), flags: Flags) {
        self.feed(self.market_record(leg, Kind::Quote, Flags::BID.with(flags), bid.0, bid.1));
        let last = Flags::ASK.with(Flags::LAST).with(flags);
        self.feed(self.market_record(leg, Kind::Quote, last, ask.0, ask.1));
    }

    pub fn trade(&mut self, leg: usize, aggressor: Side, price: i64, size: i64) {
        let flags = Flags::from(aggressor).with(Flags::LAST);
        self.feed(self.market_record(leg, Kind::Trade, flags, price, size));
    }

    pub fn status(&mut self, leg: usize, code: StatusCode) {
        let instrument = &self.instruments[leg];
        self.feed(code.record(instrument.venue(), instrument.id, self.now, 0, 0));
    }

    pub fn held(&self, leg: usize) -> i64 {
        let index = self.engine.market().index(self.instruments[leg].id).unwrap();
        let Quantity(held) = self.engine.portfolio().strategy(0).position(index).quantity();
        held
    }

    /// The trading events since the last time.
    pub fn events(&mut self) -> Vec<TradingEvent> {
        let decoder = &mut self.decoder;
        let untold = self.out[self.told..].iter();
        let events = untold.filter_map(|record| decoder.push(record)).collect();
        self.told = self.out.len();
        assert_eq!(decoder.broken(), 0);
        events
    }

    /// The same as text, acknowledgements left out.
    pub fn lines(&mut self) -> Vec<String> {
        let events = self.events();
        let told = events.iter().filter(|event| event.action != Action::Accepted);
        told.map(|event| self.line(event)).collect()
    }

    fn line(&self, event: &TradingEvent) -> String {
        let side = match event.side {
            Some(Side::Bid) => "buy ",
            Some(Side::Ask) => "sell ",
            None => "",
        };
        let what = match event.action {
            Action::Signal => "signal ",
            Action::Submitted { .. } => "",
            Action::Fill { .. } => "filled ",
            Action::Canceled => "canceled ",
            Action::Rejected => "rejected ",
            Action::Replaced => "replaced ",
            Action::CancelSubmitted => "cancel ",
            Action::ReplaceSubmitted { .. } => "replace ",
            Action::RiskBreach => return format!("breach {}", event.detail.reason().unwrap().name()),
            Action::Accepted => "accepted ",
        };
        let leg = self
            .instruments
            .iter()
            .position(|instrument| instrument.id == event.instrument);
        let venue = if self.instruments.len() > 1 {
            format!("{}: ", leg.unwrap())
        } else {
            String::new()
        };
        if event.action == Action::Signal {
            return format!("{venue}{what}{side}{}", event.size);
        }
        let reduce = if event.detail.is_reduce_only() {
            " reduce-only"
        } else {
            ""
        };
        format!("{venue}{what}{side}{} @ {}{reduce}", event.size, event.price)
    }
}
