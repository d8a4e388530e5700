//! What the journal promises: nothing accepted is lost, nothing delivered comes back, files are used anew.

use super::*;
use crate::id::OrganisationId;
use crate::secret::keyring::Keyring;
use crate::store::conformance::{in_blob, inline, item, noon, owner};

async fn keep(journal: &Journal, item: &NewItem) {
    assert!(journal.keep(item.clone()).await.unwrap().is_none());
}

fn open(folder: &Path) -> Found {
    Found::read_to_own(folder).unwrap()
}

fn start(folder: &Path) -> Journal {
    open(folder).clear().unwrap().start().unwrap()
}

fn names(items: &[NewItem]) -> Vec<QueueId> {
    items.iter().map(|item| item.id.clone()).collect()
}

fn with_body(octets: usize) -> NewItem {
    NewItem { body: inline(vec![7; octets]), ..item() }
}

fn files(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

/// C01: after a crash everything that was accepted is there, in its order, but for what was done.
#[tokio::test]
async fn what_was_accepted_and_not_done_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let journal = start(dir.path());
    let items: Vec<_> = (0..5).map(|_| item()).collect();
    for item in &items {
        keep(&journal, item).await;
    }
    let claimed = journal.claim(2, &mut ClaimShares::unbounded(), &owner(), noon());
    assert_eq!(claimed.len(), 2);
    journal.delivered(claimed[0].id.clone()).await.unwrap();
    journal.moved(vec![items[3].id.clone()]).await.unwrap();
    drop(journal);

    let found = open(dir.path());
    let left = [&items[1], &items[2], &items[4]].map(|item| item.id.clone());
    assert_eq!(names(&found.items), left);
    let first = &found.items[0];
    assert_eq!((&first.envelope, &first.body, first.created), (&items[1].envelope, &items[1].body, noon()));
    assert!(first.organisation.is_some() && first.organisation == items[1].organisation);
    // What is read but not cleared stays.
    drop(found);
    assert_eq!(open(dir.path()).items.len(), 3);
    drop(start(dir.path()));
    assert!(open(dir.path()).items.is_empty());
}

/// Alone or together, written by who brings it or by the thread: each is kept before it is answered, and goes when
/// it is done.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_at_once_are_kept_and_done() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Arc::new(start(dir.path()));
    let stays = item();
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let journal = Arc::clone(&journal);
            tokio::spawn(async move {
                for _ in 0..20 {
                    let item = item();
                    keep(&journal, &item).await;
                    assert!(journal.find(&item.id).is_some());
                    journal.delivered(item.id.clone()).await.unwrap();
                    assert!(journal.find(&item.id).is_none());
                }
            })
        })
        .collect();
    keep(&journal, &stays).await;
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(journal.figures().0, 1);
    drop(journal);
    assert_eq!(names(&open(dir.path()).items), [stays.id]);
}

/// New mail of one organisation does not wait for a flood of another's.
#[tokio::test]
async fn organisations_have_their_turns() {
    let dir = tempfile::tempdir().unwrap();
    let journal = start(dir.path());
    let of = |domain: &str| NewItem { organisation: Some(OrganisationId::of_domain(domain)), ..item() };
    for _ in 0..500 {
        keep(&journal, &of("noorderveen.nl")).await;
    }
    let late = [of("zuiderveen.nl"), NewItem { organisation: None, ..item() }];
    for item in &late {
        keep(&journal, item).await;
    }
    let mut all = ClaimShares::unbounded();
    let mut claimed = Vec::new();
    for _ in 0..3 {
        claimed.extend(journal.claim(1, &mut all, &owner(), noon()));
    }
    let found: Vec<_> = claimed.iter().map(|item| item.id.clone()).collect();
    assert!(names(&late).iter().all(|name| found.contains(name)), "among the first three");
    let mut few = ClaimShares::new(7, Default::default());
    assert_eq!(journal.claim(1000, &mut few, &owner(), noon()).len(), 7);
    assert!(journal.has_ready());
    let of_each: u64 = journal.gauges().iter().map(|gauge| gauge.items).sum();
    assert_eq!((of_each, journal.gauges().len()), (502, 3));
}

#[tokio::test]
async fn each_is_claimed_once_oldest_first() {
    let dir = tempfile::tempdir().unwrap();
    let journal = start(dir.path());
    let items: Vec<_> = (0..4).map(|_| item()).collect();
    for item in &items {
        keep(&journal, item).await;
    }
    assert!(journal.has_ready());
    let ids = |claimed: Vec<Item>| claimed.into_iter().map(|item| item.id).collect::<Vec<_>>();
    assert_eq!(ids(journal.claim(3, &mut ClaimShares::unbounded(), &owner(), noon())), names(&items[..3]));
    assert_eq!(ids(journal.claim(3, &mut ClaimShares::unbounded(), &owner(), noon())), names(&items[3..]));
    assert!(!journal.has_ready());
    assert_eq!(journal.figures(), (4, Some(noon())));
}

/// What is on its way into the database is handed to nobody, unless it stays after all.
#[tokio::test]
async fn what_moves_cannot_be_claimed() {
    let dir = tempfile::tempdir().unwrap();
    let journal = start(dir.path());
    let (first, second) = (item(), item());
    keep(&journal, &first).await;
    journal.claim(1, &mut ClaimShares::unbounded(), &owner(), noon());
    keep(&journal, &second).await;
    assert!(journal.take_to_move(false).is_empty(), "nothing is that old");
    let moving = journal.take_to_move(true);
    let leases = moving.iter().map(|waiting| Some(waiting.claim.as_ref()?.until));
    assert_eq!(leases.collect::<Vec<_>>(), [Some(noon()), None]);
    assert!(journal.claim(1, &mut ClaimShares::unbounded(), &owner(), noon()).is_empty());
    journal.not_moved(&[first.id.clone(), second.id.clone()]);
    assert_eq!(
        journal.claim(2, &mut ClaimShares::unbounded(), &owner(), noon()).len(),
        1,
        "the other is being delivered"
    );
    journal.moved(vec![first.id.clone(), second.id]).await.unwrap();
    assert!(journal.find(&first.id).is_none());
}

/// Files are cleared in their order and used again: the folder does not grow with the mail that went through.
#[tokio::test]
async fn files_are_used_anew() {
    let dir = tempfile::tempdir().unwrap();
    let journal = start(dir.path());
    let stays = item();
    keep(&journal, &stays).await;
    let through = |count: usize| {
        let journal = &journal;
        async move {
            for _ in 0..count {
                let item = with_body(1 << 20);
                keep(journal, &item).await;
                journal.delivered(item.id).await.unwrap();
            }
        }
    };
    through(40).await;
    assert!(files(dir.path()) > 4, "what was first is still there, and so is all after it");
    journal.delivered(stays.id).await.unwrap();
    through(40).await;
    assert!(files(dir.path()) <= 4, "{}", files(dir.path()));
    drop(journal);
    assert!(open(dir.path()).items.is_empty());
}

#[tokio::test]
async fn what_is_too_large_or_elsewhere_is_not_for_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let journal = start(dir.path());
    assert!(journal.keep(with_body(ROOM as usize)).await.unwrap().is_some());
    let blob = NewItem { body: in_blob(crate::id::BlobName::random()), ..item() };
    assert!(journal.keep(blob).await.unwrap().is_some());
}

/// C29: nothing that `master.key` alone could open stays in the files.
#[tokio::test]
async fn files_of_an_older_version_are_not_used_anew() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("old"), [&[0; 64][..], b"sealed body"].concat()).unwrap();
    let journal = start(dir.path());
    assert!(!dir.path().join("old").exists());
    let item = item();
    keep(&journal, &item).await;
    drop(journal);
    assert_eq!(names(&open(dir.path()).items), [item.id]);
}

/// C29: a body's key comes back with it.
#[tokio::test]
async fn a_key_is_named_in_the_record_and_held_until_the_end_is_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let ring = Keyring::in_memory();
    let (key, _) = ring.take().unwrap();
    let id = key.id();
    let item = NewItem { body: Body { key: Some(key), ..inline(vec![7]) }, ..item() };
    let journal = start(dir.path());
    keep(&journal, &item).await;
    assert_eq!(peek(dir.path()).unwrap()[0].body.key.as_ref().map(KeyRef::id), Some(id));
    let name = item.id.clone();
    drop(item);
    assert!(ring.unheld().unwrap().is_empty(), "the journal holds it");
    journal.delivered(name).await.unwrap();
    assert_eq!(ring.unheld().unwrap(), [id]);
}

#[tokio::test]
async fn one_process_owns_it() {
    let dir = tempfile::tempdir().unwrap();
    let journal = start(dir.path());
    assert!(Found::read(dir.path()).unwrap().is_none());
    drop(journal);
    assert!(Found::read(dir.path()).unwrap().is_some());
}

#[test]
fn what_it_does_not_know_is_an_error() {
    for record in [&b"x"[..], b"", &[KEEP, 9, 9], &[DONE, b'!']] {
        assert!(Records::read([record.to_vec()].into_iter()).is_err(), "{record:?}");
    }
}
