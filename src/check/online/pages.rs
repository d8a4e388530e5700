//! The pages as residents reach them: by the name in their links, over TLS that browsers believe, without detours, and this
//! gateway is what answers. The answer's `Date` tells whether the clock here is right.

use std::net::IpAddr;

use super::clock;
use super::http::{Answer, Target, get};
use crate::check::Findings;
use crate::clock::Clock;
use crate::settings::Settings;

const KEY: &str = "web.public_url";
/// Every zegel has this page, and no other site has it so.
const PATH: &str = "/.well-known/security.txt";

/// Tells whether an answer told the time.
pub async fn look(
    settings: &Settings,
    addresses: Option<Vec<IpAddr>>,
    found: &mut Findings,
    seen: &mut Vec<String>,
) -> bool {
    let url = settings.operator().public_url.as_str();
    let Some(mut target) = Target::of(url, PATH) else { return false };
    let mut tells_time = false;
    target.addresses = addresses;
    let asked = Clock::system().now();
    match get(&target).await {
        Err(reason) => {
            let remedy = "residents cannot open a link: look at DNS, firewall, reverse proxy and certificate";
            found.error(KEY, format!("{KEY}: {url}, from this machine: {reason}"), remedy);
        }
        Ok(answer) => {
            judge(url, &answer, found, seen);
            if let Some(there) = answer.header("date").and_then(clock::http_date) {
                let (whose, now) = (format!("that of {url} (the Date of its answer)"), Clock::system().now());
                clock::compare(&whose, there, asked, now, found, seen);
                tells_time = true;
            }
        }
    }
    if target.is_https {
        plain(url, Target { is_https: false, port: 80, path: "/", ..target }, found).await;
    }
    tells_time
}

fn judge(url: &str, answer: &Answer, found: &mut Findings, seen: &mut Vec<String>) {
    let is_ours = answer.body.contains(&format!("Canonical: {url}{PATH}"));
    match (answer.status, is_ours) {
        (200, true) => seen.push(format!("{url} leads to a zegel that calls itself so")),
        (200, false) => {
            let remedy =
                "let the reverse proxy pass all paths to web.listen, with the Host that the browser sent";
            found.error(
                KEY,
                format!("{KEY}: at {url} something else answers than a zegel of this name"),
                remedy,
            );
        }
        (300..=399, _) => {
            let to = answer.header("location").unwrap_or("nowhere");
            let reason = format!("{KEY}: {url} sends visitors on to {}", printable(to));
            found.error(KEY, reason, "write the address that they end at, or take the redirect away");
        }
        (421, _) => {
            let reason = format!("{KEY}: the gateway behind {url} goes by another web.public_url (421)");
            found.error(KEY, reason, "let the reverse proxy pass on the Host that the browser sent");
        }
        (502..=504, _) => {
            let reason = format!("{KEY}: the proxy at {url} does not reach the gateway ({})", answer.status);
            found.error(KEY, reason, "start the gateway, and let the proxy pass requests to web.listen");
        }
        (status, _) => {
            let remedy = "let the reverse proxy pass all paths to web.listen";
            found.error(KEY, format!("{KEY}: {url} answers with status {status}"), remedy);
        }
    }
    if url.starts_with("https://") && answer.header("strict-transport-security").is_none() && is_ours {
        let reason = format!(
            "{KEY}: {url} sends no Strict-Transport-Security: a first visit by http:// can be led elsewhere"
        );
        found.note(KEY, reason, "let the reverse proxy add: Strict-Transport-Security: max-age=31536000");
    }
}

fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// Who types the name gets there by http://, and must not find something else.
async fn plain(url: &str, target: Target<'_>, found: &mut Findings) {
    let host = target.host;
    let Ok(answer) = get(&target).await else { return };
    let leads_here = answer.header("location").is_some_and(|to| to.starts_with("https://"));
    if !leads_here {
        let reason =
            format!("{KEY}: http://{host} answers with status {} and does not lead to {url}", answer.status);
        found.warning(KEY, reason, "redirect http:// to https:// at the reverse proxy, or close port 80");
    }
}
