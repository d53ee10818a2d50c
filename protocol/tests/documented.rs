//! `docs/records.md` states the codes that the code has.

use tickpath_protocol::trading::Reason;
use tickpath_protocol::{Flags, GapCause, Kind, StatusCode, Venue};

const DOCUMENT: &str = include_str!("../../docs/records.md");

/// The first cells of the rows of a section's first table, header and rule left out.
fn rows(heading: &str) -> Vec<Vec<&'static str>> {
    let section = DOCUMENT.split(heading).nth(1).expect("the heading");
    let table = section
        .lines()
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'));
    table
        .skip(2)
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

#[track_caller]
fn check(heading: &str, expected: Vec<(u8, &str)>) {
    let stated: Vec<(u8, &str)> = rows(heading)
        .iter()
        .map(|row| (row[0].parse().expect("a code"), row[1]))
        .collect();
    assert_eq!(stated, expected);
}

#[test]
fn codes() {
    check(
        "## Kinds",
        Kind::ALL.iter().map(|kind| (*kind as u8, kind.name())).collect(),
    );
    check(
        "## Status codes",
        StatusCode::ALL.iter().map(|code| (*code as u8, code.name())).collect(),
    );
    check(
        "## Gap causes",
        GapCause::ALL.iter().map(|cause| (*cause as u8, cause.name())).collect(),
    );
    check(
        "## Reasons",
        Reason::NAMED
            .iter()
            .map(|(reason, name)| (*reason as u8, *name))
            .collect(),
    );
    let flags = [(Flags::BID, ""), (Flags::ASK, "")].into_iter().chain(Flags::NAMED);
    check("## Flags", flags.map(|(flag, name)| (flag.0, name)).collect());
    for cause in GapCause::ALL {
        let row = &rows("## Gap causes")[cause as usize - 1];
        assert_eq!(row[2].contains("stands in"), cause.is_of_producer(), "{}", cause.name());
    }
}

#[test]
fn offsets_and_venues() {
    let fields: Vec<(usize, &str)> = rows("# Records")
        .iter()
        .map(|row| (row[0].parse().expect("an offset"), row[2]))
        .collect();
    let expected = [
        (0, "kind"),
        (1, "venue"),
        (2, "flags"),
        (3, "scale"),
        (4, "instrument"),
        (8, "sequence"),
        (16, "ts_event"),
        (24, "ts_recv"),
        (32, "price"),
        (40, "size"),
    ];
    assert_eq!(fields, expected, "protocol/src/record.rs asserts these at compile time");
    let venues = rows("# Records")[1][3];
    for venue in Venue::market_data().into_iter().chain([Venue::PAPER, Venue::GATEWAY]) {
        assert!(venues.contains(&format!("{} {venue}", venue.0)), "{venue}");
    }
}
