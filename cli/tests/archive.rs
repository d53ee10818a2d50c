//! `tickpath export`, `verify`, `gc` and `replay` as people run them: captures to a journal to Parquet, killed at random, given nonsense.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use support::place::{Place, analysis, decoded_lines, stdout};
use support::{binary, capture_roots, stderr, tickpath};
use tickpath_collectors::offline::decode_capture;
use tickpath_protocol::{Instrument, Record, Venue};
use tickpath_storage::archive::place::inventory;
use tickpath_storage::journal::{Appender, Journal, Settings};

/// Kills of an export that is repeated until it ends.
const KILLS: u64 = 25;

/// Records and instruments of a capture.
fn decoded(venue: Venue, dir: &Path) -> (Vec<Record>, Vec<Instrument>) {
    let (mut records, mut instruments) = (Vec::new(), Vec::new());
    decode_capture(venue, dir, |record, table| {
        if instruments.len() < table.len() {
            instruments = table.iter().cloned().collect();
        }
        records.push(*record);
    })
    .unwrap();
    (records, instruments)
}

/// The captures of a root, one after the other, as the journal that a recorder would have written of them; the venues.
fn journal_of(root: &Path, journal: &Path, times: usize) -> Vec<Venue> {
    let mut appender = Appender::open(journal, Settings::default()).unwrap();
    let mut found = Vec::new();
    for venue in [Venue::BINANCE, Venue::COINBASE, Venue::KRAKEN] {
        let dir = root.join(venue.to_string());
        if !dir.join("ws.tsv").is_file() {
            continue;
        }
        found.push(venue);
        appender.begin_run(u64::from(venue.0)).unwrap();
        let (records, instruments) = decoded(venue, &dir);
        for instrument in &instruments {
            appender.instrument(instrument).unwrap();
        }
        for _ in 0..times {
            for records in records.chunks(500) {
                let published: Vec<i64> = records.iter().map(|record| record.ts_recv + 20_000).collect();
                appender.append(appender.next_position(), records, &published).unwrap();
            }
        }
    }
    appender.seal().unwrap();
    found
}

fn own_captures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../collectors/tests/captures")
}

#[test]
fn captures_are_exported_once_and_verify() {
    let place = Place::new();
    journal_of(&own_captures(), &place.journal(), 1);
    let first = place.export(&["--daily"]);
    assert!(first.status.success(), "{}", stderr(&first));
    let verified = place.verify();
    assert!(verified.status.success(), "{}{}", stdout(&verified), stderr(&verified));
    assert!(stdout(&verified).contains(" 0 differences"), "{}", stdout(&verified));
    let before = place.contents();
    let second = place.export(&["--daily"]);
    assert!(
        stdout(&second).starts_with("0 partitions written (0 rows, 0 bytes)"),
        "{}",
        stdout(&second)
    );
    assert_eq!(place.contents(), before);
}

#[test]
fn collection_says_what_it_would_delete_before_it_does() {
    let place = Place::new();
    journal_of(&own_captures(), &place.journal(), 1);
    let (journal, archive) = (
        place.journal().display().to_string(),
        place.archive().display().to_string(),
    );
    let segments = || {
        fs::read_dir(place.journal())
            .unwrap()
            .filter(|entry| {
                entry
                    .as_ref()
                    .unwrap()
                    .path()
                    .extension()
                    .is_some_and(|extension| extension == "journal")
            })
            .count()
    };
    let count = segments();
    fs::create_dir(place.archive()).unwrap();
    let nothing = tickpath(&["gc", "--journal", &journal, "--archive", &archive]);
    assert!(
        stdout(&nothing).contains("is not in the archive"),
        "{}",
        stdout(&nothing)
    );
    place.export(&[]);
    let dry = tickpath(&["gc", "--journal", &journal, "--archive", &archive, "--dry-run"]);
    assert!(
        stdout(&dry).contains("would delete"),
        "{}{}",
        stdout(&dry),
        stderr(&dry)
    );
    assert_eq!(segments(), count);
    let real = tickpath(&["gc", "--journal", &journal, "--archive", &archive]);
    assert!(real.status.success(), "{}", stderr(&real));
    assert_eq!(segments(), 0);
    // A database that was configured and cannot be asked keeps everything.
    journal_of(&own_captures(), &place.dir.path().join("other"), 1);
    let config = place.dir.path().join("tickpath.toml");
    fs::write(&config, "[database]\nurl = \"postgres://nobody@127.0.0.1:1/none\"\n").unwrap();
    let other = place.dir.path().join("other").display().to_string();
    let refused = tickpath(&[
        "gc",
        "--config",
        &config.display().to_string(),
        "--journal",
        &other,
        "--archive",
        &archive,
    ]);
    assert_eq!(refused.status.code(), Some(3), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("nothing is deleted"), "{}", stderr(&refused));
}

/// Whenever an export is killed, what stands in its place is whole, and the one that ends makes the files that an undisturbed one makes.
#[test]
fn an_export_that_is_killed_leaves_nothing_that_looks_whole() {
    let (place, undisturbed) = (Place::new(), Place::new());
    journal_of(&own_captures(), &place.journal(), 20);
    let from = place.journal().display().to_string();
    let to = undisturbed.archive().display().to_string();
    let done = tickpath(&["export", "--journal", &from, "--to", &to]);
    assert!(done.status.success(), "{}", stderr(&done));
    let mut killed = 0;
    for round in 0..KILLS {
        let mut child = Command::new(binary("tickpath"))
            .args([
                "export",
                "--journal",
                &from,
                "--to",
                &place.archive().display().to_string(),
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // The moment is what this test varies; nothing depends on how long it takes.
        std::thread::sleep(Duration::from_millis(round * 37 % 400));
        child.kill().unwrap();
        killed += u64::from(!child.wait().unwrap().success());
        for partition in inventory(&place.archive()).unwrap().partitions {
            let theirs = undisturbed.archive().join(partition.path());
            for entry in fs::read_dir(theirs).unwrap() {
                let path = entry.unwrap().path();
                let ours = place.archive().join(partition.path()).join(path.file_name().unwrap());
                assert!(
                    fs::read(&ours).unwrap() == fs::read(&path).unwrap(),
                    "{} after kill {round}",
                    ours.display()
                );
            }
        }
    }
    assert!(killed > 0, "every export ended before it was killed");
    let done = place.export(&[]);
    assert!(done.status.success(), "{}", stderr(&done));
    assert!(place.contents() == undisturbed.contents());
    assert!(place.verify().status.success());
}

#[test]
fn nonsense_is_refused_in_words() {
    let place = Place::new();
    journal_of(&own_captures(), &place.journal(), 1);
    let (journal, archive) = (
        place.journal().display().to_string(),
        place.archive().display().to_string(),
    );
    let empty = place.dir.path().join("empty").display().to_string();
    fs::create_dir(&empty).unwrap();
    fs::write(place.dir.path().join("file"), "x").unwrap();
    let file = place.dir.path().join("file/below").display().to_string();
    let cases: [(&[&str], i32, &str); 11] = [
        (&["export", "--journal", &empty, "--to", &archive], 2, "no journal in"),
        (
            &[
                "export",
                "--journal",
                &journal,
                "--to",
                &archive,
                "--date",
                "1999-01-01",
            ],
            2,
            "holds no record of 1999-01-01; it holds",
        ),
        (
            &["export", "--journal", &journal, "--to", &archive, "--date", "yesterday"],
            2,
            "is no day: write it as",
        ),
        (&["export", "--journal", &journal, "--to", &file], 1, "cannot make"),
        // A folder that even root may not write in.
        (
            &["export", "--journal", &journal, "--to", "/sys/kernel/archive"],
            1,
            "cannot make /sys/kernel/archive",
        ),
        (
            &["export", "--from", "timescale", "--to", &archive],
            2,
            "no database is configured",
        ),
        (&["verify", &empty], 2, "holds no partition"),
        (&["verify", "/does/not/exist"], 2, "is no folder"),
        (&["replay", &empty], 2, "neither a journal"),
        (&["replay", &journal, "--from", "2200-01-01"], 2, "has no record"),
        (&["replay", &journal, "--from", "noon"], 2, "is no time"),
    ];
    for (args, code, words) in cases {
        let output = tickpath(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(words), "{args:?}: {}", stderr(&output));
    }
}

/// A journal with a damaged batch is exported up to no day, and the file is named; a foreign file among its segments is named too.
#[test]
fn a_damaged_journal_is_not_exported() {
    let place = Place::new();
    journal_of(&own_captures(), &place.journal(), 20);
    let first = Journal::open(&place.journal())
        .unwrap()
        .segments()
        .unwrap()
        .swap_remove(0);
    let name = first.path.file_name().unwrap().to_string_lossy().into_owned();
    let whole = fs::read(&first.path).unwrap();
    let mut damaged = whole.clone();
    damaged[first.header.record_offset(100) as usize] ^= 1;
    for content in [damaged, b"no journal at all".to_vec()] {
        fs::write(&first.path, content).unwrap();
        let output = place.export(&[]);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains(&name), "{}", stderr(&output));
        assert!(inventory(&place.archive()).unwrap().partitions.is_empty());
    }
    fs::write(&first.path, whole).unwrap();
    assert!(place.export(&[]).status.success());
}

/// A disk that takes no more: here a limit on the size of files, which every file system knows.
#[test]
fn a_full_disk_is_said_and_leaves_no_partition() {
    let place = Place::new();
    journal_of(&own_captures(), &place.journal(), 20);
    let script = "ulimit -f 4; trap '' XFSZ; exec \"$0\" export --journal \"$1\" --to \"$2\"";
    let output = Command::new("bash")
        .args(["-c", script])
        .arg(binary("tickpath"))
        .args([place.journal(), place.archive()])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("File too large"), "{}", stderr(&output));
    assert!(inventory(&place.archive()).unwrap().leftovers.is_empty());
    let done = place.export(&[]);
    assert!(done.status.success(), "{}", stderr(&done));
    assert!(place.verify().status.success());
}

/// DuckDB's own count and sums over the archive equal what `tickpath decode` prints, for every set of captures.
#[test]
#[ignore = "wants a Python with the packages of analysis/requirements.txt in TICKPATH_TEST_PYTHON: scripts/test analysis"]
fn duckdb_counts_what_decode_prints() {
    for root in capture_roots() {
        let place = Place::new();
        let venues = journal_of(&root, &place.journal(), 1);
        let lines: Vec<PathBuf> = venues
            .iter()
            .map(|venue| decoded_lines(&root, &venue.to_string(), &place))
            .collect();
        let done = place.export(&[]);
        assert!(done.status.success(), "{}", stderr(&done));
        eprintln!("{}: {}", root.display(), analysis("check.py", &place, &lines).trim());
        analysis("plots.py", &place, &[place.dir.path().join("plots")]);
    }
}
