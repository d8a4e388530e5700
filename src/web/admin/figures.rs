//! Figures of this moment for monitoring, beside what the parts have counted. No label is a person, an address or a name that a
//! stranger can choose.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::checks::{self, Check, NAMES, State};
use super::observed::Observed;
use crate::clock::Timestamp;
use crate::config::Direction;
use crate::metrics::{self, Labels};
use crate::queue::outage::NextHopStatus;
use crate::settings::Settings;
use crate::store::nodes::NodeHealth;
use crate::store::{Gauges, Problem, QueueItemKind, Sharer};

/// Figures that are written once.
struct Figures(Registry);

type Values<const N: usize, V> = Vec<(Labels<N>, V)>;

/// All that is known at this moment.
pub(super) fn figures(observed: &Observed, checks: &[Check]) -> Registry {
    let mut figures = Figures(Registry::with_prefix("zegel"));
    figures.of_gateway(observed, checks);
    if let Some(gauges) = &observed.gauges {
        figures.of_store(gauges, &observed.settings, observed.now);
    }
    figures.of_next_hops(&observed.next_hops);
    figures.of_certificates(observed);
    if let Some(node) = &observed.node {
        figures.of_node(node);
    }
    figures.0
}

fn label(name: &'static str, value: &'static str) -> Labels<1> {
    [(name, Cow::Borrowed(value))]
}

impl Figures {
    /// Whole numbers.
    fn whole<const N: usize>(&mut self, name: &str, help: &str, unit: Option<Unit>, values: Values<N, i64>) {
        let family = Family::<Labels<N>, Gauge>::default();
        for (labels, value) in &values {
            family.get_or_create(labels).set(*value);
        }
        if !values.is_empty() {
            self.register(name, help, unit, family);
        }
    }

    /// Seconds with what is behind the point.
    fn seconds<const N: usize>(&mut self, name: &str, help: &str, values: Values<N, f64>) {
        let family = Family::<Labels<N>, Gauge<f64, AtomicU64>>::default();
        for (labels, value) in &values {
            family.get_or_create(labels).set(*value);
        }
        if !values.is_empty() {
            self.register(name, help, Some(Unit::Seconds), family);
        }
    }

    fn register(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<Unit>,
        metric: impl prometheus_client::registry::Metric,
    ) {
        match unit {
            Some(unit) => self.0.register_with_unit(name, help, unit, metric),
            None => self.0.register(name, help, metric),
        }
    }

    fn one(&mut self, name: &str, help: &str, value: i64) {
        self.whole(name, help, None, vec![([], value)]);
    }

    fn of_gateway(&mut self, observed: &Observed, checks: &[Check]) {
        let built = [("version", Cow::Borrowed(env!("CARGO_PKG_VERSION")))];
        self.whole("build_info", "The version that runs", None, vec![(built, 1)]);
        let state = |name: &&'static str| {
            let state = match checks::worst(checks.iter().filter(|check| check.name == *name)) {
                State::Ok | State::Note => 0,
                State::Degraded => 1,
                State::Down => 2,
            };
            (label("check", name), state)
        };
        let help = "What /readyz finds: 0 well, 1 degraded, 2 down";
        self.whole("health", help, None, NAMES.iter().map(state).collect());
        let open =
            |&(listener, open): &(&'static str, usize)| (label("listener", listener), int(open as u64));
        let connections = observed.connections.iter().map(open).collect();
        self.whole("connections", "Open connections", None, connections);
        let room = observed.room.iter().map(|room| ([], int(*room))).collect();
        self.whole("disk_free", "Bytes that are free where blobs are", Some(Unit::Bytes), room);
        let up = i64::from(observed.gauges.is_some());
        self.one("store_up", "Whether the store answered just now", up);
    }

    fn of_store(&mut self, gauges: &Gauges, settings: &Settings, now: Timestamp) {
        self.one("queue_items", "Items in the queue", int(gauges.queued));
        let oldest = gauges.oldest_queued.map_or(0, |oldest| age(oldest, now));
        let help = "Age of the oldest item in the queue that is not frozen";
        self.whole("queue_oldest", help, Some(Unit::Seconds), vec![([], oldest)]);
        let kinds = kinds(gauges, settings, now);
        let labels = |kind: QueueItemKind, owner: &Sharer| {
            [("kind", kind.as_str().into()), metrics::of(owner.as_ref())]
        };
        let items = kinds.iter().map(|((kind, owner), (items, _))| (labels(*kind, owner), int(*items)));
        self.whole("queue_kind_items", "Items in the queue, by kind", None, items.collect());
        let late = kinds.iter().map(|((kind, owner), (_, late))| (labels(*kind, owner), *late));
        let help = "How long an item in the queue is due and has not left, by kind; what is to be tried later does not count";
        self.whole("queue_overdue", help, Some(Unit::Seconds), late.collect());
        let items = |problem: Problem| {
            let found = gauges.problems.iter().find(|gauge| gauge.problem == problem);
            (label("problem", problem.as_str()), found.map_or(0, |gauge| int(gauge.items)))
        };
        let help = "Items in the queue that wait for an administrator";
        self.whole("queue_problems", help, None, Problem::ALL.map(items).to_vec());
        let mut transfers = none_of_each(settings);
        for (organisation, count) in &gauges.transfers_of {
            *transfers.entry(owner(settings, organisation)).or_default() += count;
        }
        let transfers = transfers.iter().map(|(owner, count)| ([metrics::of(owner.as_ref())], int(*count)));
        self.whole("transfers", "Transfers that can still be opened", None, transfers.collect());
        let help = "Links that are closed after too many wrong passwords";
        self.one("locked_links", help, int(gauges.locked_links));
    }

    fn of_next_hops(&mut self, hops: &[NextHopStatus]) {
        // Of several servers for one direction the worst counts: there is one figure for each direction.
        let ways = [(Direction::Outside, "outside"), (Direction::Inside, "inside")];
        let of = |way| hops.iter().filter(move |hop| hop.direction == way);
        let is_up = |(way, name)| {
            Some((label("direction", name), of(way).map(|hop| i64::from(hop.outage.is_none())).min()?))
        };
        let up = ways.into_iter().filter_map(is_up).collect();
        self.whole("next_hop_up", "Whether the next hop takes mail, once there was any", None, up);
        let last_success = |(way, name)| {
            Some((label("direction", name), of(way).filter_map(|hop| hop.last_success).min()?.as_second()))
        };
        let last = ways.into_iter().filter_map(last_success).collect();
        let help = "When the next hop last took part in a delivery";
        self.whole("next_hop_last_success_timestamp", help, Some(Unit::Seconds), last);
    }

    fn of_certificates(&mut self, observed: &Observed) {
        let moments = |moments: &[(String, Timestamp)]| {
            moments
                .iter()
                .map(|(section, time)| ([("section", Cow::Owned(section.clone()))], time.as_second()))
                .collect()
        };
        let certificates = &observed.settings.certificates;
        let help = "When a certificate in use ends";
        let until = moments(&certificates.valid_until);
        self.whole("certificate_not_after_timestamp", help, Some(Unit::Seconds), until);
        let help = "When a certificate in use begins";
        let from = moments(&certificates.valid_from);
        self.whole("certificate_not_before_timestamp", help, Some(Unit::Seconds), from);
    }

    /// Of one of several.
    fn of_node(&mut self, node: &NodeHealth) {
        let help = "Whether the database answered this node last";
        self.one("database_up", help, node.answers.into());
        let connections = [("lent", node.lent), ("idle", node.idle), ("most", node.most)];
        let connections = connections.map(|(state, count)| (label("state", state), int(count as u64)));
        let help = "Connections of this node to the database";
        self.whole("database_connections", help, None, connections.to_vec());
        self.one("database_waiting", "Callers that wait for a connection", int(node.waiting as u64));
        let lease = node.lease.unwrap_or(Duration::ZERO).as_secs_f64();
        self.seconds("node_lease", "What is left of the lease of this node", vec![([], lease)]);
        let help = "How far the clock of this node is ahead of the database's";
        self.seconds("node_clock_skew", help, vec![([], node.skew as f64 / 1e6)]);
        self.one("node_timer", "Whether this node runs the timer", node.leads.into());
    }
}

/// Whose something is today: an organisation of the configuration, or nobody.
fn owner(settings: &Settings, name: &Sharer) -> Sharer {
    settings.label(name.as_ref())
}

fn none_of_each(settings: &Settings) -> BTreeMap<Sharer, u64> {
    settings.organisations().map(|organisation| (Some(organisation.id()), 0)).collect()
}

/// How many items of each kind and organisation there are, and how long the first of them is due.
fn kinds(
    gauges: &Gauges,
    settings: &Settings,
    now: Timestamp,
) -> BTreeMap<(QueueItemKind, Sharer), (u64, i64)> {
    let owners = none_of_each(settings).into_keys();
    let mut kinds: BTreeMap<_, (u64, i64)> =
        owners.flat_map(|owner| QueueItemKind::ALL.map(|kind| ((kind, owner.clone()), (0, 0)))).collect();
    for of in &gauges.queue {
        let (items, late) = kinds.entry((of.kind, owner(settings, &of.organisation))).or_default();
        *items += of.items;
        *late = (*late).max(of.due.map_or(0, |due| age(due, now)));
    }
    kinds
}

/// None where it is still to come.
fn age(time: Timestamp, now: Timestamp) -> i64 {
    now.duration_since(time).as_secs().max(0)
}

fn int(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
