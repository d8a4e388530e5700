//! The worker against a next hop that is ten lines: what it does with the outcome of each recipient.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail so")]

mod support;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use zegel::address::{Address, ReversePath};
use zegel::clock::{Clock, Timestamp};
use zegel::config::{self, Direction};
use zegel::delivery::outcome::Delivery;
use zegel::delivery::{NextHop, OutgoingMail};
use zegel::diagnostic::{Diagnostic, Outcome, Stage};
use zegel::envelope::{Envelope, MailParameters};
use zegel::id::{FolderId, QueueId};
use zegel::message::crlf::CrlfBytes;
use zegel::metrics::Metrics;
use zegel::outbox::body::store_body;
use zegel::queue::worker::{Worker, WorkerParts};
use zegel::secret::Keys;
use zegel::settings::{CurrentSettings, Organisation, Settings};
use zegel::store::{HopReport, NewItem, Problem, QueueItemKind, Track};

use support::queue::{MemoryBlobs, MemoryQueue, State};

/// Answers by the local part of the address, and reads the message twice.
#[derive(Default)]
struct Fake {
    /// Recipients and message of each delivery.
    seen: Mutex<Vec<(Vec<String>, Vec<u8>)>>,
}

#[async_trait]
impl NextHop for Fake {
    fn name(&self, _: &Organisation, _: Direction) -> String {
        "fake:25".to_owned()
    }

    async fn deliver(&self, _: &Organisation, mail: &OutgoingMail<'_>) -> Delivery {
        let (first, again) = (read(mail).await, read(mail).await);
        assert_eq!((first.len() as u64, &first), (mail.traits.size, &again), "opened twice, it is the same");
        let to: Vec<String> = mail.recipients.iter().map(|one| one.address.to_string()).collect();
        let answers = to.iter().map(|to| match to.split_once('@').unwrap().0 {
            "full" => Outcome::Failed(Diagnostic::remote(Stage::Recipient, 552, "5.2.2 full")),
            "grey" => Outcome::Deferred(Diagnostic::remote(Stage::Recipient, 450, "4.2.0 later")),
            "many" if mail.recipients.len() > 1 => {
                Outcome::Deferred(Diagnostic::remote(Stage::Recipient, 452, "4.5.3 too many"))
            }
            "us" => Outcome::Deferred(Diagnostic::remote(Stage::Recipient, 554, "5.7.1 denied")),
            _ => Outcome::Delivered,
        });
        let outcomes: Vec<Outcome> = answers.collect();
        self.seen.lock().unwrap().push((to.clone(), first));
        let problem = to.iter().any(|to| to.starts_with("us@")).then_some(Problem::Refused);
        Delivery { outcomes, problem, is_away: false, hop: HopReport::default() }
    }
}

async fn read(mail: &OutgoingMail<'_>) -> Vec<u8> {
    let (mut blocks, mut message) = ((mail.open)(), Vec::new());
    while let Some(block) = blocks.next().await.unwrap() {
        message.extend(block);
    }
    message
}

/// Sends one message through a worker until it satisfies `enough`; what the next hop saw, and the state.
async fn send(message: Vec<u8>, to: &[&str], enough: impl Fn(&State) -> bool) -> (Arc<Fake>, State) {
    let text = "hostname = \"veilig.voorbeeld.nl\"\ndata_dir = \"/nowhere\"\n\
         [organisation]\nname = \"Gemeente Voorbeeld\"\ndomains = [\"voorbeeld.nl\"]\n\
         [smtp]\nlisten = [\"127.0.0.1:0\"]\n[relay]\nsmarthost = \"unused:25\"\n\
         [web]\nlisten = [\"127.0.0.1:0\"]\npublic_url = \"https://veilig.voorbeeld.nl\"\n";
    let config = config::parse(Path::new("zegel.toml"), text, std::iter::empty()).unwrap();
    let settings = CurrentSettings::new(Settings::read(config).unwrap());
    let (keys, next_hop) = (Keys::derive(&[7; 32]), Arc::new(Fake::default()));
    let (queue, blobs) = (MemoryQueue::new(), MemoryBlobs::default());
    let start: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
    let message = CrlfBytes::check(message).unwrap();
    queue.add(NewItem {
        id: QueueId::random(),
        kind: QueueItemKind::Message,
        organisation: None,
        envelope: Envelope {
            reverse_path: ReversePath::Address(Address::parse("jan@voorbeeld.nl").unwrap()),
            parameters: MailParameters::default(),
            recipients: to.iter().map(|to| Address::parse(to).unwrap().into()).collect(),
        },
        body: store_body(&keys.body, &blobs, &message).unwrap(),
        link: None,
        track: Track::default(),
        created: start,
    });
    let worker = Worker::new(WorkerParts {
        owner: FolderId::random(),
        store: queue.clone(),
        blobs: Arc::new(blobs),
        key: keys.body,
        link_key: keys.link,
        action_key: keys.action,
        clock: Clock::movable(start),
        settings,
        next_hop: next_hop.clone(),
        metrics: Metrics::default(),
    });
    let stop = CancellationToken::new();
    let running = tokio::spawn(worker.run(stop.clone()));
    let state = queue.wait(enough).await;
    stop.cancel();
    running.await.unwrap();
    (next_hop, state)
}

#[tokio::test]
async fn each_recipient_has_an_outcome_and_only_the_deferred_wait() {
    let to = ["piet@example.org", "grey@example.org", "full@example.org"];
    let (next_hop, state) = send(b"Subject: hallo\r\n\r\n".to_vec(), &to, |state| state.finished == 1).await;
    let waiting: Vec<&str> =
        state.rows[0].waiting.iter().map(|pending| pending.recipient.address.as_str()).collect();
    assert_eq!(waiting, ["grey@example.org"]);
    assert_eq!(state.rows[0].due, state.rows[0].item.created + Duration::from_mins(1));
    assert_eq!(state.reports.len(), 1, "the one that was refused");
    assert_eq!(next_hop.seen.lock().unwrap()[0].0, to);
    let origins: Vec<String> = state.events.iter().map(|event| event.origin.to_string()).collect();
    assert!(origins.contains(&"fake:25".to_owned()), "{origins:?}");
}

/// RFC 5321 4.5.3.1.10
#[tokio::test]
async fn too_many_recipients_follow_at_once() {
    let to = ["piet@example.org", "many@example.org"];
    let (next_hop, _) = send(b"\r\nx\r\n".to_vec(), &to, |state| state.rows.is_empty()).await;
    let seen: Vec<usize> = next_hop.seen.lock().unwrap().iter().map(|(to, _)| to.len()).collect();
    assert_eq!(seen, [2, 1]);
}

#[tokio::test]
async fn a_problem_is_noted_and_the_mail_waits() {
    let (_, state) = send(b"\r\nx\r\n".to_vec(), &["us@example.org"], |state| state.finished == 1).await;
    assert_eq!((state.rows[0].problem, state.reports.len()), (Some(Problem::Refused), 0));
}

/// It is streamed from its blob.
#[tokio::test]
async fn a_large_message_is_opened_as_often_as_it_is_asked_for() {
    let message = b"0123456789\r\n".repeat(100_000);
    let (next_hop, _) = send(message.clone(), &["piet@example.org"], |state| state.rows.is_empty()).await;
    assert!(next_hop.seen.lock().unwrap()[0].1 == message);
}
