//! S/MIME that is signed with its content in it (RFC 8551 3.5.2), in CMS (RFC 5652): the content, and whom the certificates
//! name. Used by `opened`. The signature is not checked, and no page says that it was (docs/decisions/0016).

mod ber;
mod certificate;

use super::crlf::CrlfBytes;
use super::header::{Header, split};
use ber::{Ber, CONTEXT, Element, INTEGER, OCTETS, OID, SEQUENCE, SET};
use certificate::Certificate;

/// 1.2.840.113549.1.7, of which 1 is data, 2 signed data, and 3 enveloped data.
const PKCS7: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7];
/// Authenticated enveloped data (RFC 5083).
const AUTHENTICATED: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 1, 23];

/// Signers and certificates that are looked at.
const MAX_SIGNERS: usize = 5;
const MAX_CERTIFICATES: usize = 100;

/// What was signed, and by whom.
#[derive(Debug)]
pub struct Signed {
    /// What was signed.
    pub content: Vec<u8>,
    /// The names in the certificates of those who signed.
    pub by: Vec<String>,
}

/// What there is in CMS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Signed,
    /// Encrypted for the owner of a certificate.
    Enveloped,
}

/// What the first bytes of a file say that it is.
pub fn kind(start: &[u8]) -> Option<Kind> {
    let (SEQUENCE, rest) = start.split_first().map(|(tag, rest)| (*tag, rest))? else { return None };
    // The length takes nine bytes at most, and only the type stands behind it.
    let length = match rest.first()? {
        0..=0x80 => 1,
        long => 1 + usize::from(long & 0x7f),
    };
    let kind = Ber(rest.get(length..)?).optional(OID)?.content;
    match kind.strip_prefix(PKCS7) {
        Some([2]) => Some(Kind::Signed),
        Some([3]) => Some(Kind::Enveloped),
        _ => (kind == AUTHENTICATED).then_some(Kind::Enveloped),
    }
}

/// Reads signed data that have their content in them; `None` where they have none, or are not whole.
pub fn read(file: &[u8]) -> Option<Signed> {
    let mut outer = Ber(file).optional(SEQUENCE)?.elements();
    outer.optional(OID).filter(|kind| kind.content.strip_prefix(PKCS7) == Some(&[2]))?;
    let mut fields = outer.optional(CONTEXT)?.elements().optional(SEQUENCE)?.elements();
    let _version = fields.optional(INTEGER)?;
    let _digests = fields.optional(SET)?;
    let mut content = fields.optional(SEQUENCE)?.elements();
    content.optional(OID).filter(|kind| kind.content.strip_prefix(PKCS7) == Some(&[1]))?;
    let content = content.optional(CONTEXT)?.elements().next()?;
    let content = if content.tag & !0x20 == OCTETS { content.octets()? } else { return None };
    let certificates = fields.optional(CONTEXT);
    let _revoked = fields.optional(CONTEXT + 1);
    let signers = fields.optional(SET);
    Some(Signed { content, by: names(certificates, signers) })
}

/// The names of the signers, each once.
fn names(certificates: Option<Element>, signers: Option<Element>) -> Vec<String> {
    let (Some(certificates), Some(signers)) = (certificates, signers) else { return Vec::new() };
    let mut all = certificates.elements();
    let certificates: Vec<Certificate> =
        std::iter::from_fn(|| all.next()).take(MAX_CERTIFICATES).filter_map(Certificate::parse).collect();
    let mut all = signers.elements();
    let mut names = Vec::new();
    for signer in std::iter::from_fn(|| all.next()).take(MAX_SIGNERS) {
        let mut fields = signer.elements();
        let Some(id) = fields.optional(INTEGER).and_then(|_| fields.next()) else { continue };
        let found = certificates.iter().find(|certificate| certificate.is_meant_by(id));
        if let Some(name) = found.and_then(Certificate::name).filter(|name| !names.contains(name)) {
            names.push(name);
        }
    }
    names
}

/// What was signed as a MIME entity. Mostly it is one; what has no field of MIME is text, or the file that the name of
/// the signed one tells (`besluit.pdf.p7m`).
pub fn entity(content: Vec<u8>, name: Option<&str>) -> Vec<u8> {
    let first_line = content.iter().position(|c| *c == b'\n').unwrap_or(0);
    let is_bare = first_line > 0 && content.get(first_line - 1) != Some(&b'\r');
    let is_mime = |content: &[u8]| {
        let header = Header::parse(split(content).0);
        header.first("Content-Type").is_some() || header.first("MIME-Version").is_some()
    };
    // Some sign with the line ends of their own machine.
    if is_bare {
        let lines = CrlfBytes::normalised(&content).into_vec();
        if is_mime(&lines) {
            return lines;
        }
    } else if is_mime(&content) {
        return content;
    }
    let stem = name.and_then(|name| {
        let (stem, ending) = name.rsplit_once('.')?;
        (ending.eq_ignore_ascii_case("p7m") && stem.contains('.')).then_some(stem)
    });
    let is_text = std::str::from_utf8(&content).is_ok() && !content.contains(&0);
    let header = match stem {
        Some(stem) => file_header(stem),
        None if is_text => "Content-Type: text/plain; charset=utf-8\r\n".to_owned(),
        None => "Content-Type: application/octet-stream\r\nContent-Disposition: attachment\r\n".to_owned(),
    };
    [header.as_bytes(), b"Content-Transfer-Encoding: binary\r\n\r\n", &content].concat()
}

fn file_header(name: &str) -> String {
    let media_type = super::media_type::media_type_of(name);
    let name = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
    format!("Content-Type: {media_type}\r\nContent-Disposition: attachment; filename*=utf-8''{name}\r\n")
}

#[cfg(test)]
mod tests;
