//! What every [`DraftStore`] must do, whatever it is built on; as `conformance` for the rest. An implementation's
//! tests call `draft_conformance!` with a way to make a fresh store.

use std::time::Duration;

use super::{event, item, message, noon, transfer};
use crate::audit::Action;
use crate::clock::later;
use crate::id::UploadId;
use crate::limits::Rate;
use crate::store::*;

/// One test per statement.
macro_rules! draft_conformance {
    ($open:expr) => {
        $crate::store::conformance::drafts::draft_conformance!(@each $open,
            a_draft_is_its_authors_only, a_closed_link_takes_nothing, uploads_keep_their_limits,
            a_piece_is_added_once_and_in_its_place, a_length_is_told_once, a_removed_upload_gives_up_its_blobs,
            a_whole_upload_is_marked_as_scanned,
            an_idle_draft_is_swept, expiry_takes_drafts_along, an_answer_ends_the_draft_it_was_read_from,
            answers_are_counted_by_the_day, a_code_is_tried_and_spent, codes_and_mails_are_counted,
            a_browser_is_remembered_for_a_while, codes_are_bounded_per_link_and_in_all,
            drafts_of_a_link_are_bounded, sessions_of_a_link_are_bounded);
    };
    (@each $open:expr, $($case:ident),*) => {$(
        #[tokio::test]
        async fn $case() {
            let (store, _keep) = $open;
            $crate::store::conformance::drafts::$case(&store).await;
        }
    )*};
}
pub(in crate::store) use draft_conformance;

const LIMITS: UploadLimits = UploadLimits { files: 3, octets: 100, link_octets: 150 };
const HOUR: Duration = Duration::from_secs(3600);
const CODES: CodeLimits = CodeLimits {
    tries: 2,
    per_address: 3,
    per_client: 4,
    per_link: Rate::per(100, HOUR),
    per_link_and_day: Rate::per(100, HOUR),
    in_all: Rate::per(100, HOUR),
};

fn hours(count: u64) -> Timestamp {
    later(noon(), Duration::from_secs(3600 * count))
}

/// Two authors behind one new link.
async fn authors(store: &dyn Store) -> [Author; 2] {
    let transfer = transfer();
    let link = Link { transfer: transfer.id.clone(), recipient: 1 };
    store.commit(Acceptance { transfer: Some(transfer), ..message(Vec::new()) }).await.unwrap();
    [1, 2].map(|browser| Author { link: link.clone(), browser: [browser; 32] })
}

async fn begin(store: &dyn Store, author: &Author, length: Option<u64>) -> (UploadId, Added) {
    let id = UploadId::random();
    let row = NewUploadRow { id: id.clone(), facts: b"facts".to_vec(), length };
    let added = store.add_upload(author.clone(), row, LIMITS, noon()).await.unwrap();
    (id, added)
}

async fn add(store: &dyn Store, author: &Author, id: &UploadId, offset: u64, size: u64) -> Added {
    let piece = PieceRow { blob: BlobName::random(), size };
    store.add_piece(author.clone(), id.clone(), offset, piece, LIMITS, noon()).await.unwrap()
}

async fn find(store: &dyn Store, author: &Author) -> Option<DraftRow> {
    store.draft(author.clone()).await.unwrap()
}

fn ended(author: &Author, revision: u64, time: Timestamp) -> Acceptance {
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

async fn ask(store: &dyn Store, author: &Author, address: u8, now: Timestamp) -> Option<Timestamp> {
    ask_within(store, author, address, now, CODES).await
}

async fn ask_within(
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
        now,
        expires: later(now, Duration::from_secs(600)),
        mail: item(),
        event: event(Action::Code),
    };
    store.add_code(code, limits).await.unwrap()
}

async fn try_code(store: &dyn Store, author: &Author, hash: u8, now: Timestamp) -> CodeTry {
    let browser = BrowserRow { facts: b"who".to_vec(), until: hours(10) };
    store.try_code(author.clone(), [hash; 32], 2, now, browser, event(Action::Code)).await.unwrap()
}

/// C17
pub async fn a_draft_is_its_authors_only(store: &dyn Store) {
    let [author, other] = authors(store).await;
    assert_eq!(find(store, &author).await, None);
    store.save_draft(author.clone(), b"one".to_vec(), noon()).await.unwrap();
    store.save_draft(author.clone(), b"two".to_vec(), noon()).await.unwrap();
    let (id, added) = begin(store, &author, Some(10)).await;
    assert_eq!(added, Added::Kept(0));
    let draft = find(store, &author).await.unwrap();
    assert_eq!((draft.typed.as_deref(), draft.revision), (Some(&b"two"[..]), 3));
    assert_eq!((&draft.uploads[0].id, &draft.uploads[0].facts[..]), (&id, &b"facts"[..]));

    assert_eq!(find(store, &other).await, None);
    let beside = Author { link: Link { recipient: 2, ..author.link.clone() }, ..author.clone() };
    assert_eq!(find(store, &beside).await, None);
    assert_eq!(add(store, &other, &id, 0, 5).await, Added::Unknown);
    assert!(!store.remove_upload(other.clone(), id.clone(), noon(), None).await.unwrap());
    assert!(!store.mark_scanned(other, id, noon()).await.unwrap());
}

/// C25
pub async fn a_closed_link_takes_nothing(store: &dyn Store) {
    let [author, _] = authors(store).await;
    let late = hours(24 * 30);
    assert!(matches!(store.save_draft(author.clone(), Vec::new(), late).await, Err(StoreError::Gone)));
    let unknown = Author { link: Link { recipient: 9, ..author.link.clone() }, ..author };
    assert!(matches!(store.save_draft(unknown, Vec::new(), noon()).await, Err(StoreError::Gone)));
}

/// H16: by files, by draft, and by link.
pub async fn uploads_keep_their_limits(store: &dyn Store) {
    let [author, other] = authors(store).await;
    assert_eq!(begin(store, &author, Some(101)).await.1, Added::TooLarge);
    assert_eq!(begin(store, &author, Some(90)).await.1, Added::Kept(0));
    assert_eq!(begin(store, &author, Some(11)).await.1, Added::TooLarge);
    let (open, added) = begin(store, &author, None).await;
    assert_eq!(added, Added::Kept(0));
    let room = async |author: &Author| store.upload_room(author.clone(), LIMITS).await.unwrap();
    assert_eq!((room(&author).await, room(&other).await), (10, 0), "the other has no draft yet");
    assert_eq!(add(store, &author, &open, 0, 10).await, Added::Kept(10));
    assert_eq!(add(store, &author, &open, 10, 1).await, Added::TooLarge);
    assert_eq!(begin(store, &author, Some(0)).await.1, Added::Kept(0));
    assert_eq!(begin(store, &author, Some(0)).await.1, Added::TooMany);
    assert_eq!(begin(store, &other, Some(51)).await.1, Added::TooLarge, "the link has 150 for all");
    assert_eq!(begin(store, &other, Some(20)).await.1, Added::Kept(0));
    assert_eq!((room(&author).await, room(&other).await), (0, 30));
    assert_eq!(begin(store, &other, Some(30)).await.1, Added::Kept(0));
}

pub async fn a_piece_is_added_once_and_in_its_place(store: &dyn Store) {
    let [author, _] = authors(store).await;
    let (id, _) = begin(store, &author, Some(20)).await;
    assert_eq!(add(store, &author, &id, 0, 8).await, Added::Kept(8));
    assert_eq!(add(store, &author, &id, 0, 8).await, Added::Elsewhere(8));
    assert_eq!(add(store, &author, &id, 8, 13).await, Added::OtherLength);
    assert_eq!(add(store, &author, &id, 8, 12).await, Added::Kept(20));
    let upload = find(store, &author).await.unwrap().uploads.remove(0);
    assert_eq!((upload.offset, upload.length), (20, Some(20)));
    let sizes: Vec<u64> = upload.pieces.iter().map(|piece| piece.size).collect();
    assert_eq!(sizes, [8, 12]);
    let known = upload.pieces.iter().map(|piece| piece.blob.clone()).collect();
    assert!(store.orphans(known).await.unwrap().is_empty());
}

pub async fn a_length_is_told_once(store: &dyn Store) {
    let [author, _] = authors(store).await;
    let (id, _) = begin(store, &author, None).await;
    add(store, &author, &id, 0, 8).await;
    let set = async |length| store.set_length(author.clone(), id.clone(), length, LIMITS).await.unwrap();
    assert_eq!(set(7).await, Added::OtherLength);
    assert_eq!(set(101).await, Added::TooLarge);
    assert_eq!(set(9).await, Added::Kept(8));
    assert_eq!(set(9).await, Added::Kept(8));
    assert_eq!(set(8).await, Added::OtherLength);
}

pub async fn a_removed_upload_gives_up_its_blobs(store: &dyn Store) {
    let [author, _] = authors(store).await;
    let (id, _) = begin(store, &author, None).await;
    add(store, &author, &id, 0, 8).await;
    let blob = find(store, &author).await.unwrap().uploads[0].pieces[0].blob.clone();
    let found = Some(event(Action::Scan));
    assert!(store.remove_upload(author.clone(), id.clone(), noon(), found.clone()).await.unwrap());
    assert!(!store.remove_upload(author.clone(), id.clone(), noon(), found).await.unwrap());
    assert_eq!(store.doomed_blobs(10).await.unwrap(), [blob]);
    assert!(find(store, &author).await.unwrap().uploads.is_empty());
}

/// M08: only the whole of it, and nobody has to read the draft again for it.
pub async fn a_whole_upload_is_marked_as_scanned(store: &dyn Store) {
    let [author, _] = authors(store).await;
    let (id, _) = begin(store, &author, None).await;
    let mark = async || store.mark_scanned(author.clone(), id.clone(), noon()).await.unwrap();
    add(store, &author, &id, 0, 8).await;
    assert!(!mark().await, "nobody knows how long it is");
    store.set_length(author.clone(), id.clone(), 9, LIMITS).await.unwrap();
    assert!(!mark().await, "an octet is still to come");
    add(store, &author, &id, 8, 1).await;
    let before = find(store, &author).await.unwrap();
    assert!(!before.uploads[0].is_scanned);
    assert!(mark().await);
    let after = find(store, &author).await.unwrap();
    assert!(after.uploads[0].is_scanned);
    assert_eq!(after.revision, before.revision);
}

/// H16
pub async fn an_idle_draft_is_swept(store: &dyn Store) {
    let [author, other] = authors(store).await;
    let (id, _) = begin(store, &author, None).await;
    add(store, &author, &id, 0, 8).await;
    store.save_draft(other.clone(), Vec::new(), hours(2)).await.unwrap();
    assert_eq!(store.sweep_drafts(noon(), hours(3)).await.unwrap(), 0);
    assert_eq!(store.sweep_drafts(hours(1), hours(3)).await.unwrap(), 1);
    assert!(find(store, &author).await.is_none() && find(store, &other).await.is_some());
    assert_eq!(store.doomed_blobs(10).await.unwrap().len(), 1);
}

/// C25
pub async fn expiry_takes_drafts_along(store: &dyn Store) {
    let [author, _] = authors(store).await;
    let (id, _) = begin(store, &author, None).await;
    add(store, &author, &id, 0, 8).await;
    let blob = find(store, &author).await.unwrap().uploads[0].pieces[0].blob.clone();
    ask(store, &author, 1, noon()).await;
    assert_eq!(store.expire(hours(24 * 30), hours(24 * 30)).await.unwrap().len(), 1);
    assert!(find(store, &author).await.is_none());
    assert!(store.doomed_blobs(10).await.unwrap().contains(&blob));
    assert_eq!(store.code(author).await.unwrap(), None);
}

pub async fn an_answer_ends_the_draft_it_was_read_from(store: &dyn Store) {
    let [author, other] = authors(store).await;
    store.save_draft(author.clone(), b"one".to_vec(), noon()).await.unwrap();
    store.save_draft(author.clone(), b"two".to_vec(), noon()).await.unwrap();
    let stale = store.commit(ended(&author, 1, noon())).await;
    assert!(matches!(stale, Err(StoreError::Changed)), "{stale:?}");
    assert!(store.queue().await.unwrap().is_empty() && !store.is_sealed_thread(vec![[9; 32]]).await.unwrap());

    store.commit(ended(&author, 2, noon())).await.unwrap();
    assert!(find(store, &author).await.is_none());
    assert!(store.is_sealed_thread(vec![[9; 32]]).await.unwrap());
    let twice = store.commit(ended(&author, 2, noon())).await;
    assert!(matches!(twice, Err(StoreError::Changed)), "{twice:?}");
    assert_eq!(store.queue().await.unwrap().len(), 1);
    let before = noon().saturating_sub(Duration::from_secs(1)).unwrap();
    assert_eq!(store.last_reply(author.clone(), before).await.unwrap().as_deref(), Some(&b"summary"[..]));
    assert_eq!(store.last_reply(author, noon()).await.unwrap(), None);
    assert_eq!(store.last_reply(other, before).await.unwrap(), None);
}

/// H18
pub async fn answers_are_counted_by_the_day(store: &dyn Store) {
    let [author, other] = authors(store).await;
    for (author, time) in [(&author, noon()), (&other, hours(1))] {
        store.save_draft(author.clone(), Vec::new(), time).await.unwrap();
        store.commit(ended(author, 1, time)).await.unwrap();
    }
    store.save_draft(author.clone(), Vec::new(), hours(2)).await.unwrap();
    let third = store.commit(ended(&author, 1, hours(2))).await;
    assert!(matches!(third, Err(StoreError::TooMany(until)) if until == hours(24)), "{third:?}");
    assert!(find(store, &author).await.is_some(), "what was written is kept");
    store.commit(ended(&author, 1, hours(24))).await.unwrap();
}

/// C23
pub async fn a_code_is_tried_and_spent(store: &dyn Store) {
    let [author, other] = authors(store).await;
    assert_eq!(try_code(store, &author, 7, noon()).await, CodeTry::None);
    assert_eq!(ask(store, &author, 1, noon()).await, None);
    assert_eq!(store.queue().await.unwrap().len(), 1, "its mail");
    assert_eq!(store.code(author.clone()).await.unwrap().unwrap().facts, b"who");
    assert_eq!(try_code(store, &other, 7, noon()).await, CodeTry::None);
    assert_eq!(try_code(store, &author, 8, noon()).await, CodeTry::Wrong(1));
    assert_eq!(store.browser(author.browser, noon()).await.unwrap(), None);
    assert_eq!(try_code(store, &author, 7, noon()).await, CodeTry::Right);
    assert_eq!(store.browser(author.browser, noon()).await.unwrap().unwrap().facts, b"who");
    assert_eq!(try_code(store, &author, 7, noon()).await, CodeTry::None, "once");

    assert_eq!(ask(store, &other, 2, noon()).await, None);
    let late = later(noon(), Duration::from_secs(600));
    assert_eq!(try_code(store, &other, 7, late).await, CodeTry::Expired);
}

/// C23, H18: a new code adds no tries; mails are counted for each address and each client.
pub async fn codes_and_mails_are_counted(store: &dyn Store) {
    let [author, other] = authors(store).await;
    assert_eq!(ask(store, &author, 1, noon()).await, None);
    assert_eq!(try_code(store, &author, 8, noon()).await, CodeTry::Wrong(1));
    assert_eq!(ask(store, &author, 1, noon()).await, None);
    assert_eq!(try_code(store, &author, 8, noon()).await, CodeTry::Wrong(0));
    assert_eq!(try_code(store, &author, 7, noon()).await, CodeTry::None);
    assert_eq!(ask(store, &author, 2, noon()).await, Some(hours(1)), "the tries are used up");

    assert_eq!(ask(store, &other, 1, noon()).await, None);
    assert_eq!(ask(store, &other, 1, noon()).await, Some(hours(1)), "three to one address");
    assert_eq!(ask(store, &other, 2, noon()).await, None);
    assert_eq!(ask(store, &other, 3, noon()).await, Some(hours(1)), "four for one client");
    assert_eq!(ask(store, &author, 1, hours(1)).await, None);
    assert_eq!(try_code(store, &author, 7, hours(1)).await, CodeTry::Right);
}

/// H42: whatever the addresses and clients.
pub async fn codes_are_bounded_per_link_and_in_all(store: &dyn Store) {
    let wide = CodeLimits { per_address: 100, per_client: 100, in_all: Rate::per(5, HOUR), ..CODES };
    let per_link = Rate::per(2, HOUR);
    let narrow = CodeLimits { per_link, ..wide };
    let [author, other] = authors(store).await;
    assert_eq!(ask_within(store, &author, 1, noon(), narrow).await, None);
    assert_eq!(ask_within(store, &other, 2, noon(), narrow).await, None);
    let until = ask_within(store, &other, 3, noon(), narrow).await;
    assert_eq!(until, Some(later(noon(), HOUR / 2)), "two through one link");
    let [stranger, _] = authors(store).await;
    assert_eq!(ask_within(store, &stranger, 4, noon(), narrow).await, None, "another link");
    let day = CodeLimits { per_link_and_day: per_link, ..wide };
    let [third, _] = authors(store).await;
    for _ in 0..2 {
        assert_eq!(ask_within(store, &third, 5, noon(), day).await, None);
    }
    assert!(ask_within(store, &third, 5, noon(), day).await.is_some());
    let [fourth, _] = authors(store).await;
    assert!(ask_within(store, &fourth, 6, noon(), wide).await.is_some(), "five were asked for by all");
}

/// H42: who comes without a cookie makes a draft each time; who has proved an address keeps theirs.
pub async fn drafts_of_a_link_are_bounded(store: &dyn Store) {
    let [author, _] = authors(store).await;
    ask(store, &author, 1, noon()).await;
    try_code(store, &author, 7, noon()).await;
    let with = |browser: u16| {
        let mut hash = [9; 32];
        hash[..2].copy_from_slice(&browser.to_be_bytes());
        Author { link: author.link.clone(), browser: hash }
    };
    store.save_draft(author.clone(), b"proved".to_vec(), noon()).await.unwrap();
    for browser in 0..600 {
        let now = later(noon(), Duration::from_secs(browser.into()));
        store.save_draft(with(browser), b"typed".to_vec(), now).await.unwrap();
    }
    let mut left = Vec::new();
    for browser in 0..600 {
        left.extend(find(store, &with(browser)).await.map(|_| browser));
    }
    assert_eq!(left, (581..600).collect::<Vec<_>>(), "the last ones");
    assert!(find(store, &author).await.is_some(), "and the one that was proved");
}

/// H42
pub async fn sessions_of_a_link_are_bounded(store: &dyn Store) {
    let [author, _] = authors(store).await;
    for number in 0..30u8 {
        let used = later(noon(), Duration::from_secs(number.into()));
        let session = Session { id: [number; 32], link: author.link.clone(), wrapped_key: vec![1], used };
        store.open(session, event(Action::Open)).await.unwrap();
    }
    let mut live = Vec::new();
    for number in 0..30u8 {
        live.extend(store.session([number; 32], noon(), noon()).await.unwrap().map(|_| number));
    }
    assert_eq!(live, (10..30).collect::<Vec<_>>(), "the last ones");
    // Of those that were used at the same moment it is never the new one.
    let used = later(noon(), Duration::from_secs(29));
    for number in 30..60u8 {
        let id = [90 - number; 32];
        let session = Session { id, link: author.link.clone(), wrapped_key: vec![1], used };
        store.open(session, event(Action::Open)).await.unwrap();
        assert!(store.session(id, noon(), noon()).await.unwrap().is_some(), "{number}");
    }
}

pub async fn a_browser_is_remembered_for_a_while(store: &dyn Store) {
    let [author, _] = authors(store).await;
    ask(store, &author, 1, noon()).await;
    try_code(store, &author, 7, noon()).await;
    assert!(store.browser(author.browser, hours(9)).await.unwrap().is_some());
    assert_eq!(store.browser(author.browser, hours(10)).await.unwrap(), None);
    store.forget_browser(author.browser).await.unwrap();
    assert_eq!(store.browser(author.browser, noon()).await.unwrap(), None);
}
