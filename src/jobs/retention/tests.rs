//! Whole lives of transfers with a clock that is moved by hand.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex, mpsc};

use async_trait::async_trait;
use tempfile::TempDir;

use super::*;
use crate::address::Address;
use crate::audit::{Action, Event, EventResult, Initiator};
use crate::cause::FailureCause;
use crate::clock::{Clock, days_later};
use crate::config::PasswordMode;
use crate::diagnostic::Outcome;
use crate::envelope::Reported;
use crate::id::{FolderId, Link, OrganisationId, QueueId, TransferId};
use crate::outbox::body;
use crate::queue::worker::WakeHandle;
use crate::secret::Keys;
use crate::sender::{Actions, By, NewDate, SenderService};
use crate::settings;
use crate::store::files::LocalBlobs;
use crate::store::nodes::Lead;
use crate::store::sqlite::Sqlite;
use crate::store::{
    Acceptance, Attempt, BlobFacts, BlobWriter, Claim, DeliveryReport, Fetch, Item, Recall, Session, Store,
    all_names,
};
use crate::transfer::link;
use crate::transfer::sealing::{SealRequest, seal};
use crate::transfer::testing;

/// One node: a store, blobs and the timer over them.
struct Node {
    store: Arc<dyn Store>,
    blobs: Arc<dyn Blobs>,
    clock: Clock,
    actions: Actions,
    timer: Retention,
    dir: Arc<TempDir>,
}

fn keys() -> Keys {
    static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys::derive(&[7; 32]));
    KEYS.clone()
}

impl Node {
    fn new(extra: &str) -> Self {
        Self::beside(Arc::new(tempfile::tempdir().unwrap()), Clock::movable(testing::start()), extra, None)
    }

    /// Another node on the same data, or the same one after a restart.
    fn again(&self) -> Self {
        Self::beside(self.dir.clone(), self.clock.clone(), "", None)
    }

    fn beside(dir: Arc<TempDir>, clock: Clock, extra: &str, blobs: Option<Arc<dyn Blobs>>) -> Self {
        let store: Arc<dyn Store> = Arc::new(Sqlite::open(&dir.path().join("zegel.db")).unwrap());
        let folder = dir.path().join("blobs");
        let blobs = blobs.unwrap_or_else(|| Arc::new(LocalBlobs::open(&folder).unwrap()));
        let settings = CurrentSettings::new(settings::testing::settings(extra));
        let sender = SenderService::new(store.clone(), keys(), clock.clone(), WakeHandle::default());
        let (actions, reminders) = (sender.under(settings.get()), Reminders::new(store.clone(), sender));
        let (rows, bytes) = (store.clone(), blobs.clone());
        let timer = Retention::new(rows, bytes, clock.clone(), settings, reminders, Before::default());
        Self { store, blobs, clock, actions, timer, dir }
    }

    /// Seals a message for piet and els, whose notifications arrive; `change` makes it another one.
    async fn seal(&self, change: impl FnOnce(&mut SealRequest<'_>)) -> TransferId {
        let mut request = testing::request(PasswordMode::Generated);
        (request.created, request.expires) = (self.clock.now(), days_later(self.clock.now(), 30));
        request.download_notice = true;
        change(&mut request);
        let sealed = seal(&*self.blobs, &keys().link, request).unwrap();
        let id = sealed.transfer.id.clone();
        let mut acceptance = Acceptance::new(QueueId::random());
        acceptance.transfer = Some(sealed.transfer);
        self.store.commit(acceptance).await.unwrap();
        for number in [1, 2] {
            self.settle(&id, number, Outcome::Delivered).await;
        }
        id
    }

    /// The end of the delivery of a notification.
    async fn settle(&self, transfer: &TransferId, recipient: u16, outcome: Outcome) {
        let attempt = Attempt {
            item: QueueId::random(),
            claim: Claim {
                owner: FolderId::random(),
                token: 1,
                until: days_later(self.clock.now(), 1),
                lease: 0,
            },
            notifies: Some(link(transfer, recipient)),
            now: self.clock.now(),
            outcomes: vec![(1, outcome)],
            next_attempt: self.clock.now(),
            problem: None,
            sends_back: false,
            reports: Vec::new(),
            events: Vec::new(),
            tracks: Vec::new(),
        };
        self.store.finish_attempt(attempt).await.unwrap();
    }

    async fn open(&self, transfer: &TransferId, recipient: u16) {
        let (id, link) = (crate::secret::random(), link(transfer, recipient));
        let event = event(self.clock.now());
        let session = Session { id, link: link.clone(), wrapped_key: vec![1], used: self.clock.now() };
        self.store.open(session, event).await.unwrap();
        self.store.note_opened(link, self.clock.now()).await.unwrap();
    }

    /// Lets time pass as a gateway lives through it: with turns.
    async fn hours(&self, hours: u64) {
        for _ in 0..hours / 12 {
            self.clock.advance(Duration::from_hours(12));
            self.timer.turn().await.unwrap();
        }
    }

    async fn days(&self, days: u64) {
        self.hours(24 * days).await;
    }

    /// What was queued since the last look: kind and recipient, in order.
    async fn mails(&self) -> Vec<String> {
        let now = self.clock.now();
        let items =
            self.store.claim_due(&FolderId::random(), now, days_later(now, 1000), 1000).await.unwrap();
        let mut mails = Vec::new();
        for item in items {
            mails.push(format!("{} {}", item.kind.as_str(), item.recipients[0].recipient.address));
            self.store.drop_item(item.id, event(now)).await.unwrap();
        }
        mails.sort();
        mails
    }

    /// The one mail that is queued.
    async fn text(&self) -> (Item, String) {
        let now = self.clock.now();
        let mut items =
            self.store.claim_due(&FolderId::random(), now, days_later(now, 1000), 1000).await.unwrap();
        assert_eq!(items.len(), 1);
        let item = items.remove(0);
        let chunks = body::open(&keys().body, &*self.blobs, &item.body).unwrap();
        let octets: Vec<u8> = chunks.flat_map(|chunk| chunk.unwrap()).collect();
        self.store.drop_item(item.id.clone(), event(now)).await.unwrap();
        (item, String::from_utf8(octets).unwrap())
    }

    async fn has_keys(&self, id: &TransferId) -> bool {
        let transfer = self.store.transfer(id.clone()).await.unwrap().unwrap();
        transfer.recipients.iter().all(|recipient| recipient.key_packet.is_some())
    }

    /// Somebody downloads a part, as `web/download` tells of it.
    async fn download(&self, id: &TransferId, parts: &[u32]) {
        let transfer = self.store.transfer(id.clone()).await.unwrap().unwrap();
        let names = vec!["besluit.pdf".to_owned()];
        let notice = self.actions.download_notice(&transfer, &link(id, 1), parts, names, None).await.unwrap();
        let (now, session) = (self.clock.now(), crate::secret::random());
        let opened = Session { id: session, link: link(id, 1), wrapped_key: vec![1], used: now };
        self.store.open(opened, event(now)).await.unwrap();
        let (what, parts, event) = ("zip".to_owned(), parts.to_vec(), event(now));
        let fetch = Fetch { link: link(id, 1), session, what, parts, whole: true, event, notice };
        self.store.note_download(fetch).await.unwrap();
    }
}

fn admin() -> By {
    By::Admin(Initiator::admin("beheer"))
}

fn event(time: Timestamp) -> Event {
    Initiator::admin("beheer").event(time, Action::Finish, "test".into(), EventResult::Ok)
}

fn link(transfer: &TransferId, recipient: u16) -> Link {
    Link { transfer: transfer.clone(), recipient }
}

const REMINDERS: [&str; 2] = ["reminder els@example.org", "reminder piet@example.org"];

// ---- several organisations

/// Reminders, grace and what is forgotten go by the rules of the organisation whose transfer it is.
#[tokio::test]
async fn each_organisation_has_days_of_its_own() {
    let other = "[seal]\ngrace_days = 7\n[[organisation]]\nname = \"Gemeente Zuiderveen\"\ndomains = [\"zuiderveen.nl\"]\n\
         hostname = \"veilig.zuiderveen.nl\"\npublic_url = \"https://veilig.zuiderveen.nl\"\n\
         [organisation.seal]\ngrace_days = 0\nreminders = false\nretention_days = 1\n";
    let node = Node::new(other);
    let own = node.seal(|_| {}).await;
    let theirs = node
        .seal(|request| {
            request.organisation = OrganisationId::of_domain("zuiderveen.nl");
            request.sender = Address::parse("els@zuiderveen.nl").ok();
        })
        .await;
    node.days(15).await;
    assert_eq!(node.mails().await, REMINDERS, "of the first one only");
    node.days(15).await;
    node.hours(12).await;
    assert!(node.has_keys(&own).await && !node.has_keys(&theirs).await, "one has a week more");
    node.days(1).await;
    assert!(node.store.transfer(theirs).await.unwrap().is_none(), "and is forgotten a day later");
    assert!(node.store.transfer(own).await.unwrap().is_some());
}

// ---- reminders

#[tokio::test]
async fn reminds_at_half_time_and_in_the_last_days() {
    let node = Node::new("");
    let id = node.seal(|request| request.language = Some(crate::locale::Language::Fy)).await;
    node.open(&id, 1).await;
    node.hours(14 * 24 + 12).await;
    assert!(node.mails().await.is_empty());
    node.hours(12).await;
    let (item, text) = node.text().await;
    assert_eq!(item.recipients[0].recipient.address.as_str(), "els@example.org");
    let token = link::token(&keys().link, &link(&id, 2));
    assert!(text.contains(&format!("\r\nhttps://veilig.voorbeeld.nl/t/{}\r\n", token.reveal())), "{text}");
    assert!(text.contains("Content-Language: fy") && text.contains("From: <jan@voorbeeld.nl>"), "{text}");
    node.days(12).await;
    assert!(node.mails().await.is_empty());
    node.days(1).await;
    assert_eq!(node.mails().await, ["reminder els@example.org", "unopened jan@voorbeeld.nl"]);
    node.days(3).await;
    assert!(node.mails().await.is_empty());
    let trail = node.store.audit_log(id).await.unwrap();
    assert_eq!(trail.iter().filter(|entry| entry.action == Action::Remind).count(), 2);
}

#[tokio::test]
async fn a_new_date_is_announced_anew() {
    let node = Node::new("");
    let id = node.seal(|_| ()).await;
    node.days(28).await;
    let sent = node.mails().await;
    assert_eq!(sent.iter().filter(|mail| mail.starts_with("unopened")).count(), 1, "{sent:?}");
    node.actions.extend(admin(), &id, NewDate::InDays(10), false).await.unwrap();
    node.days(7).await;
    assert!(node.mails().await.is_empty());
    node.days(1).await;
    assert_eq!(node.mails().await, [&REMINDERS[..], &["unopened jan@voorbeeld.nl"]].concat());
}

#[tokio::test]
async fn short_lives_have_fewer() {
    let node = Node::new("");
    node.seal(|request| request.expires = days_later(request.created, 1)).await;
    node.days(2).await;
    assert!(node.mails().await.is_empty());
    node.seal(|request| request.expires = days_later(request.created, 2)).await;
    node.days(3).await;
    assert_eq!(node.mails().await, REMINDERS);
}

/// H09; and nobody is reminded of what they opened, cannot open, or never heard of.
#[tokio::test]
async fn reminds_nobody_who_should_not_be() {
    let node = Node::new("");
    node.seal(|request| request.sender = None).await;
    node.seal(|request| request.automatic = true).await;
    // The answer of a resident who wants to hear of downloads: no mail in the name of an outside address (M06).
    node.seal(|request| request.sender = Some(Address::parse("piet@example.org").unwrap())).await;
    let opened = node.seal(|_| ()).await;
    node.open(&opened, 1).await;
    node.open(&opened, 2).await;
    let closed = node.seal(|_| ()).await;
    let recall = Recall {
        transfer: closed.clone(),
        recipients: vec![1],
        now: node.clock.now(),
        closed: node.clock.now(),
        by: Initiator::admin("beheer"),
        notices: Vec::new(),
    };
    node.store.recall(recall).await.unwrap();
    let (time, cause, reason) = (node.clock.now(), FailureCause::UnknownAddress, "550 5.1.1 no".into());
    let failed = DeliveryReport { own: true, action: Reported::Failed, time, cause, reason };
    assert!(node.store.note_delivery_report(link(&closed, 2), failed).await.unwrap());
    node.days(31).await;
    assert!(node.mails().await.is_empty());

    let off = Node::new("[seal]\nreminders = false");
    off.seal(|_| ()).await;
    off.days(31).await;
    assert!(off.mails().await.is_empty());
}

/// Two nodes, and a restart in between.
#[tokio::test]
async fn two_timers_at_once_send_one_of_each() {
    let node = Node::new("");
    node.seal(|_| ()).await;
    let other = node.again();
    for _ in 0..62 {
        node.clock.advance(Duration::from_hours(12));
        let (one, two) = tokio::join!(node.timer.turn(), other.timer.turn());
        one.unwrap();
        two.unwrap();
    }
    let mut expected = [&REMINDERS[..], &REMINDERS[..], &["unopened jan@voorbeeld.nl"]].concat();
    expected.sort();
    assert_eq!(node.mails().await, expected);
    node.again().timer.turn().await.unwrap();
    assert!(node.mails().await.is_empty());
}

// ---- downloads

#[tokio::test]
async fn a_sender_hears_of_downloads_once_an_hour() {
    let node = Node::new("");
    let id = node.seal(|_| ()).await;
    node.download(&id, &[1]).await;
    let (item, text) = node.text().await;
    assert_eq!(item.recipients[0].recipient.address.as_str(), "jan@voorbeeld.nl");
    assert!(text.contains("- 1 van 2 bestanden") && text.contains("piet@example.org"), "{text}");
    assert!(!text.contains("besluit.pdf"), "{text}");

    // Another range, another look: nothing new. A new file: later.
    node.download(&id, &[1]).await;
    node.clock.advance(Duration::from_secs(600));
    node.download(&id, &[2]).await;
    node.timer.turn().await.unwrap();
    assert!(node.mails().await.is_empty());
    node.clock.advance(Duration::from_secs(3000));
    let other = node.again();
    let (one, two) = tokio::join!(node.timer.turn(), other.timer.turn());
    one.unwrap();
    two.unwrap();
    let (_, text) = node.text().await;
    assert!(text.contains("- 2 van 2 bestanden"), "{text}");

    node.hours(12).await;
    node.download(&id, &[2]).await;
    assert!(node.mails().await.is_empty(), "nothing new");
    node.download(&id, &[1, 2, 5]).await;
    let (_, text) = node.text().await;
    assert!(text.contains("- 2 van 2 bestanden") && text.contains("- het bericht zelf"), "{text}");
}

#[tokio::test]
async fn names_and_notices_as_the_sender_wants_them() {
    let node = Node::new("");
    let id = node.seal(|request| request.file_names = true).await;
    node.download(&id, &[1]).await;
    assert!(node.text().await.1.contains("besluit.pdf"));
    for change in [
        |request: &mut SealRequest<'_>| request.download_notice = false,
        |request: &mut SealRequest<'_>| request.automatic = true,
        |request: &mut SealRequest<'_>| request.sender = None,
    ] {
        let id = node.seal(change).await;
        node.download(&id, &[1]).await;
        node.hours(12).await;
        assert!(node.mails().await.is_empty());
    }
}

// ---- the leader

/// A node that leads once, as long as it is let.
struct LeadsOnce {
    lost: Mutex<Option<CancellationToken>>,
    tries_again: CancellationToken,
}

#[async_trait]
impl NodeStore for LeadsOnce {
    async fn lead(&self) -> Lead {
        let lost = self.lost.lock().unwrap().take();
        if let Some(lost) = lost {
            return Lead::watched(lost, tokio::spawn(std::future::pending()));
        }
        self.tries_again.cancel();
        std::future::pending().await
    }
}

#[tokio::test]
async fn who_no_longer_leads_stops_between_two_steps() {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let ((begins, begun), (go_on, goes_on)) = (mpsc::channel(), mpsc::channel());
    let disk = Arc::new(FaultyBlobs {
        disk: LocalBlobs::open(&dir.path().join("blobs")).unwrap(),
        broken: AtomicBool::new(false),
        stuck: Mutex::default(),
        gate: Some(Mutex::new((begins, goes_on))),
    });
    let node = Node::beside(dir, Clock::movable(testing::start()), "", Some(disk.clone()));
    node.seal(|request| request.expires = days_later(request.created, 1)).await;
    let before = all_names(&*disk).unwrap().len();
    assert!(before > 1, "{before}");
    node.timer.turn().await.unwrap();
    node.clock.advance(Duration::from_hours(24));

    let (lost, tries_again, stop) =
        (CancellationToken::new(), CancellationToken::new(), CancellationToken::new());
    let leads = LeadsOnce { lost: Mutex::new(Some(lost.clone())), tries_again: tries_again.clone() };
    let chain = AuditChain::new(node.store.clone(), node.clock.clone());
    let timer = tokio::spawn(node.timer.run(chain, Arc::new(leads), stop.clone()));
    tokio::task::spawn_blocking(move || begun.recv().unwrap()).await.unwrap();
    lost.cancel();
    tries_again.cancelled().await;
    drop(go_on);
    stop.cancel();
    timer.await.unwrap();
    // Whatever still runs holds a copy of it.
    while Arc::strong_count(&disk) > 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(all_names(&*disk).unwrap().len(), before - 1, "the one that it was at");
}

// ---- the end

/// C25: a crash between the keys and the blobs, at the date or after a recall.
#[tokio::test]
async fn a_restart_finishes_what_a_crash_left() {
    for is_recalled in [false, true] {
        ends_after_a_crash(is_recalled).await;
    }
}

async fn ends_after_a_crash(is_recalled: bool) {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let disk = Arc::new(FaultyBlobs {
        disk: LocalBlobs::open(&dir.path().join("blobs")).unwrap(),
        broken: AtomicBool::new(true),
        stuck: Mutex::default(),
        gate: None,
    });
    let node = Node::beside(dir, Clock::movable(testing::start()), "", Some(disk.clone()));
    let id = node.seal(|request| request.expires = days_later(request.created, 1)).await;
    node.timer.turn().await.unwrap();
    match is_recalled {
        true => assert_eq!(node.actions.recall(admin(), &id, None, false).await.unwrap(), [1, 2]),
        false => node.clock.advance(Duration::from_hours(24)),
    }
    assert!(node.timer.turn().await.is_err());
    assert!(!node.has_keys(&id).await, "keys first");
    assert!(!all_names(&*disk).unwrap().is_empty());

    let (dir, clock) = (node.dir.clone(), node.clock.clone());
    drop(node);
    disk.broken.store(false, Ordering::Relaxed);
    let node = Node::beside(dir, clock, "", Some(disk.clone()));
    node.timer.turn().await.unwrap();
    assert!(all_names(&*disk).unwrap().is_empty());
    assert!(node.store.pending_deletion(1).await.unwrap().is_empty());
}

/// One blob that cannot be removed keeps no other, and is removed as soon as it can be.
#[tokio::test]
async fn a_blob_that_cannot_be_removed_holds_up_no_other() {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let disk = Arc::new(FaultyBlobs {
        disk: LocalBlobs::open(&dir.path().join("blobs")).unwrap(),
        broken: AtomicBool::new(false),
        stuck: Mutex::default(),
        gate: None,
    });
    let node = Node::beside(dir, Clock::movable(testing::start()), "", Some(disk.clone()));
    node.seal(|_| ()).await;
    let stuck = all_names(&*disk).unwrap().remove(0);
    node.seal(|_| ()).await;
    disk.stuck.lock().unwrap().push(stuck.clone());
    node.timer.turn().await.unwrap();
    node.clock.advance(Duration::from_hours(12));
    node.timer.turn().await.unwrap();
    node.days(29).await;
    node.clock.advance(Duration::from_hours(12));
    let error = node.timer.turn().await.unwrap_err().to_string();
    assert!(error.contains("1 blobs") && error.contains("unplugged"), "{error}");
    assert_eq!(all_names(&*disk).unwrap(), std::slice::from_ref(&stuck));
    assert_eq!(node.store.pending_deletion(10).await.unwrap(), [stuck]);
    disk.stuck.lock().unwrap().clear();
    node.timer.turn().await.unwrap();
    assert!(all_names(&*disk).unwrap().is_empty());
    assert!(node.store.pending_deletion(1).await.unwrap().is_empty());
}

/// A disk that cannot remove anything, for a while.
struct FaultyBlobs {
    disk: LocalBlobs,
    broken: AtomicBool,
    /// Nor these.
    stuck: Mutex<Vec<BlobName>>,
    /// A removal says through it that it begins, and waits until it may go on.
    gate: Option<Mutex<(mpsc::Sender<()>, mpsc::Receiver<()>)>>,
}

impl Blobs for FaultyBlobs {
    fn create(&self) -> std::io::Result<Box<dyn BlobWriter>> {
        self.disk.create()
    }
    fn create_for(&self, octets: u64) -> std::io::Result<Box<dyn BlobWriter>> {
        self.disk.create_for(octets)
    }
    fn left(&self) -> std::io::Result<Option<u64>> {
        self.disk.left()
    }
    fn open_at(&self, name: &BlobName, offset: u64) -> std::io::Result<Box<dyn std::io::Read + Send>> {
        self.disk.open_at(name, offset)
    }
    fn remove(&self, name: &BlobName) -> std::io::Result<()> {
        if self.broken.load(Ordering::Relaxed) || self.stuck.lock().unwrap().contains(name) {
            return Err(std::io::Error::other("unplugged"));
        }
        if let Some(gate) = &self.gate {
            let (begins, goes_on) = &*gate.lock().unwrap();
            begins.send(()).ok();
            goes_on.recv().ok();
        }
        self.disk.remove(name)
    }
    fn room(&self) -> std::io::Result<Option<u64>> {
        self.disk.room()
    }
    fn names(&self, after: Option<&BlobName>, limit: usize) -> std::io::Result<Vec<BlobName>> {
        self.disk.names(after, limit)
    }
    fn look(&self, name: &BlobName) -> std::io::Result<Option<BlobFacts>> {
        self.disk.look(name)
    }
}

#[tokio::test]
async fn without_grace_all_goes_on_the_day() {
    let node = Node::new("");
    let id = node.seal(|_| ()).await;
    node.hours(29 * 24 + 12).await;
    assert!(node.has_keys(&id).await);
    node.hours(12).await;
    assert!(!node.has_keys(&id).await);
    assert!(all_names(&*node.blobs).unwrap().is_empty());
    assert!(node.actions.extend(admin(), &id, NewDate::InDays(10), false).await.is_err());
}

#[tokio::test]
async fn within_the_grace_the_sender_can_renew() {
    let node = Node::new("[seal]\ngrace_days = 14");
    let (renewed, left) = (node.seal(|_| ()).await, node.seal(|_| ()).await);
    node.days(43).await;
    for id in [&renewed, &left] {
        assert!(node.has_keys(id).await);
        let transfer = node.store.transfer(id.clone()).await.unwrap().unwrap();
        let state = crate::transfer::LinkState::of(&transfer, &transfer.recipients[0], node.clock.now());
        assert_eq!(state, crate::transfer::LinkState::Expired, "closed from its date on");
    }
    node.actions.extend(admin(), &renewed, NewDate::InDays(10), false).await.unwrap();
    node.days(1).await;
    assert!(node.has_keys(&renewed).await && !node.has_keys(&left).await);
    assert!(node.actions.extend(admin(), &left, NewDate::InDays(10), false).await.is_err());
}

/// The clocks change within the days of grace: the last of them ends when every other day does.
#[tokio::test]
async fn grace_is_counted_in_days_over_the_change_of_the_clocks() {
    let at = |text: &str| text.parse::<crate::clock::Timestamp>().unwrap();
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let clock = Clock::movable(at("2026-03-10T10:00:00Z"));
    let node = Node::beside(folder, clock, "[seal]\ngrace_days = 14", None);
    let id = node.seal(|request| request.expires = at("2026-03-20T23:59:59+01:00")).await;
    node.days(24).await;
    node.clock.advance(Duration::from_secs(12 * 3600 - 2));
    assert_eq!(node.clock.now(), at("2026-04-03T23:59:58+02:00"));
    node.timer.turn().await.unwrap();
    let end = at("2026-04-03T23:59:59+02:00");
    assert_eq!(node.actions.status(&id).await.unwrap().renewable, Some(end));
    assert!(node.has_keys(&id).await);
    node.clock.advance(Duration::from_secs(1));
    node.timer.turn().await.unwrap();
    assert!(!node.has_keys(&id).await);
}

#[tokio::test]
async fn in_time_people_are_forgotten_and_what_happened_stays() {
    let node = Node::new("[seal]\nretention_days = 90");
    let id = node.seal(|_| ()).await;
    node.download(&id, &[1]).await;
    node.days(119).await;
    assert!(node.store.transfer(id.clone()).await.unwrap().is_some());
    node.days(1).await;
    assert!(node.store.transfer(id.clone()).await.unwrap().is_none());
    assert!(node.store.downloads(id.clone()).await.unwrap().is_empty());
    assert!(node.store.audit_log(id).await.unwrap().iter().any(|entry| entry.action == Action::Expire));
    assert!(node.store.is_sealed_thread(vec![[1; 32]]).await.unwrap(), "an answer may come late");
    node.mails().await;
    assert!(node.store.queue().await.unwrap().is_empty());
}

#[tokio::test]
async fn threads_last_seven_years_and_the_audit_trail_as_long_as_set() {
    let node = Node::new("");
    let id = node.seal(|_| ()).await;
    node.download(&id, &[1]).await;
    let forget = async |extra: &str, days: u32| {
        let time = days_later(node.clock.now(), days);
        while node.store.extend_chain(node.clock.now()).await.unwrap() > 0 {}
        while node.store.forget(past(&settings::testing::settings(extra), time)).await.unwrap() > 0 {}
        let is_thread = node.store.is_sealed_thread(vec![[1; 32]]).await.unwrap();
        (is_thread, !node.store.audit_log(id.clone()).await.unwrap().is_empty())
    };
    assert_eq!(forget("[admin]\naudit_days = 0", 7 * 365).await, (true, true));
    assert_eq!(forget("[admin]\naudit_days = 400", 400).await, (true, true));
    assert_eq!(forget("[admin]\naudit_days = 400", 401).await, (true, false));
    assert_eq!(forget("", 7 * 366 + 1).await, (false, false));
}

/// H34
#[tokio::test]
async fn a_clock_that_leaps_ten_years_destroys_nothing_and_floods_nobody() {
    let node = Node::new("");
    let id = node.seal(|_| ()).await;
    node.timer.turn().await.unwrap();
    let ten_years = Duration::from_secs(3653 * 86_400);
    node.clock.advance(ten_years);
    for _ in 0..59 {
        node.timer.turn().await.unwrap();
        node.clock.advance(Duration::from_mins(1));
    }
    // A restart believes it no sooner.
    node.again().timer.turn().await.unwrap();
    assert!(node.has_keys(&id).await && node.mails().await.is_empty());

    // The clock is put right.
    let right = Clock::movable(testing::start());
    right.advance(Duration::from_hours(1));
    let healed = Node::beside(node.dir.clone(), right, "", None);
    healed.days(15).await;
    assert_eq!(healed.mails().await, REMINDERS, "as if nothing had been");

    // It leaps again, and stays: then it must be true.
    healed.clock.advance(ten_years);
    for _ in 0..=60 {
        assert!(healed.has_keys(&id).await);
        healed.timer.turn().await.unwrap();
        healed.clock.advance(Duration::from_mins(1));
        if healed.store.transfer(id.clone()).await.unwrap().is_none_or(|transfer| transfer.parts.is_empty()) {
            break;
        }
    }
    assert!(all_names(&*healed.blobs).unwrap().is_empty());
    assert!(healed.mails().await.is_empty(), "what is over is not announced");
}

/// The clock is set back by years, and forward again.
#[tokio::test]
async fn a_clock_that_was_set_back_harms_nothing() {
    let node = Node::new("");
    let id = node.seal(|_| ()).await;
    node.timer.turn().await.unwrap();
    let past =
        Node::beside(node.dir.clone(), Clock::movable("2016-01-01T00:00:00Z".parse().unwrap()), "", None);
    past.timer.turn().await.unwrap();
    node.timer.turn().await.unwrap();
    assert!(node.has_keys(&id).await && node.mails().await.is_empty());
    node.days(31).await;
    assert!(!node.has_keys(&id).await);
}
