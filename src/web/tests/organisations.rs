//! Nothing crosses: whatever is asked of one organisation's link, session or status page on another's host is answered exactly
//! as it is for one that never was. Every route there is has its row.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::{Answer, Sealed, Site};
use crate::config::PasswordMode;
use crate::id::{TransferId, UploadId};
use crate::settings::testing;
use crate::transfer::action::{self, Purpose};
use crate::transfer::link;

const OTHER: &str = "
    [[organisation]]
    name = \"Gemeente Zuiderveen\"
    domains = [\"zuiderveen.nl\"]
    hostname = \"veilig.zuiderveen.nl\"
    public_url = \"https://veilig.zuiderveen.nl\"";

/// What follows `/t/{token}` or `/s/{token}` in each route that a token is in, as the router has it.
const OF_TOKENS: [&str; 29] = [
    "/t/{token}",
    "/t/{token}/ask",
    "/t/{token}/files",
    "/t/{token}/files/{number}",
    "/t/{token}/files/{number}/preview",
    "/t/{token}/files/{number}/view",
    "/t/{token}/finish",
    "/t/{token}/message",
    "/t/{token}/message.eml",
    "/t/{token}/reply",
    "/t/{token}/reply/check",
    "/t/{token}/reply/code",
    "/t/{token}/reply/files",
    "/t/{token}/reply/files/{id}",
    "/t/{token}/reply/message",
    "/t/{token}/reply/other",
    "/t/{token}/reply/preview",
    "/t/{token}/reply/resume",
    "/t/{token}/reply/sent",
    "/t/{token}/reply/strength",
    "/t/{token}/stay",
    "/t/{token}/zip",
    "/s/{token}",
    "/s/{token}/proof",
    "/s/{token}/proof.json",
    "/s/{token}/status.json",
    "/s/{token}/{action}",
    "/s/{token}/{action}/{number}",
    // Not in the router: what mail programs make of a link, and what people type.
    "/?transfer={token}",
];
/// The same for every organisation, or for the administrator.
const OF_NOBODY: [&str; 12] = [
    "/",
    "/.well-known/security.txt",
    "/accessibility",
    "/assets/{name}",
    "/favicon.ico",
    "/healthz",
    "/help",
    "/metrics",
    "/privacy",
    "/readyz",
    "/readyz.json",
    "/robots.txt",
];
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"];

/// The paths of all routes in the source of the pages.
fn routes(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("tests") {
            routes(&path, found);
        } else if path.is_file() {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap().to_owned();
            found.extend(
                code.split(".route(\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()),
            );
        }
    }
}

#[test]
fn every_route_has_its_row() {
    let mut found = Vec::new();
    routes(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web"), &mut found);
    let mut rows: Vec<_> = OF_TOKENS.iter().filter(|row| !row.contains('?')).chain(&OF_NOBODY).collect();
    rows.sort_unstable();
    found.sort_unstable();
    assert_eq!(found.iter().collect::<Vec<_>>(), rows, "a route without a row, or a row without a route");
}

/// Two organisations; the transfer is the first one's.
fn two() -> (Site, Sealed) {
    let site = Site::start();
    site.settings.change_all(|settings| *settings = testing::settings(OTHER));
    let sealed = site.seal();
    (site, sealed)
}

/// A request on a host, with a session and what downloads and uploads say.
fn ask(site: &Site, method: &str, path: &str, host: &str, cookie: &str) -> Answer {
    let fields = [
        ("Host", host),
        ("Cookie", cookie),
        ("Range", "bytes=0-3"),
        ("Tus-Resumable", "1.0.0"),
        ("Upload-Offset", "0"),
    ];
    let form = if method == "POST" { "password=fout" } else { "" };
    site.send(&format!("{method} {path}"), &fields, form)
}

/// All of an answer but the clock, with the token left out.
fn shape(answer: &Answer, token: &str) -> (u16, Vec<(String, String)>, String) {
    let without = |text: &str| text.replace(token, "TOKEN");
    let fields = answer.fields.iter().filter(|(name, _)| name != "date");
    let mut fields: Vec<_> = fields.map(|(name, value)| (name.clone(), without(value))).collect();
    fields.sort();
    (answer.status, fields, without(&String::from_utf8_lossy(&answer.body)))
}

/// `row` with everything but the token filled in, in each way there is.
fn paths(row: &str) -> Vec<String> {
    let actions =
        if row.contains("{action}") { &["recall", "extend", "resend", "unlock"][..] } else { &[""] };
    let upload = UploadId::random();
    let of = |action: &&str| {
        row.replace("{action}", action).replace("{number}", "1").replace("{id}", upload.as_str())
    };
    actions.iter().map(of).collect()
}

/// Each route, each method, opened or expired: on the other host it is as if the link had never been.
#[test]
fn on_anothers_host_a_link_never_was() {
    let (site, sealed) = two();
    let token = &sealed.tokens[0];
    let (parsed, _) = link::parse(&site.keys.link, token).unwrap();
    let status = action::token(&site.keys.action, Purpose::Status, &parsed.transfer).reveal().to_owned();
    let cookie = site.open(token, &sealed.password);
    // As long as ours, and none of ours.
    let never = format!("{}{}", &token[..13], "0".repeat(token.len() - 13));
    let no_status = format!("{}{}", TransferId::random(), "0".repeat(status.len() - TransferId::LENGTH));
    let before = site.count("SELECT count(*) FROM audit");
    let mut cells = 0;
    for days in [0, 40] {
        site.clock.advance(Duration::from_hours(24 * days));
        for row in OF_TOKENS {
            let (own, other) = if row.starts_with("/s/") { (&status, &no_status) } else { (token, &never) };
            for (path, method) in paths(row).iter().flat_map(|path| METHODS.map(|method| (path, method))) {
                for around in ["", ").", "?utm_source=x", "/%20verder"] {
                    if !around.is_empty() && (method != "GET" || row.contains('?')) {
                        continue;
                    }
                    let path = format!("{path}{around}");
                    let on = |token: &str| {
                        let path = path.replace("{token}", token);
                        shape(&ask(&site, method, &path, "veilig.zuiderveen.nl", &cookie), token)
                    };
                    assert_eq!(on(own), on(other), "{method} {path} after {days} days");
                    cells += 1;
                }
            }
        }
    }
    assert_eq!(site.count("SELECT count(*) FROM audit"), before, "nobody was told");
    assert_eq!(site.count("SELECT max(tries) FROM transfer_recipients"), 0);
    assert!(cells > 500, "{cells}");
}

/// That the rows above can fail: on its own host everything is there.
#[test]
fn on_its_own_host_it_is_there() {
    let (site, sealed) = two();
    let token = &sealed.tokens[0];
    let cookie = site.open(token, &sealed.password);
    for (row, status) in [("", 200), ("/files", 200), ("/files/1", 200), ("/zip", 200), ("/reply", 200)] {
        let path = format!("/t/{token}{row}");
        let answer =
            site.send(&format!("GET {path}"), &[("Host", "veilig.voorbeeld.nl"), ("Cookie", &cookie)], "");
        assert_eq!(answer.status, status, "{path}");
        let foreign =
            site.send(&format!("GET {path}"), &[("Host", "veilig.zuiderveen.nl"), ("Cookie", &cookie)], "");
        assert_eq!(foreign.status, 404, "{path}");
    }
    let lead = |host: &str| site.send(&format!("GET /t/{token})."), &[("Host", host)], "").status;
    assert_eq!((lead("veilig.voorbeeld.nl"), lead("veilig.zuiderveen.nl")), (303, 404));
}

/// What names no organisation is the operator's; what names one that is gone is nobody's, on any host.
#[test]
fn a_row_is_found_by_what_it_names_today() {
    let (site, sealed) = two();
    let token = &sealed.tokens[0];
    let look = |host: &str| site.send(&format!("GET /t/{token}"), &[("Host", host)], "").status;
    let set = |value: &str| {
        site.database().execute("UPDATE transfers SET organisation = nullif(?1, '')", [value]).unwrap();
        (look("veilig.voorbeeld.nl"), look("veilig.zuiderveen.nl"))
    };
    assert_eq!(set(""), (200, 404));
    assert_eq!(set("zuiderveen.nl"), (404, 200));
    assert_eq!(set("opgeheven.nl"), (404, 404));
    let own = site.seal_with(PasswordMode::None, |_| {});
    assert_eq!(
        site.send(&format!("GET /t/{}", own.tokens[0]), &[("Host", "veilig.voorbeeld.nl")], "").status,
        200
    );
}
