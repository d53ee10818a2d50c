//! A role seen from the process that started it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tickpath_service::exit::{Context, ExitCode, ProcessError};

use super::hostile::Company;
use super::stopwatch::Latency;
use super::{Order, Said};
use crate::ledger::Account;

/// What a role said so far.
#[derive(Debug, Default)]
pub struct Heard {
    /// It is at work.
    pub is_ready: bool,
    /// Newest sequence, and when its record was published.
    pub progress: (u64, i64),
    /// Answers to marks: number, ns.
    pub recovered: Vec<(u64, u64)>,
    /// Producers that went: venue, when.
    pub producers_gone: Vec<(u8, i64)>,
    /// When the relay went.
    pub relay_gone: Vec<i64>,
    /// What the newest round of taking the time came to.
    pub latency: Option<Latency>,
    /// Hostile clients in the newest round.
    pub company: Option<Company>,
    /// Last sequence and drops of the producer.
    pub published: Option<(u64, u64)>,
    /// What a reader came to.
    pub account: Option<Account>,
}

/// A role's process, ended when dropped.
#[derive(Debug)]
pub struct Role {
    name: String,
    child: Child,
    input: Option<ChildStdin>,
    heard: Arc<Mutex<Heard>>,
}

impl Role {
    /// Starts this program as `name`, with what else it must know.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(name: &str, arguments: &[&str]) -> Result<Role, ProcessError> {
        let own = std::env::current_exe().or_exit(ExitCode::Failed, "the path of this program")?;
        let mut child = Command::new(own)
            .arg("role")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .or_exit(ExitCode::Failed, format!("starting {name}"))?;
        let heard = Arc::<Mutex<Heard>>::default();
        if let Some(output) = child.stdout.take() {
            let heard = Arc::clone(&heard);
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    match serde_json::from_str(&line) {
                        Ok(said) => note(&mut lock(&heard), said),
                        Err(error) => eprintln!("a role said `{line}`: {error}"),
                    }
                }
            });
        }
        Ok(Role {
            name: name.to_owned(),
            input: child.stdin.take(),
            child,
            heard,
        })
    }

    /// For people.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it said so far.
    pub fn heard(&self) -> MutexGuard<'_, Heard> {
        lock(&self.heard)
    }

    /// Tells it something.
    ///
    /// # Errors
    /// If it ended.
    pub fn tell(&mut self, order: Order) -> Result<(), ProcessError> {
        let line = serde_json::to_string(&order).or_exit(ExitCode::Failed, "an order")?;
        let told = match &mut self.input {
            Some(input) => writeln!(input, "{line}").and_then(|()| input.flush()),
            None => Err(std::io::ErrorKind::BrokenPipe.into()),
        };
        told.or_exit(ExitCode::Failed, format!("{} does not listen", self.name))
    }

    /// Ends its input and waits for it to end by itself.
    ///
    /// # Errors
    /// If it failed.
    pub fn end(&mut self) -> Result<(), ProcessError> {
        drop(self.input.take());
        let status = self.child.wait().or_exit(ExitCode::Failed, self.name.clone())?;
        if status.success() {
            return Ok(());
        }
        Err(ProcessError::message(
            ExitCode::Failed,
            format!("{} ended with {status}", self.name),
        ))
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        drop(self.input.take());
        if !matches!(self.child.try_wait(), Ok(Some(_)))
            && let Err(error) = self.child.kill().and_then(|()| self.child.wait())
        {
            eprintln!("{} could not be ended: {error}", self.name);
        }
    }
}

fn lock(heard: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

fn note(heard: &mut Heard, said: Said) {
    match said {
        Said::Ready => heard.is_ready = true,
        Said::Progress { last, published_ns } => heard.progress = (last, published_ns),
        Said::Recovered { id, ns } => heard.recovered.push((id, ns)),
        Said::ProducerGone { venue, at_ns } => heard.producers_gone.push((venue, at_ns)),
        Said::RelayGone { at_ns } => heard.relay_gone.push(at_ns),
        Said::Published { last, dropped } => heard.published = Some((last, dropped)),
        Said::Latency(latency) => heard.latency = Some(latency),
        Said::Company(company) => heard.company = Some(company),
        Said::Account(account) => heard.account = Some(account),
    }
}
