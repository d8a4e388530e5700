//! Mail addresses as SMTP knows them (RFC 5321 4.1.2, RFC 6531 3.3): parsed once at the door,
//! kept byte for byte as they were given, never re-quoted. Used by every part that names a person.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An address `local-part@domain`, in the spelling it came in.
///
/// The local part is a dot-atom or a quoted string, the domain a name or an address literal in
/// brackets; both may hold UTF-8 (RFC 6531). Never longer than 254 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    text: String,
    at: usize,
}

/// Why a text is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// There is no `@` between a local part and a domain.
    #[error("an address needs the form name@domain")]
    Shape,
    /// The part before the `@` is not a dot-atom or quoted string.
    #[error("the part before the @ is not valid")]
    LocalPart,
    /// The part after the `@` is not a domain name or address literal.
    #[error("the part after the @ is not a valid domain")]
    Domain,
    /// Over 64 bytes before the `@`, or over 254 in all (RFC 5321 4.5.3.1).
    #[error("the address is too long")]
    TooLong,
}

impl Address {
    /// Parses `local-part@domain`, without angle brackets or white space around it.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let at = text.rfind('@').ok_or(AddressError::Shape)?;
        let (local, domain) = (text.get(..at).unwrap_or(""), text.get(at + 1..).unwrap_or(""));
        if local.is_empty() || domain.is_empty() {
            return Err(AddressError::Shape);
        }
        if local.len() > 64 || text.len() > 254 {
            return Err(AddressError::TooLong);
        }
        if !is_dot_atom(local) && !is_quoted_string(local) {
            return Err(AddressError::LocalPart);
        }
        if !is_domain(domain) && !is_address_literal(domain) {
            return Err(AddressError::Domain);
        }
        Ok(Self { text: text.to_owned(), at })
    }

    /// The whole address as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The part before the `@`, quotes included.
    pub fn local_part(&self) -> &str {
        self.text.get(..self.at).unwrap_or("")
    }

    /// What the local part stands for: without quotes and the backslashes in them (RFC 5321 4.1.2).
    pub fn unquoted_local_part(&self) -> String {
        let local = self.local_part();
        let Some(inner) = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
            return local.to_owned();
        };
        let mut escaped = false;
        let is_text = |c: &char| {
            escaped = *c == '\\' && !escaped;
            !escaped
        };
        inner.chars().filter(is_text).collect()
    }

    /// The address in its plainest spelling: `"jan"@x` and `jan@x` name one mailbox (RFC 5321 4.1.2).
    pub fn plain(&self) -> String {
        let local = self.unquoted_local_part();
        match is_dot_atom(&local) {
            true => format!("{local}@{}", self.domain()),
            false => format!("\"{}\"@{}", local.replace('\\', "\\\\").replace('"', "\\\""), self.domain()),
        }
    }

    /// The part after the `@`, in the spelling it came in.
    pub fn domain(&self) -> &str {
        self.text.get(self.at + 1..).unwrap_or("")
    }

    /// Whether mail to this address stays inside: the domain is one of `domains`, whatever its letter case and whether it
    /// is in Unicode or Punycode (RFC 5891), and the local part sends nothing on. The one place that decides this.
    pub fn is_internal(&self, domains: &[String]) -> bool {
        !self.is_routed_on() && domains.iter().any(|domain| is_same_domain(domain, self.domain()))
    }

    /// Whether the local part names another address, to which some mail servers send mail on: `jan%example.org`,
    /// `example.org!jan`, `"jan@example.org"`, `"@example.org:jan"` (RFC 1123 5.2.16, RFC 5321 F.2), and Exchange's
    /// `IMCEASMTP-jan+40example+2Eorg`.
    pub fn is_routed_on(&self) -> bool {
        let local = self.unquoted_local_part();
        local.contains(ROUTE_SIGNS) || is_encapsulated(&local)
    }

    /// The address with its domain as the DNS has it; as it is where that is none.
    pub fn with_ascii_domain(&self) -> Self {
        let same = ascii(self.domain())
            .and_then(|domain| Self::parse(&format!("{}@{domain}", self.local_part())).ok());
        same.unwrap_or_else(|| self.clone())
    }

    /// What every spelling of one mailbox has in common: letter case, needless quotes, and whether the domain is in
    /// Unicode or Punycode (RFC 5891) aside. RFC 5321 2.4 lets a host tell `Jan` from `jan`; none does. For comparing
    /// only: mail goes to the address as it was given.
    pub fn mailbox(&self) -> String {
        // The ASCII form may be too long for an address that has needless quotes, and is compared all the same.
        let (plain, domain) = (self.plain(), ascii(self.domain()));
        match (plain.rsplit_once('@'), domain) {
            (Some((local, _)), Some(domain)) => format!("{local}@{domain}").to_lowercase(),
            _ => plain.to_lowercase(),
        }
    }

    /// Whether both name the same mailbox, as [`Address::mailbox`] has it.
    pub fn is_same_mailbox(&self, other: &Self) -> bool {
        self.mailbox() == other.mailbox()
    }

    /// Whether the address needs SMTPUTF8 to travel (RFC 6531).
    pub fn needs_smtputf8(&self) -> bool {
        !self.text.is_ascii()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;
    fn try_from(text: String) -> Result<Self, AddressError> {
        Self::parse(&text)
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.text
    }
}

/// The envelope's sender: an address, or null for mail that must never be answered (RFC 5321 4.5.5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReversePath {
    /// `<>`
    Null,
    /// `<local-part@domain>`
    Address(Address),
}

impl ReversePath {
    /// The address, where there is one.
    pub fn address(&self) -> Option<&Address> {
        match self {
            Self::Null => None,
            Self::Address(address) => Some(address),
        }
    }
}

impl fmt::Display for ReversePath {
    /// The path in angle brackets, as MAIL wants it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("<>"),
            Self::Address(address) => write!(f, "<{address}>"),
        }
    }
}

/// Signs by which a local part names another host, with their full-width and small forms.
const ROUTE_SIGNS: [char; 14] = [
    '%', '!', '@', ':', '\u{ff05}', '\u{ff01}', '\u{ff20}', '\u{ff1a}', '\u{fe6a}', '\u{fe57}', '\u{fe6b}',
    '\u{fe55}', '\u{fe13}', '\u{fe15}',
];

/// An address of another kind within one of SMTP, as Exchange writes it. Those of kind `EX` name mailboxes of the
/// organisation's own directory.
fn is_encapsulated(local: &str) -> bool {
    let kind = local.get(..5).filter(|start| start.eq_ignore_ascii_case("IMCEA")).and(local.get(5..));
    kind.and_then(|kind| kind.split_once('-')).is_some_and(|(kind, _)| !kind.eq_ignore_ascii_case("EX"))
}

pub fn is_same_domain(one: &str, other: &str) -> bool {
    match one.is_ascii() && other.is_ascii() {
        true => one.eq_ignore_ascii_case(other),
        false => ascii(one).is_some_and(|one| ascii(other) == Some(one)),
    }
}

/// The domain as the DNS has it.
pub fn ascii(domain: &str) -> Option<String> {
    idna::domain_to_ascii(domain).ok().map(|domain| domain.to_ascii_lowercase())
}

/// RFC 5322 3.2.3 atext, and any UTF-8 beyond ASCII (RFC 6532 3.2).
fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || is_utf8_text(c)
}

/// Letters beyond ASCII, without the control characters that live there (U+0080 to U+009F).
fn is_utf8_text(c: char) -> bool {
    !c.is_ascii() && !c.is_control()
}

fn is_dot_atom(local: &str) -> bool {
    local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
}

/// RFC 5321 4.1.2 Quoted-string: printable ASCII, with `\` before a quote or a backslash.
fn is_quoted_string(local: &str) -> bool {
    let Some(inner) = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return false;
    };
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        let fine = match c {
            '\\' => chars.next().is_some_and(|next| (' '..='~').contains(&next)),
            '"' => false,
            c => (' '..='~').contains(&c) || is_utf8_text(c),
        };
        if !fine {
            return false;
        }
    }
    !inner.is_empty()
}

fn is_domain(domain: &str) -> bool {
    domain.split('.').all(|label| {
        let inside = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || is_utf8_text(c);
        !label.is_empty()
            && label.len() <= 63
            && label.chars().all(inside)
            && !label.starts_with('-')
            && !label.ends_with('-')
    })
}

fn is_address_literal(domain: &str) -> bool {
    let Some(inner) = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else {
        return false;
    };
    match inner.strip_prefix("IPv6:") {
        Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
        None => inner.parse::<std::net::Ipv4Addr>().is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_every_form_of_the_standard() {
        for text in [
            "jan@voorbeeld.nl",
            "Jan.de-Vries+zaak=1@sub.voorbeeld.nl",
            "\"jan de vries\"@voorbeeld.nl",
            "\"a\\\"b@c\"@voorbeeld.nl",
            "jan@[192.0.2.1]",
            "jan@[IPv6:2001:db8::1]",
            "jürgen@voorbeeld.nl",
            "jan@afdeling_1.voor-beeld.nl",
            "jan@münchen.example",
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!((address.as_str(), String::from(address.clone())), (text, text.to_owned()));
            assert_eq!(format!("{}@{}", address.local_part(), address.domain()), text);
        }
    }

    #[test]
    fn refuses_what_is_none() {
        for (text, why) in [
            ("jan", AddressError::Shape),
            ("@voorbeeld.nl", AddressError::Shape),
            ("jan@", AddressError::Shape),
            ("jan..x@voorbeeld.nl", AddressError::LocalPart),
            (".jan@voorbeeld.nl", AddressError::LocalPart),
            ("jan vries@voorbeeld.nl", AddressError::LocalPart),
            ("jan\r@voorbeeld.nl", AddressError::LocalPart),
            ("\"jan\n\"@voorbeeld.nl", AddressError::LocalPart),
            ("jan>@voorbeeld.nl", AddressError::LocalPart),
            ("jan@voor beeld.nl", AddressError::Domain),
            ("jan@voorbeeld..nl", AddressError::Domain),
            ("jan@-voorbeeld.nl", AddressError::Domain),
            ("jan@[300.0.0.1]", AddressError::Domain),
            ("jan@voorbeeld.nl\r\nRCPT TO:<x@y>", AddressError::LocalPart),
        ] {
            assert_eq!(Address::parse(text), Err(why), "{text:?}");
        }
        let long = |local: usize, label: usize| {
            let labels = ["b".repeat(63), "c".repeat(63), "d".repeat(label)].join(".");
            Address::parse(&format!("{}@{labels}", "a".repeat(local))).err()
        };
        assert_eq!((long(64, 61), long(65, 1)), (None, Some(AddressError::TooLong)), "64, and 254 in all");
        assert_eq!((long(64, 62), long(9, 64)), (Some(AddressError::TooLong), Some(AddressError::Domain)));
    }

    #[test]
    fn compares_domains_without_case() {
        let address = Address::parse("Jan@VoorBeeld.NL").unwrap();
        assert!(address.is_internal(&["voorbeeld.nl".into()]));
        assert!(!address.is_internal(&["beeld.nl".into()]));
        assert!(address.is_same_mailbox(&Address::parse("jan@voorbeeld.nl").unwrap()));
        assert!(!address.is_same_mailbox(&Address::parse("jan@beeld.nl").unwrap()));
        let unicode = Address::parse("Jürgen@MÜNCHEN.example").unwrap();
        assert!(unicode.is_same_mailbox(&Address::parse("jürgen@xn--mnchen-3ya.example").unwrap()));
        assert!(!unicode.is_same_mailbox(&Address::parse("jürgen@munchen.example").unwrap()));
        let literal = |text| Address::parse(text).unwrap().mailbox();
        assert_eq!(literal("A@[IPv6:2001:DB8::1]"), literal("a@[IPv6:2001:db8::1]"));
    }

    /// C34: what another mail server may send on to the outside is not inside.
    #[test]
    fn what_is_sent_on_is_not_internal() {
        let domains = ["voorbeeld.nl".to_owned(), "bücher.nl".to_owned()];
        let is_internal = |text: &str| Address::parse(text).unwrap().is_internal(&domains);
        for inside in [
            "Jan@VOORBEELD.nl",
            "jan+zaak=example.org@voorbeeld.nl",
            "\"jan de vries\"@voorbeeld.nl",
            "jan@BÜCHER.nl",
            "jan@xn--BCHER-kva.nl",
            "jan@ｖｏｏｒｂｅｅｌｄ.nl",
            "IMCEAEX-_O=GEMEENTE_CN=JAN@voorbeeld.nl",
            "imcea@voorbeeld.nl",
        ] {
            assert!(is_internal(inside), "{inside}");
        }
        for outside in [
            "jan@example.org",
            "jan@sub.voorbeeld.nl",
            "jan@voorbeeld.nl.example.org",
            "jan@xvoorbeeld.nl",
            "jan@vоorbeeld.nl",
            "burger%example.org@voorbeeld.nl",
            "burger%example.org%relay.example@Voorbeeld.NL",
            "\"burger%example.org\"@voorbeeld.nl",
            "\"burger\\%example.org\"@voorbeeld.nl",
            "\"burger@example.org\"@voorbeeld.nl",
            "\"burger\\@example.org\"@voorbeeld.nl",
            "\"@example.org:burger\"@voorbeeld.nl",
            "example.org!burger@voorbeeld.nl",
            "relay.example!example.org!burger@voorbeeld.nl",
            "burger％example.org@voorbeeld.nl",
            "example.org！burger@voorbeeld.nl",
            "burger＠example.org@voorbeeld.nl",
            "IMCEASMTP-burger+40example+2Eorg@voorbeeld.nl",
            "imceafax-0511@voorbeeld.nl",
        ] {
            assert!(!is_internal(outside), "{outside}");
        }
    }

    #[test]
    fn needless_quotes_change_nothing() {
        for (text, plain) in [
            ("jan@x.nl", "jan@x.nl"),
            ("\"Jan\"@X.nl", "Jan@X.nl"),
            ("\"j\\an\"@x.nl", "jan@x.nl"),
            ("\"jan.de\"@x.nl", "jan.de@x.nl"),
            ("\"jan de\"@x.nl", "\"jan de\"@x.nl"),
            ("\"jan\\ de\"@x.nl", "\"jan de\"@x.nl"),
            ("\"a@b\"@x.nl", "\"a@b\"@x.nl"),
            ("\"a\\\"\\\\b\"@x.nl", "\"a\\\"\\\\b\"@x.nl"),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!(address.plain(), plain, "{text}");
            assert!(address.is_same_mailbox(&Address::parse(plain).unwrap()), "{text}");
        }
    }

    proptest::proptest! {
        /// M16: what is an address stays the same one in its plainest spelling, and never adds a line (C13).
        #[test]
        fn plain_is_as_plain_as_it_gets(
            local in "[a-z!+.]{1,8}|\"([a-z .@<>,é]|\\\\[\"\\\\ -z]){1,8}\"",
            domain in "[a-zé0-9]{1,5}(\\.[a-z-]{1,5}){0,2}|\\[192\\.0\\.2\\.[0-9]\\]",
        ) {
            let Ok(address) = Address::parse(&format!("{local}@{domain}")) else { return Ok(()) };
            let plain = Address::parse(&address.plain()).unwrap();
            proptest::prop_assert_eq!(plain.plain(), plain.as_str());
            proptest::prop_assert_eq!(plain.unquoted_local_part(), address.unquoted_local_part());
            proptest::prop_assert!(address.is_same_mailbox(&plain));
        }

        #[test]
        fn any_text_is_an_address_or_none(text in ".{0,20}@.{0,20}|\\PC{0,300}") {
            if let Ok(address) = Address::parse(&text) {
                proptest::prop_assert_eq!(format!("{}@{}", address.local_part(), address.domain()), text.clone());
                proptest::prop_assert!(text.len() <= 254 && !text.contains(char::is_control));
            }
        }
    }
}
