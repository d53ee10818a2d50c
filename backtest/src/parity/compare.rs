//! Takes what the replay publishes and holds it against what was published then.

use std::fmt;

use tickpath_engine::Outbox;
use tickpath_protocol::{Kind, Record, StatusCode};

use super::Parity;
use super::history::Told;

/// The first place where the two go apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which of the session's records, from 0.
    pub index: u64,
    /// Position of the input that the replay was at.
    pub position: u64,
    /// What was published then; `None`: the replay published more while the session went on.
    pub recorded: Option<Record>,
    /// What the replay published; `None`: it published nothing more.
    pub replayed: Option<Record>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "record {} of the session, input position {}:",
            self.index, self.position
        )?;
        writeln!(f, "  recorded: {}", text(self.recorded.as_ref()))?;
        write!(f, "  replayed: {}", text(self.replayed.as_ref()))
    }
}

fn text(record: Option<&Record>) -> String {
    let Some(record) = record else {
        return "nothing".to_owned();
    };
    let kind = record.kind().map_or("unknown", Kind::name);
    let name = StatusCode::of(record).map_or(kind, StatusCode::name);
    let number = |value: i64| {
        if value == Record::ABSENT {
            "none".to_owned()
        } else {
            value.to_string()
        }
    };
    let side = record
        .flags()
        .side()
        .map_or(String::new(), |side| format!(" {side:?}").to_lowercase());
    format!(
        "{name}{side}, instrument {:?}, price {}, size {}, at {} ns",
        record.instrument(),
        number(record.price),
        number(record.size),
        record.ts_event
    )
}

/// What both must agree in: all but the process's own numbers.
fn said(record: &Record) -> Record {
    Record {
        sequence: 0,
        ts_recv: 0,
        ..*record
    }
}

/// Compares as it goes.
pub(super) struct Compare {
    recorded: Vec<Record>,
    at: usize,
    fills: u64,
    beyond: u64,
    difference: Option<Difference>,
    /// Position of the input that the core is at.
    pub position: u64,
}

impl Compare {
    pub fn new(recorded: Vec<Record>) -> Compare {
        Compare {
            recorded,
            at: 0,
            fills: 0,
            beyond: 0,
            difference: None,
            position: 0,
        }
    }

    pub fn is_different(&self) -> bool {
        self.difference.is_some()
    }

    pub fn finish(self, told: &Told<'_>, inputs: u64) -> Parity {
        let missing = self.recorded.get(self.at).map(|recorded| Difference {
            index: self.at as u64,
            position: self.position,
            recorded: Some(*recorded),
            replayed: None,
        });
        Parity {
            session: told.session,
            first_position: told.first_position,
            inputs,
            recorded: self.recorded.len() as u64,
            equal: self.at as u64,
            fills: self.fills,
            beyond: self.beyond,
            difference: self.difference.or(missing),
        }
    }
}

impl Outbox for Compare {
    fn publish(&mut self, record: &Record) {
        if self.difference.is_some() {
            return;
        }
        match self.recorded.get(self.at) {
            None => self.beyond += 1,
            Some(recorded) if said(recorded) == said(record) => {
                self.at += 1;
                self.fills += u64::from(record.kind() == Some(Kind::Fill));
            }
            Some(recorded) => {
                self.difference = Some(Difference {
                    index: self.at as u64,
                    position: self.position,
                    recorded: Some(*recorded),
                    replayed: Some(*record),
                });
            }
        }
    }
}
