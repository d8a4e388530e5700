//! What every [`BlobIndex`] must do.

use super::sample::*;
use crate::clock::days_later;
use crate::id::BlobName;
use crate::store::*;

pub async fn blobs_are_given_up_once(store: &dyn Store) {
    let ended = transfer();
    let names: Vec<_> = ended.parts.iter().map(|part| part.blob.clone()).collect();
    store.commit(sealed(ended)).await.unwrap();
    store.expire(Whose::everybody(), days_later(noon(), 30), days_later(noon(), 30)).await.unwrap();
    assert_eq!(store.pending_deletion(2).await.unwrap().len(), 2);
    store.forget_blobs(names[..2].to_vec()).await.unwrap();
    store.forget_blobs(names[..2].to_vec()).await.unwrap();
    assert_eq!(store.pending_deletion(10).await.unwrap(), [names[2].clone()]);
}

pub async fn an_orphan_is_what_no_row_knows(store: &dyn Store) {
    let (kept, ended) = (NewTransfer { expires: days_later(noon(), 60), ..transfer() }, transfer());
    let body = BlobName::random();
    let mut known: Vec<_> = kept.parts.iter().chain(&ended.parts).map(|part| part.blob.clone()).collect();
    known.push(body.clone());
    store.commit(sealed(ended)).await.unwrap();
    store.expire(Whose::everybody(), days_later(noon(), 30), days_later(noon(), 30)).await.unwrap();
    let queued = NewItem { body: in_blob(body), ..item() };
    store.commit(Acceptance { transfer: Some(kept), ..message(vec![queued]) }).await.unwrap();

    let orphan = BlobName::random();
    let asked = known.into_iter().chain([orphan.clone()]).collect();
    assert_eq!(store.unreferenced_blobs(asked).await.unwrap(), [orphan]);
}
