//! Sample rows, and what several roles ask of a store.

use std::io;
use std::io::Read;
use std::time::Duration;

use crate::address::{Address, ReversePath};
use crate::audit::{Action, Event, EventResult, Initiator};
use crate::clock::{Timestamp, days_later, earlier, later};
use crate::diagnostic::{Diagnostic, Outcome, Stage};
use crate::envelope::{Envelope, MailParameters};
use crate::id::{BlobName, FolderId, Link, OrganisationId, QueueId, TransferId, UploadId};
use crate::limits::{Rate, TryRule};
use crate::locale::Language;
use crate::store::*;

/// A moment with more than whole seconds.
pub fn noon() -> Timestamp {
    "2026-11-24T12:00:00.123456Z".parse().unwrap()
}

pub fn minutes(count: u64) -> Timestamp {
    later(noon(), Duration::from_secs(60 * count))
}

pub fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

/// The gateway that asks, unless there are two.
pub fn owner() -> FolderId {
    "0123456789abcdef".parse().unwrap()
}

pub fn inline(octets: Vec<u8>) -> Body {
    Body { key: None, data: BodyData::Inline(octets) }
}

pub fn in_blob(blob: BlobName) -> Body {
    Body { key: None, data: BodyData::Blob(blob) }
}

pub fn item() -> NewItem {
    NewItem {
        id: QueueId::random(),
        kind: QueueItemKind::Message,
        organisation: Some(OrganisationId::of_domain("voorbeeld.nl")),
        envelope: Envelope {
            reverse_path: ReversePath::Address(address("jan@voorbeeld.nl")),
            parameters: MailParameters::default(),
            recipients: vec![address("a@example.org").into(), address("b@example.org").into()],
        },
        body: inline(b"sealed body".to_vec()),
        link: None,
        track: Track { message_id: Some("<vraag@voorbeeld.nl>".into()), size: 1234, ..Track::default() },
        created: noon(),
    }
}

pub fn transfer() -> NewTransfer {
    let part = |number| Part { number, blob: BlobName::random(), size: 1 << 33 };
    let recipient = |number, name: &str| NewRecipient {
        number,
        address: address(name),
        key_packet: format!("key packet of {name}").into_bytes(),
    };
    NewTransfer {
        id: TransferId::random(),
        organisation: OrganisationId::of_domain("voorbeeld.nl"),
        created: noon(),
        expires: days_later(noon(), 30),
        sender: Some(address("jan@voorbeeld.nl")),
        message_id: Some("<besluit@voorbeeld.nl>".into()),
        on_behalf_of: vec![address("wethouder@voorbeeld.nl")],
        reply_to: vec![address("zaak-12@voorbeeld.nl"), address("zaak@voorbeeld.nl")],
        password: true,
        automatic: false,
        language: Some(Language::Fy),
        download_notice: true,
        file_names: true,
        first_reminder: Some(days_later(noon(), 15)),
        parts: vec![part(0), part(1), part(2)],
        files: 1,
        generation: 3,
        recipients: vec![recipient(1, "a@example.org"), recipient(2, "b@example.org")],
        thread: Vec::new(),
        answers: Vec::new(),
    }
}

pub fn event(action: Action) -> Event {
    Initiator::zegel().event(noon(), action, "sample".to_owned(), EventResult::Ok)
}

pub fn message(items: Vec<NewItem>) -> Acceptance {
    Acceptance { items, events: vec![event(Action::Accept)], ..Acceptance::new(QueueId::random()) }
}

pub fn sealed(transfer: NewTransfer) -> Acceptance {
    Acceptance { transfer: Some(transfer), ..message(Vec::new()) }
}

/// Commits one item and claims it.
pub async fn claimed(store: &dyn Store, item: NewItem) -> Item {
    store.commit(message(vec![item])).await.unwrap();
    let mut items = store.claim_due(&owner(), noon(), minutes(10), 10).await.unwrap();
    assert_eq!(items.len(), 1);
    items.remove(0)
}

pub fn attempt(item: &Item, outcomes: Vec<(u32, Outcome)>) -> Attempt {
    let events = vec![event(Action::Relay)];
    Attempt {
        item: item.id.clone(),
        claim: item.claim.clone(),
        notifies: item.link.clone().filter(|_| item.kind == QueueItemKind::Notification),
        now: minutes(1),
        next_attempt: minutes(5),
        problem: None,
        sends_back: false,
        reports: Vec::new(),
        tracks: TrackRow::attempted(
            item,
            &outcomes,
            (&HopReport::default(), "smarthost:25"),
            false,
            minutes(1),
        ),
        outcomes,
        events,
    }
}

/// What the next hop says of a recipient.
pub fn said(code: u16, words: &str) -> Diagnostic {
    Diagnostic::remote(Stage::Recipient, code, words)
}

pub fn delivered() -> Vec<(u32, Outcome)> {
    vec![(1, Outcome::Delivered), (2, Outcome::Delivered)]
}

/// Commits one transfer and gives the link of its first recipient.
pub async fn linked(store: &dyn Store) -> Link {
    let transfer = transfer();
    let link = Link { transfer: transfer.id.clone(), recipient: 1 };
    store.commit(sealed(transfer)).await.unwrap();
    link
}

pub fn session(id: u8, link: &Link) -> Session {
    Session { id: [id; 32], link: link.clone(), wrapped_key: vec![id; 48], used: noon() }
}

/// The right password, and a first request with its cookie.
pub async fn open(store: &dyn Store, session: Session) -> Result<()> {
    let (link, used) = (session.link.clone(), session.used);
    store.open(session, event(Action::Open)).await?;
    store.note_opened(link, used).await
}

pub async fn live(store: &dyn Store, id: u8, now: Timestamp) -> Option<Session> {
    store.session([id; 32], now, later_by_idle(now)).await.unwrap()
}

pub fn later_by_idle(now: Timestamp) -> Timestamp {
    now.saturating_sub(Duration::from_secs(30 * 60)).unwrap()
}

pub const RULE: TryRule = TryRule { attempts: 5, lock: Duration::from_secs(900) };

pub async fn try_once(store: &dyn Store, link: &Link, now: Timestamp) -> Try {
    store.begin_try(link.clone(), RULE, now).await.unwrap()
}

pub fn recall(link: &Link, recipient: Option<u16>) -> Recall {
    Recall {
        transfer: link.transfer.clone(),
        recipients: recipient.map_or_else(|| vec![1, 2], |one| vec![one]),
        now: minutes(3),
        closed: minutes(3),
        by: Initiator::admin("beheer"),
        notices: Vec::new(),
    }
}

pub fn notice(link: &Link, kind: QueueItemKind) -> NewItem {
    NewItem { kind, link: Some(link.clone()), ..item() }
}

pub async fn recipient(store: &dyn Store, link: &Link) -> Recipient {
    let transfer = store.transfer(link.transfer.clone()).await.unwrap().unwrap();
    transfer.recipients.into_iter().find(|one| one.number == link.recipient).unwrap()
}

pub async fn queued(store: &dyn Store) -> Vec<&'static str> {
    store.queue().await.unwrap().iter().map(|entry| entry.kind.as_str()).collect()
}

pub fn limited(link: &Link, invites: bool) -> LimitedNotice {
    LimitedNotice {
        link: link.clone(),
        item: notice(link, QueueItemKind::Notification),
        invites,
        bucket: format!("resend {link}"),
        rate: Rate::per(1, Duration::from_secs(600)),
        in_all: ("resends".to_owned(), Rate::per(1000, Duration::from_secs(3600))),
        event: event(Action::Resend),
    }
}

/// The first file, whole, in this session.
pub fn fetch_of(link: &Link, session: u8) -> Fetch {
    Fetch {
        link: link.clone(),
        session: [session; 32],
        what: "1".into(),
        parts: vec![1],
        whole: true,
        event: Event { object: link.to_string(), ..event(Action::Download) },
        notice: None,
    }
}

pub fn read(blobs: &dyn Blobs, name: &BlobName) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    blobs.open(name)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

pub const LIMITS: UploadLimits = UploadLimits { files: 3, octets: 100, link_octets: 150 };

pub const HOUR: Duration = Duration::from_secs(3600);

pub const CODES: CodeLimits = CodeLimits {
    tries: 2,
    per_address: 3,
    per_client: 4,
    per_link: Rate::per(100, HOUR),
    per_link_and_day: Rate::per(100, HOUR),
    in_all: Rate::per(100, HOUR),
};

pub fn hours(count: u64) -> Timestamp {
    later(noon(), Duration::from_secs(3600 * count))
}

/// Two authors behind one new link.
pub async fn authors(store: &dyn Store) -> [Author; 2] {
    let transfer = transfer();
    let link = Link { transfer: transfer.id.clone(), recipient: 1 };
    store.commit(Acceptance { transfer: Some(transfer), ..message(Vec::new()) }).await.unwrap();
    [1, 2].map(|browser| Author { link: link.clone(), browser: [browser; 32] })
}

pub async fn begin(store: &dyn Store, author: &Author, length: Option<u64>) -> (UploadId, UploadOutcome) {
    let id = UploadId::random();
    let row = NewUploadRow { id: id.clone(), facts: b"facts".to_vec(), length };
    let added = store.add_upload(author.clone(), row, LIMITS, noon()).await.unwrap();
    (id, added)
}

pub async fn add(store: &dyn Store, author: &Author, id: &UploadId, offset: u64, size: u64) -> UploadOutcome {
    let piece = PieceRow { blob: BlobName::random(), size };
    store.add_piece(author.clone(), id.clone(), offset, piece, LIMITS, noon()).await.unwrap()
}

pub async fn find(store: &dyn Store, author: &Author) -> Option<DraftRow> {
    store.draft(author.clone()).await.unwrap()
}

pub fn ended(author: &Author, revision: u64, time: Timestamp) -> Acceptance {
    let ended = EndedDraft {
        author: author.clone(),
        revision,
        time,
        summary: b"summary".to_vec(),
        thread: vec![[9; 32]],
        per_day: 2,
    };
    Acceptance { draft: Some(ended), ..message(vec![item()]) }
}

pub async fn ask(store: &dyn Store, author: &Author, address: u8, now: Timestamp) -> Option<Timestamp> {
    ask_within(store, author, address, now, CODES).await
}

pub async fn ask_within(
    store: &dyn Store,
    author: &Author,
    address: u8,
    now: Timestamp,
    limits: CodeLimits,
) -> Option<Timestamp> {
    let code = NewCode {
        author: author.clone(),
        facts: b"who".to_vec(),
        hash: [7; 32],
        address: [address; 32],
        client: "192.0.2.1".into(),
        bucket: "code".into(),
        now,
        expires: later(now, Duration::from_secs(600)),
        mail: item(),
        event: event(Action::Code),
    };
    store.add_code(code, limits).await.unwrap()
}

pub async fn try_code(store: &dyn Store, author: &Author, hash: u8, now: Timestamp) -> CodeTry {
    let browser = BrowserRow { facts: b"who".to_vec(), until: hours(10) };
    store.try_code(author.clone(), [hash; 32], 2, now, browser, event(Action::Code)).await.unwrap()
}

pub const DAY: Duration = Duration::from_secs(86_400);

pub fn days(count: u32) -> Timestamp {
    days_later(noon(), count)
}

pub fn organisation(domain: &str) -> Option<OrganisationId> {
    Some(OrganisationId::of_domain(domain))
}

pub fn mail(link: Option<&Link>, kind: QueueItemKind) -> NewItem {
    NewItem { kind, link: link.cloned(), ..item() }
}

pub async fn due(store: &dyn Store, now: Timestamp) -> Vec<Occasion> {
    let due = store
        .due_reminders(Whose::everybody(), now, later(now, 2 * DAY), earlier(now, DAY), 10)
        .await
        .unwrap();
    due.into_iter().map(|due| due.occasion).collect()
}

pub async fn kinds(store: &dyn Store) -> Vec<&'static str> {
    store.queue().await.unwrap().into_iter().map(|entry| entry.kind.as_str()).collect()
}
