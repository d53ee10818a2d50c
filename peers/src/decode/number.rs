//! Numbers as text: in quotes a venue's number is a string to any JSON library, bare it must be kept from becoming a float.

use serde_json::value::RawValue;
use sonic_rs::LazyValue;
use tickpath_protocol::decimal;

use super::{Failed, Listed};

/// The text of a bare number.
pub trait NumberText {
    /// As the venue wrote it.
    fn text(&self) -> &str;
}

impl NumberText for &RawValue {
    fn text(&self) -> &str {
        self.get()
    }
}

impl NumberText for LazyValue<'_> {
    fn text(&self) -> &str {
        self.as_raw_str()
    }
}

pub(super) fn price(text: &str, listed: Listed) -> Result<i64, Failed> {
    Ok(decimal::parse(text.as_bytes(), listed.scale.price_decimals())?)
}

pub(super) fn size(text: &str, listed: Listed) -> Result<i64, Failed> {
    Ok(decimal::parse(text.as_bytes(), listed.scale.size_decimals())?)
}

pub(super) fn price_and_size(price: &str, size: &str, listed: Listed) -> Result<(i64, i64), Failed> {
    Ok((self::price(price, listed)?, self::size(size, listed)?))
}
