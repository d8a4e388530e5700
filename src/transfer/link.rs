//! The token in a link: which recipient of which transfer, and a secret that only our link key can have
//! made. Made by `transfer/sealing` and for reminders, read by `transfer/access`.
//!
//! The secret is never stored: it is computed again from the link key. So a forged or mistyped token
//! is refused without a look at the database, and a stolen database opens no link.

use super::pasted::{self, Around, Found};
use crate::address::Address;
use crate::id::{self, Link, TransferId};
use crate::secret::{self, LinkKey, Secret};

/// Characters of the recipient's number: 15 bits.
const NUMBER: usize = 3;
/// Characters of the secret: 130 bits (C15).
const SECRET: usize = 26;
/// What the addresses begin with that delivery reports come to.
const RETURN: &str = "return+";
/// Characters of a token.
pub const LENGTH: usize = TransferId::LENGTH + NUMBER + SECRET;
/// Those before the secret: which link it is, and no more.
pub const PUBLIC: usize = TransferId::LENGTH + NUMBER;
/// The highest recipient number that a token has room for.
pub const MAX_RECIPIENT: u16 = (1 << (5 * NUMBER)) - 1;

/// The token of a link; the recipient's number must not be over [`MAX_RECIPIENT`].
pub fn token(key: &LinkKey, link: &Link) -> Secret {
    let secret = link_secret(key, link);
    Secret::new([link.transfer.as_str(), &number(link.recipient), secret.reveal()].concat())
}

/// The secret part of the token, which is also the first half of the passphrase.
pub fn link_secret(key: &LinkKey, link: &Link) -> Secret {
    let mac = key.sign(link.to_string().as_bytes());
    let mut text = id::base32(&mac);
    text.truncate(SECRET);
    Secret::new(text)
}

/// The link of a token, and its secret. `None` for whatever we did not make, malformed or forged.
pub fn parse(key: &LinkKey, token: &str) -> Option<(Link, Secret)> {
    let (transfer, rest) = token.split_at_checked(TransferId::LENGTH)?;
    let (recipient, given) = rest.split_at_checked(NUMBER)?;
    let link = Link { transfer: transfer.parse().ok()?, recipient: parse_number(recipient)? };
    let secrets = key.each().into_iter().map(|key| link_secret(&key, &link));
    let same = |secret: &Secret| secret::equal(given.as_bytes(), secret.reveal().as_bytes());
    let secret = secrets.filter(same).last()?;
    Some((link, secret))
}

/// The value of `X-Zegel-Return` on mail about a link: a server that returns it to us has had that mail. It closes the
/// link (a delivery report brings it), and can do nothing else.
pub fn return_mark(key: &LinkKey, link: &Link) -> String {
    let mut mac = id::base32(&key.sign(format!("return {link}").as_bytes()));
    mac.truncate(SECRET);
    format!("{}.{}.{mac}", link.transfer, link.recipient)
}

/// The link of a mark that we made.
pub fn parse_return_mark(key: &LinkKey, mark: &str) -> Option<Link> {
    let mut pieces = mark.trim().split('.');
    let link = Link { transfer: pieces.next()?.parse().ok()?, recipient: pieces.next()?.parse().ok()? };
    let is_ours = |key: &LinkKey| secret::equal(mark.trim().as_bytes(), return_mark(key, &link).as_bytes());
    key.each().iter().any(is_ours).then_some(link)
}

/// The envelope sender of a notification whose delivery reports are to come to us.
pub fn return_address(key: &LinkKey, link: &Link, hostname: &str) -> Option<Address> {
    Address::parse(&format!("{RETURN}{}@{hostname}", return_mark(key, link))).ok()
}

/// The mark in such an address, unchecked; `None` for every other address.
pub fn mark_of_address<'a>(address: &'a Address, hostname: &str) -> Option<&'a str> {
    let mark = address.local_part().strip_prefix(RETURN)?;
    address.domain().eq_ignore_ascii_case(hostname).then_some(mark)
}

/// The first token of ours in what somebody pasted, or a mail program made of a link.
pub fn find(key: &LinkKey, text: &str, around: Around) -> Option<Found> {
    pasted::find(text, LENGTH, around, |candidate| parse(key, candidate).is_some())
}

/// What people make of a token when they type it, put right. It may be none of ours.
pub fn normalise(typed: &str) -> String {
    let token = match typed.rsplit_once("/t/") {
        Some((_, rest)) => rest.split(['/', '?', '#']).next().unwrap_or(rest),
        None => typed,
    };
    let kept = token.chars().filter(char::is_ascii_alphanumeric).map(pasted::as_meant);
    // Longer than any token is no token, whatever it is: keep it bounded.
    kept.take(LENGTH + 1).collect()
}

fn number(recipient: u16) -> String {
    let mut text = id::base32(&(recipient << 1).to_be_bytes());
    text.truncate(NUMBER);
    text
}

fn parse_number(text: &str) -> Option<u16> {
    let bytes: [u8; 2] = id::from_base32(&format!("{text}0"))?.try_into().ok()?;
    let number = u16::from_be_bytes(bytes) >> 1;
    (number != 0).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Keys;

    fn link(recipient: u16) -> Link {
        Link { transfer: "abcdefgh01".parse().unwrap(), recipient }
    }

    #[test]
    fn reads_back_what_it_made() {
        let key = Keys::derive(&[7; 32]).link;
        for recipient in [1, 2, 31, 32, 1000, MAX_RECIPIENT] {
            let token = token(&key, &link(recipient));
            assert_eq!(token.reveal().len(), LENGTH);
            let (read, secret) = parse(&key, token.reveal()).unwrap();
            assert_eq!(read, link(recipient));
            assert!(token.reveal().ends_with(secret.reveal()) && secret.reveal().len() == 26);
        }
    }

    /// The scheme must not change: links that are out there have to go on working.
    #[test]
    fn the_scheme_stays() {
        let key = Keys::derive(&[7; 32]).link;
        let token = token(&key, &link(1));
        assert!(token.reveal().starts_with("abcdefgh01001"));
        let mac = key.sign(b"abcdefgh01/1");
        assert_eq!(&token.reveal()[13..], &id::base32(&mac)[..26]);
        assert_eq!((number(2).as_str(), MAX_RECIPIENT), ("002", 32_767));
        assert_eq!(number(32), "010");
    }

    /// C15: nothing but the exact token is one.
    #[test]
    fn everything_else_is_unknown() {
        let key = Keys::derive(&[7; 32]).link;
        let good = token(&key, &link(1));
        for at in 0..LENGTH {
            let mut changed = good.reveal().as_bytes().to_vec();
            changed[at] = if changed[at] == b'7' { b'8' } else { b'7' };
            assert!(parse(&key, std::str::from_utf8(&changed).unwrap()).is_none(), "character {at}");
        }
        let zero = [&good.reveal()[..10], "000", link_secret(&key, &link(0)).reveal()].concat();
        let longer = format!("{}0", good.reveal());
        let upper = good.reveal().to_uppercase();
        let shorter = &good.reveal()[..LENGTH - 1];
        let umlaut = "é".repeat(LENGTH);
        for wrong in ["", "x", "../../../etc/passwd", &zero, &longer, &upper, shorter, &umlaut] {
            assert!(parse(&key, wrong).is_none(), "{wrong}");
        }
        let other = Keys::derive(&[8; 32]).link;
        assert!(parse(&other, good.reveal()).is_none(), "another installation's");
    }

    #[test]
    fn a_mark_closes_its_own_link_and_opens_none() {
        let key = Keys::derive(&[7; 32]).link;
        let mark = return_mark(&key, &link(2));
        assert_eq!(parse_return_mark(&key, &format!(" {mark}\r\n")), Some(link(2)));
        assert!(!mark.ends_with(link_secret(&key, &link(2)).reveal()));
        let other = mark.replace(".2.", ".1.");
        for wrong in ["", ".", "abcdefgh01.2.", &other, &mark.to_uppercase(), &format!("{mark}0")] {
            assert!(parse_return_mark(&key, wrong).is_none(), "{wrong}");
        }
        assert!(parse_return_mark(&Keys::derive(&[8; 32]).link, &mark).is_none());
    }

    #[test]
    fn a_mark_is_an_address_too() {
        let key = Keys::derive(&[7; 32]).link;
        let address = return_address(&key, &link(32_767), "veilig.voorbeeld.nl").unwrap();
        assert!(address.local_part().len() <= 64, "RFC 5321 4.5.3.1.1: {address}");
        let mark = mark_of_address(&address, "Veilig.voorbeeld.nl").unwrap();
        assert_eq!(parse_return_mark(&key, mark), Some(link(32_767)));
        assert_eq!(mark_of_address(&address, "voorbeeld.nl"), None);
        let other = Address::parse("returned@veilig.voorbeeld.nl").unwrap();
        assert_eq!(mark_of_address(&other, "veilig.voorbeeld.nl"), None);
    }

    #[test]
    fn forgives_what_people_type() {
        for typed in [
            "ABCD efgh-01",
            "abcdefghOI",
            "abcdefgh0l ",
            "https://veilig.voorbeeld.nl/t/abcdefgh01",
            "https://veilig.voorbeeld.nl/t/abcdefgh01/files?x=1",
        ] {
            assert_eq!(normalise(typed), "abcdefgh01", "{typed}");
        }
        assert_eq!(normalise(&"a".repeat(10_000)).len(), LENGTH + 1);
        assert_eq!(normalise("é\0<script>"), "scr1pt");
    }

    proptest::proptest! {
        /// M16, C15: a token reads back as its link, and with any one character changed as nothing.
        #[test]
        fn a_token_is_its_link_or_nothing(recipient in 1..=MAX_RECIPIENT, at in 0..LENGTH, other in "[!-~]") {
            let key = Keys::derive(&[7; 32]).link;
            let made = token(&key, &link(recipient));
            let mut text = made.reveal().to_owned();
            proptest::prop_assert_eq!(parse(&key, &text).map(|(read, _)| read), Some(link(recipient)));
            proptest::prop_assert_eq!(&normalise(&text), &text);
            let is_changed = text.get(at..=at) != Some(other.as_str());
            text.replace_range(at..=at, &other);
            proptest::prop_assert_eq!(parse(&key, &text).is_none(), is_changed);
        }

        #[test]
        fn what_is_put_right_stays(typed in "(https://x/t/)?.{0,60}") {
            let right = normalise(&typed);
            proptest::prop_assert_eq!(normalise(&right), right);
        }
    }
}
