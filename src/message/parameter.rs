//! Structured fields with parameters: Content-Type and Content-Disposition (RFC 2045 5, RFC 2183), with
//! parameters in pieces and in other charsets (RFC 2231).

use super::{decode, encoded};

/// Bytes of such a field that are looked at, and how many parameters.
const MAX_LENGTH: usize = 64 << 10;
const MAX_PARAMETERS: usize = 1000;

/// `value; name=value; ...`
#[derive(Clone, Debug, Default)]
pub struct Structured {
    /// The value, in lower case and without blanks and control characters.
    pub value: String,
    parameters: Vec<(String, Vec<u8>)>,
}

impl Structured {
    /// Reads what stands after the colon.
    pub fn parse(body: &[u8]) -> Self {
        let mut items = items(body.get(..MAX_LENGTH).unwrap_or(body)).into_iter();
        let value = items.next().unwrap_or_default();
        let is_text = |c: &char| !c.is_whitespace() && !c.is_control();
        let value = encoded::text(&value).chars().filter(is_text).collect::<String>().to_lowercase();
        let parameters = items.take(MAX_PARAMETERS).filter_map(|item| {
            let equals = item.iter().position(|c| *c == b'=')?;
            let (name, value) = item.split_at_checked(equals)?;
            let name = encoded::text(name).trim().to_lowercase();
            Some((name, value.get(1..)?.trim_ascii().to_vec()))
        });
        Self { value, parameters: parameters.collect() }
    }

    /// The bytes of a plain parameter.
    pub fn raw(&self, name: &str) -> Option<&[u8]> {
        self.parameters.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_slice())
    }

    /// The text of a parameter, however it is written.
    pub fn text(&self, name: &str) -> Option<String> {
        self.extended(name).or_else(|| self.raw(name).map(encoded::decode)).filter(|text| !text.is_empty())
    }

    /// `name*=charset'language'text`, or the same in numbered pieces. The pieces are joined before they are
    /// decoded: a character may be cut in two between them.
    fn extended(&self, name: &str) -> Option<String> {
        let mut pieces: Vec<(u32, bool, &[u8])> = Vec::new();
        for (found, value) in &self.parameters {
            let Some(rest) = found.strip_prefix(name).and_then(|rest| rest.strip_prefix('*')) else {
                continue;
            };
            let (number, encoded) = match rest.strip_suffix('*') {
                Some(number) => (number, true),
                None => (rest, rest.is_empty()),
            };
            let number = if number.is_empty() { 0 } else { number.parse().ok()? };
            pieces.push((number, encoded, value));
        }
        pieces.sort_by_key(|(number, ..)| *number);
        let (mut charset, mut bytes) = (None, Vec::new());
        for (index, (_, is_encoded, value)) in pieces.iter().enumerate() {
            let mut value = *value;
            if index == 0 && *is_encoded {
                let mut fields = value.splitn(3, |c| *c == b'\'');
                if let (Some(label), Some(_), Some(rest)) = (fields.next(), fields.next(), fields.next()) {
                    (charset, value) = (Some(encoded::text(label)), rest);
                }
            }
            bytes.extend(if *is_encoded { decode::percent(value) } else { value.to_vec() });
        }
        let joined = decode::charset(&bytes, charset.as_deref());
        (!pieces.is_empty()).then(|| encoded::decode(joined.as_bytes()))
    }
}

/// Splits at semicolons; quotes are taken away, comments and line ends left out.
fn items(body: &[u8]) -> Vec<Vec<u8>> {
    let mut items = vec![Vec::new()];
    let (mut quoted, mut escaped, mut depth) = (false, false, 0u32);
    let mut bytes = body.iter().copied().peekable();
    while let Some(c) = bytes.next() {
        let Some(item) = items.last_mut() else { break };
        match c {
            b'\r' | b'\n' => {}
            _ if escaped => {
                item.push(c);
                escaped = false;
            }
            // Before anything else it stands for itself: `"C:\map\brief.doc"` is more frequent than its other uses.
            b'\\' if quoted && matches!(bytes.peek(), Some(b'"' | b'\\')) => escaped = true,
            b'"' if depth == 0 => quoted = !quoted,
            _ if quoted => item.push(c),
            // A parenthesis in an unquoted file name is more frequent than a comment there.
            b'(' if !item.contains(&b'=') => depth += 1,
            b')' if depth > 0 => depth -= 1,
            _ if depth > 0 => {}
            b';' => items.push(Vec::new()),
            _ => item.push(c),
        }
        if items.len() > MAX_PARAMETERS {
            break;
        }
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_parameters_the_last_are_left_out() {
        let name = |before: usize| {
            Structured::parse(format!("a/b{}; name=x", "; y=z".repeat(before)).as_bytes()).text("name")
        };
        assert_eq!((name(998), name(999)), (Some("x".to_owned()), None));
    }

    #[test]
    fn reads_every_form() {
        for (body, value, name) in [
            ("text/plain", "text/plain", None),
            (" Text / HTML ; name=a.txt", "text/html", Some("a.txt")),
            ("text/pl\u{1}ain\u{1d}", "text/plain", None),
            ("text/plain (x;y); name=\"a; b.txt\"", "text/plain", Some("a; b.txt")),
            ("a/b; name=verslag (1).pdf", "a/b", Some("verslag (1).pdf")),
            ("a/b; name=\"=?utf-8?q?=E2=82=AC.pdf?=\"", "a/b", Some("€.pdf")),
            ("a/b; name*=utf-8'nl'%e2%82%ac.pdf", "a/b", Some("€.pdf")),
            ("a/b; name*=iso-8859-1''%e9.pdf; name=e.pdf", "a/b", Some("é.pdf")),
            ("a/b; name*1*=%ac.pdf; name*0*=utf-8''%e2%82", "a/b", Some("€.pdf")),
            ("a/b; name*0=lang; name*1=e.pdf", "a/b", Some("lange.pdf")),
            ("a/b; name*0=foto's; name*1=' .pdf", "a/b", Some("foto's' .pdf")),
            ("a/b; name*0*=utf-8''een; name*1*='s'%20.pdf", "a/b", Some("een's' .pdf")),
            ("text/plain (5\" x); name=a.txt", "text/plain", Some("a.txt")),
            ("a/b;\r\n name=\"een\r\n twee.pdf\"", "a/b", Some("een twee.pdf")),
            ("a/b; name=\"a\\\"b\"", "a/b", Some("a\"b")),
            ("a/b; name=\"C:\\map\\a.doc\"", "a/b", Some("C:\\map\\a.doc")),
            ("a/b; name*10=k; name*2=c; name*1=b", "a/b", Some("bck")),
            ("a/b; name*0*=utf-8''%e2%82; name*1*=%ac; name*2=\".pdf\"", "a/b", Some("€.pdf")),
            ("a/b; name=\"open.pdf", "a/b", Some("open.pdf")),
            ("a/b; name*x=a", "a/b", None),
            ("a/b; name=", "a/b", None),
            ("", "", None),
            (";;;=", "", None),
        ] {
            let field = Structured::parse(body.as_bytes());
            assert_eq!(field.value, value, "{body}");
            assert_eq!(field.text("name").as_deref(), name, "{body}");
        }
        let folded = Structured::parse(b"a/b; boundary=\"een\r\n twee\"");
        assert_eq!(folded.raw("boundary"), Some(&b"een twee"[..]));
    }
}
