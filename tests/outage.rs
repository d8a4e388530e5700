//! A next hop that is away and comes back: five thousand mails wait for it, the log stays readable, and all of them leave by
//! themselves within a minute of its return, each once. On several gateways with one database: `nodes`.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail so")]

mod support;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use support::gateway::{Site, free_port, wait_for};
use support::outage::{check_all_once, check_log, submit_many, wait_until_all_wait};
use support::smarthost::{Script, Smarthost};

const MAILS: usize = 5000;

#[test]
fn five_thousand_mails_leave_within_a_minute_of_the_return_of_the_next_hop() {
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let site = Site::new(address, "");
    // By its own schedule nothing would be tried again today.
    site.replace("retry = [\"1s\"]", "retry = [\"4h\"]");
    let gateway = site.start();
    let begun = Instant::now();
    submit_many(&[gateway.smtp], MAILS);
    wait_until_all_wait(&site, MAILS);
    check_log(&gateway, begun.elapsed());

    let smarthost = Smarthost::start_at(address, Script::usual());
    let back = Instant::now();
    wait_for("the mails", || (smarthost.taken() == MAILS).then_some(()));
    assert!(back.elapsed() < Duration::from_secs(60), "{:?}", back.elapsed());
    check_all_once(&smarthost.seen(), MAILS);
    gateway.wait_for_log("the next hop takes mail again");
    wait_for("an empty queue", || gateway.is_idle().then_some(()));
}
