//! What the complete decoders share: checks that come before `serde_json`, and numbers as the venue wrote them.
//!
//! A complete decoder may allocate and take its time: it sees only frames that no fast decoder knows. It is strict where it counts, because
//! nobody judges after it: no number is guessed, rounded or taken for zero.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use tickpath_protocol::{DecimalError, Record, decimal};

use super::{Listed, Refused, SymbolTable};

/// Brackets that may be open at once; no venue's message has ten.
pub const NESTING_MAX: usize = 32;

/// Characters of a frame that an error repeats.
const EXCERPT_CHARS: usize = 60;

/// The frame as text.
///
/// # Errors
/// [`Refused::Shape`] if it is not UTF-8 or nested deeper than [`NESTING_MAX`]. `serde_json` would let both pass in parts that it skips.
pub fn text(frame: &[u8]) -> Result<&str, Refused> {
    let text = std::str::from_utf8(frame).map_err(|error| Refused::Shape(error.to_string()))?;
    let (mut open, mut in_string, mut escaped) = (0usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => open += 1,
            b'}' | b']' if !in_string => open = open.saturating_sub(1),
            _ => {}
        }
        if open > NESTING_MAX {
            return Err(Refused::Shape(format!("nested deeper than {NESTING_MAX}")));
        }
    }
    Ok(text)
}

/// All of `text` as a `T`.
///
/// # Errors
/// [`Refused::Shape`] if it is none.
pub fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Refused> {
    serde_json::from_str(text).map_err(|error| Refused::Shape(excerpt(&error.to_string())))
}

/// The start of a text, for an error.
#[must_use]
pub fn excerpt(text: &str) -> String {
    text.chars().take(EXCERPT_CHARS).collect()
}

/// A price in the venue's text as a mantissa.
///
/// # Errors
/// [`Refused::Number`] if it is not exact at the instrument's decimals, [`Refused::Range`] below zero.
pub fn price(field: &'static str, text: &str, listed: Listed) -> Result<i64, Refused> {
    mantissa(field, text, listed.scale.price_decimals())
}

/// A size in the venue's text as a mantissa.
///
/// # Errors
/// As [`price`].
pub fn size(field: &'static str, text: &str, listed: Listed) -> Result<i64, Refused> {
    mantissa(field, text, listed.scale.size_decimals())
}

fn mantissa(field: &'static str, text: &str, decimals: u8) -> Result<i64, Refused> {
    let value = decimal::parse(text.as_bytes(), decimals).map_err(|source| no_number(field, text, source))?;
    if value < 0 {
        return Err(Refused::Range { field, value });
    }
    Ok(value)
}

/// A mantissa that no market has at zero: the price of a trade or quote, the size of a trade.
///
/// # Errors
/// [`Refused::Range`] at zero and below.
pub fn positive(field: &'static str, value: i64) -> Result<i64, Refused> {
    if value > 0 {
        Ok(value)
    } else {
        Err(Refused::Range { field, value })
    }
}

/// One side of a best bid and offer. Price and size 0 is how venues say that the side is empty, which is not a price: both are
/// [`Record::ABSENT`] then.
///
/// # Errors
/// [`Refused::Range`] for a price of 0 or less at any other size.
pub fn quote_side(price_field: &'static str, price: i64, size: i64) -> Result<(i64, i64), Refused> {
    match (price, size) {
        (0, 0) => Ok((Record::ABSENT, Record::ABSENT)),
        _ => Ok((positive(price_field, price)?, size)),
    }
}

/// The decimals that an increment such as `0.0050` states, and its mantissa at them: 3 and 5.
///
/// # Errors
/// [`Refused::Number`] if it is none that a record could carry, [`Refused::Range`] if it is not above zero.
pub fn increment(field: &'static str, text: &str) -> Result<(u8, i64), Refused> {
    let decimals = decimal::decimals_needed(text.as_bytes()).map_err(|source| no_number(field, text, source))?;
    Ok((decimals, positive(field, mantissa(field, text, decimals)?)?))
}

fn no_number(field: &'static str, text: &str, source: DecimalError) -> Refused {
    Refused::Number {
        field,
        text: excerpt(text),
        source,
    }
}

/// The instrument of a symbol.
///
/// # Errors
/// [`Refused::UnknownSymbol`].
pub fn find(symbol: &str, symbols: &SymbolTable) -> Result<Listed, Refused> {
    symbols
        .get(symbol.as_bytes())
        .ok_or_else(|| Refused::UnknownSymbol(excerpt(symbol)))
}

/// What `read` makes of the entries of a list, `None` being an entry that is of no interest. An entry that cannot be read is left out, so
/// that one odd instrument does not cost all others.
///
/// # Errors
/// The first error, if nothing could be read.
pub fn readable<T>(
    entries: &[&RawValue],
    read: impl Fn(&str) -> Result<Option<T>, Refused>,
) -> Result<Vec<T>, Refused> {
    let mut first_error = None;
    let mut found = Vec::with_capacity(entries.len());
    for entry in entries {
        match read(entry.get()) {
            Ok(value) => found.extend(value),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    match first_error {
        Some(error) if found.is_empty() => Err(error),
        _ => Ok(found),
    }
}

/// A string of a frame, borrowed where it holds no escape. Unlike a plain [`Cow`], also within lists.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

impl std::ops::Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// A `T` that stands in the frame as a JSON object. Derived structs alone would also be read from a list of their fields, a shape that no
/// venue uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object<T>, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData)).map(Object)
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

/// For `#[serde(default, borrow, deserialize_with = "json::present")]`: `Some` if the key is there at all, be its value `null`.
///
/// # Errors
/// None of its own.
pub fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use tickpath_protocol::{DecimalError, InstrumentId, Scale, Venue};

    use super::*;

    fn listed() -> Listed {
        Listed {
            id: InstrumentId::new(Venue::KRAKEN, 0),
            scale: Scale::new(2, 8).unwrap(),
        }
    }

    #[test]
    fn a_frame_is_text_of_limited_depth() {
        let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
        assert!(text(nested(NESTING_MAX).as_bytes()).is_ok());
        assert!(matches!(
            text(nested(NESTING_MAX + 1).as_bytes()),
            Err(Refused::Shape(_))
        ));
        assert!(text(format!("{{\"a\":\"\\\"{}\"}}", "[".repeat(99)).as_bytes()).is_ok());
        assert!(matches!(text(b"{\"a\":\"\xff\"}"), Err(Refused::Shape(_))));
        assert!(text(b"]]]]{").is_ok());
    }

    #[test]
    fn numbers_are_exact_and_not_below_zero() {
        assert_eq!(price("p", "1774.14", listed()), Ok(177_414));
        assert_eq!(size("q", "5e-05", listed()), Ok(5_000));
        assert_eq!(size("q", "-0.0", listed()), Ok(0));
        assert_eq!(
            price("p", "-1", listed()),
            Err(Refused::Range {
                field: "p",
                value: -100
            })
        );
        assert_eq!(
            price("p", "", listed()),
            Err(Refused::Number {
                field: "p",
                text: String::new(),
                source: DecimalError::Empty
            })
        );
        assert!(price("p", "0.001", listed()).is_err());
        assert!(positive("p", 0).is_err());
        assert_eq!(positive("p", 1), Ok(1));
    }

    #[test]
    fn increments_state_decimals_and_step() {
        assert_eq!(increment("i", "0.0050"), Ok((3, 5)));
        assert_eq!(increment("i", "1e-08"), Ok((8, 1)));
        assert_eq!(increment("i", "10"), Ok((0, 10)));
        for text in ["", "0", "0.00", "-0.01", "1e-16", "x"] {
            assert!(increment("i", text).is_err(), "{text}");
        }
    }

    #[test]
    fn one_odd_entry_costs_itself_alone() {
        let entries: Vec<&RawValue> = parse(r#"["1","x","","3"]"#).unwrap();
        let read = |text: &str| match &*parse::<Text>(text)? {
            "" => Ok(None),
            text => text
                .parse::<u8>()
                .map(Some)
                .map_err(|error| Refused::Shape(error.to_string())),
        };
        assert_eq!(readable(&entries, read), Ok(vec![1, 3]));
        assert!(readable(&entries[1..3], read).is_err());
        assert_eq!(readable(&entries[2..3], read), Ok(vec![]));
    }

    #[test]
    fn an_object_is_no_list() {
        #[derive(Debug, Deserialize)]
        struct Pair<'a> {
            #[serde(borrow)]
            a: Text<'a>,
            #[serde(default, borrow, deserialize_with = "present")]
            b: Option<&'a RawValue>,
        }
        let Object(pair) = parse::<Object<Pair>>(r#" {"b" : null, "a":"x", "c":[1]} "#).unwrap();
        assert!(matches!(pair.a.0, Cow::Borrowed("x")));
        assert_eq!(pair.b.map(RawValue::get), Some("null"));
        assert!(parse::<Object<Pair>>(r#"{"a":"x"}"#).unwrap().0.b.is_none());
        assert!(parse::<Object<Pair>>(r#"["x",null]"#).is_err());
        assert!(parse::<Object<Pair>>(r#"{"a":"x"} x"#).is_err());
    }
}
