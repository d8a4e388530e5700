//! The crossroads: what becomes of a message at the end of data. The SMTP server calls it through [`Inbox`]; nothing is
//! acknowledged before the store has given a `Committed`.
//!
//! Whatever goes wrong on the way (policy, keys, disk, store) ends in [`Refusal::Trouble`]: the peer
//! keeps the message and tries again. There is no path from trouble to plaintext onwards (C05).

mod original;
mod reports;
mod seal;
mod slots;
mod track;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use tokio::task::spawn_blocking;

use self::slots::SealingSlots;
use self::track::Refused;
use crate::address::{Address, ReversePath};
use crate::audit::{Action, Actor, Event, EventResult, Initiator, Origin};
use crate::clock::{Clock, Timestamp};
use crate::envelope::{Envelope, EnvelopeRecipient, Peer};
use crate::id::{Link, OrganisationId, QueueId};
use crate::message::attached::{Attached, attached};
use crate::message::crlf::CrlfBytes;
use crate::message::header::Header;
use crate::message::rewrite;
use crate::metrics::{Decided, Metrics};
use crate::outbox::NoticeError;
use crate::outbox::body;
use crate::outbox::compose::Fields;
use crate::outbox::origin;
use crate::policy::{Decision, MessageContent, Policy, RuleInput, SealOptions, TagOptions, Verdict};
use crate::queue::worker::WakeHandle;
use crate::seal::SealError;
use crate::secret::Keys;
use crate::settings::{CurrentSettings, Organisation, Scope};
use crate::smtp::inbox::{Inbox, Refusal};
use crate::store::{
    Acceptance, Blobs, Committed, IntakeStore, NewItem, QueueItemKind, StoreError, discard, message_id,
};
use crate::transfer::link;

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Trouble(error.to_string())
    }
}

impl From<NoticeError> for Refusal {
    fn from(error: NoticeError) -> Self {
        Self::Trouble(error.to_string())
    }
}

impl From<SealError> for Refusal {
    fn from(error: SealError) -> Self {
        Self::Trouble(error.to_string())
    }
}

/// The gateway's inbox.
#[derive(Clone)]
pub struct Intake {
    store: Arc<dyn IntakeStore>,
    blobs: Arc<dyn Blobs>,
    keys: Keys,
    clock: Clock,
    settings: CurrentSettings,
    /// Rung after every commit, so that the queue's worker looks at once.
    wake: WakeHandle,
    slots: SealingSlots,
    metrics: Metrics,
}

/// A message at the crossroads, with what was decided for each recipient.
struct Arrival {
    id: QueueId,
    /// Whose message it is.
    organisation: OrganisationId,
    scope: Scope,
    peer: Peer,
    envelope: Envelope,
    /// Without the password that its subject may have held.
    message: CrlfBytes,
    now: Timestamp,
    /// With the rule that lets it pass; none where no rule matched.
    pass: Vec<(EnvelopeRecipient, Option<String>)>,
    seal: Vec<(EnvelopeRecipient, SealOptions)>,
    /// By the place in `seal`, the rule that has it sealed.
    sealed_by: Vec<Option<String>>,
    /// Its Message-ID, as it is logged and searched for.
    message_id: Option<String>,
    /// The subject without tags, where it is sealed.
    subject: String,
    /// What the tags ask for.
    options: TagOptions,
    /// What was decided for each recipient, and the rule that did.
    decided: Vec<(Decided, Option<String>)>,
}

/// More `Received` fields than this, and the message is going round in circles (RFC 5321 6.3).
const MAX_RECEIVED: usize = 100;

/// Subject fields that are searched for a password. A message has one.
const MAX_SUBJECTS: usize = 20;

impl Intake {
    /// An inbox over `store` and `blobs`; it rings `wake` when there is something to relay.
    pub fn new(
        store: Arc<dyn IntakeStore>,
        blobs: Arc<dyn Blobs>,
        keys: Keys,
        clock: Clock,
        settings: CurrentSettings,
        wake: WakeHandle,
    ) -> Self {
        Self {
            store,
            blobs,
            keys,
            clock,
            settings,
            wake,
            slots: SealingSlots::new(),
            metrics: Metrics::default(),
        }
    }

    /// Counts there.
    pub fn with_metrics(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    async fn accept(
        &self,
        scope: Scope,
        peer: Peer,
        envelope: Envelope,
        message: CrlfBytes,
        refused: &mut Refused,
    ) -> Result<Committed, Refusal> {
        let (envelope, returned) = match self.pass_on(envelope, &scope).await {
            Ok(passed) => passed,
            Err(refusal) => {
                refused.read(&Header::parse(message.as_slice()));
                return Err(refusal);
            }
        };
        if envelope.reverse_path == ReversePath::Null {
            self.note_report(&message, &scope, returned).await?;
        }
        let organisation = scope.organisation().clone();
        let mut arrival = self.decide(scope, peer, envelope, message, refused).await?;
        refused.message_id.clone_from(&arrival.message_id);
        let (decided, whose) = (std::mem::take(&mut arrival.decided), arrival.organisation.clone());
        let acceptance = self.prepare(organisation, arrival).await?;
        let committed = self.commit(acceptance).await?;
        let decided = decided.iter().map(|(decided, rule)| (*decided, rule.as_deref()));
        self.metrics.accepted(Some(&whose), decided);
        Ok(committed)
    }

    /// Puts the senders of notifications in the place of the addresses that stand for them (`seal.return_path`), and
    /// gives the links that those are of. What nobody can be found for is refused, not lost.
    async fn pass_on(&self, mut envelope: Envelope, scope: &Scope) -> Result<(Envelope, Vec<Link>), Refusal> {
        let (hostname, mut returned) = (&scope.organisation().hostname, Vec::new());
        for recipient in &mut envelope.recipients {
            let Some(mark) = link::mark_of_address(&recipient.address, hostname) else { continue };
            let link = link::parse_return_mark(&self.keys.link, mark).ok_or(Refusal::NoSuchReturn)?;
            let transfer = self.store.transfer(link.transfer.clone()).await?;
            let transfer = transfer.filter(|transfer| scope.sees(transfer.organisation.as_ref()));
            let sender = transfer.and_then(|transfer| transfer.sender).ok_or(Refusal::NoSuchReturn)?;
            *recipient = EnvelopeRecipient::from(sender);
            returned.push(link);
        }
        Ok((envelope, returned))
    }

    /// Applies the policy to every recipient.
    async fn decide(
        &self,
        scope: Scope,
        peer: Peer,
        envelope: Envelope,
        message: CrlfBytes,
        refused: &mut Refused,
    ) -> Result<Arrival, Refusal> {
        let organisation = scope.organisation().as_ref();
        let (message, attached) = with_attached(message).await?;
        let header = Header::parse(message.as_slice());
        let hostname = &organisation.hostname;
        if header.received_count() >= MAX_RECEIVED
            || origin::is_ours(&self.keys.link, &scope, &header)
            || header.was_received_by(hostname)
        {
            refused.read(&header);
            return Err(Refusal::Loop);
        }
        let content = MessageContent::with_attached(&header, &message, attached);
        let sealed_thread =
            organisation.policy.needs_thread() && self.is_in_sealed_thread(&scope, &content).await?;
        let (mut pass, mut seal, mut sealed_by, mut decided) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for recipient in &envelope.recipients {
            let facts = RuleInput {
                content: &content,
                sender: &envelope.reverse_path,
                recipient: &recipient.address,
                internal: organisation.trusts(&recipient.address),
                sealed_thread,
            };
            let decision: Decision = organisation.policy.decide(&facts);
            let rule = decision.rule().map(str::to_owned);
            match decision.verdict() {
                Verdict::Pass => decided.push((Decided::Pass, rule)),
                Verdict::Seal(_) => decided.push((Decided::Seal, rule)),
                Verdict::Reject { .. } => {}
            }
            match decision.verdict() {
                Verdict::Pass => pass.push((recipient.clone(), decision.rule().map(str::to_owned))),
                Verdict::Seal(options) => {
                    seal.push((recipient.clone(), options.clone()));
                    sealed_by.push(decision.rule().map(str::to_owned));
                }
                // One response for the whole message: what one recipient must not get, nobody gets.
                Verdict::Reject { text } => {
                    refused.read(&header);
                    refused.rule = decision.rule().map(str::to_owned);
                    return Err(Refusal::Policy(text.clone()));
                }
            }
        }
        // A mailbox that is named in two spellings, one of them sealed for, gets nothing in clear beside its link.
        let sealed: HashSet<String> = seal.iter().map(|(sealed, _)| sealed.address.mailbox()).collect();
        pass.retain(|(passed, _)| sealed.is_empty() || !sealed.contains(&passed.address.mailbox()));
        let options = tag_options(&organisation.policy, &header);
        let message_id = header.message_id().and_then(|id| message_id(&id));
        let subject = match seal.is_empty() {
            false => organisation.policy.clean_subject(&header.subject()),
            true => String::new(),
        };
        let message = match options.has_password {
            true => {
                without_password(&message, &organisation.policy.subject_without_options(&header.subject()))?
            }
            false => message,
        };
        let now = self.clock.now();
        Ok(Arrival {
            id: refused.id.clone(),
            organisation: organisation.id(),
            scope,
            peer,
            envelope,
            message,
            now,
            pass,
            seal,
            sealed_by,
            message_id,
            subject,
            options,
            decided,
        })
    }

    /// A refusal stands even if it cannot be recorded: that goes to the log.
    async fn note_refusal(&self, refused: Refused, refusal: &Refusal) {
        let (now, result) = (self.clock.now(), result_of(refusal));
        let event = event(now, Action::Accept, "message".to_owned(), result, &refused.sender, &refused.peer)
            .of(Some(refused.organisation.clone()));
        self.store.track(refused.rows(now, refusal));
        let tracking = refused.id.clone();
        if let Err(error) = self.store.append_audit(event.about(refused.lines(refusal))).await {
            tracing::error!(%tracking, %error, %refusal, "a message was refused, and the audit trail does not have it");
        }
    }

    /// By a message that this organisation has sealed: another's thread is no reason to seal.
    async fn is_in_sealed_thread(
        &self,
        scope: &Scope,
        content: &MessageContent<'_>,
    ) -> Result<bool, Refusal> {
        let hashes = scope.thread_marks(&self.keys.thread, &content.answers());
        Ok(!hashes.is_empty() && self.store.is_sealed_thread(hashes).await?)
    }

    /// Everything that the message becomes, ready to be committed. Blobs are durable after this. What takes
    /// microseconds is done here and now, what waits for the disk or computes on a thread that may.
    async fn prepare(
        &self,
        organisation: Arc<Organisation>,
        arrival: Arrival,
    ) -> Result<Acceptance, Refusal> {
        if arrival.seal.is_empty() && arrival.message.as_slice().len() <= body::SMALL {
            return self.prepare_now(&organisation, arrival);
        }
        let slot = match arrival.seal.is_empty() {
            true => None,
            false => {
                let sharer = self.settings.get().sharer(&organisation);
                Some(self.slots.take(slots::is_large(&arrival), sharer.as_ref()).await)
            }
        };
        let intake = self.clone();
        let prepared = spawn_blocking(move || {
            let _slot = slot;
            let (is_sealed, begun) = (!arrival.seal.is_empty(), Instant::now());
            let prepared = intake.prepare_now(&organisation, arrival);
            if is_sealed && prepared.is_ok() {
                intake.metrics.sealed(begun.elapsed());
            }
            prepared
        });
        prepared.await.unwrap_or_else(|error| Err(Refusal::Trouble(error.to_string())))
    }

    fn prepare_now(&self, organisation: &Organisation, arrival: Arrival) -> Result<Acceptance, Refusal> {
        let mut acceptance = Acceptance::new(arrival.id.clone());
        match self.fill(organisation, arrival, &mut acceptance) {
            Ok(()) => Ok(acceptance),
            Err(refusal) => {
                discard(self.blobs.as_ref(), &acceptance.blobs());
                Err(refusal)
            }
        }
    }

    /// On an error, what `acceptance` holds by then is the caller's to discard.
    fn fill(
        &self,
        organisation: &Organisation,
        arrival: Arrival,
        acceptance: &mut Acceptance,
    ) -> Result<(), Refusal> {
        let accepted = arrival.event(Action::Accept, arrival.id.to_string());
        acceptance.events.push(accepted.about(arrival.lines()));
        if !arrival.seal.is_empty() {
            seal::seal(self, organisation, &arrival, acceptance)?;
        }
        if !arrival.pass.is_empty() {
            acceptance.items.push(self.pass(organisation, arrival)?);
        }
        Ok(())
    }

    /// The message itself, byte for byte behind one `Received` (H03).
    fn pass(&self, organisation: &Organisation, arrival: Arrival) -> Result<NewItem, Refusal> {
        let received = rewrite::received(
            &organisation.hostname,
            &arrival.peer,
            &arrival.envelope,
            &arrival.id,
            arrival.now,
        );
        let track = arrival.track();
        let is_ordinary = arrival.seal.is_empty();
        let recipients = arrival.pass.into_iter().map(|(recipient, _)| recipient).collect();
        let envelope = Envelope { recipients, ..arrival.envelope };
        let message = arrival.message.prepend(&received);
        let (keys, blobs) = (&self.keys, self.blobs.as_ref());
        let body = match is_ordinary {
            true => body::store_ordinary(keys, blobs, &message)?,
            false => body::store_body(&keys.body, blobs, &message)?,
        };
        Ok(NewItem {
            id: arrival.id,
            kind: QueueItemKind::Message,
            organisation: Some(organisation.id()),
            envelope,
            body,
            link: None,
            track,
            created: arrival.now,
        })
    }

    /// Writes the acceptance. What fails here was promised to nobody: its blobs go again, unless rows may name them.
    async fn commit(&self, acceptance: Acceptance) -> Result<Committed, Refusal> {
        let blobs = acceptance.blobs();
        match self.store.commit(acceptance).await {
            Ok(committed) => {
                self.wake.wake();
                Ok(committed)
            }
            Err(error) => {
                if error.is_certain() {
                    let blobs_of_nobody = self.blobs.clone();
                    spawn_blocking(move || discard(blobs_of_nobody.as_ref(), &blobs)).await.ok();
                }
                Err(error.into())
            }
        }
    }
}

impl Inbox for Intake {
    type Kept = Committed;
    /// The organisation of the sender. Of mail from nobody it is the recipient's, which is known later: until then it is the
    /// operator's.
    type Snapshot = Scope;

    fn begin(&self, sender: &ReversePath) -> Result<Scope, Refusal> {
        let settings = self.settings.get();
        let organisation = match sender {
            ReversePath::Address(address) => settings.for_sender(address),
            ReversePath::Null => Some(settings.operator()),
        };
        let organisation = organisation.cloned().ok_or(Refusal::ForeignSender)?;
        Ok(Scope::new(settings, organisation))
    }

    fn postmaster(&self, scope: &Scope) -> Address {
        scope.organisation().postmaster.clone()
    }

    fn fits(&self, scope: &Scope, envelope: &Envelope, recipient: &Address) -> bool {
        let of = |address| scope.settings().for_recipient(address).domain();
        match (&envelope.reverse_path, envelope.recipients.first()) {
            (ReversePath::Null, Some(first)) => of(&first.address) == of(recipient),
            _ => true,
        }
    }

    fn organisation(&self, scope: &Scope) -> Option<OrganisationId> {
        Some(scope.organisation().id())
    }

    fn sharer(&self, scope: &Scope) -> Option<OrganisationId> {
        scope.settings().sharer(scope.organisation())
    }

    async fn keep(
        &self,
        scope: Scope,
        peer: Peer,
        envelope: Envelope,
        message: CrlfBytes,
    ) -> Result<Committed, Refusal> {
        let scope = addressed(scope, &envelope);
        let mut refused = Refused::of(scope.organisation(), &peer, &envelope, message.as_slice().len());
        let kept = self.accept(scope, peer, envelope, message, &mut refused).await;
        match &kept {
            Ok(_) => {}
            Err(refusal @ Refusal::Trouble(_)) => {
                let tracking = &refused.id;
                tracing::error!(%tracking, %refusal, "a message could not be kept; its sender was told to try again");
            }
            Err(refusal) => self.note_refusal(refused, refusal).await,
        }
        kept
    }
}

/// Mail from nobody, such as a delivery report, is of the organisation that it is for.
fn addressed(scope: Scope, envelope: &Envelope) -> Scope {
    match (&envelope.reverse_path, envelope.recipients.first()) {
        (ReversePath::Null, Some(first)) => {
            let organisation = scope.settings().for_recipient(&first.address).clone();
            Scope::new(scope.settings().clone(), organisation)
        }
        _ => scope,
    }
}

/// The messages attached to `message`. A large one is searched on a thread that may compute.
async fn with_attached(message: CrlfBytes) -> Result<(CrlfBytes, Attached), Refusal> {
    let octets = message.as_slice();
    if octets.len() <= body::SMALL {
        let attached = attached(&message);
        return Ok((message, attached));
    }
    let searched = spawn_blocking(move || {
        let attached = attached(&message);
        (message, attached)
    });
    searched.await.map_err(|error| Refusal::Trouble(error.to_string()))
}

/// What the tags in the subject that people see ask for. A password in any other Subject field must not go on
/// either.
fn tag_options(policy: &Policy, header: &Header<'_>) -> TagOptions {
    let mut subjects = header.all("Subject").map(|field| policy.tag_options(&field.value()));
    let mut options = subjects.next().unwrap_or_default();
    options.has_password |= subjects.take(MAX_SUBJECTS).any(|other| other.has_password);
    options
}

/// The message with this subject: no recipient, in clear or behind a link, may read a password in it. The
/// tag stays, so that what a colleague forwards is sealed too. Outlook keeps a copy of the subject in `Thread-Topic`.
fn without_password(message: &CrlfBytes, subject: &str) -> Result<CrlfBytes, Refusal> {
    let field = CrlfBytes::check(Fields::default().free_text("Subject", subject).into_bytes())
        .map_err(|error| Refusal::Trouble(error.to_string()))?;
    Ok(rewrite::replace_fields(message, &["Subject", "Thread-Topic"], &field))
}

impl Arrival {
    fn event(&self, action: Action, object: String) -> Event {
        let event = event(self.now, action, object, EventResult::Ok, &self.envelope.reverse_path, &self.peer);
        event.of(Some(self.organisation.clone()))
    }
}

fn event(
    time: Timestamp,
    action: Action,
    object: String,
    result: EventResult,
    sender: &ReversePath,
    peer: &Peer,
) -> Event {
    let by = Initiator { actor: Actor::Sender(sender.clone()), origin: Origin::Client(peer.address.ip()) };
    by.event(time, action, object, result)
}

/// The result of a refusal in the audit trail.
fn result_of(refusal: &Refusal) -> EventResult {
    match refusal {
        Refusal::ForeignSender => EventResult::RefusedSender,
        Refusal::Policy(_) => EventResult::RefusedPolicy,
        Refusal::Loop => EventResult::RefusedLoop,
        Refusal::NoSuchReturn => EventResult::RefusedRecipient,
        Refusal::Unusable(_) => EventResult::RefusedStructure,
        Refusal::Trouble(_) => EventResult::Trouble,
    }
}
