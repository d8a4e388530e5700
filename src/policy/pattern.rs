//! Patterns with `*` as a wildcard, for header values and for addresses; letter case does not count.
//! Pure. A pattern must compare in time linear in the text for any given pattern (H13).

use super::trigger::fold;
use crate::address::{Address, ReversePath};

/// A text in which `*` stands for any number of characters; it covers the whole value.
#[derive(Debug)]
pub(super) struct Pattern {
    folded: Vec<char>,
}

impl Pattern {
    pub fn new(text: &str) -> Self {
        Self { folded: fold(text).trim().chars().collect() }
    }

    /// `text` must be folded already.
    pub fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        glob(&self.folded, &text)
    }
}

/// An address, `@domain` or `<>` (the null reverse path); `*` is a wildcard.
#[derive(Debug)]
pub(super) enum AddressPattern {
    Null,
    Domain(Pattern),
    Whole(Pattern),
}

impl AddressPattern {
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        match text.strip_prefix('@') {
            _ if text == "<>" => Ok(Self::Null),
            Some("") => Err("there is no domain after the @".to_owned()),
            Some(domain) => Ok(Self::Domain(Pattern::new(domain))),
            None if text.contains('@') || text.contains('*') => Ok(Self::Whole(Pattern::new(text))),
            None => Err(format!("\"{text}\" is not an address; for a whole domain write \"@{text}\"")),
        }
    }

    pub fn matches_path(&self, path: &ReversePath) -> bool {
        match path {
            ReversePath::Null => matches!(self, Self::Null),
            ReversePath::Address(address) => self.matches(address),
        }
    }

    pub fn matches(&self, address: &Address) -> bool {
        match self {
            Self::Null => false,
            Self::Domain(pattern) => pattern.matches(&fold(address.domain())),
            Self::Whole(pattern) => {
                let plain = format!("{}@{}", unquoted(address.local_part()), address.domain());
                pattern.matches(&fold(address.as_str())) || pattern.matches(&fold(&plain))
            }
        }
    }
}

/// `"jan"` and `jan` name the same mailbox (RFC 5321 4.1.2), so quotes must not hide an address.
fn unquoted(local: &str) -> String {
    let Some(inner) = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return local.to_owned();
    };
    let mut escaped = false;
    inner
        .chars()
        .filter(|&c| {
            escaped = c == '\\' && !escaped;
            !escaped
        })
        .collect()
}

/// Greedy match: on a mismatch only the last `*` takes one character more.
fn glob(pattern: &[char], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p + 1, t));
                p += 1;
            }
            Some(c) if text.get(t) == Some(c) => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((after, from)) = star else { return false };
                star = Some((after, from + 1));
                p = after;
                t = from + 1;
            }
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|&c| c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text, expected) in [
            ("seal", "seal", true),
            ("Seal", "seal", true),
            ("seal", "sealed", false),
            ("*", "", true),
            ("", "", true),
            ("", "x", false),
            ("a*c", "abc", true),
            ("a*c", "acb", false),
            ("*_enabled=true*", "x; l_enabled=true; y", true),
            ("*ab*ab", "abxabxab", true),
        ] {
            assert_eq!(Pattern::new(pattern).matches(text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn addresses_and_domains() {
        for (pattern, text, expected) in [
            ("jan@voorbeeld.nl", "Jan@Voorbeeld.NL", true),
            ("jan@voorbeeld.nl", "\"jan\"@voorbeeld.nl", true),
            ("jan@voorbeeld.nl", "\"j\\an\"@voorbeeld.nl", true),
            ("jan@voorbeeld.nl", "piet@voorbeeld.nl", false),
            ("@voorbeeld.nl", "jan@voorbeeld.nl", true),
            ("@voorbeeld.nl", "jan@sub.voorbeeld.nl", false),
            ("@*.voorbeeld.nl", "jan@sub.voorbeeld.nl", true),
            ("@voorbeeld.nl", "jan@voorbeeld.nl.example.org", false),
            ("jurist-*@voorbeeld.nl", "jurist-2@voorbeeld.nl", true),
            ("<>", "jan@voorbeeld.nl", false),
        ] {
            let parsed = AddressPattern::parse(pattern).unwrap();
            assert_eq!(parsed.matches(&address(text)), expected, "{pattern} on {text}");
        }
        assert!(AddressPattern::parse("<>").unwrap().matches_path(&ReversePath::Null));
        assert!(!AddressPattern::parse("*").unwrap().matches_path(&ReversePath::Null));
        assert!(AddressPattern::parse("voorbeeld.nl").is_err());
        assert!(AddressPattern::parse("@").is_err());
    }
}
