//! Addresses: what is one stays the same one through SMTP, a header and its plainest spelling, and adds nothing to a
//! line (C11, C13).

use zegel::address::Address;
use zegel::message::header::Header;
use zegel::smtp::command::{Command, ForwardPath};

use crate::is_one_line;

pub fn holds(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Ok(address) = Address::parse(text) else { return };
    assert_eq!(address.as_str(), text);
    assert_eq!(format!("{}@{}", address.local_part(), address.domain()), text);
    assert!(is_one_line(text) && text.len() <= 254);
    assert!(!address.domain().contains(['@', '<', '>', ' ']));

    let plain = Address::parse(&address.plain()).expect("the plain spelling is an address");
    assert_eq!(plain.plain(), plain.as_str(), "plainer than plain");
    assert!(address.is_same_mailbox(&plain) && plain.is_same_mailbox(&address));
    assert_eq!(address.unquoted_local_part(), plain.unquoted_local_part());

    let command = Command::parse(format!("RCPT TO:<{address}>").as_bytes());
    let Ok(Command::Rcpt(ForwardPath::Mailbox(read), _)) = command else { panic!("{command:?}") };
    assert_eq!(read, address);
    if text.is_ascii() && !text.contains('"') {
        let field = format!("From: Jan <{address}>\r\n");
        assert_eq!(Header::parse(field.as_bytes()).from().address, Some(address));
    }
}
