//! Who stands between source and sink, and one run through it.

use std::net::SocketAddr;
use std::time::Instant;

use crate::Plan;
use crate::measure::{Group, median};
use crate::peers::{Rival, Source, Zegel};
use crate::sink::Sink;
use crate::stop;

/// From this size on a mail is large: few of them fill the time, and other targets hold.
pub const LARGE: u64 = 64 << 10;
/// Most mails of one run.
const MOST: u64 = 60_000;

/// Somebody who takes mail, and the sink behind.
pub struct Party<'a> {
    pub smtp: SocketAddr,
    pub sink: &'a Sink,
    /// Nobody, where the sink itself takes the mail.
    group: Option<&'a Group>,
    /// How many mails arrive for one that was sent.
    arrivals: u64,
}

/// What one run gave.
pub struct Run {
    /// Mails per second up to the last 250.
    pub answered: f64,
    /// Mails per second up to the last arrival at the sink.
    pub arrived: f64,
    /// CPU seconds of the party for 1000 mails.
    pub cpu: f64,
}

impl<'a> Party<'a> {
    /// Nobody in between.
    pub fn straight(sink: &'a Sink) -> Self {
        Self { smtp: sink.address, sink, group: None, arrivals: 1 }
    }

    pub fn zegel(zegel: &'a Zegel, sink: &'a Sink) -> Self {
        Self { smtp: zegel.smtp, sink, group: Some(&zegel.group), arrivals: 1 }
    }

    /// Every mail is sealed: what arrives is a notification and a receipt.
    pub fn sealing(zegel: &'a Zegel, sink: &'a Sink) -> Self {
        Self { arrivals: 2, ..Self::zegel(zegel, sink) }
    }

    pub fn postfix(rival: &'a Rival, sink: &'a Sink) -> Self {
        Self { smtp: rival.postfix.address, sink, group: Some(&rival.group), arrivals: 1 }
    }

    /// Sends `count` mails and waits until all that comes of them is at the sink.
    pub fn run(&self, source: &Source, count: u64) -> Run {
        let (goal, cpu) = (self.sink.count() + count * self.arrivals, self.cpu());
        let start = Instant::now();
        source.send(self.smtp, count);
        let answered = start.elapsed();
        let arrived = self.sink.wait(goal) - start;
        let count = count as f64;
        Run {
            answered: count / answered.as_secs_f64(),
            arrived: count / arrived.as_secs_f64(),
            cpu: (self.cpu() - cpu) / count * 1000.0,
        }
    }

    /// A first run, to warm up and to see how many mails fill the time.
    pub fn sized(&self, source: &Source, plan: &Plan) -> u64 {
        let first = if source.size > LARGE { 4 } else { 100 };
        let first = first.max(source.sessions * 2);
        let rate = self.run(source, first).arrived;
        ((rate * plan.seconds) as u64).clamp(first, MOST)
    }

    fn cpu(&self) -> f64 {
        self.group.map_or(0.0, |group| group.cpu().as_secs_f64())
    }
}

/// Runs each party in turn, again and again; gives the runs of each.
pub fn in_turn(plan: &Plan, parties: &[Party<'_>], source: &Source) -> Vec<Vec<Run>> {
    let counts: Vec<u64> = parties.iter().map(|party| party.sized(source, plan)).collect();
    let mut runs: Vec<Vec<Run>> = parties.iter().map(|_| Vec::new()).collect();
    for _ in 0..plan.rounds {
        for ((party, count), runs) in parties.iter().zip(&counts).zip(&mut runs) {
            stop::if_asked();
            runs.push(party.run(source, *count));
        }
    }
    runs
}

/// The middle of one figure over all rounds.
pub fn middle(runs: &[Run], of: fn(&Run) -> f64) -> f64 {
    median(&runs.iter().map(of).collect::<Vec<_>>())
}
