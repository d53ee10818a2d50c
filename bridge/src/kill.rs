//! The kill switch over HTTP: `POST /api/kill` and `POST /api/arm` set and take back the latch that the engine looks at.
//!
//! The latch is a file beside the engine, not a message to it: it holds while the engine is stopped, gone or started again. So whoever may set it must say
//! who they are: the token is wanted on loopback too, and where none is configured both are refused.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use tickpath_protocol::trading::Reason;
use tickpath_transport::latch::{Latch, LatchError, LatchState};
use tickpath_transport::now_ns;

use crate::context::Context;
use crate::http::{error, json};
use crate::message::{self, integer};
use crate::reader::Command;

/// What the latch says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatchReport {
    /// No order leaves.
    pub killed: bool,
    /// Why, if the code is known here.
    pub reason: Option<Reason>,
    /// Since when, ns since the Unix epoch; `None` if it was never changed.
    pub since_ns: Option<i64>,
    /// What was written down beside it.
    pub note: String,
}

impl LatchReport {
    /// What a latch says.
    #[must_use]
    pub fn of(latch: &Latch) -> LatchReport {
        let (killed, reason, since_ns) = match latch.state() {
            LatchState::Armed { since_ns } => (false, None, since_ns),
            LatchState::Killed { reason, since_ns } => (true, Reason::from_code(reason), since_ns),
        };
        LatchReport {
            killed,
            reason,
            since_ns: (since_ns > 0).then_some(since_ns),
            note: if killed { latch.note() } else { String::new() },
        }
    }

    /// What the latch at `path` says; `None` if there is none, or it cannot be read.
    #[must_use]
    pub fn read(path: &Path) -> Option<LatchReport> {
        if !path.exists() {
            return None;
        }
        match Latch::open(path) {
            Ok(latch) => Some(LatchReport::of(&latch)),
            Err(error) => {
                tracing::debug!(%error, "the kill latch cannot be read");
                None
            }
        }
    }
}

/// The latch as the bridge may use it.
#[derive(Debug)]
pub struct KillSwitch {
    path: PathBuf,
}

impl KillSwitch {
    /// The latch at `path`, which is made when it is first used.
    #[must_use]
    pub fn at(path: PathBuf) -> KillSwitch {
        KillSwitch { path }
    }

    fn kill(&self) -> Result<(bool, LatchReport), LatchError> {
        let latch = Latch::open(&self.path)?;
        if !latch.is_killed() {
            latch.write_note("POST /api/kill")?;
        }
        let is_news = latch.kill(Reason::Kill as u8, now_ns())?;
        Ok((is_news, LatchReport::of(&latch)))
    }

    fn arm(&self) -> Result<(bool, LatchReport), LatchError> {
        let latch = Latch::open(&self.path)?;
        let is_news = latch.arm(now_ns())?;
        Ok((is_news, LatchReport::of(&latch)))
    }
}

/// Answers `POST /api/kill`.
pub async fn kill(State(context): State<Arc<Context>>) -> Response {
    let done = context.kill_switch.kill();
    if let Ok((true, _)) = &done {
        tracing::warn!("the kill switch was latched by POST /api/kill: no order leaves until it is armed");
    }
    answer(&context, done).await
}

/// Answers `POST /api/arm`.
pub async fn arm(State(context): State<Arc<Context>>) -> Response {
    let done = context.kill_switch.arm();
    if let Ok((true, _)) = &done {
        tracing::warn!("the kill switch was taken back by POST /api/arm: orders may leave again");
    }
    answer(&context, done).await
}

async fn answer(context: &Context, done: Result<(bool, LatchReport), LatchError>) -> Response {
    let (changed, report) = match done {
        Ok(done) => done,
        Err(failed) => {
            tracing::error!(error = %failed, "the kill latch");
            return error(StatusCode::INTERNAL_SERVER_ERROR, "latch_failed", &failed.to_string());
        }
    };
    let state = if report.killed { "killed" } else { "armed" };
    let mut text = format!("{{\"state\":\"{state}\",\"changed\":{changed},\"since\":");
    integer(&mut text, report.since_ns);
    text.push_str(",\"note\":");
    message::string(&mut text, &report.note);
    text.push('}');
    // The page learns of it at once; the observing thread would tell within a second.
    if context.commands.send(Command::Latch(Some(report))).await.is_err() {
        tracing::debug!("the reading thread stops and tells nobody of the latch");
    }
    json(text)
}
