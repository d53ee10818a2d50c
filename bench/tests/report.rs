//! What a run is turned into, from figures that are known.

use tickpath_bench::measurement::{Better, Measurement};
use tickpath_bench::report::bars::{ALL, At, Claim, Limit, Met, Of, Term, evaluate};
use tickpath_bench::report::document::{Document, Line};
use tickpath_bench::report::environment::Environment;
use tickpath_bench::report::{files, hgrm, page, section, table};
use tickpath_bench::samples::Samples;

fn environment() -> Environment {
    Environment {
        cpu: "Abacus".into(),
        cores: 2,
        memory_bytes: 1 << 30,
        kernel: "6.1".into(),
        governor: "none".into(),
        pinning: "cores 0 and 1".into(),
        clock: "tsc".into(),
        commit: "0123456789ab".into(),
        date: "2026-01-02T03:04:05Z".into(),
        rustc: "rustc 1.95.0".into(),
        profile: "release".into(),
        load_average: 0.1,
        quick: false,
        captures: "recorded".into(),
    }
}

fn latency(name: &str, ours: u64, floor: u64, peer: (&str, u64)) -> Measurement {
    let spread = |least: u64| Samples::of((0..1000).map(|n| least + n / 100));
    Measurement::new(name, "ns", Better::Lower, spread(ours))
        .floor("a floor", spread(floor))
        .peer(peer.0, spread(peer.1))
}

fn measurements() -> Vec<Measurement> {
    vec![
        latency("ring.broadcast.latency", 50, 30, ("rtrb", 80)).peer("iceoryx2", Samples::of([265; 200])),
        latency("decode.kraken.book", 100, 20, ("serde_json", 400)),
        latency("decode.kraken.trade", 50, 20, ("serde_json", 100)).note("a <note> & more"),
        Measurement::new(
            "relay.throughput.p3.r10",
            "records/s",
            Better::Higher,
            Samples::of([30_000_000]),
        ),
    ]
}

fn document() -> Document {
    Document::new(environment(), &measurements(), Vec::new())
}

#[track_caller]
fn bar(name: &str) -> (Option<f64>, Met) {
    let document = document();
    let bar = document.bars.iter().find(|bar| bar.name == name);
    let bar = bar.unwrap_or_else(|| panic!("no bar {name}"));
    (bar.value, bar.met)
}

#[test]
fn ratios_are_of_medians() {
    let document = document();
    let line = &document.measurements[0];
    let near = |ratio: Option<f64>, expected: f64| (ratio.unwrap() - expected).abs() < 0.01;
    assert!(near(line.ratio_to_floor, 54.0 / 34.0));
    assert!(near(line.ratio_to_best_peer, 54.0 / 84.0));
    assert_eq!(line.best_peer().unwrap().0, "rtrb");
}

#[test]
fn ratios_over_nothing_are_left_out() {
    let nothing = Measurement::new("a", "ns", Better::Lower, Samples::of([5])).floor("none", Samples::new(1.0));
    assert_eq!(Line::from(&nothing).ratio_to_floor, None);
    assert_eq!(Line::from(&nothing).ratio_to_best_peer, None);
}

#[test]
fn bars_are_met_missed_or_not_measured() {
    let (value, met) = bar("broadcast ring, one-way, over a bounced cache line");
    assert!((value.unwrap() - 54.0 / 34.0).abs() < 0.01);
    assert_eq!(met, Met::Yes);
    // 104/404 and 54/104: the geometric mean of 3.88 and 1.93.
    let (value, met) = bar("decoding, times faster than serde_json");
    assert!(
        (value.unwrap() - (404.0_f64 / 104.0 * 104.0 / 54.0).sqrt()).abs() < 0.02,
        "{value:?}"
    );
    assert_eq!(met, Met::No);
    assert_eq!(bar("decoding, times faster than serde_json, the worst type").1, Met::No);
    assert_eq!(bar("relay, 3 producers, 10 readers").1, Met::Yes);
    assert_eq!(bar("allocations on hot threads"), (None, Met::NotMeasured));
}

#[test]
fn formulas_say_what_they_compute() {
    const OURS: Term = Term::Figure("a", Of::Ours, At::P50);
    const FLOOR: Term = Term::Figure("a", Of::Floor, At::P99);
    let claim = Claim {
        name: "a claim",
        term: Term::Minus(&OURS, &Term::Times(2.0, &FLOOR)),
        limit: Limit::AtMost(10.0),
        unit: "ns",
    };
    let measured = [Line::from(&latency("a", 100, 50, ("peer", 1)))];
    let bar = claim.against(&measured);
    assert_eq!(bar.formula, "(a ours p50 − 2 × a floor p99)");
    assert_eq!((bar.value, bar.met), (Some(104.0 - 118.0), Met::Yes));
    assert_eq!(claim.against(&[]).met, Met::NotMeasured);
    assert!(evaluate(&[]).iter().all(|bar| bar.met == Met::NotMeasured));
    assert_eq!(evaluate(&[]).len(), ALL.len());
}

#[test]
fn the_document_reads_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("result.json");
    document().write(&path).unwrap();
    let read = Document::read(&path).unwrap();
    assert_eq!(read.environment, document().environment);
    // The last bit of a ratio may be lost on the way.
    let kept = |document: &Document| -> Vec<_> {
        let lines = document.measurements.iter();
        lines
            .map(|line| (line.name.clone(), line.ours, line.floor, line.peers.clone()))
            .collect()
    };
    assert_eq!(kept(&read), kept(&document()));
    let met = |document: &Document| document.bars.iter().map(|bar| (bar.limit, bar.met)).collect::<Vec<_>>();
    assert_eq!(met(&read), met(&document()));
}

/// As the reference prints it: a heading, four columns of numbers that only grow, the last line without an inverse, three comments.
#[test]
fn percentile_files_have_the_form_of_the_reference() {
    let mut samples = Samples::new(0.5);
    (1..=10_000).for_each(|value| samples.add(value));
    let text = hgrm::text(&samples);
    let lines: Vec<&str> = text.lines().collect();
    let heading: Vec<&str> = lines[0].split_whitespace().collect();
    assert_eq!(heading, ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"]);
    assert_eq!(lines[1], "");
    let rows: Vec<Vec<f64>> = lines[2..]
        .iter()
        .take_while(|line| !line.starts_with('#'))
        .map(|line| line.split_whitespace().map(|number| number.parse().unwrap()).collect())
        .collect();
    let (last, before) = rows.split_last().unwrap();
    assert_eq!((last[1], last[2], last.len()), (1.0, 10_000.0, 3));
    assert!((last[0] / 5_000.0 - 1.0).abs() < 0.001, "{last:?}");
    assert!(
        before
            .iter()
            .all(|row| row.len() == 4 && (row[3] - 1.0 / (1.0 - row[1])).abs() / row[3] < 0.01)
    );
    assert!(
        rows.windows(2)
            .all(|pair| (0..3).all(|column| pair[0][column] <= pair[1][column]))
    );
    let comments: Vec<&str> = lines.iter().filter(|line| line.starts_with("#[")).copied().collect();
    assert_eq!(comments.len(), 3);
    assert!(comments[1].contains("Total count    =        10000"), "{}", comments[1]);
}

#[test]
fn the_page_stands_alone_and_escapes() {
    let page = page::text(
        &document(),
        &[("decode.kraken.book".into(), "<svg id=\"p\"></svg>".into())],
    );
    for part in [
        "a &lt;note&gt; &amp; more",
        "<svg id=\"p\">",
        "geometric mean of serde_json / ours over decode.*",
        "Abacus",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("http") && !page.contains("<script"));
    assert!(page.contains("prefers-color-scheme: dark") && page.contains("width=device-width"));
}

#[test]
fn a_directory_holds_every_form() {
    let dir = tempfile::tempdir().unwrap();
    files::prepare(dir.path()).unwrap();
    files::write(dir.path(), &document(), &measurements()).unwrap();
    for name in [
        "result.json",
        "report.html",
        "plots/ring.broadcast.latency.svg",
        "hgrm/ring.broadcast.latency.ours.hgrm",
        "hgrm/ring.broadcast.latency.floor.hgrm",
        "hgrm/decode.kraken.book.serde_json.hgrm",
    ] {
        assert!(dir.path().join(name).is_file(), "{name}");
    }
    assert!(!dir.path().join("hgrm/relay.throughput.p3.r10.ours.hgrm").exists());
}

#[test]
fn the_table_shows_every_figure_and_bar() {
    let text = table::text(&document());
    for part in [
        "ring.broadcast.latency",
        "54 ns",
        "0.64 ×",
        "30.0 M",
        "≥ 20.0 M records/s",
        "met",
        "missed",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn the_section_goes_between_its_marks_and_nowhere_else() {
    let readme = format!("# A\n\n{}\nold\n{}\n\nrest\n", section::BEGIN, section::END);
    let section = section::text(&document());
    let once = section::replaced(&readme, &section).unwrap();
    assert_eq!(section::find(&once).unwrap(), section);
    assert_eq!(section::replaced(&once, &section).unwrap(), once);
    assert!(once.starts_with("# A\n\n") && once.ends_with("\n\nrest\n") && !once.contains("old"));
    for broken in [
        "no marks",
        section::BEGIN,
        &format!("{} {}", section::END, section::BEGIN),
        &readme.repeat(2),
    ] {
        assert!(section::replaced(broken, &section).is_err(), "{broken}");
    }
}

#[test]
fn a_smoke_run_is_not_written_into_the_readme() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("README.md");
    std::fs::write(&path, format!("{}\n{}\n", section::BEGIN, section::END)).unwrap();
    let mut document = document();
    document.environment.quick = true;
    assert!(
        section::write_into(&path, &document)
            .unwrap_err()
            .to_string()
            .contains("smoke run")
    );
    document.environment.quick = false;
    section::write_into(&path, &document).unwrap();
    assert!(std::fs::read_to_string(&path).unwrap().contains("`decode.kraken.book`"));
}

/// The project's own section: nothing yet, or what the code writes, whose rows have as many cells as the heading.
#[test]
fn the_readme_has_the_section_in_its_form() {
    let readme = include_str!("../../README.md");
    let section = section::find(readme).unwrap();
    if section.is_empty() {
        return;
    }
    let rows = section
        .strip_prefix(section::HEADING)
        .expect("the heading that the code writes");
    let (rows, rest) = rows.split_once("\n\n").expect("a text below the table");
    let cells = |row: &str| row.matches('|').count();
    for row in rows.lines() {
        assert!(
            row.starts_with("| `") && cells(row) == cells(section::HEADING.lines().next().unwrap()),
            "{row}"
        );
    }
    for part in [
        "bars met",
        "Measured on ",
        "commit ",
        "Ours, floor and peers took turns",
    ] {
        assert!(rest.contains(part), "{part}");
    }
}
