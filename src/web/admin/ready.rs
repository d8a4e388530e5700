//! `/readyz`: the checks as text for balancers and people, or as JSON. Up and degraded are 200, down is 503.

use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::checks::{Check, State, worst};
use super::observed::Observed;
use crate::queue::outage::NextHopStatus;
use crate::web::http::error::PlainError;

/// All of it, for programs.
#[derive(Serialize)]
struct Report<'a> {
    status: State,
    checks: &'a [Check],
    next_hops: Vec<NextHop<'a>>,
}

#[derive(Serialize)]
struct NextHop<'a> {
    server: &'a str,
    last_success: Option<String>,
    outage: Option<Outage>,
}

#[derive(Serialize)]
struct Outage {
    since: String,
    deferred: u64,
    reason: String,
}

/// `ok` or `degraded` and what there is to say, a line each; or the reasons alone.
pub(super) fn as_text(checks: &[Check]) -> Response {
    let lines = |state: State, before: &str| {
        let of_state = checks.iter().filter(|check| check.state == state);
        let lines = of_state.filter_map(|check| Some(format!("{before}{}\n", check.reason.as_ref()?)));
        lines.collect::<String>()
    };
    let (down, degraded) = (lines(State::Down, ""), lines(State::Degraded, ""));
    match overall(checks) {
        State::Down => {
            PlainError::Unavailable(format!("{down}{degraded}").trim_end().to_owned()).into_response()
        }
        State::Degraded => format!("degraded\n{degraded}{}", lines(State::Note, "note: ")).into_response(),
        State::Ok | State::Note => format!("ok\n{}", lines(State::Note, "note: ")).into_response(),
    }
}

/// Every check, well or not, and what is known of the next hops.
pub(super) fn as_json(observed: &Observed, checks: &[Check]) -> Response {
    let status = overall(checks);
    let next_hops = observed.next_hops.iter().map(next_hop).collect();
    let report = serde_json::to_string_pretty(&Report { status, checks, next_hops });
    match report {
        Ok(report) => PlainError::json(report + "\n", status == State::Down),
        Err(error) => PlainError::Trouble(error.to_string()).into_response(),
    }
}

fn next_hop(hop: &NextHopStatus) -> NextHop<'_> {
    NextHop {
        server: &hop.server,
        last_success: hop.last_success.map(|time| time.to_string()),
        outage: hop.outage.as_ref().map(|outage| Outage {
            since: outage.since.to_string(),
            deferred: outage.deferred,
            reason: outage.reason.for_log(),
        }),
    }
}

/// What is worth a note keeps nobody from being well.
fn overall(checks: &[Check]) -> State {
    match worst(checks) {
        State::Note => State::Ok,
        state => state,
    }
}
