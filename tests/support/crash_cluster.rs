//! Kills nodes and their database under load and counts: `tests/cluster.rs` a few times, `benches/crash.rs` for as long as it is
//! told.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::cluster::Cluster;
use super::crash::{CLIENTS, FLIGHTS, assert_transfers_open};
use super::load::{Load, Random, What, arrivals, assert_nothing_lost};
use super::smarthost::{Script, Smarthost};

/// Gateways side by side.
pub const NODES: usize = 3;

/// What was counted.
#[derive(Clone, Debug, Default)]
pub struct Count {
    /// Nodes that were killed.
    pub nodes: usize,
    /// How often the database was.
    pub databases: usize,
    pub sent: usize,
    pub acknowledged: usize,
    /// Recipients who were owed a mail, and got it whole: those of acknowledged mails.
    pub recipients: usize,
    /// Those who got it more than once.
    pub doubled: usize,
    /// Items of the queue that were delivered more than once.
    pub doubled_items: usize,
    /// The longest time from the moment at which a killed database took connections again to the next 250.
    pub longest_return: Duration,
}

impl Count {
    pub fn add(&mut self, more: &Self) {
        self.nodes += more.nodes;
        self.databases += more.databases;
        self.sent += more.sent;
        self.acknowledged += more.acknowledged;
        self.recipients += more.recipients;
        self.doubled += more.doubled;
        self.doubled_items += more.doubled_items;
        self.longest_return = self.longest_return.max(more.longest_return);
    }
}

/// Nodes with little in flight: a node has at most so many connections to the smarthost, and twice as many deliveries.
pub fn cluster(nodes: usize, smarthost: &Smarthost) -> Cluster {
    let cluster = Cluster::new(nodes, smarthost.address(), "");
    for node in 0..nodes {
        cluster.site(node).set("relay", "max_connections = 3");
    }
    cluster
}

/// Kills one of the nodes, or every fifth time the database, at random moments, and starts what was killed again.
pub fn kill_nodes_and_database(kills: usize, seed: u64) -> Count {
    let mut random = Random::new(seed);
    let smarthost = Smarthost::start(Script::usual());
    let mut cluster = cluster(NODES, &smarthost);
    let mut nodes: Vec<_> = cluster.start_all().into_iter().map(Some).collect();
    let load = Load::start(CLIENTS, random.below(1 << 20) as u64);
    load.gateway_is(Some(cluster.balancer.smtp));
    let mut count = Count::default();
    for kill in 0..kills {
        load.wait(1 + random.below(60));
        // Not only when an answer has just come.
        sleep(Duration::from_micros(random.below(30_000) as u64));
        if kill % 5 == 4 {
            count.databases += 1;
            cluster.database.kill();
            let back: Instant = cluster.database.start_again();
            load.wait(1);
            count.longest_return = count.longest_return.max(back.elapsed());
        } else {
            count.nodes += 1;
            let node = random.below(NODES);
            nodes[node].take().expect("a node").kill();
            load.wait(1 + random.below(20));
            nodes[node] = Some(cluster.start(node));
        }
    }
    // With the database all that is in flight at every node is cut off.
    let cut_off = count.nodes + count.databases * NODES;
    let settled = settle(&cluster, &smarthost, load, cut_off);
    Count { nodes: count.nodes, databases: count.databases, longest_return: count.longest_return, ..settled }
}

/// After the load has ended: nothing is lost or torn, and no more doubled than was in flight at so many nodes that were cut off.
pub fn settle(cluster: &Cluster, smarthost: &Smarthost, load: Load, cut_off: usize) -> Count {
    settle_after(0, cluster, smarthost, load, cut_off)
}

/// The same where so many mails had arrived before the load began.
pub fn settle_after(
    before: usize,
    cluster: &Cluster,
    smarthost: &Smarthost,
    load: Load,
    cut_off: usize,
) -> Count {
    let sent = load.end();
    cluster.drain(0);
    let seen = smarthost.seen();
    let arrivals = arrivals(&sent, &seen.taken[before..]);
    assert_nothing_lost(&sent, &arrivals);
    let twice = arrivals.iter().filter(|(_, connections)| connections.len() > 1);
    let items: BTreeSet<_> = twice
        .clone()
        // All recipients of a message are one item.
        .map(|(delivery, _)| {
            (&delivery.id, delivery.what, (delivery.what != What::Message).then_some(&delivery.to))
        })
        .collect();
    assert!(items.len() <= cut_off * FLIGHTS, "{} items of {cut_off} nodes: {items:?}", items.len());
    assert_transfers_open(cluster.site(0), &sent, &seen);
    let acknowledged = sent.iter().filter(|mail| mail.acknowledged);
    Count {
        sent: sent.len(),
        acknowledged: acknowledged.clone().count(),
        recipients: acknowledged.map(|mail| mail.deliveries().len()).sum(),
        doubled: twice.count(),
        doubled_items: items.len(),
        ..Count::default()
    }
}
