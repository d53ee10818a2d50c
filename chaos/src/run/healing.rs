//! Healing: no fault any more, and everything must be at work again within a bound.

use std::time::{Duration, Instant};

use tickpath_journal::Journal;
use tickpath_service::exit::ProcessError;
use tickpath_transport::{Observer, now_ns};

use super::{LOOK_EVERY, Run, say};
use crate::ending::database::Database;
use crate::pipeline::{self, PROCESSES};
use crate::proc;

/// Records that must get to the journal and the database after the faults.
const RECORDS: u64 = 1000;
/// Between two looks at what costs something to look at.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// A healing that took so long is told with what it waited for.
const SLOW: Duration = Duration::from_secs(5);
/// Bytes of that, about.
const AWAITED_MAX: usize = 2_000;

/// What is required, in the order in which it is looked for.
struct Required {
    /// When the faults ended, ns since the Unix epoch.
    since_ns: i64,
    /// What the journal had then.
    recorded: u64,
    /// What the database must have, known once the journal has come so far.
    in_database: Option<u64>,
}

/// What was awaited in a healing, one thing after the other, with the time from which on.
#[derive(Default)]
struct Awaited {
    text: String,
    /// The last one without its figures.
    last: String,
}

impl Awaited {
    fn add(&mut self, after: Duration, what: &str) {
        let kind: String = what.chars().filter(|character| !character.is_ascii_digit()).collect();
        if kind != self.last && self.text.len() < AWAITED_MAX {
            let separator = if self.text.is_empty() { "" } else { "; " };
            self.text += &format!("{separator}{:.1} s {what}", after.as_secs_f64());
            self.last = kind;
        }
    }
}

impl Run {
    /// Takes all faults back and waits until everything is at work. What was not in time is a problem of the report.
    ///
    /// # Errors
    /// If the means fail.
    pub fn heal(&mut self, after: &str) -> Result<(), ProcessError> {
        self.injector.heal(&mut self.targets)?;
        let start = Instant::now();
        let mut required = Required {
            since_ns: now_ns(),
            recorded: self.recorded().unwrap_or(0),
            in_database: None,
        };
        let mut asked = Instant::now();
        let mut awaited = Awaited::default();
        loop {
            self.tend()?;
            if asked.elapsed() >= ASK_EVERY {
                asked = Instant::now();
                let Some(missing) = self.missing(&mut required) else {
                    break;
                };
                awaited.add(start.elapsed(), &missing);
                if start.elapsed() >= self.options.heal_within {
                    let bound = self.options.heal_within;
                    self.report.manual_steps += 1;
                    self.report.problems.push(format!(
                        "not healed within {bound:?} after {after}: {missing}; awaited so far: {}; sessions of the database: {}; {}",
                        awaited.text,
                        self.sessions(),
                        self.log_tail()
                    ));
                    break;
                }
            }
            std::thread::sleep(LOOK_EVERY);
        }
        if self.report.phases > 0 {
            self.healings.push(start.elapsed().as_nanos() as u64);
        }
        say(&format!("  healed in {:.1} s", start.elapsed().as_secs_f64()));
        if start.elapsed() >= SLOW {
            say(&format!("  awaited: {}", awaited.text));
        }
        self.judge_log()
    }

    /// What is not at work yet, if anything.
    fn missing(&self, required: &mut Required) -> Option<String> {
        let place = &self.targets.place;
        let running = pipeline::processes(place);
        if let Some(name) = PROCESSES.into_iter().find(|name| !running.contains_key(*name)) {
            return Some(format!("{name} does not run"));
        }
        let ours: Vec<u32> = running.values().copied().collect();
        if let Some(stopped) = proc::all()
            .iter()
            .find(|one| ours.contains(&one.pid) && matches!(one.state, 'T' | 'Z'))
        {
            return Some(format!("{} is in state {}", stopped.name, stopped.state));
        }
        for reader in &self.targets.readers {
            let (last, published_ns) = reader.heard().progress;
            if published_ns <= required.since_ns {
                return Some(format!("{} stands at record {last}", reader.name()));
            }
        }
        let unproven = pipeline::unproven_book(place.bridge);
        unproven
            .or_else(|| self.missing_peer())
            .or_else(|| self.missing_copy(required))
    }

    /// Who is not attached to the relay.
    fn missing_peer(&self) -> Option<String> {
        let Ok(mut observer) = Observer::attach(&self.targets.place.socket()) else {
            return Some("the relay does not answer".to_owned());
        };
        let Ok(pages) = observer.refresh() else {
            return Some("the relay shows no pages".to_owned());
        };
        let missing = PROCESSES.into_iter().find(|name| {
            let watches = *name == "kill-watchdog" || *name == "simulator";
            !watches && !pages.iter().any(|page| page.process().ends_with(name))
        });
        missing.map(|name| format!("{name} is not attached"))
    }

    /// What is behind, the journal or the database.
    fn missing_copy(&self, required: &mut Required) -> Option<String> {
        let Some(recorded) = self.recorded() else {
            return Some("there is no journal".to_owned());
        };
        if recorded < required.recorded + RECORDS {
            return Some(format!("the journal stands at {recorded}"));
        }
        let wanted = *required.in_database.get_or_insert(recorded);
        let url = self.targets.postgres.url("postgres");
        let found = Database::connect(&url).and_then(|database| database.progress());
        match found {
            Ok(found) if found >= wanted => None,
            Ok(found) => Some(format!("the database stands at {found} of {wanted}")),
            Err(error) => Some(format!("the database does not answer: {error}")),
        }
    }

    /// What the database is at, for people.
    fn sessions(&self) -> String {
        let url = self.targets.postgres.url("postgres");
        let asked = Database::connect(&url).and_then(|database| database.sessions());
        asked.unwrap_or_else(|error| format!("not known: {error}"))
    }

    /// The index before which everything is on the journal's disk.
    pub fn recorded(&self) -> Option<u64> {
        let journal = Journal::open(&self.targets.place.journal()).ok()?;
        Some(journal.recorded().ok()??.next_index)
    }

    fn judge_log(&mut self) -> Result<(), ProcessError> {
        let kinds: Vec<_> = self.done.iter().map(|done| done.kind).collect();
        // What a fault of the phase before led to may be said late.
        let from = self.judged_before;
        self.judged_before = self.judged;
        self.judged = kinds.len();
        self.watch.judge(&kinds[from..], &kinds)
    }
}
