//! The grammar, and what is outside of it.

use proptest::prelude::*;

use super::*;

fn parse(line: &str) -> Result<Command, CommandError> {
    Command::parse(line.as_bytes())
}

fn sender(text: &str) -> ReversePath {
    ReversePath::Address(Address::parse(text).unwrap())
}

#[test]
fn reads_mail_with_every_parameter() {
    let line = "mail from:<jan@voorbeeld.nl> size=12 Body=8bitmime SMTPUTF8 RET=HDRS ENVID=Q+2B1";
    let parameters = MailParameters {
        body: Some(BodyType::EightBitMime),
        smtputf8: true,
        size: Some(12),
        ret: Some(Ret::Headers),
        envid: Some("Q+2B1".into()),
    };
    assert_eq!(parse(line), Ok(Command::Mail(sender("jan@voorbeeld.nl"), parameters)));
}

#[test]
fn reads_every_value_of_a_parameter() {
    let read = |text: &str| match parse(&format!("MAIL FROM:<> {text}")) {
        Ok(Command::Mail(_, parameters)) => (parameters.body, parameters.ret),
        other => panic!("{other:?}"),
    };
    assert_eq!(read("BODY=7bit"), (Some(BodyType::SevenBit), None));
    assert_eq!(read("BODY=8BITMIME"), (Some(BodyType::EightBitMime), None));
    assert_eq!(read("RET=full"), (None, Some(Ret::Full)));
    assert_eq!(read("RET=HDRS"), (None, Some(Ret::Headers)));
}

#[test]
fn reads_every_form_of_path() {
    for (path, expected) in [
        ("<>", ReversePath::Null),
        (" <>", ReversePath::Null),
        ("<jan@voorbeeld.nl>", sender("jan@voorbeeld.nl")),
        ("<@a.nl,@b.nl:jan@voorbeeld.nl>", sender("jan@voorbeeld.nl")),
        ("<\"a>b\\\"\"@voorbeeld.nl>", sender("\"a>b\\\"\"@voorbeeld.nl")),
        ("<jan@[192.0.2.1]>", sender("jan@[192.0.2.1]")),
    ] {
        let expected = Ok(Command::Mail(expected, MailParameters::default()));
        assert_eq!(parse(&format!("MAIL FROM:{path}  ")), expected, "{path}");
    }
    for wrong in
        ["<jan>", "<a b@c.nl>", "<@a.nl>", "<@a.nl:>", "<a:jan@x.nl>", "<@:jan@x.nl>", "<jan@x.nl,b@y.nl>"]
    {
        assert_eq!(parse(&format!("MAIL FROM:{wrong}")), Err(CommandError::Sender), "{wrong}");
    }
    for wrong in ["", "jan@voorbeeld.nl", "<jan@voorbeeld.nl", "<a@b.nl>SIZE=1", "<a@b.nl>>", "<\"a>@b.nl>"] {
        let error = parse(&format!("MAIL FROM:{wrong}"));
        assert!(matches!(error, Err(CommandError::Syntax(_))), "{wrong}: {error:?}");
    }
}

#[test]
fn reads_recipients() {
    let to = |line| match parse(line) {
        Ok(Command::Rcpt(path, _)) => Ok(path),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error),
    };
    assert_eq!(to("RCPT TO:<PostMaster>"), Ok(ForwardPath::Postmaster));
    assert_eq!(to("RCPT TO:<>"), Err(CommandError::Recipient));
    assert_eq!(to("RCPT TO:<piet>"), Err(CommandError::Recipient));
    let postmaster = ForwardPath::Mailbox(Address::parse("postmaster@voorbeeld.nl").unwrap());
    assert_eq!(to("RCPT TO:<postmaster@voorbeeld.nl>"), Ok(postmaster));
}

#[test]
fn checks_delivery_status_parameters() {
    let parameters = |text: &str| match parse(&format!("RCPT TO:<a@b.nl> {text}")) {
        Ok(Command::Rcpt(_, parameters)) => Ok(parameters),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error),
    };
    let all = Notify { success: true, failure: true, delay: true };
    assert_eq!(parameters("NOTIFY=success,DELAY,Failure").unwrap().notify, Some(all));
    assert_eq!(parameters("NOTIFY=NEVER").unwrap().notify, Some(Notify::default()));
    let orcpt = "rfc822;Jan+2Bx@voorbeeld.nl";
    assert_eq!(parameters(&format!("ORCPT={orcpt}")).unwrap().orcpt.as_deref(), Some(orcpt));
    assert!(parameters("ORCPT=utf-8;jürgen@voorbeeld.nl").is_ok());
    for wrong in [
        "NOTIFY",
        "NOTIFY=",
        "NOTIFY=NEVER,FAILURE",
        "NOTIFY=SUCCESS,",
        "NOTIFY=X",
        "ORCPT=jan@x.nl",
        "ORCPT=;x",
        "ORCPT=rfc822;",
        "ORCPT=rfc822;a+2b",
        "ORCPT=rfc822;a+",
        "ORCPT=rfc822;ü",
        "ORCPT=utf-8;",
        "ORCPT=utf-8;a=b",
        "NOTIFY=NEVER NOTIFY=NEVER",
    ] {
        assert_eq!(parameters(wrong), Err(CommandError::Parameter), "{wrong}");
    }
    assert_eq!(parameters("SIZE=1"), Err(CommandError::UnknownParameter));
}

#[test]
fn checks_the_parameters_of_mail() {
    let check = |text: &str| parse(&format!("MAIL FROM:<> {text}")).map(|_| ());
    for wrong in [
        "SIZE",
        "SIZE=",
        "SIZE=-1",
        "SIZE=+1",
        "SIZE=1x",
        "SIZE=1 SIZE=1",
        "BODY=BINARYMIME",
        "SMTPUTF8=1",
        "SMTPUTF8 SMTPUTF8",
        "RET=ALL",
        "ENVID=",
        "ENVID=a=b",
        "ENVID=+0a",
        "SIZE=999999999999999999999",
    ] {
        assert_eq!(check(wrong), Err(CommandError::Parameter), "{wrong}");
    }
    assert_eq!(check(&format!("ENVID={}", "x".repeat(101))), Err(CommandError::Parameter));
    assert_eq!(check("SIZE=99999999999999999999"), Ok(()));
    for unknown in ["AUTH=<>", "X", "=", "NOTIFY=NEVER"] {
        assert_eq!(check(unknown), Err(CommandError::UnknownParameter), "{unknown}");
    }
}

#[test]
fn reads_every_verb_in_any_case() {
    for (line, command) in [
        ("EHLO a-b.example", Command::Ehlo("a-b.example".into())),
        ("helo [192.0.2.1]", Command::Helo("[192.0.2.1]".into())),
        ("DATA", Command::Data),
        ("rset  ", Command::Rset),
        ("NOOP", Command::Noop),
        ("noop whatever", Command::Noop),
        ("VRFY jan", Command::Vrfy),
        ("HELP", Command::Help),
        ("Help MAIL", Command::Help),
        ("StartTLS", Command::StartTls),
        ("QUIT", Command::Quit),
    ] {
        assert_eq!(parse(line), Ok(command), "{line}");
    }
}

#[test]
fn checks_chunk_sizes() {
    let bdat = |size, last| Ok(Command::Bdat(Chunk { size, last }));
    assert_eq!(parse("BDAT 0"), bdat(0, false));
    assert_eq!(parse("bdat 1000 last "), bdat(1000, true));
    for odd in ["", " ", " -1", " +1", " 0x10", " 1.5", " 1 2", " LAST", " 18446744073709551616", " 1 LAST x"]
    {
        assert_eq!(parse(&format!("BDAT{odd}")), Err(CommandError::ChunkSize), "{odd}");
    }
}

#[test]
fn knows_what_is_no_command() {
    for (line, error) in [
        ("", CommandError::Unknown),
        ("FOO", CommandError::Unknown),
        (" QUIT", CommandError::Unknown),
        ("AUTH PLAIN AGEAYg==", CommandError::NotOffered),
        ("GET / HTTP/1.1", CommandError::ForeignProtocol),
        ("MAIL FROM:<a@b.nl>\nRCPT TO:<c@d.nl>", CommandError::NotText),
        ("MAIL FROM:<a@b.nl>\r", CommandError::NotText),
        ("MAIL\tFROM:<a@b.nl>", CommandError::NotText),
        ("NOOP \0", CommandError::NotText),
        ("NOOP \u{85}", CommandError::NotText),
        ("QUIT now", CommandError::Syntax("QUIT")),
        ("EHLO", CommandError::Syntax("EHLO hostname")),
        ("EHLO a b", CommandError::Syntax("EHLO hostname")),
        ("HELO (x)", CommandError::Syntax("HELO hostname")),
        ("VRFY", CommandError::Syntax("VRFY address")),
    ] {
        assert_eq!(parse(line), Err(error), "{line:?}");
    }
    assert_eq!(Command::parse(b"NOOP \xff"), Err(CommandError::NotText));
}

proptest! {
    #[test]
    fn never_panics(line in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = Command::parse(&line);
    }

    #[test]
    fn never_panics_near_the_grammar(tail in "[<>@:,;\"\\\\=+ a-zA-Z0-9ü]{0,40}") {
        for start in ["MAIL FROM:", "RCPT TO:", "MAIL FROM:<a@b.nl> ", "RCPT TO:<a@b.nl> ", "BDAT "] {
            let _ = parse(&format!("{start}{tail}"));
        }
    }
}
