//! `barter-data`, used as its own streams use it: `serde_json` into its message, the message's subscription id looked up in its instrument map,
//! the message turned into its [`MarketIter`].
//!
//! That is less than our job. Prices and sizes of trades become floats, those of books `rust_decimal`; times have milliseconds; nothing goes to
//! a ring. It reads Binance's frames without the wrapper of `/stream`, because that is how it subscribes. Of the venues measured it
//! speaks Binance and Coinbase's `matches`; its Kraken is protocol version 1.

use barter_data::Identifier;
use barter_data::event::MarketIter;
use barter_data::exchange::binance::book::l1::BinanceOrderBookL1;
use barter_data::exchange::binance::spot::l2::BinanceSpotOrderBookL2Update;
use barter_data::exchange::binance::trade::BinanceTrade;
use barter_data::exchange::coinbase::trade::CoinbaseTrade;
use barter_data::subscription::Map;
use barter_data::subscription::book::{OrderBookEvent, OrderBookL1};
use barter_data::subscription::trade::PublicTrade;
use barter_instrument::exchange::ExchangeId;
use barter_integration::subscription::SubscriptionId;
use serde::Deserialize;

use super::Failed;

/// Instruments by subscription.
#[derive(Debug)]
pub struct Instruments(Map<usize>);

impl Instruments {
    /// Of every pair of a channel, as barter names it (`@trade`, `@bookTicker`, `@depth@100ms`, `matches`), and a symbol.
    #[must_use]
    pub fn new<'a>(channel: &str, symbols: impl IntoIterator<Item = &'a str>) -> Instruments {
        let ids = symbols
            .into_iter()
            .enumerate()
            .map(|(index, symbol)| (SubscriptionId::from(format!("{channel}|{symbol}")), index));
        Instruments(ids.collect())
    }
}

/// Binance's `@trade`.
///
/// # Errors
/// [`Failed`].
pub fn binance_trade(frame: &str, instruments: &Instruments) -> Result<MarketIter<usize, PublicTrade>, Failed> {
    market::<BinanceTrade, _>(ExchangeId::BinanceSpot, frame, instruments)
}

/// Binance's `@bookTicker`.
///
/// # Errors
/// [`Failed`].
pub fn binance_book_ticker(frame: &str, instruments: &Instruments) -> Result<MarketIter<usize, OrderBookL1>, Failed> {
    market::<BinanceOrderBookL1, _>(ExchangeId::BinanceSpot, frame, instruments)
}

/// Binance's `@depth@100ms`, without the check of update ids.
///
/// # Errors
/// [`Failed`].
pub fn binance_depth(frame: &str, instruments: &Instruments) -> Result<MarketIter<usize, OrderBookEvent>, Failed> {
    market::<BinanceSpotOrderBookL2Update, _>(ExchangeId::BinanceSpot, frame, instruments)
}

/// Coinbase's `match`.
///
/// # Errors
/// [`Failed`].
pub fn coinbase_match(frame: &str, instruments: &Instruments) -> Result<MarketIter<usize, PublicTrade>, Failed> {
    market::<CoinbaseTrade, _>(ExchangeId::Coinbase, frame, instruments)
}

fn market<'a, Message, Event>(
    exchange: ExchangeId,
    frame: &'a str,
    instruments: &Instruments,
) -> Result<MarketIter<usize, Event>, Failed>
where
    Message: Deserialize<'a> + Identifier<Option<SubscriptionId>>,
    MarketIter<usize, Event>: From<(ExchangeId, usize, Message)>,
{
    let message: Message = serde_json::from_str(frame).map_err(|error| Failed::Json(error.to_string()))?;
    let id = message.id().ok_or_else(|| Failed::Symbol("none".to_owned()))?;
    let instrument = instruments
        .0
        .find(&id)
        .map_err(|error| Failed::Symbol(error.to_string()))?;
    Ok(MarketIter::from((exchange, *instrument, message)))
}
