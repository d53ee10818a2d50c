use super::*;

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text, Path::new("tickpath.toml")).map_err(|error| error.to_string())
}

#[track_caller]
fn check_error(text: &str, expected: &[&str]) {
    let error = parse(text).expect_err("this configuration is wrong");
    for part in expected {
        assert!(error.contains(part), "`{error}` does not say `{part}`");
    }
}

#[test]
fn nothing_at_all_is_the_default() {
    assert_eq!(parse("").unwrap(), Config::default());
}

#[test]
fn errors_name_file_and_line() {
    check_error("\n[relay]\ncapcity = 5\n", &["tickpath.toml:3:", "capcity", "capacity"]);
    check_error(
        "[relay]\ncapacity = 1000\n",
        &["tickpath.toml:2:", "1000", "power of two"],
    );
    check_error("[relay]\n\nwait = \"nap\"\n", &["tickpath.toml:3:", "nap", "sleep"]);
    check_error(
        "[collectors.kraken]\nws_url = \"kraken\"",
        &["tickpath.toml:2:", "kraken", "wss://"],
    );
    check_error("[bridge]\nlisten = \"8080\"", &["tickpath.toml:2:"]);
    check_error("[collectors.krakn]\n", &["tickpath.toml:1:", "krakn", "kraken"]);
    check_error("[relay\n", &["tickpath.toml:1:"]);
    check_error("[relay]\npin = -1\n", &["tickpath.toml:2:"]);
    let misplaced = parse("[bridge]\nclients_max = \"s3cret\"\n").unwrap_err();
    assert!(
        misplaced.contains("string, expected") && !misplaced.contains("s3cret"),
        "{misplaced}"
    );
}

#[test]
fn what_does_not_fit_together_is_said_at_once() {
    check_error(
        "[relay]\npin = 1\nwait = \"spin\"\n[bridge]\npin = 1\nlisten = \"0.0.0.0:80\"\nclients_max = 0\n[collectors.kraken]\ndepth = 11\nsymbols = []\n",
        &[
            "both pin to core 1",
            "not loopback",
            "clients_max",
            "depth` 11",
            "symbols` is empty",
        ],
    );
}

#[test]
fn beyond_loopback_with_tls_or_a_word() {
    let remote = "[bridge]\nlisten = \"0.0.0.0:443\"\n";
    check_error(remote, &["not loopback", "tls_certificate", "allow_plaintext"]);
    let tls = "tls_certificate = \"/etc/tickpath/chain.pem\"\n";
    check_error(&format!("{remote}{tls}"), &["tls_key", "together"]);
    for enough in [
        "allow_plaintext = true\n",
        &format!("{tls}tls_key = \"/etc/tickpath/key.pem\"\n"),
    ] {
        assert_eq!(parse(&format!("{remote}{enough}")).map(|_| ()), Ok(()));
    }
}

#[test]
fn a_core_is_shared_by_those_who_give_it_away() {
    for wait in ["yield", "sleep"] {
        let text = format!("[relay]\npin = 1\nwait = \"yield\"\n[collectors.kraken]\npin = 1\nwait = \"{wait}\"\n");
        assert_eq!(parse(&text).unwrap().relay.pin, Some(1));
    }
    check_error(
        "[relay]\npin = 1\nwait = \"yield\"\n[collectors.kraken]\npin = 1\nwait = \"spin\"\n",
        &["both pin to core 1", "yield"],
    );
}

#[test]
fn a_configuration_reads_back() {
    let text = "venues = \"live\"\n[relay]\npin = 1\n[simulator]\nspeed = \"max\"\n[collectors.kraken]\ndepth = 25\nsymbols = [\"*/USD\"]\n";
    let config = parse(text).unwrap();
    assert_eq!(parse(&config.to_toml()).unwrap(), config);
    assert_eq!(parse(&Config::default().to_toml()).unwrap(), Config::default());
}

#[test]
fn collectors_get_their_venue_s_defaults() {
    let simulated = Config::default().enabled_collectors();
    assert_eq!(
        simulated.iter().map(|(venue, _)| *venue).collect::<Vec<_>>(),
        Venue::market_data()
    );
    assert_eq!(
        simulated[2].1.ws_url.as_ref().unwrap().as_str(),
        "ws://127.0.0.1:8090/kraken"
    );
    let live = parse("venues = \"live\"\n[collectors.coinbase]\ncoinbase_feed = \"advanced\"\n").unwrap();
    let live = live.enabled_collectors();
    assert_eq!(live.len(), 3, "Alpaca asks for keys and is off against the real venue");
    assert_eq!(
        live[1].1.ws_url.as_ref().unwrap().as_str(),
        "wss://advanced-trade-ws.coinbase.com"
    );
    let off = parse("[collectors.kraken]\nenabled = false\n").unwrap();
    assert!(
        off.enabled_collectors()
            .iter()
            .all(|(venue, _)| *venue != Venue::KRAKEN)
    );
}

/// The shipped reference, with its optional keys switched on, is read; without them it is the default.
#[test]
fn the_example_states_every_key_and_its_default() {
    let example = include_str!("../../../tickpath.example.toml");
    assert_eq!(parse(example).unwrap(), Config::default());
    let all_on: String = example.lines().map(|line| uncomment(line).to_owned() + "\n").collect();
    assert_eq!(parse(&all_on).unwrap().relay.pin, Some(1));
    let keys = |text: &str| -> std::collections::BTreeSet<String> {
        let assignments = text.lines().filter_map(|line| line.split_once(" = "));
        assignments
            .map(|(key, _)| key.to_owned())
            .filter(|key| !key.contains(['#', ' ']))
            .collect()
    };
    let mut config = Config::default();
    config.relay.pin = Some(0);
    config.bridge.traces_url = "http://127.0.0.1:4318".parse().ok();
    let collector = config.enabled_collectors().remove(2).1;
    config.collectors.kraken = Collector {
        pin: Some(0),
        ..collector
    };
    assert_eq!(keys(&all_on), keys(&config.to_toml()));
}

/// `# key = value` without its comment sign; prose stays prose.
fn uncomment(line: &str) -> &str {
    match line
        .strip_prefix("# ")
        .and_then(|rest| rest.split_once(" = ").map(|(key, _)| (rest, key)))
    {
        Some((rest, key)) if !key.contains(' ') => rest,
        _ => line,
    }
}

#[test]
fn the_simulated_venue_says_what_it_cannot_take() {
    let maker = "[[engine.strategy]]\nname = \"m\"\nkind = \"avellaneda\"\ninstruments = [\"coinbase:BTC-USD\"]\n";
    let at_venue = format!("[engine]\nvenue = \"simulated\"\n{maker}");
    parse(&at_venue).unwrap();
    for (text, says) in [
        ("[engine]\nvenue = \"simulated\"\n".to_owned(), "trades kraken:BTC/USD"),
        (format!("venues = \"live\"\n{at_venue}"), "real markets"),
        (
            format!("[simulator]\nreplay = \"/tmp\"\n{at_venue}"),
            "synthetic market",
        ),
        (format!("[simulator]\napi_key = \"\"\n{at_venue}"), "api_key"),
        (format!("{at_venue}[engine.simulated]\ntimeout_ms = 1\n"), "timeout_ms"),
    ] {
        let error = parse(&text).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    parse("[engine]\nvenue = \"live\"\n").unwrap_err();
}

#[test]
fn strategies_know_their_lines() {
    let text = "\n[[engine.strategy]]\nname = \"a\"\nkind = \"sma\"\ninstruments = [\"kraken:BTC/USD\"]\n\n[[engine.strategy]]\nname = \"b\"\nkind = \"rsi\"\ninstruments = [\"kraken:ETH/USD\"]\n[engine.strategy.parameters]\nfast = 5\n";
    let config = parse(text).unwrap();
    let lines = &config.engine.strategy[1].lines;
    assert_eq!((lines.header, lines.of("fast"), lines.of("unknown")), (7, 12, 7));
    check_error(
        "[[engine.strategy]]\nname = \"a\"\nkind = \"sma\"\ninstruments = [\"BTC/USD\"]\n",
        &["tickpath.toml:4:", "kraken:BTC/USD"],
    );
    check_error(
        "[engine.paper]\ntaker_fee_percent = \"a\"\n",
        &["tickpath.toml:2:", "no number"],
    );
    check_error("[engine.watchdog]\nstale_ms = 5\n", &["stale_ms", "below 1000"]);
}
