//! What two nodes do at once behind one link, and at the end of what has had its time.

use futures_util::future::{join_all, try_join_all};

use super::*;
use crate::clock::{days_later, later};
use crate::id::{BlobName, Link, UploadId};
use crate::store::conformance::*;
use crate::store::postgresql::blobs::give_up_intents;
use crate::store::*;

/// Two nodes on one new database.
async fn two() -> ([Postgres; 2], TestDatabase) {
    let (first, database) = fresh().await;
    ([first, node(&database)], database)
}

fn browser(number: u8, link: &Link) -> Author {
    Author { link: link.clone(), browser: [number; 32] }
}

/// C17, H42: as many drafts as a link may have, and each its author's.
#[tokio::test]
async fn drafts_of_two_nodes_keep_the_bounds_of_a_link() {
    let (nodes, database) = two().await;
    let link = linked(&nodes[0]).await;
    let saved = (0..60).map(|number| {
        let now = later(noon(), std::time::Duration::from_secs(number.into()));
        nodes[usize::from(number % 2)].save_draft(browser(number, &link), vec![number], None, now)
    });
    try_join_all(saved).await.unwrap();
    assert_eq!(database.sql("SELECT count(*) FROM drafts"), "20");
}

/// Two windows, on two nodes: one of them is told.
#[tokio::test]
async fn of_two_that_replace_a_draft_one_does() {
    let (nodes, _database) = two().await;
    let author = browser(1, &linked(&nodes[0]).await);
    for round in 0..20u8 {
        let former = round.checked_sub(1).map(|_| nodes[0].draft(author.clone()));
        let former = match former {
            Some(draft) => draft.await.unwrap().unwrap().typed,
            None => None,
        };
        let saved = nodes.iter().zip([1u8, 2]).map(|(node, window)| {
            node.save_draft(author.clone(), vec![round, window], former.clone(), noon())
        });
        let saved = join_all(saved).await;
        let done: Vec<_> = saved.iter().map(Result::is_ok).collect();
        assert!(done == [true, false] || done == [false, true], "{saved:?}");
        assert!(saved.iter().any(|one| matches!(one, Err(StoreError::Changed))));
    }
}

/// H16: a piece is kept once, in its place, and the bytes of all drafts of a link are counted together.
#[tokio::test]
async fn a_piece_that_two_nodes_add_is_kept_once() {
    let (nodes, database) = two().await;
    let author = browser(1, &linked(&nodes[0]).await);
    let (id, _) = begin(&nodes[0], &author, Some(40)).await;
    for offset in [0, 10, 20, 30] {
        let added = (0..6).map(|turn| add(&nodes[turn % 2], &author, &id, offset, 10));
        let added = join_all(added).await;
        let kept = added.iter().filter(|one| **one == UploadOutcome::Kept(offset + 10)).count();
        let late = added.iter().filter(|one| **one == UploadOutcome::OtherOffset(offset + 10)).count();
        assert_eq!((kept, late), (1, 5), "{added:?}");
    }
    let upload = find(&nodes[1], &author).await.unwrap().uploads.remove(0);
    assert_eq!((upload.offset, upload.pieces.len()), (40, 4));
    assert_eq!(database.sql("SELECT string_agg(number::text, ' ' ORDER BY number) FROM pieces"), "0 1 2 3");
}

/// H16
#[tokio::test]
async fn uploads_of_two_nodes_keep_the_limits_of_a_link() {
    let (nodes, database) = two().await;
    let link = linked(&nodes[0]).await;
    // 150 bytes behind a link: 7 of 20 fit.
    let begun = (0..20u8).map(|number| {
        let (node, author) = (&nodes[usize::from(number % 2)], browser(number % 10, &link));
        async move { begin(node, &author, Some(20)).await.1 }
    });
    let begun = join_all(begun).await;
    assert_eq!(begun.iter().filter(|one| **one == UploadOutcome::Kept(0)).count(), 7, "{begun:?}");
    assert_eq!(database.sql("SELECT sum(length) FROM uploads"), "140");
}

/// H18: two answers a day to one transfer, whichever links and nodes they come through.
#[tokio::test]
async fn answers_through_two_nodes_are_counted_together() {
    let (nodes, database) = two().await;
    let link = linked(&nodes[0]).await;
    let authors: Vec<_> = (0..6u8)
        .map(|number| browser(number, &Link { recipient: u16::from(number % 2) + 1, ..link.clone() }))
        .collect();
    for author in &authors {
        nodes[0].save_draft(author.clone(), b"answer".to_vec(), None, noon()).await.unwrap();
    }
    let sent = authors.iter().zip(0..).flat_map(|(author, turn)| {
        [
            nodes[turn % 2].commit(ended(author, 1, noon())),
            nodes[(turn + 1) % 2].commit(ended(author, 1, noon())),
        ]
    });
    let sent = join_all(sent).await;
    assert_eq!(sent.iter().filter(|one| one.is_ok()).count(), 2, "{sent:?}");
    assert!(sent.iter().all(|one| matches!(one, Ok(_) | Err(StoreError::Changed | StoreError::TooMany(_)))));
    assert_eq!(database.sql("SELECT count(*) FROM replies"), "2");
    assert_eq!(database.sql("SELECT count(*) FROM drafts"), "4", "what was written is kept");
    assert_eq!(nodes[0].queue().await.unwrap().len(), 2);
}

/// C23: parallel tries on two nodes are as many as there may be, and a right code works once.
#[tokio::test]
async fn codes_that_are_tried_on_two_nodes_are_counted() {
    let (nodes, _database) = two().await;
    let link = linked(&nodes[0]).await;
    let (wrong, right) = (browser(1, &link), browser(2, &link));
    for author in [&wrong, &right] {
        assert_eq!(ask(&nodes[0], author, author.browser[0], noon()).await, None);
    }
    let tried = join_all((0..20).map(|turn| try_code(&nodes[turn % 2], &wrong, 8, noon()))).await;
    assert_eq!(tried.iter().filter(|one| matches!(one, CodeTry::Wrong(_))).count(), 2, "{tried:?}");
    let tried = join_all((0..20).map(|turn| try_code(&nodes[turn % 2], &right, 7, noon()))).await;
    assert_eq!(tried.iter().filter(|one| **one == CodeTry::Right).count(), 1, "{tried:?}");
}

/// H18: three mails to one address, whoever asks, and wherever.
#[tokio::test]
async fn mails_with_codes_from_two_nodes_are_counted() {
    let (nodes, database) = two().await;
    let link = linked(&nodes[0]).await;
    let asked = (0..12u8).map(|number| {
        let (node, author) = (&nodes[usize::from(number % 2)], browser(number, &link));
        async move { ask(node, &author, 1, noon()).await }
    });
    let asked = join_all(asked).await;
    assert_eq!(asked.iter().filter(|until| until.is_none()).count(), 3, "{asked:?}");
    assert_eq!(database.sql("SELECT count(*) FROM code_mails"), "3");
    assert_eq!(nodes[0].queue().await.unwrap().len(), 3);
}

/// C25: two nodes whose timers overlap destroy each transfer once, while others write behind its links.
#[tokio::test]
async fn of_two_nodes_that_expire_one_ends_a_transfer() {
    let (nodes, database) = two().await;
    let mut links = Vec::new();
    for _ in 0..40 {
        links.push(linked(&nodes[0]).await);
    }
    let end = days_later(noon(), 30);
    let expire = async |node: &Postgres| {
        let mut all = Vec::new();
        loop {
            match node.expire(Whose::everybody(), end, end).await.unwrap() {
                none if none.is_empty() => return all,
                some => all.extend(some),
            }
        }
    };
    let save = |turn: usize| nodes[turn % 2].save_draft(browser(1, &links[turn]), Vec::new(), None, noon());
    let drafts = join_all((0..40).map(save));
    let (first, second, _) = tokio::join!(expire(&nodes[0]), expire(&nodes[1]), drafts);
    // A transfer that somebody was writing to has its turn later.
    let later = expire(&nodes[0]).await;
    let mut ended = [first, second, later].concat();
    ended.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
    ended.dedup();
    assert_eq!(ended.len(), 40);
    assert_eq!(database.sql("SELECT count(*) FROM audit WHERE action = 'expire'"), "40");
    assert_eq!(database.sql("SELECT count(*) FROM transfer_recipients WHERE key_packet IS NOT NULL"), "0");
    assert_eq!(database.sql("SELECT count(*) FROM drafts"), "0");
    assert_eq!(nodes[1].pending_deletion(1000).await.unwrap().len(), 120);
}

/// A blob that a dead node left is given up after a day, and none that a row has named.
#[tokio::test]
async fn an_intent_is_fulfilled_by_its_row_or_given_up() {
    let (nodes, database) = two().await;
    let [named, left] = [BlobName::random(), BlobName::random()];
    nodes[0].intend(vec![named.clone(), left.clone()], noon()).await.unwrap();
    assert!(
        nodes[1].unreferenced_blobs(vec![left.clone()]).await.unwrap().is_empty(),
        "it may be on its way"
    );
    let body = NewItem { body: in_blob(named.clone()), ..item() };
    nodes[0].commit(message(vec![body])).await.unwrap();
    assert_eq!(database.sql("SELECT blob FROM intents"), left.as_str());

    nodes[1].sweep_drafts(noon(), later(noon(), INTENT_LASTS)).await.unwrap();
    assert!(nodes[1].pending_deletion(10).await.unwrap().is_empty(), "not yet");
    nodes[1].sweep_drafts(noon(), days_later(noon(), 2)).await.unwrap();
    assert_eq!(nodes[1].pending_deletion(10).await.unwrap(), std::slice::from_ref(&left));
    // Its node was not dead, but very late.
    let late = NewItem { body: in_blob(left), ..item() };
    assert!(nodes[0].commit(message(vec![late])).await.is_err());
    assert_eq!(nodes[0].queue().await.unwrap().len(), 1);
}

/// Whether a row names a blob or it is given up is decided once, however close they come.
#[tokio::test]
async fn a_blob_is_named_or_given_up_and_never_both() {
    let (nodes, database) = two().await;
    for _ in 0..30 {
        let blob = BlobName::random();
        nodes[0].intend(vec![blob.clone()], noon()).await.unwrap();
        let item = NewItem { body: in_blob(blob), ..item() };
        let sweep = nodes[1].write(|change| {
            async move { give_up_intents(&change.db, days_later(noon(), 2), 10).await }.boxed()
        });
        let (committed, swept) = tokio::join!(nodes[0].commit(message(vec![item])), sweep);
        assert_eq!(committed.is_ok(), swept.unwrap().is_empty());
    }
    assert_eq!(database.sql("SELECT count(*) FROM items JOIN doomed ON doomed.blob = items.blob"), "0");
}

/// What [`BlobIndex::named_blobs`] gives comes in the order of the bytes, whatever the database's language, a page at a time.
#[tokio::test]
async fn named_blobs_come_in_order_across_tables() {
    let (nodes, _database) = two().await;
    let [author, _] = authors(&nodes[0]).await;
    let (id, _): (UploadId, _) = begin(&nodes[0], &author, None).await;
    for offset in 0..5 {
        add(&nodes[0], &author, &id, offset, 1).await;
        let body = NewItem { body: in_blob(BlobName::random()), ..item() };
        nodes[0].commit(message(vec![body])).await.unwrap();
    }
    let mut names: Vec<BlobName> = Vec::new();
    loop {
        let page = nodes[1].named_blobs(names.last().cloned(), 3).await.unwrap();
        if page.is_empty() {
            break;
        }
        names.extend(page.into_iter().map(|one| one.blob));
    }
    assert_eq!(names.len(), 13);
    assert!(names.is_sorted());
}
