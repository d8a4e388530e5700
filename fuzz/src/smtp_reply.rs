//! What the next hop answers: bounded, and never more than one printable line in a report or a log (H06, H31).

use zegel::delivery::outcome;
use zegel::delivery::refusal::is_about_us;
use zegel::delivery::smtp_client::reply::{MAX_LINE, MAX_LINES, Reply, ReplyReader};
use zegel::diagnostic::{Diagnostic, Outcome, Stage};

use crate::is_one_line;

pub fn holds(input: &[u8]) {
    let mut reader = ReplyReader::default();
    for line in input.split(|octet| *octet == b'\n') {
        let line = line.get(..MAX_LINE).unwrap_or(line);
        match reader.line(line.strip_suffix(b"\r").unwrap_or(line)) {
            Ok(None) => {}
            Ok(Some(reply)) => is_judged(&reply),
            Err(_) => return,
        }
    }
}

fn is_judged(reply: &Reply) {
    assert!((1..=MAX_LINES).contains(&reply.lines.len()));
    assert!(reply.code <= 999);
    for stage in [Stage::Hello, Stage::Mail, Stage::Recipient, Stage::Done] {
        let about_us = is_about_us(stage, reply, false);
        assert!(reply.code >= 400 || !about_us, "only a refusal is about us");
        match outcome::of_reply(stage, reply, about_us) {
            Outcome::Delivered => assert!(stage == Stage::Done && reply.is_positive(), "H02"),
            Outcome::Deferred(why) => is_bounded(&why),
            Outcome::Failed(why) => {
                assert!(reply.code >= 500 && !about_us, "only 5xx is for ever");
                is_bounded(&why);
            }
        }
    }
}

fn is_bounded(diagnostic: &Diagnostic) {
    let line = diagnostic.to_string();
    assert!(is_one_line(&line) && line.len() <= 1300, "{line:?}");
    assert!(is_one_line(&diagnostic.codes().to_string()) && is_one_line(&diagnostic.for_log()));
    assert!(diagnostic.status.is_none_or(|status| [2, 4, 5].contains(&status.class)));
}
