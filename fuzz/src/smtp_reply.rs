//! What the next hop answers: bounded, and never more than one printable line in a report or a log (H06, H31).

use zegel::delivery::outcome::{self, Stage};
use zegel::delivery::refusal::is_about_us;
use zegel::delivery::smtp_client::reply::{MAX_LINE, MAX_LINES, Reply, ReplyReader};
use zegel::store::Delivery;

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
            Delivery::Delivered => assert!(stage == Stage::Done && reply.is_positive(), "H02"),
            Delivery::Later { reason } => is_bounded(&reason),
            Delivery::Failed { reason } => {
                assert!(reply.code >= 500 && !about_us, "only 5xx is for ever");
                is_bounded(&reason);
            }
        }
    }
}

fn is_bounded(reason: &str) {
    assert!(is_one_line(reason) && reason.len() <= 1000, "{reason:?}");
    assert!(is_one_line(&outcome::codes(reason)));
    assert!(outcome::status(reason).starts_with(['2', '4', '5']));
}
