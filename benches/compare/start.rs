//! From the start of the process to `ready`, with a store that has been used for a while.

use std::process::Command;

use crate::Plan;
use crate::fill;
use crate::measure::median;
use crate::peers::Zegel;
use crate::report::{Line, Section, number};

const TRANSFERS: u64 = 100_000;
const QUEUED: u64 = 10_000;
/// Seconds.
const MOST: f64 = 1.0;

/// The row.
pub fn row(plan: &Plan, name: &str) -> Section {
    let site = fill::site(fill::nobody(), TRANSFERS, true);
    // Some of it is due again at each start, as after a night without the smarthost.
    let settings = [("RELAY__RETRY", r#"["1m"]"#)];
    let zegel = Zegel::at(site.clone(), &settings);
    fill::queue(&zegel, QUEUED);
    zegel.stop();
    let (mut stopped, mut killed) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds.max(2) {
        let zegel = Zegel::at(site.clone(), &settings);
        stopped.push(zegel.start.as_secs_f64());
        kill(&zegel);
        drop(zegel);
        let zegel = Zegel::at(site.clone(), &settings);
        killed.push(zegel.start.as_secs_f64());
        zegel.stop();
    }
    let lines = vec![
        Line::limit("after SIGTERM", "s", median(&stopped), String::new(), MOST),
        Line::limit(
            "after kill -9",
            "s",
            median(&killed),
            format!("worst: {} s", number(max(&killed))),
            MOST,
        ),
    ];
    let how = format!(
        "From the start of the process to the line `ready`, with {TRANSFERS} transfers (rows and blobs) and {QUEUED} mails \
         queued; the files are in the page cache."
    );
    Section { name: name.into(), how, lines }
}

fn kill(zegel: &Zegel) {
    let _ = Command::new("kill").arg("-9").arg(zegel.id().to_string()).status();
}

fn max(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}
