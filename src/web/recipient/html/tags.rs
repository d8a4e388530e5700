//! What the sanitizer wrote, tag by tag. It writes one form only: every element closed, every value in double quotes
//! and escaped (the fragment serialisation of HTML 13.3), so this reads no more than that.

/// A piece of sanitised HTML.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Escaped.
    Text(&'a str),
    Open(Tag<'a>),
    Close(&'a str),
    /// The content of a `<style>`, which ends with it.
    Style(&'a str),
}

/// A start tag.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tag<'a> {
    pub name: &'a str,
    /// Names and escaped values.
    pub attributes: Vec<(&'a str, &'a str)>,
}

impl<'a> Tag<'a> {
    /// The value of an attribute, escaped.
    pub fn raw(&self, name: &str) -> Option<&'a str> {
        self.attributes.iter().find(|(found, _)| *found == name).map(|(_, value)| *value)
    }

    /// The value of an attribute.
    pub fn value(&self, name: &str) -> Option<String> {
        self.raw(name).map(unescaped)
    }

    /// Whether it has neither content nor an end tag (HTML 13.1.2).
    pub fn is_void(&self) -> bool {
        ["area", "br", "col", "hr", "img", "wbr"].contains(&self.name)
    }
}

/// The pieces of `html`, in their order.
pub fn pieces(html: &str) -> Pieces<'_> {
    Pieces { rest: html }
}

/// See [`pieces`].
pub struct Pieces<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let Some(tag) = self.rest.strip_prefix('<') else {
            return Some(Piece::Text(self.take(self.rest.find('<').unwrap_or(self.rest.len()))));
        };
        if let Some(name) = tag.strip_prefix('/') {
            self.rest = name;
            let name = self.take(name.find('>').unwrap_or(name.len()));
            self.skip(">");
            return Some(Piece::Close(name));
        }
        self.rest = tag;
        let name = self.take(tag.find([' ', '>']).unwrap_or(tag.len()));
        let mut attributes = Vec::new();
        while self.skip(" ") {
            let name = self.take(self.rest.find(['=', '>']).unwrap_or(self.rest.len()));
            self.skip("=\"");
            let value = self.take(self.rest.find('"').unwrap_or(self.rest.len()));
            self.skip("\"");
            attributes.push((name, value));
        }
        self.skip(">");
        if name == "style" {
            let css = self.take(self.rest.find("</style").unwrap_or(self.rest.len()));
            self.take(self.rest.find('>').map_or(self.rest.len(), |end| end + 1));
            return Some(Piece::Style(css));
        }
        Some(Piece::Open(Tag { name, attributes }))
    }
}

impl<'a> Pieces<'a> {
    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    fn skip(&mut self, start: &str) -> bool {
        let rest = self.rest.strip_prefix(start);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }
}

fn unescaped(value: &str) -> String {
    // The ampersand last, or what stands for "&lt;" would become "<".
    let names = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&nbsp;", "\u{a0}"), ("&amp;", "&")];
    names.iter().fold(value.to_owned(), |value, (name, c)| value.replace(name, c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_sanitizer_writes() {
        let html = "a &lt;b&gt;<p class=\"x > y\" title=\"&quot;&amp;lt;\">b<br></p><style>a>b{}</style>c<b";
        let tag = |name, attributes| Tag { name, attributes };
        let found: Vec<Piece> = pieces(html).collect();
        let expected = [
            Piece::Text("a &lt;b&gt;"),
            Piece::Open(tag("p", vec![("class", "x > y"), ("title", "&quot;&amp;lt;")])),
            Piece::Text("b"),
            Piece::Open(tag("br", vec![])),
            Piece::Close("p"),
            Piece::Style("a>b{}"),
            Piece::Text("c"),
            Piece::Open(tag("b", vec![])),
        ];
        assert_eq!(found, expected);
        let Piece::Open(tag) = &found[1] else { panic!("{found:?}") };
        assert_eq!(tag.value("title").unwrap(), "\"&lt;");
    }
}
