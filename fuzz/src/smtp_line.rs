//! One line from a client (M04): what is a command stays one however it is spelled, and what holds a control
//! character is none.

use zegel::smtp::command::{Command, CommandError, ForwardPath};

use crate::is_one_line;

pub fn holds(input: &[u8]) {
    let parsed = Command::parse(input);
    for octet in [b'\0', b'\r', b'\n', b'\t', 0x7f] {
        let mut line = input.to_vec();
        line.insert(input.len() / 2, octet);
        assert_eq!(Command::parse(&line), Err(CommandError::NotText));
    }
    let Ok(command) = parsed else { return };
    let text = std::str::from_utf8(input).expect("a command is text");
    assert!(is_one_line(text));
    assert_eq!(Command::parse(format!("{text}  ").as_bytes()).as_ref(), Ok(&command), "blanks at the end");
    let (verb, rest) = text.split_at(text.find(' ').unwrap_or(text.len()));
    for verb in [verb.to_ascii_lowercase(), verb.to_ascii_uppercase()] {
        assert_eq!(Command::parse(format!("{verb}{rest}").as_bytes()).as_ref(), Ok(&command), "letter case");
    }
    says_what_it_means(&command);
}

/// A path that is written as we write it to the next hop is the same path there.
fn says_what_it_means(command: &Command) {
    match command {
        Command::Mail(path, _) => {
            let again = Command::parse(format!("MAIL FROM:{path}").as_bytes());
            assert!(matches!(again, Ok(Command::Mail(read, _)) if read == *path), "{path}");
        }
        Command::Rcpt(ForwardPath::Mailbox(address), _) => {
            let again = Command::parse(format!("RCPT TO:<{address}>").as_bytes());
            let expected = ForwardPath::Mailbox(address.clone());
            assert!(matches!(again, Ok(Command::Rcpt(read, _)) if read == expected), "{address}");
        }
        _ => {}
    }
}
