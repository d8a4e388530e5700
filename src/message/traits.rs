//! What must be known of a message before it is sent on: how large it is, and whether it is all ASCII. Kept beside
//! every sealed body, and asked by `delivery`.

/// What must be known of a message before its first byte is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traits {
    /// Bytes, before dot-stuffing.
    pub size: u64,
    /// There is a byte over 127 in it.
    pub eight_bit: bool,
    /// There is one in its header.
    pub eight_bit_header: bool,
}

impl Traits {
    /// Looks at a whole message.
    pub fn of(message: &[u8]) -> Self {
        let header = memchr::memmem::find(message, b"\r\n\r\n").and_then(|end| message.get(..end));
        Self {
            size: message.len() as u64,
            eight_bit: !message.is_ascii(),
            eight_bit_header: !header.unwrap_or(message).is_ascii(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_header_from_body() {
        let of = |text: &str| {
            let Traits { eight_bit, eight_bit_header, .. } = Traits::of(text.as_bytes());
            (eight_bit, eight_bit_header)
        };
        assert_eq!(of("Subject: a\r\n\r\nb\r\n"), (false, false));
        assert_eq!(of("Subject: a\r\n\r\n\u{e9}\r\n"), (true, false));
        assert_eq!(of("Subject: \u{e9}\r\n\r\nb\r\n"), (true, true));
        assert_eq!(of("\u{e9}"), (true, true));
    }
}
