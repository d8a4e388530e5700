//! The audit trail of a running gateway: listed, written out, and what shows of somebody who has changed it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail so")]

mod support;

use rusqlite::Connection;
use serde_json::Value;
use support::client::submit;
use support::gateway::{Gateway, Site, wait_for};
use support::mail::tagged;
use support::smarthost::{Script, Smarthost};

const STAFF: &str = "j.jansen@voorbeeld.nl";
const RESIDENT: &str = "anna@example.org";

fn verify(site: &Site, more: &[&str]) -> (i32, Value, String) {
    let (status, out, error) = site.command(&[&["audit", "verify", "--json"], more].concat());
    (status, serde_json::from_str(&out).unwrap(), error)
}

/// A gateway with some rows in its trail, all of them in the chain; the head of that.
fn with_a_trail(site: &Site, smarthost: &Smarthost) -> (Gateway, String) {
    let gateway = site.start();
    for _ in 0..3 {
        submit(gateway.smtp, STAFF, &[RESIDENT], &tagged(STAFF, RESIDENT));
    }
    smarthost.wait(|seen| seen.taken.len() == 6);
    wait_for("an idle gateway", || gateway.is_idle().then_some(()));
    let head = wait_for("all rows in the chain", || {
        let (status, verdict, error) = verify(site, &[]);
        assert_eq!((status, error.as_str()), (0, ""));
        (verdict["unchained"] == 0 && verdict["rows"].as_u64() >= Some(6))
            .then(|| verdict["head"].as_str().unwrap().to_owned())
    });
    (gateway, head)
}

fn change(site: &Site, sql: &str) {
    let db = Connection::open(site.data().join("zegel.db")).unwrap();
    assert!(db.execute(sql, []).unwrap() > 0, "{sql}");
}

#[test]
fn what_was_changed_removed_or_cut_off_shows() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let (gateway, head) = with_a_trail(&site, &smarthost);
    assert_eq!(gateway.stop(), 0);
    let whole = std::fs::read(site.data().join("zegel.db")).unwrap();
    let last = "(SELECT max(block) FROM audit_chain)";
    let cut_rows = "DELETE FROM audit WHERE number >= 4";
    for (steps, words) in [
        (vec!["UPDATE audit SET actor = 'els@voorbeeld.nl' WHERE number = 2"], "row 2 was changed"),
        (vec!["UPDATE audit SET time = time + 1 WHERE number = 3"], "row 3 was changed"),
        (vec!["DELETE FROM audit WHERE number = 3"], "row 3 was removed"),
        (
            vec![
                "DELETE FROM audit WHERE number = 3",
                "INSERT INTO audit SELECT 3, time, action, object, result, actor, origin, organisation FROM audit WHERE number = 2",
            ],
            "row 3 was changed",
        ),
        (vec!["UPDATE audit_chain SET made = made + 1 WHERE block = 1"], "block 1 was changed"),
        (vec!["DELETE FROM audit_chain"], "was cut off"),
        (vec![&format!("DELETE FROM audit_chain WHERE block = {last}"), cut_rows], "was cut off"),
    ] {
        std::fs::write(site.data().join("zegel.db"), &whole).unwrap();
        steps.iter().for_each(|sql| change(&site, sql));
        let (status, out, error) = site.command(&["audit", "verify", "--head", &head]);
        assert_eq!(status, 1, "{steps:?}: {out}");
        assert!(out.contains(words) && error.contains("not what was written"), "{steps:?}: {out}{error}");
    }
    std::fs::write(site.data().join("zegel.db"), &whole).unwrap();
    let (status, out, _) = site.command(&["audit", "verify", "--head", &head]);
    assert!(status == 0 && out.contains(&head), "{out}");
    let (status, _, error) = site.command(&["audit", "verify", "--head", "nothing"]);
    assert!(status == 2 && error.contains("64 hexadecimal digits"), "{error}");
}

#[test]
fn rows_are_found_and_written_out() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let (gateway, _) = with_a_trail(&site, &smarthost);
    let list = |filter: &[&str]| {
        let (status, out, error) = site.command(&[&["audit", "list", "--json"], filter].concat());
        assert_eq!((status, error.as_str()), (0, ""));
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
    };
    let all = list(&[]);
    let seals = list(&["--action", "seal"]);
    assert_eq!(seals.len(), 3);
    let transfer = seals[0]["object"].as_str().unwrap();
    let of_one = list(&["--object", transfer]);
    assert!(!of_one.is_empty() && of_one.len() < all.len());
    assert!(of_one.iter().all(|row| row["object"].as_str().unwrap().starts_with(transfer)));
    assert_eq!(list(&["--person", "J.Jansen@Voorbeeld.nl", "--action", "seal"]).len(), 3);
    assert_eq!(list(&["--person", "niemand@example.org"]).len(), 0);
    assert_eq!(list(&["--until", "2001-01-01"]).len(), 0);
    assert_eq!(list(&["--since", "1h"]).len(), all.len());
    assert_eq!(list(&["--since", "2001-01-01", "--until", "2999-12-31T00:00:00Z"]).len(), all.len());
    let (_, out, _) = site.command(&["audit", "list"]);
    assert!(
        out.contains("by j.jansen@voorbeeld.nl") && out.ends_with(&format!("{} rows\n", all.len())),
        "{out}"
    );

    let file = site.data().join("trail.csv");
    let export = ["audit", "export", "--format", "csv", "--out", file.to_str().unwrap()];
    assert_eq!(site.command(&export).0, 0);
    let (status, _, error) = site.command(&export);
    assert!(status == 1 && error.contains("trail.csv"), "nothing is overwritten: {error}");
    let mut csv = csv::Reader::from_path(&file).unwrap();
    let rows: Vec<csv::StringRecord> = csv.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), all.len());
    assert!(rows.iter().zip(&all).all(|(row, json)| row[3] == *json["object"].as_str().unwrap()));
    assert_eq!(gateway.stop(), 0);
}
