//! An order as the engine's records ask for it.

use tickpath_protocol::trading::{Action, ClientOrderId, OrderKind, Reason, TimeInForce, TradingEvent};
use tickpath_protocol::{Instrument, Record, Scale, Side, Venue};

/// The venue whose orders this gateway sends.
pub const VENUE: Venue = Venue::COINBASE;
/// What our names for orders begin with at the venue.
const PREFIX: &str = "tp-";

/// What the engine wants of the venue, or of an order there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The order.
    pub id: ClientOrderId,
    /// The venue's name of the instrument; `None` if it is not one of this venue.
    pub product: Option<String>,
    /// Decimals of prices and quantities.
    pub scale: Scale,
    /// Buy or sell.
    pub side: Option<Side>,
    /// The type.
    pub kind: Option<OrderKind>,
    /// Limit price, a mantissa; absent for market orders.
    pub price: i64,
    /// Trigger of a stop, a mantissa.
    pub trigger: Option<i64>,
    /// Quantity, a mantissa: of the whole order, or what a cancel takes to be left of it.
    pub quantity: i64,
    /// How long it waits.
    pub time_in_force: TimeInForce,
    /// Refused rather than take.
    pub post_only: bool,
    /// Never opens a position.
    pub reduce_only: bool,
    /// When the engine published it, ns since the Unix epoch.
    pub published_ns: i64,
}

impl Ask {
    /// What an event of the engine asks for; `instrument` is the one it names.
    #[must_use]
    pub fn of(event: &TradingEvent, instrument: Option<&Instrument>) -> Ask {
        let of_venue = instrument.filter(|instrument| instrument.venue() == VENUE);
        let trigger = match event.action {
            Action::Submitted { trigger } => trigger,
            _ => None,
        };
        Ask {
            id: event.order,
            product: of_venue.map(|instrument| instrument.symbol.clone()),
            scale: event.scale,
            side: event.side,
            kind: event.detail.kind(),
            price: event.price,
            trigger,
            quantity: event.size,
            time_in_force: event.detail.time_in_force().unwrap_or_default(),
            post_only: event.detail.is_post_only(),
            reduce_only: event.detail.is_reduce_only(),
            published_ns: event.ts_recv,
        }
    }

    /// Why the venue is not even asked; `None` if it is.
    ///
    /// The venue knows nothing of positions. The gate has let a reduce-only order pass by the position of that moment, which is good for one that trades at once; one that
    /// rests could meet another position.
    #[must_use]
    pub fn refusal(&self) -> Option<Reason> {
        let Some(kind) = self.kind else {
            return Some(Reason::Contradiction);
        };
        let needs_price = matches!(kind, OrderKind::Limit | OrderKind::StopLimit);
        let is_stop = matches!(kind, OrderKind::Stop | OrderKind::StopLimit);
        let rests = is_stop || (kind == OrderKind::Limit && self.time_in_force == TimeInForce::Gtc);
        if self.product.is_none() {
            Some(Reason::UnknownInstrument)
        } else if self.side.is_none()
            || (needs_price && self.price == Record::ABSENT)
            || is_stop != self.trigger.is_some()
        {
            Some(Reason::Contradiction)
        } else if self.reduce_only && rests {
            Some(Reason::Unsupported)
        } else {
            None
        }
    }
}

/// The name of an order at the venue.
#[must_use]
pub fn client_oid(id: ClientOrderId) -> String {
    format!("{PREFIX}{id}")
}

/// The order that has this name at the venue, if the name is one of ours.
#[must_use]
pub fn id_of(client_oid: &str) -> Option<ClientOrderId> {
    let (session, counter) = client_oid.strip_prefix(PREFIX)?.split_once('-')?;
    let session = session
        .parse()
        .ok()
        .filter(|session| *session <= ClientOrderId::SESSION_MAX)?;
    let id = ClientOrderId::new(session, counter.parse().ok()?);
    // `+1` and `01` are numbers too, and no names of ours.
    (self::client_oid(id) == client_oid).then_some(id)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// 0.5 BTC at 60,000.00.
    pub(crate) fn limit() -> Ask {
        Ask {
            id: ClientOrderId::new(3, 17),
            product: Some("BTC-USD".into()),
            scale: Scale::new(2, 8).unwrap(),
            side: Some(Side::Bid),
            kind: Some(OrderKind::Limit),
            price: 6_000_000,
            trigger: None,
            quantity: 50_000_000,
            time_in_force: TimeInForce::Gtc,
            post_only: true,
            reduce_only: false,
            published_ns: 1,
        }
    }

    #[test]
    fn names_read_back_and_others_are_not_ours() {
        for id in [
            ClientOrderId::new(1, 1),
            ClientOrderId::new(ClientOrderId::SESSION_MAX, u32::MAX),
        ] {
            assert!(client_oid(id).len() <= 36);
            assert_eq!(id_of(&client_oid(id)), Some(id));
        }
        for name in [
            "",
            "my-1",
            "tp-1",
            "tp-01-1",
            "tp-1-+1",
            "tp-4294967295-1",
            "tp-1-4294967296",
        ] {
            assert_eq!(id_of(name), None, "{name}");
        }
    }

    #[test]
    fn what_the_venue_cannot_do_is_refused_with_a_reason() {
        assert_eq!(limit().refusal(), None);
        let reduce = Ask {
            reduce_only: true,
            ..limit()
        };
        assert_eq!(reduce.refusal(), Some(Reason::Unsupported));
        let at_once = Ask {
            time_in_force: TimeInForce::Ioc,
            ..reduce
        };
        assert_eq!(at_once.refusal(), None);
        let elsewhere = Ask {
            product: None,
            ..limit()
        };
        assert_eq!(elsewhere.refusal(), Some(Reason::UnknownInstrument));
        for contradiction in [
            Ask { kind: None, ..limit() },
            Ask { side: None, ..limit() },
            Ask {
                price: Record::ABSENT,
                ..limit()
            },
            Ask {
                kind: Some(OrderKind::Stop),
                ..limit()
            },
        ] {
            assert_eq!(contradiction.refusal(), Some(Reason::Contradiction));
        }
    }
}
