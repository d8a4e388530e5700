//! The gateway as a service: what its supervisor and its administrator hear of it while it runs.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail so")]

mod support;

use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use support::gateway::{Gateway, PATIENCE, Site, free_port, zegel};

/// A site whose next hop is down.
fn site() -> Site {
    Site::new(SocketAddr::from(([127, 0, 0, 1], free_port())), "")
}

/// What the pages call the organisation.
fn name_on(gateway: &Gateway, name: &str) -> bool {
    let page = ureq::get(format!("http://{}/", gateway.web)).call().unwrap().body_mut().read_to_string();
    page.unwrap().contains(name)
}

fn rewrite(site: &Site, from: &str, to: &str) {
    let text = std::fs::read_to_string(site.config()).unwrap();
    assert!(text.contains(from), "{from} in {text}");
    std::fs::write(site.config(), text.replace(from, to)).unwrap();
}

#[test]
fn reload_returns_when_the_new_configuration_is_in_force() {
    let site = site();
    let (status, _, error) = site.command(&["reload"]);
    assert_eq!(status, 1, "{error}");
    assert!(error.contains("no gateway runs with this data folder"), "{error}");

    let gateway = site.start();
    for name in ["Gemeente Een", "Gemeente Twee", "Gemeente Drie"] {
        let text = std::fs::read_to_string(site.config()).unwrap();
        let (before, after) = text.split_once("\nname = ").unwrap();
        let (_, after) = after.split_once('\n').unwrap();
        std::fs::write(site.config(), format!("{before}\nname = \"{name}\"\n{after}")).unwrap();
        assert_eq!(site.command(&["reload"]), (0, String::new(), String::new()));
        assert!(name_on(&gateway, name), "{name}: reload was over before it was in force");
    }
    assert!(site.data().join("control").metadata().unwrap().file_type().is_socket());
    assert_eq!(gateway.stop(), 0);
    assert!(!site.data().join("control").exists());
    assert_eq!(site.command(&["reload"]).0, 1);
}

/// By the command itself, and by the gateway that knows what cannot change while it runs.
#[test]
fn a_refused_reload_fails_with_its_reason_and_changes_nothing() {
    let site = site();
    let gateway = site.start();
    let config = std::fs::read_to_string(site.config()).unwrap();
    for (from, to, reason) in [
        ("[smtp]", "[smtp]\nmax_recipient = 5", "did you mean smtp.max_recipients?"),
        ("[smtp]", "[policy]\nfiles = [\"none.toml\"]\n[smtp]", "none.toml"),
        ("hostname = \"veilig", "hostname = \"anders", "hostname cannot change"),
    ] {
        std::fs::write(site.config(), config.replace("Voorbeeld", "Anders").replace(from, to)).unwrap();
        let (status, _, error) = site.command(&["reload"]);
        assert_eq!(status, 2, "{to}: {error}");
        assert!(error.contains(reason), "{to}: {error}");
        assert!(name_on(&gateway, "Gemeente Voorbeeld"), "{to}");
    }
    // The gateway that refused says so in its log as well.
    gateway.wait_for_log("the old one stays");
    std::fs::write(site.config(), config.replace("Voorbeeld", "Anders")).unwrap();
    assert_eq!(site.command(&["reload"]).0, 0);
    assert!(name_on(&gateway, "Gemeente Anders"));
}

/// A gateway that was killed leaves its socket behind.
#[test]
fn reload_works_after_a_crash_too() {
    let site = site();
    site.start().kill();
    assert_eq!(site.command(&["reload"]).0, 1, "nobody listens on what is left");
    let _gateway = site.start();
    assert_eq!(site.command(&["reload"]).0, 0);
}

/// What systemd has been told, line by line, until a line begins with `end`.
fn told(socket: &UnixDatagram, end: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    while !lines.iter().any(|line| line.starts_with(end)) {
        let mut message = [0; 4096];
        let length = socket.recv(&mut message).unwrap();
        lines.extend(String::from_utf8_lossy(&message[..length]).lines().map(str::to_owned));
    }
    lines
}

#[test]
fn systemd_is_told_of_start_reload_refusal_and_stop() {
    let site = site();
    let folder = tempfile::tempdir().unwrap();
    let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = zegel();
    command.env("NOTIFY_SOCKET", folder.path().join("notify"));
    let gateway = site.start_as(command);
    assert_eq!(told(&socket, "READY"), ["READY=1"]);

    assert_eq!(site.command(&["reload"]).0, 0);
    let lines = told(&socket, "STATUS");
    assert_eq!(lines[0], "RELOADING=1");
    assert!(lines[1].starts_with("MONOTONIC_USEC="), "{lines:?}");
    assert_eq!(lines[2..], ["READY=1", "STATUS="]);

    // The error of a TOML file has several lines; each would be another assignment.
    rewrite(&site, "[smtp]", "[smtp\nMAINPID=1");
    gateway.reload();
    let lines = told(&socket, "STATUS");
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert_eq!(lines[2], "READY=1", "it goes on");
    assert!(lines[3].starts_with("STATUS=the configuration on disk is refused, an older one is in force: "));
    assert!(lines[3].contains("zegel.toml"), "{lines:?}");
    assert_eq!(gateway.stop(), 0);
    assert_eq!(told(&socket, "STOPPING"), ["STOPPING=1"]);
}

/// A supervisor that hears nothing for so long kills: reloads, however many, must not put it off.
#[test]
fn reloads_do_not_keep_the_watchdog_waiting() {
    let site = site();
    let folder = tempfile::tempdir().unwrap();
    let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = zegel();
    command.env("NOTIFY_SOCKET", folder.path().join("notify")).env("WATCHDOG_USEC", "3000000");
    let _gateway = site.start_as(command);
    told(&socket, "WATCHDOG");
    socket.set_nonblocking(true).unwrap();
    // Every reload comes before a third of the time is over.
    let begun = std::time::Instant::now();
    let mut beats = 0;
    while begun.elapsed() < Duration::from_secs(4) {
        assert_eq!(site.command(&["reload"]).0, 0);
        let mut message = [0; 4096];
        while let Ok(length) = socket.recv(&mut message) {
            beats += usize::from(message[..length].starts_with(b"WATCHDOG=1"));
        }
    }
    assert!(beats >= 2, "{beats} signs of life in four seconds");
}

#[test]
fn health_says_what_readyz_says() {
    let site = site();
    let [_, _, admin] = site.listen_at_fixed_ports();
    let (status, _, error) = site.command(&["health"]);
    assert_eq!(status, 1, "{error}");
    assert!(error.contains(&format!("does not answer on {admin}")), "{error}");

    let gateway = site.start();
    let (status, out, error) = site.command(&["health"]);
    assert_eq!((status, out.lines().next(), error.as_str()), (0, Some("ok"), ""));
    assert_eq!(site.command(&["health", "--live"]), (0, "ok\n".to_owned(), String::new()));

    // Without its database the gateway lives and is not ready.
    let database = rusqlite::Connection::open(site.data().join("zegel.db")).unwrap();
    database.execute_batch("ALTER TABLE items RENAME TO items_gone").unwrap();
    let (status, _, error) = site.command(&["health"]);
    assert_eq!(status, 1, "{error}");
    assert!(error.contains("does not answer"), "{error}");
    assert_eq!(site.command(&["health", "--live"]).0, 0);
    drop(gateway);
}
