//! Whether mail can flow, check by check. Pure. *Down* is what keeps this gateway from taking new mail in: a balancer sends it
//! elsewhere. *Degraded* is what an administrator has to mend while mail is still taken in and kept: taking the gateway out
//! would help nobody, and where several have the same fault none would be left. A *note* waits for a quiet hour.

use std::time::Duration;

use serde::Serialize;

use super::clock_watch::Jump;
use super::observed::Observed;
use crate::clock::{Timestamp, later};
use crate::diagnostic::{Diagnostic, Stage};
use crate::queue::outage::NextHopStatus;
use crate::reply::ScannerStatus;
use crate::secret::masters::KeyTrouble;
use crate::settings::{Certificates, Settings};
use crate::store::nodes::{Difference, NodeHealth, SKEW_NOTED};
use crate::store::room::{Disk, DiskShare, Shortage};
use crate::store::{Gauges, Problem, ProblemGauge};

/// A certificate that ends so soon is worth a note.
const ENDS_SOON: Duration = Duration::from_hours(14 * 24);
/// Signatures of the scanner that are so old are worth a note; after the second they protect nobody.
const SIGNATURES_NOTED: Duration = Duration::from_hours(2 * 24);
const SIGNATURES_OLD: Duration = Duration::from_hours(7 * 24);

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    Ok,
    Note,
    Degraded,
    Down,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    /// What it is about.
    pub name: &'static str,
    /// How bad it is.
    pub state: State,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The names of all of them, in their order.
pub(super) const NAMES: [&str; 11] = [
    "node",
    "store",
    "key",
    "disk",
    "clock",
    "certificates",
    "smarthost",
    "auth",
    "queue",
    "scanner",
    "configuration",
];

/// At least one of each name.
pub(super) fn checks(observed: &Observed) -> Vec<Check> {
    let mut found: Vec<Check> = Vec::new();
    found.extend(observed.node.iter().flat_map(node));
    found.extend(store(observed));
    found.extend(observed.key_trouble.as_ref().map(key));
    found.extend(observed.disk.iter().flat_map(|disk| of_disk(*disk)));
    found.extend(observed.jump.as_ref().map(clock));
    found.extend(certificates(&observed.settings.certificates, observed.now));
    found.extend(observed.next_hops.iter().filter_map(next_hop));
    found.extend(observed.gauges.iter().flat_map(queue));
    found.extend(observed.scanner.iter().flat_map(|scanner| of_scanner(scanner, observed.now)));
    found.extend(configuration(&observed.settings, observed.is_reload_refused));
    let missing = NAMES.iter().filter(|name| found.iter().all(|check| check.name != **name));
    let well: Vec<_> = missing.map(|name| Check { name, state: State::Ok, reason: None }).collect();
    found.extend(well);
    found.sort_by_key(|check| NAMES.iter().position(|name| *name == check.name));
    found
}

/// The worst of them.
pub(super) fn worst<'a>(checks: impl IntoIterator<Item = &'a Check>) -> State {
    checks.into_iter().map(|check| check.state).max().unwrap_or(State::Ok)
}

fn check(name: &'static str, state: State, reason: impl Into<String>) -> Check {
    Check { name, state, reason: Some(reason.into()) }
}

fn node(node: &NodeHealth) -> Vec<Check> {
    let mut found: Vec<_> =
        node.not_ready().into_iter().map(|reason| check("node", State::Down, reason)).collect();
    let skew = Duration::from_micros(node.skew.unsigned_abs());
    if found.is_empty() && skew >= SKEW_NOTED {
        let seconds = skew.as_secs_f64();
        let reason = format!("the clock of this node differs by {seconds:.1} s from the database's");
        found.push(check("clock", State::Note, reason));
    }
    if node.waiting > 0 {
        let reason = format!("{} wait for one of {} connections to the database", node.waiting, node.most);
        found.push(check("node", State::Note, reason));
    }
    if !node.differs.is_empty() {
        let reason = format!("nodes go by other settings than this one: {}", Difference::list(&node.differs));
        found.push(check("configuration", State::Note, reason));
    }
    found
}

/// Nothing is taken in that could not become a row.
fn store(observed: &Observed) -> Option<Check> {
    let error = observed.store_error.as_ref()?;
    Some(check("store", State::Down, format!("the store does not answer: {error}")))
}

/// Without the current key nothing is opened that the other nodes make, and none of their links. While the file alone is wrong
/// all goes on, until the gateway is started again.
fn key(trouble: &KeyTrouble) -> Check {
    match trouble {
        KeyTrouble::CurrentIsMissing(reason) => check("key", State::Down, reason),
        KeyTrouble::File(reason) => check("key", State::Degraded, reason),
    }
}

fn of_disk(disk: Disk) -> Option<Check> {
    let pages = room_of(disk, DiskShare::Pages);
    Some(match disk.shortage()? {
        Shortage::Mail => {
            let room = room_of(disk, DiskShare::Mail);
            let reason = format!("the disk is nearly full, new mail is refused with 451: {room}");
            check("disk", State::Down, reason)
        }
        Shortage::Pages => {
            let reason = format!("the disk is getting full, answers and uploads are refused: {pages}");
            check("disk", State::Degraded, reason)
        }
        Shortage::Soon => check("disk", State::Note, format!("the disk is getting full: {pages}")),
    })
}

fn room_of(disk: Disk, share: DiskShare) -> String {
    let mib = |octets: u64| octets >> 20;
    format!("{} MiB of room, of which {} MiB must stay free", mib(disk.free), mib(disk.floor(share)))
}

/// Dates of links, limits and retries count by it.
fn clock(jump: &Jump) -> Check {
    let direction = if jump.by.is_negative() { "back" } else { "ahead" };
    let (by, ago) = (jump.by.unsigned_abs().as_secs(), jump.ago.as_secs() / 60);
    check("clock", State::Degraded, format!("the clock was set {direction} by {by} s, {ago} minutes ago"))
}

fn certificates(certificates: &Certificates, now: Timestamp) -> Vec<Check> {
    let of = |section: &str, what: &str| format!("the certificate in [{section}] {what}");
    let not_yet = certificates.valid_from.iter().filter(|(_, from)| *from > now).map(|(section, from)| {
        check("certificates", State::Degraded, of(section, &format!("is not valid before {from}")))
    });
    let ending = certificates.valid_until.iter().filter_map(|(section, until)| {
        if *until <= now {
            return Some(check("certificates", State::Degraded, of(section, "has expired")));
        }
        let is_soon = *until <= later(now, ENDS_SOON);
        is_soon.then(|| check("certificates", State::Note, of(section, &format!("expires at {until}"))))
    });
    not_yet.chain(ending).collect()
}

/// Mail is still taken in, and waits.
fn next_hop(hop: &NextHopStatus) -> Option<Check> {
    let outage = hop.outage.as_ref()?;
    let name = if outage.reason.stage == Some(Stage::Auth) { "auth" } else { "smarthost" };
    let last = match hop.last_success {
        Some(time) => format!("it last took mail at {time}"),
        None => "it has taken no mail since this gateway was started".to_owned(),
    };
    let (server, since, why) = (&hop.server, outage.since, outage.reason.for_log());
    let reason = format!("{server} takes no mail since {since}: {why}; {last}; what is for it waits");
    Some(check(name, State::Degraded, reason))
}

/// Mail that an administrator has to do something for.
fn queue(gauges: &Gauges) -> Vec<Check> {
    let stuck = |gauge: &ProblemGauge| {
        let ProblemGauge { problem, items, diagnostic } = gauge;
        let why = diagnostic.as_ref().map(Diagnostic::for_log).unwrap_or_default();
        let reason = format!("{}: {items}, see zegel queue list; the newest: {why}", problem.explanation());
        check("queue", State::Degraded, reason)
    };
    // In the order of the list, whatever the store gives.
    let of = |problem: Problem| gauges.problems.iter().find(move |gauge| gauge.problem == problem);
    // What is held waits on purpose.
    let stuck_by = Problem::ALL.into_iter().filter(|problem| *problem != Problem::Held);
    stuck_by.filter_map(of).map(stuck).collect()
}

/// Without it answers with files wait; all other mail flows.
fn of_scanner(scanner: &Result<ScannerStatus, String>, now: Timestamp) -> Option<Check> {
    let status = match scanner {
        Ok(status) => status,
        Err(error) => {
            let reason = format!("the scanner does not answer, files of answers are refused: {error}");
            return Some(check("scanner", State::Degraded, reason));
        }
    };
    let age = Duration::try_from(now.duration_since(status.signatures?)).ok()?;
    let state = match age {
        age if age >= SIGNATURES_OLD => State::Degraded,
        age if age >= SIGNATURES_NOTED => State::Note,
        _ => return None,
    };
    let days = age.as_secs() / (24 * 3600);
    Some(check("scanner", state, format!("the signatures of the scanner are {days} days old")))
}

fn configuration(settings: &Settings, is_reload_refused: bool) -> Vec<Check> {
    let notes = settings.relay_notes();
    let mut found: Vec<_> =
        notes.iter().map(|note| check("configuration", State::Note, note.to_string())).collect();
    if is_reload_refused {
        let reason =
            "the configuration was refused when it was last read, the one before it is in force; see the log";
        found.push(check("configuration", State::Degraded, reason));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::earlier;
    use crate::config::Direction;
    use crate::diagnostic::EnhancedCode;
    use crate::id::FolderId;
    use crate::queue::outage::OutageStatus;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    const DAY: i64 = 86_400;

    /// H43
    #[test]
    fn a_disk_that_fills_is_told_before_it_is_full() {
        let at = |mib: u64| of_disk(Disk { free: mib << 20, capacity: 1 << 30 });
        let state = |mib| at(mib).map_or(State::Ok, |check| check.state);
        assert_eq!(
            [300, 200, 100, 33, 32].map(state),
            [State::Ok, State::Note, State::Degraded, State::Degraded, State::Down]
        );
        let reason = at(200).unwrap().reason.unwrap();
        assert_eq!(reason, "the disk is getting full: 200 MiB of room, of which 128 MiB must stay free");
        assert!(at(100).unwrap().reason.unwrap().contains("answers and uploads are refused: 100 MiB"));
    }

    #[test]
    fn a_node_without_a_lease_or_a_clock_is_down() {
        let well = NodeHealth {
            id: FolderId::random(),
            lent: 2,
            idle: 1,
            most: 16,
            waiting: 0,
            lease: Some(Duration::from_secs(28)),
            skew: 0,
            leads: true,
            differs: Vec::new(),
            trouble: None,
            answers: true,
        };
        assert_eq!(node(&well), []);
        let late = node(&NodeHealth { skew: -3_000_000, ..well.clone() });
        assert_eq!((late[0].name, late[0].state), ("clock", State::Note));
        assert!(late[0].reason.as_ref().unwrap().contains("differs by 3.0 s"));
        let difference = Difference { host: "b".to_owned(), sections: vec!["policy".to_owned()] };
        let differing = node(&NodeHealth { differs: vec![difference], ..well.clone() });
        assert_eq!(differing[0].state, State::Note);
        assert!(differing[0].reason.as_ref().unwrap().ends_with("this one: b: policy"));
        let wrong = node(&NodeHealth { skew: -11_000_000, ..well.clone() });
        assert_eq!((wrong.len(), wrong[0].state), (1, State::Down));
        let trouble = Some(("connection refused".to_owned(), Duration::from_secs(40)));
        let lost = node(&NodeHealth { lease: None, answers: false, trouble, ..well });
        assert!(lost[0].reason.as_ref().unwrap().contains("connection refused"));
    }

    /// A node that cannot open what the others make is to get no visitors; one that only would not start again is.
    #[test]
    fn a_missing_key_is_down_and_a_wrong_file_degrades() {
        let missing = key(&KeyTrouble::CurrentIsMissing("key 77aa01bb".to_owned()));
        let file = key(&KeyTrouble::File("it is gone".to_owned()));
        assert_eq!((missing.name, missing.state, file.state), ("key", State::Down, State::Degraded));
        assert_eq!(missing.reason.as_deref(), Some("key 77aa01bb"));
    }

    /// M13
    #[test]
    fn a_certificate_is_valid_from_its_first_moment_to_its_last() {
        let (valid_from, valid_until) =
            (vec![("smtp".to_owned(), at(100))], vec![("smtp".to_owned(), at(100 * DAY))]);
        let both = Certificates { valid_from, valid_until, ..Certificates::default() };
        let state = |second| worst(&certificates(&both, at(second)));
        assert_eq!(
            [99, 100, 86 * DAY - 1, 86 * DAY, 100 * DAY - 1, 100 * DAY].map(state),
            [State::Degraded, State::Ok, State::Ok, State::Note, State::Note, State::Degraded]
        );
        let reason = certificates(&both, at(100 * DAY)).remove(0).reason.unwrap();
        assert_eq!(reason, "the certificate in [smtp] has expired");
    }

    /// Mail is taken in all the same: a balancer must not take all gateways out because one server behind them is away.
    #[test]
    fn a_next_hop_that_is_away_degrades() {
        let hop = |stage, outage: bool| NextHopStatus {
            server: "smarthost:25".to_owned(),
            direction: Direction::Outside,
            last_success: Some(at(0)),
            outage: outage.then(|| OutageStatus {
                since: at(60),
                deferred: 3,
                reason: Diagnostic::local(Some(stage), EnhancedCode::new(4, 4, 1), "no connection"),
            }),
        };
        assert_eq!(next_hop(&hop(Stage::Connect, false)), None);
        let away = next_hop(&hop(Stage::Connect, true)).unwrap();
        assert_eq!((away.name, away.state), ("smarthost", State::Degraded));
        assert_eq!(
            away.reason.unwrap(),
            "smarthost:25 takes no mail since 1970-01-01T00:01:00Z: 4.4.1 no connection (connecting); it last took mail \
             at 1970-01-01T00:00:00Z; what is for it waits"
        );
        assert_eq!(next_hop(&hop(Stage::Auth, true)).unwrap().name, "auth");
    }

    #[test]
    fn a_scanner_must_answer_and_know_new_viruses() {
        let now = at(100 * DAY);
        let days = |days: u64| {
            let signatures = Some(earlier(now, Duration::from_hours(24 * days)));
            of_scanner(&Ok(ScannerStatus { version: "ClamAV".to_owned(), signatures }), now)
        };
        let state = |age| days(age).map_or(State::Ok, |check| check.state);
        assert_eq!(
            [0, 1, 2, 6, 7, 900].map(state),
            [State::Ok, State::Ok, State::Note, State::Note, State::Degraded, State::Degraded]
        );
        let unknown = ScannerStatus { version: "?".to_owned(), signatures: None };
        assert_eq!(of_scanner(&Ok(unknown), now), None);
        let away = of_scanner(&Err("connection refused".to_owned()), now).unwrap();
        assert!(away.state == State::Degraded && away.reason.unwrap().contains("connection refused"));
    }

    #[test]
    fn a_problem_of_the_queue_degrades() {
        let frozen = ProblemGauge { problem: Problem::Frozen, items: 2, diagnostic: None };
        let refused = ProblemGauge { problem: Problem::Refused, items: 1, diagnostic: None };
        let held = ProblemGauge { problem: Problem::Held, items: 9, diagnostic: None };
        let found = queue(&Gauges { problems: vec![held, frozen, refused], ..Gauges::default() });
        assert!(found[0].reason.as_ref().unwrap().contains("takes no mail from us"), "{found:?}");
        assert_eq!((found.len(), worst(&found)), (2, State::Degraded));
    }
}
