//! The rows of PostgreSQL by themselves: how many messages are taken in, and their mail handed out and ended, by so many callers
//! at once, on a server of its own whose folder is on a disk (`TMPDIR`). *Ordinary* is one mail; *sealed* is what a message of
//! 10 KiB becomes: a transfer, its notification and its receipt. Run by `cargo bench --features cluster --bench postgresql`.
//!
//! Beside each rate: what a message costs in processor time, in this process and in the server.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a measurement that fails must stop"
)]

#[path = "../tests/support/place.rs"]
mod place;
#[path = "../tests/support/postgresql.rs"]
mod server;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use zegel::address::{Address, ReversePath};
use zegel::audit::{Action, EventResult, Initiator};
use zegel::clock::{Clock, later};
use zegel::config::Database;
use zegel::diagnostic::Outcome;
use zegel::envelope::{Envelope, MailParameters};
use zegel::id::{BlobName, FolderId, Link, OrganisationId, QueueId, TransferId};
use zegel::store::postgresql::Postgres;
use zegel::store::{
    Acceptance, Attempt, AttemptEnd, Body, BodyData, Item, MessageStore, NewItem, NewRecipient, NewTransfer,
    Part, QueueItemKind, QueueStore, Track,
};

use self::server::Server;

/// How long each row takes.
const SPAN: Duration = Duration::from_secs(5);
/// Of a sealed mail of 1 KiB.
const OCTETS: usize = 1200;
/// Deliveries side by side.
const DELIVERIES: usize = 40;

fn main() {
    let server = Server::start_in(&std::env::temp_dir(), &["max_connections=100"]);
    server.sql("postgres", "CREATE DATABASE zegel");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let settings = Database { url: server.url("zegel"), password_file: None, connections: 16 };
        let store = Postgres::new(&settings, FolderId::random()).unwrap();
        store.migrate().await.unwrap();
        store.release_claims(store.node()).await.unwrap();
        println!("what      callers  taken in and ended/s  us each here  us each PostgreSQL");
        for callers in [1, 10, 50, 200] {
            row(&store, &server, "ordinary", callers, ordinary).await;
        }
        for callers in [1, 10, 50] {
            row(&store, &server, "sealed", callers, sealed).await;
        }
    });
}

async fn row(store: &Postgres, server: &Server, what: &str, callers: usize, message: fn() -> Acceptance) {
    let (taken_in, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let wake = Arc::new(Notify::new());
    let (begun, before) = (Instant::now(), (cpu_here(), cpu_of(server.pid())));
    let worker = tokio::spawn(deliver(store.clone(), Arc::clone(&ended), Arc::clone(&wake)));
    let commits = (0..callers).map(|_| {
        let (store, taken_in, wake) = (store.clone(), Arc::clone(&taken_in), Arc::clone(&wake));
        tokio::spawn(async move {
            while begun.elapsed() < SPAN {
                let message = message();
                let mails = message.items.len();
                store.commit(message).await.unwrap();
                taken_in.fetch_add(mails, Ordering::Relaxed);
                wake.notify_one();
            }
        })
    });
    for commit in commits.collect::<Vec<_>>() {
        commit.await.unwrap();
    }
    while ended.load(Ordering::Relaxed) < taken_in.load(Ordering::Relaxed) {
        wake.notify_one();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mails = taken_in.load(Ordering::Relaxed);
    let (count, seconds) = ((mails / message().items.len()) as f64, begun.elapsed().as_secs_f64());
    let (here, there) = (cpu_here() - before.0, cpu_of(server.pid()) - before.1);
    worker.abort();
    let each = |seconds: f64| seconds / count * 1e6;
    println!("{what:8}  {callers:7}  {:20.0}  {:12.0}  {:18.0}", count / seconds, each(here), each(there));
}

/// As the worker does: so many at once, each ended for itself.
async fn deliver(store: Postgres, ended: Arc<AtomicUsize>, wake: Arc<Notify>) {
    let in_flight = Arc::new(AtomicUsize::new(0));
    loop {
        let now = Clock::system().now();
        let free = DELIVERIES - in_flight.load(Ordering::Relaxed);
        let items =
            store.claim_due(store.node(), now, later(now, Duration::from_hours(2)), free).await.unwrap();
        for item in items {
            in_flight.fetch_add(1, Ordering::Relaxed);
            let (store, ended, wake) = (store.clone(), Arc::clone(&ended), Arc::clone(&wake));
            let in_flight = Arc::clone(&in_flight);
            tokio::spawn(async move {
                let end = store.finish_attempt(delivered(item)).await.unwrap();
                assert_eq!(end, AttemptEnd::Recorded);
                in_flight.fetch_sub(1, Ordering::Relaxed);
                ended.fetch_add(1, Ordering::Relaxed);
                wake.notify_one();
            });
        }
        wake.notified().await;
    }
}

fn ordinary() -> Acceptance {
    Acceptance { items: vec![mail(QueueItemKind::Message, None)], ..Acceptance::new(QueueId::random()) }
}

/// The index, the text and the original.
fn sealed() -> Acceptance {
    let (id, now) = (TransferId::random(), Clock::system().now());
    let link = Link { transfer: id.clone(), recipient: 1 };
    let part = |number| Part { number, blob: BlobName::random(), size: 10 << 10 };
    let recipient = NewRecipient { number: 1, address: address("a@example.org"), key_packet: vec![7; 120] };
    let transfer = NewTransfer {
        id: id.clone(),
        organisation: OrganisationId::of_domain("voorbeeld.nl"),
        generation: 1,
        created: now,
        expires: later(now, Duration::from_hours(24 * 30)),
        sender: Some(address("jan@voorbeeld.nl")),
        message_id: Some(format!("<{id}@voorbeeld.nl>")),
        reply_to: Vec::new(),
        on_behalf_of: Vec::new(),
        password: true,
        automatic: false,
        language: None,
        download_notice: true,
        file_names: false,
        first_reminder: None,
        parts: vec![part(0), part(1), part(2)],
        files: 0,
        recipients: vec![recipient],
        thread: vec![zegel::secret::random()],
        answers: Vec::new(),
    };
    let event = |action| Initiator::zegel().event(now, action, id.to_string(), EventResult::Ok);
    let events = [Action::Accept, Action::Seal, Action::Notify].map(event).to_vec();
    let items = vec![mail(QueueItemKind::Notification, Some(link)), mail(QueueItemKind::Receipt, None)];
    Acceptance { transfer: Some(transfer), items, events, ..Acceptance::new(QueueId::random()) }
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn mail(kind: QueueItemKind, link: Option<Link>) -> NewItem {
    NewItem {
        id: QueueId::random(),
        kind,
        organisation: Some(OrganisationId::of_domain("voorbeeld.nl")),
        envelope: Envelope {
            reverse_path: ReversePath::Address(address("jan@voorbeeld.nl")),
            parameters: MailParameters::default(),
            recipients: vec![address("a@example.org").into()],
        },
        body: Body { key: None, data: BodyData::Inline(vec![7; OCTETS]) },
        link,
        track: Track::default(),
        created: Clock::system().now(),
    }
}

fn delivered(item: Item) -> Attempt {
    let now = Clock::system().now();
    Attempt {
        item: item.id,
        claim: item.claim,
        notifies: item.link,
        now,
        outcomes: vec![(1, Outcome::Delivered)],
        next_attempt: now,
        problem: None,
        sends_back: false,
        reports: Vec::new(),
        events: Vec::new(),
        tracks: Vec::new(),
    }
}

/// Processor time of this process, in seconds.
fn cpu_here() -> f64 {
    ticks("self")
}

/// The same of a postmaster and its children.
fn cpu_of(postmaster: u32) -> f64 {
    let children = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let id: u32 = name.parse().ok()?;
        (fields(&name)?.get(1)?.parse::<u32>().ok()? == postmaster && id != postmaster).then_some(name)
    });
    ticks(&postmaster.to_string()) + children.map(|child| ticks(&child)).sum::<f64>()
}

/// User and system time of a process (proc_pid_stat(5)), a hundred ticks a second.
fn ticks(process: &str) -> f64 {
    let Some(fields) = fields(process) else { return 0.0 };
    let number = |place: usize| fields.get(place).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    (number(11) + number(12)) / 100.0
}

/// What comes after the name of the program.
fn fields(process: &str) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    Some(rest.split_ascii_whitespace().map(str::to_owned).collect())
}
