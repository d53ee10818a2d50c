//! Who runs on which core, and how everybody waits.

use core_affinity::CoreId;
use tickpath_service::config::{Config, Wait};

use crate::context::{BenchError, Context, Result};

/// From so many cores on, every process of the pipeline has one of its own, and one is left for everything else.
const CORES_FOR_ALL: usize = 6;

/// How the pipeline waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Sockets and rings are polled.
    Polled,
    /// Sockets are waited for in the kernel, rings are polled.
    Blocking,
}

/// `wait` of each process.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    pub collector: Wait,
    pub relay: Wait,
    pub bridge: Wait,
}

/// The cores of a run.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Venue, reader and WebSocket client: one thread, so that one clock and one core stamp both ends.
    pub ends: usize,
    pub collector: usize,
    pub relay: usize,
    pub bridge: usize,
    /// Whether the three share a core.
    is_shared: bool,
}

impl Layout {
    /// With few cores: the ends on the first, the pipeline on the second. With many: a core each.
    pub fn new(context: &Context) -> Layout {
        let far = context.far();
        match context.cores[..] {
            [ends, collector, relay, bridge, ..] if context.cores.len() >= CORES_FOR_ALL => Layout {
                ends,
                collector,
                relay,
                bridge,
                is_shared: false,
            },
            _ => Layout {
                ends: context.near(),
                collector: far,
                relay: far,
                bridge: far,
                is_shared: true,
            },
        }
    }

    /// For notes.
    pub fn described(self) -> &'static str {
        match self.is_shared {
            true => "venue and reader share one core, collector, relay and bridge the other (wait = \"yield\")",
            false => "venue and reader share one core, every process has its own (wait = \"spin\")",
        }
    }

    /// How a process that polls does so.
    pub fn polling(self) -> Wait {
        match self.is_shared {
            true => Wait::Yield,
            false => Wait::Spin,
        }
    }

    /// How everybody waits in a mode.
    pub fn waits(self, mode: Mode) -> Waits {
        let polling = self.polling();
        Waits {
            collector: match mode {
                Mode::Polled => polling,
                Mode::Blocking => Wait::Sleep,
            },
            relay: polling,
            bridge: polling,
        }
    }

    /// Sets cores and waits of all processes.
    pub fn configure(self, waits: Waits, config: &mut Config) {
        config.relay.pin = Some(self.relay);
        config.relay.wait = waits.relay;
        config.bridge.pin = Some(self.bridge);
        config.bridge.wait = waits.bridge;
        config.collectors.binance.pin = Some(self.collector);
        config.collectors.binance.wait = waits.collector;
    }
}

/// Puts the calling thread on a core, whatever core it was on.
///
/// # Errors
/// If the core is not one of this process's.
pub fn pin(core: usize) -> Result<()> {
    match core_affinity::set_for_current(CoreId { id: core }) {
        true => Ok(()),
        false => Err(BenchError::new(
            format!("pin to core {core}"),
            "this process may not use it",
        )),
    }
}
