//! What every [`StatusStore`] must do.

use super::sample::*;
use crate::audit::{Action, Event};
use crate::id::TransferId;
use crate::store::*;

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
        store.append_audit(about(object, minute)).await.unwrap();
    }
    let trail = store.audit_log(link.transfer.clone()).await.unwrap();
    let objects: Vec<_> = trail.into_iter().map(|entry| entry.object).collect();
    assert_eq!(objects, [transfer, link.to_string(), format!("{link}/3")]);
}
