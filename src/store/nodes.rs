//! The gateways that share a store. Each is a *node*: it shows signs of life, and what it has claimed is its own only while
//! its lease lasts. One of them leads, and runs the timer. A gateway that has its store for itself is always alone, holds
//! what it has claimed, and leads. Used by `jobs`, `web/admin` and `zegel nodes`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::Result;
use crate::clock::{Clock, Timestamp};
use crate::id::FolderId;

/// How long what a node has claimed is kept for it after its last sign of life.
pub const LEASE: Duration = Duration::from_secs(30);
/// A clock that differs so much from the database's is worth a warning.
pub const SKEW_NOTED: Duration = Duration::from_secs(2);
/// With one that differs so much a node is not ready: limits, locks and dates are shared, and count by the clock of each.
pub const SKEW_REFUSED: Duration = Duration::from_secs(10);

/// What a node does as one of several. A store that is for one gateway does nothing of it.
#[async_trait]
pub trait NodeStore: Send + Sync + 'static {
    /// Renews the lease of this node, and frees what nodes have claimed whose lease has ended.
    async fn heartbeat(&self, _me: &NodeFacts, _clock: &Clock) -> Result<Heartbeat> {
        Ok(Heartbeat::default())
    }
    /// Waits until a caller of the store doubts that the database answers: a sign of life tells.
    async fn suspected(&self) {
        std::future::pending().await
    }
    /// Ends the lease, and frees what this node has claimed: it stops.
    async fn leave(&self) -> Result<()> {
        Ok(())
    }
    /// The nodes that there are, the longest at work first; none where the store is for one gateway.
    async fn nodes(&self) -> Result<Vec<Node>> {
        Ok(Vec::new())
    }
    /// Waits until this node is the one that runs the timer.
    async fn lead(&self) -> Lead {
        Lead::for_ever()
    }
    /// How this node is, without asking anybody; `None` where the store is for one gateway.
    fn health(&self) -> Option<NodeHealth> {
        None
    }
}

/// The name of the host that this process runs on.
pub fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// What a node says of itself.
#[derive(Clone, Debug)]
pub struct NodeFacts {
    /// The host that it runs on.
    pub host: String,
    /// Its version.
    pub version: String,
    /// Since when.
    pub started: Timestamp,
    /// It is stopping: it takes in nothing new.
    pub draining: bool,
    /// What it goes by.
    pub settings: SettingsDigests,
    /// The names of the master keys that it has, the one first that it works with.
    pub master_keys: Vec<String>,
}

/// Of each section that all nodes must have alike, a digest: equal where the section is.
pub type SettingsDigests = BTreeMap<String, String>;

/// What nodes do not have alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The host of the other node.
    pub host: String,
    /// The sections.
    pub sections: Vec<String>,
}

impl Difference {
    /// Of one node from another; `None`: they have all of it alike.
    pub fn between(mine: &SettingsDigests, host: &str, other: &SettingsDigests) -> Option<Self> {
        let sections: Vec<_> = other
            .iter()
            .filter(|(section, digest)| mine.get(*section).is_some_and(|mine| mine != *digest))
            .map(|(section, _)| section.clone())
            .collect();
        (!sections.is_empty()).then(|| Self { host: host.to_owned(), sections })
    }

    /// Several in words: `node2: policy, seal; node3: seal`.
    pub fn list(all: &[Self]) -> String {
        let one = |Self { host, sections }: &Self| format!("{host}: {}", sections.join(", "));
        all.iter().map(one).collect::<Vec<_>>().join("; ")
    }
}

/// In which sections each of these nodes, the longest at work first, differs from most of them; from the first of all where
/// there are no most.
pub fn differing(nodes: &[&SettingsDigests]) -> Vec<Vec<String>> {
    let sections: BTreeSet<&String> = nodes.iter().flat_map(|node| node.keys()).collect();
    let mut differing = vec![Vec::new(); nodes.len()];
    for section in sections {
        let digests: Vec<_> = nodes.iter().map(|node| node.get(section)).collect();
        let count = |digest: &String| digests.iter().filter(|one| **one == Some(digest)).count();
        // Of several that are as often, the last is the maximum: so from the youngest to the oldest.
        let usual = digests.iter().rev().flatten().max_by_key(|digest| count(digest));
        for (found, differing) in digests.iter().zip(&mut differing) {
            if found.is_some_and(|found| usual.is_some_and(|usual| found != *usual)) {
                differing.push(section.clone());
            }
        }
    }
    differing
}

/// What a sign of life brought to light.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heartbeat {
    /// The lease had ended before it was renewed.
    pub had_ended: bool,
    /// Items of other nodes that are free now.
    pub freed: u64,
    /// How far this node's clock is ahead of the database's, in microseconds, what cannot be told apart from the way there
    /// taken off.
    pub skew: i64,
}

/// A node as all of them see it.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Node {
    /// Its name, another one after each start.
    pub id: FolderId,
    pub host: String,
    pub version: String,
    pub started: Timestamp,
    /// Its last sign of life, by the database's clock.
    pub seen: Timestamp,
    pub state: NodeState,
    /// What is left of its lease, in seconds; less than none where it has ended.
    pub lease_seconds: f64,
    /// How far its clock is ahead of the database's.
    pub skew_seconds: f64,
    /// It runs the timer.
    pub timer: bool,
    /// Items of the queue that it has claimed.
    pub claimed: u64,
    /// Sections of the configuration that it does not have as most nodes have them.
    pub differs: Vec<String>,
    /// The names of the master keys that it has, the one first that it works with; none for a release that knows only the first.
    pub master_keys: Vec<String>,
}

/// What a node is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeState {
    /// It works.
    Working,
    /// It is stopping.
    Draining,
    /// Its lease has ended without a word: it is dead, stopped, or cut off from the database.
    Lost,
}

impl NodeState {
    /// The word on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Working => "working",
            Self::Draining => "draining",
            Self::Lost => "lost",
        }
    }
}

/// How a node is, as it sees itself.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeHealth {
    /// Its name.
    pub id: FolderId,
    /// Connections to the database that are lent just now.
    pub lent: usize,
    /// Those that are free.
    pub idle: usize,
    /// The most that there may be.
    pub most: usize,
    /// Callers that wait for one.
    pub waiting: usize,
    /// What is left of its lease; `None`: it has ended.
    pub lease: Option<Duration>,
    /// As in [`Heartbeat::skew`].
    pub skew: i64,
    /// Whether it runs the timer.
    pub leads: bool,
    /// Nodes of the same version that go by other settings.
    pub differs: Vec<Difference>,
    /// Why the database could not be used the last time that it could not, and how long ago that was.
    pub trouble: Option<(String, Duration)>,
    /// Whether that is over.
    pub answers: bool,
}

impl NodeHealth {
    /// Why mail should come to another node; `None`: it need not.
    pub fn not_ready(&self) -> Option<String> {
        let why = self.trouble.as_ref().map_or("", |(reason, _)| reason.as_str());
        if self.lease.is_none() {
            return Some(format!("the lease of this node has ended, nothing is delivered from here: {why}"));
        }
        if !self.answers {
            return Some(format!("the database does not answer: {why}"));
        }
        let skew = Duration::from_micros(self.skew.unsigned_abs());
        (skew >= SKEW_REFUSED).then(|| {
            format!("the clock of this node differs by {:.1} s from the database's", skew.as_secs_f64())
        })
    }
}

/// Running the timer: until it is dropped, or lost.
#[derive(Debug)]
pub struct Lead {
    lost: CancellationToken,
    _watch: Option<AbortOnDropHandle<()>>,
}

impl Lead {
    /// Of a gateway that is alone.
    pub fn for_ever() -> Self {
        Self { lost: CancellationToken::new(), _watch: None }
    }

    /// Of one that is watched by a task, which cancels `lost` when another node may lead. Dropping it ends the task.
    pub fn watched(lost: CancellationToken, watch: tokio::task::JoinHandle<()>) -> Self {
        Self { lost, _watch: Some(AbortOnDropHandle::new(watch)) }
    }

    /// Cancelled when this node no longer leads: what it is doing as the leader must stop.
    pub fn lost(&self) -> &CancellationToken {
        &self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(policy: &str, seal: &str) -> SettingsDigests {
        [("policy", policy), ("seal", seal)].map(|(name, digest)| (name.to_owned(), digest.to_owned())).into()
    }

    #[test]
    fn whoever_is_not_as_most_are_differs() {
        let (usual, other) = (node("1", "1"), node("2", "1"));
        assert_eq!(differing(&[&usual, &other, &usual]), [vec![], vec!["policy".to_owned()], vec![]]);
        assert_eq!(differing(&[&other, &usual, &usual]), [vec!["policy".to_owned()], vec![], vec![]]);
        assert_eq!(differing(&[&usual, &other]), [vec![], vec!["policy".to_owned()]], "the older is right");
        let unknown = SettingsDigests::new();
        assert_eq!(differing(&[&unknown, &usual]), [vec![""; 0], vec![]], "an older release says nothing");
        assert!(differing(&[]).is_empty());
    }

    #[test]
    fn a_difference_names_host_and_sections() {
        let between = |other| Difference::between(&node("1", "1"), "b", &other);
        assert_eq!(between(node("1", "1")), None);
        assert_eq!(between(SettingsDigests::new()), None);
        let found = [between(node("2", "2")).unwrap(), between(node("1", "2")).unwrap()];
        assert_eq!(Difference::list(&found), "b: policy, seal; b: seal");
    }
}
