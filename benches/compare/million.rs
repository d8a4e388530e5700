//! Whether cost grows with the store: the same mail with nothing in the database, and with a million transfers.

use crate::Plan;
use crate::fill;
use crate::party::{Party, Run, in_turn, middle};
use crate::peers::{Source, Zegel};
use crate::report::{Line, Section};
use crate::sealed;
use crate::sink::Sink;

const TRANSFERS: u64 = 1_000_000;
const SESSIONS: u64 = 10;
/// "The same", within what two runs of the same differ by: a tenth.
const SAME: f64 = 0.9;
const AS_DEAR: f64 = 1.1;

/// The row.
pub fn row(plan: &Plan, name: &str) -> Section {
    let sinks = [Sink::start(), Sink::start()];
    let full = fill::site(sinks[0].address, TRANSFERS, false);
    let full = Zegel::at(full, &[]);
    let empty = Zegel::start(sinks[1].address, &[]);
    let mut lines = Vec::new();
    for (kind, size, subject) in
        [("ordinary, 1 KiB", 1 << 10, "gewone post"), ("sealed, 10 KiB", 10 << 10, sealed::SUBJECT)]
    {
        let source = Source { own: false, sessions: SESSIONS, size, subject, kept: false };
        let party = if subject == sealed::SUBJECT { Party::sealing } else { Party::zegel };
        let parties = [party(&full, &sinks[0]), party(&empty, &sinks[1])];
        let runs = in_turn(plan, &parties, &source);
        let [rate, cpu]: [fn(&Run) -> f64; 2] = [|run| run.arrived, |run| run.cpu];
        let of = |place: usize, figure| middle(&runs[place], figure);
        let what = |text: &str| format!("{kind}: {text}");
        lines.push(Line::at_least(what("to the sink"), "mails/s", of(0, rate), ("empty", of(1, rate)), SAME));
        lines.push(Line::at_most(
            what("CPU for 1000 mails"),
            "s",
            of(0, cpu),
            ("empty", of(1, cpu)),
            AS_DEAR,
        ));
    }
    let how = format!(
        "Two gateways in turn, {SESSIONS} sessions: one with {TRANSFERS} transfers in its database (their rows; the blobs \
         are not there), one with none. The ratio is 1 where size costs nothing; runs of the same differ by a tenth."
    );
    Section { name: name.into(), how, lines }
}
