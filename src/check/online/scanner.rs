//! The virus scanner: whether it answers, and finds the one virus that is made to be found.

use crate::check::Findings;
use crate::clock::{Clock, Timestamp};
use crate::config::Scanner;
use crate::reply::scanner::{ScanError, ScanVerdict, probe};
use crate::settings::Settings;

const KEY: &str = "reply.scanner";
/// Days after which signatures are old: there are new ones every day.
const OLD: i64 = 7;

pub async fn look(settings: &Settings, found: &mut Findings, seen: &mut Vec<String>) {
    let Some(scanner) = &settings.operator().reply.scanner else {
        let reason = "reply.scanner is not set: files of answers reach staff unscanned";
        return found.note(KEY, reason, "install clamav-daemon, and set it to /run/clamav/clamd.ctl");
    };
    let shown = match scanner {
        Scanner::Network(address) => address.clone(),
        Scanner::Socket(path) => path.display().to_string(),
    };
    match probe(scanner, eicar()).await {
        Ok((version, ScanVerdict::Found(name))) => {
            seen.push(format!("{shown} is {version}; it finds the test virus ({name})"));
            age(&version, &shown, found);
        }
        Ok((version, _)) => {
            let reason = format!("{KEY}: {shown} ({version}) does not find the test virus of EICAR");
            found.error(KEY, reason, "look whether freshclam has fetched signatures");
        }
        Err(ScanError::Scanner(error) | ScanError::File(error)) => {
            let reason = format!("{KEY}: {shown}: {error}: no file of an answer is taken");
            found.error(KEY, reason, "start clamav-daemon, and let the user of the gateway reach its socket");
        }
    }
}

/// `ClamAV 1.0.7/27483/Mon Nov 30 08:35:01 2026`
fn age(version: &str, shown: &str, found: &mut Findings) {
    let Some(made) = version.splitn(3, '/').nth(2).and_then(signed) else { return };
    let days = (Clock::system().now().as_second() - made.as_second()) / 86_400;
    if days > OLD {
        let reason = format!("{KEY}: the signatures of {shown} are {days} days old");
        found.warning(KEY, reason, "look whether freshclam runs and may reach its mirrors");
    }
}

fn signed(text: &str) -> Option<Timestamp> {
    let time = jiff::civil::DateTime::strptime("%a %b %e %H:%M:%S %Y", text.trim()).ok()?;
    jiff::tz::TimeZone::UTC.to_timestamp(time).ok()
}

/// The test file of EICAR, written backwards: no scanner shall take this program for it.
fn eicar() -> Vec<u8> {
    r"*H+H$!ELIF-TSET-SURIVITNA-DRADNATS-RACIE$}7)CC7)^P(45XZP\4[PA@%P!O5X".bytes().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_of_signatures_is_read() {
        let made = signed("Mon Nov  2 08:35:01 2026").map(|made| made.to_string());
        assert_eq!(made.as_deref(), Some("2026-11-02T08:35:01Z"));
        assert_eq!(signed("yesterday"), None);
    }
}
