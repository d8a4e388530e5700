//! The queue on PostgreSQL by itself: how much ordinary mail is taken in, handed out and ended, by so many callers at once, on
//! a server of its own whose folder is on a disk (`TMPDIR`). Run by `cargo bench --features cluster --bench postgresql`.
//!
//! Beside each rate: what a mail costs in processor time, in this process and in the server.
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
use zegel::clock::{Clock, later};
use zegel::config::Database;
use zegel::diagnostic::Outcome;
use zegel::envelope::{Envelope, MailParameters};
use zegel::id::{FolderId, QueueId};
use zegel::store::postgresql::Postgres;
use zegel::store::{
    Acceptance, Attempt, AttemptEnd, Body, BodyData, Item, MessageStore, NewItem, QueueItemKind, QueueStore,
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
        println!("callers  taken in and ended/s  us/mail here  us/mail PostgreSQL");
        for callers in [1, 10, 50, 200] {
            row(&store, &server, callers).await;
        }
    });
}

async fn row(store: &Postgres, server: &Server, callers: usize) {
    let (taken_in, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let wake = Arc::new(Notify::new());
    let (begun, before) = (Instant::now(), (cpu_here(), cpu_of(server.pid())));
    let worker = tokio::spawn(deliver(store.clone(), Arc::clone(&ended), Arc::clone(&wake)));
    let commits = (0..callers).map(|_| {
        let (store, taken_in, wake) = (store.clone(), Arc::clone(&taken_in), Arc::clone(&wake));
        tokio::spawn(async move {
            while begun.elapsed() < SPAN {
                let acceptance = Acceptance { items: vec![mail()], ..Acceptance::new(QueueId::random()) };
                store.commit(acceptance).await.unwrap();
                taken_in.fetch_add(1, Ordering::Relaxed);
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
    let (count, seconds) = (taken_in.load(Ordering::Relaxed) as f64, begun.elapsed().as_secs_f64());
    let (here, there) = (cpu_here() - before.0, cpu_of(server.pid()) - before.1);
    worker.abort();
    let each = |seconds: f64| seconds / count * 1e6;
    println!("{callers:7}  {:20.0}  {:12.0}  {:18.0}", count / seconds, each(here), each(there));
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

fn mail() -> NewItem {
    let address = |text| Address::parse(text).unwrap();
    NewItem {
        id: QueueId::random(),
        kind: QueueItemKind::Message,
        envelope: Envelope {
            reverse_path: ReversePath::Address(address("jan@voorbeeld.nl")),
            parameters: MailParameters::default(),
            recipients: vec![address("a@example.org").into()],
        },
        body: Body { key: None, data: BodyData::Inline(vec![7; OCTETS]) },
        link: None,
        created: Clock::system().now(),
    }
}

fn delivered(item: Item) -> Attempt {
    let now = Clock::system().now();
    Attempt {
        item: item.id,
        claim: item.claim,
        notifies: None,
        now,
        outcomes: vec![(1, Outcome::Delivered)],
        next_attempt: now,
        problem: None,
        reports: Vec::new(),
        events: Vec::new(),
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
