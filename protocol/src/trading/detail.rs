//! What an `OrderRef` record packs into its two numbers.

use std::fmt;

use super::Reason;

/// Names an order from its submission to its end: the session's number in the high 32 bits, a counter from 1 in the low ones. The same inputs
/// give the same ids, and no two sessions share one. 0 is no order.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientOrderId(pub u64);

impl ClientOrderId {
    /// No order.
    pub const NONE: ClientOrderId = ClientOrderId(0);
    /// The largest session number, so that an id is never negative in a record.
    pub const SESSION_MAX: u32 = i32::MAX as u32;

    /// The id of a session's `counter`th order.
    #[must_use]
    pub const fn new(session: u32, counter: u32) -> ClientOrderId {
        assert!(session <= ClientOrderId::SESSION_MAX, "a session's number fits 31 bits");
        ClientOrderId((session as u64) << 32 | counter as u64)
    }

    /// The session that made it.
    #[must_use]
    pub const fn session(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Its number within the session.
    #[must_use]
    pub const fn counter(self) -> u32 {
        self.0 as u32
    }
}

impl fmt::Display for ClientOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.session(), self.counter())
    }
}

impl fmt::Debug for ClientOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientOrderId({self})")
    }
}

/// The type of an order, as records say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum OrderKind {
    /// At whatever price there is.
    Market = 1,
    /// At its price or better.
    Limit = 2,
    /// Becomes a market order once its trigger is reached.
    Stop = 3,
    /// Becomes a limit order once its trigger is reached.
    StopLimit = 4,
}

impl OrderKind {
    /// Every type, in order of code.
    pub const ALL: [OrderKind; 4] = [
        OrderKind::Market,
        OrderKind::Limit,
        OrderKind::Stop,
        OrderKind::StopLimit,
    ];

    /// The name in text and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        ["market", "limit", "stop", "stop_limit"][self as usize - 1]
    }
}

/// How long an order waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum TimeInForce {
    /// Until it is filled or canceled.
    #[default]
    Gtc = 1,
    /// Not at all: what cannot be had at once is canceled.
    Ioc = 2,
    /// Not at all, and whole or nothing.
    Fok = 3,
}

impl TimeInForce {
    /// Every one, in order of code.
    pub const ALL: [TimeInForce; 3] = [TimeInForce::Gtc, TimeInForce::Ioc, TimeInForce::Fok];

    /// The name in text and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        ["gtc", "ioc", "fok"][self as usize - 1]
    }
}

/// Which side of a fill the order was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Liquidity {
    /// It rested, and somebody came.
    Maker = 1,
    /// It came, and somebody rested.
    Taker = 2,
}

impl Liquidity {
    /// The name in text and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        ["maker", "taker"][self as usize - 1]
    }
}

/// The `size` of an `OrderRef` record.
///
/// | bits | holds |
/// |---|---|
/// | 0–15 | strategy index |
/// | 16–23 | [`OrderKind`], 0 if not said |
/// | 24–27 | [`TimeInForce`], 0 if not said |
/// | 28 | post-only |
/// | 29 | reduce-only |
/// | 32–39 | [`Reason`], 0 if none |
/// | 40–47 | [`Liquidity`], 0 if none |
///
/// Bits and codes that this build does not know are kept.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct OrderDetail(pub u64);

impl OrderDetail {
    const POST_ONLY: u64 = 1 << 28;
    const REDUCE_ONLY: u64 = 1 << 29;

    /// Of a strategy, and nothing else.
    #[must_use]
    pub const fn of_strategy(index: u16) -> OrderDetail {
        OrderDetail(index as u64)
    }

    /// With the type and terms of an order.
    #[must_use]
    pub fn with_terms(self, kind: OrderKind, time: TimeInForce, post_only: bool, reduce_only: bool) -> OrderDetail {
        let post = if post_only { OrderDetail::POST_ONLY } else { 0 };
        let reduce = if reduce_only { OrderDetail::REDUCE_ONLY } else { 0 };
        let kept = self.0 & !(0xffff << 16);
        OrderDetail(kept | (kind as u64) << 16 | (time as u64) << 24 | post | reduce)
    }

    /// With a reason.
    #[must_use]
    pub fn with_reason(self, reason: Reason) -> OrderDetail {
        OrderDetail(self.0 & !(0xff << 32) | (reason as u64) << 32)
    }

    /// With the side of a fill that the order was.
    #[must_use]
    pub fn with_liquidity(self, liquidity: Liquidity) -> OrderDetail {
        OrderDetail(self.0 & !(0xff << 40) | (liquidity as u64) << 40)
    }

    /// The strategy's index.
    #[must_use]
    pub fn strategy(self) -> u16 {
        self.0 as u16
    }

    /// The order's type.
    #[must_use]
    pub fn kind(self) -> Option<OrderKind> {
        let code = (self.0 >> 16) as u8;
        OrderKind::ALL.get(usize::from(code).wrapping_sub(1)).copied()
    }

    /// How long the order waits.
    #[must_use]
    pub fn time_in_force(self) -> Option<TimeInForce> {
        let code = (self.0 >> 24) as u8 & 0xf;
        TimeInForce::ALL.get(usize::from(code).wrapping_sub(1)).copied()
    }

    /// Whether the order must not take.
    #[must_use]
    pub fn is_post_only(self) -> bool {
        self.0 & OrderDetail::POST_ONLY != 0
    }

    /// Whether the order may only reduce a position.
    #[must_use]
    pub fn is_reduce_only(self) -> bool {
        self.0 & OrderDetail::REDUCE_ONLY != 0
    }

    /// Why.
    #[must_use]
    pub fn reason(self) -> Option<Reason> {
        Reason::from_code((self.0 >> 32) as u8)
    }

    /// Which side of a fill the order was.
    #[must_use]
    pub fn liquidity(self) -> Option<Liquidity> {
        match (self.0 >> 40) as u8 {
            1 => Some(Liquidity::Maker),
            2 => Some(Liquidity::Taker),
            _ => None,
        }
    }
}

impl fmt::Debug for OrderDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OrderDetail(strategy {}", self.strategy())?;
        for name in [
            self.kind().map(OrderKind::name),
            self.time_in_force().map(TimeInForce::name),
            self.is_post_only().then_some("post_only"),
            self.is_reduce_only().then_some("reduce_only"),
            self.reason().map(Reason::name),
            self.liquidity().map(Liquidity::name),
        ]
        .into_iter()
        .flatten()
        {
            write!(f, " {name}")?;
        }
        f.write_str(")")
    }
}

/// A strategy in a status record: its index in bits 0 to 15, and a check of its name in bits 16 to 47, so that a later session notices when an
/// index means another strategy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StrategyKey(pub i64);

impl StrategyKey {
    /// The key of the strategy called `name` at `index`.
    #[must_use]
    pub fn new(index: u16, name: &str) -> StrategyKey {
        StrategyKey(i64::from(crc32fast::hash(name.as_bytes())) << 16 | i64::from(index))
    }

    /// The strategy's index.
    #[must_use]
    pub fn index(self) -> u16 {
        self.0 as u16
    }
}
