//! Why an order was refused, canceled or held back.

/// A code in bits 32 to 39 of an [`super::OrderDetail`]. 1 to 63 are the risk gate's, 64 to 95 say why an order rests no more, 96 and
/// above are a venue's refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Reason {
    /// Order larger than the largest quantity allowed.
    OrderSize = 1,
    /// Order worth more than allowed.
    OrderNotional = 2,
    /// The position could become larger than allowed.
    Position = 3,
    /// All positions and open orders together could become worth more than allowed.
    GrossExposure = 4,
    /// Too many orders are open.
    OpenOrders = 5,
    /// Too many orders within a second.
    OrderRate = 6,
    /// The price is too far from the market.
    PriceCollar = 7,
    /// The day's loss has reached its limit.
    DailyLoss = 8,
    /// Equity fell too far below its highest.
    Drawdown = 9,
    /// The market data is too old.
    StaleData = 10,
    /// The market data is not proven, or crossed.
    UntrustedData = 11,
    /// The price is no multiple of the tick, or not above zero.
    OffTick = 12,
    /// The quantity is no multiple of the lot, or not above zero.
    Quantity = 13,
    /// Price × quantity, a position or a sum does not fit its number.
    Overflow = 14,
    /// Only orders that reduce a position are allowed now.
    ReduceOnly = 15,
    /// Trading is halted.
    Halted = 16,
    /// The kill switch is latched.
    Killed = 17,
    /// No such instrument, or not one of this strategy's.
    UnknownInstrument = 18,
    /// There is no price to judge the order by.
    NoMarket = 19,
    /// The strategy does not run.
    NotRunning = 20,
    /// The order contradicts itself: post-only and immediate, a market order with a price.
    Contradiction = 21,
    /// No open order has this id.
    UnknownOrder = 22,
    /// It would trade with an order of our own.
    SelfCross = 23,
    /// The venue does not trade the instrument now.
    MarketHalted = 24,
    /// The position lost as much as its stop-loss allows: it is closed.
    StopLoss = 25,
    /// The position gained its take-profit: it is closed.
    TakeProfit = 26,
    /// The venue reported what cannot be: the engine's picture of its orders is not to be relied on.
    Inconsistent = 27,
    /// The order has a cancel or a replacement under way.
    Busy = 28,
    /// The strategy asked for more than it may in one call.
    TooManyActions = 29,
    /// The strategy canceled it.
    Requested = 64,
    /// What an immediate-or-cancel or market order could not get at once.
    Immediate = 65,
    /// A fill-or-kill order could not be filled whole.
    NotFillable = 66,
    /// The engine, or its connection to the venue, started again: what rested is gone.
    Restart = 67,
    /// The kill switch.
    Kill = 68,
    /// Its strategy was paused or stopped, or gave up.
    StrategyEnded = 69,
    /// A limit was reached and the order would have added to the position.
    RiskStop = 70,
    /// Nothing was left for a reduce-only order to reduce.
    NothingToReduce = 71,
    /// A post-only order would have traded at once.
    WouldTake = 96,
    /// Nobody to trade with.
    NoLiquidity = 97,
    /// The client order id was used before.
    DuplicateId = 98,
    /// A cancel came too late; the order itself is as it was.
    CancelRefused = 99,
    /// A replacement came too late or made no sense; the order itself is as it was.
    ReplaceRefused = 100,
    /// The venue refused without a reason that we know.
    Venue = 101,
    /// The venue does not offer such orders.
    Unsupported = 102,
}

impl Reason {
    /// Every reason with its name in text and JSON, in order of code.
    pub const NAMED: [(Reason, &'static str); 44] = [
        (Reason::OrderSize, "order_size"),
        (Reason::OrderNotional, "order_notional"),
        (Reason::Position, "position"),
        (Reason::GrossExposure, "gross_exposure"),
        (Reason::OpenOrders, "open_orders"),
        (Reason::OrderRate, "order_rate"),
        (Reason::PriceCollar, "price_collar"),
        (Reason::DailyLoss, "daily_loss"),
        (Reason::Drawdown, "drawdown"),
        (Reason::StaleData, "stale_data"),
        (Reason::UntrustedData, "untrusted_data"),
        (Reason::OffTick, "off_tick"),
        (Reason::Quantity, "quantity"),
        (Reason::Overflow, "overflow"),
        (Reason::ReduceOnly, "reduce_only"),
        (Reason::Halted, "halted"),
        (Reason::Killed, "killed"),
        (Reason::UnknownInstrument, "unknown_instrument"),
        (Reason::NoMarket, "no_market"),
        (Reason::NotRunning, "not_running"),
        (Reason::Contradiction, "contradiction"),
        (Reason::UnknownOrder, "unknown_order"),
        (Reason::SelfCross, "self_cross"),
        (Reason::MarketHalted, "market_halted"),
        (Reason::StopLoss, "stop_loss"),
        (Reason::TakeProfit, "take_profit"),
        (Reason::Inconsistent, "inconsistent"),
        (Reason::Busy, "busy"),
        (Reason::TooManyActions, "too_many_actions"),
        (Reason::Requested, "requested"),
        (Reason::Immediate, "immediate"),
        (Reason::NotFillable, "not_fillable"),
        (Reason::Restart, "restart"),
        (Reason::Kill, "kill"),
        (Reason::StrategyEnded, "strategy_ended"),
        (Reason::RiskStop, "risk_stop"),
        (Reason::NothingToReduce, "nothing_to_reduce"),
        (Reason::WouldTake, "would_take"),
        (Reason::NoLiquidity, "no_liquidity"),
        (Reason::DuplicateId, "duplicate_id"),
        (Reason::CancelRefused, "cancel_refused"),
        (Reason::ReplaceRefused, "replace_refused"),
        (Reason::Venue, "venue"),
        (Reason::Unsupported, "unsupported"),
    ];

    /// The reason with this code.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Reason> {
        let named = Reason::NAMED.iter().find(|(reason, _)| *reason as u8 == code);
        named.map(|(reason, _)| *reason)
    }

    /// The name in text and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        let named = Reason::NAMED.iter().find(|(reason, _)| *reason == self);
        named.map_or("", |(_, name)| name)
    }

    /// Whether a rejection of this reason is of a request about an order, and leaves the order as it was.
    #[must_use]
    pub fn is_of_request(self) -> bool {
        matches!(self, Reason::CancelRefused | Reason::ReplaceRefused)
    }

    /// Whether a cancel of this reason asks a gateway to tell the whole of the order again, from its first fill: whoever asks does not know what it missed.
    #[must_use]
    pub fn asks_for_account(self) -> bool {
        matches!(self, Reason::Inconsistent | Reason::Restart)
    }
}
