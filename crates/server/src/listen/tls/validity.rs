//! From when until when a certificate is valid, which rustls does not say of one's own.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// From when until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
}

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Reads it from a certificate (RFC 5280, section 4.1): the fourth field of what is signed, after an optional version.
pub(super) fn of(certificate: &[u8]) -> Option<Validity> {
    let mut certificate = Reader(Reader(certificate).value(SEQUENCE)?);
    let mut signed = Reader(certificate.value(SEQUENCE)?);
    if signed.0.first() == Some(&VERSION) {
        signed.any()?;
    }
    for _serial_algorithm_issuer in 0..3 {
        signed.any()?;
    }
    let mut validity = Reader(signed.value(SEQUENCE)?);
    Some(Validity { from: time(validity.any()?)?, to: time(validity.any()?)? })
}

fn time((tag, text): (u8, &[u8])) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let text = match tag {
        // Two digits of the year: from 1950 to 2049.
        UTC_TIME if text < "50" => format!("20{text}"),
        UTC_TIME => format!("19{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let time = DateTime::strptime("%Y%m%d%H%M%S", text).ok()?;
    time.to_zoned(TimeZone::UTC).ok().map(|time| time.timestamp())
}

/// DER values, one after the other.
struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    /// The next value, which must have that tag.
    fn value(&mut self, expected: u8) -> Option<&'b [u8]> {
        let (tag, value) = self.any()?;
        (tag == expected).then_some(value)
    }

    /// The next value, with its tag.
    fn any(&mut self) -> Option<(u8, &'b [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, mut rest) = rest.split_first()?;
        let length = if first < 0x80 {
            usize::from(first)
        } else {
            let count = usize::from(first & 0x7f);
            let (bytes, behind) = rest.split_at_checked(count).filter(|_| count <= 4)?;
            rest = behind;
            bytes.iter().fold(0, |length, &byte| length << 8 | usize::from(byte))
        };
        let (value, behind) = rest.split_at_checked(length)?;
        self.0 = behind;
        Some((tag, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_validity_of_a_certificate_is_read() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::new(vec!["a".to_owned()]).unwrap();
        parameters.not_before = rcgen::date_time_ymd(1999, 2, 28);
        parameters.not_after = rcgen::date_time_ymd(2051, 12, 31);
        let certificate = parameters.self_signed(&key).unwrap();
        let found = of(certificate.der()).unwrap();
        assert_eq!(found.from.to_string(), "1999-02-28T00:00:00Z");
        assert_eq!(found.to.to_string(), "2051-12-31T00:00:00Z");
    }

    #[test]
    fn what_is_cut_short_anywhere_is_no_certificate_and_no_panic() {
        let key = rcgen::KeyPair::generate().unwrap();
        let parameters = rcgen::CertificateParams::new(vec!["a".to_owned()]).unwrap();
        let certificate = parameters.self_signed(&key).unwrap();
        let whole = certificate.der().len();
        assert!((0..whole).all(|size| of(&certificate.der()[..size]).is_none()));
    }
}
