//! While a backup is made, everything stays that its rows name.

use std::sync::Arc;

use super::objects::MemoryObjects;
use super::*;
use crate::secret::keyring::Destroyed;
use crate::store::conformance::{item, message};
use crate::store::{BlobIndex, BodyKeys, MessageStore};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_up_stays_until_a_backup_has_it() {
    let (store, database) = fresh().await;
    let objects = Arc::new(MemoryObjects::default());
    let node = store.with_keys(objects.clone()).await;
    let (name, secret) = node.keyring().take().unwrap();
    let mut waiting = item();
    waiting.body.key = Some(name);
    node.commit(message(vec![waiting])).await.unwrap();
    database.sql("INSERT INTO doomed (blob) VALUES ('0123456789abcdefghjkmnpqrs')");

    let beside = super::node(&database);
    let kept = beside.keep_all().await.unwrap();
    assert!(node.keep_all().await.err().unwrap().to_string().contains("another backup is just being made"));
    // The mail leaves in the middle of it.
    database.sql("DELETE FROM items");
    assert_eq!(node.destroy_keys().await.unwrap(), Destroyed::Later);
    assert!(objects.holds(&secret[..]));
    assert!(node.pending_deletion(10).await.unwrap().is_empty());

    kept.release_keys().await.unwrap();
    assert_eq!(node.destroy_keys().await.unwrap(), Destroyed::All);
    assert!(!objects.holds(&secret[..]), "keys first: blobs take longer");
    assert!(node.pending_deletion(10).await.unwrap().is_empty());
    kept.end().await.unwrap();
    until_gone(&node).await;
    node.keep_all().await.unwrap();
}

/// A backup that is killed holds nothing up, and one whose session was lost is not called whole.
#[tokio::test]
async fn a_backup_that_lost_its_hold_knows() {
    let (node, database) = fresh().await;
    database.sql("INSERT INTO doomed (blob) VALUES ('0123456789abcdefghjkmnpqrs')");
    let kept = node.keep_all().await.unwrap();
    database.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objid = 7 \
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    );
    until_gone(&node).await;
    assert!(kept.end().await.is_err());
}

/// The server notices the end of a session a moment later.
async fn until_gone(node: &Postgres) {
    let begun = std::time::Instant::now();
    while node.pending_deletion(10).await.unwrap().is_empty() {
        assert!(begun.elapsed().as_secs() < 30, "still kept");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
