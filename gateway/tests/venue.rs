//! The gateway's desk at the real simulator: answers that get lost or make no sense, connections that end, the kill latch, and a start in the middle of things.

mod support;

use serde_json::json;
use support::{Fate, Gateway, Venue, filled_at, id, limit, open_latch, stranger, until};
use tempfile::TempDir;
use tickpath_gateway::ask::Ask;
use tickpath_gateway::stream::Heard;
use tickpath_protocol::Side;
use tickpath_protocol::trading::{News, OrderKind, Reason, TimeInForce};
use tickpath_transport::now_ns;
use tokio::task::LocalSet;

const WHOLE: i64 = 50_000_000;

/// Runs a test with a venue, and a directory for the latch.
fn with_venue(events_per_second: u32, test: impl AsyncFnOnce(Venue, TempDir)) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, async {
        let venue = Venue::start(events_per_second).await;
        test(venue, tempfile::tempdir().unwrap()).await;
    });
}

/// The end of an order that nobody filled.
fn canceled(reason: Reason) -> News {
    News::Canceled { reason, filled: 0 }
}

/// A price that nobody trades at.
async fn far_below(venue: &Venue) -> i64 {
    venue.best("bids").await * 9 / 10
}

/// A gateway that runs, and the first order, which rests.
async fn with_resting(venue: &Venue, dir: &TempDir) -> (Gateway, Ask) {
    let mut gateway = Gateway::start(venue, dir, |_| {});
    gateway.begin().await;
    let resting = limit(1, Side::Bid, far_below(venue).await);
    gateway.hear(Heard::Submitted(resting.clone())).await;
    assert_eq!(gateway.news(id(1)).await, News::Accepted);
    (gateway, resting)
}

#[test]
fn orders_rest_trade_and_are_canceled() {
    with_venue(0, async |venue, dir| {
        let (mut gateway, resting) = with_resting(&venue, &dir).await;
        assert_eq!(venue.open().await, ["tp-1-1"]);
        gateway.hear(Heard::ReplaceAsked(resting.clone())).await;
        assert_eq!(gateway.news(id(1)).await, News::ReplaceRefused);

        let market = Ask {
            kind: Some(OrderKind::Market),
            time_in_force: TimeInForce::Ioc,
            price: tickpath_protocol::Record::ABSENT,
            ..limit(2, Side::Ask, 0)
        };
        gateway.hear(Heard::Submitted(market)).await;
        let (news, sum) = gateway.until_end(id(2), WHOLE).await;
        assert_eq!((news[0], sum), (News::Accepted, WHOLE));
        assert_eq!(filled_at(&venue, 2).await, WHOLE);

        let would_take = Ask {
            post_only: true,
            ..limit(3, Side::Bid, venue.best("asks").await)
        };
        gateway.hear(Heard::Submitted(would_take)).await;
        assert_eq!(gateway.news(id(3)).await, News::Rejected(Reason::WouldTake));
        let too_large = Ask {
            time_in_force: TimeInForce::Fok,
            quantity: 100_000 * WHOLE,
            ..limit(4, Side::Bid, venue.best("asks").await)
        };
        gateway.hear(Heard::Submitted(too_large)).await;
        let (news, sum) = gateway.until_end(id(4), i64::MAX).await;
        assert!(
            matches!(news.last(), Some(News::Canceled { .. } | News::Rejected(_))),
            "{news:?}"
        );
        assert_eq!(sum, 0);

        gateway.hear(Heard::CancelAsked(resting.clone())).await;
        assert_eq!(gateway.news(id(1)).await, canceled(Reason::Requested));
        assert!(venue.open().await.is_empty());
        // Said again, the end comes again.
        gateway.hear(Heard::CancelAsked(resting)).await;
        let (news, _) = gateway.until_end(id(1), WHOLE).await;
        assert_eq!(news, [News::Accepted, canceled(Reason::Requested)]);
    });
}

#[test]
fn an_order_that_rests_is_filled_by_others() {
    with_venue(500, async |venue, dir| {
        let mut gateway = Gateway::start(&venue, &dir, |_| {});
        gateway.begin().await;
        let (counter, sum) = gateway.filled_by_others(&venue, 1).await;
        assert_eq!(filled_at(&venue, counter).await, sum);
    });
}

/// Whatever is lost or wrong, the venue's word is found out and nothing is sent twice.
#[test]
fn an_order_whose_answer_is_lost_or_makes_no_sense_is_asked_for() {
    let fates = [
        (Fate::LoseAnswer, "no_answer"),
        (Fate::Answer(500, "oops"), "status"),
        (Fate::Answer(200, "{\"id\":["), "malformed"),
        (
            Fate::Answer(200, "{\"id\":\"x\",\"client_oid\":\"tp-9-9\"}"),
            "malformed",
        ),
        (
            Fate::Answer(400, "{\"message\":\"client_oid was used before\"}"),
            "no_answer",
        ),
        (Fate::Endless, "too_large"),
    ];
    with_venue(0, async |venue, dir| {
        let mut gateway = Gateway::start(&venue, &dir, |_| {});
        gateway.begin().await;
        let price = far_below(&venue).await;
        for (counter, (fate, cause)) in (1..).zip(fates) {
            let before = gateway.meters.failures(cause);
            venue.way.next("POST", fate);
            // The first questions after it get no good answer either.
            venue.way.next(
                "GET /coinbase/orders/client",
                Fate::Instead(401, "{\"message\":\"Invalid API Key\"}"),
            );
            venue.way.next("GET /coinbase/orders/client", Fate::LoseAnswer);
            venue
                .way
                .next("GET /coinbase/orders/client", Fate::Instead(404, "<html>"));
            gateway.hear(Heard::Submitted(limit(counter, Side::Bid, price))).await;
            assert_eq!(gateway.news(id(counter)).await, News::Accepted, "{fate:?}");
            assert!(gateway.meters.failures(cause) > before, "{fate:?}");
            assert_eq!(venue.way.sent(&format!("tp-1-{counter}")), 1, "{fate:?}");
        }
        assert!(venue.way.all_happened());
        assert_eq!(venue.open().await.len(), fates.len());
    });
}

#[test]
fn an_order_that_never_got_there_is_rejected_only_once_the_venue_proves_it() {
    with_venue(0, async |venue, dir| {
        let mut gateway = Gateway::start(&venue, &dir, |settings| {
            settings.timeout = std::time::Duration::from_millis(300)
        });
        gateway.begin().await;
        venue.way.next("POST", Fate::LoseCall);
        gateway
            .hear(Heard::Submitted(limit(1, Side::Bid, far_below(&venue).await)))
            .await;
        assert_eq!(gateway.news(id(1)).await, News::Rejected(Reason::Venue));
        assert_eq!(venue.way.sent("tp-1-1"), 0);
        // A refusal is one at once, and nothing of it is there.
        venue
            .way
            .next("POST", Fate::Instead(401, "{\"message\":\"Invalid API Key\"}"));
        gateway
            .hear(Heard::Submitted(limit(2, Side::Bid, far_below(&venue).await)))
            .await;
        assert_eq!(gateway.news(id(2)).await, News::Rejected(Reason::Venue));
        // The same id again, or a lower one, is never sent.
        for counter in [1, 2] {
            gateway
                .hear(Heard::Submitted(limit(counter, Side::Bid, far_below(&venue).await)))
                .await;
        }
        gateway
            .hear(Heard::Submitted(limit(3, Side::Bid, far_below(&venue).await)))
            .await;
        assert_eq!(gateway.news(id(3)).await, News::Accepted);
        assert_eq!(venue.open().await, ["tp-1-3"]);
        // Nor is one that is of another time.
        let old = Ask {
            published_ns: now_ns() - 60_000_000_000,
            ..limit(4, Side::Bid, far_below(&venue).await)
        };
        gateway.hear(Heard::Submitted(old)).await;
        assert_eq!(gateway.news(id(4)).await, News::Rejected(Reason::StaleData));
        // A call that was slow, and not lost: it gets there after the venue was first asked.
        let price = far_below(&venue).await;
        venue.way.next("POST", Fate::LoseCall);
        venue.way.next(
            "GET /coinbase/orders/client",
            Fate::Answer(404, "{\"message\":\"order not found\"}"),
        );
        gateway.hear(Heard::Submitted(limit(5, Side::Bid, price))).await;
        until(async || venue.way.all_happened()).await;
        venue.place(&stranger("tp-1-5", price)).await;
        assert_eq!(gateway.news(id(5)).await, News::Accepted);
    });
}

/// A new session of the engine cannot know what the last one was told.
#[test]
fn an_engine_that_missed_something_is_told_all_of_an_order_again() {
    with_venue(0, async |venue, dir| {
        let (mut gateway, resting) = with_resting(&venue, &dir).await;
        gateway.hear(Heard::AccountAsked(resting)).await;
        let (news, _) = gateway.until_end(id(1), WHOLE).await;
        assert_eq!(news, [News::Accepted, canceled(Reason::Requested)]);

        let taking = Ask {
            time_in_force: TimeInForce::Ioc,
            ..limit(2, Side::Bid, venue.best("asks").await + 10_000)
        };
        gateway.hear(Heard::Submitted(taking.clone())).await;
        let first = gateway.until_end(id(2), WHOLE).await;
        assert_eq!((first.0[0], first.1), (News::Accepted, WHOLE));
        gateway.hear(Heard::AccountAsked(taking)).await;
        assert_eq!(gateway.until_end(id(2), WHOLE).await, first, "from the first fill");
    });
}

/// Lost answers to cancels, and fills that are listed wrongly, on the way to the end.
#[test]
fn cancels_and_fills_survive_bad_answers() {
    with_venue(0, async |venue, dir| {
        let (mut gateway, resting) = with_resting(&venue, &dir).await;
        for fate in [Fate::LoseCall, Fate::Instead(500, ""), Fate::LoseAnswer] {
            venue.way.next("DELETE", fate);
        }
        gateway.hear(Heard::CancelAsked(resting)).await;
        assert_eq!(gateway.news(id(1)).await, canceled(Reason::Requested));

        for fate in [
            Fate::Answer(200, "[]"),
            Fate::Answer(200, "[{}]"),
            Fate::Endless,
            Fate::LoseAnswer,
        ] {
            venue.way.next("GET /coinbase/fills", fate);
        }
        let taking = Ask {
            time_in_force: TimeInForce::Ioc,
            ..limit(2, Side::Bid, venue.best("asks").await + 10_000)
        };
        gateway.hear(Heard::Submitted(taking)).await;
        let (news, sum) = gateway.until_end(id(2), WHOLE).await;
        assert_eq!(sum, WHOLE, "{news:?}");
        assert!(venue.way.all_happened() && gateway.meters.failures("misfit") == 1);
    });
}

#[test]
fn the_channel_may_end_and_lose_messages() {
    with_venue(500, async |venue, dir| {
        let mut gateway = Gateway::start(&venue, &dir, |_| {});
        gateway.begin().await;
        gateway
            .hear(Heard::Submitted(limit(1, Side::Bid, far_below(&venue).await)))
            .await;
        assert_eq!(gateway.news(id(1)).await, News::Accepted);
        until(async || gateway.meters.channel_subscribed.get() == 1).await;
        let connections = gateway.meters.channel_connections.get();
        for fault in [
            json!({ "venue": "coinbase", "fault": "gap", "n": 1000, "match": "match" }),
            json!({ "venue": "coinbase", "fault": "garbage", "kind": "wrong_types" }),
            json!({ "venue": "coinbase", "fault": "disconnect" }),
        ] {
            venue.fault(fault).await;
        }
        let (counter, sum) = gateway.filled_by_others(&venue, 2).await;
        assert_eq!(filled_at(&venue, counter).await, sum);
        until(async || gateway.meters.channel_connections.get() > connections).await;
        venue
            .fault(json!({ "venue": "coinbase", "fault": "oversized", "bytes": 1 << 20 }))
            .await;
        until(async || gateway.meters.channel_connections.get() > connections + 1).await;
    });
}

#[test]
fn with_cancel_on_disconnect_the_venue_cancels_by_itself() {
    with_venue(0, async |venue, dir| {
        let mut gateway = Gateway::start(&venue, &dir, |settings| settings.cancel_on_disconnect = true);
        gateway.begin().await;
        gateway
            .hear(Heard::Submitted(limit(1, Side::Bid, far_below(&venue).await)))
            .await;
        assert_eq!(gateway.news(id(1)).await, News::Accepted);
        // The venue knows the wish once it has answered the subscription that said it.
        until(async || gateway.meters.channel_subscribed.get() == 1).await;
        venue.fault(json!({ "venue": "coinbase", "fault": "disconnect" })).await;
        assert_eq!(gateway.news(id(1)).await, canceled(Reason::Venue));
    });
}

#[test]
fn the_kill_latch_cancels_all_that_rests_and_lets_nothing_leave() {
    with_venue(0, async |venue, dir| {
        let mut gateway = Gateway::start(&venue, &dir, |_| {});
        gateway.begin().await;
        let price = far_below(&venue).await;
        for counter in 1..=3 {
            gateway.hear(Heard::Submitted(limit(counter, Side::Bid, price))).await;
            assert_eq!(gateway.news(id(counter)).await, News::Accepted);
        }
        venue.place(&stranger("mine", price)).await;
        let latch = open_latch(&dir);
        // The first word of it gets lost.
        venue.way.next("DELETE", Fate::LoseCall);
        latch.kill(Reason::Killed as u8, now_ns()).unwrap();
        venue.until_open(0).await;
        let mut ended = Vec::new();
        for _ in 1..=3 {
            let report = gateway.report().await;
            assert_eq!(report.news, canceled(Reason::Kill));
            ended.push(report.order);
        }
        ended.sort_unstable();
        assert_eq!(ended, [id(1), id(2), id(3)]);
        gateway.hear(Heard::Submitted(limit(4, Side::Bid, price))).await;
        assert_eq!(gateway.news(id(4)).await, News::Rejected(Reason::Killed));
        // What comes to rest while it is set does not rest long.
        venue.place(&stranger("again", price)).await;
        venue.until_open(0).await;
        latch.arm(now_ns()).unwrap();
        until(async || gateway.meters.killed.get() == 0).await;
        gateway.hear(Heard::Submitted(limit(5, Side::Bid, price))).await;
        assert_eq!(gateway.news(id(5)).await, News::Accepted);
        assert_eq!(venue.way.sent("tp-1-4"), 0);
    });
}

/// Killed with an order resting, one sent and not answered, one never sent: the next one says what became of each, sends none again, and cancels strangers.
#[test]
fn a_new_gateway_finds_out_what_the_engine_lacks() {
    with_venue(0, async |venue, dir| {
        let mut first = Gateway::start(&venue, &dir, |_| {});
        first.begin().await;
        let price = far_below(&venue).await;
        first.hear(Heard::Submitted(limit(1, Side::Bid, price))).await;
        assert_eq!(first.news(id(1)).await, News::Accepted);
        // Filled at once, of which the engine hears nothing.
        venue.way.next("POST", Fate::LoseAnswer);
        for _ in 0..100 {
            venue.way.next("GET /coinbase/orders/client:tp-1-2", Fate::LoseCall);
        }
        first
            .hear(Heard::Submitted(limit(2, Side::Bid, venue.best("asks").await + 10_000)))
            .await;
        until(async || venue.way.sent("tp-1-2") == 1 && filled_at(&venue, 2).await == WHOLE).await;
        first.kill().await;
        venue.place(&stranger("mine", price)).await;
        venue.place(&stranger("tp-1-9", price)).await;

        let mut second = Gateway::start(&venue, &dir, |_| {});
        venue.way.clear();
        for counter in 1..=3 {
            // The engine's past: these are open there, and the third never left.
            second.hear(Heard::Submitted(limit(counter, Side::Bid, price))).await;
        }
        second.begin().await;
        let mut seen = std::collections::BTreeMap::<_, Vec<News>>::new();
        while !seen
            .get(&id(9))
            .is_some_and(|news| matches!(news.last(), Some(News::Canceled { .. })))
            || !seen
                .get(&id(3))
                .is_some_and(|news| matches!(news.last(), Some(News::Canceled { .. })))
        {
            let report = second.report().await;
            if report.news != News::ReplaceRefused {
                seen.entry(report.order).or_default().push(report.news);
            }
        }
        assert_eq!(seen[&id(1)], [News::Accepted]);
        assert_eq!(seen[&id(3)], [canceled(Reason::Venue)]);
        assert_eq!(seen[&id(9)], [News::Accepted, canceled(Reason::Restart)]);
        let bought = |news: &News| match news {
            News::Filled { quantity, .. } => *quantity,
            _ => 0,
        };
        assert_eq!(seen[&id(2)].iter().map(bought).sum::<i64>(), WHOLE);
        until(async || venue.open().await == ["tp-1-1"]).await;
        assert_eq!((venue.way.sent("tp-1-2"), venue.way.sent("tp-1-3")), (1, 0));
        assert!(second.meters.strays.get() >= 2);
        // Without its engine nothing stays.
        second.hear(Heard::EngineGone).await;
        let (news, _) = second.until_end(id(1), WHOLE).await;
        assert_eq!(news, [canceled(Reason::Restart)]);
        second.shutdown.request();
        second.task.await.unwrap().unwrap();
    });
}
