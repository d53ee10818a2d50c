//! When a certificate holds, out of its DER (RFC 5280, section 4.1): rustls checks that of its peers' certificates, and not of its own.

use std::time::SystemTime;

/// The time in which a certificate holds, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// `notBefore`.
    pub from: SystemTime,
    /// `notAfter`.
    pub until: SystemTime,
}

impl Validity {
    /// Whether it holds then.
    #[must_use]
    pub fn holds_at(&self, time: SystemTime) -> bool {
        (self.from..=self.until).contains(&time)
    }
}

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
/// The version, which the first version of certificates lacks.
const VERSION: u8 = 0xa0;

/// When the certificate of these bytes holds; `None` if they are none.
#[must_use]
pub fn validity(der: &[u8]) -> Option<Validity> {
    let (certificate, _) = expect(der, SEQUENCE)?;
    let (mut rest, _) = expect(certificate, SEQUENCE)?;
    if let Some((VERSION, _, after)) = element(rest) {
        rest = after;
    }
    // Serial number, algorithm of the signature, issuer.
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        rest = expect(rest, tag)?.1;
    }
    let (validity, _) = expect(rest, SEQUENCE)?;
    let (from, rest) = time(validity)?;
    let (until, _) = time(rest)?;
    Some(Validity { from, until })
}

/// Tag and content of the first element, and what comes after it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x84 => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            (length, rest)
        }
        _ => return None,
    };
    let (content, after) = rest.split_at_checked(length)?;
    Some((*tag, content, after))
}

fn expect(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, after) = element(bytes)?;
    (found == tag).then_some((content, after))
}

/// `YYMMDDHHMMSSZ` until 2049, `YYYYMMDDHHMMSSZ` after it.
fn time(bytes: &[u8]) -> Option<(SystemTime, &[u8])> {
    let (tag, content, after) = element(bytes)?;
    let text = std::str::from_utf8(content).ok()?.strip_suffix('Z')?;
    let year_digits = match tag {
        UTC_TIME => 2,
        GENERALIZED_TIME => 4,
        _ => return None,
    };
    if text.len() != year_digits + 10 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = text.split_at(year_digits);
    let century = match tag {
        UTC_TIME if year < "50" => "20",
        UTC_TIME => "19",
        _ => "",
    };
    let part = |at: usize| &rest[at..at + 2];
    let (month, day, hour, minute, second) = (part(0), part(2), part(4), part(6), part(8));
    let text = format!("{century}{year}-{month}-{day}T{hour}:{minute}:{second}Z");
    Some((humantime::parse_rfc3339(&text).ok()?, after))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn certificate(until_year: i32) -> Vec<u8> {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_before = date_time_ymd(1999, 12, 31);
        params.not_after = date_time_ymd(until_year, 2, 3);
        let signed = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        signed.der().to_vec()
    }

    #[test]
    fn both_forms_of_time() {
        for year in [2031, 2050, 4096] {
            let validity = validity(&certificate(year)).unwrap();
            let text = |time| humantime::format_rfc3339_seconds(time).to_string();
            assert_eq!(text(validity.from), "1999-12-31T00:00:00Z");
            assert_eq!(text(validity.until), format!("{year}-02-03T00:00:00Z"));
            assert!(validity.holds_at(validity.until));
            assert!(!validity.holds_at(validity.until + Duration::from_secs(1)));
            assert!(!validity.holds_at(validity.from - Duration::from_secs(1)));
        }
    }

    #[test]
    fn what_is_cut_is_none() {
        let whole = certificate(2031);
        assert!((0..whole.len()).all(|len| validity(&whole[..len]).is_none()));
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_an_answer(at in 0_usize..200, byte: u8) {
            let mut bytes = certificate(2031);
            bytes[at] = byte;
            // Nothing is claimed but that it returns.
            prop_assert!(validity(&bytes).is_none_or(|validity| validity.holds_at(validity.until) || validity.from > validity.until));
        }
    }
}
