//! The long form of `tests/durability.rs`: kills gateways under load, half of them with a smarthost that fails at random,
//! until so many kills and acknowledged mails have been counted. Stops at the first mail that is lost, torn or half.
//!
//! `./run crash [KILLS [MAILS]]`, 500 and 100,000 unless told. Only loopback, and only processes of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a measurement that fails must stop"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::{Instant, SystemTime};

use support::crash::{Count, Plan, failing, kill_again_and_again};
use support::smarthost::Script;

/// Kills of one gateway; then another begins with an empty folder, or memory would be full of what was sent.
const OF_ONE: usize = 20;
/// Mails between two kills: on average half as many, so that both goals are reached at about the same time.
const BETWEEN: usize = 400;

fn main() {
    let numbers: Vec<usize> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let kills = numbers.first().copied().unwrap_or(500);
    let mails = numbers.get(1).copied().unwrap_or(200 * kills);
    let begun = Instant::now();
    let (mut killed, mut total) = (0, Count::default());
    while killed < kills || total.acknowledged < mails {
        let seed = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64;
        let plan = Plan { kills: OF_ONE.min(kills), between: BETWEEN, seed };
        let is_usual = (killed / OF_ONE).is_multiple_of(2);
        println!("TEST_SEED={seed}, the smarthost {}", if is_usual { "works" } else { "fails" });
        let count = if is_usual {
            kill_again_and_again(&plan, |_| Script::usual())
        } else {
            kill_again_and_again(&plan, failing)
        };
        killed += plan.kills;
        total.sent += count.sent;
        total.acknowledged += count.acknowledged;
        total.doubled += count.doubled;
        println!("{killed} kills in {:.0?}: {total:?}, none lost, torn or half", begun.elapsed());
    }
}
