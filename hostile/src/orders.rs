//! What a venue that takes orders answers, as the gateway reads it: money moves by it.

use tickpath_gateway::ask::Ask;
use tickpath_gateway::case::Case;
use tickpath_gateway::venue::wire;
use tickpath_protocol::trading::{ClientOrderId, News, OrderKind, Reason, TimeInForce};
use tickpath_protocol::{Scale, Side};

/// Lines: answers about an order and the fills of it in turns, as they come one after another. Each is read as any other answer as well.
///
/// # Panics
/// If what the engine is told is filled does not add up, comes twice, or is more than was ordered of the venue.
pub fn orders(data: &[u8]) {
    let mut case = Case::new(ask());
    let (mut told, mut size) = (0_i64, 0_i64);
    let mut lines = data.split(|byte| *byte == b'\n');
    while let Some(line) = lines.next() {
        anything(line);
        let Ok(view) = wire::order(line, &case.ask) else {
            continue;
        };
        let listed = lines.next().unwrap_or_default();
        anything(listed);
        let Ok(fills) = wire::fills(listed, &view.venue_id, case.ask.scale) else {
            continue;
        };
        assert!(
            fills.is_sorted_by_key(|fill| fill.trade_id),
            "the oldest fill comes first"
        );
        let before = case.filled();
        let Ok(news) = case.learn(&view, &fills, None) else {
            assert_eq!(case.filled(), before, "of an answer that is refused nothing is taken");
            continue;
        };
        size = size.max(view.size);
        for news in news {
            match news {
                News::Filled {
                    quantity, cumulative, ..
                } => {
                    assert!(quantity > 0, "a fill of {quantity}");
                    assert_eq!(told + quantity, cumulative, "fills add up");
                    told = cumulative;
                }
                News::Canceled { filled, .. } => assert_eq!(filled, told, "the end says what was filled"),
                _ => {}
            }
        }
        assert_eq!(told, case.filled());
        assert!(told <= size, "{told} of {size} is filled");
    }
}

/// Answers of every other kind: read or refused.
fn anything(line: &[u8]) {
    if let Ok(rows) = wire::open_orders(line) {
        assert!(rows.len() <= line.len(), "more orders than bytes");
    }
    if wire::is_order_unknown(line) {
        assert_eq!(
            wire::refusal(line),
            Some(Reason::Venue),
            "an order that the venue does not know is not one that it knows"
        );
    }
    if let Ok(text) = std::str::from_utf8(line)
        && let Ok(wire::Message::Orders(ids)) = wire::message_of_channel(text)
    {
        assert!(ids.len() <= 3, "a message names an order, a maker's and a taker's");
    }
}

/// 0.5 BTC at 60,000.00.
fn ask() -> Ask {
    Ask {
        id: ClientOrderId::new(3, 17),
        product: Some("BTC-USD".into()),
        scale: Scale::new(2, 8).expect("decimals are in range"),
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
