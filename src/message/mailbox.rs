//! The person in a `From` field (RFC 5322 3.4), as mail clients show it. Used by `header`.

use super::encoded;
use super::header::clean;
use crate::address::Address;

/// A display name and an address; either may be missing, or be no more than an attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mailbox {
    /// The display name, decoded.
    pub name: Option<String>,
    /// The address, if it is one.
    pub address: Option<Address>,
}

impl Mailbox {
    /// Reads the first mailbox of a list. `text` is unfolded and *not* yet decoded, so that an encoded
    /// word can not bring brackets or commas of its own.
    pub fn parse(text: &str) -> Self {
        let mut reader = Reader::default();
        for c in text.chars() {
            if !reader.take(c) {
                break;
            }
        }
        reader.finish()
    }
}

#[derive(Default)]
struct Reader {
    /// The words outside brackets, with and without their quotes.
    bare: String,
    phrase: String,
    comment: String,
    angle: Option<String>,
    in_angle: bool,
    quoted: bool,
    escaped: bool,
    depth: usize,
}

impl Reader {
    /// Takes one character; false at the end of the first mailbox.
    fn take(&mut self, c: char) -> bool {
        let plain = !self.escaped && !self.quoted && self.depth == 0;
        match c {
            _ if self.escaped => {
                self.escaped = false;
                self.add(c, true);
            }
            '\\' => {
                self.escaped = true;
                self.add(c, false);
            }
            '"' if self.depth == 0 => {
                self.quoted = !self.quoted;
                self.add(c, false);
            }
            '(' if !self.quoted && !self.in_angle => self.depth += 1,
            ')' if self.depth > 0 => self.depth -= 1,
            '<' if plain && self.angle.is_none() => {
                self.in_angle = true;
                self.angle = Some(String::new());
            }
            '>' if plain => self.in_angle = false,
            ',' | ';' if plain && !self.in_angle && self.is_complete() => return false,
            // A group's name (RFC 5322 3.4) is nobody's.
            ':' if plain && self.angle.is_none() => {
                self.bare.clear();
                self.phrase.clear();
            }
            _ => self.add(c, true),
        }
        true
    }

    fn add(&mut self, c: char, is_text: bool) {
        if self.depth > 0 {
            self.comment.extend(is_text.then_some(c));
        } else if let (true, Some(angle)) = (self.in_angle, &mut self.angle) {
            angle.push(c);
        } else if self.angle.is_none() {
            self.bare.push(c);
            self.phrase.extend(is_text.then_some(c));
        }
    }

    /// A comma without an address before it belongs to a name that should have been quoted.
    fn is_complete(&self) -> bool {
        self.angle.is_some() || self.bare.contains('@')
    }

    fn finish(self) -> Mailbox {
        let (address, name) = match &self.angle {
            // An obsolete route, `<@relay:name@domain>` (RFC 5322 4.4), says nothing about the person.
            Some(angle) if angle.starts_with('@') => {
                (angle.split_once(':').map_or("", |(_, address)| address), &self.phrase)
            }
            Some(angle) => (angle.as_str(), &self.phrase),
            None => (self.bare.as_str(), &self.comment),
        };
        let name = clean(&encoded::decode_words(name.trim()));
        Mailbox {
            name: Some(name).filter(|name| !name.is_empty()),
            address: Address::parse(address.trim()).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_mail_clients_write() {
        for (text, name, address) in [
            ("jan@voorbeeld.nl", "", "jan@voorbeeld.nl"),
            ("<jan@voorbeeld.nl>", "", "jan@voorbeeld.nl"),
            ("Jan de Vries <jan@voorbeeld.nl>", "Jan de Vries", "jan@voorbeeld.nl"),
            ("\"Vries, Jan de\" <jan@voorbeeld.nl>, piet@voorbeeld.nl", "Vries, Jan de", "jan@voorbeeld.nl"),
            ("Vries, Jan de <jan@voorbeeld.nl>", "Vries, Jan de", "jan@voorbeeld.nl"),
            ("jan@voorbeeld.nl (Jan de Vries)", "Jan de Vries", "jan@voorbeeld.nl"),
            ("\"jan (x)\" <jan@voorbeeld.nl>", "jan (x)", "jan@voorbeeld.nl"),
            ("\"piet@example.org\" <jan@voorbeeld.nl>", "piet@example.org", "jan@voorbeeld.nl"),
            ("\"een \\\"twee\\\"\" <jan@voorbeeld.nl>", "een \"twee\"", "jan@voorbeeld.nl"),
            ("\"jan vries\"@voorbeeld.nl", "", "\"jan vries\"@voorbeeld.nl"),
            ("=?utf-8?q?J=C3=BCrgen?= <jan@voorbeeld.nl>", "Jürgen", "jan@voorbeeld.nl"),
            (
                "=?utf-8?q?=3Cpiet=40example.org=3E?= <jan@voorbeeld.nl>",
                "<piet@example.org>",
                "jan@voorbeeld.nl",
            ),
            ("Team: jan@voorbeeld.nl, piet@voorbeeld.nl;", "", "jan@voorbeeld.nl"),
            ("<@relay.example:jan@voorbeeld.nl>", "", "jan@voorbeeld.nl"),
            ("niemand", "", ""),
            ("", "", ""),
        ] {
            let mailbox = Mailbox::parse(text);
            assert_eq!(mailbox.name.as_deref().unwrap_or(""), name, "{text}");
            assert_eq!(mailbox.address.map(String::from).unwrap_or_default(), address, "{text}");
        }
    }
}
