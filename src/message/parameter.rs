//! Structured fields with parameters: Content-Type and Content-Disposition (RFC 2045 5, RFC 2183), with
//! parameters in pieces and in other charsets (RFC 2231). Some programs leave a semicolon out, or put a comma in its place;
//! what the sender meant is read all the same.

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
            Some((name, value.get(1..)?.to_vec()))
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
            let Ok(number) = (if number.is_empty() { Ok(0) } else { number.parse() }) else { continue };
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

/// Splits at semicolons, and where one is missing. Quotes are taken away, comments, line ends and blanks around a value
/// left out; blanks within quotes are part of it.
fn items(body: &[u8]) -> Vec<Vec<u8>> {
    let mut items = vec![Item::default()];
    let (mut quoted, mut escaped, mut depth) = (false, false, 0u32);
    for (at, &c) in body.iter().enumerate() {
        let rest = body.get(at + 1..).unwrap_or_default();
        let is_first = items.len() == 1;
        let Some(item) = items.last_mut() else { break };
        match c {
            b'\r' | b'\n' => {}
            _ if escaped => {
                item.quote(c);
                escaped = false;
            }
            // Before anything else it stands for itself: `"C:\map\brief.doc"` is more frequent than its other uses.
            b'\\' if quoted && matches!(rest.first(), Some(b'"' | b'\\')) => escaped = true,
            b'"' if depth == 0 => {
                quoted = !quoted;
                item.fixed = item.text.len();
            }
            _ if quoted => item.quote(c),
            // A parenthesis in an unquoted file name is more frequent than a comment there.
            b'(' if item.equals.is_none() => depth += 1,
            b')' if depth > 0 => depth -= 1,
            _ if depth > 0 => {}
            b';' => items.push(Item::default()),
            b' ' | b'\t' | b',' if item.ends_here(is_first, rest) => items.push(Item::default()),
            _ => item.push(c),
        }
        if items.len() > MAX_PARAMETERS {
            break;
        }
    }
    items.into_iter().map(Item::finish).collect()
}

/// What stands between two semicolons.
#[derive(Default)]
struct Item {
    text: Vec<u8>,
    /// Where the first `=` is.
    equals: Option<usize>,
    /// As much of it, up to the last quote, keeps its blanks.
    fixed: usize,
}

impl Item {
    fn push(&mut self, c: u8) {
        let begins = self.equals.is_some_and(|equals| self.text.len() == equals + 1 && self.fixed <= equals);
        if begins && is_blank(c) {
            return;
        }
        if c == b'=' && self.equals.is_none() {
            self.equals = Some(self.text.len());
        }
        self.text.push(c);
    }

    /// Takes a character as it stands.
    fn quote(&mut self, c: u8) {
        self.text.push(c);
        self.fixed = self.text.len();
    }

    /// Whether a semicolon was left out before `rest`: between a type and what follows it, or before a parameter. A file
    /// name without quotes goes on, whatever is in it.
    fn ends_here(&self, is_first: bool, rest: &[u8]) -> bool {
        let is_between = |c: &u8| is_blank(*c) || matches!(c, b',' | b'\r' | b'\n');
        if self.text.is_empty() || rest.first().is_none_or(is_between) {
            return false;
        }
        let name = self.equals.and_then(|equals| self.text.get(..equals)).unwrap_or_default();
        let is_name =
            ["name", "filename"].iter().any(|other| name.trim_ascii().starts_with(other.as_bytes()));
        let is_open = is_name && self.fixed < self.text.len();
        let is_type = is_first && self.text.contains(&b'/') && !self.text.trim_ascii_end().ends_with(b"/");
        is_type && !matches!(rest.first(), Some(b'/' | b';' | b'(')) || !is_open && begins_parameter(rest)
    }

    fn finish(mut self) -> Vec<u8> {
        while self.text.len() > self.fixed && self.text.last().is_some_and(|c| is_blank(*c) || *c == b',') {
            self.text.pop();
        }
        self.text
    }
}

fn is_blank(c: u8) -> bool {
    matches!(c, b' ' | b'\t')
}

/// `name=`, with blanks before the `=`
fn begins_parameter(text: &[u8]) -> bool {
    let is_token = |c: &&u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'*');
    let length = text.iter().take(64).take_while(is_token).count();
    let after = text.get(length..).unwrap_or_default();
    let equals = after.iter().take(8).find(|c| !is_blank(**c));
    length > 0 && equals == Some(&b'=')
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
            ("text/html charset=utf-8 name=a.txt", "text/html", Some("a.txt")),
            ("text/html, name=a.txt", "text/html", Some("a.txt")),
            ("text/html,text/plain; name=a.txt", "text/html", Some("a.txt")),
            ("text/html junk; name=a.txt", "text/html", Some("a.txt")),
            ("text/html junk name = \"a.txt\"", "text/html", Some("a.txt")),
            ("TEXT/HTML;", "text/html", None),
            ("text/\r\n html ; name=a.txt", "text/html", Some("a.txt")),
            ("attachment name=a.txt", "attachment", Some("a.txt")),
            ("attachment, name=a.txt", "attachment", Some("a.txt")),
            ("Base 64", "base64", None),
            ("a/b; charset=\"utf-8\" name=\"b c.txt\"", "a/b", Some("b c.txt")),
            ("a/b; charset=utf-8, name=b.txt", "a/b", Some("b.txt")),
            ("a/b; charset=utf-8\r\n\tname=b.txt", "a/b", Some("b.txt")),
            ("a/b; name=\"b.txt\" size=3", "a/b", Some("b.txt")),
            ("a/b; name=b, c=d.txt", "a/b", Some("b, c=d.txt")),
            ("a/b; name=mijn brief.txt ; size=3", "a/b", Some("mijn brief.txt")),
            (
                "a/b; name*0=\"Besluit op \";\r\n name*1=\" bezwaar.pdf\"",
                "a/b",
                Some("Besluit op  bezwaar.pdf"),
            ),
            ("a/b; name*0*=utf-8''een%20; name*1=\"twee \"; name*2*=%c3%a9", "a/b", Some("een twee é")),
            ("a/b; name*0=\"een \"; name*2=\"drie\"", "a/b", Some("een drie")),
            ("a/b; name*0=een; name*x=twee", "a/b", Some("een")),
            ("a/b; name = \" a.txt \" ", "a/b", Some("a.txt")),
        ] {
            let field = Structured::parse(body.as_bytes());
            assert_eq!(field.value, value, "{body}");
            assert_eq!(field.text("name").as_deref(), name, "{body}");
        }
        let folded = Structured::parse(b"a/b; boundary=\"een\r\n twee\"");
        assert_eq!(folded.raw("boundary"), Some(&b"een twee"[..]));
        for (body, boundary) in [
            ("multipart/mixed boundary=x", "x"),
            ("multipart/mixed; boundary=een twee; type=a", "een twee"),
            ("multipart/mixed; boundary=\"een, b=c \" type=a", "een, b=c "),
            ("multipart/mixed; boundary=x charset=utf-8", "x"),
            ("multipart/mixed; type=\"a/b\", boundary= x", "x"),
        ] {
            assert_eq!(
                Structured::parse(body.as_bytes()).raw("boundary"),
                Some(boundary.as_bytes()),
                "{body}"
            );
        }
    }
}
