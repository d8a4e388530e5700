//! Replies of an SMTP server (RFC 5321 4.2): bounded in lines and bytes, whatever the server sends.
//! Read by `wire`, judged by `outcome`.

use std::fmt;

use crate::diagnostic::EnhancedCode;

/// More bytes in a line than any server has reason for; RFC 5321 4.5.3.1.5 asks for 512.
pub const MAX_LINE: usize = 4096;
/// More lines in a reply than any EHLO needs.
pub const MAX_LINES: usize = 128;

/// A whole reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Its three digits.
    pub code: u16,
    /// The texts after the code, one a line.
    pub lines: Vec<String>,
}

/// What came is not a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Garbage {
    /// The line does not start with three digits and a space or hyphen.
    #[error("the answer is not an SMTP reply")]
    Shape,
    /// The lines of one reply differ in their code.
    #[error("the lines of the answer have different codes")]
    MixedCodes,
    /// A line, or the whole reply, is too long.
    #[error("the answer is too long")]
    TooLong,
}

impl Reply {
    /// 2xx.
    pub fn is_positive(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// The server is about to close the connection (RFC 5321 3.8).
    pub fn is_closing(&self) -> bool {
        self.code == 421
    }

    /// The words after the codes, as one line.
    pub fn text(&self) -> String {
        self.lines.join(" ")
    }

    /// The enhanced status code at the start of the text (RFC 2034), such as `5.1.1`.
    pub fn enhanced(&self) -> Option<EnhancedCode> {
        self.text().split_ascii_whitespace().next()?.parse().ok()
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03} {}", self.code, self.text())
    }
}

/// Puts a reply together, line by line.
#[derive(Debug, Default)]
pub struct ReplyReader {
    code: Option<u16>,
    lines: Vec<String>,
}

impl ReplyReader {
    /// Takes one line without its end; the last one completes the reply.
    pub fn line(&mut self, line: &[u8]) -> Result<Option<Reply>, Garbage> {
        let (code, last, text) = split(line).ok_or(Garbage::Shape)?;
        if *self.code.get_or_insert(code) != code {
            return Err(Garbage::MixedCodes);
        }
        if self.lines.len() == MAX_LINES {
            return Err(Garbage::TooLong);
        }
        self.lines.push(String::from_utf8_lossy(text).into_owned());
        Ok(last.then(|| Reply { code, lines: std::mem::take(&mut self.lines) }))
    }
}

/// Code, whether this is the last line, and text.
fn split(line: &[u8]) -> Option<(u16, bool, &[u8])> {
    let (digits, rest) = line.split_at_checked(3)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let code = std::str::from_utf8(digits).ok()?.parse().ok()?;
    match rest {
        [] => Some((code, true, rest)),
        [b' ', text @ ..] => Some((code, true, text)),
        [b'-', text @ ..] => Some((code, false, text)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Result<Option<Reply>, Garbage> {
        let mut reader = ReplyReader::default();
        let mut reply = None;
        for line in lines {
            reply = reader.line(line.as_bytes())?;
        }
        Ok(reply)
    }

    #[test]
    fn one_line_or_many() {
        let reply = read(&["250 2.1.0 ok"]).unwrap().unwrap();
        assert_eq!((reply.code, reply.enhanced()), (250, Some(EnhancedCode::new(2, 1, 0))));
        assert_eq!(reply.to_string(), "250 2.1.0 ok");
        assert_eq!(read(&["354"]).unwrap().unwrap().code, 354);
        let reply = read(&["250-mx.example.org", "250-SIZE 100", "250 DSN"]).unwrap().unwrap();
        assert_eq!(reply.lines, ["mx.example.org", "SIZE 100", "DSN"]);
        assert_eq!(reply.enhanced(), None);
        assert_eq!(read(&["250-more"]).unwrap(), None);
    }

    #[test]
    fn anything_else_is_garbage() {
        for line in ["", "25", "2x0 ok", "250:ok", "HTTP/1.1 400 Bad Request", "\u{e9}50 ok"] {
            assert_eq!(read(&[line]), Err(Garbage::Shape), "{line}");
        }
        assert_eq!(read(&["250-a", "550 b"]), Err(Garbage::MixedCodes));
        let endless = vec!["250-x"; MAX_LINES + 1];
        assert_eq!(read(&endless), Err(Garbage::TooLong));
    }

    #[test]
    fn two_hundreds_are_good_and_421_is_the_end() {
        let reply = |code| Reply { code, lines: Vec::new() };
        let good: Vec<u16> = (190..610).filter(|code| reply(*code).is_positive()).collect();
        assert_eq!((good.first(), good.last(), good.len()), (Some(&200), Some(&299), 100));
        let closing: Vec<u16> = (200..600).filter(|code| reply(*code).is_closing()).collect();
        assert_eq!(closing, [421]);
    }
}
