//! What a page says of a metric, in 320 bytes.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | [`MetricKind`] |
//! | 8 | 8 | first word of its value |
//! | 16 | 8 | lengths: name (low byte), labels, help |
//! | 24 | 8 | 0 |
//! | 32 | 80 | name |
//! | 112 | 96 | labels, `key="value"` with commas between |
//! | 208 | 112 | help |

use super::{VALUE_WORDS, histogram};

/// Bytes of a descriptor.
pub const LEN: usize = 320;
/// Bytes that a name may have.
pub const NAME_LEN_MAX: usize = 80;
/// Bytes that labels may have.
pub const LABELS_LEN_MAX: usize = 96;
/// Bytes that a help text may have; a longer one is cut.
pub const HELP_LEN_MAX: usize = 112;

pub(super) const WORDS: usize = LEN / 8;
const TEXT_OFFSET: usize = 32;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u64)]
pub enum MetricKind {
    /// Grows only.
    Counter = 1,
    /// Goes up and down.
    Gauge = 2,
    /// A latency histogram, ns.
    Latency = 3,
}

impl MetricKind {
    /// Words of its value.
    pub(super) fn words(self) -> usize {
        match self {
            MetricKind::Counter | MetricKind::Gauge => 1,
            MetricKind::Latency => histogram::WORDS,
        }
    }
}

/// A descriptor, read and checked or about to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Descriptor {
    pub kind: MetricKind,
    pub value: usize,
    pub name: String,
    pub labels: String,
    pub help: String,
}

impl Descriptor {
    /// The descriptor in words, or `None` if name or labels are too long or not in the form that Prometheus reads.
    pub fn encode(&self) -> Option<[u64; WORDS]> {
        let mut help_len = self.help.len().min(HELP_LEN_MAX);
        while !self.help.is_char_boundary(help_len) {
            help_len -= 1;
        }
        let help = &self.help[..help_len];
        if !is_name(&self.name) || !are_labels(&self.labels) || help.contains(char::is_control) {
            return None;
        }
        let mut bytes = [0; LEN];
        let mut start = TEXT_OFFSET;
        for (text, max) in [
            (self.name.as_str(), NAME_LEN_MAX),
            (&self.labels, LABELS_LEN_MAX),
            (help, HELP_LEN_MAX),
        ] {
            bytes[start..start + max]
                .get_mut(..text.len())?
                .copy_from_slice(text.as_bytes());
            start += max;
        }
        let mut words = [0; WORDS];
        for (word, chunk) in words.iter_mut().zip(bytes.as_chunks().0) {
            *word = u64::from_le_bytes(*chunk);
        }
        words[0] = self.kind as u64;
        words[1] = self.value as u64;
        words[2] = (self.name.len() | self.labels.len() << 8 | help_len << 16) as u64;
        Some(words)
    }

    /// The descriptor that words of another process hold, or `None` if they make no sense.
    pub fn decode(words: &[u64; WORDS]) -> Option<Descriptor> {
        let kind = match words[0] {
            1 => MetricKind::Counter,
            2 => MetricKind::Gauge,
            3 => MetricKind::Latency,
            _ => return None,
        };
        let value = usize::try_from(words[1]).ok()?;
        if value.checked_add(kind.words())? > VALUE_WORDS {
            return None;
        }
        let mut bytes = [0; LEN];
        for (chunk, word) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
            *chunk = word.to_le_bytes();
        }
        let mut start = TEXT_OFFSET;
        let [name_len, labels_len, help_len, ..] = words[2].to_le_bytes();
        let mut text = |len: u8, max: usize| {
            let text = bytes[start..start + max].get(..usize::from(len))?;
            start += max;
            std::str::from_utf8(text).ok().map(str::to_owned)
        };
        let name = text(name_len, NAME_LEN_MAX)?;
        let labels = text(labels_len, LABELS_LEN_MAX)?;
        let help = text(help_len, HELP_LEN_MAX)?;
        (is_name(&name) && are_labels(&labels) && !help.contains(char::is_control)).then_some(Descriptor {
            kind,
            value,
            name,
            labels,
            help,
        })
    }
}

/// `[a-zA-Z_:][a-zA-Z0-9_:]*`
fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':'))
}

/// `key="value",key="value"` or nothing; a value has no quote, backslash or control character.
fn are_labels(text: &str) -> bool {
    text.is_empty()
        || text.split("\",").enumerate().all(|(index, pair)| {
            let last = index == text.matches("\",").count();
            let pair = if last { pair.strip_suffix('"') } else { Some(pair) };
            pair.and_then(|pair| pair.split_once("=\""))
                .is_some_and(|(key, value)| {
                    is_name(key) && !value.contains(|c: char| c.is_control() || matches!(c, '"' | '\\'))
                })
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn descriptor(name: &str, labels: &str, help: &str) -> Descriptor {
        Descriptor {
            kind: MetricKind::Counter,
            value: 5,
            name: name.into(),
            labels: labels.into(),
            help: help.into(),
        }
    }

    #[test]
    fn descriptors_read_back() {
        for labels in ["", r#"venue="kraken""#, r#"venue="kraken",hop="recv_to_publish""#] {
            let descriptor = descriptor(
                "tickpath_relay_records_in_total",
                labels,
                "Records taken – with a dash.",
            );
            assert_eq!(Descriptor::decode(&descriptor.encode().unwrap()), Some(descriptor));
        }
    }

    #[test]
    fn what_would_spoil_an_exposition_is_refused() {
        let long = "x".repeat(NAME_LEN_MAX + 1);
        for (name, labels) in [
            ("", ""),
            ("9lives", ""),
            ("a b", ""),
            ("a\nb", ""),
            (long.as_str(), ""),
            ("a", "venue"),
            ("a", r#"venue="kraken"#),
            ("a", "venue=\"kra\nken\""),
            ("a", r#"venue="a"} 1"#),
            ("a", r#"venue="a","#),
            ("a", r#"venue="a"b""#),
        ] {
            assert_eq!(descriptor(name, labels, "").encode(), None, "{name} {labels}");
        }
    }

    #[test]
    fn a_long_help_is_cut_between_characters() {
        let cut = descriptor("a", "", &"é".repeat(100)).encode().unwrap();
        assert_eq!(Descriptor::decode(&cut).unwrap().help, "é".repeat(56));
    }

    proptest! {
        #[test]
        fn any_words_do_no_harm(words in proptest::collection::vec(any::<u64>(), WORDS), kind in 0_u64..5, lengths in any::<u32>()) {
            let mut words: [u64; WORDS] = words.try_into().unwrap();
            words[0] = kind;
            words[1] %= 2 * VALUE_WORDS as u64;
            words[2] = lengths.into();
            if let Some(descriptor) = Descriptor::decode(&words) {
                prop_assert!(descriptor.encode().is_some());
            }
        }
    }
}
