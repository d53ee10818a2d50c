use super::*;

fn alpaca(channels: &[Channel], feeds: &[AlpacaFeed]) -> Alpaca {
    let selection = Selection {
        channels: channels.to_vec(),
        depth: 0,
    };
    Alpaca::new(selection, feeds.to_vec())
}

fn names(symbols: &[&str]) -> Vec<String> {
    symbols.iter().map(|symbol| (*symbol).to_owned()).collect()
}

const ALL: [Channel; 3] = [Channel::Trades, Channel::Quotes, Channel::Book];

#[test]
fn each_feed_carries_its_symbols() {
    let feeds = [AlpacaFeed::Crypto, AlpacaFeed::Sip, AlpacaFeed::Iex, AlpacaFeed::Test];
    let connections = alpaca(&ALL, &feeds).connections(&names(&["AAPL", "BTC/USD", "FAKEPACA", "MSFT", "ETH/USD"]));
    let expected = [
        (
            "/v1beta3/crypto/us",
            names(&["BTC/USD", "ETH/USD"]),
            r#"{"action":"subscribe","orderbooks":["BTC/USD","ETH/USD"],"quotes":["BTC/USD","ETH/USD"],"trades":["BTC/USD","ETH/USD"]}"#,
        ),
        (
            "/v2/sip",
            names(&["AAPL", "MSFT"]),
            r#"{"action":"subscribe","quotes":["AAPL","MSFT"],"statuses":["AAPL","MSFT"],"trades":["AAPL","MSFT"]}"#,
        ),
        (
            "/v2/test",
            names(&["FAKEPACA"]),
            r#"{"action":"subscribe","quotes":["FAKEPACA"],"trades":["FAKEPACA"]}"#,
        ),
    ]
    .map(|(path, symbols, frame)| Connection {
        path: path.to_owned(),
        symbols,
        subscribe: vec![frame.to_owned()],
    });
    assert_eq!(connections, expected);
}

#[test]
fn symbols_of_other_feeds_are_not_asked_for() {
    let crypto = alpaca(&ALL, &[AlpacaFeed::Crypto, AlpacaFeed::Crypto]);
    assert_eq!(crypto.connections(&names(&["AAPL", "BTC/USD"])).len(), 1);
    assert!(crypto.connections(&names(&["AAPL", "FAKEPACA"])).is_empty());
    let books_of_the_test = alpaca(&[Channel::Book], &[AlpacaFeed::Test]);
    assert!(books_of_the_test.connections(&names(&["FAKEPACA"])).is_empty());
}

#[test]
fn long_subscriptions_are_sent_in_pieces() {
    let symbols: Vec<String> = (0..5_000).map(|n| format!("S{n:04}")).collect();
    let connections = alpaca(&ALL, &[AlpacaFeed::Sip]).connections(&symbols);
    let [connection] = &connections[..] else {
        panic!("one feed is one connection")
    };
    let mut asked = Vec::new();
    for frame in &connection.subscribe {
        assert!(frame.len() < 16_000, "{}", frame.len());
        let frame: Value = serde_json::from_str(frame).unwrap();
        assert_eq!(frame["trades"], frame["statuses"]);
        let symbols = frame["trades"].as_array().unwrap().iter();
        asked.extend(symbols.map(|symbol| symbol.as_str().unwrap().to_owned()));
    }
    assert_eq!(asked, symbols);
    assert_eq!(pieces(&names(&["LONG"]), 1).count(), 1);
    assert_eq!(pieces(&[], 1).count(), 0);
}

#[test]
fn a_new_image_takes_an_unsubscribe_and_a_subscribe() {
    let alpaca = alpaca(&ALL, &[AlpacaFeed::Crypto, AlpacaFeed::Iex]);
    assert_eq!(
        alpaca.resubscribe("BTC/USD"),
        [
            r#"{"action":"unsubscribe","orderbooks":["BTC/USD"]}"#,
            r#"{"action":"subscribe","orderbooks":["BTC/USD"]}"#,
        ]
    );
    assert!(alpaca.resubscribe("AAPL").is_empty());
}

#[test]
fn a_login_is_json_whatever_the_keys_hold() {
    assert_eq!(
        auth_frame("PK\"1", "a\\b\n"),
        r#"{"action":"auth","key":"PK\"1","secret":"a\\b\n"}"#
    );
}

#[test]
fn discovery_asks_for_what_the_feeds_carry() {
    const CRYPTO: &str = "/v2/assets?asset_class=crypto&status=active";
    const STOCKS: &str = "/v2/assets?asset_class=us_equity&status=active";
    for (feeds, requests) in [
        (&[AlpacaFeed::Crypto][..], &[CRYPTO][..]),
        (&[AlpacaFeed::Iex, AlpacaFeed::Sip], &[STOCKS]),
        (&[AlpacaFeed::Test, AlpacaFeed::Crypto], &[CRYPTO, STOCKS]),
    ] {
        assert_eq!(alpaca(&ALL, feeds).discovery(), requests);
    }
}

#[test]
fn listings_are_those_that_a_feed_carries() {
    let stocks = br#"[{"class":"us_equity","symbol":"AAPL","status":"active","tradable":true}]"#;
    let crypto = br#"[{"class":"crypto","symbol":"BTC/USD","status":"active","tradable":true}]"#;
    for (feeds, body, symbols) in [
        (&[AlpacaFeed::Iex][..], &stocks[..], &["AAPL"][..]),
        (&[AlpacaFeed::Test], stocks, &["FAKEPACA"]),
        (&[AlpacaFeed::Test, AlpacaFeed::Sip], stocks, &["AAPL", "FAKEPACA"]),
        (&[AlpacaFeed::Test, AlpacaFeed::Crypto], crypto, &["BTC/USD"]),
        (&[AlpacaFeed::Sip], b"[]", &[]),
    ] {
        let listings = alpaca(&ALL, feeds).listings(body).unwrap();
        let listed: Vec<&str> = listings.iter().map(|listing| &*listing.symbol).collect();
        assert_eq!(listed, symbols);
    }
}
