//! Fields of the form `value; name=value` (RFC 2045 5.1, RFC 2183), with the continuations and charsets
//! of RFC 2231, and with the shortcuts that mail programs take. Used by `structure`.

use super::encoded;

/// The value of a field and its parameters.
#[derive(Debug, Default)]
pub struct Parameters {
    value: String,
    parameters: Vec<(String, String)>,
}

impl Parameters {
    /// Reads an unfolded, undecoded field body.
    pub fn parse(text: &str) -> Self {
        let mut pieces = pieces(text).into_iter();
        let value = pieces.next().unwrap_or_default().trim().to_lowercase();
        let parameters = pieces.filter_map(|piece| {
            let (name, value) = piece.split_once('=')?;
            Some((name.trim().to_lowercase(), value.trim().to_owned()))
        });
        Self { value, parameters: parameters.collect() }
    }

    /// What stands before the first semicolon, in lower case.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// A parameter, decoded; the richer spelling of RFC 2231 goes before the plain one.
    pub fn get(&self, name: &str) -> Option<String> {
        let plain = || self.parameters.iter().find(|(key, _)| key == name);
        self.extended(name).or_else(|| plain().map(|(_, value)| encoded::decode_words(value)))
    }

    /// `name*` and `name*0`, `name*1*` and so on. The octets are joined before they are decoded, since a
    /// character may be split (RFC 2231 4.1).
    fn extended(&self, name: &str) -> Option<String> {
        let mut sections: Vec<(u32, bool, &str)> = self
            .parameters
            .iter()
            .filter_map(|(key, value)| section(key.strip_prefix(name)?, value))
            .collect();
        sections.sort_by_key(|(number, ..)| *number);
        sections.dedup_by_key(|(number, ..)| *number);
        let (mut charset, mut octets) = ("", Vec::new());
        for (index, (_, is_encoded, text)) in sections.iter().enumerate() {
            let mut text = *text;
            if let (0, true, Some((label, rest))) = (index, is_encoded, text.split_once('\'')) {
                charset = label;
                text = rest.split_once('\'').map_or(rest, |(_, text)| text);
            }
            octets.extend(if *is_encoded { encoded::from_percent(text) } else { text.as_bytes().to_vec() });
        }
        (!sections.is_empty()).then(|| encoded::text_in(charset, &octets))
    }
}

/// The number of a section and whether it is encoded, from what follows the name: `*`, `*0` or `*0*`.
fn section<'a>(mark: &str, value: &'a str) -> Option<(u32, bool, &'a str)> {
    let mark = mark.strip_prefix('*')?;
    if mark.is_empty() {
        return Some((0, true, value));
    }
    let number = mark.strip_suffix('*').unwrap_or(mark).parse().ok()?;
    Some((number, mark.ends_with('*'), value))
}

/// Splits at semicolons, leaving out quotes and comments. A backslash escapes only quotes and itself,
/// because `"C:\map\brief.doc"` is more common than any other use of it.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let (mut quoted, mut depth) = (false, 0usize);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let c = match c {
            '"' if depth == 0 => {
                quoted = !quoted;
                continue;
            }
            '\\' if quoted => chars.next_if(|next| matches!(next, '"' | '\\')).unwrap_or(c),
            // A parenthesis within a word is part of a name that should have been quoted.
            '(' if !quoted && (depth > 0 || pieces.last().is_none_or(|piece| !piece.contains('='))) => {
                depth += 1;
                continue;
            }
            ')' if depth > 0 => {
                depth -= 1;
                continue;
            }
            ';' if !quoted && depth == 0 => {
                pieces.push(String::new());
                continue;
            }
            c => c,
        };
        if let (0, Some(piece)) = (depth, pieces.last_mut()) {
            piece.push(c);
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_in_every_spelling() {
        for (text, expected) in [
            ("attachment; filename=a.pdf", "a.pdf"),
            ("attachment; FileName = \"a b;c.pdf\"; size=3", "a b;c.pdf"),
            ("attachment; filename=a b.pdf", "a b.pdf"),
            ("attachment; filename=brief (2).pdf", "brief (2).pdf"),
            ("attachment (met; commentaar); filename=a.pdf", "a.pdf"),
            ("attachment; filename=\"een \\\"twee\\\".pdf\"", "een \"twee\".pdf"),
            ("attachment; filename=\"C:\\map\\a.doc\"", "C:\\map\\a.doc"),
            ("attachment; filename=\"=?utf-8?q?=E2=82=AC.pdf?=\"", "€.pdf"),
            ("attachment; filename=\"€.pdf\"", "€.pdf"),
            ("attachment; filename=oud.pdf; filename*=UTF-8''%e2%82%ac.pdf", "€.pdf"),
            ("attachment; filename*=iso-8859-1'nl'J%FCrgen.pdf", "Jürgen.pdf"),
            ("attachment; filename*0*=utf-8''%e2%82; filename*1*=%ac; filename*2=\".pdf\"", "€.pdf"),
            ("attachment; filename*1=\"b.pdf\"; filename*0=\"a\"", "ab.pdf"),
            ("attachment; filename*10=k; filename*2=c; filename*1=b", "bck"),
            ("attachment; filename=\"niet dicht.pdf", "niet dicht.pdf"),
        ] {
            let parameters = Parameters::parse(text);
            assert_eq!(parameters.value(), "attachment", "{text}");
            assert_eq!(parameters.get("filename").as_deref(), Some(expected), "{text}");
        }
        assert_eq!(Parameters::parse("attachment").get("filename"), None);
        assert_eq!(Parameters::parse("attachment; filename*x=a").get("filename"), None);
    }
}
