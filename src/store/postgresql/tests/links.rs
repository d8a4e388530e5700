//! Two nodes work on the same link at the same moment: what counts once is counted once, what is closed stays closed, and
//! nothing waits in a circle (the database would break that up, and one of the calls would fail).

use std::time::Duration;

use futures_util::future::{BoxFuture, join, join_all};
use futures_util::{FutureExt, TryFutureExt};

use super::*;
use crate::audit::{Action, Event};
use crate::cause::FailureCause;
use crate::clock::{days_later, earlier};
use crate::envelope::Reported;
use crate::id::Link;
use crate::limits::Rate;
use crate::store::conformance::sample::*;
use crate::store::*;

/// Two nodes on one database.
async fn two_nodes() -> ([Postgres; 2], TestDatabase) {
    let (first, database) = fresh().await;
    let second = node(&database);
    ([first, second], database)
}

fn count(database: &TestDatabase, rows: &str) -> u64 {
    database.sql(&format!("SELECT count(*) FROM {rows}")).parse().unwrap()
}

/// It was done, or the link was closed before, and what was behind it gone.
fn done_or_gone(outcome: Result<()>) -> bool {
    match outcome {
        Ok(()) => true,
        Err(StoreError::Gone | StoreError::Changed) => false,
        Err(error) => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn of_twenty_wrong_passwords_at_two_nodes_five_are_tried() {
    let (nodes, _database) = two_nodes().await;
    for _ in 0..5 {
        let link = linked(&nodes[0]).await;
        let tries =
            join_all((0..20).map(|number| nodes[number % 2].begin_try(link.clone(), RULE, noon()))).await;
        let tries: Vec<_> = tries.into_iter().map(Result::unwrap).collect();
        let allowed = tries.iter().filter(|one| matches!(one, Try::Allowed { .. })).count();
        let locks = tries.iter().filter(|one| matches!(one, Try::Allowed { locked: Some(_) })).count();
        assert_eq!((allowed, locks, recipient(&nodes[1], &link).await.tries), (5, 1, 5));
    }
}

#[tokio::test]
async fn no_session_outlives_a_recall() {
    let (nodes, database) = two_nodes().await;
    for round in 0..50 {
        let link = linked(&nodes[0]).await;
        let taking_back = async {
            for _ in 0..round {
                tokio::task::yield_now().await;
            }
            nodes[0].recall(recall(&link, Some(1))).await
        };
        let opening = nodes[1].open(session(round, &link), event(Action::Open));
        let (opened, taken_back) = join(opening, taking_back).await;
        assert_eq!(taken_back.unwrap(), [1]);
        let _ = done_or_gone(opened);
        assert_eq!(count(&database, "sessions"), 0, "round {round}");
        assert_eq!(recipient(&nodes[1], &link).await.key_packet, None);
    }
}

/// H45: who has just given the password has received the mail.
#[tokio::test]
async fn a_link_that_is_being_opened_is_not_closed_by_a_report() {
    let (nodes, database) = two_nodes().await;
    for round in 0..50 {
        let link = linked(&nodes[0]).await;
        let failed = DeliveryReport {
            own: true,
            action: Reported::Failed,
            time: noon(),
            cause: FailureCause::Other,
            reason: "550".into(),
        };
        let opening = nodes[1].open(session(round, &link), event(Action::Open));
        let (opened, closed) = join(opening, nodes[0].note_delivery_report(link.clone(), failed)).await;
        assert_ne!(done_or_gone(opened), closed.unwrap(), "round {round}: one of them came first");
        let in_vain =
            "sessions s JOIN transfer_recipients r ON r.transfer = s.transfer AND r.number = s.recipient
             WHERE r.bounced IS NOT NULL";
        assert_eq!(count(&database, in_vain), 0, "round {round}");
    }
}

#[tokio::test]
async fn a_transfer_is_extended_or_expires() {
    let (nodes, _database) = two_nodes().await;
    let end = days_later(noon(), 30);
    for round in 0..50 {
        let link = linked(&nodes[0]).await;
        let extension = Extension {
            transfer: link.transfer.clone(),
            expires: days_later(end, 9),
            closed: earlier(end, Duration::from_secs(1)),
            event: event(Action::Extend),
            now: noon(),
            notices: Vec::new(),
        };
        let (extended, expired) =
            join(nodes[0].extend(extension), nodes[1].expire(Whose::everybody(), end, end)).await;
        assert_ne!(extended.unwrap(), expired.unwrap().contains(&link.transfer), "round {round}");
    }
}

#[tokio::test]
async fn a_mail_that_may_go_once_goes_once_from_two_nodes() {
    let (nodes, _database) = two_nodes().await;
    let queued = async |links: [&Link; 2], (bucket, rate): (&str, Rate)| {
        let send = |number: usize| {
            let in_all = (bucket.to_owned(), rate);
            let notice = LimitedNotice { in_all, ..limited(links[number / 2 % 2], true) };
            nodes[number % 2].enqueue_limited(notice, noon())
        };
        let sent = join_all((0..20).map(send)).await;
        sent.into_iter().filter(|sent| *sent.as_ref().unwrap() == EnqueueOutcome::Queued).count()
    };
    let plenty = Rate::per(1000, Duration::from_secs(3600));
    let one = linked(&nodes[0]).await;
    assert_eq!(queued([&one, &one], ("many", plenty)).await, 1);
    let two = [&linked(&nodes[0]).await, &linked(&nodes[1]).await];
    assert_eq!(queued(two, ("few", Rate::per(1, Duration::from_secs(300)))).await, 1);
    assert_eq!(queued(two, ("many", plenty)).await, 1, "what was refused took nothing");
}

#[tokio::test]
async fn two_timers_remind_once() {
    let (nodes, _database) = two_nodes().await;
    for occasion in [Occasion::HalfTime, Occasion::LastDays] {
        let link = linked(&nodes[0]).await;
        let reminders = || ReminderMails {
            transfer: link.transfer.clone(),
            occasion,
            expires: days(30),
            now: days(15),
            to_recipients: vec![mail(Some(&link), QueueItemKind::Reminder)],
            to_sender: None,
        };
        let queued = join_all((0..6).map(|number| nodes[number % 2].enqueue_reminders(reminders()))).await;
        assert_eq!(queued.into_iter().map(Result::unwrap).sum::<usize>(), 1);
    }
    assert_eq!(kinds(&nodes[0]).await, ["reminder", "reminder"]);
}

/// What is queued for a link goes with it, whichever of the two comes first.
#[tokio::test]
async fn nobody_is_reminded_of_what_was_taken_back() {
    let (nodes, database) = two_nodes().await;
    for round in 0..30 {
        let link = linked(&nodes[0]).await;
        let reminders = ReminderMails {
            transfer: link.transfer.clone(),
            occasion: Occasion::HalfTime,
            expires: days(30),
            now: minutes(2),
            to_recipients: vec![mail(Some(&link), QueueItemKind::Reminder)],
            to_sender: None,
        };
        let both = join(nodes[0].enqueue_reminders(reminders), nodes[1].recall(recall(&link, Some(1)))).await;
        assert_eq!((both.0.is_ok(), both.1.unwrap()), (true, vec![1]));
        assert_eq!(count(&database, "items"), 0, "round {round}");
    }
}

#[tokio::test]
async fn a_download_at_two_nodes_is_one() {
    let (nodes, database) = two_nodes().await;
    for round in 1..=10 {
        let link = linked(&nodes[0]).await;
        open(&nodes[0], session(round, &link)).await.unwrap();
        let fetch = || {
            let notice = Some((mail(None, QueueItemKind::Download), earlier(noon(), HOUR)));
            Fetch { notice, parts: vec![1, 2], ..fetch_of(&link, round) }
        };
        let noted = join_all((0..20).map(|number| nodes[number % 2].note_download(fetch()))).await;
        assert!(noted.into_iter().all(done_or_gone));
        let downloads = nodes[1].downloads(link.transfer.clone()).await.unwrap();
        assert_eq!(downloads.iter().map(|one| (one.part, one.count)).collect::<Vec<_>>(), [(1, 1), (2, 1)]);
        assert_eq!(count(&database, "audit WHERE action = 'download'"), u64::from(round));
        assert_eq!(count(&database, "items"), u64::from(round), "the sender is told once");
    }
}

#[tokio::test]
async fn of_two_lost_parts_one_is_the_first() {
    let (nodes, database) = two_nodes().await;
    for round in 1..=20 {
        let link = linked(&nodes[0]).await;
        let lost = |number: usize| {
            let (part, notice) = (number as u32 / 2, Some(mail(None, QueueItemKind::Lost)));
            nodes[number % 2].note_lost_part(link.transfer.clone(), part, event(Action::Lost), notice)
        };
        let news = join_all((0..6).map(lost)).await;
        assert_eq!(news.into_iter().filter(|news| *news.as_ref().unwrap()).count(), 3);
        assert_eq!(count(&database, "items"), round);
    }
}

/// Expiry forgets limits that are full again; whoever counts a download holds its link and waits for such a limit.
#[tokio::test]
async fn expiry_and_a_download_do_not_wait_for_each_other() {
    let (nodes, _database) = two_nodes().await;
    let end = days_later(noon(), 30);
    for round in 1..=50 {
        let link = linked(&nodes[0]).await;
        let fetch = |time| Fetch {
            event: Event { time, object: link.to_string(), ..event(Action::Download) },
            ..fetch_of(&link, round)
        };
        open(&nodes[0], session(round, &link)).await.unwrap();
        for minute in [0, 20] {
            nodes[0].note_download(fetch(minutes(minute))).await.unwrap();
        }
        let both =
            join(nodes[0].note_download(fetch(end)), nodes[1].expire(Whose::everybody(), end, end)).await;
        let _ = done_or_gone(both.0);
        assert_eq!(both.1.unwrap(), [link.transfer], "round {round}");
    }
}

/// Everything that can be done with a link, by two nodes at once, and more often than a pool has connections.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_that_is_done_with_a_link_waits_in_a_circle() {
    let (nodes, database) = two_nodes().await;
    for round in 0..12 {
        let scene = Scene::new(&nodes[0], round).await;
        nodes[0].save_draft(scene.author(), b"typed".to_vec(), None, noon()).await.unwrap();
        let (mut one, mut other) = (scene.steps(&nodes[0]), scene.steps(&nodes[1]));
        other.rotate_left(usize::from(round) + 5);
        let recall = one.len() * usize::from(round) / 12;
        one.insert(recall, nodes[0].recall(recall_all(&scene.link)).map_ok(drop).boxed());
        let (one, other) = join(join_all(one), join_all(other)).await;
        let done = one.into_iter().chain(other).map(done_or_gone).filter(|done| *done).count();
        assert!(done > 20, "round {round}: {done}");
        assert_eq!(count(&database, "sessions"), 0, "round {round}");
        database.sql("DELETE FROM items");
    }
}

fn recall_all(link: &Link) -> Recall {
    let notices = vec![notice(link, QueueItemKind::Recall)];
    Recall { notices, ..recall(link, None) }
}

/// A transfer with a session and a notification in delivery.
struct Scene {
    link: Link,
    second: Link,
    item: Item,
    number: u8,
}

impl Scene {
    async fn new(store: &Postgres, number: u8) -> Self {
        let link = linked(store).await;
        let second = Link { recipient: 2, ..link.clone() };
        let item = claimed(store, notice(&link, QueueItemKind::Notification)).await;
        open(store, session(200 + number, &second)).await.unwrap();
        Self { link, second, item, number }
    }

    /// What happens to a link, as a node does it.
    fn steps<'a>(&'a self, store: &'a Postgres) -> Vec<BoxFuture<'a, Result<()>>> {
        let mut steps = self.of_recipients(store);
        steps.extend(self.of_others(store));
        steps
    }

    fn of_recipients<'a>(&'a self, store: &'a Postgres) -> Vec<BoxFuture<'a, Result<()>>> {
        let (one, two, old) = (|| self.link.clone(), || self.second.clone(), 200 + self.number);
        let mut id = [self.number; 32];
        id[..16].copy_from_slice(store.node().as_str().as_bytes());
        let new = Session { id, ..session(0, &self.link) };
        let told = Some((mail(None, QueueItemKind::Download), earlier(noon(), HOUR)));
        let download = Fetch { notice: told, ..fetch_of(&self.second, old) };
        vec![
            store.begin_try(one(), RULE, noon()).map_ok(drop).boxed(),
            store.begin_try(two(), RULE, noon()).map_ok(drop).boxed(),
            store.open(new, event(Action::Open)),
            store.withdraw_try(one(), None),
            store.note_opened(two(), minutes(1)),
            store.session([old; 32], minutes(5), noon()).map_ok(drop).boxed(),
            store.note_download(download),
            store.save_draft(self.author(), b"typed".to_vec(), Some(b"typed".to_vec()), noon()),
            store.end_session(id, event(Action::Finish)),
        ]
    }

    fn of_others<'a>(&'a self, store: &'a Postgres) -> Vec<BoxFuture<'a, Result<()>>> {
        let transfer = || self.link.transfer.clone();
        let failed = DeliveryReport {
            own: true,
            action: Reported::Failed,
            time: noon(),
            cause: FailureCause::Other,
            reason: "550".into(),
        };
        let lost = Some(mail(None, QueueItemKind::Lost));
        let rest = mail(None, QueueItemKind::Download);
        vec![
            store.finish_attempt(attempt(&self.item, delivered())).map_ok(drop).boxed(),
            store.note_delivery_report(self.link.clone(), failed).map_ok(drop).boxed(),
            store.enqueue_limited(limited(&self.link, true), noon()).map_ok(drop).boxed(),
            store.enqueue_limited(limited(&self.second, false), noon()).map_ok(drop).boxed(),
            store.enqueue_follow_up(self.second.clone(), rest, minutes(90)).map_ok(drop).boxed(),
            store.note_lost_part(transfer(), 1, event(Action::Lost), lost).map_ok(drop).boxed(),
            store.enqueue_reminders(self.reminders()).map_ok(drop).boxed(),
            store.clear_tries(self.link.clone(), event(Action::Unlock)).map_ok(drop).boxed(),
            store.extend(self.extension()).map_ok(drop).boxed(),
            store.sweep_sessions(earlier(noon(), HOUR)).map_ok(drop).boxed(),
            store.expire(Whose::everybody(), noon(), days(2)).map_ok(drop).boxed(),
            store.recall(recall(&self.link, Some(2))).map_ok(drop).boxed(),
        ]
    }

    fn author(&self) -> Author {
        Author { link: self.second.clone(), browser: [self.number; 32] }
    }

    fn extension(&self) -> Extension {
        let transfer = self.link.transfer.clone();
        let (expires, notices) = (days(40), Vec::new());
        Extension { transfer, expires, closed: noon(), event: event(Action::Extend), now: noon(), notices }
    }

    fn reminders(&self) -> ReminderMails {
        ReminderMails {
            transfer: self.link.transfer.clone(),
            occasion: Occasion::HalfTime,
            expires: days(30),
            now: days(15),
            to_recipients: vec![mail(Some(&self.second), QueueItemKind::Reminder)],
            to_sender: None,
        }
    }
}

/// Rows of the audit trail are committed in another order than that of their numbers, and what is undone leaves a gap.
#[tokio::test]
async fn a_row_that_is_committed_late_is_in_the_chain_once() {
    let ([store, other], database) = two_nodes().await;
    let append = async |node: &Postgres| node.append_audit(event(Action::Seal)).await.unwrap();
    append(&store).await;
    let (begun, is_begun) = tokio::sync::oneshot::channel();
    let (end, may_end) = tokio::sync::oneshot::channel::<()>();
    let late = other.write(move |change| {
        async move {
            change.record(event(Action::Recall)).await?;
            begun.send(()).unwrap();
            may_end.await.unwrap();
            Ok(())
        }
        .boxed()
    });
    let meanwhile = async {
        is_begun.await.unwrap();
        append(&store).await;
        let undone = store.write(|change| {
            async move {
                change.record(event(Action::Recall)).await?;
                Err::<(), _>(StoreError::Gone)
            }
            .boxed()
        });
        assert!(undone.await.is_err());
        append(&store).await;
        assert_eq!(store.extend_chain(noon()).await.unwrap(), 3);
        assert_eq!(store.extend_chain(noon()).await.unwrap(), 0);
        end.send(()).unwrap();
    };
    let (late, ()) = join(late, meanwhile).await;
    late.unwrap();
    assert_eq!(verify_trail(&store, None).await.unwrap().unchained, 1);
    let both = join(store.extend_chain(noon()), other.extend_chain(noon())).await;
    assert_eq!(both.0.unwrap() + both.1.unwrap(), 1);
    let verdict = verify_trail(&store, None).await.unwrap();
    assert_eq!((verdict.rows, verdict.blocks, verdict.unchained, verdict.faults_in_all), (4, 2, 0, 0));
    assert_eq!(count(&database, "audit"), 4);
}

/// Rows of three nodes that write all the time, put into the chain by two that both believe they lead.
#[tokio::test]
async fn the_chain_holds_while_nodes_write_and_two_extend_it() {
    let ([first, second], database) = two_nodes().await;
    let third = node(&database);
    let write = async |node: &Postgres| {
        for _ in 0..60 {
            node.append_audit(event(Action::Seal)).await.unwrap();
        }
    };
    let extend = async |node: &Postgres| {
        for _ in 0..40 {
            node.extend_chain(noon()).await.unwrap();
        }
    };
    tokio::join!(write(&first), write(&second), write(&third), extend(&first), extend(&second));
    first.extend_chain(noon()).await.unwrap();
    let verdict = verify_trail(&first, None).await.unwrap();
    assert_eq!((verdict.rows, verdict.unchained, verdict.faults_in_all), (180, 0, 0), "{verdict:?}");
}
