//! The next hops: whether they can be reached and are who they say, log us in, and take mail from us to people outside, to
//! people inside, and from the null sender.

use super::{Questions, clock};
use crate::address::{Address, ReversePath};
use crate::check::Findings;
use crate::clock::Clock;
use crate::config::{Direction, RelayTls};
use crate::delivery::outcome::{Cause, Failure};
use crate::delivery::probe::{Envelope, Offer, Verdict, probe};
use crate::diagnostic::Stage;
use crate::settings::Settings;

/// Tells whether one of them told the time.
pub async fn look(
    settings: &Settings,
    questions: &Questions,
    found: &mut Findings,
    seen: &mut Vec<String>,
) -> bool {
    let [outside, inside] = [Direction::Outside, Direction::Inside].map(|way| settings.relay.next_hop(way));
    let mut tells_time = one(settings, questions, Direction::Outside, outside == inside, found, seen).await;
    if outside != inside {
        tells_time |= one(settings, questions, Direction::Inside, true, found, seen).await;
    }
    tells_time
}

async fn one(
    settings: &Settings,
    questions: &Questions,
    direction: Direction,
    takes_inside: bool,
    found: &mut Findings,
    seen: &mut Vec<String>,
) -> bool {
    let section = if direction == Direction::Outside { "relay" } else { "relay.inside" };
    let smarthost = settings.relay.next_hop(direction).smarthost;
    let asked = envelopes(settings, questions, direction, takes_inside);
    let envelopes: Vec<Envelope> = asked.iter().map(|(_, envelope)| envelope.clone()).collect();
    let asked_at = Clock::system().now();
    match probe(settings.operator(), direction, None, &envelopes).await {
        Err(failure) => {
            refused(section, &smarthost, &failure, found);
            false
        }
        Ok((offer, verdicts)) => {
            let there = clock::date_in(&offer.greeting);
            if let Some(there) = there {
                let (whose, now) = (format!("that of {smarthost} (its greeting)"), Clock::system().now());
                clock::compare(&whose, there, asked_at, now, found, seen);
            }
            offers(settings, section, &smarthost, &offer, found, seen);
            for ((what, _), verdict) in asked.iter().zip(verdicts) {
                match verdict {
                    Verdict::Takes => seen.push(format!("{smarthost} takes mail {what}")),
                    Verdict::Refuses(answer) => {
                        let key = format!("{section}.smarthost");
                        let reason = format!("{key}: {smarthost} does not take mail {what}: {answer}");
                        found.error(
                            &key,
                            reason,
                            "let it relay for this gateway: by its address, or by a login",
                        );
                    }
                }
            }
            better(settings, direction, section, &smarthost, found).await;
            there.is_some()
        }
    }
}

/// What the gateway sends this way, in words, and as an envelope.
fn envelopes(
    settings: &Settings,
    questions: &Questions,
    direction: Direction,
    takes_inside: bool,
) -> Vec<(String, Envelope)> {
    let organisation = settings.operator();
    let staff = ReversePath::Address(organisation.postmaster.clone());
    let ours = Address::parse(&format!("noreply@{}", organisation.hostname));
    let ours = ours.map_or(ReversePath::Null, ReversePath::Address);
    let mut pairs = Vec::new();
    if direction == Direction::Outside {
        pairs.push((staff, questions.outside.clone()));
        pairs.push((ReversePath::Null, questions.outside.clone()));
    }
    if takes_inside {
        pairs.push((ours, organisation.postmaster.clone()));
        pairs.push((ReversePath::Null, organisation.postmaster.clone()));
    }
    let said = |(from, to): (ReversePath, Address)| (format!("from {from} to <{to}>"), Envelope { from, to });
    pairs.into_iter().map(said).collect()
}

fn refused(section: &str, smarthost: &str, failure: &Failure, found: &mut Findings) {
    let remedy = match (&failure.cause, failure.stage) {
        (_, Stage::Connect) => "look at name and port, and at the firewalls between here and there",
        (Cause::NoTls(_), _) => {
            "the certificate must bear the name in smarthost, and end in a root of this system (update-ca-certificates)"
        }
        (Cause::Credentials(_), _) | (_, Stage::Auth) => {
            "look at username and password_file, and at what AUTH the server offers to us"
        }
        (_, Stage::Greeting | Stage::Hello) => {
            "the server turns this gateway away before it asks anything: look at its log"
        }
        _ => "look at the log of that server",
    };
    let key = format!("{section}.smarthost");
    let reason = format!("{key}: {smarthost}, at {}: {}", words(failure.stage), failure.cause);
    found.error(&key, reason.replace(['\r', '\n'], " "), remedy);
}

fn words(stage: Stage) -> &'static str {
    match stage {
        Stage::Connect => "connecting",
        Stage::Greeting => "its greeting",
        Stage::Hello => "EHLO",
        Stage::StartTls => "STARTTLS",
        Stage::Auth => "AUTH",
        Stage::Mail => "MAIL",
        Stage::Recipient => "RCPT",
        _ => "the end",
    }
}

fn offers(
    settings: &Settings,
    section: &str,
    smarthost: &str,
    offer: &Offer,
    found: &mut Findings,
    seen: &mut Vec<String>,
) {
    let key = format!("{section}.smarthost");
    let size = offer.size.map_or_else(|| "any size".to_owned(), |size| format!("{} MiB", size >> 20));
    seen.push(format!("{smarthost} answers \"{}\", and takes {size}", offer.greeting));
    for lack in &offer.lacks {
        found.note(&key, format!("{key}: {smarthost} lacks {lack}"), "turn it on there, if it can");
    }
    if let Some(reason) = &offer.exposed {
        let tls = format!("{section}.tls");
        let reason =
            format!("{tls}: {smarthost}: {reason}: mail with a password, link, code or answer waits");
        found.error(&tls, reason, "turn STARTTLS on there, or name another server");
    }
    let largest = settings.smtp.max_message_size.bytes();
    if offer.size.is_some_and(|size| size < largest) {
        let reason = format!(
            "{key}: {smarthost} takes {size}, and smtp.max_message_size is {} MiB: what is larger and passes unsealed is returned",
            largest >> 20
        );
        found.warning(
            "smtp.max_message_size",
            reason,
            "set smtp.max_message_size to what the smarthost takes",
        );
    }
}

/// Whether a certificate that nobody checks would stand a check.
async fn better(
    settings: &Settings,
    direction: Direction,
    section: &str,
    smarthost: &str,
    found: &mut Findings,
) {
    if settings.relay.next_hop(direction).tls != RelayTls::Opportunistic {
        return;
    }
    let key = format!("{section}.tls");
    match probe(settings.operator(), direction, Some(RelayTls::Required), &[]).await {
        Ok(_) => {
            let reason =
                format!("{key}: the certificate of {smarthost} stands the check of tls = \"required\"");
            found.note(&key, reason, "set it: nobody can then stand between the two unseen");
        }
        Err(failure) => {
            let reason =
                format!("{key}: with \"required\" nothing would go to {smarthost}: {}", failure.cause);
            found.note(
                &key,
                reason.replace(['\r', '\n'], " "),
                "give that server a certificate for its name",
            );
        }
    }
}
