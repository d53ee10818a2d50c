//! The program's other processes: the certified producer and the readers, each a process of its own so that it can be stopped like any other.
//!
//! They are told what to do by lines on their input ([`Order`]) and say what they see by lines of JSON on their output ([`Said`]). The end of
//! their input ends them.

pub mod handle;
pub mod hostile;
pub mod producer;
pub mod ring;
pub mod stopwatch;
pub mod websocket;

use std::io::{BufRead, Write};
use std::sync::mpsc::{Receiver, TryRecvError, channel};

use serde::{Deserialize, Serialize};
use tickpath_service::exit::{Context, ExitCode, ProcessError};
use tickpath_transport::now_ns;

use self::hostile::Company;
use self::stopwatch::Latency;
use crate::ledger::Account;

/// What a role is told.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// A fault happened: say how long it took until the first certified record that was published after it.
    Mark {
        /// Its number.
        id: u64,
        /// When, ns since the Unix epoch.
        at_ns: i64,
    },
    /// To the producer: publish no more. To readers: this is the last sequence; end once it is accounted for.
    Finish {
        /// The last sequence; nothing to the producer.
        last: u64,
    },
    /// Spoil something, because this run is to fail.
    Spoil,
    /// Take the time of every certified record from now on.
    Begin,
    /// Say what that came to.
    End,
}

/// What a role says.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// It is at work.
    Ready,
    /// Several times a second: the newest certified sequence and how old its record was when it came.
    Progress {
        /// Newest sequence published or accounted for.
        last: u64,
        /// When that record was published, ns since the Unix epoch.
        published_ns: i64,
    },
    /// The answer to a mark.
    Recovered {
        /// Its number.
        id: u64,
        /// From the fault to the record, ns.
        ns: u64,
    },
    /// The relay told that a producer went.
    ProducerGone {
        /// Whose.
        venue: u8,
        /// When it came here, ns since the Unix epoch.
        at_ns: i64,
    },
    /// The relay is gone.
    RelayGone {
        /// When that was noticed, ns since the Unix epoch.
        at_ns: i64,
    },
    /// What a round of taking the time came to.
    Latency(Latency),
    /// How many hostile clients there were in it.
    Company(Company),
    /// The producer's end.
    Published {
        /// The last sequence.
        last: u64,
        /// Records that found the ring full, which are numbered too.
        dropped: u64,
    },
    /// A reader's end.
    Account(Account),
}

/// Says it at once.
pub fn say(said: &Said) -> Result<(), ProcessError> {
    let line = serde_json::to_string(said).or_exit(ExitCode::Failed, "a line for the parent")?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .or_exit(ExitCode::Failed, "the parent does not listen")
}

/// The lines of the input.
pub struct Orders(Receiver<Order>);

impl Orders {
    /// Reads on a thread of its own, so that a role never waits for orders.
    #[must_use]
    pub fn listen() -> Orders {
        let (sender, orders) = channel();
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                let Ok(order) = serde_json::from_str(&line) else { return };
                if sender.send(order).is_err() {
                    return;
                }
            }
        });
        Orders(orders)
    }

    /// The next one, if there is one; an error when the input has ended.
    ///
    /// # Errors
    /// [`Over`]: nobody is there any more who wants anything.
    pub fn next(&self) -> Result<Option<Order>, Over> {
        match self.0.try_recv() {
            Ok(order) => Ok(Some(order)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(Over),
        }
    }
}

/// The input has ended.
#[derive(Debug)]
pub struct Over;

/// The marks that wait for their first record.
#[derive(Debug, Default)]
pub struct Marks(Vec<(u64, i64)>);

impl Marks {
    /// One more.
    pub fn add(&mut self, id: u64, at_ns: i64) {
        self.0.push((id, at_ns));
    }

    /// A certified record came that was published then: answers every mark before.
    ///
    /// # Errors
    /// If the parent does not listen.
    pub fn seen(&mut self, published_ns: i64) -> Result<(), ProcessError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let (answered, waiting) = self
            .0
            .drain(..)
            .partition::<Vec<_>, _>(|(_, at_ns)| published_ns >= *at_ns);
        self.0 = waiting;
        let now = now_ns();
        for (id, at_ns) in answered {
            let ns = u64::try_from(now - at_ns).unwrap_or(0);
            say(&Said::Recovered { id, ns })?;
        }
        Ok(())
    }
}
