//! Tables for a terminal: cells with a tone, columns as wide as their widest cell. What a tone looks like, whoever prints it decides.

/// What a cell says beside its text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Nothing.
    #[default]
    Plain,
    /// As it should be.
    Good,
    /// Somebody should look.
    Warning,
    /// Wrong.
    Bad,
    /// Of no interest.
    Faint,
    /// A heading.
    Heading,
}

/// One cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Without control characters.
    pub text: String,
    /// Its tone.
    pub tone: Tone,
}

impl Cell {
    /// A text of a tone. What could steer a terminal is replaced: names come from other processes.
    pub fn new(text: impl Into<String>, tone: Tone) -> Cell {
        let text: String = text.into();
        let text = if text.contains(char::is_control) {
            text.replace(char::is_control, "?")
        } else {
            text
        };
        Cell { text, tone }
    }

    /// A text.
    pub fn plain(text: impl Into<String>) -> Cell {
        Cell::new(text, Tone::Plain)
    }

    /// A count; what a process does not have is `-`.
    pub fn count(value: Option<i64>) -> Cell {
        value.map_or_else(Cell::absent, |value| Cell::plain(grouped(value)))
    }

    /// A count that should be 0.
    pub fn bad_count(value: Option<i64>) -> Cell {
        Cell::counted(value, Tone::Bad)
    }

    /// A count that is better 0.
    pub fn warning_count(value: Option<i64>) -> Cell {
        Cell::counted(value, Tone::Warning)
    }

    fn counted(value: Option<i64>, tone: Tone) -> Cell {
        let tone = if value.is_some_and(|value| value > 0) {
            tone
        } else {
            Tone::Plain
        };
        Cell {
            tone,
            ..Cell::count(value)
        }
    }

    /// A rate a second.
    pub fn rate(value: Option<f64>) -> Cell {
        value.map_or_else(Cell::absent, |value| match value {
            value if value < 10.0 => Cell::plain(format!("{value:.1}")),
            value => Cell::plain(grouped(value.round() as i64)),
        })
    }

    /// How long ago a moment was, `at_ns` and `now_ns` since the Unix epoch; of `tone` from `limit_ms` on. 0 stands for never.
    pub fn age(at_ns: Option<i64>, now_ns: i64, limit_ms: i64, tone: Tone) -> Cell {
        let Some(at_ns) = at_ns.filter(|at_ns| *at_ns > 0) else {
            return Cell::absent();
        };
        let age_ms = (now_ns.saturating_sub(at_ns) / 1_000_000).max(0);
        let text = duration(age_ms.unsigned_abs().saturating_mul(1_000_000));
        Cell::new(text, if age_ms >= limit_ms { tone } else { Tone::Plain })
    }

    /// What a process does not have.
    pub fn absent() -> Cell {
        Cell::new("-", Tone::Faint)
    }
}

/// One table; the first column is aligned left, the others right.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Its heading.
    pub title: String,
    /// Headings of the columns, the most important first: a narrow screen leaves out the last ones.
    pub columns: &'static [&'static str],
    /// Their cells.
    pub rows: Vec<Vec<Cell>>,
    /// Stands where rows would be, if there are none.
    pub if_empty: &'static str,
}

impl Table {
    /// Its lines, each of cells that are padded already, on a screen of so many columns.
    pub fn lines(&self, width: usize) -> Vec<Vec<Cell>> {
        let mut lines = vec![vec![Cell::new(self.title.clone(), Tone::Heading)]];
        if self.rows.is_empty() {
            lines.push(vec![Cell::new(format!("  {}", self.if_empty), Tone::Faint)]);
            return lines;
        }
        let widths = self.fitting(width);
        let head = self.columns.iter().map(|name| Cell::new(*name, Tone::Faint)).collect();
        let rows = std::iter::once(&head).chain(&self.rows);
        lines.extend(rows.map(|row| padded(row, &widths)));
        lines
    }

    /// Widths of the columns that fit.
    fn fitting(&self, width: usize) -> Vec<usize> {
        let mut left = width;
        let mut widths = Vec::new();
        for (at, name) in self.columns.iter().enumerate() {
            let cells = self.rows.iter().filter_map(|row| row.get(at));
            let widest = cells.map(|cell| cell.text.chars().count()).max().unwrap_or(0);
            let needed = widest.max(name.chars().count());
            if at > 0 && needed + 2 > left {
                break;
            }
            left = left.saturating_sub(needed + 2);
            widths.push(needed);
        }
        widths
    }

    /// Its lines as plain text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for line in self.lines(usize::MAX) {
            let line: String = line.into_iter().map(|cell| cell.text).collect();
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

fn padded(row: &[Cell], widths: &[usize]) -> Vec<Cell> {
    let cells = row.iter().zip(widths).enumerate();
    let cells = cells.map(|(at, (cell, width))| Cell {
        text: match at {
            0 => format!("  {:<width$}", cell.text),
            _ => format!("  {:>width$}", cell.text),
        },
        tone: cell.tone,
    });
    cells.collect()
}

/// `12,345`
pub fn grouped(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if value < 0 {
        text.push('-');
    }
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A duration with three digits: `812 ns`, `4.97 µs`, `1.21 ms`, `12.0 s`.
pub fn duration(ns: u64) -> String {
    let (value, unit) = match ns {
        0..1_000 => return format!("{ns} ns"),
        1_000..1_000_000 => (ns as f64 / 1e3, "µs"),
        1_000_000..1_000_000_000 => (ns as f64 / 1e6, "ms"),
        _ => (ns as f64 / 1e9, "s"),
    };
    let decimals = match value {
        value if value < 9.995 => 2,
        value if value < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {unit}")
}

/// A size: `812 B`, `64.0 MiB`.
pub fn bytes(value: u64) -> String {
    let mut size = value as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if size < 1024.0 {
            return if unit == "B" {
                format!("{value} B")
            } else {
                format!("{size:.1} {unit}")
            };
        }
        size /= 1024.0;
    }
    format!("{size:.1} TiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table {
            title: "venues".into(),
            columns: &["venue", "rate", "gaps"],
            rows: vec![
                vec![
                    Cell::plain("kraken"),
                    Cell::rate(Some(12_345.6)),
                    Cell::bad_count(Some(2)),
                ],
                vec![Cell::plain("a"), Cell::rate(Some(0.25)), Cell::bad_count(None)],
            ],
            if_empty: "no collector is attached",
        }
    }

    #[test]
    fn columns_are_aligned_and_the_last_ones_leave_a_narrow_screen() {
        assert_eq!(
            table().text(),
            "venues\n  venue     rate  gaps\n  kraken  12,346     2\n  a          0.2     -\n"
        );
        let narrow: Vec<usize> = table().lines(17).iter().map(Vec::len).collect();
        assert_eq!(narrow, [1, 2, 2, 2]);
        assert_eq!(table().lines(0)[1].len(), 1, "the first column always shows");
        assert_eq!(table().lines(80)[2][2].tone, Tone::Bad);
        let empty = Table {
            rows: Vec::new(),
            ..table()
        };
        assert_eq!(empty.text(), "venues\n  no collector is attached\n");
    }

    #[test]
    fn ages_have_a_limit() {
        let age = |at_ns| Cell::age(at_ns, 7_000_000_000, 5_000, Tone::Bad);
        assert_eq!(age(Some(1_000_000_000)), Cell::new("6.00 s", Tone::Bad));
        assert_eq!(age(Some(6_000_000_000)), Cell::plain("1.00 s"));
        assert_eq!(
            age(Some(8_000_000_000)),
            Cell::plain("0 ns"),
            "a clock that was set back"
        );
        assert_eq!((age(Some(0)), age(None)), (Cell::absent(), Cell::absent()));
    }

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(Cell::plain("a\u{1b}[2Jb\n").text, "a?[2Jb?");
    }

    #[test]
    fn numbers_are_short() {
        for (value, expected) in [
            (0, "0"),
            (-1, "-1"),
            (999, "999"),
            (-1_000, "-1,000"),
            (i64::MIN, "-9,223,372,036,854,775,808"),
        ] {
            assert_eq!(grouped(value), expected);
        }
        for (ns, expected) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (4_970, "4.97 µs"),
            (9_996, "10.0 µs"),
            (1_207_000, "1.21 ms"),
            (123_456_789, "123 ms"),
            (12_000_000_000, "12.0 s"),
        ] {
            assert_eq!(duration(ns), expected);
        }
        for (value, expected) in [(812, "812 B"), (64 << 20, "64.0 MiB"), (u64::MAX, "16777216.0 TiB")] {
            assert_eq!(bytes(value), expected);
        }
    }
}
