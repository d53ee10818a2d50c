//! What earlier sessions left.

use std::collections::BTreeMap;

use tickpath_protocol::trading::{ClientOrderId, TradingEvent};

/// Filled in by the next commit.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    /// The last session's number; 0 if there was none.
    pub session: u32,
    /// Orders without an end, by id.
    pub open: BTreeMap<ClientOrderId, OpenOrder>,
}

/// An order that an earlier session left open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenOrder {
    /// Its submission.
    pub submitted: TradingEvent,
}
