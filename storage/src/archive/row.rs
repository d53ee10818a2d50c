//! One record with its place, as the archive sorts and spills it, and the partition that it belongs to.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use tickpath_protocol::{Kind, Record, Venue};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::date::Date;

/// A record, its place in journal and stream, and small keys into the tables of [`super::Names`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Row {
    /// The record as it stands in the journal.
    pub record: Record,
    /// Its index in the journal: dense, never reused.
    pub index: u64,
    /// Its position in the relay's stream, meaningful within one run.
    pub position: u64,
    /// When the relay published it, ns since the Unix epoch; [`Row::NOT_KNOWN`] where it comes from a database, which does not keep it.
    pub published_ns: i64,
    /// Key of the relay's run id.
    pub run: u32,
    /// Key of symbol and name; [`Row::NO_TEXT`] where the record speaks of a whole venue or of an instrument that no table names.
    pub text: u32,
}

impl Row {
    /// No symbol.
    pub const NO_TEXT: u32 = u32::MAX;
    /// No time of publication.
    pub const NOT_KNOWN: i64 = i64::MIN;
    /// Bytes of a row in memory and in a spilled run.
    pub const SIZE_BYTES: usize = size_of::<Row>();
}

/// The tables of the archive. Every record belongs to exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Trades.
    Trades,
    /// Quotes, a record a side.
    Quotes,
    /// Levels of books, and the records that empty a book.
    BookLevels,
    /// Everything else: status, gaps, heartbeats, and kinds that this build does not know.
    Status,
    /// What became of orders, and the further records of every trading event: its reference, a stop's trigger, a fill's fee.
    Orders,
    /// Fills.
    Fills,
    /// Signals of strategies.
    Signals,
}

impl Table {
    /// Every table, in order of name in the code.
    pub const ALL: [Table; 7] = [
        Table::Trades,
        Table::Quotes,
        Table::BookLevels,
        Table::Status,
        Table::Orders,
        Table::Fills,
        Table::Signals,
    ];

    /// The table of a record.
    #[must_use]
    pub fn of(record: &Record) -> Table {
        match record.kind() {
            Some(Kind::Trade) => Table::Trades,
            Some(Kind::Quote) => Table::Quotes,
            Some(Kind::BookLevel | Kind::BookClear) => Table::BookLevels,
            Some(Kind::Fill) => Table::Fills,
            Some(Kind::Signal) => Table::Signals,
            Some(
                Kind::OrderSubmitted
                | Kind::OrderAccepted
                | Kind::OrderRejected
                | Kind::OrderCanceled
                | Kind::RiskBreach
                | Kind::OrderRef
                | Kind::TriggerPrice
                | Kind::Fee
                | Kind::OrderReplaced
                | Kind::CancelSubmitted
                | Kind::ReplaceSubmitted
                | Kind::ImageBegin
                | Kind::ImageStrategy
                | Kind::ImageLatch
                | Kind::ImagePosition
                | Kind::ImageOrder
                | Kind::ImageAmount
                | Kind::ImageEnd,
            ) => Table::Orders,
            // What a venue reports the engine says again as orders and fills: those tables would count it twice.
            Some(
                Kind::Status | Kind::Gap | Kind::Heartbeat | Kind::VenueReport | Kind::ReportFee | Kind::ReportRef,
            )
            | None => Table::Status,
        }
    }

    /// The folder's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Table::Trades => "trades",
            Table::Quotes => "quotes",
            Table::BookLevels => "book_levels",
            Table::Status => "status",
            Table::Orders => "orders",
            Table::Fills => "fills",
            Table::Signals => "signals",
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A venue's rows of a UTC day in one table: a folder of the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition {
    /// UTC day of `ts_recv`.
    pub date: Date,
    /// The venue.
    pub venue: Venue,
    /// The table.
    pub table: Table,
}

impl Partition {
    /// Where a record belongs.
    #[must_use]
    pub fn of(record: &Record) -> Partition {
        Partition {
            date: Date::of_ns(record.ts_recv),
            venue: record.venue(),
            table: Table::of(record),
        }
    }

    /// `trades/venue=kraken/date=2026-11-21`.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        PathBuf::from(self.to_string())
    }

    /// The partition of the three last parts of a folder's path.
    #[must_use]
    pub fn from_parts(table: &str, venue: &str, date: &str) -> Option<Partition> {
        Some(Partition {
            table: *Table::ALL.iter().find(|known| known.name() == table)?,
            venue: venue_of(venue.strip_prefix("venue=")?)?,
            date: Date::from_str(date.strip_prefix("date=")?).ok()?,
        })
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/venue={}/date={}", self.table, self.venue, self.date)
    }
}

/// The venue of a name as [`Venue`] prints it, codes without a name included.
#[must_use]
pub fn venue_of(name: &str) -> Option<Venue> {
    let unnamed = || name.strip_prefix("venue")?.parse().ok().map(Venue);
    let venue = name.parse().ok().or_else(unnamed)?;
    // One spelling only: `venue1` is Binance's code, not its name.
    (venue.to_string() == name).then_some(venue)
}

/// The code of a kind's name as the archive writes it: `trade`, or `kind77` for a code that this build does not know.
#[must_use]
pub fn kind_of(name: &str) -> Option<u8> {
    match Kind::ALL.iter().find(|kind| kind.name() == name) {
        Some(kind) => Some(*kind as u8),
        None => name.strip_prefix("kind")?.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_back() {
        for code in 0..=u8::MAX {
            assert_eq!(venue_of(&Venue(code).to_string()), Some(Venue(code)));
        }
        assert_eq!(venue_of("venue1"), None);
        assert_eq!(venue_of("../x"), None);
        assert_eq!(kind_of("trade"), Some(1));
        assert_eq!(kind_of("kind77"), Some(77));
        assert_eq!(kind_of("kind"), None);
    }

    #[test]
    fn a_partition_is_its_path() {
        let record = Record {
            kind: 4,
            venue: 3,
            ts_recv: 1_763_731_200_000_000_000,
            ..Record::default()
        };
        let partition = Partition::of(&record);
        assert_eq!(partition.to_string(), "book_levels/venue=kraken/date=2025-11-21");
        let parts: Vec<String> = partition.to_string().split('/').map(str::to_owned).collect();
        assert_eq!(Partition::from_parts(&parts[0], &parts[1], &parts[2]), Some(partition));
        assert_eq!(Partition::from_parts("trades", "venue=kraken", "date=2025-02-30"), None);
    }
}
