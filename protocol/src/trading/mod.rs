//! Trading records: what the engine decided, asked for and got, as events of several records.
//!
//! | event | records, of consecutive sequence |
//! |---|---|
//! | signal | `Signal` (price: reference, size: target or strength) `OrderRef` |
//! | submission, replacement asked for | `OrderSubmitted` or `ReplaceSubmitted` (price: limit, absent for market; size: quantity), with a stop `TriggerPrice` (price), `OrderRef` |
//! | accepted, rejected, canceled, replaced, cancellation asked for | the kind (price: limit; size: leaves quantity) `OrderRef` |
//! | fill | `Fill` (price, size of this fill) `Fee` (price: fee in quote currency, negative for a rebate; size: leaves quantity) `OrderRef` |
//! | breach | `RiskBreach` (price: what was observed, size: the limit, both at the record's own scale) `OrderRef` |
//!
//! The `OrderRef` closes the event with `LAST`: `price` is the [`ClientOrderId`], `size` the [`OrderDetail`]. A `Rejected` whose reason is
//! [`Reason::CancelRefused`] or [`Reason::ReplaceRefused`] refuses that request: the order itself is as it was.
//!
//! Beside the events stands, now and then, an image of the whole account: [`Image`].
//!
//! [`TradingEvent::encode`] writes an event, [`TradingDecoder`] reads events out of a stream with holes in it. Both are pure. [`VenueReport`] is the other
//! direction: what a venue outside of the engine says, as records that are the engine's input.

mod decoder;
mod detail;
mod event;
mod image;
#[cfg(test)]
mod image_tests;
mod reason;
mod report;
#[cfg(test)]
mod tests;

pub use decoder::TradingDecoder;
pub use detail::{ClientOrderId, Liquidity, OrderDetail, OrderKind, StrategyKey, TimeInForce};
pub use event::{Action, TradingEvent};
pub use image::{Image, ImageDecoder, ImageItem, ImageWriter, OrderImage, PositionImage};
pub use reason::Reason;
pub use report::{News, ReportDecoder, VenueReport};

/// Decimals of fees and of reported money: 1e-8 of the quote currency.
pub const MONEY_DECIMALS: u8 = 8;
