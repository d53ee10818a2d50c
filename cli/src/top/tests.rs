//! The screen on made-up pages of counters.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::style::{Color, Modifier};
use tickpath_transport::CounterPage;

use super::look::Look;
use super::model::{Flow, Model, Section};
use super::process::Usage;
use super::view::{self, Palette};
use crate::sample::tests::sample;

/// Pages of a small pipeline; what a test changes it finds by name and labels.
fn pages() -> Vec<CounterPage> {
    let kraken = "venue=\"kraken\"";
    let relay = CounterPage::create("relay").unwrap();
    relay.counter("tickpath_relay_records_out_total", "", "").add(10_000);
    relay.counter("tickpath_relay_records_in_total", kraken, "").add(10_000);
    relay.counter("tickpath_relay_records_lost_total", kraken, "").add(0);
    relay.gauge("tickpath_relay_ring_used_records", kraken, "").set(12);
    relay
        .gauge("tickpath_relay_ring_capacity_records", kraken, "")
        .set(1024);
    relay
        .latency("tickpath_relay_recv_to_publish_ns", kraken, "")
        .record(4_100);
    let collector = CounterPage::create("collector-kraken").unwrap();
    collector
        .counter("tickpath_publisher_records_total", kraken, "")
        .add(10_000);
    collector.counter("tickpath_publisher_dropped_total", kraken, "").add(0);
    collector
        .gauge("tickpath_publisher_ring_used_records", kraken, "")
        .set(900);
    collector
        .gauge("tickpath_publisher_ring_capacity_records", kraken, "")
        .set(1024);
    collector
        .counter("tickpath_collector_records_total", kraken, "")
        .add(9_000);
    collector.counter("tickpath_collector_gaps_total", kraken, "").add(3);
    collector.gauge("tickpath_collector_connected", kraken, "").set(1);
    collector.gauge("tickpath_collector_books", kraken, "").set(2);
    collector.gauge("tickpath_collector_books_trusted", kraken, "").set(1);
    collector
        .gauge("tickpath_collector_last_recv_ns", kraken, "")
        .set(1_700_000_000_000_000_000);
    vec![relay, collector, recorder(), engine()]
}

fn recorder() -> CounterPage {
    let page = CounterPage::create("recorder").unwrap();
    page.counter("tickpath_subscription_records_total", "reader=\"recorder\"", "")
        .add(9_990);
    page.counter("tickpath_subscription_lapped_total", "reader=\"recorder\"", "")
        .add(7);
    page.gauge("tickpath_subscription_lag_records", "reader=\"recorder\"", "")
        .set(55);
    page.gauge("tickpath_recorder_stopped", "", "").set(0);
    page.gauge("tickpath_recorder_recorded_position", "", "").set(9_958);
    page.gauge("tickpath_recorder_journal_bytes", "", "").set(201 << 20);
    page.gauge("tickpath_recorder_journal_bytes_max", "", "").set(0);
    page.gauge("tickpath_database_connected", "", "").set(0);
    page.gauge("tickpath_database_behind_records", "", "").set(123_456);
    page
}

fn engine() -> CounterPage {
    let page = CounterPage::create("engine").unwrap();
    page.gauge("tickpath_engine_phase", "", "").set(3);
    page.gauge("tickpath_engine_killed", "", "").set(0);
    page.gauge("tickpath_engine_halted", "", "").set(0);
    page.counter("tickpath_engine_fills_total", "", "").add(17);
    page.gauge("tickpath_engine_strategy_state", "strategy=\"maker\"", "")
        .set(1);
    page.gauge("tickpath_engine_strategy_permission", "strategy=\"maker\"", "")
        .set(1);
    page.gauge("tickpath_engine_pnl_e8", "strategy=\"maker\",currency=\"USD\"", "")
        .set(-1_234_567_890);
    page.gauge("tickpath_engine_pnl_e8", "strategy=\"all\",currency=\"USD\"", "")
        .set(500_000_000);
    let position = "strategy=\"maker\",instrument=\"kraken:BTC/USD\",decimals=\"8\"";
    page.gauge("tickpath_engine_position", position, "").set(-2_500_000);
    page
}

fn look(pages: &[CounterPage], second: u64) -> Look {
    let usage = Usage {
        state: 'R',
        busy: Duration::from_millis(250 * second),
        at: epoch() + Duration::from_secs(second),
        pins: BTreeSet::from([1]),
    };
    Look {
        sample: Ok(sample(pages, second)),
        // The last process is gone.
        usage: (1..pages.len()).map(|_| Some(usage.clone())).chain([None]).collect(),
        kill: Some(("kill switch armed: strategies may trade".into(), false)),
        restarts: vec![("relay".into(), 2)],
    }
}

fn epoch() -> Instant {
    static EPOCH: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *EPOCH.get_or_init(Instant::now)
}

/// Two looks, a second and 500 records apart.
fn model() -> Model {
    let pages = pages();
    let mut model = Model::new(PathBuf::from("/run/relay.sock"));
    assert!(model.take(look(&pages, 1)));
    pages[0].counter("tickpath_relay_records_out_total", "", "").add(500);
    assert!(model.take(look(&pages, 2)));
    model
}

fn drawn(model: &mut Model, width: u16, height: u16, palette: Palette) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view::draw(frame, model, palette)).unwrap();
    terminal
}

fn screen(model: &mut Model, width: u16, height: u16) -> Vec<String> {
    let terminal = drawn(model, width, height, Palette::Colours);
    let cells = terminal.backend().buffer().content().chunks(width.into());
    let lines = cells.map(|row| row.iter().map(|cell| cell.symbol()).collect::<String>());
    lines.map(|line| line.trim_end().to_owned()).collect()
}

#[track_caller]
fn line<'a>(screen: &'a [String], word: &str) -> &'a str {
    let found = screen.iter().find(|line| line.trim_start().starts_with(word));
    found.unwrap_or_else(|| panic!("no line {word} in\n{}", screen.join("\n")))
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

fn press(model: &mut Model, code: KeyCode) -> Flow {
    model.press(KeyEvent::new(code, KeyModifiers::NONE))
}

#[test]
fn everything_is_on_the_first_screen() {
    let screen = screen(&mut model(), 150, 60);
    assert!(
        screen[0].contains("500 records/s") && screen[0].contains("lapped 7"),
        "{}",
        screen[0]
    );
    assert!(
        !screen[0].contains("p99"),
        "nothing was measured within the window: {}",
        screen[0]
    );
    assert_eq!(
        words(line(&screen, "relay "))[2..8],
        ["run", "1", "25", "0.0", "500", "12"]
    );
    assert!(line(&screen, "relay ").ends_with('2'), "restarts");
    assert_eq!(words(line(&screen, "collector-kraken"))[7], "900");
    assert_eq!(words(line(&screen, "engine "))[2], "gone");
    assert_eq!(
        words(line(&screen, "kraken"))[1..7],
        ["up", "-", "0.0", "1/2", "2.00", "s"]
    );
    // Published are 10,500, recorded 9,958.
    let journal = screen.iter().position(|line| line == "journal").unwrap();
    assert_eq!(words(&screen[journal + 2])[..3], ["recorder", "writes", "542"]);
    assert!(screen[journal + 2].contains("201.0 MiB") && screen[journal + 2].contains("none"));
    assert!(
        screen
            .iter()
            .any(|line| words(line).starts_with(&["recorder", "away", "123,456"]))
    );
    assert_eq!(
        words(line(&screen, "maker     running")),
        ["maker", "running", "reduce", "-12.34", "USD"]
    );
    assert_eq!(words(line(&screen, "all     ")), ["all", "-", "-", "5.00", "USD"]);
    assert!(
        screen
            .iter()
            .any(|line| words(line) == ["maker", "kraken:BTC/USD", "-0.02500000"])
    );
}

#[test]
fn keys_choose_the_section_and_scroll() {
    let mut model = model();
    assert_eq!(press(&mut model, KeyCode::Tab), Flow::On);
    assert_eq!(model.section, Section::Processes);
    assert!(!screen(&mut model, 150, 40).iter().any(|line| line == "journal"));
    press(&mut model, KeyCode::Right);
    press(&mut model, KeyCode::Right);
    assert_eq!(model.section, Section::Latency);
    press(&mut model, KeyCode::Left);
    press(&mut model, KeyCode::BackTab);
    press(&mut model, KeyCode::BackTab);
    press(&mut model, KeyCode::BackTab);
    assert_eq!(model.section, Section::Trading, "it goes round");
    press(&mut model, KeyCode::Char('1'));
    assert_eq!(model.section, Section::All);
    let first = screen(&mut model, 150, 10)[2].clone();
    press(&mut model, KeyCode::Down);
    assert_ne!(screen(&mut model, 150, 10)[2], first);
    (0..1_000).for_each(|_| assert_eq!(press(&mut model, KeyCode::PageDown), Flow::On));
    let last = screen(&mut model, 150, 10);
    assert!(!last[8].is_empty(), "the end stays at the bottom: {last:?}");
    press(&mut model, KeyCode::Up);
    assert_ne!(
        screen(&mut model, 150, 10),
        last,
        "what was scrolled beyond the end need not be scrolled back"
    );
    for code in [KeyCode::Char('q'), KeyCode::Esc] {
        assert_eq!(press(&mut model, code), Flow::Quit);
    }
    assert_eq!(
        model.press(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)),
        Flow::Quit
    );
}

#[test]
fn a_pause_stands_still() {
    let mut model = model();
    press(&mut model, KeyCode::Char('p'));
    let before = screen(&mut model, 150, 40);
    assert!(before[0].contains("PAUSED"));
    let others = pages();
    assert!(!model.take(look(&others, 9)));
    assert_eq!(screen(&mut model, 150, 40), before);
    press(&mut model, KeyCode::Char('p'));
    assert!(model.take(look(&others, 10)));
}

#[test]
fn a_latched_kill_switch_shows_on_a_narrow_screen_too() {
    let mut model = model();
    let pages = pages();
    model.take(Look {
        kill: Some(("kill switch LATCHED (kill): by hand".into(), true)),
        ..look(&pages, 3)
    });
    assert!(screen(&mut model, 60, 10)[0].contains("LATCHED (kill)"));
    let terminal = drawn(&mut model, 60, 10, Palette::Colours);
    assert_eq!(terminal.backend().buffer()[(12, 0)].fg, Color::Red);
}

#[test]
fn no_relay_is_said_and_a_lost_one_too() {
    let gone = || Look {
        sample: Err("no such file".into()),
        usage: Vec::new(),
        kill: None,
        restarts: Vec::new(),
    };
    let mut model = Model::new(PathBuf::from("/run/relay.sock"));
    assert!(screen(&mut model, 80, 10)[2].contains("looking for the relay"));
    model.take(gone());
    let text = screen(&mut model, 60, 12).concat();
    for expected in [
        "no relay answers on /run/relay.sock",
        "no such file",
        "tickpath up",
        "tries again",
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    let pages = pages();
    model.take(look(&pages, 1));
    model.take(gone());
    let lost = screen(&mut model, 150, 40);
    assert!(lost[0].contains("these are old"), "{}", lost[0]);
    line(&lost, "collector-kraken");
    // The next relay is another process: nothing is compared with the one before.
    let restarted = self::pages();
    model.take(look(&restarted, 5));
    let back = screen(&mut model, 150, 40);
    assert!(
        !back[0].contains("old") && back[0].contains("0.0 records/s"),
        "{}",
        back[0]
    );
}

#[test]
fn no_size_is_too_small_to_survive() {
    let mut model = model();
    for section in Section::ALL {
        model.section = section;
        for width in [1, 2, 10, 23, 24, 40, 80, 300] {
            for height in [1, 2, 4, 5, 7, 24, 90] {
                let screen = screen(&mut model, width, height);
                assert_eq!(screen.len(), usize::from(height));
            }
        }
    }
    assert!(screen(&mut model, 20, 10)[0].contains("too small"));
    model.section = Section::Processes;
    let narrow = screen(&mut model, 40, 20);
    assert_eq!(
        words(line(&narrow, "relay ")).len(),
        4,
        "columns that do not fit are left out: {narrow:?}"
    );
}

#[test]
fn colours_are_a_choice() {
    for (value, expected) in [
        (None, Palette::Colours),
        (Some(""), Palette::Colours),
        (Some("1"), Palette::Plain),
    ] {
        assert_eq!(Palette::of_environment(value.map(OsStr::new)), expected);
    }
    let styles = |palette| {
        let terminal = drawn(&mut model(), 150, 60, palette);
        let cells = terminal.backend().buffer().content().to_vec();
        cells
            .into_iter()
            .map(|cell| (cell.fg, cell.modifier))
            .collect::<Vec<_>>()
    };
    let coloured = styles(Palette::Colours);
    for colour in [Color::Red, Color::Yellow, Color::Green] {
        assert!(coloured.iter().any(|(fg, _)| *fg == colour), "{colour:?}");
    }
    let plain = styles(Palette::Plain);
    assert!(plain.iter().all(|(fg, _)| *fg == Color::Reset), "no colour at all");
    assert!(
        plain.iter().any(|(_, modifier)| modifier.contains(Modifier::REVERSED)),
        "faults show all the same"
    );
}

#[test]
fn once_prints_all_sections_without_escapes() {
    let text = view::text(&model());
    for expected in [
        "processes\n",
        "venues\n",
        "latency of the last 1.0 s\n",
        "journal\n",
        "database\n",
        "strategies\n",
        "positions\n",
    ] {
        assert!(text.contains(expected), "{expected} in\n{text}");
    }
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn an_empty_pipeline_says_what_is_missing() {
    let mut model = Model::new(PathBuf::new());
    model.take(Look {
        sample: Ok(sample(&[], 1)),
        usage: Vec::new(),
        kill: None,
        restarts: Vec::new(),
    });
    let text = view::text(&model);
    for expected in [
        "no process is attached",
        "no collector",
        "no recorder",
        "no database",
        "no engine",
    ] {
        assert!(text.contains(expected), "{expected} in\n{text}");
    }
}
