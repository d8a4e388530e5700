//! Mail that passes: in, durable, on to the smarthost. Beside Postfix, and beside nothing in between.

use std::net::SocketAddr;
use std::time::Instant;

use crate::Plan;
use crate::load;
use crate::measure::{forget_peak, median, peak, percentile};
use crate::peers::{Rival, Sink, Source, Zegel};
use crate::report::{Line, Section, mib};

/// How many sessions each row is measured with.
const SESSIONS: [u64; 4] = [1, 10, 50, 200];
const SUBJECT: &str = "gewone post";

/// What one run of `smtp-source` gave.
struct Run {
    /// Mails per second up to the last 250.
    answered: f64,
    /// Mails per second up to the last arrival at the sink.
    arrived: f64,
    /// CPU seconds of the party in the middle, for 1000 mails.
    cpu: f64,
}

/// Somebody who takes mail, and the sink behind.
struct Party<'a> {
    smtp: SocketAddr,
    sink: &'a Sink,
    cpu: &'a dyn Fn() -> f64,
}

impl Party<'_> {
    fn run(&self, source: &Source, count: u64) -> Run {
        let (goal, cpu) = (self.sink.count() + count, (self.cpu)());
        let start = Instant::now();
        source.send(self.smtp, count);
        let answered = start.elapsed();
        let arrived = self.sink.wait(goal) - start;
        Run {
            answered: count as f64 / answered.as_secs_f64(),
            arrived: count as f64 / arrived.as_secs_f64(),
            cpu: ((self.cpu)() - cpu) / count as f64 * 1000.0,
        }
    }

    /// A first run, to warm up and to see how many mails fill the time.
    fn sized(&self, source: &Source, plan: &Plan) -> u64 {
        let first = source.sessions * 2;
        let first = first.max(if source.size > 1 << 16 { 4 } else { 200 });
        let rate = self.run(source, first).arrived;
        ((rate * plan.seconds) as u64).clamp(first, 60_000)
    }
}

/// The row for mails of `size` octets. `kept`: one connection for a session, not one for each mail.
pub fn row(plan: &Plan, name: &str, size: u64, kept: bool) -> Section {
    let (straight, behind_zegel, behind_postfix) = (Sink::start(), Sink::start(), Sink::start());
    let zegel = Zegel::start(behind_zegel.address, &[("SMTP__MAX_CONNECTIONS_PER_CLIENT", "1000")]);
    let rival = Rival::start(behind_postfix.address, "message_size_limit = 52428800\n");
    let (zegel_cpu, rival_cpu) = (|| zegel.group.cpu().as_secs_f64(), || rival.group.cpu().as_secs_f64());
    let parties = [
        Party { smtp: straight.address, sink: &straight, cpu: &|| 0.0 },
        Party { smtp: zegel.smtp, sink: &behind_zegel, cpu: &zegel_cpu },
        Party { smtp: rival.postfix.address, sink: &behind_postfix, cpu: &rival_cpu },
    ];
    let large = size > 1 << 16;
    let mut lines = Vec::new();
    for sessions in plan.sessions(&SESSIONS) {
        let source = Source { sessions, size, subject: SUBJECT, kept };
        forget_peak(zegel.id());
        let counts = parties.each_ref().map(|party| party.sized(&source, plan));
        let rounds: Vec<[Run; 3]> = (0..plan.rounds)
            .map(|_| std::array::from_fn(|place| parties[place].run(&source, counts[place])))
            .collect();
        let middle = |place: usize, of: fn(&Run) -> f64| {
            median(&rounds.iter().map(|round| of(&round[place])).collect::<Vec<_>>())
        };
        let what = |text: &str| format!("{text}, {sessions} sessions");
        let (ours, theirs) = (middle(1, |run| run.arrived), middle(2, |run| run.arrived));
        lines.push(Line::at_least(
            what("to the sink"),
            "mails/s",
            ours,
            ("Postfix", theirs),
            if large { 3.0 } else { 10.0 },
        ));
        if large {
            lines.push(Line::limit(
                what("peak RSS"),
                "MiB",
                mib(peak(zegel.id())),
                "memory budget 512 MiB".into(),
                512.0,
            ));
        } else {
            lines.push(Line::at_least(
                what("to the sink"),
                "mails/s",
                ours,
                ("straight", middle(0, |run| run.arrived)),
                0.5,
            ));
        }
        lines.push(Line::plain(
            what("to the 250"),
            format!("{:.0} mails/s", middle(1, |run| run.answered)),
            format!("Postfix: {:.0} mails/s", middle(2, |run| run.answered)),
        ));
        let cpu = (middle(1, |run| run.cpu), middle(2, |run| run.cpu));
        let target = if large { f64::INFINITY } else { 0.1 };
        let mut line = Line::at_most(what("CPU for 1000 mails"), "s", cpu.0, ("Postfix", cpu.1), target);
        if large {
            (line.target, line.reached) = (String::new(), None);
        }
        lines.push(line);
        lines.extend(waits(plan, &parties, &source, &counts, large));
    }
    let connection = if kept { "one connection for each session" } else { "one connection for each mail" };
    let budget = if large { "; memory is zegel's VmHWM" } else { "" };
    let how = format!(
        "`smtp-source`, messages of {size} octets, {connection}; then zegel or Postfix; then `smtp-sink`. \
         Medians of {} rounds in turn, about {} s each{budget}.",
        plan.rounds, plan.seconds
    );
    Section { name: name.into(), how, lines }
}

/// DATA to 250, by our own client, in turn; all rounds together.
fn waits(
    plan: &Plan,
    parties: &[Party<'_>; 3],
    source: &Source,
    counts: &[u64; 3],
    large: bool,
) -> Vec<Line> {
    let mut waits = [Vec::new(), Vec::new()];
    for _ in 0..plan.rounds {
        for (place, waits) in waits.iter_mut().enumerate() {
            let party = &parties[place + 1];
            let count = (counts[place + 1] / 2).max(source.sessions * 2);
            let goal = party.sink.count() + count;
            waits.extend(load::latencies(party.smtp, source.sessions, count, source.subject, source.size));
            party.sink.wait(goal);
        }
    }
    let milliseconds = |place: usize, percent| percentile(&waits[place], percent) * 1000.0;
    let what = |text: &str| format!("DATA to 250, {text}, {} sessions", source.sessions);
    let (median, tail) =
        ((milliseconds(0, 50.0), milliseconds(1, 50.0)), (milliseconds(0, 99.0), milliseconds(1, 99.0)));
    let mut lines = vec![
        Line::plain(what("p50"), format!("{:.2} ms", median.0), format!("Postfix: {:.2} ms", median.1)),
        Line::at_most(what("p99"), "ms", tail.0, ("Postfix", tail.1), 1.0),
    ];
    if large {
        lines.iter_mut().for_each(|line| (line.target, line.reached) = (String::new(), None));
    }
    lines
}
