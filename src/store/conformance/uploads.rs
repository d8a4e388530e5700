//! What every [`UploadStore`] must do.

use super::sample::*;
use crate::audit::Action;
use crate::store::*;

/// H16: by files, by draft, and by link.
pub async fn uploads_keep_their_limits(store: &dyn Store) {
    let [author, other] = authors(store).await;
    assert_eq!(begin(store, &author, Some(101)).await.1, UploadOutcome::TooLarge);
    assert_eq!(begin(store, &author, Some(90)).await.1, UploadOutcome::Kept(0));
    assert_eq!(begin(store, &author, Some(11)).await.1, UploadOutcome::TooLarge);
    let (open, added) = begin(store, &author, None).await;
    assert_eq!(added, UploadOutcome::Kept(0));
    let room = async |author: &Author| store.upload_room(author.clone(), LIMITS).await.unwrap();
    assert_eq!((room(&author).await, room(&other).await), (10, 0), "the other has no draft yet");
    assert_eq!(add(store, &author, &open, 0, 10).await, UploadOutcome::Kept(10));
    assert_eq!(add(store, &author, &open, 10, 1).await, UploadOutcome::TooLarge);
    assert_eq!(begin(store, &author, Some(0)).await.1, UploadOutcome::Kept(0));
    assert_eq!(begin(store, &author, Some(0)).await.1, UploadOutcome::TooMany);
    assert_eq!(begin(store, &other, Some(51)).await.1, UploadOutcome::TooLarge, "the link has 150 for all");
    assert_eq!(begin(store, &other, Some(20)).await.1, UploadOutcome::Kept(0));
    assert_eq!((room(&author).await, room(&other).await), (0, 30));
    assert_eq!(begin(store, &other, Some(30)).await.1, UploadOutcome::Kept(0));
}

pub async fn a_piece_is_added_once_and_in_its_place(store: &dyn Store) {
    let [author, _] = authors(store).await;
    let (id, _) = begin(store, &author, Some(20)).await;
    assert_eq!(add(store, &author, &id, 0, 8).await, UploadOutcome::Kept(8));
    assert_eq!(add(store, &author, &id, 0, 8).await, UploadOutcome::OtherOffset(8));
    assert_eq!(add(store, &author, &id, 8, 13).await, UploadOutcome::OtherLength);
    assert_eq!(add(store, &author, &id, 8, 12).await, UploadOutcome::Kept(20));
    let upload = find(store, &author).await.unwrap().uploads.remove(0);
    assert_eq!((upload.offset, upload.length), (20, Some(20)));
    let sizes: Vec<u64> = upload.pieces.iter().map(|piece| piece.size).collect();
    assert_eq!(sizes, [8, 12]);
    let known = upload.pieces.iter().map(|piece| piece.blob.clone()).collect();
    assert!(store.unreferenced_blobs(known).await.unwrap().is_empty());
}

pub async fn a_length_is_told_once(store: &dyn Store) {
    let [author, _] = authors(store).await;
    let (id, _) = begin(store, &author, None).await;
    add(store, &author, &id, 0, 8).await;
    let set = async |length| store.set_length(author.clone(), id.clone(), length, LIMITS).await.unwrap();
    assert_eq!(set(7).await, UploadOutcome::OtherLength);
    assert_eq!(set(101).await, UploadOutcome::TooLarge);
    assert_eq!(set(9).await, UploadOutcome::Kept(8));
    assert_eq!(set(9).await, UploadOutcome::Kept(8));
    assert_eq!(set(8).await, UploadOutcome::OtherLength);
}

pub async fn a_removed_upload_gives_up_its_blobs(store: &dyn Store) {
    let [author, _] = authors(store).await;
    let (id, _) = begin(store, &author, None).await;
    add(store, &author, &id, 0, 8).await;
    let blob = find(store, &author).await.unwrap().uploads[0].pieces[0].blob.clone();
    let found = Some(event(Action::Scan));
    assert!(store.remove_upload(author.clone(), id.clone(), noon(), found.clone()).await.unwrap());
    assert!(!store.remove_upload(author.clone(), id.clone(), noon(), found).await.unwrap());
    assert_eq!(store.pending_deletion(10).await.unwrap(), [blob]);
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
