//! Asks a next hop what it would do with mail, and sends none: MAIL, RCPT and RSET, never DATA. Called by `check`.

use std::time::Duration;

use super::Timeouts;
use super::outcome::{Cause, Failure};
use super::smarthost::TlsClients;
use super::smtp_client::connection::{Connection, ServerSettings, open};
use super::smtp_client::extensions::Size;
use super::smtp_client::reply::Reply;
use crate::address::{Address, ReversePath};
use crate::config::{Direction, RelayTls};
use crate::diagnostic::{Diagnostic, Stage};
use crate::settings::Organisation;
use crate::tls::TlsError;

/// Whoever waits for a check is a person.
const TIMEOUTS: Timeouts = {
    let short = Duration::from_secs(15);
    Timeouts {
        connect: short,
        greeting: Duration::from_secs(45),
        command: short,
        data: short,
        block: short,
        done: short,
    }
};

/// From whom a mail would be, and to whom.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// The sender; null for reports.
    pub from: ReversePath,
    /// The recipient.
    pub to: Address,
}

/// What a server offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its 220.
    pub greeting: String,
    /// The most bytes of a message; `None` without a limit.
    pub size: Option<u64>,
    /// Extensions that it lacks, and what that costs.
    pub lacks: Vec<&'static str>,
    /// Why others could read along.
    pub exposed: Option<String>,
}

/// What it says to one envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It would take the mail.
    Takes,
    /// It would not for now, or not at all; in its words.
    Refuses(Diagnostic),
}

/// What came of it.
pub type Probed = (Offer, Vec<Verdict>);

/// Connects as a delivery does, and asks for each of the envelopes. With `tls` in place of what is configured.
pub async fn probe(
    organisation: &Organisation,
    direction: Direction,
    tls: Option<RelayTls>,
    envelopes: &[Envelope],
) -> Result<Probed, Failure> {
    let clients = TlsClients::system().map_err(no_clients)?;
    let mut server = ServerSettings::of(organisation, direction);
    if let Some(tls) = tls {
        server = server.with_tls(tls);
    }
    let mut connection = open(&server, &clients, &TIMEOUTS).await?;
    let offer = offer(&connection);
    let mut verdicts = Vec::new();
    for envelope in envelopes {
        verdicts.push(ask(&mut connection, envelope).await?);
    }
    // Nothing depends on its answer.
    let _ = connection.wire.ask("QUIT", Duration::from_secs(1)).await;
    Ok((offer, verdicts))
}

fn no_clients(error: TlsError) -> Failure {
    Failure { stage: Stage::StartTls, cause: Cause::NoTls(error.to_string()) }
}

fn offer(connection: &Connection) -> Offer {
    let offered = &connection.offered;
    let lacks = [
        (offered.eight_bit_mime, "8BITMIME: mail with 8-bit text is returned to its sender"),
        (offered.smtputf8, "SMTPUTF8: mail to and from addresses that are not ASCII is returned"),
        (offered.dsn, "DSN: what senders ask of delivery reports goes no further"),
        (
            offered.size != Size::Unknown,
            "SIZE: a message that is too large is refused only after all of it was sent",
        ),
    ];
    Offer {
        greeting: connection.greeting.chars().filter(|c| !c.is_control()).take(200).collect(),
        size: match offered.size {
            Size::AtMost(octets) => Some(octets),
            Size::Unknown | Size::Unlimited => None,
        },
        lacks: lacks.into_iter().filter_map(|(has, what)| (!has).then_some(what)).collect(),
        exposed: connection.exposed.clone(),
    }
}

async fn ask(connection: &mut Connection, envelope: &Envelope) -> Result<Verdict, Failure> {
    let Envelope { from, to } = envelope;
    let (mail, rcpt) = (format!("MAIL FROM:{from}"), format!("RCPT TO:<{to}>"));
    let mut verdict = Verdict::Takes;
    for (stage, command) in [(Stage::Mail, mail), (Stage::Recipient, rcpt)] {
        let reply = command_of(connection, stage, &command).await?;
        if !reply.is_positive() {
            verdict = Verdict::Refuses(Diagnostic::remote(stage, reply.code, &reply.text()));
            break;
        }
    }
    command_of(connection, Stage::Mail, "RSET").await?;
    Ok(verdict)
}

async fn command_of(connection: &mut Connection, stage: Stage, command: &str) -> Result<Reply, Failure> {
    let reply = connection.wire.ask(command, TIMEOUTS.command).await;
    match reply {
        Ok(reply) if reply.is_closing() => Err(Failure { stage, cause: Cause::Answer(reply) }),
        Ok(reply) => Ok(reply),
        Err(cause) => Err(Failure { stage, cause }),
    }
}
