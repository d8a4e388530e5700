//! Windows code pages by their number (MS-UCODEREF 2.2.1), and which of them a text in a TNEF file is in; used by `tnef`.

use super::super::decode;

/// The name of the charset that a code page is; none for one that has none, or that says nothing.
pub fn charset(code_page: u32) -> Option<&'static str> {
    let known = CODE_PAGES.iter().find(|(number, _)| *number == code_page);
    known.map(|(_, name)| *name)
}

const CODE_PAGES: &[(u32, &str)] = &[
    (850, "ibm850"),
    (866, "ibm866"),
    (874, "windows-874"),
    (932, "shift_jis"),
    (936, "gbk"),
    (949, "euc-kr"),
    (950, "big5"),
    (1200, "utf-16le"),
    (1250, "windows-1250"),
    (1251, "windows-1251"),
    (1253, "windows-1253"),
    (1254, "windows-1254"),
    (1255, "windows-1255"),
    (1256, "windows-1256"),
    (1257, "windows-1257"),
    (1258, "windows-1258"),
    (10_000, "macintosh"),
    (10_007, "x-mac-cyrillic"),
    (20_866, "koi8-r"),
    (20_932, "euc-jp"),
    (21_866, "koi8-u"),
    (28_592, "iso-8859-2"),
    (28_593, "iso-8859-3"),
    (28_594, "iso-8859-4"),
    (28_595, "iso-8859-5"),
    (28_596, "iso-8859-6"),
    (28_597, "iso-8859-7"),
    (28_598, "iso-8859-8"),
    (28_599, "windows-1254"),
    (28_603, "iso-8859-13"),
    (28_605, "iso-8859-15"),
    (38_598, "iso-8859-8"),
    (50_220, "iso-2022-jp"),
    (50_221, "iso-2022-jp"),
    (50_222, "iso-2022-jp"),
    (51_932, "euc-jp"),
    (51_936, "gb2312"),
    (51_949, "euc-kr"),
    (54_936, "gb18030"),
    (65_000, "utf-7"),
    (65_001, "utf-8"),
];

/// The code pages that a file names.
#[derive(Clone, Copy, Debug, Default)]
pub struct CodePages {
    /// `attOemCodepage`: of the attributes.
    pub oem: Option<u32>,
    /// `PidTagMessageCodepage`: of the texts among the properties.
    pub message: Option<u32>,
    /// `PidTagInternetCodepage`: of the HTML.
    pub internet: Option<u32>,
}

impl CodePages {
    /// A text among the attributes, up to its end.
    pub fn attribute(&self, text: &[u8]) -> String {
        until_nul(text, self.oem)
    }

    /// A text among the properties, up to its end.
    pub fn text(&self, text: &[u8]) -> String {
        until_nul(text, self.message.or(self.oem))
    }

    /// HTML that is bytes.
    pub fn html(&self, html: &[u8]) -> String {
        let end = html.iter().rposition(|c| *c != 0).map_or(0, |last| last + 1);
        decode::charset(html.get(..end).unwrap_or_default(), self.internet.or(self.oem).and_then(charset))
    }
}

/// Without a charset: UTF-8 where it is that, or windows-1252, which a file is in that was written for either.
fn until_nul(text: &[u8], code_page: Option<u32>) -> String {
    decode::charset(text.split(|c| *c == 0).next().unwrap_or_default(), code_page.and_then(charset))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_page_is_one_that_can_be_read() {
        for (number, name) in CODE_PAGES {
            assert!(decode::is_readable(name), "{number} {name}");
        }
        for (number, bytes, expected) in [
            (1251, &b"\xc4\xee\xe3\xee\xe2\xee\xf0"[..], "Договор"),
            (866, b"\x84\xae\xa3\xae\xa2\xae\xe0", "Договор"),
            (28_595, b"\xb4\xde\xd3\xde\xd2\xde\xe0", "Договор"),
            (932, b"\x82\xa0", "あ"),
            (949, b"\xb0\xa1", "가"),
            (950, b"\xa4\xa4", "中"),
            (936, b"\xd6\xd0", "中"),
            (1250, b"\x8a", "Š"),
            (65_001, b"\xc3\xa9", "é"),
            (1252, b"\xe9", "é"),
            (1252, "é".as_bytes(), "é"),
            (437, b"x", "x"),
            (0, b"\xe9", "é"),
        ] {
            assert_eq!(decode::charset(bytes, charset(number)), expected, "{number}");
        }
    }
}
