//! What a server offers in its answer to EHLO (RFC 5321 4.1.1.1). Keywords in any letter case.

use super::reply::Reply;

/// The extensions that change what we send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    /// RFC 2920
    pub pipelining: bool,
    /// RFC 6152
    pub eight_bit_mime: bool,
    /// RFC 6531
    pub smtputf8: bool,
    /// RFC 1870
    pub size: Size,
    /// RFC 3461
    pub dsn: bool,
    /// RFC 3030
    pub chunking: bool,
    /// RFC 3207
    pub starttls: bool,
    /// RFC 4954, RFC 4616
    pub auth_plain: bool,
    /// The de-facto LOGIN
    pub auth_login: bool,
}

/// The SIZE extension.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Size {
    /// Not offered.
    #[default]
    Unknown,
    /// Offered, without a fixed limit.
    Unlimited,
    /// The most bytes a message may have.
    AtMost(u64),
}

impl Extensions {
    /// Reads the lines after the first, which holds the server's name.
    pub fn parse(reply: &Reply) -> Self {
        let mut extensions = Self::default();
        for line in reply.lines.iter().skip(1) {
            extensions.add(&line.to_ascii_uppercase());
        }
        extensions
    }

    fn add(&mut self, line: &str) {
        // "AUTH=PLAIN" is an old habit of some servers.
        let mut words = line.split([' ', '\t', '=']).filter(|word| !word.is_empty());
        match words.next() {
            Some("PIPELINING") => self.pipelining = true,
            Some("8BITMIME") => self.eight_bit_mime = true,
            Some("SMTPUTF8") => self.smtputf8 = true,
            Some("SIZE") => self.size = Size::parse(words.next()),
            Some("DSN") => self.dsn = true,
            Some("CHUNKING") => self.chunking = true,
            Some("STARTTLS") => self.starttls = true,
            Some("AUTH") => {
                for mechanism in words {
                    self.auth_plain |= mechanism == "PLAIN";
                    self.auth_login |= mechanism == "LOGIN";
                }
            }
            _ => {}
        }
    }
}

impl Size {
    /// RFC 1870 4: no number, or zero, means no fixed limit.
    fn parse(number: Option<&str>) -> Self {
        match number.and_then(|digits| digits.parse().ok()) {
            None | Some(0) => Self::Unlimited,
            Some(limit) => Self::AtMost(limit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(lines: &[&str]) -> Extensions {
        Extensions::parse(&Reply { code: 250, lines: lines.iter().map(|line| (*line).to_owned()).collect() })
    }

    #[test]
    fn reads_keywords_in_any_case() {
        let found = parse(&["mx", "pipelining", "Size 1000", "8BitMime", "dsn", "CHUNKING", "SMTPUTF8"]);
        assert!(found.pipelining && found.eight_bit_mime && found.dsn && found.chunking && found.smtputf8);
        assert_eq!(found.size, Size::AtMost(1000));
        assert!(!found.starttls);
        let found = parse(&["mx", "auth CRAM-MD5 plain", "AUTH=LOGIN", "SIZE", "STARTTLS"]);
        assert!(found.auth_plain && found.auth_login && found.starttls);
        assert_eq!(found.size, Size::Unlimited);
        for (line, plain, login) in
            [("AUTH PLAIN", true, false), ("AUTH LOGIN", false, true), ("AUTH", false, false)]
        {
            let found = parse(&["mx", line]);
            assert_eq!((found.auth_plain, found.auth_login), (plain, login), "{line}");
        }
    }

    #[test]
    fn the_name_of_the_server_is_no_keyword() {
        assert_eq!(parse(&["STARTTLS", "XSTARTTLS", "SIZEABLE"]), Extensions::default());
        assert_eq!(parse(&["mx", "SIZE 0"]).size, Size::Unlimited);
    }
}
