//! The boundary between the engine and a strategy: a panic stays behind it.
//!
//! A strategy that panics is over. It is not called again, not even to be dropped: what it holds may be half changed. Its orders are canceled and a record says so,
//! like those of one that gave up, and the others trade on. Panics are as deterministic as the strategy: a replay meets the same ones at the same records.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tickpath_protocol::trading::{ClientOrderId, Reason};

use super::desk::Desk;
use super::{Engine, Runner};
use crate::strategy::{Context, Strategy};

/// A strategy's panic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panic {
    /// Its index.
    pub strategy: u16,
    /// Its name.
    pub name: &'static str,
    /// What it said.
    pub message: String,
}

/// Stands where a strategy was that panicked.
struct Gone(&'static str);

impl Strategy for Gone {
    fn name(&self) -> &'static str {
        self.0
    }
}

/// Calls a strategy.
#[inline]
pub(super) fn call(
    (runner, desk, panics): (&mut Runner, &mut Desk, &mut Vec<Panic>),
    strategy: u16,
    act: impl FnOnce(&mut dyn Strategy, &mut Context<'_>),
) {
    // What the strategy holds is not looked at again, and the desk says itself whether it was left in the middle of something.
    let result = catch_unwind(AssertUnwindSafe(|| {
        act(&mut *runner.strategy, &mut Context::new(desk, strategy));
    }));
    if let Err(payload) = result {
        panics.push(on_panic(runner, desk, strategy, payload));
    }
}

#[cold]
fn on_panic(runner: &mut Runner, desk: &mut Desk, strategy: u16, payload: Box<dyn Any + Send>) -> Panic {
    let name = runner.name;
    let gone = std::mem::replace(&mut runner.strategy, Box::new(Gone(name)));
    std::mem::forget(gone);
    desk.fail(strategy);
    if desk.take_acting() {
        // Then it was the engine that panicked, on the strategy's behalf.
        desk.halt(Reason::Inconsistent, ClientOrderId::NONE);
    }
    let message = match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => match payload.downcast::<&'static str>() {
            Ok(text) => (*text).to_owned(),
            Err(payload) => {
                // Dropping what nobody knows could panic again.
                std::mem::forget(payload);
                "a panic without a message".to_owned()
            }
        },
    };
    Panic {
        strategy,
        name,
        message,
    }
}

/// What a strategy says of itself; nothing if it panics over it.
pub(super) fn describe(strategy: &dyn Strategy) -> Vec<(&'static str, f64)> {
    let mut described = Vec::new();
    let result = catch_unwind(AssertUnwindSafe(|| {
        strategy.describe(&mut |name, value| described.push((name, value)));
    }));
    if let Err(payload) = result {
        std::mem::forget(payload);
        described.clear();
    }
    described
}

impl<V> Engine<V> {
    /// The next panic of a strategy that was not asked for yet, to be told to people.
    pub fn take_panic(&mut self) -> Option<Panic> {
        self.panics.pop()
    }
}
