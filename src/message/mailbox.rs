//! Mailboxes as the address fields of a header have them (RFC 5322 3.4), however they are written. Used by `header`.

use memchr::memchr;

use super::encoded;
use crate::address::Address;

/// Somebody whom a field names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mailbox {
    /// The display name, decoded.
    pub name: Option<String>,
    /// The address, where it is one.
    pub address: Option<Address>,
}

impl From<Address> for Mailbox {
    fn from(address: Address) -> Self {
        Self { name: None, address: Some(address) }
    }
}

/// The mailboxes of an address list, one after the other. Groups are taken apart, and an empty group holds none.
pub(super) struct Mailboxes<'a> {
    rest: &'a [u8],
}

impl<'a> Mailboxes<'a> {
    /// Those of the field with this body.
    pub fn of(body: &'a [u8]) -> Self {
        Self { rest: body }
    }
}

impl Iterator for Mailboxes<'_> {
    type Item = Mailbox;

    fn next(&mut self) -> Option<Mailbox> {
        loop {
            let is_between = |c: &&u8| matches!(c, b',' | b';' | b' ' | b'\t' | b'\r' | b'\n');
            let between = self.rest.iter().take_while(is_between).count();
            let list = self.rest.get(between..).filter(|list| !list.is_empty())?;
            let (written, rest) = list.split_at_checked(mailbox_length(list)).unwrap_or((list, b""));
            self.rest = rest;
            let mailbox = Mailbox::parse(written);
            if mailbox.name.is_some() || mailbox.address.is_some() {
                return Some(mailbox);
            }
            if let Some(name) = shown(without_group(written)) {
                return Some(Mailbox { name: Some(name), address: None });
            }
        }
    }
}

impl Mailbox {
    /// Reads the first mailbox of an address list (RFC 5322 3.4).
    pub(super) fn parse(body: &[u8]) -> Self {
        let body = without_group(body);
        let (name, address) = match bracketed(body) {
            Some((before, inside)) => (before, without_route(inside)),
            None => (comment(body), bare(body)),
        };
        let address = Address::parse(encoded::text(address).trim()).ok();
        Self { name: shown(name), address }
    }
}

/// A display name as it is shown.
fn shown(name: &[u8]) -> Option<String> {
    let name = encoded::decode(name);
    let name = name.trim();
    let quoted = name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(name);
    let name = quoted.replace("\\\"", "\"").replace("\\\\", "\\");
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// Bytes up to the separator behind a mailbox. A comma without an address before it belongs to a name that should have
/// been quoted.
fn mailbox_length(list: &[u8]) -> usize {
    let (mut quoted, mut escaped, mut has_address, mut angle) = (false, false, false, false);
    let mut comments = 0u32;
    let end = list.iter().position(|c| {
        let is_escaped = std::mem::replace(&mut escaped, false);
        match c {
            _ if is_escaped => {}
            b'\\' => escaped = quoted || comments > 0,
            b'"' if comments == 0 => quoted = !quoted,
            _ if quoted => {}
            b'(' => comments += 1,
            b')' => comments = comments.saturating_sub(1),
            _ if comments > 0 => {}
            b'<' => angle = true,
            b'>' => angle = false,
            b'@' => has_address = true,
            b',' => return has_address && !angle,
            b';' => return !angle,
            _ => {}
        }
        false
    });
    end.unwrap_or(list.len())
}

/// `group: name <address>, ...;` without the name of the group, which names no mailbox.
fn without_group(body: &[u8]) -> &[u8] {
    match unquoted(body, b":<@(,") {
        Some(at) if body.get(at) == Some(&b':') => body.get(at + 1..).unwrap_or_default(),
        _ => body,
    }
}

/// `@relay:address`: the address (RFC 5322 4.4).
fn without_route(inside: &[u8]) -> &[u8] {
    match memchr(b':', inside) {
        Some(at) if inside.trim_ascii_start().starts_with(b"@") => inside.get(at + 1..).unwrap_or_default(),
        _ => inside,
    }
}

/// `name <address>`: the name and the address, minding quoted strings. A comma without an address before it
/// belongs to a name that should have been quoted.
fn bracketed(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let open = unquoted(body, b"<")?;
    let (before, after) = body.split_at_checked(open)?;
    if unquoted(before, b",").is_some() && unquoted(before, b"@").is_some() {
        return None;
    }
    let inside = after.get(1..)?;
    let close = memchr(b'>', inside).unwrap_or(inside.len());
    Some((before, inside.get(..close)?))
}

/// `address (name)`: the name.
fn comment(body: &[u8]) -> &[u8] {
    let Some(open) = unquoted(body, b"(,") else { return b"" };
    let inside = body.get(open + 1..).unwrap_or_default();
    match (body.get(open), memchr(b')', inside)) {
        (Some(b'('), Some(close)) => inside.get(..close).unwrap_or_default(),
        _ => b"",
    }
}

/// `address (name), ...`: the address.
fn bare(body: &[u8]) -> &[u8] {
    let end = unquoted(body, b"(,;").unwrap_or(body.len());
    body.get(..end).unwrap_or_default()
}

/// The first of `wanted` outside a quoted string.
fn unquoted(body: &[u8], wanted: &[u8]) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    body.iter().position(|c| {
        let found = !quoted && wanted.contains(c);
        if !escaped && *c == b'"' {
            quoted = !quoted;
        }
        escaped = !escaped && *c == b'\\';
        found
    })
}

#[cfg(test)]
mod tests {
    use super::super::header::Header;
    use super::*;

    #[test]
    fn reads_who_it_is_from() {
        for (value, name, address) in [
            ("jan@voorbeeld.nl", None, Some("jan@voorbeeld.nl")),
            ("Jan de Vries <jan@voorbeeld.nl>", Some("Jan de Vries"), Some("jan@voorbeeld.nl")),
            (
                "\"Vries, Jan <de>\" <jan@voorbeeld.nl>, b@c.nl",
                Some("Vries, Jan <de>"),
                Some("jan@voorbeeld.nl"),
            ),
            ("=?utf-8?q?J=C3=BCrgen?= <j@voorbeeld.nl>", Some("Jürgen"), Some("j@voorbeeld.nl")),
            ("jan@voorbeeld.nl (Jan)", Some("Jan"), Some("jan@voorbeeld.nl")),
            (
                "\"Jan \\\"de\\\" Vries\" <jan@voorbeeld.nl>",
                Some("Jan \"de\" Vries"),
                Some("jan@voorbeeld.nl"),
            ),
            ("jan", None, None),
            ("", None, None),
            ("a@b.nl, Jan <jan@voorbeeld.nl>", None, Some("a@b.nl")),
            ("Vries, Jan de <jan@voorbeeld.nl>", Some("Vries, Jan de"), Some("jan@voorbeeld.nl")),
            ("\"een \\\"twee\\\"\" <jan@voorbeeld.nl>", Some("een \"twee\""), Some("jan@voorbeeld.nl")),
            ("\"piet@example.org\" <jan@voorbeeld.nl>", Some("piet@example.org"), Some("jan@voorbeeld.nl")),
            (
                "=?utf-8?q?=3Cpiet=40example.org=3E?= <jan@voorbeeld.nl>",
                Some("<piet@example.org>"),
                Some("jan@voorbeeld.nl"),
            ),
            ("Team: jan@voorbeeld.nl, piet@voorbeeld.nl;", None, Some("jan@voorbeeld.nl")),
            ("<@relay.example:jan@voorbeeld.nl>", None, Some("jan@voorbeeld.nl")),
            ("<relay.example:jan@voorbeeld.nl>", None, None),
            ("\"Jan \\\"<de Vries\" <jan@voorbeeld.nl>", Some("Jan \"<de Vries"), Some("jan@voorbeeld.nl")),
        ] {
            let message = format!("From: {value}\r\n\r\n");
            let from = Header::parse(message.as_bytes()).from();
            assert_eq!(from.name.as_deref(), name, "{value}");
            assert_eq!(from.address.as_ref().map(Address::as_str), address, "{value}");
        }
    }

    #[test]
    fn reads_who_is_to_be_answered() {
        for (value, expected) in [
            ("zaak-12@voorbeeld.nl", &["zaak-12@voorbeeld.nl"][..]),
            ("Zaak 12 <a@b.nl>, \"Vries, Jan de\" <c@d.nl>", &["Zaak 12|a@b.nl", "Vries, Jan de|c@d.nl"]),
            ("Vries, Jan de <c@d.nl>,a@b.nl", &["Vries, Jan de|c@d.nl", "a@b.nl"]),
            ("Team: a@b.nl, Jan <c@d.nl>;, e@f.nl", &["a@b.nl", "Jan|c@d.nl", "e@f.nl"]),
            ("a@b.nl (Jan, werk), \"x@y\" <c@d.nl>", &["Jan, werk|a@b.nl", "x@y|c@d.nl"]),
            ("=?utf-8?q?J=C3=BCrgen?= <a@b.nl>,\r\n\tc@d.nl", &["Jürgen|a@b.nl", "c@d.nl"]),
            ("undisclosed:;", &[]),
            ("\"open <a@b.nl>, c@d.nl", &[]),
            ("", &[]),
        ] {
            let message = format!("Reply-To: {value}\r\n\r\n");
            let found = Header::parse(message.as_bytes()).reply_to();
            let found: Vec<String> = found
                .into_iter()
                .filter_map(|mailbox| Some((mailbox.name, mailbox.address?)))
                .map(|(name, address)| name.map_or(address.to_string(), |name| format!("{name}|{address}")))
                .collect();
            assert_eq!(found, expected, "{value}");
        }
        let many = format!("Reply-To: {}\r\n", "a@b.nl,".repeat(10_000));
        assert_eq!(Header::parse(many.as_bytes()).reply_to().len(), 100);
    }

    #[test]
    fn what_has_no_address_keeps_its_name() {
        let message =
            b"To: jan, Piet <piet>;\r\nTo: undisclosed-recipients:;\r\nTO: , a@b.nl,,\r\nTo:\r\n\r\n";
        let found: Vec<_> = Header::parse(message)
            .mailboxes("To")
            .map(|mailbox| (mailbox.name, mailbox.address.map(String::from)))
            .collect();
        let expected = [(Some("jan, Piet".to_owned()), None), (None, Some("a@b.nl".to_owned()))];
        assert_eq!(found, expected);
        let from = Header::parse(b"From: postmaster@\r\nFrom: Jan <jan@voorbeeld.nl>\r\n\r\n").from();
        assert_eq!(from.name.as_deref(), Some("Jan"));
    }
}
