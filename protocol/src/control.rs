//! What control records ([`Kind::Status`], [`Kind::Gap`]) hold in their fields.
//!
//! **Status**: `scale` holds a [`StatusCode`], `instrument` the instrument or [`InstrumentId::NONE`] for the venue's connection;
//! `price` and `size` are the two arguments named at each code. `ts_recv` is when we knew.
//!
//! **Gap**: `scale` holds a [`GapCause`]. `price` is the first sequence missing, `size` the last one; `ts_event` is when the gap opened and
//! `ts_recv` when it was noticed, both ours. Which sequence depends on the cause: the producer's own for [`GapCause::RingFull`]
//! and [`GapCause::RelayLoss`], and then the record's `sequence` equals `size`, so the gap stands in for the records that are missing;
//! positions of the relay's stream for [`GapCause::NotRecorded`], which names no venue; the venue's otherwise, where [`Record::ABSENT`] says
//! that the venue numbers nothing.

use crate::instrument::InstrumentId;
use crate::record::{Flags, Kind, Record};
use crate::venue::Venue;

/// A change of state of a venue's connection, of an instrument's book, or of a producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum StatusCode {
    /// A connection is being opened; `price`: attempt, from 1.
    Connecting = 1,
    /// The venue answered and took the login, if any.
    Connected = 2,
    /// The connection is gone; `price`: ms until the next attempt; `size`: a [`GapCause`].
    Disconnected = 3,
    /// The venue acknowledged the subscription of the instrument.
    Subscribed = 4,
    /// The book of the instrument is proven in sync.
    BookTrusted = 5,
    /// The book of the instrument is no longer proven; `price`: a [`GapCause`].
    BookUntrusted = 6,
    /// A new image of the book was asked for; `price`: attempt, from 1.
    Resyncing = 7,
    /// The venue acknowledged a subscription and has sent nothing on it; `price`: ms since.
    NeverStarted = 8,
    /// The venue trades the instrument, or is open as a whole.
    Trading = 9,
    /// The venue does not trade the instrument, or is closed as a whole (maintenance, halt, cancel only).
    Halted = 10,
    /// The venue refused the subscription; the log says why.
    Refused = 11,
    /// From the relay: a producer is attached; `price`: its run id, `size`: the first sequence that will follow.
    ProducerAttached = 12,
    /// From the relay: a producer is gone; `price`: its run id, `size`: the last sequence passed on.
    ProducerDetached = 13,
    /// From the engine: a session began; `price`: its number, `size`: stream position of the first input.
    EngineStarted = 14,
    /// From the engine: what earlier sessions left; `price`: open orders found, `size`: positions found.
    EngineRecovered = 15,
    /// From the engine: a strategy runs; `price`: a [`crate::trading::StrategyKey`], `size`: input position from which on.
    StrategyRunning = 16,
    /// From the engine: a strategy may only reduce; `price`: a [`crate::trading::StrategyKey`], `size`: input position from which on.
    StrategyPaused = 17,
    /// From the engine: a strategy is over; `price`: a [`crate::trading::StrategyKey`], `size`: input position from which on.
    StrategyStopped = 18,
    /// From the engine: a strategy gave up; `price`: a [`crate::trading::StrategyKey`], `size`: input position from which on.
    StrategyError = 19,
    /// From the engine: no order leaves any more; `price`: a [`crate::trading::Reason`], `size`: strategy, absent for all.
    TradingHalted = 20,
    /// From the engine: only orders that reduce a position leave; `price`: a [`crate::trading::Reason`], `size`: strategy, absent for all.
    ReduceOnly = 21,
    /// From the engine: the kill switch was pressed and stays so over restarts; `size`: input position from which on.
    KillLatched = 22,
    /// From the engine: the kill switch, and every halt, was taken back; `size`: input position from which on.
    KillArmed = 23,
    /// From the engine: it went on from an image of its account; `price`: the session that wrote it, `size`: its `ts_event`.
    ImageFound = 30,
}

impl StatusCode {
    /// Every code, in order.
    pub const ALL: [StatusCode; 24] = [
        StatusCode::Connecting,
        StatusCode::Connected,
        StatusCode::Disconnected,
        StatusCode::Subscribed,
        StatusCode::BookTrusted,
        StatusCode::BookUntrusted,
        StatusCode::Resyncing,
        StatusCode::NeverStarted,
        StatusCode::Trading,
        StatusCode::Halted,
        StatusCode::Refused,
        StatusCode::ProducerAttached,
        StatusCode::ProducerDetached,
        StatusCode::EngineStarted,
        StatusCode::EngineRecovered,
        StatusCode::StrategyRunning,
        StatusCode::StrategyPaused,
        StatusCode::StrategyStopped,
        StatusCode::StrategyError,
        StatusCode::TradingHalted,
        StatusCode::ReduceOnly,
        StatusCode::KillLatched,
        StatusCode::KillArmed,
        StatusCode::ImageFound,
    ];

    /// The code of a Status record; `None` for another kind or an unknown code.
    #[must_use]
    pub fn of(record: &Record) -> Option<StatusCode> {
        match record.kind() {
            Some(Kind::Status) => StatusCode::ALL.into_iter().find(|code| *code as u8 == record.scale),
            _ => None,
        }
    }

    /// The name in text and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            StatusCode::Connecting => "connecting",
            StatusCode::Connected => "connected",
            StatusCode::Disconnected => "disconnected",
            StatusCode::Subscribed => "subscribed",
            StatusCode::BookTrusted => "book_trusted",
            StatusCode::BookUntrusted => "book_untrusted",
            StatusCode::Resyncing => "resyncing",
            StatusCode::NeverStarted => "never_started",
            StatusCode::Trading => "trading",
            StatusCode::Halted => "halted",
            StatusCode::Refused => "refused",
            StatusCode::ProducerAttached => "producer_attached",
            StatusCode::ProducerDetached => "producer_detached",
            StatusCode::EngineStarted => "engine_started",
            StatusCode::EngineRecovered => "engine_recovered",
            StatusCode::StrategyRunning => "strategy_running",
            StatusCode::StrategyPaused => "strategy_paused",
            StatusCode::StrategyStopped => "strategy_stopped",
            StatusCode::StrategyError => "strategy_error",
            StatusCode::TradingHalted => "trading_halted",
            StatusCode::ReduceOnly => "reduce_only",
            StatusCode::KillLatched => "kill_latched",
            StatusCode::KillArmed => "kill_armed",
            StatusCode::ImageFound => "image_found",
        }
    }

    /// A Status record; the sequence is the publisher's to set.
    #[must_use]
    pub fn record(self, venue: Venue, instrument: InstrumentId, now_ns: i64, price: i64, size: i64) -> Record {
        Record {
            kind: Kind::Status as u8,
            venue: venue.0,
            flags: Flags::LAST.0,
            scale: self as u8,
            instrument: instrument.0,
            sequence: 0,
            ts_event: now_ns,
            ts_recv: now_ns,
            price,
            size,
        }
    }
}

/// Why something is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum GapCause {
    /// The producer's ring was full and it dropped its newest records.
    RingFull = 1,
    /// The relay saw the producer's sequence jump.
    RelayLoss = 2,
    /// The venue's sequence jumped.
    VenueSequence = 3,
    /// The book did not match the venue's checksum.
    Checksum = 4,
    /// The connection was lost.
    Disconnect = 5,
    /// The venue was silent for too long.
    Silence = 6,
    /// A buffer of ours reached its limit.
    Overflow = 7,
    /// The venue announced a shutdown or maintenance.
    VenueShutdown = 8,
    /// The book was crossed.
    Crossed = 9,
    /// A frame of the instrument was refused.
    Refused = 10,
    /// No image of the book has come yet.
    NoSnapshot = 11,
    /// From the recorder, in a journal alone: it did not keep these positions of the relay's stream.
    NotRecorded = 12,
}

impl GapCause {
    /// Every cause, in order of code.
    pub const ALL: [GapCause; 12] = [
        GapCause::RingFull,
        GapCause::RelayLoss,
        GapCause::VenueSequence,
        GapCause::Checksum,
        GapCause::Disconnect,
        GapCause::Silence,
        GapCause::Overflow,
        GapCause::VenueShutdown,
        GapCause::Crossed,
        GapCause::Refused,
        GapCause::NoSnapshot,
        GapCause::NotRecorded,
    ];

    /// The cause with this code.
    #[must_use]
    pub fn from_code(code: u8) -> Option<GapCause> {
        GapCause::ALL.get(usize::from(code).wrapping_sub(1)).copied()
    }

    /// The cause of a Gap record; `None` for another kind or an unknown code.
    #[must_use]
    pub fn of(record: &Record) -> Option<GapCause> {
        match record.kind() {
            Some(Kind::Gap) => GapCause::from_code(record.scale),
            _ => None,
        }
    }

    /// Whether the gap is one in the producer's own sequence, so that the record stands in for records that are missing.
    #[must_use]
    pub fn is_of_producer(self) -> bool {
        matches!(self, GapCause::RingFull | GapCause::RelayLoss)
    }

    /// The name in text and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            GapCause::RingFull => "ring_full",
            GapCause::RelayLoss => "relay_loss",
            GapCause::VenueSequence => "venue_sequence",
            GapCause::Checksum => "checksum",
            GapCause::Disconnect => "disconnect",
            GapCause::Silence => "silence",
            GapCause::Overflow => "overflow",
            GapCause::VenueShutdown => "venue_shutdown",
            GapCause::Crossed => "crossed",
            GapCause::Refused => "refused",
            GapCause::NoSnapshot => "no_snapshot",
            GapCause::NotRecorded => "not_recorded",
        }
    }

    /// A Gap record from sequence `first` to sequence `last`, opened at `since_ns`; the record's own sequence is the publisher's to set.
    #[must_use]
    pub fn record(
        self,
        venue: Venue,
        instrument: InstrumentId,
        since_ns: i64,
        now_ns: i64,
        first: i64,
        last: i64,
    ) -> Record {
        Record {
            kind: Kind::Gap as u8,
            venue: venue.0,
            flags: Flags::LAST.0,
            scale: self as u8,
            instrument: instrument.0,
            sequence: 0,
            ts_event: since_ns,
            ts_recv: now_ns,
            price: first,
            size: last,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_read_back() {
        for code in StatusCode::ALL {
            let record = code.record(Venue::KRAKEN, InstrumentId::NONE, 5, 1, 2);
            assert_eq!(StatusCode::of(&record), Some(code));
            assert_eq!(GapCause::of(&record), None);
        }
        for cause in GapCause::ALL {
            let record = cause.record(Venue::KRAKEN, InstrumentId::NONE, 4, 5, 1, 2);
            assert_eq!(GapCause::of(&record), Some(cause));
            assert_eq!(StatusCode::of(&record), None);
        }
        let unknown = Record {
            kind: Kind::Status as u8,
            scale: 200,
            ..Record::default()
        };
        assert_eq!(StatusCode::of(&unknown), None);
        assert_eq!(GapCause::from_code(0), None);
    }
}
