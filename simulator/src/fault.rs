//! Faults: what the simulator does wrong on command, and the layer of a connection that does it.
//!
//! A fault is a JSON object; `POST /control/fault` takes one with its `venue`, a script file (see [`crate::script`]) one a line:
//!
//! | `fault` | keys (default) | what the client sees |
//! |---|---|---|
//! | `disconnect` | `close_frame` (false), `code` (1001) | the TCP connection ends, with a close frame before it or without |
//! | `gap` | `n` (1), `match` | the next n data frames are not sent |
//! | `duplicate` | `n` (1), `match` | the next n data frames come twice |
//! | `reorder` | `n` (1), `match` | the next n pairs of data frames change places |
//! | `bad_checksum` | `n` (1), `match` | the next n frames with a `checksum` state a wrong one |
//! | `garbage` | `kind`, `n` (1) | n frames more: `not_utf8` (text), `truncated` (the next data frame, cut, before the whole one), `random` (binary), `deep` (100,000 open brackets), `huge_number` (a price of 400 digits), `wrong_types`, `empty` |
//! | `oversized` | `bytes` | one text frame more, of that size |
//! | `stall` | `ms` | silence: nothing is sent and nothing read, pings included; what was due comes after it |
//! | `slow_handshake` | `ms`, `n` (1) | the next n WebSocket upgrades are answered late |
//! | `http_429` | `n` (1), `retry_after_s` (1) | the next n REST calls are refused |
//! | `shutdown_notice` | | Binance `serverShutdown`; Kraken status `maintenance`; elsewhere a close frame 1001 |
//!
//! `match` limits a fault to data frames that contain the text. Acknowledgements and heartbeats are no data frames.

use std::time::Duration;

use serde::Deserialize;

use crate::dialect::Out;

/// Largest frame that may be asked for.
pub const OVERSIZED_BYTES_MAX: usize = 256 << 20;
/// Longest delay that may be asked for.
pub const DELAY_MS_MAX: u64 = 3_600_000;
/// Open brackets of a deeply nested frame.
const NESTING: usize = 100_000;
/// Digits of a huge number.
const HUGE_DIGITS: usize = 400;

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// The connection ends.
    Disconnect {
        /// Say so with a close frame first.
        #[serde(default)]
        close_frame: bool,
        /// Its code.
        #[serde(default = "going_away")]
        code: u16,
    },
    /// Data frames are left out.
    Gap {
        /// How many.
        #[serde(default = "one")]
        n: u32,
        /// Only those that contain this.
        #[serde(default)]
        r#match: String,
    },
    /// Data frames are sent twice.
    Duplicate {
        /// How many.
        #[serde(default = "one")]
        n: u32,
        /// Only those that contain this.
        #[serde(default)]
        r#match: String,
    },
    /// Pairs of data frames change places.
    Reorder {
        /// How many pairs.
        #[serde(default = "one")]
        n: u32,
        /// Only those that contain this.
        #[serde(default)]
        r#match: String,
    },
    /// Checksums are wrong.
    BadChecksum {
        /// How many.
        #[serde(default = "one")]
        n: u32,
        /// Only those that contain this.
        #[serde(default)]
        r#match: String,
    },
    /// Frames that mean nothing.
    Garbage {
        /// What they are made of.
        kind: Garbage,
        /// How many.
        #[serde(default = "one")]
        n: u32,
    },
    /// A frame that is too large.
    Oversized {
        /// Its size.
        bytes: usize,
    },
    /// Silence.
    Stall {
        /// For how long.
        ms: u64,
    },
    /// Upgrades are answered late.
    SlowHandshake {
        /// By how much.
        ms: u64,
        /// How many.
        #[serde(default = "one")]
        n: u32,
    },
    /// REST calls are refused.
    #[serde(rename = "http_429")]
    Http429 {
        /// How many.
        #[serde(default = "one")]
        n: u32,
        /// What `Retry-After` says, seconds.
        #[serde(default = "one")]
        retry_after_s: u32,
    },
    /// The venue announces that it goes down.
    ShutdownNotice {},
}

/// What a garbage frame is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Garbage {
    /// A text frame that is not UTF-8.
    NotUtf8,
    /// The first half of a data frame.
    Truncated,
    /// A binary frame of arbitrary bytes.
    Random,
    /// A text frame of open brackets.
    Deep,
    /// A text frame with numbers that fit nowhere.
    HugeNumber,
    /// Valid JSON in which every value has another type than it should.
    WrongTypes,
    /// A text frame of no bytes.
    Empty,
}

const fn one() -> u32 {
    1
}

const fn going_away() -> u16 {
    1001
}

impl Fault {
    /// Its name in JSON.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Fault::Disconnect { .. } => "disconnect",
            Fault::Gap { .. } => "gap",
            Fault::Duplicate { .. } => "duplicate",
            Fault::Reorder { .. } => "reorder",
            Fault::BadChecksum { .. } => "bad_checksum",
            Fault::Garbage { .. } => "garbage",
            Fault::Oversized { .. } => "oversized",
            Fault::Stall { .. } => "stall",
            Fault::SlowHandshake { .. } => "slow_handshake",
            Fault::Http429 { .. } => "http_429",
            Fault::ShutdownNotice {} => "shutdown_notice",
        }
    }

    /// What makes no sense about it, if anything.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        match self {
            Fault::Oversized { bytes } if *bytes > OVERSIZED_BYTES_MAX => {
                Some(format!("`bytes` {bytes} is above {OVERSIZED_BYTES_MAX}"))
            }
            Fault::Stall { ms } | Fault::SlowHandshake { ms, .. } if *ms > DELAY_MS_MAX => {
                Some(format!("`ms` {ms} is above {DELAY_MS_MAX}"))
            }
            Fault::Garbage { n, .. } if *n > 1_000 => Some(format!("`n` {n} is above 1000")),
            Fault::Disconnect { code, .. } if !(1000..=4999).contains(code) => {
                Some(format!("`code` {code} is no close code"))
            }
            _ => None,
        }
    }
}

/// What goes to the socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wire {
    /// A text frame.
    Text(String),
    /// A text frame of these bytes, whatever they are.
    RawText(Vec<u8>),
    /// A binary frame.
    Binary(Vec<u8>),
    /// A ping.
    Ping(String),
    /// A close frame; the connection ends.
    Close {
        /// RFC 6455 section 7.4.
        code: u16,
        /// Why.
        reason: &'static str,
    },
    /// The connection ends without a word.
    Drop,
    /// Nothing for so long.
    Pause(Duration),
}

/// How often a fault changed what was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// Data frames that were not sent.
    pub dropped: u64,
    /// Data frames that were sent once more.
    pub duplicated: u64,
    /// Pairs of data frames that changed places.
    pub reordered: u64,
    /// Checksums that were changed.
    pub corrupted: u64,
    /// Frames that no venue would send.
    pub injected: u64,
}

/// A fault that waits for data frames.
#[derive(Debug)]
struct Armed {
    left: u32,
    text: String,
}

impl Armed {
    /// Whether the frame is one of those it waits for; then it waits for one less.
    fn takes(slot: &mut Option<Armed>, frame: &str) -> bool {
        let Some(armed) = slot else { return false };
        if !frame.contains(&armed.text) {
            return false;
        }
        armed.left = armed.left.saturating_sub(1);
        if armed.left == 0 {
            *slot = None;
        }
        true
    }
}

/// The faults of one connection: frames go in, what is sent comes out.
#[derive(Debug, Default)]
pub struct FaultLayer {
    gap: Option<Armed>,
    duplicate: Option<Armed>,
    reorder: Option<Armed>,
    bad_checksum: Option<Armed>,
    truncate: Option<Armed>,
    /// The first frame of a pair that changes places, and what the second must contain.
    held: Option<(String, String)>,
    /// What was done so far.
    pub effects: Effects,
}

impl FaultLayer {
    /// Takes a command; what it does at once is added to `wires`.
    pub fn command(&mut self, fault: &Fault, wires: &mut Vec<Wire>) {
        let armed = |n: u32, text: &str| {
            (n > 0).then(|| Armed {
                left: n,
                text: text.to_owned(),
            })
        };
        match fault {
            Fault::Gap { n, r#match } => self.gap = armed(*n, r#match),
            Fault::Duplicate { n, r#match } => self.duplicate = armed(*n, r#match),
            Fault::Reorder { n, r#match } => self.reorder = armed(*n, r#match),
            Fault::BadChecksum { n, r#match } => self.bad_checksum = armed(*n, r#match),
            Fault::Garbage {
                kind: Garbage::Truncated,
                n,
            } => self.truncate = armed(*n, ""),
            Fault::Garbage { kind, n } => {
                for _ in 0..*n {
                    self.inject(garbage(*kind), wires);
                }
            }
            Fault::Oversized { bytes } => self.inject(Wire::Text(oversized(*bytes)), wires),
            Fault::Stall { ms } => wires.push(Wire::Pause(Duration::from_millis(*ms))),
            Fault::Disconnect {
                close_frame: true,
                code,
            } => wires.push(Wire::Close {
                code: *code,
                reason: "simulated disconnect",
            }),
            Fault::Disconnect { close_frame: false, .. } => wires.push(Wire::Drop),
            // Not a connection's: the first two are done where clients arrive, the last by the session.
            Fault::SlowHandshake { .. } | Fault::Http429 { .. } | Fault::ShutdownNotice {} => {}
        }
    }

    /// What becomes of `out`.
    pub fn pass(&mut self, out: Out, wires: &mut Vec<Wire>) {
        match out {
            Out::Data(text) => self.data(text, wires),
            Out::Control(text) => wires.push(Wire::Text(text)),
            Out::Ping(payload) => wires.push(Wire::Ping(payload)),
            Out::Close { code, reason } => wires.push(Wire::Close { code, reason }),
        }
    }

    fn data(&mut self, mut text: String, wires: &mut Vec<Wire>) {
        if Armed::takes(&mut self.gap, &text) {
            self.effects.dropped += 1;
            return;
        }
        if text.contains(CHECKSUM) && Armed::takes(&mut self.bad_checksum, &text) {
            self.effects.corrupted += 1;
            text = with_wrong_checksum(&text);
        }
        if Armed::takes(&mut self.truncate, &text) {
            let half = (0..=text.len() / 2)
                .rev()
                .find(|at| text.is_char_boundary(*at))
                .unwrap_or(0);
            self.inject(Wire::Text(text[..half].to_owned()), wires);
        }
        let pair = self.reorder.as_ref().map(|armed| armed.text.clone());
        if let (None, Some(pair)) = (&self.held, pair)
            && Armed::takes(&mut self.reorder, &text)
        {
            self.held = Some((text, pair));
            return;
        }
        if Armed::takes(&mut self.duplicate, &text) {
            self.effects.duplicated += 1;
            wires.push(Wire::Text(text.clone()));
        }
        let held = self.held.take_if(|(_, pair)| text.contains(pair.as_str()));
        wires.push(Wire::Text(text));
        if let Some((held, _)) = held {
            self.effects.reordered += 1;
            wires.push(Wire::Text(held));
        }
    }

    fn inject(&mut self, wire: Wire, wires: &mut Vec<Wire>) {
        self.effects.injected += 1;
        wires.push(wire);
    }
}

const CHECKSUM: &str = "\"checksum\":";

/// The frame with its (last) checksum one higher, so that no client can agree with it.
fn with_wrong_checksum(text: &str) -> String {
    let Some(start) = text.rfind(CHECKSUM).map(|at| at + CHECKSUM.len()) else {
        return text.to_owned();
    };
    let digits = text[start..].bytes().take_while(u8::is_ascii_digit).count();
    let (value, rest) = text[start..].split_at(digits);
    let wrong = value.parse::<u32>().unwrap_or(0).wrapping_add(1);
    format!("{}{wrong}{rest}", &text[..start])
}

fn oversized(bytes: usize) -> String {
    const OPEN: &str = "{\"type\":\"padding\",\"padding\":\"";
    const CLOSE: &str = "\"}";
    let mut text = String::with_capacity(bytes);
    text.push_str(OPEN);
    text.extend(std::iter::repeat_n('x', bytes.saturating_sub(OPEN.len() + CLOSE.len())));
    text.push_str(CLOSE);
    text
}

fn garbage(kind: Garbage) -> Wire {
    match kind {
        Garbage::NotUtf8 => Wire::RawText(b"{\"channel\":\"\xff\xfe\xc3\x28\"}".to_vec()),
        Garbage::Truncated => Wire::Text("{\"channel\":\"book\",\"type\":\"upda".into()),
        Garbage::Random => {
            // A multiplicative generator: any bytes will do, the same every time.
            let bytes = (1..=256_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8);
            Wire::Binary(bytes.collect())
        }
        Garbage::Deep => Wire::Text("[".repeat(NESTING)),
        Garbage::HugeNumber => {
            let digits = "9".repeat(HUGE_DIGITS);
            Wire::Text(format!(
                r#"{{"channel":"trade","type":"match","e":"trade","product_id":"BTC-USD","s":"BTCUSDT","price":{digits},"p":"{digits}","q":"1e{HUGE_DIGITS}","sequence":{digits},"u":-{digits}}}"#
            ))
        }
        Garbage::WrongTypes => Wire::Text(
            r#"{"channel":7,"type":[],"e":{},"stream":null,"data":"book","T":{},"product_id":[1],"changes":{"a":1},"events":3}"#.into(),
        ),
        Garbage::Empty => Wire::Text(String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(json: &str) -> Fault {
        serde_json::from_str(json).unwrap()
    }

    #[track_caller]
    fn check(commands: &[&str], expected: &[&str]) {
        let mut layer = FaultLayer::default();
        let mut wires = Vec::new();
        for command in commands {
            layer.command(&fault(command), &mut wires);
        }
        for n in 1..=4 {
            layer.pass(Out::Data(format!("d{n} \"checksum\":{n}}}")), &mut wires);
            layer.pass(Out::Control("c".into()), &mut wires);
        }
        let seen: Vec<_> = wires
            .iter()
            .filter_map(|wire| match wire {
                Wire::Text(text) if text.starts_with('d') => Some(text.replace(" \"checksum\":", ":").replace('}', "")),
                _ => None,
            })
            .collect();
        assert_eq!(seen, expected);
        assert_eq!(wires.iter().filter(|wire| **wire == Wire::Text("c".into())).count(), 4);
    }

    #[test]
    fn data_frames_are_changed_and_others_pass() {
        check(&[], &["d1:1", "d2:2", "d3:3", "d4:4"]);
        check(&[r#"{"fault":"gap","n":2}"#], &["d3:3", "d4:4"]);
        check(&[r#"{"fault":"gap","match":"d3"}"#], &["d1:1", "d2:2", "d4:4"]);
        check(&[r#"{"fault":"duplicate"}"#], &["d1:1", "d1:1", "d2:2", "d3:3", "d4:4"]);
        check(&[r#"{"fault":"reorder","n":2}"#], &["d2:2", "d1:1", "d4:4", "d3:3"]);
        check(&[r#"{"fault":"bad_checksum"}"#], &["d1:2", "d2:2", "d3:3", "d4:4"]);
        check(
            &[r#"{"fault":"garbage","kind":"truncated"}"#],
            &["d1 \"chec", "d1:1", "d2:2", "d3:3", "d4:4"],
        );
    }

    #[test]
    fn commands_are_checked() {
        for wrong in [
            r#"{"fault":"earthquake"}"#,
            r#"{"fault":"gap","count":1}"#,
            r#"{"fault":"garbage","kind":"x"}"#,
            r#"{"fault":"stall"}"#,
        ] {
            assert!(serde_json::from_str::<Fault>(wrong).is_err(), "{wrong}");
        }
        assert!(fault(r#"{"fault":"oversized","bytes":1000000000}"#).problem().is_some());
        assert_eq!(fault(r#"{"fault":"http_429"}"#).name(), "http_429");
        assert_eq!(oversized(1_000).len(), 1_000);
    }
}
