//! What monitoring asks for, on a listener of its own: never reachable through the web pages (C27).

use std::fmt::{Display, Write};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::clock::{Clock, Timestamp};
use crate::diagnostic::Diagnostic;
use crate::settings::{Certificates, CurrentSettings, Settings};
use crate::store::nodes::{Difference, NodeHealth, SKEW_NOTED};
use crate::store::room::{Disk, DiskShare, Shortage};
use crate::store::{Blobs, GaugeStore, Gauges, NodeStore, Problem, ProblemGauge};
use crate::web::http::error::PlainError;

/// What the figures come from.
#[derive(Clone)]
pub struct AdminState {
    /// Asked at every request.
    pub store: Arc<dyn GaugeStore>,
    /// How this node is.
    pub node: Arc<dyn NodeStore>,
    /// For the room on the disk.
    pub blobs: Arc<dyn Blobs>,
    /// For certificates, and for what is worth a note.
    pub settings: CurrentSettings,
    /// For ages.
    pub clock: Clock,
}

/// `/healthz`, `/readyz` and `/metrics`
pub fn router(admin: AdminState) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(admin)
}

/// Ready means: this node holds its lease, by a clock that is right; the store answers, there is room for new mail (H43), whoever checks our certificates finds them valid (M13),
/// and no mail waits for an administrator (C38). Every reason is a line.
async fn ready(State(admin): State<AdminState>) -> Result<String, PlainError> {
    let now = admin.clock.now();
    if let Some(reason) = admin.node.health().and_then(|node| node.not_ready()) {
        return Err(PlainError::Unavailable(reason));
    }
    let gauges = admin.store.gauges(now).await.map_err(|error| silent("store", &error))?;
    let disk = admin.store.disk().await.map_err(|error| silent("disk", &error))?;
    let full = (disk.shortage() == Some(Shortage::Mail)).then(|| {
        format!("the disk is nearly full, new mail is refused with 451: {}", room_of(disk, DiskShare::Mail))
    });
    let settings = admin.settings.get();
    let expired = settings.certificates.expired(now);
    let expired = expired.map(|section| format!("the certificate in [{section}] has expired"));
    let reasons: Vec<String> =
        expired.into_iter().chain(full).chain(gauges.problems.iter().map(stuck)).collect();
    match reasons.as_slice() {
        [] => {
            let node = admin.node.health().map(|node| note_of_node(&node)).unwrap_or_default();
            Ok(format!("ok\n{node}{}{}", note_of(disk), notes(&settings)))
        }
        reasons => Err(PlainError::Unavailable(reasons.join("\n"))),
    }
}

/// Mail that an administrator has to do something for.
fn stuck(gauge: &ProblemGauge) -> String {
    let ProblemGauge { problem, items, diagnostic } = gauge;
    let why = diagnostic.as_ref().map(Diagnostic::for_log).unwrap_or_default();
    format!("{}: {items}, see zegel queue list; the newest: {why}", problem.explanation())
}

/// What is said of a disk before it stops mail.
fn note_of(disk: Disk) -> String {
    let room = room_of(disk, DiskShare::Pages);
    match disk.shortage() {
        Some(Shortage::Soon) => format!("note: the disk is getting full: {room}\n"),
        Some(_) => format!("note: the disk is getting full, answers and uploads are refused: {room}\n"),
        None => String::new(),
    }
}

/// What is said of a node that is ready all the same.
fn note_of_node(node: &NodeHealth) -> String {
    let skew = Duration::from_micros(node.skew.unsigned_abs());
    let mut notes = String::new();
    if skew >= SKEW_NOTED {
        notes += &format!(
            "note: the clock of this node differs by {:.1} s from the database's\n",
            skew.as_secs_f64()
        );
    }
    if node.waiting > 0 {
        notes +=
            &format!("note: {} wait for one of {} connections to the database\n", node.waiting, node.most);
    }
    if !node.differs.is_empty() {
        notes +=
            &format!("note: nodes go by other settings than this one: {}\n", Difference::list(&node.differs));
    }
    notes
}

fn room_of(disk: Disk, share: DiskShare) -> String {
    let mib = |octets: u64| octets >> 20;
    format!("{} MiB of room, of which {} MiB must stay free", mib(disk.free), mib(disk.floor(share)))
}

/// What keeps nobody from being ready and should be known all the same, a line each.
fn notes(settings: &Settings) -> String {
    settings.relay.notes().iter().map(|note| format!("note: {note}\n")).collect()
}

async fn metrics(State(admin): State<AdminState>) -> Result<Response, PlainError> {
    let now = admin.clock.now();
    let health = admin.node.health();
    let node = health.as_ref().map(of_node);
    // What can be known without the database is worth most when it is away.
    if let (Some(text), false) = (&node, health.is_none_or(|node| node.answers)) {
        return Ok(([(CONTENT_TYPE, FORMAT)], text.clone()).into_response());
    }
    let gauges = admin.store.gauges(now).await.map_err(|error| silent("store", &error))?;
    // One call of the operating system, which asks no disk.
    let room = admin.blobs.room().map_err(|error| silent("disk", &error))?;
    let mut text = exposition(&gauges, room, &admin.settings.get().certificates, now);
    text.insert_str(0, node.as_deref().unwrap_or_default());
    Ok(([(CONTENT_TYPE, FORMAT)], text).into_response())
}

fn silent(what: &str, error: &dyn Display) -> PlainError {
    PlainError::Unavailable(format!("the {what} does not answer: {error}"))
}

/// The figures of one of several nodes.
fn of_node(node: &NodeHealth) -> String {
    let mut text = String::new();
    let one = |value: String| vec![(String::new(), value)];
    let connections = [("lent", node.lent), ("idle", node.idle), ("most", node.most)];
    let connections = connections.map(|(state, count)| (format!("{{state=\"{state}\"}}"), count.to_string()));
    let seconds = |time: Duration| format!("{:.3}", time.as_secs_f64());
    for (name, help, values) in [
        (
            "zegel_database_up",
            "Whether the database answered this node last.",
            one(u8::from(node.answers).to_string()),
        ),
        ("zegel_database_connections", "Connections of this node to the database.", connections.to_vec()),
        ("zegel_database_waiting", "Callers that wait for a connection.", one(node.waiting.to_string())),
        (
            "zegel_node_lease_seconds",
            "What is left of the lease of this node.",
            one(seconds(node.lease.unwrap_or_default())),
        ),
        (
            "zegel_node_clock_skew_seconds",
            "How far the clock of this node is ahead of the database's.",
            one(format!("{:.3}", node.skew as f64 / 1e6)),
        ),
        ("zegel_node_timer", "Whether this node runs the timer.", one(u8::from(node.leads).to_string())),
    ] {
        gauge(&mut text, name, help, &values);
    }
    text
}

const FORMAT: &str = "text/plain; version=0.0.4";

/// The Prometheus text format, version 0.0.4.
fn exposition(gauges: &Gauges, room: Option<u64>, certificates: &Certificates, now: Timestamp) -> String {
    let age = |time: Timestamp| u64::try_from(now.duration_since(time).as_secs()).unwrap_or(0);
    let oldest = gauges.oldest_queued.map_or(0, age);
    let mut text = String::new();
    for (name, help, value) in [
        ("zegel_queue_items", "Items in the queue.", gauges.queued),
        ("zegel_queue_oldest_seconds", "Age of the oldest item in the queue.", oldest),
        ("zegel_transfers", "Transfers that can still be opened.", gauges.transfers),
        ("zegel_locked_links", "Links that are closed after too many wrong passwords.", gauges.locked_links),
    ] {
        gauge(&mut text, name, help, &[(String::new(), value.to_string())]);
    }
    let room: Vec<_> = room.map(|room| (String::new(), room.to_string())).into_iter().collect();
    gauge(&mut text, "zegel_disk_free_bytes", "Octets that are free where the data are.", &room);
    let items = |problem: Problem| {
        let found = gauges.problems.iter().find(|gauge| gauge.problem == problem);
        let label = format!("{{problem=\"{}\"}}", problem.as_str());
        (label, found.map_or(0, |gauge| gauge.items).to_string())
    };
    let help = "Items in the queue that wait for an administrator.";
    gauge(&mut text, "zegel_queue_problems", help, &Problem::ALL.map(items));
    let days = |(section, until): &(&str, Timestamp)| {
        let days = until.duration_since(now).as_secs().div_euclid(24 * 3600);
        (format!("{{section=\"{section}\"}}"), days.to_string())
    };
    let days: Vec<_> = certificates.valid_until.iter().map(days).collect();
    gauge(&mut text, "zegel_certificate_days", "Days that a certificate is still valid.", &days);
    text
}

/// One figure, with its labels if it has any.
fn gauge(text: &mut String, name: &str, help: &str, values: &[(String, String)]) {
    if values.is_empty() {
        return;
    }
    let mut line = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
    for (labels, value) in values {
        line = line.and_then(|()| writeln!(text, "{name}{labels} {value}"));
    }
    debug_assert!(line.is_ok(), "writing to a String does not fail");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Stage;
    use crate::id::FolderId;

    fn valid_until(valid_until: Vec<(&'static str, Timestamp)>) -> Certificates {
        Certificates { valid_until, ..Certificates::default() }
    }

    #[test]
    fn writes_the_prometheus_format() {
        let mut gauges = Gauges { queued: 3, transfers: 2, locked_links: 1, ..Gauges::default() };
        let now = Timestamp::from_second(100).unwrap();
        gauges.oldest_queued = Some(Timestamp::from_second(40).unwrap());
        let certificates = valid_until(vec![("smtp", Timestamp::from_second(100 + 3 * 86_400).unwrap())]);
        let text = exposition(&gauges, Some(7), &certificates, now);
        assert!(text.contains("gauge\nzegel_queue_items 3\n"), "{text}");
        assert!(text.contains("\nzegel_queue_oldest_seconds 60\n"));
        assert!(text.contains("\nzegel_disk_free_bytes 7\n"));
        assert!(text.ends_with("\nzegel_certificate_days{section=\"smtp\"} 3\n"));
        assert!(text.contains("\nzegel_queue_problems{problem=\"frozen\"} 0\n"));
        let no = Diagnostic::remote(Stage::Recipient, 550, "no");
        let frozen = ProblemGauge { problem: Problem::Frozen, items: 2, diagnostic: Some(no) };
        gauges.problems = vec![frozen];
        gauges.oldest_queued = None;
        let text = exposition(&gauges, Some(7), &Certificates::default(), now);
        assert!(text.contains("\nzegel_queue_oldest_seconds 0\n") && !text.contains("certificate"));
        assert!(text.contains("\nzegel_queue_problems{problem=\"frozen\"} 2\n"));
    }

    /// H43
    #[test]
    fn a_disk_that_fills_is_told_before_it_is_full() {
        let at = |mib: u64| Disk { free: mib << 20, capacity: 1 << 30 };
        assert_eq!(note_of(at(300)), "");
        let soon = note_of(at(200));
        assert_eq!(
            soon,
            "note: the disk is getting full: 200 MiB of room, of which 128 MiB must stay free\n"
        );
        assert!(note_of(at(100)).contains("answers and uploads are refused: 100 MiB"));
        assert_eq!(at(33).shortage(), Some(Shortage::Pages));
        assert_eq!(at(32).shortage(), Some(Shortage::Mail));
    }

    #[test]
    fn a_node_without_a_lease_or_a_clock_is_not_ready() {
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
        assert_eq!((well.not_ready(), note_of_node(&well)), (None, String::new()));
        let text = of_node(&well);
        assert!(text.contains("\nzegel_database_connections{state=\"lent\"} 2\n"), "{text}");
        assert!(
            text.contains("\nzegel_node_lease_seconds 28.000\n") && text.contains("\nzegel_node_timer 1\n")
        );

        let late = NodeHealth { skew: -3_000_000, ..well.clone() };
        assert!(late.not_ready().is_none() && note_of_node(&late).contains("differs by 3.0 s"));
        let difference = Difference { host: "b".to_owned(), sections: vec!["policy".to_owned()] };
        let differing = NodeHealth { differs: vec![difference], ..well.clone() };
        assert!(
            differing.not_ready().is_none() && note_of_node(&differing).ends_with("this one: b: policy\n")
        );
        let wrong = NodeHealth { skew: -11_000_000, ..well.clone() };
        assert!(wrong.not_ready().unwrap().contains("11.0 s"));
        let trouble = Some(("connection refused".to_owned(), Duration::from_secs(40)));
        let lost = NodeHealth { lease: None, answers: false, trouble, ..well };
        assert!(lost.not_ready().unwrap().contains("connection refused"));
    }

    #[test]
    fn a_certificate_expires_at_its_moment() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let certificates = valid_until(vec![("smtp", at(300)), ("web", at(200))]);
        assert_eq!(certificates.expired(at(199)), None);
        assert_eq!(certificates.expired(at(200)), Some("web"));
        let text = exposition(&Gauges::default(), Some(0), &certificates, at(201));
        assert!(text.contains("\nzegel_certificate_days{section=\"web\"} -1\n"), "{text}");
    }
}
