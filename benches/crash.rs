//! The long form of `tests/durability.rs`: kills gateways under load, half of them with a smarthost that fails at random,
//! until so many kills and acknowledged mails have been counted. Stops at the first mail that is lost, torn or half.
//!
//! `./run crash [KILLS [MAILS]]`, 500 and 100,000 unless told. `./run crash --cluster [KILLS]` does so with three nodes on one
//! PostgreSQL and one S3 service behind a balancer, 300 unless told: every fifth kill is the database's. From 300 kills on its
//! figures are written into docs/performance.md. Only loopback, and only processes of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a measurement that fails must stop"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::{Instant, SystemTime};

use support::crash::{Count, Plan, failing, kill_again_and_again};
use support::smarthost::Script;

/// Kills of one gateway; then another begins with an empty folder, or memory would be full of what was sent.
const OF_ONE: usize = 20;
/// Mails between two kills: on average half as many, so that both goals are reached at about the same time.
const BETWEEN: usize = 400;

fn main() {
    if std::env::args().any(|argument| argument == "--cluster") {
        return nodes::main();
    }
    let numbers: Vec<usize> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let kills = numbers.first().copied().unwrap_or(500);
    let mails = numbers.get(1).copied().unwrap_or(200 * kills);
    let begun = Instant::now();
    let (mut killed, mut total) = (0, Count::default());
    while killed < kills || total.acknowledged < mails {
        let seed = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64;
        let plan = Plan { kills: OF_ONE.min(kills), between: BETWEEN, seed };
        let is_usual = (killed / OF_ONE).is_multiple_of(2);
        println!("TEST_SEED={seed}, the smarthost {}", if is_usual { "works" } else { "fails" });
        let count = if is_usual {
            kill_again_and_again(&plan, |_| Script::usual())
        } else {
            kill_again_and_again(&plan, failing)
        };
        killed += plan.kills;
        total.sent += count.sent;
        total.acknowledged += count.acknowledged;
        total.doubled += count.doubled;
        println!("{killed} kills in {:.0?}: {total:?}, none lost, torn or half", begun.elapsed());
    }
}

/// Several gateways.
#[cfg(feature = "cluster")]
mod nodes {
    use std::fs;
    use std::time::{Instant, SystemTime};

    use crate::support::crash_cluster::{Count, NODES, kill_nodes_and_database};

    /// Kills of one cluster; then another begins with an empty database, or memory would be full of what was sent.
    const OF_ONE: usize = 20;
    /// Fewer kills than this are printed, and not written.
    const WRITTEN: usize = 300;
    const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/performance.md");
    const START: &str = "<!-- crash: written by `./run crash --cluster`, do not edit -->";
    const END: &str = "<!-- /crash -->";

    pub fn main() {
        let kills = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(WRITTEN);
        let (begun, mut total) = (Instant::now(), Count::default());
        while total.nodes + total.databases < kills {
            let seed = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64;
            println!("TEST_SEED={seed}");
            let left = kills - total.nodes - total.databases;
            total.add(&kill_nodes_and_database(OF_ONE.min(left), seed));
            let killed = total.nodes + total.databases;
            println!("{killed} kills in {:.0?}: {total:?}, none lost or torn", begun.elapsed());
        }
        let table = table(&total);
        println!("\n{table}");
        if kills >= WRITTEN {
            write(&table);
        }
    }

    fn table(count: &Count) -> String {
        let Count { nodes, databases, sent, acknowledged, recipients, doubled, doubled_items, .. } = count;
        let cut_off = nodes + NODES * databases;
        let back = count.longest_return.as_secs_f64();
        format!(
            "| {NODES} nodes, PostgreSQL, S3, HAProxy | Counted |\n|---|---|\n\
             | kill -9 of a node, of PostgreSQL | {nodes}, {databases} |\n\
             | mails sent, acknowledged | {sent}, {acknowledged} |\n\
             | recipients who were owed a mail | {recipients} |\n\
             | … who did not get it | 0 |\n\
             | … who got it torn or changed | 0 |\n\
             | … who got it twice | {doubled}, of {doubled_items} items ({:.2} for each node that was cut off; up to 6 were in flight there) |\n\
             | from PostgreSQL taking connections again to the next 250 | at most {back:.1} s |\n",
            *doubled_items as f64 / cut_off.max(1) as f64
        )
    }

    fn write(table: &str) {
        let text = fs::read_to_string(FILE).unwrap();
        let (before, rest) = text.split_once(START).expect("where it begins");
        let (_, after) = rest.split_once(END).expect("where it ends");
        fs::write(FILE, format!("{before}{START}\n\n{table}\n{END}{after}")).unwrap();
    }
}

#[cfg(not(feature = "cluster"))]
mod nodes {
    pub fn main() {
        panic!("several gateways need the feature `cluster`: ./run crash --cluster");
    }
}
