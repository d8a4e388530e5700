//! What it costs that nodes share PostgreSQL and an S3 store: the same work on SQLite and files, on one node that shares, on
//! two and three. All of them, the database and the store have the same two cores, so more nodes are not faster here; what
//! must not grow is the cost of a mail.

use std::thread;
use std::time::{Duration, Instant};

use crate::Plan;
use crate::download;
use crate::load::Mails;
use crate::measure::{Group, median};
use crate::pages;
use crate::party::{Party, Run, in_turn, middle};
use crate::peers::{Rival, Source, Zegel};
use crate::report::{Line, Section};
use crate::sealed;
use crate::sink::Sink;
use crate::stop;
use crate::support::cluster::Service;
use crate::support::postgresql::Server;
use crate::transfer::{Certificate, Transfer};

/// Rows of transfers that the full database has.
const TRANSFERS: u64 = 1_000_000;
const DATABASE: &str = "zegel";
const OF_DATABASE: &str = "CPU of the database for 1000 of them";
/// Of all nodes, in base64.
const MASTER_KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
const PATIENT: (&str, &str) = ("SMTP__MAX_CONNECTIONS_PER_CLIENT", "1000");
/// What each of several nodes has to do: so many mails in so much time.
const PORTION: u64 = 100;
const PERIOD: Duration = Duration::from_millis(250);
/// "The same", within what two runs of the same differ by.
const SAME: f64 = 0.9;
/// The same of a cost.
const SAME_COST: f64 = 1.1;

/// A database on disk, as a gateway's own is, and a store in memory.
struct Shared {
    database: Server,
    /// Its CPU time.
    group: Group,
    service: Service,
    _disk: tempfile::TempDir,
}

impl Shared {
    fn new() -> Self {
        let disk = tempfile::Builder::new().prefix("zegel-bench").tempdir().expect("a folder");
        let database = Server::start_in(disk.path(), &["max_connections=200", "shared_buffers=256MB"]);
        database.sql("postgres", &format!("CREATE DATABASE {DATABASE}"));
        let group = Group::of(&[database.pid()]);
        Self { database, group, service: Service::start(), _disk: disk }
    }

    /// The keys of `[store]`, as the environment has them.
    fn settings(&self) -> Vec<(String, String)> {
        let (database, endpoint) = (self.database.url(DATABASE), self.service.radosgw.endpoint());
        let settings = self.service.settings(&database, &endpoint).into_iter();
        let mut settings: Vec<_> =
            settings.map(|(key, value)| (format!("STORE__{}", key.to_uppercase()), value)).collect();
        settings.push(("MASTER_KEY".to_owned(), MASTER_KEY.to_owned()));
        settings
    }

    fn transfers(&self) -> f64 {
        self.database.sql(DATABASE, "SELECT count(*) FROM transfers").parse().expect("a number")
    }

    /// A node that relays to this sink.
    fn node(&self, sink: &Sink) -> Zegel {
        let settings = self.settings();
        let mut settings: Vec<(&str, &str)> =
            settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        settings.push(PATIENT);
        Zegel::start(sink.address, &settings)
    }
}

/// The row.
pub fn row(plan: &Plan, name: &str) -> Section {
    let shared = Shared::new();
    let mut lines = ordinary(plan, &shared);
    lines.extend(sealing(plan, &shared));
    lines.extend(reading(plan, &shared));
    lines.extend(growing(plan, &shared));
    let how = "Nodes, PostgreSQL (on disk, its defaults but for `shared_buffers`), a Ceph object gateway (in memory), client and \
               sink share two cores. CPU is the gateways' own. \"Alone\" is the same on SQLite and files."
        .to_owned();
    Section { name: name.into(), how, lines }
}

fn ordinary(plan: &Plan, shared: &Shared) -> Vec<Line> {
    let sinks = [Sink::start(), Sink::start(), Sink::start()];
    let (alone, node) = (Zegel::start(sinks[0].address, &[PATIENT]), shared.node(&sinks[1]));
    let rival = Rival::start(sinks[2].address, "message_size_limit = 52428800\n");
    let parties =
        [Party::zegel(&alone, &sinks[0]), Party::zegel(&node, &sinks[1]), Party::postfix(&rival, &sinks[2])];
    let source = Source { own: false, sessions: 50, size: 1 << 10, subject: "gewone post", kept: true };
    let runs = in_turn(plan, &parties, &source);
    let [rate, cpu]: [fn(&Run) -> f64; 2] = [|run| run.arrived, |run| run.cpu];
    let of = |place: usize, figure| middle(&runs[place], figure);
    let what = "ordinary 1 KiB, 50 sessions kept";
    vec![
        Line::at_least(what, "mails/s", of(1, rate), ("Postfix", of(2, rate)), 3.0),
        Line::compare(what, "mails/s", of(1, rate), ("alone", of(0, rate))),
        Line::at_most("CPU for 1000 of them", "s", of(1, cpu), ("alone", of(0, cpu)), 1.5),
    ]
}

fn sealing(plan: &Plan, shared: &Shared) -> Vec<Line> {
    let sinks = [Sink::start(), Sink::start()];
    let (alone, node) = (Zegel::start(sinks[0].address, &[]), shared.node(&sinks[1]));
    let parties = [Party::sealing(&alone, &sinks[0]), Party::sealing(&node, &sinks[1])];
    let source = Source { own: false, sessions: 10, size: 10 << 10, subject: sealed::SUBJECT, kept: false };
    let so_far = || (shared.group.cpu().as_secs_f64(), shared.transfers());
    let before = so_far();
    let runs = in_turn(plan, &parties, &source);
    let after = so_far();
    let [rate, cpu]: [fn(&Run) -> f64; 2] = [|run| run.arrived, |run| run.cpu];
    let of = |place: usize, figure| middle(&runs[place], figure);
    let database = (after.0 - before.0) / (after.1 - before.1) * 1000.0;
    vec![
        Line::at_least("sealed 10 KiB, 10 sessions", "mails/s", of(1, rate), ("alone", of(0, rate)), 0.8),
        Line::at_most("CPU for 1000 of them", "s", of(1, cpu), ("alone", of(0, cpu)), 1.5),
        Line::alone(OF_DATABASE, "s", database),
    ]
}

/// The page with the password field, and a large file.
fn reading(plan: &Plan, shared: &Shared) -> Vec<Line> {
    let certificate = Certificate::new();
    let file: Vec<u8> = (0..download::SIZE / 32).flat_map(|_| zegel::secret::random::<32>()).collect();
    let mail = download::mail(&file);
    drop(file);
    let large = [("SMTP__MAX_MESSAGE_SIZE", "512MiB"), ("SMTP__MEMORY_BUDGET", "2GiB")];
    let settings = shared.settings();
    let mut with_store = large.to_vec();
    with_store.extend(settings.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    let both = [
        Transfer::of(&mail, Some(&certificate), &large),
        Transfer::of(&mail, Some(&certificate), &with_store),
    ];
    let mut speeds = [Vec::new(), Vec::new()];
    let cookies = both.each_ref().map(download::unlock);
    for round in 0..=plan.rounds.max(2) {
        for ((transfer, cookie), speeds) in both.iter().zip(&cookies).zip(&mut speeds) {
            stop::if_asked();
            let url = format!("{}/files/1", transfer.link);
            let run = download::download(&url, cookie, &transfer.zegel.group);
            if round > 0 {
                speeds.push(run.speed);
            }
        }
    }
    let [alone, node] = speeds.each_ref().map(|speeds| median(speeds));
    let mut lines = vec![Line::compare("download of 256 MiB", "MB/s", node, ("alone", alone))];
    drop(both);
    let small = Mails::new(sealed::SUBJECT, 1 << 10).one(1);
    let settings: Vec<(&str, &str)> =
        settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let both = [Transfer::of(&small, None, &[]), Transfer::of(&small, None, &settings)];
    let [alone, node] = both.each_ref().map(|transfer| pages::rate_of_unlock_page(plan, transfer));
    lines.push(Line::compare("unlock page", "requests/s", node, ("alone", alone)));
    lines
}

/// Two and three nodes, and a million transfers: the cost of a mail stays. Every node has the same work, so much that three of
/// them leave these two cores some rest: the busier a process is, the less each piece of its work costs.
fn growing(plan: &Plan, shared: &Shared) -> Vec<Line> {
    let source = Source { own: false, sessions: 10, size: 1 << 10, subject: "gewone post", kept: true };
    let sink = Sink::start();
    let nodes: Vec<Zegel> = (0..3).map(|_| shared.node(&sink)).collect();
    let of = |count: usize| split(plan, &nodes[..count], &sink, &source, &shared.group);
    let one = of(1);
    let mut lines = vec![Line::alone(OF_DATABASE, "s", one.database)];
    for count in [2, 3] {
        let (several, nodes) = (of(count), format!("{count} nodes"));
        lines.extend([
            Line::compare(
                format!("ordinary 1 KiB, 400 a second each, {nodes}"),
                "mails/s",
                several.rate,
                ("1 node", one.rate),
            ),
            Line::at_most(
                format!("CPU of {nodes} for 1000 of them"),
                "s",
                several.nodes,
                ("1 node", one.nodes),
                SAME_COST,
            ),
            Line::compare(OF_DATABASE, "s", several.database, ("1 node", one.database)),
        ]);
    }
    fill(&shared.database);
    let full = of(1);
    lines.extend([
        Line::at_least(
            "ordinary 1 KiB, 400 a second, a million transfers",
            "mails/s",
            full.rate,
            ("none", one.rate),
            SAME,
        ),
        Line::at_most("CPU for 1000 of them", "s", full.nodes, ("none", one.nodes), SAME_COST),
        Line::at_most(OF_DATABASE, "s", full.database, ("none", one.database), SAME_COST),
    ]);
    lines
}

/// Of mails that several nodes relayed.
struct Cost {
    /// Mails per second at the sink.
    rate: f64,
    /// CPU seconds of all nodes for 1000.
    nodes: f64,
    /// The same of the database.
    database: f64,
}

/// Each node has [`PORTION`] mails every [`PERIOD`].
fn split(plan: &Plan, nodes: &[Zegel], sink: &Sink, source: &Source, database: &Group) -> Cost {
    // Three times as long as others: so little CPU is counted in coarse steps.
    let periods = (plan.seconds * 3.0 / PERIOD.as_secs_f64()).ceil() as u32;
    let mails = u64::from(periods) * PORTION * nodes.len() as u64;
    let cpu = || {
        let nodes: f64 = nodes.iter().map(|node| node.group.cpu().as_secs_f64()).sum();
        [nodes, database.cpu().as_secs_f64()]
    };
    let mut costs = Vec::new();
    // The first one warms up.
    for _ in 0..=plan.rounds {
        stop::if_asked();
        let (before, goal, start) = (cpu(), sink.count() + mails, Instant::now());
        thread::scope(|scope| {
            for node in nodes {
                scope.spawn(move || {
                    for period in 1..=periods {
                        source.send(node.smtp, PORTION);
                        thread::sleep((start + PERIOD * period).saturating_duration_since(Instant::now()));
                    }
                });
            }
        });
        let seconds = (sink.wait(goal) - start).as_secs_f64();
        let after = cpu();
        let thousands = mails as f64 / 1000.0;
        let [nodes, database] = [0, 1].map(|of| (after[of] - before[of]) / thousands);
        costs.push(Cost { rate: mails as f64 / seconds, nodes, database });
    }
    let middle = |figure: fn(&Cost) -> f64| median(&costs.iter().skip(1).map(figure).collect::<Vec<_>>());
    Cost {
        rate: middle(|cost| cost.rate),
        nodes: middle(|cost| cost.nodes),
        database: middle(|cost| cost.database),
    }
}

/// Rows as many transfers leave them, without their blobs.
fn fill(database: &Server) {
    let rows = format!(
        "INSERT INTO transfers (id, created, expires, sender, password, files)
             SELECT lpad(i::text, 10, '0'), i, 4102444800000000, 'j.jansen@voorbeeld.nl', true, 1
             FROM generate_series(1, {TRANSFERS}) AS i;
         INSERT INTO transfer_recipients (transfer, number, address, key_packet)
             SELECT number, 1, 'anna@example.org', '\\x00' FROM transfers WHERE created <= {TRANSFERS};
         INSERT INTO parts (transfer, number, blob, size)
             SELECT number, 1, lpad(number::text, 26, '0'), 1000 FROM transfers WHERE created <= {TRANSFERS};"
    );
    database.sql(DATABASE, &rows);
    // What the server would do by itself in the minutes that follow.
    database.sql(DATABASE, "VACUUM ANALYZE");
    database.sql(DATABASE, "CHECKPOINT");
}
