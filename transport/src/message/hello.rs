//! Hello: who a peer is.

use tickpath_protocol::{Record, Venue};

use super::{Fields, Role, Start, kind};
use crate::LAYOUT_VERSION;
use crate::error::NAME_LEN_MAX;
use crate::frame::encode;

const MAGIC: u64 = u64::from_le_bytes(*b"TICKPATH");
const HELLO_LEN: usize = 120;

/// The first frame of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// What it is.
    pub role: Role,
    /// Whose records it brings; [`Venue::NONE`] if none.
    pub venue: Venue,
    /// Its name, for people.
    pub name: String,
    /// Its process.
    pub pid: u32,
    /// A producer's own run id; for a stream reader that comes back: the relay's run id it knew, else 0.
    pub run_id: u64,
    /// A stream producer's next sequence; for a stream reader that comes back: the position it wants.
    pub next: u64,
    /// Where a stream reader begins.
    pub start: Start,
}

/// Why a Hello is not one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HelloError {
    /// Another layout version; both are in the answer.
    Version(u32),
    /// Not ours at all.
    Malformed(&'static str),
}

impl Hello {
    /// Appends the frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut name = [0; NAME_LEN_MAX];
        let len = self.name.len().min(NAME_LEN_MAX);
        name[..len].copy_from_slice(&self.name.as_bytes()[..len]);
        encode(out, kind::HELLO, |out| {
            out.extend_from_slice(&MAGIC.to_le_bytes());
            out.extend_from_slice(&LAYOUT_VERSION.to_le_bytes());
            out.extend_from_slice(&(Record::SIZE_BYTES as u32).to_le_bytes());
            out.extend_from_slice(&[self.role as u8, self.venue.0, len as u8, self.start as u8]);
            out.extend_from_slice(&self.pid.to_le_bytes());
            out.extend_from_slice(&self.run_id.to_le_bytes());
            out.extend_from_slice(&self.next.to_le_bytes());
            out.extend_from_slice(&name);
            out.extend_from_slice(&[0; 16]);
        });
    }

    /// The Hello in a payload. Magic and version stand first in every version, so that any two can tell that they differ.
    ///
    /// # Errors
    /// [`HelloError`] says whether it is another version or no Hello.
    pub fn decode(payload: &[u8]) -> Result<Hello, HelloError> {
        let malformed = HelloError::Malformed;
        let mut fields = Fields(payload);
        match fields.u64() {
            Some(MAGIC) => {}
            Some(swapped) if swapped == MAGIC.swap_bytes() => return Err(malformed("the peer is big-endian")),
            _ => return Err(malformed("it does not begin with the magic of Tickpath")),
        }
        match fields.u32() {
            Some(LAYOUT_VERSION) => {}
            Some(other) => return Err(HelloError::Version(other)),
            None => return Err(malformed("too short")),
        }
        if payload.len() != HELLO_LEN {
            return Err(malformed("wrong length"));
        }
        Hello::decode_fields(fields).ok_or(malformed("a field is out of range"))
    }

    fn decode_fields(mut fields: Fields<'_>) -> Option<Hello> {
        if fields.u32()? as usize != Record::SIZE_BYTES {
            return None;
        }
        let [role, venue, name_len, start] = fields.bytes::<4>()?;
        let role = *Role::ALL.get(usize::from(role).checked_sub(1)?)?;
        let start = *[Start::Live, Start::Oldest].get(usize::from(start))?;
        let (pid, run_id, next) = (fields.u32()?, fields.u64()?, fields.u64()?);
        let name = fields.bytes::<NAME_LEN_MAX>()?;
        let name = std::str::from_utf8(name.get(..usize::from(name_len))?).ok()?;
        crate::header::check_name(name).ok()?;
        let venue = Venue(venue);
        let identified = venue != Venue::NONE && (1..i64::MAX as u64).contains(&run_id);
        if role.produces() && !(identified && (1..i64::MAX as u64).contains(&next)) {
            return None;
        }
        Some(Hello {
            role,
            venue,
            name: name.to_owned(),
            pid,
            run_id,
            next,
            start,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::frame::HEADER_LEN;

    fn hello() -> Hello {
        Hello {
            role: Role::ProducerStream,
            venue: Venue::KRAKEN,
            name: "collector-kraken".into(),
            pid: 77,
            run_id: 1_783_465_204_585_581_000,
            next: 12,
            start: Start::Oldest,
        }
    }

    #[test]
    fn a_hello_reads_back() {
        let mut bytes = Vec::new();
        hello().encode(&mut bytes);
        assert_eq!(bytes.len(), HEADER_LEN + HELLO_LEN);
        assert_eq!(Hello::decode(&bytes[HEADER_LEN..]), Ok(hello()));
    }

    #[test]
    fn a_producer_must_say_who_it_is() {
        for bad in [
            Hello {
                venue: Venue::NONE,
                ..hello()
            },
            Hello { run_id: 0, ..hello() },
            Hello {
                run_id: u64::MAX,
                ..hello()
            },
            Hello { next: 0, ..hello() },
            Hello {
                name: String::new(),
                ..hello()
            },
            Hello {
                name: "a\nb".into(),
                ..hello()
            },
        ] {
            let mut bytes = Vec::new();
            bad.encode(&mut bytes);
            assert!(
                matches!(Hello::decode(&bytes[HEADER_LEN..]), Err(HelloError::Malformed(_))),
                "{bad:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_hello_with_any_byte_changed_is_a_hello_or_an_error(index in 0..HELLO_LEN, byte in any::<u8>()) {
            let mut bytes = Vec::new();
            hello().encode(&mut bytes);
            bytes[HEADER_LEN + index] = byte;
            let _verdict = Hello::decode(&bytes[HEADER_LEN..]);
        }

        #[test]
        fn any_payload_is_a_hello_or_an_error(payload in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _verdict = Hello::decode(&payload);
        }
    }
}
