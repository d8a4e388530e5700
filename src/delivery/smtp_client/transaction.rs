//! One mail over an open connection (RFC 5321 3.3): MAIL, every RCPT, then the message for those whose RCPT
//! was taken. A refused recipient stops no other. The only success is a 2xx after the last byte.

use super::command::{self, lack_for_mail, lack_for_recipient};
use super::connection::Connection;
use super::reply::Reply;
use super::stuffing::Stuffing;
use crate::address::ReversePath;
use crate::delivery::outcome::{Cause, Failure, of_lack, of_reply};
use crate::delivery::refusal::{are_all_about_us, is_about_us};
use crate::delivery::{MessageBlocks, OutgoingMail, Timeouts};
use crate::diagnostic::{Outcome, Stage};
use crate::store::taken_answer;

/// Commands sent before their replies are read: few enough for any pair of socket buffers (RFC 2920 3.1).
const GROUP: usize = 100;
/// Bytes of a message that leave in one write.
const BLOCK: usize = 64 * 1024;

/// How a transaction ended.
#[derive(Debug)]
pub struct Ended {
    /// One outcome for each recipient of the mail, in order.
    pub outcomes: Vec<Outcome>,
    /// The connection is in step and waits for another MAIL.
    pub reusable: bool,
    /// The server takes no mail from us, whatever mail it is.
    pub refuses_us: bool,
    /// The words with which it took the mail, if it did.
    pub answer: Option<String>,
}

/// Sends one mail. `Err` means that the server has not answered MAIL, or answered that it is closing: it knows nothing of
/// the mail, and another connection may be tried at once.
pub async fn run(
    connection: &mut Connection,
    mail: &OutgoingMail<'_>,
    timeouts: &Timeouts,
) -> Result<Ended, Failure> {
    let mut settled: Vec<Option<Outcome>> = lacking(mail, connection);
    let waiting = indices(&settled);
    if waiting.is_empty() {
        let outcomes = settled.into_iter().flatten().collect();
        return Ok(Ended { outcomes, reusable: true, refuses_us: false, answer: None });
    }
    connection.mails += 1;
    let mut transaction = Transaction { connection, mail, timeouts };
    let ended = transaction.send(&waiting).await?;
    for (index, outcome) in waiting.into_iter().zip(ended.outcomes) {
        if let Some(slot) = settled.get_mut(index) {
            *slot = Some(outcome);
        }
    }
    Ok(Ended { outcomes: settled.into_iter().flatten().collect(), ..ended })
}

/// Those that this server can never take, and why.
fn lacking(mail: &OutgoingMail<'_>, connection: &Connection) -> Vec<Option<Outcome>> {
    let offered = &connection.offered;
    let whole = lack_for_mail(mail, offered);
    let of = |recipient| whole.or_else(|| lack_for_recipient(recipient, offered)).map(of_lack);
    mail.recipients.iter().map(of).collect()
}

fn indices(settled: &[Option<Outcome>]) -> Vec<usize> {
    (0..).zip(settled).filter_map(|(index, outcome)| outcome.is_none().then_some(index)).collect()
}

struct Transaction<'a> {
    connection: &'a mut Connection,
    mail: &'a OutgoingMail<'a>,
    timeouts: &'a Timeouts,
}

/// The answers to the envelope, as far as they came.
struct Answers {
    mail: Reply,
    recipients: Vec<Reply>,
    /// Only when DATA was sent in the same group.
    data: Option<Reply>,
    broken: Option<Failure>,
}

impl Transaction<'_> {
    /// The outcomes of the recipients at `waiting`, and of the connection.
    async fn send(&mut self, waiting: &[usize]) -> Result<Ended, Failure> {
        let answers = self.envelope(waiting).await?;
        if !answers.mail.is_positive() {
            // No transaction was begun; what else was sent in the group is refused as well.
            let in_step = answers.broken.is_none() && answers.data.is_none_or(|reply| reply.code != 354);
            return Ok(self.answered(Stage::Mail, &answers.mail, waiting.len(), in_step));
        }
        // Refused ones are settled; those that were taken, or got no answer, share what comes.
        let refuses_us = are_all_about_us(&answers.recipients);
        let refusal =
            |reply: &Reply| (!reply.is_positive()).then(|| of_reply(Stage::Recipient, reply, refuses_us));
        let mut outcomes: Vec<Option<Outcome>> = answers.recipients.iter().map(refusal).collect();
        outcomes.resize(waiting.len(), None);
        let rest = match answers.broken {
            Some(failure) => broken(&failure),
            None if outcomes.iter().any(Option::is_none) => self.message(answers.data).await,
            None => {
                let reusable = self.give_up(answers.data).await;
                Ended { outcomes: Vec::new(), reusable, refuses_us: false, answer: None }
            }
        };
        let shared = || rest.outcomes.first().cloned();
        Ok(Ended {
            outcomes: outcomes.into_iter().filter_map(|own| own.or_else(shared)).collect(),
            reusable: rest.reusable,
            refuses_us: refuses_us || rest.refuses_us,
            answer: rest.answer,
        })
    }

    /// One answer for so many recipients.
    fn answered(&self, stage: Stage, reply: &Reply, recipients: usize, reusable: bool) -> Ended {
        let refuses_us = is_about_us(stage, reply, *self.mail.reverse_path == ReversePath::Null);
        let outcome = of_reply(stage, reply, refuses_us);
        let answer = (outcome == Outcome::Delivered).then(|| taken_answer(reply.code, &reply.text()));
        Ended { outcomes: vec![outcome; recipients], reusable, refuses_us, answer }
    }

    /// Sends MAIL, the RCPTs and, where it may be in the same group, DATA.
    async fn envelope(&mut self, waiting: &[usize]) -> Result<Answers, Failure> {
        let offered = self.connection.offered;
        let mut commands = vec![(Stage::Mail, command::mail(self.mail, &offered))];
        for recipient in waiting.iter().filter_map(|&index| self.mail.recipients.get(index)) {
            commands.push((Stage::Recipient, command::rcpt(recipient, &offered)));
        }
        if offered.pipelining && !offered.chunking {
            commands.push((Stage::Data, "DATA".to_owned()));
        }
        let (mut mail, mut recipients, mut data, mut broken) = (None, Vec::new(), None, None);
        'groups: for group in commands.chunks(if offered.pipelining { GROUP } else { 1 }) {
            let lines: String = group.iter().map(|(_, line)| format!("{line}\r\n")).collect();
            let mut written = self.connection.wire.write(lines.as_bytes(), self.timeouts.command).await;
            for (stage, _) in group {
                match self.answer(*stage, std::mem::replace(&mut written, Ok(()))).await {
                    Ok(reply) if *stage == Stage::Mail => mail = Some(reply),
                    Ok(reply) if *stage == Stage::Data => data = Some(reply),
                    Ok(reply) => recipients.push(reply),
                    Err(failure) => {
                        broken = Some(failure);
                        break 'groups;
                    }
                }
            }
            if mail.as_ref().is_some_and(|reply| !reply.is_positive()) {
                break;
            }
        }
        match (mail, broken) {
            (Some(mail), broken) => Ok(Answers { mail, recipients, data, broken }),
            (None, Some(failure)) => Err(failure),
            (None, None) => Err(Failure { stage: Stage::Mail, cause: Cause::Closed }),
        }
    }

    /// The answer to a command of the envelope. 421 ends everything, whatever it answers.
    async fn answer(&mut self, stage: Stage, written: Result<(), Cause>) -> Result<Reply, Failure> {
        let limit = if stage == Stage::Data { self.timeouts.data } else { self.timeouts.command };
        let reply = match written {
            Ok(()) => self.connection.wire.reply(limit).await,
            Err(cause) => Err(cause),
        };
        match reply {
            Ok(reply) if reply.is_closing() => Err(Failure { stage, cause: Cause::Answer(reply) }),
            Ok(reply) => Ok(reply),
            Err(cause) => Err(Failure { stage, cause }),
        }
    }

    /// The message itself, for all whose RCPT was taken: one outcome for them together.
    async fn message(&mut self, data: Option<Reply>) -> Ended {
        let result = if self.connection.offered.chunking {
            self.bdat().await
        } else {
            match self.data(data).await {
                Ok(reply) if reply.code == 354 => self.stuffed().await,
                Ok(reply) if reply.code >= 400 => {
                    let reusable = self.reset().await;
                    return self.answered(Stage::Data, &reply, 1, reusable);
                }
                Ok(reply) => return self.answered(Stage::Data, &reply, 1, false),
                Err(failure) => Err(failure),
            }
        };
        match result {
            Ok(reply) => self.answered(Stage::Done, &reply, 1, !reply.is_closing()),
            Err(failure) => broken(&failure),
        }
    }

    /// The answer to DATA, which may have been sent already.
    async fn data(&mut self, sent: Option<Reply>) -> Result<Reply, Failure> {
        if let Some(reply) = sent {
            return Ok(reply);
        }
        let written = self.connection.wire.write(b"DATA\r\n", self.timeouts.command).await;
        self.answer(Stage::Data, written).await
    }

    /// The message with dots stuffed. An error before the final dot leaves it out: the server then throws
    /// away what it has.
    async fn stuffed(&mut self) -> Result<Reply, Failure> {
        let (mut blocks, mut stuffing, mut out) = ((self.mail.open)(), Stuffing::default(), Vec::new());
        while let Some(block) = next_block(&mut blocks).await? {
            self.write_if_full(&mut out).await?;
            stuffing.push(&block, &mut out);
        }
        stuffing.finish(&mut out);
        self.finish(&out).await
    }

    /// The message as it is, in one chunk (RFC 3030 2).
    async fn bdat(&mut self) -> Result<Reply, Failure> {
        let mut blocks = (self.mail.open)();
        let mut out = format!("BDAT {} LAST\r\n", self.mail.traits.size).into_bytes();
        while let Some(block) = next_block(&mut blocks).await? {
            self.write_if_full(&mut out).await?;
            out.extend_from_slice(&block);
        }
        self.finish(&out).await
    }

    async fn write_if_full(&mut self, out: &mut Vec<u8>) -> Result<(), Failure> {
        if out.len() >= BLOCK {
            let written = self.connection.wire.write(out, self.timeouts.block).await;
            written.map_err(|cause| Failure { stage: Stage::Content, cause })?;
            out.clear();
        }
        Ok(())
    }

    async fn finish(&mut self, out: &[u8]) -> Result<Reply, Failure> {
        let at = |stage| move |cause| Failure { stage, cause };
        self.connection.wire.write(out, self.timeouts.block).await.map_err(at(Stage::Content))?;
        self.connection.wire.reply(self.timeouts.done).await.map_err(at(Stage::Done))
    }

    /// Nobody was taken. A server that still says 354 gets an empty message (RFC 2920 3.1).
    async fn give_up(&mut self, data: Option<Reply>) -> bool {
        if data.is_some_and(|reply| reply.code == 354) && self.finish(b".\r\n").await.is_err() {
            return false;
        }
        self.reset().await
    }

    /// Brings the connection back to where MAIL is expected.
    async fn reset(&mut self) -> bool {
        let reply = self.connection.wire.ask("RSET", self.timeouts.command).await;
        reply.is_ok_and(|reply| reply.is_positive())
    }
}

/// The connection failed: the outcome of every recipient that has none yet.
fn broken(failure: &Failure) -> Ended {
    Ended { outcomes: vec![failure.outcome()], reusable: false, refuses_us: false, answer: None }
}

async fn next_block(blocks: &mut MessageBlocks) -> Result<Option<Vec<u8>>, Failure> {
    blocks.next().await.map_err(|error| Failure { stage: Stage::Content, cause: Cause::Content(error) })
}
