//! What every [`Store`] and every [`Blobs`] must do, whatever it is built on. An implementation's tests call
//! `store_conformance!` and `blobs_conformance!` with a way to make a fresh one.

pub mod drafts;
mod life;

use std::io::{ErrorKind, Read};
use std::time::Duration;

use futures_util::future::join_all;

pub use self::life::*;
use super::*;
use crate::address::{Address, ReversePath};
use crate::audit::{Action, Actor};
use crate::clock::{days_later, later};
use crate::envelope::{BodyType, Envelope, MailParameters, Notify, RcptParameters, Reported, Ret};
use crate::locale::Language;

/// One test per statement. `$open` is an expression that gives a new, empty store, and whatever must live
/// as long as it.
macro_rules! store_conformance {
    ($open:expr) => {
        $crate::store::conformance::store_conformance!(@each $open,
            a_message_comes_back_as_it_went_in, what_is_refused_leaves_nothing, one_refusal_spoils_no_other,
            an_item_is_claimed_by_one, a_claim_runs_out, claims_are_released_at_start,
            the_oldest_goes_first_and_no_more_than_asked, an_attempt_is_recorded_per_recipient,
            a_finished_item_goes_with_its_blob, a_report_is_queued_with_the_failure,
            an_attempt_on_a_dropped_item_is_no_error, retry_makes_due_but_never_twice,
            what_is_frozen_waits_for_somebody, a_dropped_item_is_gone, the_queue_can_be_looked_at, a_transfer_comes_back_as_it_went_in,
            tries_are_counted_before_they_are_made, every_lock_is_longer, a_right_password_forgets_the_tries,
            a_session_opens_its_link_only, a_session_ends_when_idle, expiry_destroys_keys_sessions_and_parts,
            a_closed_link_is_not_opened, a_sealed_thread_is_known, a_rate_holds_for_parallel_callers,
            a_recall_destroys_one_key_or_all, of_two_recalls_one_does_it, a_recall_drops_what_has_not_left,
            a_recalled_recipient_is_told_only_if_notified, what_is_gone_can_be_neither_recalled_nor_extended,
            a_delivered_notification_is_noted, a_bounce_closes_a_link_until_the_next_notification,
            reports_are_kept_and_close_only_what_nobody_has_opened,
            a_limited_notice_goes_once, limited_notices_are_bounded_in_all, a_lock_can_be_taken_off, downloads_are_counted_per_part,
            a_download_is_one_however_often_it_is_asked_for,
            a_links_events_are_bounded_and_its_count_goes_on,
            a_trail_is_of_one_transfer, blobs_are_given_up_once, an_orphan_is_what_no_row_knows, figures_tell_the_truth,
            a_leap_of_the_clock_is_believed_after_an_hour, reminders_are_due_at_half_time_and_in_the_last_days,
            reminders_are_queued_once, who_opened_meanwhile_is_not_reminded, a_download_is_told_once_an_hour,
            what_had_its_time_is_forgotten, a_thread_lives_from_its_last_message);
    };
    (@each $open:expr, $($case:ident),*) => {$(
        #[tokio::test]
        async fn $case() {
            let (store, _keep) = $open;
            $crate::store::conformance::$case(&store).await;
        }
    )*};
}
pub(super) use store_conformance;

/// One test per statement about blobs.
macro_rules! blobs_conformance {
    ($open:expr) => {
        $crate::store::conformance::blobs_conformance!(@each $open,
            bytes_come_back, what_is_not_committed_is_not_there, what_is_removed_is_gone);
    };
    (@each $open:expr, $($case:ident),*) => {$(
        #[test]
        fn $case() {
            let (blobs, _keep) = $open;
            $crate::store::conformance::$case(&blobs);
        }
    )*};
}
pub(super) use blobs_conformance;

// ---- sample data

/// A moment with more than whole seconds.
pub fn noon() -> Timestamp {
    "2026-11-24T12:00:00.123456Z".parse().unwrap()
}

fn minutes(count: u64) -> Timestamp {
    later(noon(), Duration::from_secs(60 * count))
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

pub fn inline(octets: Vec<u8>) -> Body {
    Body { key: None, data: BodyData::Inline(octets) }
}

pub fn at(blob: BlobName) -> Body {
    Body { key: None, data: BodyData::Blob(blob) }
}

pub fn item() -> NewItem {
    NewItem {
        id: QueueId::random(),
        kind: Kind::Message,
        envelope: Envelope {
            reverse_path: ReversePath::Address(address("jan@voorbeeld.nl")),
            parameters: MailParameters::default(),
            recipients: vec![address("a@example.org").into(), address("b@example.org").into()],
        },
        body: inline(b"sealed body".to_vec()),
        link: None,
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
        created: noon(),
        expires: days_later(noon(), 30),
        sender: Some(address("jan@voorbeeld.nl")),
        message_id: Some("<besluit@voorbeeld.nl>".into()),
        reply_to: vec![address("zaak-12@voorbeeld.nl"), address("zaak@voorbeeld.nl")],
        password: true,
        automatic: false,
        language: Some(Language::Fy),
        download_notice: true,
        file_names: true,
        first_reminder: Some(days_later(noon(), 15)),
        parts: vec![part(0), part(1), part(2)],
        files: 1,
        recipients: vec![recipient(1, "a@example.org"), recipient(2, "b@example.org")],
        thread: Vec::new(),
        answers: Vec::new(),
    }
}

pub fn event(action: Action) -> Event {
    let text = |text: &str| text.to_owned();
    Event {
        time: noon(),
        action,
        object: text("sample"),
        result: text("ok"),
        actor: text("zegel"),
        origin: text("local"),
    }
}

pub fn message(items: Vec<NewItem>) -> Acceptance {
    Acceptance { items, events: vec![event(Action::Accept)], ..Acceptance::new(QueueId::random()) }
}

fn sealed(transfer: NewTransfer) -> Acceptance {
    Acceptance { transfer: Some(transfer), ..message(Vec::new()) }
}

/// Commits one item and claims it.
async fn claimed(store: &dyn Store, item: NewItem) -> Item {
    store.commit(message(vec![item])).await.unwrap();
    let mut items = store.claim_due(noon(), minutes(10), 10).await.unwrap();
    assert_eq!(items.len(), 1);
    items.remove(0)
}

pub fn attempt(item: &Item, deliveries: Vec<(u32, Delivery)>) -> Attempt {
    let events = vec![event(Action::Relay)];
    Attempt {
        item: item.id.clone(),
        notifies: item.link.clone().filter(|_| item.kind == Kind::Notification),
        now: minutes(1),
        deliveries,
        next_attempt: minutes(5),
        problem: None,
        reports: Vec::new(),
        events,
    }
}

fn delivered() -> Vec<(u32, Delivery)> {
    vec![(1, Delivery::Delivered), (2, Delivery::Delivered)]
}

/// Commits one transfer and gives the link of its first recipient.
async fn linked(store: &dyn Store) -> Link {
    let transfer = transfer();
    let link = Link { transfer: transfer.id.clone(), recipient: 1 };
    store.commit(sealed(transfer)).await.unwrap();
    link
}

fn session(id: u8, link: &Link) -> Session {
    Session { id: [id; 32], link: link.clone(), wrapped_key: vec![id; 48], used: noon() }
}

async fn open(store: &dyn Store, session: Session) -> Result<()> {
    store.open(session, event(Action::Open)).await
}

async fn live(store: &dyn Store, id: u8, now: Timestamp) -> Option<Session> {
    store.session([id; 32], now, later_by_idle(now)).await.unwrap()
}

fn later_by_idle(now: Timestamp) -> Timestamp {
    now.saturating_sub(Duration::from_secs(30 * 60)).unwrap()
}

const RULE: TryRule = TryRule { attempts: 5, lock: Duration::from_secs(900) };

async fn try_once(store: &dyn Store, link: &Link, now: Timestamp) -> Try {
    store.begin_try(link.clone(), RULE, now).await.unwrap()
}

// ---- the queue

pub async fn a_message_comes_back_as_it_went_in(store: &dyn Store) {
    let notify = Notify { success: true, failure: false, delay: true };
    let mut first = item();
    first.kind = Kind::Notification;
    first.link = Some(Link { transfer: TransferId::random(), recipient: 7 });
    first.envelope.parameters = MailParameters {
        body: Some(BodyType::EightBitMime),
        smtputf8: true,
        size: Some(u64::MAX),
        ret: Some(Ret::Headers),
        envid: Some("QQ+2B314159".into()),
    };
    first.envelope.recipients[1].parameters =
        RcptParameters { notify: Some(notify), orcpt: Some("rfc822;b+2Bx@example.org".into()) };
    let mut second = item();
    second.created = minutes(1);
    second.envelope.reverse_path = ReversePath::Null;
    second.envelope.recipients = vec![address("jürgen@voorbeeld.nl").into()];
    second.body = at(BlobName::random());

    let expected =
        [&first, &second].map(|item| format!("{:?} {:?} {:?}", item.envelope, item.body, item.link));
    let ids = [first.id.clone(), second.id.clone()];
    let acceptance = message(vec![first, second]);
    let id = acceptance.id.clone();
    assert_eq!(store.commit(acceptance).await.unwrap().to_string(), id.as_str());

    let items = store.claim_due(minutes(1), minutes(10), 10).await.unwrap();
    let found = items.iter().map(|item| {
        let numbers: Vec<_> = item.recipients.iter().map(|pending| pending.number).collect();
        assert_eq!(numbers, (1..=numbers.len() as u32).collect::<Vec<_>>());
        let recipients = item.recipients.iter().map(|pending| pending.recipient.clone()).collect();
        let (reverse_path, parameters) = (item.reverse_path.clone(), item.parameters.clone());
        let envelope = Envelope { reverse_path, parameters, recipients };
        format!("{envelope:?} {:?} {:?}", item.body, item.link)
    });
    assert_eq!(found.collect::<Vec<_>>(), expected);
    assert_eq!(items.iter().map(|item| item.id.clone()).collect::<Vec<_>>(), ids);
    assert_eq!((items[0].kind, items[0].created, items[0].attempts), (Kind::Notification, noon(), 0));
    assert_eq!((items[1].kind, items[1].created), (Kind::Message, minutes(1)));
}

/// Everything or nothing: the last row of the message cannot be written, so the first ones are not there.
pub async fn what_is_refused_leaves_nothing(store: &dyn Store) {
    let known = item();
    let again = NewItem { id: known.id.clone(), ..item() };
    store.commit(message(vec![known])).await.unwrap();

    let (mut transfer, hash) = (transfer(), [9; 32]);
    transfer.thread = vec![hash];
    let blobs: Vec<_> = transfer.parts.iter().map(|part| part.blob.clone()).collect();
    let id = transfer.id.clone();
    let refused = Acceptance { transfer: Some(transfer), ..message(vec![item(), again]) };
    assert!(matches!(store.commit(refused).await, Err(StoreError::Database(_))));

    assert_eq!(store.queue().await.unwrap().len(), 1);
    assert!(store.transfer(id).await.unwrap().is_none());
    assert!(!store.is_sealed_thread(vec![hash]).await.unwrap());
    assert_eq!(store.orphans(blobs.clone()).await.unwrap(), blobs);
}

pub async fn one_refusal_spoils_no_other(store: &dyn Store) {
    let known = QueueId::random();
    store.commit(message(vec![NewItem { id: known.clone(), ..item() }])).await.unwrap();
    let results = join_all((0..60).map(|number| {
        let id = if number % 3 == 0 { known.clone() } else { QueueId::random() };
        store.commit(message(vec![item(), NewItem { id, ..item() }]))
    }))
    .await;
    for (number, result) in results.iter().enumerate() {
        assert_eq!(result.is_err(), number % 3 == 0, "{number}: {result:?}");
    }
    assert_eq!(store.queue().await.unwrap().len(), 1 + 2 * 40);
}

pub async fn an_item_is_claimed_by_one(store: &dyn Store) {
    store.commit(message((0..20).map(|_| item()).collect())).await.unwrap();
    let claims = join_all((0..10).map(|_| store.claim_due(noon(), minutes(10), 3))).await;
    let mut ids: Vec<_> = claims.into_iter().flat_map(Result::unwrap).map(|item| item.id).collect();
    assert_eq!(ids.len(), 20);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 20);
}

pub async fn a_claim_runs_out(store: &dyn Store) {
    let first = claimed(store, item()).await;
    assert!(store.claim_due(minutes(9), minutes(20), 10).await.unwrap().is_empty());
    assert_eq!(store.next_due().await.unwrap(), Some(minutes(10)));
    let again = store.claim_due(minutes(10), minutes(20), 10).await.unwrap();
    assert_eq!(again[0].id, first.id);
    assert_eq!(again[0].attempts, 0);
}

pub async fn claims_are_released_at_start(store: &dyn Store) {
    let first = claimed(store, item()).await;
    store.release_claims().await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), Some(noon()));
    assert_eq!(store.claim_due(noon(), minutes(10), 10).await.unwrap()[0].id, first.id);
}

pub async fn the_oldest_goes_first_and_no_more_than_asked(store: &dyn Store) {
    assert_eq!(store.next_due().await.unwrap(), None);
    for minute in [3, 1, 4, 2, 9] {
        store.commit(message(vec![NewItem { created: minutes(minute), ..item() }])).await.unwrap();
    }
    let created = |items: Vec<Item>| items.iter().map(|item| item.created).collect::<Vec<_>>();
    let first = store.claim_due(minutes(5), minutes(60), 3).await.unwrap();
    assert_eq!(created(first), [1, 2, 3].map(minutes));
    assert_eq!(store.next_due().await.unwrap(), Some(minutes(4)));
    assert_eq!(created(store.claim_due(minutes(5), minutes(60), 3).await.unwrap()), [minutes(4)]);
    assert_eq!(store.next_due().await.unwrap(), Some(minutes(9)));
}

pub async fn an_attempt_is_recorded_per_recipient(store: &dyn Store) {
    let first = claimed(store, item()).await;
    let reason = "451 4.3.0 later".to_owned();
    let deliveries = vec![(1, Delivery::Delivered), (2, Delivery::Later { reason: reason.clone() })];
    store.finish_attempt(attempt(&first, deliveries)).await.unwrap();

    let entry = &store.queue().await.unwrap()[0];
    let states: Vec<_> = entry.recipients.iter().map(|r| (r.state, r.answer.as_str())).collect();
    assert_eq!(states, [("delivered", ""), ("waiting", reason.as_str())]);
    assert!(store.claim_due(minutes(4), minutes(10), 10).await.unwrap().is_empty());
    let again = store.claim_due(minutes(5), minutes(10), 10).await.unwrap().remove(0);
    assert_eq!(again.attempts, 1);
    assert_eq!(again.recipients.iter().map(|pending| pending.number).collect::<Vec<_>>(), [2]);
    assert_eq!(again.body, first.body);

    // A delivered recipient stays so, whatever a late answer says.
    let failed = |number| (number, Delivery::Failed { reason: "550 5.1.1 no".into() });
    store.finish_attempt(attempt(&again, vec![failed(1)])).await.unwrap();
    assert_eq!(store.queue().await.unwrap()[0].recipients[0].state, "delivered");
    let last = store.claim_due(minutes(60), minutes(70), 10).await.unwrap().remove(0);
    store.finish_attempt(attempt(&last, vec![failed(2)])).await.unwrap();
    assert!(store.queue().await.unwrap().is_empty());
}

pub async fn a_finished_item_goes_with_its_blob(store: &dyn Store) {
    let blob = BlobName::random();
    let first = claimed(store, NewItem { body: at(blob.clone()), ..item() }).await;
    store.finish_attempt(attempt(&first, vec![(1, Delivery::Delivered)])).await.unwrap();
    assert!(store.doomed_blobs(10).await.unwrap().is_empty());
    let again = store.claim_due(minutes(5), minutes(10), 10).await.unwrap().remove(0);
    store.finish_attempt(attempt(&again, vec![(2, Delivery::Delivered)])).await.unwrap();
    assert!(store.queue().await.unwrap().is_empty());
    assert_eq!(store.next_due().await.unwrap(), None);
    assert_eq!(store.doomed_blobs(10).await.unwrap(), [blob]);
}

pub async fn a_report_is_queued_with_the_failure(store: &dyn Store) {
    let first = claimed(store, item()).await;
    let report = NewItem { kind: Kind::Report, ..item() };
    let id = report.id.clone();
    let mut finished = attempt(&first, delivered());
    finished.reports = vec![report];
    store.finish_attempt(finished).await.unwrap();
    let entries = store.queue().await.unwrap();
    assert_eq!((entries.len(), entries[0].kind, &entries[0].id), (1, "report", &id));
    assert_eq!(store.claim_due(noon(), minutes(10), 10).await.unwrap()[0].id, id);

    // A report that cannot be queued leaves the attempt unrecorded: nothing is lost.
    let second = claimed(store, item()).await;
    let mut refused = attempt(&second, delivered());
    refused.reports = vec![NewItem { id, ..item() }];
    assert!(store.finish_attempt(refused).await.is_err());
    assert_eq!(store.queue().await.unwrap().len(), 2);
}

pub async fn an_attempt_on_a_dropped_item_is_no_error(store: &dyn Store) {
    let first = claimed(store, item()).await;
    assert!(store.drop_item(first.id.clone(), event(Action::Drop)).await.unwrap());
    store.finish_attempt(attempt(&first, delivered())).await.unwrap();
    assert!(store.queue().await.unwrap().is_empty());
}

pub async fn retry_makes_due_but_never_twice(store: &dyn Store) {
    for minute in [20, 30] {
        store.commit(message(vec![NewItem { created: minutes(minute), ..item() }])).await.unwrap();
    }
    let held = claimed(store, item()).await;
    let waiting = store.queue().await.unwrap()[1].id.clone();
    assert_eq!(store.retry(Some(waiting.clone()), minutes(1), None).await.unwrap(), 1);
    let due = store.claim_due(minutes(1), minutes(40), 10).await.unwrap();
    assert_eq!(due.iter().map(|item| &item.id).collect::<Vec<_>>(), [&waiting]);

    assert_eq!(store.retry(Some(held.id.clone()), minutes(2), None).await.unwrap(), 1);
    assert_eq!(store.retry(None, minutes(2), None).await.unwrap(), 3);
    let due = store.claim_due(minutes(2), minutes(40), 10).await.unwrap();
    assert_eq!(due.len(), 1, "the two that are claimed stay so");
    assert_eq!(store.retry(Some(QueueId::random()), minutes(2), None).await.unwrap(), 0);
}

/// C38
pub async fn what_is_frozen_waits_for_somebody(store: &dyn Store) {
    let frozen = NewItem { kind: Kind::Receipt, ..item() };
    let item = claimed(store, frozen).await;
    let refused = |reason: &str| Delivery::Later { reason: reason.into() };
    let deliveries = vec![(1, Delivery::Delivered), (2, refused("550 5.1.1 no (RCPT TO)"))];
    let ended = Attempt { problem: Some(Problem::Frozen), ..attempt(&item, deliveries) };
    store.finish_attempt(ended).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), None);
    store.release_claims().await.unwrap();
    store.hurry(minutes(60)).await.unwrap();
    let years = days_later(noon(), 3650);
    assert!(store.claim_due(years, years, 10).await.unwrap().is_empty());

    let entry = store.queue().await.unwrap().remove(0);
    assert_eq!(entry.problem, Some("frozen"));
    let states: Vec<_> = entry.recipients.iter().map(|one| (one.state, one.answer.as_str())).collect();
    assert_eq!(states, [("delivered", ""), ("frozen", "550 5.1.1 no (RCPT TO)")]);
    let gauges = store.gauges(noon()).await.unwrap();
    let [problem] = gauges.problems.as_slice() else { panic!("one problem: {:?}", gauges.problems) };
    assert_eq!((problem.problem, problem.items), (Problem::Frozen, 1));
    assert_eq!((problem.reason.as_str(), gauges.oldest_queued), ("550 5.1.1 no (RCPT TO)", None));

    assert_eq!(store.retry(Some(item.id.clone()), minutes(60), None).await.unwrap(), 1);
    assert!(store.gauges(noon()).await.unwrap().problems.is_empty());
    let again = store.claim_due(minutes(60), years, 10).await.unwrap().remove(0);
    assert_eq!((again.id.clone(), again.recipients.len()), (item.id, 1));
    let waits =
        Attempt { problem: Some(Problem::NeedsTls), ..attempt(&again, vec![(2, refused("4.7.5 no"))]) };
    store.finish_attempt(waits).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), Some(minutes(5)), "what only waits is tried again");
    let problems = store.gauges(noon()).await.unwrap().problems;
    assert_eq!((problems[0].problem, problems[0].reason.as_str()), (Problem::NeedsTls, "4.7.5 no"));
}

pub async fn a_dropped_item_is_gone(store: &dyn Store) {
    let blob = BlobName::random();
    let gone = NewItem { body: at(blob.clone()), ..item() };
    let (id, kept) = (gone.id.clone(), item());
    let kept_id = kept.id.clone();
    store.commit(message(vec![gone, kept])).await.unwrap();
    assert!(store.drop_item(id.clone(), event(Action::Drop)).await.unwrap());
    assert!(!store.drop_item(id, event(Action::Drop)).await.unwrap());
    assert_eq!(store.doomed_blobs(10).await.unwrap(), [blob]);
    assert_eq!(store.claim_due(noon(), minutes(1), 10).await.unwrap()[0].id, kept_id);
}

pub async fn the_queue_can_be_looked_at(store: &dyn Store) {
    let link = Link { transfer: TransferId::random(), recipient: 2 };
    let mut notice = NewItem { kind: Kind::Receipt, link: Some(link.clone()), ..item() };
    notice.envelope.reverse_path = ReversePath::Null;
    notice.created = minutes(1);
    store.commit(message(vec![notice, item()])).await.unwrap();
    let entries = store.queue().await.unwrap();
    assert_eq!(entries.iter().map(|entry| entry.created).collect::<Vec<_>>(), [noon(), minutes(1)]);
    assert_eq!((entries[0].from.as_str(), entries[0].kind), ("jan@voorbeeld.nl", "message"));
    assert_eq!((entries[1].from.as_str(), entries[1].kind), ("<>", "receipt"));
    assert_eq!((&entries[1].transfer, entries[1].attempts), (&Some(link.transfer), 0));
    assert_eq!(entries[1].next_attempt, minutes(1));
    let recipients: Vec<_> = entries[0].recipients.iter().map(|r| (r.address.as_str(), r.state)).collect();
    assert_eq!(recipients, [("a@example.org", "waiting"), ("b@example.org", "waiting")]);
}

// ---- transfers

pub async fn a_transfer_comes_back_as_it_went_in(store: &dyn Store) {
    let (first, mut second) = (transfer(), transfer());
    (second.sender, second.password) = (None, false);
    second.reply_to = Vec::new();
    let (parts, ids) = (first.parts.clone(), [second.id.clone(), first.id.clone()]);
    store.commit(sealed(first)).await.unwrap();
    store.commit(sealed(second)).await.unwrap();

    let found = store.transfer(ids[1].clone()).await.unwrap().unwrap();
    assert_eq!((found.created, found.expires), (noon(), days_later(noon(), 30)));
    assert_eq!((found.sender, found.password), (Some(address("jan@voorbeeld.nl")), true));
    assert_eq!(found.message_id.as_deref(), Some("<besluit@voorbeeld.nl>"));
    assert_eq!(found.reply_to, [address("zaak-12@voorbeeld.nl"), address("zaak@voorbeeld.nl")]);
    assert_eq!(found.parts, parts);
    let second = &found.recipients[1];
    assert_eq!((second.number, second.address.as_str()), (2, "b@example.org"));
    assert_eq!(second.key_packet.as_deref(), Some(&b"key packet of b@example.org"[..]));
    assert_eq!((second.tries, second.locked_until, second.opened, second.recalled), (0, None, None, None));

    let all = store.transfers().await.unwrap();
    assert_eq!(all.iter().map(|transfer| transfer.id.clone()).collect::<Vec<_>>(), ids);
    assert_eq!((all[0].sender.clone(), all[0].password, all[0].recipients.len()), (None, false, 2));
    assert!(all[1].parts.is_empty());
    assert!(store.transfer(TransferId::random()).await.unwrap().is_none());
}

/// C16: no number of parallel tries gets around the limit.
pub async fn tries_are_counted_before_they_are_made(store: &dyn Store) {
    let link = linked(store).await;
    let tries = join_all((0..50).map(|_| try_once(store, &link, noon()))).await;
    let lock = minutes(15);
    let allowed: Vec<_> = tries.iter().filter(|t| matches!(t, Try::Allowed { .. })).collect();
    assert_eq!(allowed.len(), 5);
    assert_eq!(
        allowed
            .iter()
            .filter(|t| matches!(t, Try::Allowed { locked: Some(until) } if *until == lock))
            .count(),
        1
    );
    assert_eq!(tries.iter().filter(|t| matches!(t, Try::Locked(until) if *until == lock)).count(), 45);

    let other = Link { recipient: 2, ..link.clone() };
    assert!(matches!(try_once(store, &other, noon()).await, Try::Allowed { locked: None }));
    for unknown in [Link { recipient: 3, ..link }, Link { transfer: TransferId::random(), recipient: 1 }] {
        assert!(matches!(try_once(store, &unknown, noon()).await, Try::Unknown));
    }
}

pub async fn every_lock_is_longer(store: &dyn Store) {
    let link = linked(store).await;
    let mut now = noon();
    for lock in [15, 30, 60] {
        let until = later(now, Duration::from_secs(60 * lock));
        for _ in 0..4 {
            assert!(matches!(try_once(store, &link, now).await, Try::Allowed { locked: None }));
        }
        assert!(
            matches!(try_once(store, &link, now).await, Try::Allowed { locked: Some(at) } if at == until)
        );
        assert!(matches!(try_once(store, &link, now).await, Try::Locked(at) if at == until));
        let recipient = store.transfer(link.transfer.clone()).await.unwrap().unwrap().recipients.remove(0);
        assert_eq!(recipient.locked_until, Some(until));
        now = until;
    }
}

pub async fn a_right_password_forgets_the_tries(store: &dyn Store) {
    let link = linked(store).await;
    for _ in 0..5 {
        try_once(store, &link, noon()).await;
    }
    open(store, session(1, &link)).await.unwrap();
    let recipients = store.transfer(link.transfer.clone()).await.unwrap().unwrap().recipients;
    assert_eq!((recipients[0].tries, recipients[0].locked_until), (0, None));
    assert_eq!((recipients[0].opened, recipients[1].opened), (Some(noon()), None));
    assert!(matches!(try_once(store, &link, noon()).await, Try::Allowed { locked: None }));

    open(store, Session { used: minutes(3), ..session(2, &link) }).await.unwrap();
    let recipients = store.transfer(link.transfer).await.unwrap().unwrap().recipients;
    assert_eq!(recipients[0].opened, Some(noon()), "the first opening counts");
}

/// C17: what a session opens is decided when it is made.
pub async fn a_session_opens_its_link_only(store: &dyn Store) {
    let first = linked(store).await;
    let second = Link { recipient: 2, ..linked(store).await };
    open(store, session(1, &first)).await.unwrap();
    open(store, session(2, &second)).await.unwrap();
    for (id, link) in [(1, first), (2, second)] {
        let found = live(store, id, noon()).await.unwrap();
        assert_eq!((found.id, found.link, found.wrapped_key), ([id; 32], link, vec![id; 48]));
    }
    assert!(live(store, 3, noon()).await.is_none());
    store.end_session([1; 32], event(Action::Finish)).await.unwrap();
    store.end_session([1; 32], event(Action::Finish)).await.unwrap();
    assert!(live(store, 1, noon()).await.is_none());
    assert!(live(store, 2, noon()).await.is_some());
}

pub async fn a_session_ends_when_idle(store: &dyn Store) {
    let link = linked(store).await;
    open(store, session(1, &link)).await.unwrap();
    open(store, session(2, &link)).await.unwrap();
    for minute in [20, 40, 60] {
        assert!(live(store, 1, minutes(minute)).await.is_some(), "every use gives it more time");
    }
    assert!(live(store, 2, minutes(31)).await.is_none());
    assert_eq!(store.sweep_sessions(minutes(31)).await.unwrap(), 1);
    assert!(live(store, 1, minutes(90)).await.is_some());
    assert!(live(store, 1, minutes(121)).await.is_none());
}

/// C25: keys, sessions and blobs, and of nothing but what is over.
pub async fn expiry_destroys_keys_sessions_and_parts(store: &dyn Store) {
    let (ended, kept) = (transfer(), NewTransfer { expires: days_later(noon(), 31), ..transfer() });
    let (id, kept_id) = (ended.id.clone(), kept.id.clone());
    let mut blobs: Vec<_> = ended.parts.iter().map(|part| part.blob.clone()).collect();
    let links = [&id, &kept_id].map(|id| Link { transfer: id.clone(), recipient: 1 });
    store.commit(sealed(ended)).await.unwrap();
    store.commit(sealed(kept)).await.unwrap();
    open(store, session(1, &links[0])).await.unwrap();
    open(store, session(2, &links[1])).await.unwrap();

    let end = days_later(noon(), 30);
    let just_before = end.saturating_sub(Duration::from_micros(1)).unwrap();
    assert!(store.expire(just_before, just_before).await.unwrap().is_empty());
    assert_eq!(store.expire(end, end).await.unwrap(), std::slice::from_ref(&id));
    assert!(store.expire(end, end).await.unwrap().is_empty());

    let ended = store.transfer(id).await.unwrap().unwrap();
    assert!(ended.recipients.iter().all(|recipient| recipient.key_packet.is_none()));
    assert!(ended.parts.is_empty());
    assert_eq!(ended.recipients[0].opened, Some(noon()), "that it was opened is still known");
    assert!(live(store, 1, noon()).await.is_none());
    let mut doomed = store.doomed_blobs(10).await.unwrap();
    doomed.sort();
    blobs.sort();
    assert_eq!(doomed, blobs);

    let kept = store.transfer(kept_id).await.unwrap().unwrap();
    assert!(kept.recipients.iter().all(|recipient| recipient.key_packet.is_some()));
    assert_eq!(kept.parts.len(), 3);
    assert!(live(store, 2, noon()).await.is_some());
}

/// The password was being checked while the transfer expired.
pub async fn a_closed_link_is_not_opened(store: &dyn Store) {
    let link = linked(store).await;
    assert!(matches!(try_once(store, &link, noon()).await, Try::Allowed { .. }));
    store.expire(days_later(noon(), 30), days_later(noon(), 30)).await.unwrap();
    assert!(matches!(open(store, session(1, &link)).await, Err(StoreError::Gone)));
    assert!(live(store, 1, noon()).await.is_none());
    let unknown = Link { transfer: TransferId::random(), recipient: 1 };
    assert!(matches!(open(store, session(2, &unknown)).await, Err(StoreError::Gone)));
}

// ---- what is done with a transfer after it was sent

fn recall(link: &Link, recipient: Option<u16>) -> Recall {
    Recall {
        transfer: link.transfer.clone(),
        recipients: recipient.map_or_else(|| vec![1, 2], |one| vec![one]),
        now: minutes(3),
        closed: minutes(3),
        actor: Actor::admin("beheer"),
        notices: Vec::new(),
    }
}

fn notice(link: &Link, kind: Kind) -> NewItem {
    NewItem { kind, link: Some(link.clone()), ..item() }
}

async fn recipient(store: &dyn Store, link: &Link) -> Recipient {
    let transfer = store.transfer(link.transfer.clone()).await.unwrap().unwrap();
    transfer.recipients.into_iter().find(|one| one.number == link.recipient).unwrap()
}

async fn queued(store: &dyn Store) -> Vec<&'static str> {
    store.queue().await.unwrap().iter().map(|entry| entry.kind).collect()
}

/// C25: the key, then the sessions; with the last key the parts.
pub async fn a_recall_destroys_one_key_or_all(store: &dyn Store) {
    let (first, other) = (linked(store).await, linked(store).await);
    let second = Link { recipient: 2, ..first.clone() };
    for (id, link) in [(1, &first), (2, &second), (3, &other)] {
        open(store, session(id, link)).await.unwrap();
    }
    assert_eq!(store.recall(recall(&first, Some(1))).await.unwrap(), [1]);
    let one = recipient(store, &first).await;
    assert_eq!((one.key_packet, one.recalled, one.opened), (None, Some(minutes(3)), Some(noon())));
    assert!(live(store, 1, noon()).await.is_none());
    assert!(matches!(open(store, session(4, &first)).await, Err(StoreError::Gone)));
    assert!(live(store, 2, noon()).await.is_some(), "the other recipient's");
    assert!(store.doomed_blobs(10).await.unwrap().is_empty());

    assert_eq!(store.recall(recall(&first, None)).await.unwrap(), [2], "all that are left");
    assert!(live(store, 2, noon()).await.is_none());
    let transfer = store.transfer(first.transfer.clone()).await.unwrap().unwrap();
    assert!(transfer.parts.is_empty());
    assert_eq!(store.doomed_blobs(10).await.unwrap().len(), 3);
    assert!(live(store, 3, noon()).await.is_some(), "another transfer's");
    assert_eq!(
        store.expire(days_later(noon(), 29), days_later(noon(), 29)).await.unwrap(),
        [],
        "it is over already"
    );
    let trail = store.trail(first.transfer.clone()).await.unwrap();
    let results: Vec<_> = trail.iter().map(|entry| (entry.object.as_str(), entry.result.as_str())).collect();
    let (one, two) = (first.to_string(), second.to_string());
    assert_eq!(results, [(one.as_str(), "ok, opened before"), (two.as_str(), "ok, opened before")]);
}

pub async fn of_two_recalls_one_does_it(store: &dyn Store) {
    let link = linked(store).await;
    let done = join_all((0..4).map(|_| store.recall(recall(&link, None)))).await;
    let done: Vec<u16> = done.into_iter().flat_map(|done| done.unwrap()).collect();
    assert_eq!(done, [1, 2]);
    assert_eq!(store.trail(link.transfer).await.unwrap().len(), 2);
}

/// What is in delivery at that moment goes as well; that it arrived after all is noted.
pub async fn a_recall_drops_what_has_not_left(store: &dyn Store) {
    let link = linked(store).await;
    let second = Link { recipient: 2, ..link.clone() };
    let item = claimed(store, notice(&link, Kind::Notification)).await;
    store.commit(message(vec![notice(&second, Kind::Notification)])).await.unwrap();
    store.commit(message(vec![notice(&link, Kind::Receipt)])).await.unwrap();
    store.recall(recall(&link, Some(1))).await.unwrap();
    assert_eq!(queued(store).await, ["notification", "receipt"]);
    store.finish_attempt(attempt(&item, delivered())).await.unwrap();
    assert_eq!(recipient(store, &link).await.notified, Some(minutes(1)));
}

pub async fn a_recalled_recipient_is_told_only_if_notified(store: &dyn Store) {
    let link = linked(store).await;
    let second = Link { recipient: 2, ..link.clone() };
    let item = claimed(store, notice(&link, Kind::Notification)).await;
    store.finish_attempt(attempt(&item, delivered())).await.unwrap();
    let notices = vec![notice(&link, Kind::Recall), notice(&second, Kind::Recall)];
    store.recall(Recall { notices, ..recall(&link, None) }).await.unwrap();
    let queue = store.claim_due(minutes(9), minutes(20), 10).await.unwrap();
    let told: Vec<_> = queue.into_iter().map(|item| (item.kind, item.link)).collect();
    assert_eq!(told, [(Kind::Recall, Some(link))]);
}

/// Expired for good, whatever the clock says later.
pub async fn what_is_gone_can_be_neither_recalled_nor_extended(store: &dyn Store) {
    let link = linked(store).await;
    let end = days_later(noon(), 30);
    let extension = |expires, closed| Extension {
        transfer: link.transfer.clone(),
        expires,
        closed,
        event: event(Action::Extend),
    };
    assert!(store.extend(extension(end, noon())).await.unwrap());
    assert!(!store.extend(extension(days_later(end, 9), end)).await.unwrap(), "its date has come");
    let late = Recall { now: end, closed: end, ..recall(&link, None) };
    assert_eq!(store.recall(late).await.unwrap(), [] as [u16; 0]);
    store.expire(end, end).await.unwrap();
    assert!(!store.extend(extension(days_later(end, 9), noon())).await.unwrap(), "its keys are gone");
    assert_eq!(store.recall(recall(&link, None)).await.unwrap(), [] as [u16; 0]);

    let link = linked(store).await;
    store.recall(recall(&link, None)).await.unwrap();
    let extension = Extension { transfer: link.transfer.clone(), ..extension(end, noon()) };
    assert!(!store.extend(extension).await.unwrap(), "it was taken back");
}

pub async fn a_delivered_notification_is_noted(store: &dyn Store) {
    let link = linked(store).await;
    let item = claimed(store, notice(&link, Kind::Receipt)).await;
    store.finish_attempt(attempt(&item, delivered())).await.unwrap();
    assert_eq!(recipient(store, &link).await.notified, None, "a receipt is no notification");
    let item = claimed(store, notice(&link, Kind::Notification)).await;
    let later = vec![(1, Delivery::Later { reason: "451 4.3.0".into() })];
    store.finish_attempt(attempt(&item, later)).await.unwrap();
    assert_eq!(recipient(store, &link).await.notified, None);
    store.finish_attempt(attempt(&item, delivered())).await.unwrap();
    let one = recipient(store, &link).await;
    assert_eq!((one.notified, one.bounced), (Some(minutes(1)), None));
    assert_eq!(recipient(store, &Link { recipient: 2, ..link }).await.notified, None);
}

fn reported(own: bool, action: Reported, reason: &str) -> DeliveryReport {
    DeliveryReport { own, action, time: minutes(1), reason: reason.to_owned() }
}

pub async fn reports_are_kept_and_close_only_what_nobody_has_opened(store: &dyn Store) {
    let link = linked(store).await;
    let second = Link { recipient: 2, ..link.clone() };
    for report in [
        reported(false, Reported::Failed, "1"),
        reported(false, Reported::Failed, "2"),
        reported(true, Reported::Delayed, "3"),
        reported(true, Reported::Delivered, "4"),
    ] {
        assert!(!store.report(link.clone(), report).await.unwrap());
    }
    open(store, session(1, &link)).await.unwrap();
    assert!(
        !store.report(link.clone(), reported(true, Reported::Failed, "5")).await.unwrap(),
        "it was opened"
    );
    assert!(live(store, 1, noon()).await.is_some());
    assert!(store.report(second.clone(), reported(true, Reported::Failed, "6")).await.unwrap());
    assert!(
        !store.report(second, reported(true, Reported::Failed, "7")).await.unwrap(),
        "it is closed already"
    );
    let nobody = Link { recipient: 9, ..link.clone() };
    assert!(!store.report(nobody, reported(true, Reported::Failed, "8")).await.unwrap());
    let mut kept = store.reports(link.transfer.clone()).await.unwrap();
    kept.sort_by_key(|(_, report)| report.reason.clone());
    let kept: Vec<_> =
        kept.into_iter().map(|(number, one)| (number, one.own, one.action, one.reason)).collect();
    let of_first = |own, action, reason: &str| (1, own, action, reason.to_owned());
    assert_eq!(
        kept,
        [
            of_first(false, Reported::Failed, "2"),
            of_first(true, Reported::Delayed, "3"),
            of_first(true, Reported::Delivered, "4"),
            of_first(true, Reported::Failed, "5"),
        ]
    );
    assert_eq!(store.trail(link.transfer).await.unwrap().len(), 5, "one event for each kind");
}

pub async fn a_bounce_closes_a_link_until_the_next_notification(store: &dyn Store) {
    let link = linked(store).await;
    let item = claimed(store, notice(&link, Kind::Notification)).await;
    let reason = "550 5.1.1 no such user".to_owned();
    let failed = vec![(1, Delivery::Failed { reason: reason.clone() })];
    store.finish_attempt(attempt(&item, failed)).await.unwrap();
    let bounce = Bounce { time: minutes(1), reason };
    assert_eq!(recipient(store, &link).await.bounced, Some(bounce.clone()));
    assert!(matches!(open(store, session(2, &link)).await, Err(StoreError::Gone)));
    let failed = reported(true, Reported::Failed, &bounce.reason);
    assert!(!store.report(link.clone(), failed.clone()).await.unwrap(), "it is closed already");
    let second = Link { recipient: 2, ..link.clone() };
    assert!(store.report(second.clone(), failed.clone()).await.unwrap());

    assert_eq!(store.send(limited(&link, true), noon()).await.unwrap(), Sent::Queued);
    open(store, session(3, &link)).await.unwrap();
    assert!(matches!(open(store, session(4, &second)).await, Err(StoreError::Gone)));
    store.recall(recall(&link, None)).await.unwrap();
    assert!(!store.report(link.clone(), failed).await.unwrap(), "it is taken back");
    let trail = store.trail(link.transfer).await.unwrap();
    let closed = trail.iter().filter(|entry| entry.action == Action::Bounce.as_str()).count();
    let taken_back = trail.iter().filter(|entry| entry.action == Action::Recall.as_str()).count();
    assert_eq!((closed, taken_back), (2, 2));
}

fn limited(link: &Link, invites: bool) -> LimitedNotice {
    LimitedNotice {
        link: link.clone(),
        item: notice(link, Kind::Notification),
        invites,
        bucket: format!("resend {link}"),
        rate: Rate::per(1, Duration::from_secs(600)),
        in_all: ("resends", Rate::per(1000, Duration::from_secs(3600))),
        event: event(Action::Resend),
    }
}

/// H42: many links bring no more than there may be in all, and a link that was refused for it has lost nothing.
pub async fn limited_notices_are_bounded_in_all(store: &dyn Store) {
    let (one, other) = (linked(store).await, linked(store).await);
    let send = async |link: &Link, time| {
        let in_all = ("few", Rate::per(1, Duration::from_secs(300)));
        store.send(LimitedNotice { in_all, ..limited(link, true) }, time).await.unwrap()
    };
    assert_eq!(send(&one, noon()).await, Sent::Queued);
    assert_eq!(send(&other, noon()).await, Sent::NotBefore(minutes(5)));
    assert_eq!(send(&other, minutes(5)).await, Sent::Queued);
    assert_eq!(queued(store).await.len(), 2);
}

pub async fn a_limited_notice_goes_once(store: &dyn Store) {
    let link = linked(store).await;
    let sent = join_all((0..3).map(|_| store.send(limited(&link, true), noon()))).await;
    let sent: Vec<_> = sent.into_iter().map(|sent| sent.unwrap()).collect();
    assert_eq!(sent, [Sent::Queued, Sent::NotBefore(minutes(10)), Sent::NotBefore(minutes(10))]);
    assert_eq!(queued(store).await.len(), 1);
    assert_eq!(store.send(limited(&link, true), minutes(10)).await.unwrap(), Sent::Queued);

    let end = days_later(noon(), 30);
    assert_eq!(store.send(limited(&link, true), end).await.unwrap(), Sent::Closed);
    assert_eq!(store.send(limited(&link, false), end).await.unwrap(), Sent::Queued, "to the sender");
    store.recall(recall(&link, Some(1))).await.unwrap();
    assert_eq!(store.send(limited(&link, true), minutes(30)).await.unwrap(), Sent::Closed);
}

pub async fn a_lock_can_be_taken_off(store: &dyn Store) {
    let link = linked(store).await;
    assert!(!store.clear_tries(link.clone(), event(Action::Unlock)).await.unwrap(), "there is none");
    for _ in 0..5 {
        try_once(store, &link, noon()).await;
    }
    assert!(matches!(try_once(store, &link, noon()).await, Try::Locked(_)));
    assert!(store.clear_tries(link.clone(), event(Action::Unlock)).await.unwrap());
    assert!(matches!(try_once(store, &link, noon()).await, Try::Allowed { locked: None }));
    store.recall(recall(&link, None)).await.unwrap();
    assert!(!store.clear_tries(link, event(Action::Unlock)).await.unwrap(), "it is taken back");
}

/// The first file, whole, in this session.
fn fetch_of(link: &Link, session: u8) -> Fetch {
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

async fn download_events(store: &dyn Store, link: &Link) -> usize {
    let trail = store.trail(link.transfer.clone()).await.unwrap();
    trail.iter().filter(|entry| entry.action == Action::Download.as_str()).count()
}

pub async fn downloads_are_counted_per_part(store: &dyn Store) {
    let (link, other) = (linked(store).await, linked(store).await);
    let second = Link { recipient: 2, ..link.clone() };
    for (id, link) in [(1, &link), (2, &second), (3, &other)] {
        open(store, session(id, link)).await.unwrap();
    }
    let at = |time| Event { time, ..event(Action::Download) };
    let fetch = |link: &Link, session, what: &str, parts: &[u32], minute| Fetch {
        what: what.into(),
        parts: parts.to_vec(),
        event: at(minutes(minute)),
        ..fetch_of(link, session)
    };
    store.downloaded(fetch(&link, 1, "zip", &[1, 2], 1)).await.unwrap();
    store.downloaded(fetch(&link, 1, "2", &[2], 5)).await.unwrap();
    store.downloaded(fetch(&second, 2, "2", &[2], 2)).await.unwrap();
    store.downloaded(fetch(&other, 3, "1", &[1], 3)).await.unwrap();
    let downloads = store.downloads(link.transfer).await.unwrap();
    let download = |recipient, part, first, last, count| Download {
        recipient,
        part,
        first: minutes(first),
        last: minutes(last),
        count,
        whole: true,
    };
    assert_eq!(downloads, [download(1, 1, 1, 1, 1), download(1, 2, 1, 5, 2), download(2, 2, 2, 2, 1)]);
}

/// C39: one in a session until there is a pause; and nothing for a session that has ended.
pub async fn a_download_is_one_however_often_it_is_asked_for(store: &dyn Store) {
    let link = linked(store).await;
    open(store, session(1, &link)).await.unwrap();
    open(store, session(2, &link)).await.unwrap();
    let fetch = async |session: u8, minute: u64, whole: bool| {
        let fetch = fetch_of(&link, session);
        let event = Event { time: minutes(minute), ..fetch.event.clone() };
        store.downloaded(Fetch { whole, event, ..fetch }).await
    };
    let noted =
        async |whole: bool, now: Timestamp| store.is_noted([1; 32], "1".into(), whole, now).await.unwrap();
    assert!(!noted(false, noon()).await);
    fetch(1, 0, false).await.unwrap();
    assert!(noted(false, later(noon(), Duration::from_secs(59))).await);
    assert!(!noted(false, minutes(1)).await, "the last time is known to the minute");
    assert!(!noted(true, noon()).await, "that is more than was noted");
    for (session, minute, count) in [(1, 9, 1), (1, 18, 1), (2, 18, 2), (1, 28, 3)] {
        fetch(session, minute, minute == 9).await.unwrap();
        let one = &store.downloads(link.transfer.clone()).await.unwrap()[0];
        assert_eq!((one.count, one.whole, one.last), (count, true, minutes(minute)), "{session} {minute}");
        assert_eq!(download_events(store, &link).await, count as usize, "{session} {minute}");
    }
    store.recall(recall(&link, Some(1))).await.unwrap();
    assert!(matches!(fetch(1, 29, true).await, Err(StoreError::Gone)));
    assert_eq!(store.downloads(link.transfer.clone()).await.unwrap()[0].last, minutes(28));
    assert!(!noted(false, minutes(28)).await);
}

/// C39: many sessions buy no endless rows; what is fetched for the first time is always an event.
pub async fn a_links_events_are_bounded_and_its_count_goes_on(store: &dyn Store) {
    let link = linked(store).await;
    for id in 1..=230 {
        open(store, session(id, &link)).await.unwrap();
        store.downloaded(fetch_of(&link, id)).await.unwrap();
    }
    assert_eq!(download_events(store, &link).await, 201, "the first, and 200 more");
    let second = Fetch { what: "2".into(), parts: vec![2], ..fetch_of(&link, 230) };
    store.downloaded(second).await.unwrap();
    assert_eq!(download_events(store, &link).await, 202, "this one is new");
    assert_eq!(store.downloads(link.transfer.clone()).await.unwrap()[0].count, 230);
}

pub async fn a_trail_is_of_one_transfer(store: &dyn Store) {
    let link = linked(store).await;
    let about = |object: String, minute| Event { object, time: minutes(minute), ..event(Action::Open) };
    let transfer = link.transfer.to_string();
    for (object, minute) in [
        (format!("{link}/3"), 4),
        (transfer.clone(), 1),
        (link.to_string(), 2),
        (format!("{transfer}x"), 3),
        (format!("{transfer}0"), 3),
        (TransferId::random().to_string(), 3),
    ] {
        store.record(about(object, minute)).await.unwrap();
    }
    let trail = store.trail(link.transfer.clone()).await.unwrap();
    let objects: Vec<_> = trail.into_iter().map(|entry| entry.object).collect();
    assert_eq!(objects, [transfer, link.to_string(), format!("{link}/3")]);
}

pub async fn a_sealed_thread_is_known(store: &dyn Store) {
    let (first, second) = (
        NewTransfer { thread: vec![[1; 32], [2; 32]], ..transfer() },
        NewTransfer { thread: vec![[2; 32], [3; 32]], answers: vec![[1; 32], [9; 32]], ..transfer() },
    );
    store.commit(sealed(first)).await.unwrap();
    store.commit(sealed(second)).await.unwrap();
    for (hashes, known) in [
        (vec![], false),
        (vec![[9; 32]], false),
        (vec![[1; 32]], true),
        (vec![[9; 32], [8; 32], [3; 32]], true),
    ] {
        assert_eq!(store.is_sealed_thread(hashes.clone()).await.unwrap(), known, "{hashes:?}");
    }
    store.expire(days_later(noon(), 30), days_later(noon(), 30)).await.unwrap();
    assert!(store.is_sealed_thread(vec![[2; 32]]).await.unwrap(), "an answer may come after the expiry date");
}

// ---- limits, blobs, figures

pub async fn a_rate_holds_for_parallel_callers(store: &dyn Store) {
    let rate = Rate::per(3, Duration::from_secs(30));
    let take = |bucket: &str, now| store.take(bucket.to_owned(), rate, now);
    let taken = join_all((0..20).map(|_| take("client 192.0.2.1", noon()))).await;
    let again: Vec<_> = taken.into_iter().filter_map(Result::unwrap).collect();
    let soon = later(noon(), Duration::from_secs(10));
    assert_eq!(again, vec![soon; 17]);
    assert_eq!(take("client 192.0.2.2", noon()).await.unwrap(), None);
    assert_eq!(take("client 192.0.2.1", soon).await.unwrap(), None);
    assert!(take("client 192.0.2.1", soon).await.unwrap().is_some());
    // Buckets that are full again are forgotten on the way; that changes nothing.
    store.expire(soon, soon).await.unwrap();
    assert!(take("client 192.0.2.1", soon).await.unwrap().is_some());
    store.expire(minutes(5), minutes(5)).await.unwrap();
    assert_eq!(take("client 192.0.2.1", minutes(5)).await.unwrap(), None);
}

pub async fn blobs_are_given_up_once(store: &dyn Store) {
    let ended = transfer();
    let names: Vec<_> = ended.parts.iter().map(|part| part.blob.clone()).collect();
    store.commit(sealed(ended)).await.unwrap();
    store.expire(days_later(noon(), 30), days_later(noon(), 30)).await.unwrap();
    assert_eq!(store.doomed_blobs(2).await.unwrap().len(), 2);
    store.forget_blobs(names[..2].to_vec()).await.unwrap();
    store.forget_blobs(names[..2].to_vec()).await.unwrap();
    assert_eq!(store.doomed_blobs(10).await.unwrap(), [names[2].clone()]);
}

pub async fn an_orphan_is_what_no_row_knows(store: &dyn Store) {
    let (kept, ended) = (NewTransfer { expires: days_later(noon(), 60), ..transfer() }, transfer());
    let body = BlobName::random();
    let mut known: Vec<_> = kept.parts.iter().chain(&ended.parts).map(|part| part.blob.clone()).collect();
    known.push(body.clone());
    store.commit(sealed(ended)).await.unwrap();
    store.expire(days_later(noon(), 30), days_later(noon(), 30)).await.unwrap();
    let queued = NewItem { body: at(body), ..item() };
    store.commit(Acceptance { transfer: Some(kept), ..message(vec![queued]) }).await.unwrap();

    let orphan = BlobName::random();
    let asked = known.into_iter().chain([orphan.clone()]).collect();
    assert_eq!(store.orphans(asked).await.unwrap(), [orphan]);
}

pub async fn figures_tell_the_truth(store: &dyn Store) {
    let empty = store.gauges(noon()).await.unwrap();
    assert_eq!((empty.queued, empty.oldest_queued, empty.transfers, empty.locked_links), (0, None, 0, 0));
    let link = linked(store).await;
    linked(store).await;
    store.commit(message(vec![NewItem { created: minutes(1), ..item() }, item()])).await.unwrap();
    for _ in 0..5 {
        try_once(store, &link, noon()).await;
    }
    let now = store.gauges(noon()).await.unwrap();
    assert_eq!((now.queued, now.oldest_queued, now.transfers, now.locked_links), (2, Some(noon()), 2, 1));
    store.record(event(Action::Configuration)).await.unwrap();
    store.expire(days_later(noon(), 30), days_later(noon(), 30)).await.unwrap();
    let after = store.gauges(minutes(15)).await.unwrap();
    assert_eq!((after.transfers, after.locked_links), (0, 0));
}

// ---- blobs

fn write(blobs: &dyn Blobs, bytes: &[u8]) -> BlobName {
    let mut writer = blobs.create().unwrap();
    writer.write_all(bytes).unwrap();
    writer.commit().unwrap()
}

fn read(blobs: &dyn Blobs, name: &BlobName) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    blobs.open(name)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

pub fn bytes_come_back(blobs: &dyn Blobs) {
    let large: Vec<u8> = (0..1_000_003u32).map(|n| (n % 251) as u8).collect();
    let contents: [&[u8]; 3] = [b"", b"sealed", &large];
    let mut names = contents.map(|bytes| write(blobs, bytes)).to_vec();
    for (name, bytes) in names.iter().zip(contents) {
        assert!(read(blobs, name).unwrap() == bytes);
    }
    let mut found = blobs.names().unwrap();
    found.sort();
    names.sort();
    assert_eq!(found, names);
}

pub fn what_is_not_committed_is_not_there(blobs: &dyn Blobs) {
    let mut writer = blobs.create().unwrap();
    writer.write_all(&[1; 200_000]).unwrap();
    writer.flush().unwrap();
    assert!(blobs.names().unwrap().is_empty());
    drop(writer);
    assert!(blobs.names().unwrap().is_empty());
}

pub fn what_is_removed_is_gone(blobs: &dyn Blobs) {
    let (gone, kept) = (write(blobs, b"gone"), write(blobs, b"kept"));
    let mut open = blobs.open(&gone).unwrap();
    blobs.remove(&gone).unwrap();
    blobs.remove(&gone).unwrap();
    assert_eq!(read(blobs, &gone).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(read(blobs, &kept).unwrap(), b"kept");
    assert_eq!(blobs.names().unwrap(), [kept]);
    // Who reads it already gets it whole, or an error: never a part that looks like all of it.
    let mut rest = Vec::new();
    assert!(open.read_to_end(&mut rest).is_err() || rest == b"gone");
}
