//! What the log and `zegel track` say of a message that comes in: who sent what to whom, and what was decided for each.

use std::collections::BTreeMap;

use super::Arrival;
use crate::address::ReversePath;
use crate::audit::MailLine;
use crate::clock::Timestamp;
use crate::envelope::{Envelope, EnvelopeRecipient, Peer};
use crate::id::{OrganisationId, QueueId};
use crate::message::header::Header;
use crate::settings::Organisation;
use crate::smtp::inbox::Refusal;
use crate::store::{
    NewRecipient, NewTransfer, QueueItemKind, Track, TrackRow, TrackState, mailbox_of, message_id,
};

impl Arrival {
    /// What the message itself is found by, where it passes.
    pub(super) fn track(&self) -> Track {
        let has_rules = self.pass.iter().any(|(_, rule)| rule.is_some());
        let rules = self.pass.iter().map(|(_, rule)| rule.clone());
        Track {
            message_id: self.message_id.clone(),
            size: self.message.as_slice().len() as u64,
            client: Some(self.peer.address.ip().to_canonical()),
            rules: if has_rules { rules.collect() } else { Vec::new() },
            ..Track::default()
        }
    }

    /// One for each recipient that it was sealed for.
    pub(super) fn sealed_rows(&self, transfer: &NewTransfer) -> Vec<TrackRow> {
        let size = self.message.as_slice().len();
        let row = |recipient: &NewRecipient| {
            let mailbox = recipient.address.mailbox();
            let mut rules = self.seal.iter().zip(&self.sealed_by);
            let rule = rules.find(|((one, _), _)| one.address.mailbox() == mailbox);
            TrackRow {
                number: recipient.number.into(),
                recipient: mailbox,
                rule: rule.and_then(|(_, rule)| rule.clone()),
                message_id: self.message_id.clone(),
                transfer: Some(transfer.id.clone()),
                link: Some(recipient.number),
                organisation: Some(self.organisation.clone()),
                ..row(&self.id, &self.peer, &self.envelope.reverse_path, size, self.now)
            }
        };
        transfer.recipients.iter().map(row).collect()
    }

    /// One line for each decision, with those that it was made for.
    pub(super) fn lines(&self) -> Vec<MailLine> {
        let mut decisions = BTreeMap::<(&'static str, Option<&str>), Vec<String>>::new();
        for (recipient, rule) in &self.pass {
            decisions.entry(("pass", rule.as_deref())).or_default().push(recipient.address.to_string());
        }
        for ((recipient, _), rule) in self.seal.iter().zip(&self.sealed_by) {
            decisions.entry(("seal", rule.as_deref())).or_default().push(recipient.address.to_string());
        }
        let lines = decisions.into_iter().flat_map(|((decision, rule), to)| {
            let line = MailLine {
                decision: Some(decision),
                rule: rule.map(str::to_owned),
                message_id: self.message_id.clone(),
                ..line(&self.id, &self.peer, &self.envelope.reverse_path, self.message.as_slice().len())
            };
            line.for_all(&to)
        });
        lines.collect()
    }
}

/// A message of which nobody knows yet whether it will be refused.
pub(super) struct Refused {
    pub id: QueueId,
    pub organisation: OrganisationId,
    pub sender: ReversePath,
    pub peer: Peer,
    recipients: Vec<EnvelopeRecipient>,
    size: usize,
    /// As far as it was read before it was refused.
    pub message_id: Option<String>,
    /// The rule that refuses it.
    pub rule: Option<String>,
}

impl Refused {
    pub fn of(organisation: &Organisation, peer: &Peer, envelope: &Envelope, size: usize) -> Self {
        let (sender, recipients) = (envelope.reverse_path.clone(), envelope.recipients.clone());
        let (id, organisation, peer) = (QueueId::random(), organisation.id(), peer.clone());
        Self { id, organisation, sender, peer, recipients, size, message_id: None, rule: None }
    }

    /// Its header was read.
    pub fn read(&mut self, header: &Header<'_>) {
        self.message_id = header.message_id().and_then(|id| message_id(&id));
    }

    pub fn rows(&self, now: Timestamp, refusal: &Refusal) -> Vec<TrackRow> {
        let row = |(number, recipient): (u32, &EnvelopeRecipient)| TrackRow {
            number,
            recipient: recipient.address.mailbox(),
            state: TrackState::Refused,
            message_id: self.message_id.clone(),
            rule: self.rule.clone(),
            answer: Some(refusal.to_string()),
            organisation: Some(self.organisation.clone()),
            ..row(&self.id, &self.peer, &self.sender, self.size, now)
        };
        (1..).zip(&self.recipients).map(row).collect()
    }

    pub fn lines(&self, refusal: &Refusal) -> Vec<MailLine> {
        let to: Vec<String> = self.recipients.iter().map(|one| one.address.to_string()).collect();
        let line = MailLine {
            decision: Some("refuse"),
            message_id: self.message_id.clone(),
            rule: self.rule.clone(),
            reason: Some(refusal.to_string()),
            ..line(&self.id, &self.peer, &self.sender, self.size)
        };
        line.for_all(&to)
    }
}

fn row(id: &QueueId, peer: &Peer, sender: &ReversePath, size: usize, now: Timestamp) -> TrackRow {
    TrackRow {
        tracking: id.clone(),
        item: None,
        number: 0,
        time: now,
        kind: QueueItemKind::Message,
        sender: mailbox_of(sender),
        recipient: String::new(),
        message_id: None,
        size: size as u64,
        client: Some(peer.address.ip().to_canonical().to_string()),
        rule: None,
        transfer: None,
        link: None,
        state: TrackState::Sealed,
        attempts: 0,
        changed: now,
        next_hop: None,
        tls: peer.tls.clone(),
        answer: None,
        organisation: None,
    }
}

fn line(id: &QueueId, peer: &Peer, sender: &ReversePath, size: usize) -> MailLine {
    MailLine {
        tracking: id.to_string(),
        kind: Some(QueueItemKind::Message.as_str()),
        from: Some(sender.address().map_or_else(|| "<>".to_owned(), ToString::to_string)),
        size: Some(size as u64),
        tls: peer.tls.clone(),
        ..MailLine::default()
    }
}
