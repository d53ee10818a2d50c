//! The simulated Coinbase as a venue that takes orders: REST and the `user` channel over real sockets, in the same book as the participants.

mod support;

use serde_json::{Value, json};
use support::{Answer, Client, DEADLINE, get, request, start};
use tickpath_simulator::Server;
use tokio::time::timeout;

const KEY: &str = "CB-ACCESS-KEY: simulated\r\n";

async fn call(server: &Server, method: &str, path: &str, body: &str) -> Answer {
    request(server, &format!("{method} /coinbase{path} HTTP/1.1\r\n{KEY}"), body).await
}

/// A market in which nobody but the client does anything.
async fn still() -> Server {
    start(|config| config.events_per_second = 0).await
}

/// A limit order for 0.5 BTC with some fields changed.
fn order(side: &str, price: &str, change: Value) -> Value {
    let mut order = json!({ "product_id": "BTC-USD", "side": side, "price": price, "size": "0.5" });
    for (name, value) in change.as_object().expect("fields") {
        order[name] = value.clone();
    }
    order
}

async fn place(server: &Server, order: &Value) -> Value {
    let answer = call(server, "POST", "/orders", &order.to_string()).await;
    assert_eq!(answer.status, 200, "{order}: {}", answer.body);
    answer.json()
}

/// Best price and size of a side, `bids` or `asks`.
async fn best(server: &Server, side: &str) -> (f64, f64) {
    let book = get(server, "/coinbase/products/BTC-USD/book?level=1").await.json();
    let number = |n: usize| book[side][0][n].as_str().expect("text").parse().expect("a number");
    (number(0), number(1))
}

fn text(price: f64) -> String {
    format!("{price:.2}")
}

async fn user_channel(server: &Server, more: &str) -> Client {
    let mut client = Client::connect(server, "/coinbase").await;
    let subscribe = r#"{"type":"subscribe","product_ids":["BTC-USD"],"channels":["user"],"key":"simulated"MORE}"#;
    client.send(&subscribe.replace("MORE", more)).await;
    let answer = client.json().await;
    assert_eq!(answer["channels"][0]["name"], "user", "{answer}");
    client
}

#[tokio::test]
async fn an_order_rests_in_the_public_book_and_is_canceled() {
    let server = still().await;
    let mut public = Client::connect(&server, "/coinbase").await;
    public
        .send(r#"{"type":"subscribe","product_ids":["BTC-USD"],"channels":["level2_batch"]}"#)
        .await;
    public.until(|frame| frame["type"] == "snapshot").await;
    let mut user = user_channel(&server, "").await;
    let (ask, _) = best(&server, "asks").await;
    let price = text(ask - 0.01);
    let placed = place(
        &server,
        &order("buy", &price, json!({ "post_only": true, "client_oid": "my-1" })),
    )
    .await;
    assert_eq!(
        (placed["status"].as_str(), placed["filled_size"].as_str()),
        (Some("open"), Some("0"))
    );
    for kind in ["received", "open"] {
        let frame = user.json().await;
        assert_eq!(
            (&frame["type"], &frame["order_id"]),
            (&json!(kind), &placed["id"]),
            "{frame}"
        );
    }
    let l2update = public.until(|frame| frame["type"] == "l2update").await;
    let price_sent = l2update["changes"][0][1].as_str().unwrap().parse::<f64>().unwrap();
    assert_eq!(
        (text(price_sent), &l2update["changes"][0][2]),
        (price, &json!("0.50000000"))
    );
    let open = call(&server, "GET", "/orders", "").await.json();
    assert_eq!(open, json!([placed]));
    assert_eq!(call(&server, "GET", "/orders/client:my-1", "").await.json(), placed);
    let id = placed["id"].as_str().unwrap();
    assert_eq!(
        call(&server, "DELETE", &format!("/orders/{id}"), "").await.json(),
        placed["id"]
    );
    let done = user.json().await;
    assert_eq!(
        (&done["type"], &done["reason"], &done["remaining_size"]),
        (&json!("done"), &json!("canceled"), &json!("0.5"))
    );
    let gone = public.until(|frame| frame["type"] == "l2update").await;
    assert_eq!(gone["changes"][0][2], "0.00000000");
    let again = call(&server, "DELETE", &format!("/orders/{id}"), "").await;
    assert_eq!(
        (again.status, again.json()),
        (400, json!({ "message": "Order already done" }))
    );
}

#[tokio::test]
async fn a_market_order_trades_with_the_participants_for_all_to_see() {
    let server = still().await;
    let mut public = Client::connect(&server, "/coinbase").await;
    public
        .send(r#"{"type":"subscribe","product_ids":["BTC-USD"],"channels":["matches"]}"#)
        .await;
    public.until(|frame| frame["type"] == "subscriptions").await;
    let mut user = user_channel(&server, "").await;
    let (ask, size) = best(&server, "asks").await;
    let wanted =
        json!({ "type": "market", "product_id": "BTC-USD", "side": "buy", "size": format!("{:.8}", size + 0.001) });
    let placed = place(&server, &wanted).await;
    assert_eq!(
        (&placed["status"], &placed["done_reason"]),
        (&json!("done"), &json!("filled"))
    );
    assert_eq!(user.json().await["type"], "received");
    let mut matched = 0.0;
    let done = loop {
        let frame = user.json().await;
        if frame["type"] == "done" {
            break frame;
        }
        assert_eq!(
            (&frame["type"], &frame["taker_order_id"]),
            (&json!("match"), &placed["id"])
        );
        let seen = public.until(|frame| frame["type"] == "match").await;
        for field in [
            "trade_id",
            "maker_order_id",
            "taker_order_id",
            "price",
            "size",
            "side",
            "sequence",
        ] {
            assert_eq!(frame[field], seen[field], "{field}");
        }
        assert!(seen["price"].as_str().unwrap().parse::<f64>().unwrap() >= ask);
        matched += frame["size"].as_str().unwrap().parse::<f64>().unwrap();
    };
    assert_eq!(
        (&done["reason"], &done["remaining_size"]),
        (&json!("filled"), &json!("0"))
    );
    assert!((matched - size - 0.001).abs() < 1e-9);
    let fills = call(
        &server,
        "GET",
        &format!("/fills?order_id={}", placed["id"].as_str().unwrap()),
        "",
    )
    .await;
    let fills = fills.json();
    assert!(fills.as_array().unwrap().len() >= 2);
    assert!(fills.as_array().unwrap().iter().all(|fill| fill["liquidity"] == "T"));
}

#[tokio::test]
async fn the_participants_trade_with_what_rests() {
    let server = start(|config| config.events_per_second = 500).await;
    let mut user = user_channel(&server, "").await;
    let (bid, _) = best(&server, "bids").await;
    // Above the best bid, so that whoever sells sells to us first.
    let placed = place(&server, &order("buy", &text(bid + 0.01), json!({}))).await;
    let filled = user
        .until(|frame| frame["type"] == "match" && frame["maker_order_id"] == placed["id"])
        .await;
    assert_eq!(
        (&filled["side"], &filled["maker_user_id"].is_string()),
        (&json!("buy"), &true)
    );
}

#[tokio::test]
async fn orders_of_each_kind_are_kept_to() {
    let server = still().await;
    let (ask, _) = best(&server, "asks").await;
    let (far_below, far_above) = (text(ask * 0.9), text(ask * 1.1));
    let fok = place(
        &server,
        &order("buy", &text(ask), json!({ "time_in_force": "FOK", "size": "50" })),
    )
    .await;
    assert_eq!(
        (&fok["done_reason"], &fok["filled_size"]),
        (&json!("canceled"), &json!("0"))
    );
    let ioc = place(&server, &order("buy", &far_below, json!({ "time_in_force": "IOC" }))).await;
    assert_eq!(ioc["done_reason"], "canceled");
    let stop = json!({ "stop": "entry", "stop_price": far_above });
    let stop = place(&server, &order("buy", &far_above, stop)).await;
    assert_eq!(stop["status"], "active");
    // Met by an order of the same client: the smaller is used up without a trade.
    let top = text(ask - 0.01);
    let mine = place(&server, &order("sell", &top, json!({ "post_only": true }))).await;
    let own = place(&server, &order("buy", &top, json!({ "size": "0.2" }))).await;
    assert_eq!(
        (&own["done_reason"], &own["filled_size"]),
        (&json!("canceled"), &json!("0"))
    );
    let rest = call(&server, "GET", &format!("/orders/{}", mine["id"].as_str().unwrap()), "").await;
    assert_eq!(rest.json()["size"], "0.3");
    let canceled = call(&server, "DELETE", "/orders?product_id=BTC-USD", "").await.json();
    assert_eq!(canceled.as_array().unwrap().len(), 2);
    assert_eq!(call(&server, "GET", "/orders", "").await.json(), json!([]));
    assert_eq!(
        call(&server, "GET", "/orders?status=done&limit=2", "")
            .await
            .json()
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[tokio::test]
async fn a_client_that_leaves_has_its_orders_canceled_if_it_asked_for_that() {
    let server = still().await;
    let (bid, _) = best(&server, "bids").await;
    let careful = user_channel(&server, r#","cancel_on_disconnect":true"#).await;
    let mut other = user_channel(&server, "").await;
    let placed = place(&server, &order("buy", &text(bid * 0.9), json!({}))).await;
    other.until(|frame| frame["type"] == "open").await;
    drop(careful);
    let done = other.until(|frame| frame["type"] == "done").await;
    assert_eq!(
        (&done["order_id"], &done["reason"]),
        (&placed["id"], &json!("canceled"))
    );
    let kept = place(&server, &order("buy", &text(bid * 0.9), json!({}))).await;
    drop(other);
    assert_eq!(call(&server, "GET", "/orders", "").await.json(), json!([kept]));
}

#[tokio::test]
async fn hostile_orders_are_refused_with_a_reason() {
    let server = still().await;
    let (ask, _) = best(&server, "asks").await;
    let price = text(ask * 0.9);
    place(&server, &order("buy", &price, json!({ "client_oid": "taken" }))).await;
    for (change, expected) in [
        (json!({ "size": "0" }), "size must be above 0"),
        (json!({ "size": "-1" }), "size must be above 0"),
        (json!({ "size": "" }), "Invalid size"),
        (json!({ "size": "NaN" }), "Invalid size"),
        (json!({ "size": "1e30" }), "Invalid size"),
        (
            json!({ "size": "0.000000001" }),
            "size is too accurate. Smallest unit is 0.00000001",
        ),
        (json!({ "size": "90000000000" }), "size is too large"),
        (json!({ "size": 1 }), "Invalid order"),
        (
            json!({ "price": "1.001" }),
            "price is too accurate. Smallest unit is 0.01",
        ),
        (json!({ "price": "1" }), "too far from the market: it must be between"),
        (json!({ "price": "92233720368547758.07" }), "too far from the market"),
        (json!({ "price": null }), "price is required"),
        (json!({ "side": "both" }), "side must be buy or sell"),
        (json!({ "type": "iceberg" }), "type must be limit or market"),
        (json!({ "type": "market" }), "a market order has no price"),
        (json!({ "product_id": "BTC-EUR" }), "BTC-EUR is not a valid product"),
        (json!({ "time_in_force": "GTT" }), "time_in_force must be"),
        (json!({ "stp": "xx" }), "stp must be"),
        (
            json!({ "stop": "loss", "stop_price": price }),
            "stop must be \"entry\" for a buy",
        ),
        (json!({ "stop": "entry" }), "together"),
        (json!({ "post_only": true, "price": text(ask) }), "post only"),
        (
            json!({ "post_only": true, "time_in_force": "IOC" }),
            "cannot be post-only",
        ),
        (json!({ "client_oid": "taken" }), "client_oid was used before"),
        (json!({ "client_oid": "\"}<script>" }), "client_oid must be a UUID"),
        (json!({ "leverage": 100 }), "unknown field"),
    ] {
        let answer = call(
            &server,
            "POST",
            "/orders",
            &order("buy", &price, change.clone()).to_string(),
        )
        .await;
        assert_eq!(answer.status, 400, "{change}: {}", answer.body);
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains(expected), "{change}: {message}");
    }
    let deep = "[".repeat(50_000);
    for body in ["", "{", "null", "[]", deep.as_str(), "\u{0}"] {
        assert_eq!(call(&server, "POST", "/orders", body).await.status, 400);
    }
    assert_eq!(
        call(&server, "POST", "/orders", &" ".repeat(65 << 10)).await.status,
        413
    );
    for id in ["x", "6e910000-2e1b-4e1a-90b7-ffffffffffff", "client:none", "client:"] {
        assert_eq!(
            call(&server, "DELETE", &format!("/orders/{id}"), "").await.status,
            404,
            "{id}"
        );
    }
    assert_eq!(call(&server, "PUT", "/orders", "").await.status, 405);
    assert_eq!(call(&server, "GET", "/orders?limit=0", "").await.status, 400);
    assert_eq!(
        call(&server, "GET", "/orders", "")
            .await
            .json()
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn nobody_orders_without_the_key() {
    let server = still().await;
    for (headers, expected) in [
        ("", "CB-ACCESS-KEY header is required"),
        ("CB-ACCESS-KEY: wrong\r\n", "Invalid API Key"),
        ("CB-ACCESS-KEY: \r\n", "Invalid API Key"),
    ] {
        let answer = request(&server, &format!("GET /coinbase/orders HTTP/1.1\r\n{headers}"), "").await;
        assert_eq!((answer.status, answer.json()), (401, json!({ "message": expected })));
    }
    let mut client = Client::connect(&server, "/coinbase").await;
    client
        .send(r#"{"type":"subscribe","product_ids":["BTC-USD"],"channels":["user"],"key":"wrong"}"#)
        .await;
    assert_eq!(client.json().await["message"], "Authentication Failed");
    let closed = start(|config| config.api_key = String::new()).await;
    let answer = request(&closed, "GET /coinbase/orders HTTP/1.1\r\nCB-ACCESS-KEY: \r\n", "").await;
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn a_client_that_sweeps_a_side_leaves_a_market() {
    let server = still().await;
    let (before, _) = best(&server, "bids").await;
    for _ in 0..3 {
        let sweep = json!({ "type": "market", "product_id": "BTC-USD", "side": "sell", "size": "50" });
        let swept = place(&server, &sweep).await;
        assert!(swept["status"] == "done");
    }
    // The book that REST shows is that of the last batch.
    let swept = async {
        while best(&server, "bids").await.0 >= before {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, swept).await.expect("the book shows the sweep");
    assert!(best(&server, "bids").await.0 < best(&server, "asks").await.0);
}

#[tokio::test]
async fn open_orders_have_a_limit() {
    let server = still().await;
    let (bid, _) = best(&server, "bids").await;
    let wanted = order("buy", &text(bid * 0.9), json!({ "size": "0.0001" }));
    for _ in 0..tickpath_simulator::orders::OPEN_MAX {
        place(&server, &wanted).await;
    }
    let answer = call(&server, "POST", "/orders", &wanted.to_string()).await;
    assert_eq!(answer.status, 429);
    assert_eq!(
        call(&server, "DELETE", "/orders", "")
            .await
            .json()
            .as_array()
            .unwrap()
            .len(),
        500
    );
    place(&server, &wanted).await;
}
