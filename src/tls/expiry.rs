//! From when and until when a certificate is valid: what rustls does not tell. Asked by `web/admin`, so that nobody
//! learns of an expired certificate from the peers that refuse it (M13).

use std::path::Path;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::clock::Timestamp;

/// DER tags (X.690): the version of a certificate, and the two forms of a time (RFC 5280 4.1.2.5).
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// When the first certificate of a PEM file begins and expires; `None` where that cannot be read.
pub fn validity(certificate: &Path) -> Option<(Timestamp, Timestamp)> {
    let first = CertificateDer::pem_file_iter(certificate).ok()?.next()?.ok()?;
    validity_of(&first)
}

/// `notBefore` and `notAfter` of a certificate (RFC 5280 4.1).
fn validity_of(certificate: &[u8]) -> Option<(Timestamp, Timestamp)> {
    let (_, signed, _) = element(certificate)?;
    let (_, mut fields, _) = element(signed)?;
    if fields.first() == Some(&VERSION) {
        fields = element(fields)?.2;
    }
    for _serial_algorithm_issuer in 0..3 {
        fields = element(fields)?.2;
    }
    let (_, validity, _) = element(fields)?;
    let (from, begin, not_after) = element(validity)?;
    let (until, end, _) = element(not_after)?;
    let time = |tag, time| time_of(tag, std::str::from_utf8(time).ok()?);
    Some((time(from, begin)?, time(until, end)?))
}

/// One element: its tag, its content, and what follows it.
fn element(octets: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = octets.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (length.iter().fold(0, |sum, octet| sum << 8 | usize::from(*octet)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

fn time_of(tag: u8, text: &str) -> Option<Timestamp> {
    let text = match tag {
        // Years from 50 on are in the last century.
        UTC_TIME if text < "5" => format!("20{text}"),
        UTC_TIME => format!("19{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let time = jiff::civil::DateTime::strptime("%Y%m%d%H%M%SZ", text).ok()?;
    jiff::tz::TimeZone::UTC.to_timestamp(time).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(until: (i32, u8, u8)) -> Vec<u8> {
        let mut parameters = rcgen::CertificateParams::new(vec!["voorbeeld.nl".to_owned()]).unwrap();
        parameters.not_after = rcgen::date_time_ymd(until.0, until.1, until.2);
        let key = rcgen::KeyPair::generate().unwrap();
        parameters.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn reads_both_forms_of_time() {
        for (until, text) in [
            ((2031, 2, 3), "2031-02-03T00:00:00Z"),
            ((1999, 12, 31), "1999-12-31T00:00:00Z"),
            ((2075, 6, 7), "2075-06-07T00:00:00Z"),
        ] {
            let (from, found) = validity_of(&certificate(until)).unwrap();
            assert_eq!(
                (from.to_string().as_str(), found.to_string().as_str()),
                ("1975-01-01T00:00:00Z", text)
            );
        }
    }

    #[test]
    fn what_is_no_certificate_has_no_end() {
        let whole = certificate((2031, 2, 3));
        for length in 0..whole.len().min(200) {
            validity_of(&whole[..length]);
        }
        for octets in [&b""[..], b"x", &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], &[0x30, 0x80], &[0; 300]] {
            assert_eq!(validity_of(octets), None);
        }
        assert_eq!(validity(Path::new("/nonexistent")), None);
    }
}
