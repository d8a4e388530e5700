//! Address fields made of mailboxes that others wrote, so that every line of them travels everywhere.

use mail_builder::headers::Header;
use mail_builder::headers::address::Address as AddressField;

use super::Fields;
use crate::address::Address;
use crate::message::mailbox::Mailbox;
use crate::outbox::text::one_line;

/// Bytes of one field. Postfix cuts what is over 102,400 within an address.
const MAX_FIELD: usize = 96 << 10;

/// Bytes of a line that programs like to see (RFC 5322 2.1.1), and of a name that stays on one.
const LINE: usize = 78;
const MAX_PLAIN: usize = 60;

impl Fields {
    /// Mailboxes as they are shown; nothing where there are none. Of very many the first ones. What has no address that
    /// may be in the field is an empty group of that name (RFC 6857 3.1.8).
    pub fn mailboxes(mut self, name: &str, mailboxes: impl IntoIterator<Item = Mailbox>, utf8: bool) -> Self {
        let mut field = format!("{name}:").into_bytes();
        let (start, mut column) = (field.len(), field.len());
        for mailbox in mailboxes {
            let written = written(&mailbox, utf8);
            let first_line = written.split(|c| *c == b'\r').next().unwrap_or_default().len();
            if field.len() > start {
                field.push(b',');
            }
            if field.len() + written.len() > MAX_FIELD {
                field.pop();
                break;
            }
            let fits = column + first_line + 2 <= LINE || field.len() == start;
            field.extend_from_slice(if fits { b" " } else { b"\r\n " });
            field.extend_from_slice(&written);
            column = field.iter().rev().take_while(|c| **c != b'\n').count();
        }
        if field.len() > start {
            self.0.extend(field);
            self.0.extend_from_slice(b"\r\n");
        }
        self
    }

    /// A field that names nobody (RFC 5322 A.1.3).
    pub fn nobody(self, name: &str) -> Self {
        self.exact(name, "undisclosed-recipients:;")
    }
}

/// The mailbox as it stands in a list, without a line end behind it.
fn written(mailbox: &Mailbox, utf8: bool) -> Vec<u8> {
    let name = mailbox.name.as_deref().map(one_line).filter(|name| !name.is_empty());
    let address = mailbox.address.as_ref().and_then(|address| writable(address, utf8));
    let field = match (name, address) {
        (None, Some(address)) => return address.into_bytes(),
        (Some(name), Some(address)) if is_plain(&name) => return format!("{name} <{address}>").into_bytes(),
        (name, Some(address)) => AddressField::new_address(name, address),
        (name, None) => {
            let address = mailbox.address.as_ref().map(Address::as_str);
            let words: Vec<&str> = name.as_deref().into_iter().chain(address).collect();
            AddressField::new_group(Some(one_line(&words.join(" "))), Vec::new())
        }
    };
    let mut out = Vec::new();
    field.write_header(&mut out, 1);
    out.truncate(out.trim_ascii_end().len());
    // Encoded words end at a blank (RFC 2047 5).
    if out.ends_with(b"?=:;") {
        out.truncate(out.len() - 2);
        out.extend_from_slice(b" :;");
    }
    out
}

/// Words that need no quotation marks (RFC 5322 3.2.3), and that nobody takes for encoded ones (RFC 2047 5).
fn is_plain(name: &str) -> bool {
    let is_text = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~ ".contains(c);
    name.len() <= MAX_PLAIN && name.chars().all(is_text) && !name.contains("=?")
}

/// The address as it may be in a header: its domain as the DNS has it, and all of it in ASCII unless the mail travels
/// with SMTPUTF8 (RFC 6532).
pub fn writable(address: &Address, utf8: bool) -> Option<String> {
    let address = address.with_ascii_domain();
    (utf8 || !address.needs_smtputf8()).then(|| address.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mailbox(name: &str, address: &str) -> Mailbox {
        Mailbox {
            name: Some(name.to_owned()).filter(|name| !name.is_empty()),
            address: Address::parse(address).ok(),
        }
    }

    fn field(mailboxes: Vec<Mailbox>, utf8: bool) -> String {
        String::from_utf8(Fields::default().mailboxes("To", mailboxes, utf8).into_bytes()).unwrap()
    }

    #[test]
    fn what_is_not_ascii_is_encoded_or_named() {
        for (name, address, utf8, expected) in [
            ("", "a@b.nl", false, "To: a@b.nl\r\n"),
            ("Jan de Vries", "a@b.nl", false, "To: Jan de Vries <a@b.nl>\r\n"),
            ("=?utf-8?q?x?=", "a@b.nl", false, "To: \"=?utf-8?q?x?=\" <a@b.nl>\r\n"),
            ("J. de Vries", "a@b.nl", false, "To: \"J. de Vries\" <a@b.nl>\r\n"),
            ("Vries, \"Jan\"", "a@b.nl", false, "To: \"Vries, \\\"Jan\\\"\" <a@b.nl>\r\n"),
            ("a\r\nBcc: c@d.nl", "a@b.nl", false, "To: \"a Bcc: c@d.nl\" <a@b.nl>\r\n"),
            ("", "a@gemeente-súdwest.nl", false, "To: a@xn--gemeente-sdwest-cvb.nl\r\n"),
            ("", "jörg@b.nl", true, "To: jörg@b.nl\r\n"),
            ("undisclosed", "", false, "To: \"undisclosed\":;\r\n"),
        ] {
            assert_eq!(field(vec![mailbox(name, address)], utf8), expected);
        }
        let encoded =
            field(vec![mailbox("Jörg Ü", "a@b.nl"), mailbox("É", "jörg@b.nl"), mailbox("", "c@d.nl")], false);
        assert!(encoded.is_ascii() && encoded.ends_with(" c@d.nl\r\n"), "{encoded}");
        let read = mail_parser::MessageParser::new().parse(encoded.as_bytes()).unwrap();
        let to = read.to().unwrap();
        assert_eq!(to.first().unwrap().name(), Some("Jörg Ü"), "{encoded}");
        assert!(encoded.contains("?= :;,"), "{encoded}");
    }

    #[test]
    fn many_are_folded_and_very_many_cut() {
        let many: Vec<_> =
            (0..1000).map(|n| mailbox(&format!("Bewoner {n}"), &format!("b{n}@example.org"))).collect();
        let text = field(many, false);
        assert!(text.lines().all(|line| line.len() <= 78), "{text}");
        assert_eq!(text.matches('@').count(), 1000);
        let text = field(vec![mailbox(&"ü".repeat(150), "a@b.nl"); 10_000], false);
        assert!(text.len() <= 102_400 && text.matches('@').count() > 50, "{}", text.len());
        assert!(
            field(vec![mailbox(&"x".repeat(5000), "a@b.nl")], false).lines().all(|line| line.len() < 998)
        );
    }
}
