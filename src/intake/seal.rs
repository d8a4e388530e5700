//! The sealed way: the message becomes a transfer, each recipient gets a notification with an own link,
//! the sender one receipt. Blocking; called by `intake` on a thread that may wait.

use super::original::Copy;
use super::{Arrival, Intake};
use crate::address::{Address, ReversePath};
use crate::audit::{Action, Event, MailLine};
use crate::calendar::Zone;
use crate::clock::Timestamp;
use crate::config::{PasswordMode, SubjectMode};
use crate::envelope::{self, EnvelopeRecipient};
use crate::id::Link;
use crate::locale::Language;
use crate::message::header::Header;
use crate::message::mailbox::Mailbox;
use crate::message::mime::{self, MimePart};
use crate::message::note::{Meeting, Note};
use crate::message::rewrite;
use crate::outbox::compose::Fields;
use crate::outbox::notices::notification::Notification;
use crate::outbox::notices::receipt::{Disposition, Receipt, ReceiptLine, Remarks};
use crate::outbox::notices::{Notice, ToSender};
use crate::outbox::original::{self, Original};
use crate::outbox::{Context, Outbox, SenderCard, represented};
use crate::policy::{SealOptions, TagPassword};
use crate::secret::Secret;
use crate::settings::Organisation;
use crate::smtp::inbox::Refusal;
use crate::store::{Acceptance, NewItem, NewRecipient, NewTransfer};
use crate::transfer::sealing::{self, FileContent, FileData, SealRequest, Sealed};
use crate::transfer::strength::strength;
use crate::transfer::{action, link, password};

/// Addresses of a Reply-To that are kept: an answer goes to no more.
const MAX_REPLY_TO: usize = 10;

/// Addresses whose parts a password is compared with.
const MAX_GUESSED: usize = 20;

/// How one message is sealed: of what the rules ask for its recipients, the strictest; what the tag asks for
/// takes the place of the configuration.
struct Terms {
    expires: Timestamp,
    zone: Zone,
    password: PasswordMode,
    /// The sender's own, in the place of a generated one.
    chosen: Option<Secret>,
    subject: SubjectMode,
    language: Language,
    download_notice: bool,
    file_names: bool,
    remarks: Remarks,
}

/// Seals the message and adds transfer, notices and events to `acceptance`.
pub(super) fn seal(
    intake: &Intake,
    organisation: &Organisation,
    arrival: &Arrival,
    acceptance: &mut Acceptance,
) -> Result<(), Refusal> {
    let header = Header::parse(arrival.message.as_slice());
    let sender = receipt_address(arrival, &header);
    let terms = Terms::of(organisation, arrival, sender.is_some());
    let message_id = original::message_id(&header, &arrival.id, &organisation.hostname);
    let copy = Copy::of(&arrival.message, &organisation.policy);
    let recipients = envelope::each_mailbox_once(arrival.seal.iter().map(|(recipient, _)| recipient));
    let reply_to = reply_to(&header, &organisation.domains);
    let found = Found { header: &header, message_id: &message_id, reply_to: &reply_to };
    let request = request(intake, organisation, arrival, &found, &copy, &terms, &recipients);
    let Sealed { transfer, password, tokens } =
        sealing::seal(intake.blobs.as_ref(), &intake.keys.link, request)?;
    acceptance.events.extend(events(arrival, &transfer));
    acceptance.tracks = arrival.sealed_rows(&transfer);
    let transfer = acceptance.transfer.insert(transfer);
    let notices = Notices { intake, organisation, arrival, found, transfer, recipients: &recipients };
    acceptance.items.extend(notices.notifications(&terms, &tokens)?);
    if let Some(sender) = sender {
        acceptance.items.push(notices.receipt(&sender, &terms.remarks, password.as_ref())?);
    }
    Ok(())
}

/// The address for the receipt: none where an answer would go to a machine (H09, RFC 3834).
fn receipt_address(arrival: &Arrival, header: &Header<'_>) -> Option<Address> {
    match &arrival.envelope.reverse_path {
        ReversePath::Address(address) if !header.is_automatic() => Some(address.clone()),
        _ => None,
    }
}

/// The mailboxes of Reply-To that are inside: answers go nowhere else.
fn reply_to(header: &Header<'_>, domains: &[String]) -> Vec<Mailbox> {
    let mut kept: Vec<Mailbox> = Vec::new();
    for mailbox in header.reply_to() {
        let Some(address) = mailbox.address.as_ref().filter(|address| address.is_internal(domains)) else {
            continue;
        };
        let is_same =
            |other: &Mailbox| other.address.as_ref().is_some_and(|other| other.is_same_mailbox(address));
        if kept.len() < MAX_REPLY_TO && !kept.iter().any(is_same) {
            kept.push(mailbox);
        }
    }
    kept
}

/// What was found in the header of a message.
#[derive(Clone, Copy)]
struct Found<'a> {
    header: &'a Header<'a>,
    /// Its own, or that of its notification.
    message_id: &'a str,
    reply_to: &'a [Mailbox],
}

/// What `sealing` needs of the message.
fn request<'a>(
    intake: &Intake,
    organisation: &Organisation,
    arrival: &'a Arrival,
    found: &Found<'_>,
    copy: &'a Copy<'a>,
    terms: &Terms,
    recipients: &[EnvelopeRecipient],
) -> SealRequest<'a> {
    let header = found.header;
    let parts = mime::parts(copy.message());
    if parts.damaged {
        tracing::warn!(tracking = %arrival.id, "a sealed message is damaged; its original is kept whole");
    }
    let (from, sender) = (header.from(), arrival.envelope.reverse_path.address());
    // Those who answer the notification name it by this, whatever the message itself is called.
    let mut thread = header.thread_ids();
    if !thread.iter().any(|id| id == found.message_id) {
        thread.push(found.message_id.to_owned());
    }
    let (scope, key) = (&arrival.scope, &intake.keys.thread);
    SealRequest {
        original: FileData::Stream(Box::new(copy.stream())),
        subject: arrival.subject.clone(),
        from_name: from.name,
        from_address: from.address.or_else(|| sender.cloned()).map(String::from),
        co_authors: header.co_authors(),
        agent: header.agent(),
        on_behalf_of: represented(header, organisation),
        message_id: header.message_id().or_else(|| Some(found.message_id.to_owned())),
        reply_to: found.reply_to.iter().filter_map(|mailbox| mailbox.address.clone()).collect(),
        date: header.first("Date").map(|field| field.value()),
        text: parts.text.map(|part| part.data),
        html: parts.html.map(|part| part.data),
        files: parts.files.into_iter().map(content).collect(),
        notes: parts.notes.into_iter().map(|note| without_tag(note, organisation)).collect(),
        organisation: organisation.id(),
        sender: sender.cloned(),
        automatic: receipt_address(arrival, header).is_none(),
        language: arrival.options.language,
        download_notice: terms.download_notice,
        file_names: terms.file_names,
        recipients: recipients.iter().map(|recipient| recipient.address.clone()).collect(),
        created: arrival.now,
        expires: terms.expires,
        zone: terms.zone.clone(),
        password: terms.password,
        chosen: terms.chosen.clone(),
        thread: thread.iter().map(|id| scope.thread_mark(key, id)).collect(),
        answers: scope.thread_marks(key, &header.answers()),
    }
}

/// A meeting is about what the message is about; its subject may bear the tag too, and what is written beside it.
fn without_tag(note: Note, organisation: &Organisation) -> Note {
    match note {
        Note::Meeting(meeting) => {
            let subject = meeting.subject.map(|subject| organisation.policy.clean_subject(&subject));
            Note::Meeting(Meeting { subject: subject.filter(|subject| !subject.is_empty()), ..meeting })
        }
        note => note,
    }
}

fn content(part: MimePart<'_>) -> FileContent<'_> {
    let MimePart { name, media_type, content_id, content_location, inline, data } = part;
    FileContent { name, media_type, content_id, content_location, inline, data: data.into() }
}

fn events(arrival: &Arrival, transfer: &NewTransfer) -> Vec<Event> {
    let line = || MailLine { tracking: arrival.id.to_string(), ..MailLine::default() };
    let sealed = arrival.event(Action::Seal, transfer.id.to_string()).about(vec![line()]);
    let notify = |recipient: &NewRecipient| {
        let link = Link { transfer: transfer.id.clone(), recipient: recipient.number };
        let to = vec![recipient.address.to_string()];
        arrival.event(Action::Notify, link.to_string()).about(vec![MailLine { to, ..line() }])
    };
    std::iter::once(sealed).chain(transfer.recipients.iter().map(notify)).collect()
}

/// The mails that a sealed message becomes.
struct Notices<'a> {
    intake: &'a Intake,
    organisation: &'a Organisation,
    arrival: &'a Arrival,
    found: Found<'a>,
    transfer: &'a NewTransfer,
    /// Those of the transfer, as the envelope has them.
    recipients: &'a [EnvelopeRecipient],
}

impl Notices<'_> {
    /// One for each recipient, each with a link of its own.
    fn notifications(&self, terms: &Terms, tokens: &[Secret]) -> Result<Vec<NewItem>, Refusal> {
        let (transfer, envelope) = (self.transfer, &self.arrival.envelope);
        let sender =
            SenderCard::of_message(self.found.header, envelope.reverse_path.address(), self.organisation);
        let fields = self.fields(&sender)?;
        let numbered = transfer.recipients.iter().zip(self.recipients).zip(tokens);
        let notify = |((NewRecipient { number, .. }, recipient), token): ((&NewRecipient, _), _)| {
            let link = &Link { transfer: transfer.id.clone(), recipient: *number };
            let mark = link::return_mark(&self.intake.keys.link, link);
            let notification = Notification {
                reverse_path: &envelope.reverse_path,
                parameters: &envelope.parameters,
                recipient,
                sender: &sender,
                link,
                token,
                expires: transfer.expires,
                password_needed: transfer.password,
                reply_enabled: self.organisation.reply.enabled,
                is_extended: false,
                subject: (terms.subject == SubjectMode::Keep).then_some(self.arrival.subject.as_str()),
                fields: fields.clone().return_mark(&mark),
            };
            self.item(terms.language, &notification)
        };
        numbered.map(notify).collect()
    }

    /// What a notification takes over from the original's header.
    fn fields(&self, sender: &SenderCard) -> Result<Fields, Refusal> {
        let Self { arrival, organisation, found, .. } = self;
        let trace = rewrite::trace(&organisation.hostname, found.header, &arrival.id, arrival.now);
        let original = Original {
            header: found.header,
            envelope: &arrival.envelope,
            organisation,
            sender,
            reply_to: found.reply_to,
            now: arrival.now,
        };
        Ok(original.fields(&trace, found.message_id)?)
    }

    /// For the sender alone; the only mail with the password.
    fn receipt(
        &self,
        sender: &Address,
        remarks: &Remarks,
        password: Option<&Secret>,
    ) -> Result<NewItem, Refusal> {
        let (organisation, transfer) = (self.organisation, self.transfer);
        let message_id = self.transfer.message_id.as_deref();
        let sealed = transfer
            .recipients
            .iter()
            .map(|one| ReceiptLine { address: &one.address, disposition: Disposition::Sealed });
        let passed = self.arrival.pass.iter().map(|(recipient, rule)| ReceiptLine {
            address: &recipient.address,
            disposition: Disposition::Passed { rule: rule.as_deref() },
        });
        let recipients: Vec<ReceiptLine<'_>> = sealed.chain(passed).collect();
        let status = action::status_link(&self.intake.keys.action, &organisation.public_url, &transfer.id);
        let receipt = Receipt {
            to: ToSender {
                sender,
                transfer: &transfer.id,
                sent: transfer.created,
                subject: Some(&self.arrival.subject),
                status,
            },
            recipients: &recipients,
            expires: transfer.expires,
            password,
            remarks,
            message_id,
        };
        self.item(organisation.language, &receipt)
    }

    fn item(&self, language: Language, notice: &impl Notice) -> Result<NewItem, Refusal> {
        let keys = &self.intake.keys;
        let blobs = Some(self.intake.blobs.as_ref());
        let outbox = Outbox { body_key: &keys.body, link_key: &keys.link, blobs };
        let context = Context { language, organisation: self.organisation, now: self.arrival.now };
        Ok(outbox.item(&context, notice)?)
    }
}

/// By the rule of the reply pages. Whoever guesses knows from the notification whom it is from and for.
fn is_too_weak(password: &Secret, organisation: &Organisation, arrival: &Arrival) -> bool {
    let sender = arrival.envelope.reverse_path.address().into_iter();
    let people = sender.chain(arrival.seal.iter().map(|(recipient, _)| &recipient.address));
    let people = people.take(MAX_GUESSED).map(Address::as_str);
    let about: Vec<&str> = people.chain([organisation.name.as_str(), arrival.subject.as_str()]).collect();
    !strength(password.reveal(), &about).accepted
}

impl Terms {
    /// Where recipients differ, the shortest time, a password, and the neutral subject win. Without
    /// anybody to tell a password to (an automatic message, a null reverse path) the link is all, or the
    /// password that the message itself names.
    fn of(organisation: &Organisation, arrival: &Arrival, password_can_be_told: bool) -> Self {
        let (defaults, tag) = (&organisation.seal, &arrival.options);
        let options = || arrival.seal.iter().map(|(_, options)| options);
        let reading = tag.reading.clone().filter(|reading| !reading.is_plain);
        let mut remarks = Remarks { ignored: tag.ignored.clone(), reading, ..Remarks::default() };

        let asked = tag.expiry_days.unwrap_or(defaults.expiry_days);
        let days = |o: &SealOptions| match (o.expiry_days, tag.expiry_days) {
            (Some(rule), Some(asked)) => rule.min(asked),
            (rule, _) => rule.unwrap_or(asked),
        };
        let expiry_days = options().map(days).min().unwrap_or(asked);
        if let Some(asked) = tag.expiry_days.filter(|asked| *asked != expiry_days) {
            remarks.ignored.push(format!("{asked}d"));
        }

        let without = matches!(tag.password, Some(TagPassword::None));
        let default = if without { PasswordMode::None } else { defaults.password };
        let wanted = options().any(|o| o.password.unwrap_or(default) == PasswordMode::Generated);
        remarks.password_needed = without && wanted;
        let chosen = match &tag.password {
            Some(TagPassword::Chosen(password)) => Some(password::normalise(password.reveal())),
            _ => None,
        };
        remarks.too_weak = chosen.as_ref().is_some_and(|chosen| is_too_weak(chosen, organisation, arrival));
        let chosen = chosen.filter(|_| !remarks.too_weak);
        remarks.chosen = chosen.is_some();
        // A password that may not be used, or was not understood, was asked for all the same.
        let wanted = wanted || tag.has_password;

        let keeps_subject = options().all(|o| o.subject.unwrap_or(defaults.subject) == SubjectMode::Keep);
        let zone = organisation.zone.clone();
        Self {
            expires: zone.end_of_day(arrival.now, expiry_days),
            zone,
            password: match wanted && password_can_be_told {
                true => PasswordMode::Generated,
                false => PasswordMode::None,
            },
            chosen,
            subject: if keeps_subject { SubjectMode::Keep } else { SubjectMode::Generic },
            language: tag.language.unwrap_or(organisation.language),
            download_notice: options().any(|o| o.download_notice.unwrap_or(defaults.download_notice)),
            file_names: options().all(|o| o.file_names.unwrap_or(defaults.file_names)),
            remarks,
        }
    }
}
