//! Whom a certificate names (RFC 5280); used by `signed`. Nothing of it is checked.

use super::super::decode;
use super::super::note::one_line;
use super::ber::{Ber, CONTEXT, Element, INTEGER, OCTETS, OID, SEQUENCE};

const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const MAIL: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1];
const KEY_ID: &[u8] = &[0x55, 0x1d, 14];
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 17];

/// A primitive element in its context: `[0]`, and so on.
const PRIMITIVE: u8 = 0x80;

/// The parts of a certificate that say whose it is.
#[derive(Debug)]
pub struct Certificate<'a> {
    serial: &'a [u8],
    issuer: &'a [u8],
    subject: Element<'a>,
    extensions: Option<Element<'a>>,
}

impl<'a> Certificate<'a> {
    /// Reads a certificate.
    pub fn parse(element: Element<'a>) -> Option<Self> {
        let mut fields = element.elements().optional(SEQUENCE)?.elements();
        fields.optional(CONTEXT);
        let serial = fields.optional(INTEGER)?.content;
        let _algorithm = fields.optional(SEQUENCE)?;
        let issuer = fields.optional(SEQUENCE)?.whole;
        let _validity = fields.optional(SEQUENCE)?;
        let subject = fields.optional(SEQUENCE)?;
        let _key = fields.optional(SEQUENCE)?;
        let (mut rest, mut extensions) = (fields, None);
        while let Some(field) = rest.next() {
            if field.tag == CONTEXT + 3 {
                extensions = field.elements().optional(SEQUENCE);
            }
        }
        Some(Self { serial, issuer, subject, extensions })
    }

    /// Whether a signer means this one: by who issued it and its number, or by the name of its key (RFC 5652 5.3).
    pub fn is_meant_by(&self, signer: Element<'a>) -> bool {
        if signer.tag == PRIMITIVE {
            return self
                .extension(KEY_ID)
                .and_then(|id| Ber(id).optional(OCTETS))
                .is_some_and(|id| id.content == signer.content);
        }
        let mut fields = signer.elements();
        let issuer = fields.optional(SEQUENCE).map(|issuer| issuer.whole);
        let serial = fields.optional(INTEGER).map(|serial| serial.content);
        issuer == Some(self.issuer) && serial == Some(self.serial)
    }

    /// A name and an address, as far as there are.
    pub fn name(&self) -> Option<String> {
        let name = self.named(COMMON_NAME);
        let mail = self.mail().filter(|mail| Some(mail) != name.as_ref());
        match (name, mail) {
            (Some(name), Some(mail)) => Some(format!("{name} ({mail})")),
            (name, mail) => name.or(mail),
        }
    }

    fn mail(&self) -> Option<String> {
        let names = self.extension(ALTERNATIVE_NAMES).and_then(|names| Ber(names).optional(SEQUENCE));
        let mut names = names.map(Element::elements);
        let found = std::iter::from_fn(|| names.as_mut()?.next()).find(|name| name.tag == PRIMITIVE + 1);
        let found = found.map(|name| one_line(&decode::charset(name.content, None)));
        found.filter(|mail| !mail.is_empty()).or_else(|| self.named(MAIL))
    }

    /// An attribute of the subject.
    fn named(&self, wanted: &[u8]) -> Option<String> {
        let mut sets = self.subject.elements();
        while let Some(set) = sets.next() {
            let mut pairs = set.elements();
            while let Some(pair) = pairs.next() {
                let mut pair = pair.elements();
                if pair.optional(OID).is_some_and(|kind| kind.content == wanted) {
                    return pair.next().map(text).filter(|text| !text.is_empty());
                }
            }
        }
        None
    }

    fn extension(&self, wanted: &[u8]) -> Option<&'a [u8]> {
        let mut extensions = self.extensions?.elements();
        while let Some(extension) = extensions.next() {
            let mut fields = extension.elements();
            if fields.optional(OID).is_some_and(|kind| kind.content == wanted) {
                // Between them may stand that it is critical.
                return std::iter::from_fn(|| fields.next())
                    .find(|field| field.tag == OCTETS)
                    .map(|value| value.content);
            }
        }
        None
    }
}

/// A string in one of the charsets that a name may be in.
fn text(string: Element) -> String {
    let charset = match string.tag {
        0x1e => Some("utf-16be"),
        0x14 => Some("iso-8859-1"),
        0x0c | 0x13 | 0x16 => Some("utf-8"),
        _ => return String::new(),
    };
    one_line(&decode::charset(string.content, charset))
}
