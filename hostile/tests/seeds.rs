//! Seeds that are made by code: run `cargo test -p tickpath-hostile --test seeds -- --ignored` to write them into the corpus again.

use std::fs;
use std::path::Path;

use tickpath_hostile::journal::seed;
use tickpath_journal::{Appender, Settings};
use tickpath_protocol::{Flags, Instrument, InstrumentId, InstrumentRow, Kind, Record, Scale, Venue};
use tickpath_transport::message::{
    Hello, Refusal, RefusalCode, Role, Start, Welcome, encode_numbers, encode_rows, kind,
};

fn write(target: &str, name: &str, bytes: &[u8]) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join(name), bytes).unwrap();
}

fn record(n: u64) -> Record {
    Record {
        kind: Kind::Trade as u8,
        venue: Venue::KRAKEN.0,
        flags: Flags::BID.with(Flags::LAST).0,
        scale: Scale::new(2, 8).unwrap().to_byte(),
        instrument: InstrumentId::new(Venue::KRAKEN, 0).0,
        sequence: n + 1,
        ts_event: n as i64,
        ts_recv: 1_000 + n as i64,
        price: 100 + n as i64,
        size: 1,
    }
}

fn instrument() -> Instrument {
    Instrument {
        id: InstrumentId::new(Venue::KRAKEN, 0),
        symbol: "BTC/USD".into(),
        name: "BTC/USD".into(),
        scale: Scale::new(2, 8).unwrap(),
        tick: 1,
        lot: 1,
    }
}

/// Open and sealed segments of a few batches.
#[test]
#[ignore = "writes into the source tree"]
fn journals() {
    for (name, batches, is_sealed) in [("one", 1, true), ("open", 2, false), ("sealed", 3, true)] {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings {
            segment_records: 64,
            row_reserve: 4,
            ..Settings::default()
        };
        let mut appender = Appender::open(dir.path(), settings).unwrap();
        appender.begin_run(7).unwrap();
        appender.instrument(&instrument()).unwrap();
        for batch in 0..batches {
            let records: Vec<Record> = (batch * 5..batch * 5 + 5).map(record).collect();
            let published: Vec<i64> = records.iter().map(|record| record.ts_recv + 9).collect();
            appender.append(batch * 5, &records, &published).unwrap();
        }
        appender.sync().unwrap();
        if is_sealed {
            appender.seal().unwrap();
        }
        let mut files: Vec<_> = fs::read_dir(dir.path())
            .unwrap()
            .map(|file| file.unwrap().path())
            .collect();
        files.sort();
        let of = |extension: &str| {
            files
                .iter()
                .find(|path| path.extension().is_some_and(|it| it == extension))
        };
        let (Some(records), Some(batches)) = (of("journal"), of("batches")) else {
            continue;
        };
        write(
            "journal",
            name,
            &seed(&fs::read(records).unwrap(), &fs::read(batches).unwrap()),
        );
    }
}

#[test]
#[ignore = "writes into the source tree"]
fn handshakes() {
    for role in Role::ALL {
        let mut bytes = vec![200];
        let hello = Hello {
            role,
            venue: if role.produces() { Venue::KRAKEN } else { Venue::NONE },
            name: "collector-kraken".into(),
            pid: 4_711,
            run_id: 9,
            next: 1,
            start: Start::Oldest,
        };
        hello.encode(&mut bytes);
        encode_numbers(&mut bytes, kind::IMAGES_WANTED, []);
        write("handshake", &format!("{}.bin", role.name()), &bytes);
    }
    let mut bytes = vec![6];
    let welcome = Welcome {
        run_id: 5,
        rows: 1,
        pid: 4_712,
        position: 88,
    };
    welcome.encode(&mut bytes);
    encode_rows(&mut bytes, &[InstrumentRow::encode(&instrument()).unwrap()]);
    encode_numbers(&mut bytes, kind::RUNS, [u64::from(Venue::KRAKEN.0), 9]);
    encode_numbers(&mut bytes, kind::LAPPED, [7, 8]);
    Refusal::new(RefusalCode::Malformed, "no").encode(&mut bytes);
    write("handshake", "relay.bin", &bytes);
}

#[test]
#[ignore = "writes into the source tree"]
fn configurations() {
    let example = include_str!("../../tickpath.example.toml");
    write("config", "example.toml", example.as_bytes());
    let (mut part, mut number) = (String::new(), 0);
    let mut flush = |part: &mut String| {
        if !part.trim().is_empty() {
            number += 1;
            write("config", &format!("part-{number}.toml"), part.as_bytes());
        }
        part.clear();
    };
    for line in example
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
    {
        if line.starts_with('[') {
            flush(&mut part);
        }
        part.push_str(line);
        part.push('\n');
    }
    flush(&mut part);
}
