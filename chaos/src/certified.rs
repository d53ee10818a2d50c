//! The self-certifying stream: every field of a record follows from the seed, its sequence and its time, so whoever holds one record, from
//! whatever place, can tell that it is whole and was published.
//!
//! `price`, the side and `ts_event` follow from the seed and the sequence; `size` from these and `ts_recv`, so that a torn record shows in any of its words.

use tickpath_protocol::{Flags, InstrumentId, Kind, Record, Scale, Side, Venue};

use crate::dice::mix;

/// Who publishes it.
pub const VENUE: Venue = Venue::test(0);
/// Its one instrument.
pub const SYMBOL: &str = "CHAOS/USD";
/// The instrument's id: the first of its producer.
pub const INSTRUMENT: InstrumentId = InstrumentId::new(VENUE, 0);
/// Prices and sizes are below: every digit of them fits the database and JSON.
const MANTISSA_MAX: u64 = 1_000_000_000_000;
/// How long before `ts_recv` an event is said to have been, at most. Far less than the day beyond which the database files a row elsewhere.
const AGE_NS_MAX: u64 = 1_000_000_000;

/// Decimals of its prices and sizes.
pub const SCALE: Scale = Scale::new(2, 8).unwrap();

/// What of a record is not the same in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fields {
    /// Who took.
    pub side: Side,
    /// Mantissa.
    pub price: i64,
    /// Mantissa.
    pub size: i64,
    /// ns since the Unix epoch.
    pub ts_event: i64,
}

/// What the record of this sequence says that was published at `ts_recv`.
#[must_use]
pub fn fields(seed: u64, sequence: u64, ts_recv: i64) -> Fields {
    let own = mix(seed ^ mix(sequence));
    let timed = mix(own ^ ts_recv as u64);
    Fields {
        side: if own & 1 == 0 { Side::Bid } else { Side::Ask },
        price: (1 + (own >> 8) % MANTISSA_MAX) as i64,
        size: (1 + timed % MANTISSA_MAX) as i64,
        ts_event: ts_recv - (own % AGE_NS_MAX) as i64,
    }
}

/// The record of this sequence.
#[must_use]
pub fn record(seed: u64, sequence: u64, ts_recv: i64) -> Record {
    let Fields {
        side,
        price,
        size,
        ts_event,
    } = fields(seed, sequence, ts_recv);
    Record {
        kind: Kind::Trade as u8,
        venue: VENUE.0,
        flags: Flags::from(side).with(Flags::LAST).0,
        scale: SCALE.to_byte(),
        instrument: INSTRUMENT.0,
        sequence,
        ts_event,
        ts_recv,
        price,
        size,
    }
}

/// Whether it is a record of the stream, to the last bit.
#[must_use]
pub fn is_certified(seed: u64, found: &Record) -> bool {
    *found == record(seed, found.sequence, found.ts_recv)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_matters() {
        let good = record(7, 41, 1_700_000_000_000_000_000);
        assert!(is_certified(7, &good) && !is_certified(8, &good));
        let words = good.to_words();
        for bit in 0..384 {
            let mut torn = words;
            torn[bit / 64] ^= 1 << (bit % 64);
            assert!(!is_certified(7, &Record::from_words(torn)), "bit {bit}");
        }
    }
}
