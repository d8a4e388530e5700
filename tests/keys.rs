//! Another master key while everything goes on; kill -9 in the middle of it; the wrong key. What nodes make of it is in
//! `keys_shared`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail so"
)]

mod support;

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use serde_json::Value;

use support::client::submit;
use support::crash::{CLIENTS, drain, site as loaded_site};
use support::disk::{Act, Call, DEATHS, Disk, Fault};
use support::gateway::{Gateway, Site, all_bytes, copy, wait_for};
use support::load::{Load, arrivals, assert_nothing_lost};
use support::mail::{Notice, tagged};
use support::resident::{RESIDENT, Resident, STAFF, Scene, attachments, noise, seal};
use support::smarthost::{Script, Smarthost, Stage, say};
use support::web::{get, get_as, post};

const PARTNER: &str = "bob@example.net";

fn run(site: &Site, arguments: &[&str]) -> String {
    let (status, out, error) = site.command(arguments);
    assert_eq!(status, 0, "{arguments:?}: {out}{error}");
    out
}

fn list(site: &Site) -> Vec<Value> {
    serde_json::from_str(&run(site, &["key", "list", "--json"])).unwrap()
}

fn states(site: &Site) -> Vec<String> {
    list(site).iter().map(|key| format!("{} {}", key["key"], key["state"].as_str().unwrap())).collect()
}

fn name(site: &Site, key: usize) -> String {
    list(site)[key - 1]["name"].as_str().unwrap().to_owned()
}

/// A rotation that the gateway has noticed.
fn rotate(site: &Site, gateway: &Gateway) {
    let before = gateway.log().iter().filter(|line| line.contains("another master key is")).count();
    run(site, &["key", "rotate"]);
    wait_for("a gateway that works with the new key", || {
        let now = gateway.log().iter().filter(|line| line.contains("another master key is")).count();
        (now > before).then_some(())
    });
}

fn database(site: &Site) -> Connection {
    let database = Connection::open(site.data().join("zegel.db")).unwrap();
    database.busy_timeout(support::gateway::PATIENCE).unwrap();
    database
}

/// The sender's link to the status of the newest transfer.
fn status_link(smarthost: &Smarthost) -> String {
    let seen = smarthost.seen();
    let mut notices = seen.taken.iter().filter(|taken| support::mail::text_of(taken).contains("/s/"));
    let receipt = Notice::of(notices.next_back().unwrap()).text;
    receipt.split_whitespace().find(|word| word.contains("/s/")).unwrap().to_owned()
}

fn cookie(link: &str, password: &str) -> String {
    let opened = post(link, &format!("password={password}"));
    assert_eq!(opened.status, 303, "{}", opened.text());
    opened.cookie()
}

fn assert_opens(link: &str, password: &str) {
    let file = get_as(&format!("{link}/files/1"), &cookie(link, password));
    assert_eq!((file.status, file.body.as_slice()), (200, &b"kanarie-inhoud"[..]));
}

#[test]
fn links_sessions_browsers_and_drafts_go_on_after_a_rotation() {
    let scene = Scene::new("", &[RESIDENT, PARTNER]);
    let Scene { smarthost, site, gateway, links, password } = &scene;
    let status = status_link(smarthost);
    let session = cookie(&links[1], password);
    let mut anna = scene.verified();
    let photo = noise(200_000);
    let upload = anna.begin("foto.jpg", photo.len());
    assert_eq!(anna.piece(&upload, 0, &photo[..100_000]).status, 204);
    assert_eq!(states(site), ["1 current"]);

    rotate(site, gateway);
    let (new, secret) = seal(smarthost, site, gateway, &[PARTNER]);
    assert_eq!(states(site), ["1 older", "2 current"]);
    let needs = &list(site)[0]["needs"];
    assert_eq!((needs["transfers"].as_u64(), needs["browsers"].as_u64()), (Some(1), Some(1)), "{needs}");
    assert!(needs["transfers_until"].is_string() && needs["recent_until"].is_string(), "{needs}");
    assert_eq!(get_as(&format!("{}/files/1", links[1]), &session).status, 200, "a session goes on");
    assert_opens(&links[1], password);
    assert_eq!(get(&status).status, 200, "the sender's status");

    // The answer that was being written goes on: the same browser, its half upload, and no second code.
    assert_eq!(anna.offset(&upload), 100_000);
    assert_eq!(anna.piece(&upload, 100_000, &photo[100_000..]).status, 204);
    let next = anna.message(STAFF, "kanarie-antwoord", &[], "next");
    assert_eq!((next.status, anna.tail(&next)), (303, "/reply/check"), "{}", next.text());
    assert_eq!(anna.send("").status, 303);
    let is_answer = |text: &str| text.contains("\nReply-To:") && text.contains("kanarie-antwoord");
    let seen = smarthost
        .wait(|seen| seen.taken.iter().any(|taken| is_answer(&String::from_utf8_lossy(&taken.message))));
    let answer =
        seen.taken.iter().rfind(|taken| is_answer(&String::from_utf8_lossy(&taken.message))).unwrap();
    assert!(attachments(answer) == [("foto.jpg".to_owned(), photo)]);

    // Another window of a browser that is remembered asks for no code.
    let mut again = Resident::open(&links[0], password);
    again.cookies.extend(anna.cookies.clone());
    assert_eq!(again.get("/reply/message").status, 200);

    // The notification once more has the link that it had.
    let before = smarthost.taken();
    let transfers: Vec<Value> = serde_json::from_str(&run(site, &["transfer", "list", "--json"])).unwrap();
    let id = transfers.last().unwrap()["id"].as_str().unwrap();
    run(site, &["transfer", "resend", id, "--recipient", PARTNER]);
    let seen = smarthost.wait(|seen| seen.taken.len() == before + 1);
    assert!(Notice::of(&seen.taken[before]).text.contains(&links[1]));

    // A new one is of the new key, and opens as well; a third key changes nothing for either.
    rotate(site, gateway);
    assert_opens(&links[1], password);
    assert_opens(&new[0], &secret);
    assert!(run(site, &["audit", "list", "--action", "key"]).contains("rotate 3"));
}

/// What leaves names the sealed message, and is sealed as well.
#[test]
fn a_sealed_thread_stays_sealed_whatever_the_key() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    let first = format!(
        "From: {STAFF}\r\nTo: {RESIDENT}\r\nMessage-ID: <1@voorbeeld.nl>\r\nSubject: [vertrouwelijk] a\r\n\r\nkanarie\r\n"
    );
    submit(gateway.smtp, STAFF, &[RESIDENT], first.as_bytes());
    smarthost.wait(|seen| seen.taken.len() == 2);
    let answers = |sent: usize| {
        let answer = format!(
            "From: {STAFF}\r\nTo: {PARTNER}\r\nSubject: RE: a\r\nIn-Reply-To: <1@voorbeeld.nl>\r\n\r\nkanarie\r\n"
        );
        submit(gateway.smtp, STAFF, &[PARTNER], answer.as_bytes());
        let seen = smarthost.wait(|seen| seen.taken.len() == sent);
        assert!(seen.taken.iter().all(|taken| !support::mail::text_of(taken).contains("kanarie")));
    };
    rotate(&site, &gateway);
    answers(4);
    rotate(&site, &gateway);
    // It was renewed in the thread by the answer; both keys have been retired since.
    assert_eq!(gateway.stop(), 0);
    forget_the_rotations(&site);
    run(&site, &["transfer", "recall", &transfers(&site)[0], "--all"]);
    run(&site, &["transfer", "recall", &transfers(&site)[1], "--all"]);
    smarthost.change(Script::usual());
    let gateway = site.start();
    wait_for("old keys that are destroyed", || {
        (states(&site) == ["1 destroyed", "2 destroyed", "3 current"]).then_some(())
    });
    let before = wait_until_idle(&gateway, &smarthost);
    let answer = format!(
        "From: {STAFF}\r\nTo: {PARTNER}\r\nSubject: RE: a\r\nIn-Reply-To: <1@voorbeeld.nl>\r\n\r\nkanarie\r\n"
    );
    submit(gateway.smtp, STAFF, &[PARTNER], answer.as_bytes());
    let seen = smarthost.wait(|seen| seen.taken.len() == before + 2);
    assert!(seen.taken.iter().all(|taken| !support::mail::text_of(taken).contains("kanarie")));
}

fn wait_until_idle(gateway: &Gateway, smarthost: &Smarthost) -> usize {
    wait_for("an idle gateway", || gateway.is_idle().then_some(()));
    smarthost.taken()
}

fn transfers(site: &Site) -> Vec<String> {
    let transfers: Vec<Value> = serde_json::from_str(&run(site, &["transfer", "list", "--json"])).unwrap();
    transfers.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

/// They are as long ago as if nobody was remembered of then.
fn forget_the_rotations(site: &Site) {
    let rotations: String =
        database(site).query_row("SELECT rotations FROM folder", [], |row| row.get(0)).unwrap();
    let count = rotations.matches('T').count();
    let long_ago = vec!["\"2020-01-01T00:00:00Z\""; count].join(",");
    database(site).execute("UPDATE folder SET rotations = ?1", [format!("[{long_ago}]")]).unwrap();
}

/// Bodies in rows, in blobs and in the journal, of mail that passes and of notices.
#[test]
fn mail_that_waits_is_delivered_after_rotations_and_a_crash() {
    let away = || Script::usual().at(Stage::Connect, say("421 4.3.2 not now"));
    let smarthost = Smarthost::start(away());
    let site = Site::new(smarthost.address(), "");
    let mut gateway = site.start();
    let small = b"From: j.jansen@voorbeeld.nl\r\nTo: anna@example.org\r\nSubject: gewoon\r\n\r\noud\r\n";
    let large = [&small[..], &b"x".repeat(70).repeat(1)[..], &b"\r\nx".repeat(150_000)[..], b"\r\n"].concat();
    for _ in 0..2 {
        submit(gateway.smtp, STAFF, &[RESIDENT], small);
        submit(gateway.smtp, STAFF, &[RESIDENT], &large);
        submit(gateway.smtp, STAFF, &[RESIDENT], &tagged(STAFF, RESIDENT));
        rotate(&site, &gateway);
        submit(gateway.smtp, STAFF, &[RESIDENT], small);
        // What is in the journal now is sealed with that key, and read by a life that begins with the next.
        gateway.kill();
        run(&site, &["key", "rotate"]);
        gateway = site.start();
    }
    assert_eq!(states(&site), ["1 older", "2 older", "3 older", "4 older", "5 current"]);
    let mail = |key: &Value| key["needs"]["mail"].as_u64().unwrap_or_default();
    assert_eq!(list(&site).iter().map(mail).collect::<Vec<_>>(), [4, 1, 4, 1, 0]);
    smarthost.change(Script::usual());
    run(&site, &["queue", "retry", "--all"]);
    let seen = smarthost.wait(|seen| seen.taken.len() == 10);
    assert_eq!(seen.taken.iter().filter(|taken| taken.message.len() > 400_000).count(), 2);
    wait_for("an idle gateway", || gateway.is_idle().then_some(()));
    assert_eq!(list(&site).iter().map(mail).sum::<u64>(), 0);
}

#[test]
fn rotations_under_load_lose_and_double_nothing() {
    let smarthost = Smarthost::start(Script::usual());
    let site = loaded_site(&smarthost);
    let load = Load::start(CLIENTS, 27);
    let gateway = site.start();
    load.gateway_is(Some(gateway.smtp));
    for _ in 0..4 {
        load.wait(40);
        rotate(&site, &gateway);
    }
    load.wait(40);
    let sent = load.end();
    drain(&site);
    let arrivals = arrivals(&sent, &smarthost.seen().taken);
    assert_nothing_lost(&sent, &arrivals);
    for (delivery, connections) in arrivals {
        assert_eq!(connections.len(), 1, "{delivery:?} arrived more than once");
    }
    assert!(sent.iter().all(|mail| mail.acknowledged), "none was refused");
    assert_eq!(states(&site).last().unwrap(), "5 current");
}

/// Wherever a rotation is killed, the gateway starts, what it made before opens, and the next rotation comes to its end.
#[test]
fn killed_at_any_call_of_a_rotation_it_can_be_made_again() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let disk = Disk::under(&site);
    let gateway = site.start();
    let (links, password) = seal(&smarthost, &site, &gateway, &[RESIDENT]);
    wait_for("an idle gateway", || gateway.is_idle().then_some(()));
    assert_eq!(gateway.stop(), 0);
    let first = fs::read(site.data().join("master.key")).unwrap();
    let kept = tempfile::tempdir().unwrap();
    copy(&site.data(), kept.path());
    let mut deaths = 0;
    let removals = [(Call::Remove, Act::DieBefore), (Call::Remove, Act::DieAfter)];
    for (call, act) in DEATHS.iter().copied().chain(removals) {
        for part in ["master.key", "zegel.db"] {
            for number in 1..40 {
                fs::remove_dir_all(site.data()).unwrap();
                copy(kept.path(), &site.data());
                disk.arm(&Fault { call, part, number, act, lasting: false });
                let mut rotation = disk.command();
                rotation.args(["key", "rotate", "--config"]).arg(site.config());
                let end = rotation.output().unwrap().status;
                if !disk.mend() {
                    assert!(end.success(), "{call:?} {act:?} {part} {number}");
                    break;
                }
                deaths += 1;
                run(&site, &["check"]);
                run(&site, &["key", "rotate"]);
                let states = states(&site);
                assert!(states.last().unwrap().ends_with("current") && states[0] == "1 older", "{states:?}");
                let left: Vec<_> = all_bytes(&site.data()).into_iter().map(|(path, _)| path).collect();
                assert!(!left.iter().any(|path| path.ends_with("master.key.old")), "{left:?}");
            }
        }
    }
    assert!(deaths > 30, "{deaths}");
    assert_ne!(fs::read(site.data().join("master.key")).unwrap(), first);
    let gateway = site.start();
    let (new, secret) = seal(&smarthost, &site, &gateway, &[RESIDENT]);
    assert_opens(&links[0], &password);
    assert_opens(&new[0], &secret);
}

/// What needs it keeps it; then it is gone for good, and what does not need it goes on.
#[test]
fn an_old_key_is_destroyed_when_nothing_needs_it() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    let (old, password) = seal(&smarthost, &site, &gateway, &[RESIDENT]);
    let status = status_link(&smarthost);
    let mut anna = Resident::verified(&old[0], &password, &smarthost);
    rotate(&site, &gateway);
    let (new, secret) = seal(&smarthost, &site, &gateway, &[PARTNER]);
    let file = site.data().join("master.key");
    let key = fs::read_to_string(&file).unwrap();
    let key = key.lines().find_map(|line| line.strip_prefix("1 ")).unwrap().to_owned();
    let restart = |gateway: Gateway| {
        wait_for("an idle gateway", || gateway.is_idle().then_some(()));
        assert_eq!(gateway.stop(), 0);
        site.start()
    };
    // It was the current one a moment ago; then a transfer, then a browser need it.
    let gateway = restart(gateway);
    forget_the_rotations(&site);
    let gateway = restart(gateway);
    assert_eq!(list(&site)[0]["needs"]["transfers"], 1);
    assert_eq!(states(&site), ["1 older", "2 current"]);
    assert!(run(&site, &["key", "list"]).contains("needed by 1 transfers that can be opened until 20"));
    run(&site, &["transfer", "recall", transfers(&site).last().unwrap(), "--all"]);
    let mut rotated =
        database(&site).query_row("SELECT rotations FROM folder", [], |row| row.get::<_, String>(0)).unwrap();
    let until: i64 = database(&site).query_row("SELECT until FROM browsers", [], |row| row.get(0)).unwrap();
    let then = zegel::clock::Timestamp::from_microsecond(until).unwrap();
    rotated = rotated
        .replace("2020-01-01T00:00:00Z", &zegel::clock::earlier(then, zegel::clock::DAY * 30).to_string());
    database(&site).execute("UPDATE folder SET rotations = ?1", [rotated]).unwrap();
    assert_eq!(list(&site)[0]["needs"]["browsers"], 1);
    forget_the_rotations(&site);
    assert!(run(&site, &["key", "list"]).contains("needed by nothing"));

    let gateway = restart(gateway);
    gateway.wait_for_log("they were destroyed");
    assert_eq!(states(&site), ["1 destroyed", "2 current"]);
    assert!(run(&site, &["key", "list"]).contains(" 1  --------  destroyed"));
    for (path, bytes) in all_bytes(&site.data()) {
        assert!(memchr::memmem::find(&bytes, key.as_bytes()).is_none(), "{path:?}");
    }
    assert_opens(&new[0], &secret);
    assert_eq!(post(&old[0], "password=x").status, 404);
    assert_eq!(anna.get("/reply").status, 404);
    assert_eq!(get(&status).status, 200, "the sender still reads what became of it");
    assert_eq!(restart(gateway).stop(), 0);
}

#[test]
fn a_wrong_key_is_named_and_the_right_one_too() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    assert_eq!(site.start().stop(), 0);
    let file = site.data().join("master.key");
    let outside = tempfile::tempdir().unwrap();
    let (before, after) = (outside.path().join("before"), outside.path().join("after"));
    run(&site, &["backup", "--out", before.to_str().unwrap()]);
    let (first, first_name) = (fs::read(&file).unwrap(), name(&site, 1));
    run(&site, &["key", "rotate"]);
    run(&site, &["backup", "--out", after.to_str().unwrap()]);
    let (both, second_name) = (fs::read(&file).unwrap(), name(&site, 2));

    for bytes in [vec![7; 32], first.clone()] {
        fs::write(&file, &bytes).unwrap();
        for command in [&["serve"][..], &["check"], &["key", "list"], &["key", "rotate"]] {
            let (status, _, error) = site.command(command);
            assert_ne!(status, 0);
            let named = format!(
                "this is not the master key that {}/zegel.db was made with (key {second_name}, this is key ",
                site.data().display()
            );
            assert!(
                error.contains("this is not the master key")
                    && error.contains(&format!("(key {second_name}, this is key ")),
                "{command:?}: {error} {named}"
            );
        }
    }
    for damaged in
        [both[..both.len() - 9].to_vec(), b"zegel master keys\n".to_vec(), Vec::new(), vec![b'x'; 1 << 20]]
    {
        fs::write(&file, damaged).unwrap();
        let (status, _, error) = site.command(&["check"]);
        assert!(status != 0 && error.contains("not a master key"), "{error}");
    }
    fs::write(&file, &both).unwrap();
    run(&site, &["check"]);

    // A backup opens with the key that it has, and with the file of any time at which that key was in it.
    let restored = |from: &Path, key: Option<&Path>| {
        let new = Site::new(smarthost.address(), "");
        let mut arguments = vec!["restore", "--from", from.to_str().unwrap()];
        arguments.extend(key.iter().flat_map(|key| ["--key", key.to_str().unwrap()]));
        let (status, out, error) = new.command(&arguments);
        (new, status, format!("{out}{error}"))
    };
    let old = outside.path().join("old.key");
    fs::write(&old, &first).unwrap();
    for (from, key, states_then) in [
        (&before, None, vec!["1 current"]),
        (&before, Some(file.as_path()), vec!["1 current", "2 prepared"]),
        (&after, None, vec!["1 older", "2 current"]),
    ] {
        let (new, status, text) = restored(from, key);
        assert_eq!(status, 0, "{text}");
        assert_eq!(
            (states(&new), name(&new, 1)),
            (states_then.iter().map(ToString::to_string).collect(), first_name.clone())
        );
        assert_eq!(new.start().stop(), 0);
        run(&new, &["key", "rotate"]);
    }
    let (_, status, text) = restored(&after, Some(&old));
    assert!(
        status != 0 && text.contains(&format!("(key {second_name}, this is key {first_name})")),
        "{text}"
    );
}

/// The file goes away or is another while the gateway runs: all goes on, and monitoring says what is wrong.
#[test]
fn a_file_that_is_changed_under_a_gateway_is_told_before_it_is_too_late() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    let file = site.data().join("master.key");
    let right = fs::read(&file).unwrap();
    let key_check = || {
        let ready = get(&format!("http://{}/readyz.json", gateway.admin));
        let report: Value = serde_json::from_str(&ready.text()).unwrap();
        let checks = report["checks"].as_array().unwrap().clone();
        let key = checks.into_iter().find(|check| check["name"] == "key").unwrap();
        (ready.status, key["state"].as_str().unwrap().to_owned(), key["reason"].to_string())
    };
    assert_eq!(key_check().1, "ok");
    for wrong in [Some([9; 32].to_vec()), None, Some(b"zegel".to_vec())] {
        match wrong {
            Some(bytes) => fs::write(&file, bytes).unwrap(),
            None => fs::remove_file(&file).unwrap(),
        }
        let (status, _, reason) =
            wait_for("a degraded check", || Some(key_check()).filter(|(_, state, _)| state == "degraded"));
        assert!(status == 200 && reason.contains("master.key was changed"), "{reason}");
        let (links, password) = seal(&smarthost, &site, &gateway, &[RESIDENT]);
        assert_opens(&links[0], &password);
        fs::write(&file, &right).unwrap();
        fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        wait_for("a check that is well", || (key_check().1 == "ok").then_some(()));
    }
}

/// For secret managers, and for nodes that were away.
#[test]
fn keys_are_written_out_and_taken_in() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    assert_eq!(site.start().stop(), 0);
    let (file, outside) = (site.data().join("master.key"), tempfile::tempdir().unwrap());
    let (first, out) = (fs::read(&file).unwrap(), outside.path().join("new.key"));
    run(&site, &["key", "add", "--out", out.to_str().unwrap()]);
    assert_eq!(fs::read(&file).unwrap(), first, "it stays as it is");
    let (status, _, error) = site.command(&["key", "add", "--out", out.to_str().unwrap()]);
    assert!(status == 1 && error.contains("new.key"), "nothing is written over: {error}");
    run(&site, &["key", "add", "--from", out.to_str().unwrap()]);
    assert_eq!(states(&site), ["1 current", "2 prepared"]);
    let (status, _, error) = site.command(&["key", "add"]);
    assert!(status == 1 && error.contains("key 2 is prepared already"), "{error}");
    run(&site, &["key", "rotate"]);
    assert_eq!(fs::read(&file).unwrap(), fs::read(&out).unwrap());
    let other = outside.path().join("other.key");
    fs::write(&other, [7; 32]).unwrap();
    let (status, _, error) = site.command(&["key", "add", "--from", other.to_str().unwrap()]);
    assert!(status == 1 && error.contains("it is of another gateway"), "{error}");
    fs::write(&other, "no key").unwrap();
    let (status, _, error) = site.command(&["key", "add", "--from", other.to_str().unwrap()]);
    assert!(status == 1 && error.contains("this is not a master key"), "{error}");
    assert_eq!(states(&site), ["1 older", "2 current"]);
}
