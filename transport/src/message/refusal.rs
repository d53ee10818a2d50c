//! Refusal: why a peer may not attach, or not stay.

use std::fmt;

use super::{Fields, kind, malformed};
use crate::LAYOUT_VERSION;
use crate::frame::{FrameError, encode};

const REFUSAL_TEXT_LEN_MAX: usize = 512;

/// Why the relay says no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum RefusalCode {
    /// Another layout version.
    Version = 1,
    /// A live producer has the venue.
    VenueTaken = 2,
    /// A row of the producer contradicts the table of the run.
    InstrumentConflict = 3,
    /// Ring, page or Hello make no sense.
    Malformed = 4,
    /// The peer is of another user.
    Forbidden = 5,
    /// Too many peers; worth another attempt later.
    Busy = 6,
    /// The ring broke while in use.
    RingCorrupt = 7,
}

impl RefusalCode {
    const ALL: [RefusalCode; 7] = [
        RefusalCode::Version,
        RefusalCode::VenueTaken,
        RefusalCode::InstrumentConflict,
        RefusalCode::Malformed,
        RefusalCode::Forbidden,
        RefusalCode::Busy,
        RefusalCode::RingCorrupt,
    ];

    /// Whether asking again without a restart can help.
    #[must_use]
    pub fn is_transient(self) -> bool {
        self == RefusalCode::Busy
    }
}

/// The relay's no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub code: RefusalCode,
    /// The relay's layout version.
    pub version: u32,
    /// Why, for people, and what to do.
    pub message: String,
}

impl Refusal {
    /// A no of this build.
    #[must_use]
    pub fn new(code: RefusalCode, message: impl Into<String>) -> Refusal {
        Refusal {
            code,
            version: LAYOUT_VERSION,
            message: message.into(),
        }
    }

    /// Appends the frame; the text is cut to its limit.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut len = self.message.len().min(REFUSAL_TEXT_LEN_MAX);
        while !self.message.is_char_boundary(len) {
            len -= 1;
        }
        encode(out, kind::REFUSAL, |out| {
            out.extend_from_slice(&(self.code as u32).to_le_bytes());
            out.extend_from_slice(&self.version.to_le_bytes());
            out.extend_from_slice(&self.message.as_bytes()[..len]);
        });
    }

    /// The Refusal in a payload.
    ///
    /// # Errors
    /// If it has no known code or no text.
    pub fn decode(payload: &[u8]) -> Result<Refusal, FrameError> {
        let mut fields = Fields(payload);
        let refusal = (|| {
            let code = fields.u32()? as usize;
            Some(Refusal {
                code: *RefusalCode::ALL.get(code.checked_sub(1)?)?,
                version: fields.u32()?,
                message: std::str::from_utf8(fields.0).ok()?.to_owned(),
            })
        })();
        refusal.ok_or_else(|| malformed("refusal", payload, "unknown code or no text"))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::HEADER_LEN;

    #[test]
    fn refusals_read_back_and_long_ones_are_cut() {
        let mut bytes = Vec::new();
        let refusal = Refusal::new(RefusalCode::VenueTaken, "taken");
        refusal.encode(&mut bytes);
        assert_eq!(Refusal::decode(&bytes[HEADER_LEN..]), Ok(refusal));
        bytes.clear();
        Refusal::new(RefusalCode::Busy, "é".repeat(1000)).encode(&mut bytes);
        let cut = Refusal::decode(&bytes[HEADER_LEN..]).unwrap();
        assert_eq!(cut.message, "é".repeat(REFUSAL_TEXT_LEN_MAX / 2));
        assert!(Refusal::decode(&[0; 8]).is_err());
        assert!(Refusal::decode(&[1, 0, 0, 0, 1, 0, 0, 0, 0xff]).is_err());
    }
}
