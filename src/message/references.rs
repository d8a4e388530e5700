//! The names by which the HTML of a message has its pictures: Content-ID (RFC 2392), Content-Location (RFC 2557) and
//! plain file names. Used by `mime`, which puts such files last, and by the page that shows them.

use std::collections::HashSet;

use super::decode;

/// Characters of a reference; longer ones are no file's.
const MAX_REFERENCE: usize = 1024;

/// What an HTML text refers to: the names by which it may have its pictures from the message.
#[derive(Debug, Default)]
pub struct References(HashSet<String>);

impl References {
    /// Everything in `html` that looks like one: `cid:` (RFC 2392), and the values of `src` and `background`.
    pub fn of(html: &str) -> Self {
        let mut names = HashSet::new();
        let bytes = html.as_bytes();
        let mut read = 0;
        for at in memchr::memchr2_iter(b':', b'=', bytes) {
            // What was a value is not looked at again.
            let Some(before) = bytes.get(read..at).map(<[u8]>::trim_ascii_end) else { continue };
            let is_kind = |kind: &str| {
                let start = before.len().checked_sub(kind.len());
                start
                    .and_then(|start| before.get(start..))
                    .is_some_and(|end| end.eq_ignore_ascii_case(kind.as_bytes()))
            };
            let is_value = bytes.get(at) == Some(&b'=') && (is_kind("src") || is_kind("background"));
            if is_value || bytes.get(at) == Some(&b':') && is_kind("cid") {
                let value = value(bytes.get(at + 1..).unwrap_or_default());
                read = at + 1 + value.len();
                let named = unescaped(value);
                let id = without_scheme(&named, "cid:").or(Some(named.as_str()).filter(|_| !is_value));
                names.insert(id.map_or_else(|| file_of(&named).to_lowercase(), str::to_owned));
            }
        }
        Self(names)
    }

    /// Whether the part with this Content-ID, Content-Location (RFC 2557) or file name may be meant.
    pub fn mean(&self, content_id: Option<&str>, location: Option<&str>, name: Option<&str>) -> bool {
        let is_meant =
            |name: &str| !file_of(name).is_empty() && self.0.contains(&file_of(name).to_lowercase());
        content_id.is_some_and(|id| self.0.contains(id) || self.0.contains(&unescaped(id.as_bytes())))
            || location.is_some_and(is_meant)
            || name.is_some_and(is_meant)
    }
}

/// What stands behind a scheme, in whatever case that is written (RFC 3986 3.1).
pub fn without_scheme<'a>(address: &'a str, scheme: &str) -> Option<&'a str> {
    let (start, rest) = address.split_at_checked(scheme.len())?;
    start.eq_ignore_ascii_case(scheme).then_some(rest)
}

/// The file name at the end of an address or a path.
pub fn file_of(address: &str) -> &str {
    let path = address.split(['?', '#']).next().unwrap_or(address);
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// The value of an attribute or an address, as far as its quote or blank.
fn value(behind: &[u8]) -> &[u8] {
    let behind = behind.trim_ascii_start();
    let (quote, behind) = match behind.split_first() {
        Some((quote @ (b'"' | b'\''), rest)) => (Some(*quote), rest),
        _ => (None, behind),
    };
    let ends = |c: &u8| match quote {
        Some(quote) => *c == quote,
        None => c.is_ascii_whitespace() || b"\"'<>)".contains(c),
    };
    let end = behind.iter().take(MAX_REFERENCE).take_while(|c| !ends(c)).count();
    behind.get(..end).unwrap_or_default().trim_ascii()
}

/// A reference without the escapes of URLs and of HTML.
pub fn unescaped(reference: &[u8]) -> String {
    let html = String::from_utf8_lossy(reference).replace("&amp;", "&");
    decode::charset(&decode::percent(html.as_bytes()), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_compared_as_they_are_meant() {
        for (html, id, location, name) in [
            ("<img src=cid:a%40b>", Some("a@b"), None, None),
            ("<img src='CID:a@b'>", Some("a@b"), None, None),
            ("<td style=\"background:url(cid:a@b)\">", Some("a@b"), None, None),
            (
                "<img src=\"logo%20klein.png\">",
                None,
                Some("http://intranet.voorbeeld.nl/x/logo%20klein.png"),
                None,
            ),
            ("<img SRC = \"file:///C:/Temp/image001.png\">", None, None, Some("Image001.PNG")),
            ("<td background='http://x.nl/a/logo.gif?v=1'>", None, Some("logo.gif"), None),
        ] {
            let location = location.map(|location| unescaped(location.as_bytes()));
            assert!(References::of(html).mean(id, location.as_deref(), name), "{html}");
        }
        let none = References::of("<img src=cid:a><img src><p src=''>x: y = <img src=\"");
        assert!(!none.mean(Some("b"), Some("x/"), Some("")));
    }
}
