//! Whether `zegel track` answers at once, whatever is asked, with a million mails behind it: beside a gateway that runs.

use std::time::Instant;

use rusqlite::Connection;

use crate::Plan;
use crate::fill;
use crate::measure::median;
use crate::peers::Zegel;
use crate::report::{Line, Section, mib};
use crate::stop;
use crate::support::gateway::Site;

const MAILS: i64 = 1_000_000;
/// Seconds.
const MOST: f64 = 1.0;

/// A year of a municipality: a few hundred senders, many recipients, most of them in a few domains.
const FILL: &str = "
    WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1)
    INSERT INTO tracking
        (tracking, item, recipient_number, time, kind, sender, sender_domain, recipient, recipient_domain, message_id, size,
         client, rule, state, attempts, changed, next_hop, tls, answer)
    SELECT printf('%012d', n), printf('%012d', n), 1, 1790000000000000 + n * 30000000, 'message',
        'medewerker' || (n % 300) || '@voorbeeld.nl', 'voorbeeld.nl',
        'burger' || (n * 7919 % 400000) || '@provider' || (n % 12) || '.example', 'provider' || (n % 12) || '.example',
        '<' || hex(randomblob(16)) || '@voorbeeld.nl>', 20000, '10.0.0.5', NULL, 'delivered', 1,
        1790000000000000 + n * 30000000, 'smarthost.voorbeeld.nl:25', 'TLSv1.3 TLS13_AES_256_GCM_SHA384 verified',
        '250 2.0.0 Ok: queued as ' || hex(randomblob(5))
    FROM n";

/// The row.
pub fn row(plan: &Plan, name: &str) -> Section {
    let site = fill::site(fill::nobody(), 0, false);
    Zegel::at(site.clone(), &[]).stop();
    fill_tracking(&site);
    let size = std::fs::metadata(site.data().join("zegel.db")).map_or(0, |file| file.len());
    let zegel = Zegel::at(site.clone(), &[]);
    let questions: [(&str, &[&str]); 7] = [
        ("one recipient", &["--to", "burger7919@provider1.example"]),
        ("a domain of 83,000", &["--to", "provider3.example"]),
        ("everybody inside", &["--from", "voorbeeld.nl"]),
        ("one sender", &["--from", "medewerker42@voorbeeld.nl"]),
        ("a Message-ID that is not there", &["--message-id", "<nergens@voorbeeld.nl>"]),
        ("an id", &["--id", "000000500000"]),
        ("since a day", &["--since", "2026-10-01", "--until", "2026-10-02"]),
    ];
    let mut lines: Vec<Line> = questions
        .into_iter()
        .map(|(what, question)| {
            let seconds: Vec<f64> = (0..plan.rounds.max(2)).map(|_| ask(&site, question)).collect();
            Line::limit(what, "s", median(&seconds), String::new(), MOST)
        })
        .collect();
    zegel.stop();
    lines.push(Line::alone("the database", "MiB", mib(size)));
    let how = format!(
        "`zegel track` from start to end, beside a running gateway, with {MAILS} mails to one recipient each; at most the 50 \
         newest are shown."
    );
    Section { name: name.into(), how, lines }
}

fn fill_tracking(site: &Site) {
    stop::if_asked();
    let db = Connection::open(site.data().join("zegel.db")).expect("the database");
    db.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000")
        .expect("a quick database");
    db.execute(FILL, [MAILS]).expect("the rows");
    db.execute_batch("PRAGMA journal_mode = WAL").expect("the journal");
}

fn ask(site: &Site, question: &[&str]) -> f64 {
    let begun = Instant::now();
    let (status, _, error) = site.command(&[&["track"], question].concat());
    assert_eq!(status, 0, "{error}");
    begun.elapsed().as_secs_f64()
}
