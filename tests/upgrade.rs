//! Nodes of the release before beside nodes of this one, on the same database and the same bucket, under load: there, and back.
//! `./run upgrade REVISION` builds the older binary and runs this; `TEST_OLD_BINARY` is the path to it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail so"
)]

mod support;

use std::process::Command;

use support::cluster::Cluster;
use support::crash::CLIENTS;
use support::crash_cluster::{cluster, settle_after};
use support::gateway::{Gateway, wait_for};
use support::load::{Load, Random, seed};
use support::resident::{RESIDENT, Resident, seal};
use support::smarthost::{Script, Smarthost};
use support::web::{get_as, post};

/// Mails between two steps.
const SOME: usize = 40;

fn old() -> Command {
    let binary = std::env::var_os("TEST_OLD_BINARY").expect("TEST_OLD_BINARY: the path to the older binary");
    let mut command = Command::new(binary);
    command.env_remove("RUST_BACKTRACE");
    command
}

/// A node is stopped as `systemctl stop` does, and another binary starts in its place.
fn replace(cluster: &Cluster, node: usize, running: Gateway, binary: Option<Command>) -> Gateway {
    assert_eq!(running.stop(), 0);
    let started = match binary {
        Some(binary) => cluster.site(node).start_as(binary),
        None => cluster.start(node),
    };
    wait_for("the balancer to have it", || Cluster::is_ready(&started).then_some(()));
    started
}

#[test]
fn old_and_new_nodes_share_everything_while_one_replaces_the_other() {
    let mut random = Random::new(seed("upgrade"));
    let smarthost = Smarthost::start(Script::usual());
    let cluster = cluster(2, &smarthost);
    let mut nodes: Vec<Gateway> = (0..2).map(|node| cluster.site(node).start_as(old())).collect();
    let (links, password) = seal(&smarthost, cluster.site(0), &nodes[0], &[RESIDENT]);
    wait_for("the pages", || ureq::get(&links[0]).call().is_ok().then_some(()));
    let mut anna = Resident::open(&links[0], &password);
    let before = smarthost.seen().taken.len();
    let load = Load::start(CLIENTS, random.below(1 << 20) as u64);
    load.gateway_is(Some(cluster.balancer.smtp));
    load.wait(SOME);

    // There: the new release extends the database while old nodes work on, then takes their places.
    let (status, out, error) = cluster.site(1).command(&["migrate"]);
    assert_eq!(status, 0, "{out}{error}");
    load.wait(SOME);
    for node in [1, 0] {
        let next = replace(&cluster, node, nodes.remove(node), None);
        nodes.insert(node, next);
        // What each has taken in, the other delivers and opens.
        load.wait(2 * SOME);
        let whole = get_as(&format!("{}/message.eml", anna.link), &anna.cookie());
        assert_eq!(whole.status, 200, "the session of before goes on");
    }

    // And back, in case the new one does not please.
    for node in [1, 0] {
        let next = replace(&cluster, node, nodes.remove(node), Some(old()));
        nodes.insert(node, next);
        load.wait(SOME);
    }
    anna = Resident::open(&links[0], &password);
    assert_eq!(get_as(&format!("{}/message.eml", anna.link), &anna.cookie()).status, 200);
    assert_ne!(post(&links[0], "password=fout").status, 303);
    // Nothing was cut off, so nothing may be doubled.
    println!("{:?}", settle_after(before, &cluster, &smarthost, load, 0));
}
