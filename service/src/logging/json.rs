//! A log line as a JSON object. These fields come first, in this order, in every line of every process:
//!
//! | field | form | what |
//! |---|---|---|
//! | `timestamp` | RFC 3339, UTC, µs | when |
//! | `level` | `ERROR`, `WARN`, `INFO`, `DEBUG`, `TRACE` | how much it matters |
//! | `process` | text | name of the process, as in metrics |
//! | `pid` | number | its process id |
//! | `target` | text | part of the program |
//! | `message` | text | what happened |
//!
//! `venue` (text) follows where the line is about one, `run_id` (text of digits, for it exceeds what JSON readers keep of a number) once the process knows the relay's
//! run. Then come the event's own fields, by their names. One that has the name of a field above is called `event.NAME`.

use std::fmt::{self, Write};
use std::sync::atomic::Ordering;

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::{Identity, RUN_ID};

/// Fields that every line has.
pub const ALWAYS: [&str; 6] = ["timestamp", "level", "process", "pid", "target", "message"];
/// Fields that have one meaning wherever they stand.
pub const SOMETIMES: [&str; 2] = ["venue", "run_id"];

/// Writes the lines of one process.
#[derive(Debug)]
pub struct Lines {
    /// `"process":…,"pid":…`, the same in all of them.
    who: String,
    /// The venue in quotes, if the process serves one.
    venue: Option<String>,
}

impl Lines {
    /// The lines of this process.
    #[must_use]
    pub fn of(identity: &Identity) -> Lines {
        let mut who = String::from("\"process\":");
        quote(&mut who, &identity.process);
        who.push_str(&format!(",\"pid\":{}", std::process::id()));
        Lines {
            who,
            venue: identity.venue.map(|venue| quoted(&venue.to_string())),
        }
    }

    /// A line that passes by the subscriber: the last of a process.
    #[must_use]
    pub fn error(&self, message: &str, others: &[(&str, &str)]) -> String {
        let mut fields = Fields {
            message: message.to_owned(),
            ..Fields::default()
        };
        for (name, value) in others {
            fields.add(name, quoted(value));
        }
        self.line(&now(), "ERROR", module_path!(), fields)
    }

    fn line(&self, time: &str, level: &str, target: &str, fields: Fields) -> String {
        let mut line = String::with_capacity(256);
        line.push_str("{\"timestamp\":");
        quote(&mut line, time);
        line.push_str(",\"level\":");
        quote(&mut line, level);
        line.push(',');
        line.push_str(&self.who);
        line.push_str(",\"target\":");
        quote(&mut line, target);
        line.push_str(",\"message\":");
        quote(&mut line, &fields.message);
        let run_id = Some(RUN_ID.load(Ordering::Relaxed)).filter(|run_id| *run_id > 0);
        let run_id = fields.run_id.or(run_id.map(|run_id| format!("\"{run_id}\"")));
        for (name, value) in [("venue", fields.venue.or(self.venue.clone())), ("run_id", run_id)] {
            if let Some(value) = value {
                line.push_str(&format!(",\"{name}\":{value}"));
            }
        }
        line.push_str(&fields.others);
        line.push('}');
        line
    }
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let metadata = event.metadata();
        writeln!(
            writer,
            "{}",
            self.line(&now(), metadata.level().as_str(), metadata.target(), fields)
        )
    }
}

/// The fields of an event, as JSON.
#[derive(Debug, Default)]
struct Fields {
    message: String,
    venue: Option<String>,
    run_id: Option<String>,
    others: String,
}

impl Fields {
    /// Takes a field whose value is JSON already.
    fn add(&mut self, name: &str, json: String) {
        match name {
            "venue" => self.venue = Some(json),
            name => {
                self.others.push(',');
                let prefix = if ALWAYS.contains(&name) { "event." } else { "" };
                quote(&mut self.others, &format!("{prefix}{name}"));
                self.others.push(':');
                self.others.push_str(&json);
            }
        }
    }

    fn number(&mut self, field: &Field, number: impl fmt::Display) {
        match field.name() {
            "run_id" => self.run_id = Some(format!("\"{number}\"")),
            name => self.add(name, number.to_string()),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message.push_str(value),
            "run_id" => self.run_id = Some(quoted(value)),
            name => self.add(name, quoted(value)),
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.number(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.number(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field.name(), value.to_string());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        match value.is_finite() {
            true => self.number(field, value),
            // JSON has no such number.
            false => self.record_str(field, &value.to_string()),
        }
    }
}

fn now() -> String {
    let mut time = String::new();
    // It fails only if the text does, and writing to a String cannot.
    SystemTime.format_time(&mut Writer::new(&mut time)).unwrap_or_default();
    time
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    quote(&mut out, text);
    out
}

/// A JSON string of the text, RFC 8259 section 7.
fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            // What is left of the control characters is rare enough for the long form. Writing to a String cannot fail.
            c if c.is_control() => write!(out, "\\u{:04x}", u32::from(c)).unwrap_or_default(),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    use tickpath_protocol::Venue;

    /// Keeps what is written.
    #[derive(Clone, Debug, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// What the process of this identity logs while `body` runs.
    fn logged(identity: &Identity, body: impl FnOnce()) -> String {
        let kept = Kept::default();
        let writer = kept.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .event_format(Lines::of(identity))
            .finish();
        tracing::subscriber::with_default(subscriber, body);
        let bytes = kept.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    /// The line without its time, which comes first.
    fn after_time(line: &str) -> String {
        let (time, rest) = line.split_once(",\"level\"").unwrap();
        assert!(
            time.starts_with("{\"timestamp\":\"20") && time.ends_with("Z\""),
            "{time}"
        );
        format!("\"level\"{rest}")
    }

    #[test]
    fn fields_come_in_one_order_and_values_keep_their_types() {
        let line = logged(&Identity::named("relay"), || {
            tracing::info!(target: "part", run_id = 18_446_744_073_709_551_615_u64, is_good = true, n = -3, ratio = 0.5,
                path = "a\"b\\c\nd\u{1}", nothing = f64::NAN, "it is {}", "up");
        });
        let expected = format!(
            "\"level\":\"INFO\",\"process\":\"relay\",\"pid\":{},\"target\":\"part\",\"message\":\"it is up\",\
             \"run_id\":\"18446744073709551615\",\"is_good\":true,\"n\":-3,\"ratio\":0.5,\
             \"path\":\"a\\\"b\\\\c\\nd\\u0001\",\"nothing\":\"NaN\"}}\n",
            std::process::id()
        );
        assert_eq!(after_time(&line), expected);
    }

    #[test]
    fn the_venue_is_the_events_or_the_processs() {
        let identity = Identity {
            process: "collector-kraken".into(),
            venue: Some(Venue::KRAKEN),
        };
        let lines = logged(&identity, || {
            tracing::warn!("its own");
            tracing::warn!(venue = %Venue::BINANCE, "another's");
        });
        assert!(
            lines.contains("\"message\":\"its own\",\"venue\":\"kraken\"}\n"),
            "{lines}"
        );
        assert!(
            lines.contains("\"message\":\"another's\",\"venue\":\"binance\"}\n"),
            "{lines}"
        );
    }

    #[test]
    fn last_words_have_the_same_fields() {
        let line = Lines::of(&Identity::named("relay")).error("panicked: why", &[("thread", "hot")]);
        let expected = format!(
            "\"level\":\"ERROR\",\"process\":\"relay\",\"pid\":{},\"target\":\"{}\",\"message\":\"panicked: why\",\"thread\":\"hot\"}}",
            std::process::id(),
            module_path!().trim_end_matches("::tests")
        );
        assert_eq!(after_time(&line), expected);
    }

    #[test]
    fn a_field_cannot_pass_for_one_of_ours() {
        let line = logged(&Identity::named("up"), || {
            tracing::error!(pid = 7, process = "x", level = "low", "who is it");
        });
        assert_eq!(line.matches("\"pid\":").count(), 1);
        assert!(
            line.ends_with("\"event.pid\":7,\"event.process\":\"x\",\"event.level\":\"low\"}\n"),
            "{line}"
        );
    }
}
