//! The tables of rows, and which record goes to which. The migrations create them; a test compares the two.

use tickpath_protocol::Record;

use crate::archive;

/// A table that records become rows of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(usize)]
pub enum Table {
    /// Trades of the market.
    Trades,
    /// Best bids and offers.
    Quotes,
    /// Levels of books, and books that were emptied.
    BookLevels,
    /// States, gaps, heartbeats, what venues report, and codes that this build does not know.
    StatusEvents,
    /// What became of an order, and the further records of every trading event; fills aside. A fill's fee and reference follow it in `sequence`.
    Orders,
    /// Fills of our orders.
    Fills,
    /// Signals of strategies.
    Signals,
}

/// A column: its name and its type as PostgreSQL's `format_type` spells it.
pub type Column = (&'static str, &'static str);

/// The columns that every table of rows begins with. Of these only `instrument` may be NULL.
pub const COMMON: [Column; 11] = [
    ("ts", "timestamp with time zone"),
    ("ts_event", "timestamp with time zone"),
    ("ts_recv", "timestamp with time zone"),
    ("ts_event_ns", "bigint"),
    ("ts_recv_ns", "bigint"),
    ("position", "bigint"),
    ("sequence", "bigint"),
    ("run", "integer"),
    ("instrument", "integer"),
    ("venue", "smallint"),
    ("flags", "smallint"),
];
const KIND: [Column; 1] = [("kind", "smallint")];
const PRICED: [Column; 3] = [("side", "smallint"), ("price", "numeric"), ("size", "numeric")];
const STATUS: [Column; 3] = [("code", "smallint"), ("argument1", "bigint"), ("argument2", "bigint")];

impl Table {
    /// How many there are.
    pub const COUNT: usize = 7;
    /// All of them, in order.
    pub const ALL: [Table; Table::COUNT] = [
        Table::Trades,
        Table::Quotes,
        Table::BookLevels,
        Table::StatusEvents,
        Table::Orders,
        Table::Fills,
        Table::Signals,
    ];

    /// Where a record goes, as in the archive; every record goes somewhere.
    #[must_use]
    pub fn of(record: &Record) -> Table {
        match archive::Table::of(record) {
            archive::Table::Trades => Table::Trades,
            archive::Table::Quotes => Table::Quotes,
            archive::Table::BookLevels => Table::BookLevels,
            archive::Table::Status => Table::StatusEvents,
            archive::Table::Orders => Table::Orders,
            archive::Table::Fills => Table::Fills,
            archive::Table::Signals => Table::Signals,
        }
    }

    /// The table's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Table::Trades => "trades",
            Table::Quotes => "quotes",
            Table::BookLevels => "book_levels",
            Table::StatusEvents => "status_events",
            Table::Orders => "orders",
            Table::Fills => "fills",
            Table::Signals => "signals",
        }
    }

    /// Whether rows say their kind, because the table has several.
    #[must_use]
    pub fn has_kind(self) -> bool {
        matches!(self, Table::BookLevels | Table::StatusEvents | Table::Orders)
    }

    /// Whether rows have a side, a price and a size; else they have a code and two arguments.
    #[must_use]
    pub fn is_priced(self) -> bool {
        self != Table::StatusEvents
    }

    /// The columns in the order in which rows are sent.
    pub fn columns(self) -> impl Iterator<Item = Column> {
        let kind: &[Column] = if self.has_kind() { &KIND } else { &[] };
        let last = if self.is_priced() { PRICED } else { STATUS };
        COMMON.into_iter().chain(kind.iter().copied()).chain(last)
    }

    /// The statement that takes rows.
    #[must_use]
    pub fn copy_statement(self) -> String {
        let columns: Vec<&str> = self.columns().map(|(name, _)| name).collect();
        format!(
            "COPY {} ({}) FROM STDIN (FORMAT binary)",
            self.name(),
            columns.join(", ")
        )
    }
}

/// The tables beside the rows, with the columns that the writer relies on.
pub const CATALOG: [(&str, &[Column]); 5] = [
    (
        "journal_progress",
        &[
            ("journal_id", "numeric(20,0)"),
            ("next_index", "bigint"),
            ("updated_at", "timestamp with time zone"),
        ],
    ),
    (
        "runs",
        &[
            ("run", "integer"),
            ("journal_id", "numeric(20,0)"),
            ("run_id", "numeric(20,0)"),
            ("first_index", "bigint"),
            ("first_position", "bigint"),
            ("created_at", "timestamp with time zone"),
        ],
    ),
    (
        "ingest_gaps",
        &[
            ("journal_id", "numeric(20,0)"),
            ("first_index", "bigint"),
            ("last_index", "bigint"),
            ("reason", "text"),
            ("noticed_at", "timestamp with time zone"),
        ],
    ),
    ("venues", &[("venue", "smallint"), ("name", "text")]),
    (
        "instruments",
        &[
            ("instrument", "integer"),
            ("venue", "smallint"),
            ("symbol", "text"),
            ("name", "text"),
            ("price_decimals", "smallint"),
            ("size_decimals", "smallint"),
            ("tick", "numeric"),
            ("lot", "numeric"),
            ("updated_at", "timestamp with time zone"),
        ],
    ),
];

#[cfg(test)]
mod tests {
    use tickpath_protocol::Kind;

    use super::*;

    /// Both flavours of the migration create exactly these columns, in this order.
    #[test]
    fn migrations_create_these_columns() {
        for sql in [
            include_str!("migrations/0002_rows.plain.sql"),
            include_str!("migrations/0002_rows.timescale.sql"),
        ] {
            for table in Table::ALL {
                let start = format!("CREATE TABLE {} (\n", table.name());
                let body = sql.split_once(&start).unwrap().1.split_once("\n)").unwrap().0;
                let found: Vec<(String, String)> = body
                    .lines()
                    .map(|line| {
                        let (name, kind) = line.trim().trim_end_matches(',').split_once(' ').unwrap();
                        let kind = kind.trim_end_matches(" NOT NULL");
                        let kind = match kind {
                            "timestamptz" => "timestamp with time zone",
                            "int" => "integer",
                            other => other,
                        };
                        (name.to_owned(), kind.to_owned())
                    })
                    .collect();
                let expected: Vec<(String, String)> = table
                    .columns()
                    .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
                    .collect();
                assert_eq!(found, expected, "{}", table.name());
            }
        }
    }

    #[test]
    fn every_code_has_a_table() {
        for (index, table) in Table::ALL.into_iter().enumerate() {
            assert_eq!(table as usize, index);
        }
        for kind in 0..=u8::MAX {
            let table = Table::of(&Record {
                kind,
                ..Record::default()
            });
            assert!(table.has_kind() || Kind::from_code(kind).is_some());
        }
    }
}
