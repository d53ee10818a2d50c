//! The end of a run: everything is accounted for, stopped, compared, and looked at for what is left.

use std::fs;
use std::io::Write;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tickpath_service::exit::{Context, ExitCode, ProcessError};

use super::{LOOK_EVERY, Run};
use crate::canary::Canary;
use crate::ending::database::Database;
use crate::ending::{journal, leftovers};
use crate::pipeline;
use crate::proc;
use crate::report::Report;
use crate::role::Order;

impl Run {
    /// Ends the run and gives its report.
    ///
    /// # Errors
    /// If it cannot be ended as it should.
    pub fn finish(mut self) -> Result<Report, ProcessError> {
        let published = self.end_stream()?;
        self.report.published = published;
        let open = leftovers::open(&self.targets.place);
        let still_open = self.wait_closed(open);
        self.report.problems.extend(still_open);
        let database = self.wait_in_database()?;
        self.measure();
        for role in self.targets.readers.iter_mut().chain([&mut self.targets.producer]) {
            role.end()?;
        }
        let left = self.plant_leftovers()?;
        self.targets.pipeline.stop()?;
        self.judge_rest()?;
        self.plant_in_copies(&database)?;
        self.compare(published, &database)?;
        self.wait_gone();
        if let Some(mut left) = left {
            left.kill()
                .and_then(|()| left.wait())
                .or_exit(ExitCode::Failed, "the process left behind")?;
        }
        Ok(self.report)
    }

    /// Lets the producer finish and every reader come to its end; how much was published.
    fn end_stream(&mut self) -> Result<u64, ProcessError> {
        self.targets.producer.tell(Order::Finish { last: 0 })?;
        let published = self.wait_for(|run| run.targets.producer.heard().published)?;
        let Some((last, _)) = published else {
            return Err(ProcessError::message(ExitCode::Failed, "the producer does not end"));
        };
        for reader in &mut self.targets.readers {
            reader.tell(Order::Finish { last })?;
        }
        for index in 0..self.targets.readers.len() {
            let account = self.wait_for(|run| run.targets.readers[index].heard().account.clone())?;
            let reader = &self.targets.readers[index];
            let name = reader.name().to_owned();
            match account {
                Some(account) => {
                    let problems = account.problems(last);
                    self.report
                        .problems
                        .extend(problems.iter().map(|problem| format!("{name}: {problem}")));
                    self.report.readers.insert(name, account);
                }
                None => {
                    let (at, _) = reader.heard().progress;
                    let problem = format!("{name} stands at record {at} of {last}");
                    self.report.problems.push(problem);
                }
            }
        }
        Ok(last)
    }

    /// Waits for a value, no longer than a healing may take.
    fn wait_for<T>(&mut self, mut value: impl FnMut(&mut Run) -> Option<T>) -> Result<Option<T>, ProcessError> {
        let deadline = Instant::now() + self.options.heal_within;
        loop {
            let found = value(self);
            if found.is_some() || Instant::now() >= deadline {
                return Ok(found);
            }
            self.tend()?;
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Waits until no process has more open than at the beginning; what is still open else.
    fn wait_closed(&self, mut open: leftovers::Open) -> Vec<String> {
        let deadline = Instant::now() + self.options.heal_within.min(Duration::from_secs(30));
        loop {
            let more = leftovers::more_open(&self.open, &open);
            if more.is_empty() || Instant::now() >= deadline {
                return more;
            }
            std::thread::sleep(LOOK_EVERY);
            open = leftovers::open(&self.targets.place);
        }
    }

    /// Waits until the database has what the journal had when the stream ended.
    fn wait_in_database(&mut self) -> Result<Database, ProcessError> {
        let database = Database::connect(&self.targets.postgres.url("postgres"))?;
        let recorded = self.recorded().unwrap_or(0);
        self.wait_for(|_| database.progress().ok().filter(|found| *found >= recorded))?;
        Ok(database)
    }

    /// Whatever is in the log by now follows from faults of the last two phases.
    fn judge_rest(&mut self) -> Result<(), ProcessError> {
        let kinds: Vec<_> = self.done.iter().map(|done| done.kind).collect();
        self.watch.judge(&kinds[self.judged_before..], &kinds)?;
        let unexpected = std::mem::take(&mut self.watch.unexpected);
        self.report.problems.extend(
            unexpected
                .into_iter()
                .map(|line| format!("unexpected in the log: {line}")),
        );
        Ok(())
    }

    fn compare(&mut self, published: u64, database: &Database) -> Result<(), ProcessError> {
        let journal = match journal::read(&self.targets.place.journal(), self.options.seed) {
            Ok(journal) => journal,
            Err(error) => {
                self.report.problems.push(error.to_string());
                return Ok(());
            }
        };
        let problems = journal.account.problems(published);
        self.report
            .problems
            .extend(problems.iter().map(|problem| format!("journal: {problem}")));
        let rows = database.compare(self.options.seed, &journal, &mut self.report.problems)?;
        (self.report.rows, self.report.rows_certified) = (rows.all, rows.certified);
        self.report.records = journal.records;
        self.report.readers.insert("journal".to_owned(), journal.account);
        Ok(())
    }

    /// Looks for what is left, once what ends by itself has had time to.
    fn wait_gone(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            proc::reap_orphans(&[]);
            let mut left = leftovers::processes(&[]);
            left.extend(leftovers::files(&self.targets.place));
            if left.is_empty() || Instant::now() >= deadline || self.options.canary.is_some() {
                return self.report.problems.extend(left);
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Plants what must be caught while the run goes on.
    pub fn plant(&mut self, canary: Canary) -> Result<(), ProcessError> {
        match canary {
            Canary::ReaderDrops | Canary::ReaderTears | Canary::ReaderRepeats => {
                self.targets.readers[0].tell(Order::Spoil)?;
            }
            Canary::ProcessStuck => {
                let running = pipeline::processes(&self.targets.place);
                if let Some(pid) = running.get("collector-kraken") {
                    proc::signal(*pid, Signal::STOP);
                }
            }
            Canary::LogLine => {
                let mut log = fs::File::options()
                    .append(true)
                    .open(self.targets.place.log())
                    .or_exit(ExitCode::Failed, "log")?;
                writeln!(log, r#"{{"level":"ERROR","message":"planted"}}"#).or_exit(ExitCode::Failed, "log")?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Plants what must be caught at the end; a process that must be ended afterwards.
    fn plant_leftovers(&self) -> Result<Option<Child>, ProcessError> {
        let write = |path: std::path::PathBuf| fs::write(path, "planted").or_exit(ExitCode::Failed, "planting");
        match self.options.canary {
            Some(Canary::ProcessLeft) => {
                let child = Command::new("sleep").arg("600").spawn();
                return child.map(Some).or_exit(ExitCode::Failed, "planting");
            }
            Some(Canary::FileLeft) => write(self.targets.place.path("tmp/planted"))?,
            Some(Canary::MemoryLeft) => write("/dev/shm/planted".into())?,
            _ => {}
        }
        Ok(None)
    }

    /// Spoils journal or database once both are complete.
    fn plant_in_copies(&self, database: &Database) -> Result<(), ProcessError> {
        let of_first = "ctid = (SELECT ctid FROM trades WHERE venue = 192 LIMIT 1) AND tableoid = (SELECT tableoid FROM trades WHERE venue = 192 LIMIT 1)";
        match self.options.canary {
            Some(Canary::RowDoubled) => {
                database.execute(&format!("INSERT INTO trades SELECT * FROM trades WHERE {of_first}"))
            }
            Some(Canary::RowMissing) => database.execute(&format!("DELETE FROM trades WHERE {of_first}")),
            Some(Canary::RowAltered) => {
                database.execute(&format!("UPDATE trades SET size = size + 1 WHERE {of_first}"))
            }
            Some(Canary::JournalRots) => rot(&self.targets.place.journal()),
            _ => Ok(()),
        }
    }
}

/// Turns a bit in the middle of the records of the first segment.
fn rot(journal: &std::path::Path) -> Result<(), ProcessError> {
    use std::os::unix::fs::FileExt;
    let paths = tickpath_journal::segment_paths(journal).or_exit(ExitCode::Failed, "the journal")?;
    let Some(first) = paths.first() else { return Ok(()) };
    let segment = tickpath_journal::SegmentReader::open(first).or_exit(ExitCode::Failed, "the journal")?;
    let offset = segment.header().record_offset(10);
    let file = fs::File::options()
        .read(true)
        .write(true)
        .open(first)
        .or_exit(ExitCode::Failed, "the journal")?;
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset)
        .or_exit(ExitCode::Failed, "the journal")?;
    byte[0] ^= 1;
    file.write_all_at(&byte, offset)
        .or_exit(ExitCode::Failed, "the journal")
}
