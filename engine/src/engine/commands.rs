//! Commands from outside. Each takes effect before the next record, and its status record says before which, so that a replay can repeat it.

use tickpath_protocol::trading::{Reason, StrategyKey};
use tickpath_protocol::{Record, StatusCode};

use super::{Engine, Outbox, StrategyState};
use crate::risk::Permission;
use crate::venue::ExecutionVenue;

/// What an operator, or a watchdog, may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// The strategy trades: from idle or paused.
    Resume(u16),
    /// The strategy may only reduce; its other orders are canceled.
    Pause(u16),
    /// The strategy is over; its orders are canceled, its positions stay.
    Stop(u16),
    /// Every order is canceled and none leaves any more, until armed, over restarts too.
    Kill,
    /// Takes back the kill switch, every halt and every limit that was reached.
    Arm,
}

impl Command {
    /// The command that a status record of the engine tells of, and the position of the first record after it: what a replay has to repeat. One that
    /// [`Engine::start`] gave by itself may be repeated, it changes nothing.
    #[must_use]
    pub fn of(record: &Record) -> Option<(Command, u64)> {
        let strategy = StrategyKey(record.price).index();
        let command = match StatusCode::of(record)? {
            StatusCode::StrategyRunning => Command::Resume(strategy),
            StatusCode::StrategyPaused => Command::Pause(strategy),
            StatusCode::StrategyStopped => Command::Stop(strategy),
            StatusCode::KillLatched => Command::Kill,
            StatusCode::KillArmed => Command::Arm,
            _ => return None,
        };
        Some((command, record.size as u64))
    }
}

/// A command that makes no sense now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// No such strategy.
    #[error("there is no strategy {0}")]
    UnknownStrategy(u16),
    /// The strategy is over.
    #[error("strategy {strategy} is {}: it needs a new session", state.name())]
    Over {
        /// Which.
        strategy: u16,
        /// Where it stands.
        state: StrategyState,
    },
}

impl<V: ExecutionVenue> Engine<V> {
    /// Does what was asked; what is so already changes nothing, but a second kill cancels again.
    ///
    /// # Errors
    /// If there is no such strategy, or it is over.
    pub fn command(&mut self, command: Command, out: &mut impl Outbox) -> Result<(), CommandError> {
        match command {
            Command::Resume(strategy) => self.change_state(strategy, StrategyState::Running)?,
            Command::Pause(strategy) => self.change_state(strategy, StrategyState::Paused)?,
            Command::Stop(strategy) => self.change_state(strategy, StrategyState::Stopped)?,
            Command::Kill => self.kill(),
            Command::Arm => self.arm(),
        }
        self.finish(out);
        Ok(())
    }

    /// The position of the next record.
    fn next_position(&self) -> i64 {
        self.desk.position() as i64
    }

    fn kill(&mut self) {
        if !self.desk.gate().is_killed() {
            self.desk.gate_mut().kill();
            let position = self.next_position();
            self.desk.status(StatusCode::KillLatched, 0, position);
        }
        self.desk.cancel_all(Reason::Kill, |_| true);
    }

    fn arm(&mut self) {
        self.desk.gate_mut().arm();
        self.images.on_armed();
        let position = self.next_position();
        self.desk.status(StatusCode::KillArmed, 0, position);
    }

    fn change_state(&mut self, strategy: u16, state: StrategyState) -> Result<(), CommandError> {
        let runner = self.runners.get(usize::from(strategy));
        let known = runner.ok_or(CommandError::UnknownStrategy(strategy))?.state;
        if matches!(known, StrategyState::Stopped | StrategyState::Error) {
            return Err(CommandError::Over { strategy, state: known });
        }
        if known != state {
            self.set_state(strategy, state);
        }
        Ok(())
    }

    /// Puts a strategy into a state, with all that follows from it.
    pub(super) fn set_state(&mut self, strategy: u16, state: StrategyState) {
        let runner = &mut self.runners[usize::from(strategy)];
        runner.state = state;
        let key = runner.key;
        self.desk.gate_mut().permit(strategy, Permission::of_state(state));
        let code = match state {
            StrategyState::Running => Some(StatusCode::StrategyRunning),
            StrategyState::Paused => Some(StatusCode::StrategyPaused),
            StrategyState::Stopped => Some(StatusCode::StrategyStopped),
            StrategyState::Error => Some(StatusCode::StrategyError),
            StrategyState::Idle => None,
        };
        if let Some(code) = code {
            let position = self.next_position();
            self.desk.status(code, key.0, position);
        }
        let keeps_reducing = state == StrategyState::Paused;
        if state != StrategyState::Running {
            self.desk.cancel_all(Reason::StrategyEnded, |order| {
                order.strategy == strategy && !(keeps_reducing && order.reduce_only)
            });
        }
        self.listen(strategy, state.listens());
    }

    fn listen(&mut self, strategy: u16, listens: bool) {
        for index in &self.runners[usize::from(strategy)].instruments {
            let listeners = &mut self.listeners[index.get()];
            listeners.retain(|other| *other != strategy);
            if listens {
                listeners.push(strategy);
                listeners.sort_unstable();
            }
        }
    }
}
