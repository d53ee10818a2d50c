//! A strategy as its records tell of it.

use std::sync::Arc;

use tickpath_protocol::trading::{Reason, StrategyKey};

/// The built-in strategies, by whose names a strategy's key is told.
const BUILT_IN: [&str; 7] = ["sma", "macd", "rsi", "bollinger", "momentum", "arbitrage", "avellaneda"];

/// See the module.
#[derive(Clone, Debug)]
pub struct Strategy {
    /// Its name as configured; else that of its kind, if it is a built-in one.
    pub name: Option<Arc<str>>,
    /// `running`, `paused`, `stopped`, `error`, or `idle` if nothing was said of it.
    pub state: &'static str,
    /// Whether only orders that reduce a position are allowed, or none at all, and why.
    pub restriction: Option<(&'static str, Option<Reason>)>,
    /// Signals so far.
    pub signals: u64,
    /// Orders submitted so far.
    pub orders: u64,
    /// Orders that the risk gate held back, and limits reached.
    pub breaches: u64,
    /// Why it was last held back.
    pub breach: Option<Reason>,
}

impl Default for Strategy {
    fn default() -> Strategy {
        Strategy {
            name: None,
            state: "idle",
            restriction: None,
            signals: 0,
            orders: 0,
            breaches: 0,
            breach: None,
        }
    }
}

/// What the strategy with this key is called; `configured` is name and kind of each, by index.
pub(super) fn name_of(key: StrategyKey, configured: &[(Arc<str>, String)]) -> Option<Arc<str>> {
    let is_it = |kind: &str| StrategyKey::new(key.index(), kind) == key;
    // Another configuration than the engine's names nothing: the key holds a check of the kind.
    match configured.get(usize::from(key.index())).filter(|(_, kind)| is_it(kind)) {
        Some((name, _)) => Some(Arc::clone(name)),
        None => BUILT_IN.into_iter().find(|kind| is_it(kind)).map(Arc::from),
    }
}
