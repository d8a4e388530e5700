//! Several gateways on one PostgreSQL and one S3 store, HAProxy in front: nodes, database and store are killed, paused and cut
//! off under load; then everything is counted. What is acknowledged arrives, whole, and a kill doubles no more than was in
//! flight.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail so"
)]

mod support;

use std::fs;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use support::client::SmtpClient;
use support::cluster::Cluster;
use support::crash::{CLIENTS, FLIGHTS};
use support::crash_cluster::{cluster, kill_nodes_and_database, settle};
use support::gateway::{Gateway, signal, wait_for};
use support::load::{Load, Random, STAFF, seed};
use support::resident::{RESIDENT, Resident, attachments, seal};
use support::smarthost::{Act, Script, Seen, Smarthost, Stage, say};
use support::web::{get, get_as, post, send};

/// How often nodes are killed, unless `TEST_KILLS` says: for more of it. `./run crash --cluster` does it for hours.
fn kills(usual: usize) -> usize {
    std::env::var("TEST_KILLS").map_or(usual, |text| text.parse().expect("TEST_KILLS is a number"))
}

#[test]
fn nodes_and_database_are_killed_and_nothing_is_lost() {
    println!("{:?}", kill_nodes_and_database(kills(6), seed("nodes")));
}

#[test]
fn a_database_that_is_killed_and_started_again_loses_nothing() {
    let mut random = Random::new(seed("database"));
    let smarthost = Smarthost::start(Script::usual());
    let mut cluster = cluster(2, &smarthost);
    let _nodes = cluster.start_all();
    let load = Load::start(CLIENTS, random.below(1 << 20) as u64);
    load.gateway_is(Some(cluster.balancer.smtp));
    for _ in 0..2 {
        load.wait(20 + random.below(60));
        cluster.database.kill();
        let back = cluster.database.start_again();
        load.wait(1);
        assert!(back.elapsed() < Duration::from_secs(5), "normal {:?} after its return", back.elapsed());
    }
    println!("{:?}", settle(&cluster, &smarthost, load, 2 * 2));
}

#[test]
fn a_synchronous_standby_takes_over_and_nothing_is_lost() {
    let mut random = Random::new(seed("standby"));
    let smarthost = Smarthost::start(Script::usual());
    let mut cluster = cluster(2, &smarthost);
    let standby = cluster.database.synchronous_standby("standby");
    cluster.use_either(&standby);
    let _nodes = cluster.start_all();
    let load = Load::start(CLIENTS, random.below(1 << 20) as u64);
    load.gateway_is(Some(cluster.balancer.smtp));
    load.wait(50 + random.below(60));
    cluster.database.kill();
    standby.promote();
    let promoted = Instant::now();
    load.wait(1);
    assert!(promoted.elapsed() < Duration::from_secs(10), "it took {:?}", promoted.elapsed());
    load.wait(50);
    cluster.database = standby;
    println!("{:?}", settle(&cluster, &smarthost, load, 2));
}

/// SIGSTOP beyond the lease: another node delivers what this one held, and when it comes back it says nothing of it.
#[test]
fn a_node_that_slept_past_its_lease_is_fenced() {
    let mails = 20;
    let slow = Script::usual().when(Stage::Dot, "", Act::Hang, 100);
    let smarthost = Smarthost::start(slow);
    let cluster = cluster(2, &smarthost);
    let sleeper = cluster.start(0);
    let mut client = SmtpClient::connect(sleeper.smtp).unwrap();
    for number in 0..mails {
        assert!(client.send(STAFF, &[RESIDENT], mail("", number).as_bytes()).unwrap().starts_with("250 "));
    }
    signal(sleeper.process(), "STOP");
    smarthost.change(Script::usual());
    let _other = cluster.start(1);
    wait_for("an empty queue", || (cluster.count("SELECT count(*) FROM items") == 0).then_some(()));
    signal(sleeper.process(), "CONT");
    sleeper.wait_for_log("the lease of this node had ended");
    // It goes on as a node like any other.
    assert!(
        SmtpClient::connect(sleeper.smtp)
            .unwrap()
            .send(STAFF, &[RESIDENT], mail("", mails).as_bytes())
            .unwrap()
            .starts_with("250 ")
    );
    cluster.drain(0);
    let seen = smarthost.wait(|seen| seen.taken.len() > mails);
    let twice = seen.taken.len() - mails - 1;
    assert!(twice <= FLIGHTS, "{twice} arrived twice");
}

/// Nothing comes through between a node and the database for longer than its lease, and nobody is told.
#[test]
fn a_node_that_is_cut_off_from_the_database_is_fenced_and_comes_back() {
    let mut random = Random::new(seed("partition"));
    let smarthost = Smarthost::start(Script::usual());
    let cluster = cluster(2, &smarthost);
    let line = cluster.line_to_database(0);
    let nodes = cluster.start_all();
    let load = Load::start(CLIENTS, random.below(1 << 20) as u64);
    load.gateway_is(Some(cluster.balancer.smtp));
    load.wait(40 + random.below(40));
    line.silence();
    wait_for("the balancer to pass it by", || (!Cluster::is_ready(&nodes[0])).then_some(()));
    let readyz = get(&format!("http://{}/readyz", nodes[0].admin));
    assert!(readyz.text().contains("the database does not answer"), "{}", readyz.text());
    load.wait(40);
    nodes[1].wait_for_log("what a node had claimed whose lease has ended is free");
    load.wait(40);
    line.mend();
    let back = Instant::now();
    wait_for("the node to be itself again", || Cluster::is_ready(&nodes[0]).then_some(()));
    assert!(back.elapsed() < Duration::from_secs(5), "{:?}", back.elapsed());
    nodes[0].wait_for_log("the lease of this node had ended");
    load.gateway_is(Some(nodes[0].smtp));
    load.wait(20);
    println!("{:?}", settle(&cluster, &smarthost, load, 1));
}

/// Stopped as a whole, so that connections stay and nothing answers: a crowd is told within seconds, and then at once.
#[test]
fn a_frozen_database_is_told_to_a_crowd_within_seconds() {
    let smarthost = Smarthost::start(Script::usual());
    let cluster = cluster(1, &smarthost);
    let node = cluster.start(0);
    let (links, _) = seal(&smarthost, cluster.site(0), &node, &[RESIDENT]);
    wait_for("the pages", || is_there(&links[0]));
    let crowd = || -> Vec<String> {
        let clients: Vec<_> = (0..50)
            .map(|number| (number, node.smtp))
            .map(|(number, smtp)| thread::spawn(move || deliver(smtp, &mail("", number))))
            .collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    };
    cluster.database.signal_all("STOP");
    let begun = Instant::now();
    for answer in crowd() {
        assert!(answer.starts_with("451 "), "{answer}");
    }
    assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
    let begun = Instant::now();
    for answer in crowd() {
        assert!(answer.starts_with("451 "), "{answer}");
    }
    let (_, place) = links[0].split_once("://").unwrap();
    let (host, path) = place.split_once('/').unwrap();
    let page = send("GET", &format!("http://{}/{path}", node.web), &[("Host", host)], None);
    assert_eq!(page.status, 503, "{}", page.text());
    assert!(begun.elapsed() < Duration::from_secs(3), "nobody waits any more: {:?}", begun.elapsed());
    cluster.database.signal_all("CONT");
    let back = Instant::now();
    wait_for("mail to be taken", || deliver(node.smtp, &mail("", 100)).starts_with("250 ").then_some(()));
    assert!(back.elapsed() < Duration::from_secs(5), "{:?}", back.elapsed());
    assert!(crowd().iter().all(|answer| answer.starts_with("250 ")));
    cluster.drain(0);
}

/// Sends an ordinary mail; the answer that decides.
fn deliver(smtp: SocketAddr, mail: &str) -> String {
    SmtpClient::connect(smtp).unwrap().send(STAFF, &[RESIDENT], mail.as_bytes()).unwrap()
}

fn mail(tag: &str, number: usize) -> String {
    format!("From: {STAFF}\r\nSubject: {tag}{number}\r\nMessage-ID: <{number}@voorbeeld.nl>\r\n\r\nTekst\r\n")
}

/// One that has to be sealed and is too large to be kept without the bucket.
fn large_mail(number: usize) -> String {
    mail("[vertrouwelijk] ", number) + &"Nog een regel.\r\n".repeat(4000)
}

/// Whatever a resident is in the middle of: one node dies, and the other goes on with it.
#[test]
fn a_resident_goes_on_through_another_node() {
    let smarthost = Smarthost::start(Script::usual());
    let cluster = cluster(2, &smarthost);
    let mut node = cluster.start(0);
    let (links, password) = seal(&smarthost, cluster.site(0), &node, &[RESIDENT]);
    let mut turn = 0;
    // The balancer knows by its own checks which one is there.
    let mut other_node = |node: Gateway| {
        node.kill();
        turn += 1;
        let other = cluster.start(turn % 2);
        wait_for("the other node behind the balancer", || is_there(&links[0]));
        other
    };
    wait_for("the pages", || is_there(&links[0]));

    let mut anna = Resident::open(&links[0], &password);
    let eml = format!("{}/message.eml", anna.link);
    let whole = get_as(&eml, &anna.cookie());
    assert_eq!(whole.status, 200);
    node = other_node(node);
    let cookie = anna.cookie();
    let rest = send("GET", &eml, &[("Cookie", cookie.as_str()), ("Range", "bytes=100-")], None);
    assert_eq!((rest.status, &rest.body[..]), (206, &whole.body[100..]));

    let code = anna.ask_for_code(&smarthost, "Anna de Vries", RESIDENT);
    node = other_node(node);
    anna.give_code(&code);
    let upload = anna.begin("brief.txt", 11);
    assert_eq!(anna.piece(&upload, 0, b"hallo ").status, 204);
    node = other_node(node);
    assert_eq!(anna.offset(&upload), 6);
    assert_eq!(anna.piece(&upload, 6, b"allen").status, 204);
    node = other_node(node);
    let answer = anna.message(STAFF, "Graag gedaan", &[], "next");
    assert_eq!((answer.status, anna.tail(&answer)), (303, "/reply/check"), "{}", answer.text());
    let before = smarthost.seen().taken.len();
    let sent = anna.send("confirm=1");
    assert_eq!((sent.status, anna.tail(&sent)), (303, "/reply/sent"), "{}", sent.text());
    let file = [("brief.txt".to_owned(), b"hallo allen".to_vec())];
    smarthost.wait(|seen| seen.taken[before..].iter().any(|taken| attachments(taken) == file));
    drop(node);
}

/// A password is guessed at two nodes no more often than at one.
#[test]
fn tries_are_counted_together() {
    let smarthost = Smarthost::start(Script::usual());
    let cluster = cluster(2, &smarthost);
    let nodes = cluster.start_all();
    let (links, password) = seal(&smarthost, cluster.site(0), &nodes[0], &[RESIDENT]);
    wait_for("the pages", || is_there(&links[0]));
    let guesses: Vec<_> = (0..12)
        .map(|number| {
            let link = links[0].clone();
            thread::spawn(move || post(&link, &format!("password=fout{number}")).status)
        })
        .collect();
    for guess in guesses {
        assert!(matches!(guess.join().unwrap(), 403 | 429 | 503));
    }
    assert_eq!(cluster.count("SELECT max(tries) FROM transfer_recipients"), 5);
    let right = post(&links[0], &format!("password={password}"));
    assert_ne!(right.status, 303, "it is locked");
}

/// Large sealed mail waits outside; ordinary mail and small sealed mail go on.
#[test]
fn without_the_object_store_nothing_is_lost() {
    let smarthost = Smarthost::start(Script::usual());
    let cluster = cluster(1, &smarthost);
    let node = cluster.start(0);
    let send = |confidential: bool, number: usize| {
        let mail = if confidential { large_mail(number) } else { mail("", number) };
        deliver(node.smtp, &mail)
    };
    assert!(send(true, 1).starts_with("250 "));
    cluster.objects.down();
    let refused = send(true, 2);
    assert!(refused.starts_with("451 "), "{refused}");
    assert!(send(false, 3).starts_with("250 "));
    assert!(deliver(node.smtp, &mail("[vertrouwelijk] ", 8)).starts_with("250 "), "it needs no object");
    cluster.objects.mend();
    let back = Instant::now();
    wait_for("sealed mail to be taken", || send(true, 4).starts_with("250 ").then_some(()));
    assert!(back.elapsed() < Duration::from_secs(5), "{:?}", back.elapsed());

    // Nothing comes through any more, and nobody is told.
    cluster.objects.silence();
    let begun = Instant::now();
    let crowd: Vec<_> = (0..20)
        .map(|number| (number, node.smtp))
        .map(|(number, smtp)| thread::spawn(move || deliver(smtp, &large_mail(100 + number))))
        .collect();
    for answer in crowd {
        let answer = answer.join().unwrap();
        assert!(answer.starts_with("451 "), "{answer}");
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    let begun = Instant::now();
    assert!(send(true, 5).starts_with("451 ") && send(false, 6).starts_with("250 "));
    assert!(begun.elapsed() < Duration::from_secs(3), "nobody waits any more: {:?}", begun.elapsed());
    node.wait_for_log("the object store is away");
    cluster.objects.mend();
    let back = Instant::now();
    wait_for("sealed mail to be taken", || send(true, 7).starts_with("250 ").then_some(()));
    assert!(back.elapsed() < Duration::from_secs(5), "{:?}", back.elapsed());
    cluster.drain(0);
}

/// Nodes that keep ordinary mail themselves (`store.journal = "local"`).
fn with_journals(nodes: usize, smarthost: &Smarthost) -> Cluster {
    let cluster = cluster(nodes, smarthost);
    (0..nodes).for_each(|node| cluster.site(node).set("store", "journal = \"local\""));
    cluster
}

fn journal_is(cluster: &Cluster, node: usize, place: &str) {
    let config = fs::read_to_string(cluster.site(node).config()).unwrap();
    let other = if place == "local" { "shared" } else { "local" };
    let config = config.replace(&format!("journal = \"{other}\""), &format!("journal = \"{place}\""));
    fs::write(cluster.site(node).config(), config).unwrap();
}

/// What a node has accepted is on its own disk, and there after kill -9; the other node goes on meanwhile.
#[test]
fn nodes_that_keep_ordinary_mail_themselves_are_killed_and_lose_nothing() {
    let mut random = Random::new(seed("journals"));
    let smarthost = Smarthost::start(Script::usual());
    let cluster = with_journals(2, &smarthost);
    let mut nodes: Vec<_> = cluster.start_all().into_iter().map(Some).collect();
    let load = Load::start(CLIENTS, random.below(1 << 20) as u64);
    load.gateway_is(Some(cluster.balancer.smtp));
    let kills = kills(4);
    for _ in 0..kills {
        load.wait(1 + random.below(60));
        let node = random.below(2);
        nodes[node].take().expect("a node").kill();
        load.wait(20 + random.below(20));
        nodes[node] = Some(cluster.start(node));
    }
    settle(&cluster, &smarthost, load, kills);
    assert!((0..2).all(|node| cluster.site(node).data().join("node/journal").exists()));
    assert_eq!(cluster.count("SELECT count(*) FROM journal_moved"), 0);
}

/// What is left in a journal comes into the queue whatever `store.journal` says by then, and by a command where no node is
/// started on its folder again.
#[test]
fn a_journal_is_turned_on_and_off_and_loses_nothing() {
    let mails = 20;
    let hangs = || Script::usual().when(Stage::Dot, "", Act::Hang, 1000);
    let smarthost = Smarthost::start(hangs());
    let cluster = with_journals(2, &smarthost);
    let address = |number: usize| format!("r{number}@example.org");
    let take_in = |node: &Gateway, first: usize| {
        let mut client = SmtpClient::connect(node.smtp).unwrap();
        for number in first..first + mails {
            let said = client.send(STAFF, &[&address(number)], mail("", number).as_bytes()).unwrap();
            assert!(said.starts_with("250 "), "{said}");
        }
    };
    let killed_with_mail = |first: usize| {
        let node = cluster.start(0);
        take_in(&node, first);
        node.kill();
        assert!(cluster.count("SELECT count(*) FROM items") < mails as u64, "it was in the journal");
    };
    let arrived = |first: usize| {
        let all = |seen: &Seen| (first..first + mails).all(|number| seen.copies(&address(number)) > 0);
        smarthost.wait(all);
    };

    killed_with_mail(0);
    journal_is(&cluster, 0, "shared");
    smarthost.change(Script::usual());
    let node = cluster.start(0);
    node.wait_for_log("left in the journal of a node");
    arrived(0);
    take_in(&node, mails);
    arrived(mails);
    assert_eq!(node.stop(), 0);

    journal_is(&cluster, 0, "local");
    smarthost.change(hangs());
    killed_with_mail(2 * mails);
    smarthost.change(Script::usual());
    let _other = cluster.start(1);
    let (status, list, _) = cluster.site(0).command(&["queue", "list"]);
    assert_eq!(status, 0, "{list}");
    arrived(2 * mails);
    cluster.drain(1);
    let seen = smarthost.seen();
    let twice: usize = (0..3 * mails).map(|number| seen.copies(&address(number)) - 1).sum();
    assert!(twice <= 2 * FLIGHTS * 2, "{twice} arrived twice");
}

/// A node that is stopped, not killed, leaves nothing in its folder that another would miss.
#[test]
fn a_node_that_stops_gives_its_mail_to_the_others() {
    let smarthost = Smarthost::start(Script::usual().when(Stage::Dot, "", say("451 4.3.0 later"), 1000));
    let cluster = with_journals(2, &smarthost);
    let node = cluster.start(0);
    let mut client = SmtpClient::connect(node.smtp).unwrap();
    for number in 0..20 {
        let said =
            client.send(STAFF, &[&format!("r{number}@example.org")], mail("", number).as_bytes()).unwrap();
        assert!(said.starts_with("250 "), "{said}");
    }
    drop(client);
    assert_eq!(node.stop(), 0);
    assert_eq!(cluster.count("SELECT count(*) FROM items"), 20);
    smarthost.change(Script::usual());
    fs::remove_dir_all(cluster.site(0).data().join("node")).unwrap();
    let _other = cluster.start(1);
    cluster.drain(1);
    let seen = smarthost.seen();
    assert!((0..20).all(|number| seen.copies(&format!("r{number}@example.org")) == 1));
}

/// Whether a page can be had; the balancer closes connections for which it has no node.
fn is_there(url: &str) -> Option<()> {
    ureq::get(url).call().is_ok().then_some(())
}
