//! Mail that passes: in, durable, on to the smarthost. Beside Postfix, and beside nothing in between.

use crate::Plan;
use crate::load::{self, Mails};
use crate::measure::{forget_peak, peak, percentile};
use crate::party::{LARGE, Party, Run, in_turn, middle};
use crate::peers::{Rival, Source, Zegel};
use crate::report::{Line, Section, mib};
use crate::sink::Sink;

/// How many sessions each row is measured with.
const SESSIONS: [u64; 4] = [1, 10, 50, 200];
/// With 10 MiB each: together they stay within what one client may hold of `smtp.memory_budget`, so that nobody is told
/// to come back.
const LARGEST_SESSIONS: [u64; 3] = [1, 10, 25];
const LARGEST: u64 = 4 << 20;
const SUBJECT: &str = "gewone post";
/// MiB; the default of `smtp.memory_budget`.
const BUDGET: f64 = 512.0;

/// The row for mails of `size` bytes. `kept`: one connection for a session, not one for each mail.
pub fn row(plan: &Plan, name: &str, size: u64, kept: bool) -> Section {
    let mut lines = pair(plan, size, kept, false);
    let connection = if kept { "one connection for each session" } else { "one connection for each mail" };
    let mut how = format!(
        "`smtp-source`, mails of {size} octets, {connection}; then zegel, Postfix or nobody; then `smtp-sink`. \
         Rates count to the last arrival at the sink, or to the last 250."
    );
    if size > LARGE {
        lines.extend(pair(plan, size, kept, true));
        how += " `smtp-source` and `smtp-sink` look at each octet of a large mail by itself, and nobody can be faster than \
                the two together; so the same once more between a client and a sink of our own.";
    }
    Section { name: name.into(), how, lines }
}

/// Between Postfix's tools, or between our own.
fn pair(plan: &Plan, size: u64, kept: bool, own: bool) -> Vec<Line> {
    let sink = || if own { Sink::own() } else { Sink::start() };
    let (straight, behind_zegel, behind_postfix) = (sink(), sink(), sink());
    let zegel = Zegel::start(behind_zegel.address, &[("SMTP__MAX_CONNECTIONS_PER_CLIENT", "1000")]);
    let rival = Rival::start(behind_postfix.address, "message_size_limit = 52428800\n");
    let parties = [
        Party::zegel(&zegel, &behind_zegel),
        Party::postfix(&rival, &behind_postfix),
        Party::straight(&straight),
    ];
    let sessions = if size > LARGEST { &LARGEST_SESSIONS[..] } else { &SESSIONS };
    let mut lines = Vec::new();
    for sessions in plan.sessions(sessions) {
        let source = Source { own, sessions, size, subject: SUBJECT, kept };
        forget_peak(zegel.id());
        let runs = in_turn(plan, &parties, &source);
        lines.extend(rates(&source, &runs));
        if size > LARGE {
            let what = format!("peak RSS, {}", between(&source));
            lines.push(Line::limit(what, "MiB", mib(peak(zegel.id())), "memory budget".into(), BUDGET));
        } else {
            lines.extend(waits(plan, &parties, &source, &runs));
        }
    }
    lines
}

fn between(source: &Source) -> String {
    format!("{} sessions{}", source.sessions, if source.own { ", own tools" } else { "" })
}

/// Mails per second, and what they cost.
fn rates(source: &Source, runs: &[Vec<Run>]) -> Vec<Line> {
    let large = source.size > LARGE;
    let what = |text: &str| format!("{text}, {}", between(source));
    let [arrived, answered, cpu]: [fn(&Run) -> f64; 3] =
        [|run| run.arrived, |run| run.answered, |run| run.cpu];
    let of = |place: usize, figure| middle(&runs[place], figure);
    let (to_sink, to_250) = (what("to the sink"), what("to the 250"));
    let postfix = ("Postfix", of(1, arrived));
    let straight = ("straight", of(2, arrived));
    let factor = if large { 3.0 } else { 10.0 };
    let beside_nobody = Line::at_least(&to_sink, "mails/s", of(0, arrived), straight, 0.5);
    let cost = Line::at_most(what("CPU for 1000 mails"), "s", of(0, cpu), ("Postfix", of(1, cpu)), 0.1);
    vec![
        Line::at_least(&to_sink, "mails/s", of(0, arrived), postfix, factor),
        if large { beside_nobody.without_target() } else { beside_nobody },
        Line::ceiling(what("the most that source and sink allow"), "mails/s", straight, postfix),
        Line::compare(to_250, "mails/s", of(0, answered), ("Postfix", of(1, answered))),
        if large { cost.without_target() } else { cost },
    ]
}

/// DATA to 250, by our own client, in turn; all rounds together.
fn waits(plan: &Plan, parties: &[Party<'_>], source: &Source, runs: &[Vec<Run>]) -> Vec<Line> {
    let mut waits = [Vec::new(), Vec::new()];
    let mails = Mails::new(source.subject, source.size);
    for _ in 0..plan.rounds {
        for ((party, runs), waits) in parties.iter().zip(runs).zip(&mut waits) {
            let half = middle(runs, |run| run.answered) * plan.seconds / 2.0;
            let count = (half as u64).clamp(source.sessions * 2, 10_000);
            let goal = party.sink.count() + count;
            waits.extend(load::send(party.smtp, source.sessions, count, &mails));
            party.sink.wait(goal);
        }
    }
    let line = |percent: f64| {
        let what = format!("DATA to 250, p{percent}, {} sessions", source.sessions);
        let [ours, theirs] = [&waits[0], &waits[1]].map(|waits| percentile(waits, percent) * 1000.0);
        Line::at_most(what, "ms", ours, ("Postfix", theirs), 1.0)
    };
    vec![line(50.0).without_target(), line(99.0)]
}
