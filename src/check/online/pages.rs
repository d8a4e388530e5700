//! The pages as residents reach them: by the name in their links, over TLS that browsers believe, without detours, and this
//! gateway is what answers. The answer's `Date` tells whether the clock here is right.

use std::net::IpAddr;

use super::http::{Answer, Target, get};
use crate::check::Findings;
use crate::clock::{Clock, Timestamp};
use crate::settings::Settings;

const KEY: &str = "web.public_url";
/// Seconds that clocks may differ: answers travel, and `Date` has no fractions.
const SKEW: i64 = 5;
/// Every zegel has this page, and no other site has it so.
const PATH: &str = "/.well-known/security.txt";

pub async fn look(
    settings: &Settings,
    addresses: Option<Vec<IpAddr>>,
    found: &mut Findings,
    seen: &mut Vec<String>,
) {
    let url = settings.operator().public_url.as_str();
    let Some(mut target) = Target::of(url, PATH) else { return };
    target.addresses = addresses;
    let asked = Clock::system().now();
    match get(&target).await {
        Err(reason) => {
            let remedy = "residents cannot open a link: look at DNS, firewall, reverse proxy and certificate";
            found.error(KEY, format!("{KEY}: {url}, from this machine: {reason}"), remedy);
        }
        Ok(answer) => {
            judge(url, &answer, found, seen);
            clock(url, &answer, asked, found);
        }
    }
    if target.is_https {
        plain(url, Target { is_https: false, port: 80, path: "/", ..target }, found).await;
    }
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

fn clock(url: &str, answer: &Answer, asked: Timestamp, found: &mut Findings) {
    let Some(there) = answer.header("date").and_then(http_date) else { return };
    let here = Clock::system().now();
    let ahead = asked.as_second() - there.as_second();
    let behind = there.as_second() - here.as_second();
    if ahead > SKEW || behind > SKEW {
        let (seconds, way) = if ahead > SKEW { (ahead, "ahead of") } else { (behind, "behind") };
        let reason = format!("hostname: the clock of this machine is {seconds} s {way} that of {url}");
        found.warning("hostname", reason, "let chrony or systemd-timesyncd set the clock (`timedatectl`)");
    }
}

/// RFC 9110 5.6.7
pub fn http_date(text: &str) -> Option<Timestamp> {
    let time = jiff::civil::DateTime::strptime("%a, %d %b %Y %H:%M:%S GMT", text).ok()?;
    jiff::tz::TimeZone::UTC.to_timestamp(time).ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_http_are_read() {
        let read = http_date("Sun, 06 Nov 1994 08:49:37 GMT").map(|time| time.to_string());
        assert_eq!(read.as_deref(), Some("1994-11-06T08:49:37Z"));
        assert_eq!(http_date("yesterday"), None);
    }
}
