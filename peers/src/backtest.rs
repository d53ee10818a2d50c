//! hftbacktest, brought to the backtest's job: a recorded market goes by, and at every event somebody looks at the best bid and offer.
//!
//! It keeps two books, the exchange's and the one that the strategy sees later, and applies every row to both. It takes floats, levels and trades; quotes of
//! the venue it ignores, so they are left out of what both sides are fed. `HashMapMarketDepth` is what its examples use; its `ROIVectorMarketDepth` took
//! three times as long here, as an image of a whole book spans a wide range of prices.

use hftbacktest::backtest::assettype::LinearAsset;
use hftbacktest::backtest::data::Data;
use hftbacktest::backtest::models::{
    CommonFees, ConstantLatency, PowerProbQueueFunc3, ProbQueueModel, TradingValueFeeModel,
};
use hftbacktest::backtest::{Backtest, DataSource, ExchangeKind, L2AssetBuilder};
use hftbacktest::prelude::{
    BUY_EVENT, Bot, DEPTH_CLEAR_EVENT, DEPTH_EVENT, EXCH_EVENT, ElapseResult, Event, HashMapMarketDepth, LOCAL_EVENT,
    MarketDepth, SELL_EVENT, TRADE_EVENT,
};
use tickpath_protocol::{Kind, Record, Side};

/// Latency of orders either way; none are sent.
const LATENCY_NS: i64 = 1_000_000;
/// How long the coarse loop sleeps: what the library's own examples use.
const SLEEP_NS: i64 = 100_000_000;

/// When the strategy looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// At every event, with `wait_next_feed`.
    EveryEvent,
    /// Every 100 ms of the market's time, with `elapse`: much less work.
    Sometimes,
}

/// The rows of its format that levels and trades of one instrument become; the receive time stands for both times.
#[must_use]
pub fn rows<'a>(records: impl Iterator<Item = &'a Record>) -> Vec<Event> {
    records.filter_map(row).collect()
}

fn row(record: &Record) -> Option<Event> {
    let kind = match record.kind()? {
        Kind::BookLevel => DEPTH_EVENT,
        Kind::BookClear => DEPTH_CLEAR_EVENT,
        Kind::Trade => TRADE_EVENT,
        _ => return None,
    };
    let side = match record.flags().side() {
        Some(Side::Bid) => BUY_EVENT,
        Some(Side::Ask) => SELL_EVENT,
        None => 0,
    };
    let scale = record.scale();
    let float = |mantissa: i64, decimals: u8| mantissa as f64 / 10_f64.powi(decimals.into());
    let has_price = kind != DEPTH_CLEAR_EVENT;
    Some(Event {
        ev: kind | side | EXCH_EVENT | LOCAL_EVENT,
        exch_ts: record.ts_recv,
        local_ts: record.ts_recv,
        px: if has_price {
            float(record.price, scale.price_decimals())
        } else {
            0.0
        },
        qty: if has_price {
            float(record.size, scale.size_decimals())
        } else {
            0.0
        },
        order_id: 0,
        ival: 0,
        fval: 0.0,
    })
}

/// A market in its memory layout, and its grid.
pub struct Market {
    data: Data<Event>,
    tick: f64,
    lot: f64,
}

impl Market {
    /// Of rows in order of time.
    #[must_use]
    pub fn new(rows: &[Event], tick: f64, lot: f64) -> Market {
        Market {
            data: Data::from_data(rows),
            tick,
            lot,
        }
    }

    /// Plays all of it; how often the strategy looked, and the sum of the middles in ticks that it saw.
    ///
    /// # Errors
    /// What the library says.
    pub fn play(&self, look: Look) -> Result<(u64, i64), String> {
        let (tick, lot) = (self.tick, self.lot);
        let asset = L2AssetBuilder::new()
            .data(vec![DataSource::Data(self.data.clone())])
            .latency_model(ConstantLatency::new(LATENCY_NS, LATENCY_NS))
            .asset_type(LinearAsset::new(1.0))
            .fee_model(TradingValueFeeModel::new(CommonFees::new(0.0, 0.0)))
            .exchange(ExchangeKind::NoPartialFillExchange)
            .queue_model(ProbQueueModel::new(PowerProbQueueFunc3::new(3.0)))
            .depth(move || HashMapMarketDepth::new(tick, lot))
            .build()
            .map_err(|error| format!("{error:?}"))?;
        let mut backtest = Backtest::builder()
            .add_asset(asset)
            .build()
            .map_err(|error| format!("{error:?}"))?;
        let (mut looks, mut sum) = (0, 0_i64);
        loop {
            let step = match look {
                Look::EveryEvent => backtest.wait_next_feed(false, i64::from(u32::MAX)),
                Look::Sometimes => backtest.elapse(SLEEP_NS),
            };
            if step.map_err(|error| format!("{error:?}"))? == ElapseResult::EndOfData {
                return Ok((looks, sum));
            }
            let depth = backtest.depth(0);
            looks += 1;
            sum = sum
                .wrapping_add(depth.best_bid_tick())
                .wrapping_add(depth.best_ask_tick());
        }
    }
}
