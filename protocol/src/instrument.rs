//! Instruments: their ids, their table, and the fixed row that carries one through shared memory and sockets.

use std::fmt;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::decimal::DECIMALS_MAX;
use crate::venue::Venue;

/// Index into the instrument table: the venue's code in the high byte and a running number of that venue in the low 24 bits, so that ids
/// are unique over all producers without any of them asking.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstrumentId(pub u32);

impl InstrumentId {
    /// No instrument: the record speaks of a whole venue.
    pub const NONE: InstrumentId = InstrumentId(u32::MAX);
    /// Instruments that one venue can have.
    pub const PER_VENUE_MAX: u32 = 1 << 24;

    /// The id of the venue's instrument number `index`, which must be below [`InstrumentId::PER_VENUE_MAX`].
    #[must_use]
    pub const fn new(venue: Venue, index: u32) -> InstrumentId {
        assert!(
            index < InstrumentId::PER_VENUE_MAX,
            "a venue has at most 2^24 instruments"
        );
        InstrumentId((venue.0 as u32) << 24 | index)
    }

    /// The venue.
    #[must_use]
    pub const fn venue(self) -> Venue {
        Venue((self.0 >> 24) as u8)
    }

    /// The running number within the venue.
    #[must_use]
    pub const fn index(self) -> usize {
        (self.0 & (InstrumentId::PER_VENUE_MAX - 1)) as usize
    }
}

impl fmt::Debug for InstrumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            InstrumentId::NONE => f.write_str("InstrumentId(none)"),
            id => write!(f, "InstrumentId({}#{})", id.venue(), id.index()),
        }
    }
}

/// Decimals of an instrument's prices and sizes, each 0 to 15; one byte in a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scale {
    price: u8,
    size: u8,
}

impl Scale {
    /// `None` if either is above [`DECIMALS_MAX`].
    #[must_use]
    pub const fn new(price: u8, size: u8) -> Option<Scale> {
        if price <= DECIMALS_MAX && size <= DECIMALS_MAX {
            Some(Scale { price, size })
        } else {
            None
        }
    }

    /// The scale that a record's byte holds; every byte is one.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Scale {
        Scale {
            price: byte >> 4,
            size: byte & 0xf,
        }
    }

    /// The byte for a record.
    #[must_use]
    pub const fn to_byte(self) -> u8 {
        self.price << 4 | self.size
    }

    /// Decimals of a price.
    #[must_use]
    pub const fn price_decimals(self) -> u8 {
        self.price
    }

    /// Decimals of a size.
    #[must_use]
    pub const fn size_decimals(self) -> u8 {
        self.size
    }
}

/// What the venue says of an instrument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instrument {
    /// Where it stands in the table.
    pub id: InstrumentId,
    /// As the venue spells it: `BTCUSDT`, `BTC-USD`, `BTC/USD`. At most [`InstrumentRow::TEXT_LEN_MAX`] bytes.
    pub symbol: String,
    /// Normalised `BASE/QUOTE`. At most [`InstrumentRow::TEXT_LEN_MAX`] bytes.
    pub name: String,
    /// Decimals of every record of this instrument.
    pub scale: Scale,
    /// Smallest price step, a mantissa at the price decimals; 0 if the venue does not say.
    pub tick: i64,
    /// Smallest size step, a mantissa at the size decimals; 0 if the venue does not say.
    pub lot: i64,
}

impl Instrument {
    /// The venue, from the id.
    #[must_use]
    pub fn venue(&self) -> Venue {
        self.id.venue()
    }
}

/// An [`Instrument`] in 128 bytes of plain memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct InstrumentRow {
    id: u32,
    scale: u8,
    symbol_len: u8,
    name_len: u8,
    reserved: u8,
    tick: i64,
    lot: i64,
    symbol: [u8; InstrumentRow::TEXT_LEN_MAX],
    name: [u8; InstrumentRow::TEXT_LEN_MAX],
    padding: [u8; 8],
}

const _: () = assert!(size_of::<InstrumentRow>() == InstrumentRow::SIZE_BYTES);

/// Why a row is no instrument, or an instrument fits no row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InstrumentError {
    /// Symbol or name is empty or too long.
    #[error("instrument text of {0} bytes: 1 to {max} fit", max = InstrumentRow::TEXT_LEN_MAX)]
    TextLength(usize),
    /// Symbol or name is no UTF-8.
    #[error("instrument text is not UTF-8")]
    TextEncoding,
    /// The id has no venue.
    #[error("instrument id {0:#x} names no venue")]
    Id(u32),
    /// The table holds this id for something else.
    #[error("instrument {id:?} is `{known}` already and cannot become `{new}`: a run's table is append-only")]
    Conflict {
        /// The id in question.
        id: InstrumentId,
        /// The symbol in the table.
        known: String,
        /// The symbol that was to replace it.
        new: String,
    },
    /// Ids of a venue must come without holes.
    #[error("instrument {id:?} leaves a hole: the venue's next index is {next}")]
    Hole {
        /// The id in question.
        id: InstrumentId,
        /// The index that it should have.
        next: usize,
    },
}

impl InstrumentRow {
    /// Bytes in a row.
    pub const SIZE_BYTES: usize = 128;
    /// Bytes that a symbol or a name may have.
    pub const TEXT_LEN_MAX: usize = 48;

    /// The row of an instrument.
    ///
    /// # Errors
    /// If a text does not fit.
    pub fn encode(instrument: &Instrument) -> Result<InstrumentRow, InstrumentError> {
        let text = |text: &str| {
            let mut bytes = [0; InstrumentRow::TEXT_LEN_MAX];
            match bytes.get_mut(..text.len()) {
                Some(target) if !text.is_empty() => target.copy_from_slice(text.as_bytes()),
                _ => return Err(InstrumentError::TextLength(text.len())),
            }
            Ok((bytes, text.len() as u8))
        };
        let (symbol, symbol_len) = text(&instrument.symbol)?;
        let (name, name_len) = text(&instrument.name)?;
        Ok(InstrumentRow {
            id: instrument.id.0,
            scale: instrument.scale.to_byte(),
            symbol_len,
            name_len,
            reserved: 0,
            tick: instrument.tick,
            lot: instrument.lot,
            symbol,
            name,
            padding: [0; 8],
        })
    }

    /// The instrument of a row from memory or a socket, which may hold anything.
    ///
    /// # Errors
    /// If lengths, text or id make no sense.
    pub fn decode(&self) -> Result<Instrument, InstrumentError> {
        let text = |bytes: &[u8], len: u8| match bytes.get(..usize::from(len)) {
            Some(text) if len > 0 => std::str::from_utf8(text)
                .map(str::to_owned)
                .map_err(|_| InstrumentError::TextEncoding),
            _ => Err(InstrumentError::TextLength(len.into())),
        };
        let id = InstrumentId(self.id);
        if id.venue() == Venue::NONE || id == InstrumentId::NONE {
            return Err(InstrumentError::Id(self.id));
        }
        Ok(Instrument {
            id,
            symbol: text(&self.symbol, self.symbol_len)?,
            name: text(&self.name, self.name_len)?,
            scale: Scale::from_byte(self.scale),
            tick: self.tick,
            lot: self.lot,
        })
    }
}

/// The instruments of a run, append-only: found by id in two steps of indexing.
#[derive(Clone, Debug, Default)]
pub struct InstrumentTable {
    venues: Vec<Vec<Instrument>>,
    len: usize,
}

impl InstrumentTable {
    /// An empty table.
    #[must_use]
    pub fn new() -> InstrumentTable {
        InstrumentTable::default()
    }

    /// Adds an instrument; one that stands in the table already, equal in all, changes nothing.
    ///
    /// # Errors
    /// [`InstrumentError::Conflict`] if the id means something else, [`InstrumentError::Hole`] if it is not the venue's next.
    pub fn insert(&mut self, instrument: Instrument) -> Result<(), InstrumentError> {
        let venue = usize::from(instrument.venue().0);
        if self.venues.len() <= venue {
            self.venues.resize_with(venue + 1, Vec::new);
        }
        let rows = &mut self.venues[venue];
        let index = instrument.id.index();
        match rows.get(index) {
            Some(known) if *known == instrument => return Ok(()),
            Some(known) => {
                return Err(InstrumentError::Conflict {
                    id: instrument.id,
                    known: known.symbol.clone(),
                    new: instrument.symbol,
                });
            }
            None if index > rows.len() => {
                return Err(InstrumentError::Hole {
                    id: instrument.id,
                    next: rows.len(),
                });
            }
            None => rows.push(instrument),
        }
        self.len += 1;
        Ok(())
    }

    /// The instrument with this id.
    #[must_use]
    pub fn get(&self, id: InstrumentId) -> Option<&Instrument> {
        self.venue(id.venue()).get(id.index())
    }

    /// The venue's instruments in order of index.
    #[must_use]
    pub fn venue(&self, venue: Venue) -> &[Instrument] {
        self.venues.get(usize::from(venue.0)).map_or(&[], Vec::as_slice)
    }

    /// The venue's instrument of this symbol, spelt as the venue does; a linear search.
    #[must_use]
    pub fn find(&self, venue: Venue, symbol: &str) -> Option<&Instrument> {
        self.venue(venue)
            .iter()
            .rev()
            .find(|instrument| instrument.symbol == symbol)
    }

    /// Every instrument, venue by venue.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Instrument> + Clone {
        self.venues.iter().flatten()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instrument(index: u32, symbol: &str) -> Instrument {
        Instrument {
            id: InstrumentId::new(Venue::KRAKEN, index),
            symbol: symbol.into(),
            name: symbol.into(),
            scale: Scale::new(1, 8).unwrap(),
            tick: 1,
            lot: 5000,
        }
    }

    #[test]
    fn rows_read_back() {
        for symbol in ["BTC/USD", "这是测试币456USDT", "X"] {
            let instrument = instrument(3, symbol);
            assert_eq!(InstrumentRow::encode(&instrument).unwrap().decode(), Ok(instrument));
        }
        let long = instrument(0, &"X".repeat(49));
        assert_eq!(InstrumentRow::encode(&long), Err(InstrumentError::TextLength(49)));
        assert_eq!(
            InstrumentRow::encode(&instrument(0, "")),
            Err(InstrumentError::TextLength(0))
        );
    }

    #[test]
    fn hostile_rows_are_refused() {
        let good = InstrumentRow::encode(&instrument(0, "BTC/USD")).unwrap();
        let mut long = good;
        long.symbol_len = 200;
        assert_eq!(long.decode(), Err(InstrumentError::TextLength(200)));
        let mut foreign = good;
        foreign.name[0] = 0xff;
        assert_eq!(foreign.decode(), Err(InstrumentError::TextEncoding));
        let mut nobody = good;
        nobody.id = 5;
        assert_eq!(nobody.decode(), Err(InstrumentError::Id(5)));
        assert!(InstrumentRow::read_from_bytes(&[0xff; 128]).unwrap().decode().is_err());
    }

    #[test]
    fn a_table_only_grows() {
        let mut table = InstrumentTable::new();
        table.insert(instrument(0, "BTC/USD")).unwrap();
        table.insert(instrument(0, "BTC/USD")).unwrap();
        table.insert(instrument(1, "ETH/USD")).unwrap();
        assert_eq!(table.len(), 2);
        assert!(matches!(
            table.insert(instrument(0, "XRP/USD")),
            Err(InstrumentError::Conflict { .. })
        ));
        assert!(matches!(
            table.insert(instrument(5, "XRP/USD")),
            Err(InstrumentError::Hole { next: 2, .. })
        ));
        assert_eq!(
            table.find(Venue::KRAKEN, "ETH/USD").unwrap().id,
            InstrumentId::new(Venue::KRAKEN, 1)
        );
        assert_eq!(table.get(InstrumentId::NONE), None);
        assert_eq!(table.iter().count(), 2);
    }

    #[test]
    fn every_scale_byte_reads_back() {
        for byte in 0..=u8::MAX {
            assert_eq!(Scale::from_byte(byte).to_byte(), byte);
        }
        assert_eq!(Scale::new(16, 0), None);
    }
}
