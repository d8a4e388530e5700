//! The gateway is killed, or told to stop, while mail pours in and out; then everything is counted.
//!
//! `TEST_KILLS` sets how often each gateway is killed (8 unless told), `TEST_SEED` repeats a run: the seed
//! decides the mails, the faults and after how many of them the gateway dies.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail so"
)]

mod support;

use std::time::{Duration, Instant};

use support::crash::{CLIENTS, Plan, drain, failing, kill_again_and_again, site};
use support::load::{Load, Random, arrivals, assert_nothing_lost, seed};
use support::smarthost::{Script, Smarthost};

/// How long the gateway may take to stop (H01).
const STOP: Duration = Duration::from_secs(30);

#[test]
fn kill_9_loses_nothing() {
    kill("usual", |_| Script::usual());
}

#[test]
fn kill_9_loses_nothing_while_the_smarthost_fails() {
    kill("failing", failing);
}

fn kill(name: &str, script: impl Fn(&mut Random) -> Script) {
    let kills = std::env::var("TEST_KILLS").map_or(8, |text| text.parse().expect("TEST_KILLS is a number"));
    let count = kill_again_and_again(&Plan { kills, between: 60, seed: seed(name) }, script);
    println!("{name}: {count:?}");
}

#[test]
fn sigterm_loses_and_doubles_nothing() {
    let mut random = Random::new(seed("sigterm"));
    let smarthost = Smarthost::start(Script::usual());
    let site = site(&smarthost);
    let load = Load::start(CLIENTS, random.below(1 << 20) as u64);
    for _ in 0..3 {
        let gateway = site.start();
        load.gateway_is(Some(gateway.smtp));
        load.wait(1 + random.below(30));
        let told = Instant::now();
        assert_eq!(gateway.stop(), 0);
        assert!(told.elapsed() < STOP, "it took {:?} to stop", told.elapsed());
        load.gateway_is(None);
    }
    let sent = load.end();
    let _gateway = site.start();
    drain(&site);
    let arrivals = arrivals(&sent, &smarthost.seen().taken);
    assert_nothing_lost(&sent, &arrivals);
    for (delivery, connections) in arrivals {
        assert_eq!(connections.len(), 1, "{delivery:?} arrived more than once");
    }
}
