//! Whether cost grows with the store: every statement of this folder is planned on a hundred thousand rows in each table, and
//! must find its own by an index. The statements are read from the sources, so that none is forgotten.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::*;
use crate::store::postgresql::{tracking, transfers};
use crate::store::tracking::Narrowest;

const MANY_ROWS: &str = include_str!("many_rows.sql");

/// Tables of a few rows, however much mail there is.
const SMALL: [&str; 6] = ["folder", "nodes", "sheets", "sheet_objects", "turns", "zegel_schema"];

/// Statements that may read a whole table.
const RARE: [(&str, &str); 19] = [
    ("blobs::DOOMED", "the first so many of whatever there is, no more than asked"),
    ("drafts::DRAFTS", "counts to a bound"),
    ("gauges::QUEUED", "a figure for monitoring, over the queue alone"),
    ("gauges::TRANSFERS", "a figure for monitoring"),
    ("gauges::PROBLEMS", "a figure for monitoring, over an index of what has a problem alone"),
    ("identity::BODIES", "after a rotation of the master key, once an hour: which mail is sealed with which"),
    ("identity::IN_USE", "after a rotation of the master key, once an hour"),
    ("identity::REMEMBERED", "after a rotation of the master key, once an hour"),
    ("identity::UNUSED", "at start: whether there is any row"),
    ("migrate::CURRENT", "at start"),
    ("migrate::FOREIGN", "at start, in the catalogue"),
    ("nodes::END_OF_SILENCE", "sessions and locks, in the catalogue"),
    ("queue::HURRY", "after the clock was set back: everything that waits"),
    ("queue::HURRY_UNREACHED", "after an outage of the next hop: everything that waits for it"),
    ("queue_admin::HELD", "an administrator looks at what is held, over an index of that alone"),
    ("queue_admin::LIST", "an administrator looks at the whole queue"),
    ("queue_admin::RETRY", "an administrator retries the whole queue"),
    (
        "transfers::PERHAPS_OF_MAILBOX",
        "an administrator looks for somebody, over indexes of what is rare alone",
    ),
    ("transfers::PAGE", "an administrator lists all transfers, a thousand at a time"),
];

/// Statements whose plan depends on how many rows they are for: with values as they have in use. The plan that counts is
/// that of the seventh time: from the sixth on PostgreSQL may take one that fits all values.
const BOUNDED: [(&str, &str); 6] = [
    ("drafts::IDLE", "1000, 100"),
    ("limits::SWEEP", "1000"),
    ("queue::CLAIM", "50000, 60000, 50, 'node1', ARRAY['o1.nl'], ARRAY[3], 10, 'o1.nl'"),
    ("queue::FREE", "ARRAY['node1']"),
    ("retention::FORGET_THREADS", "50000, 1000"),
    ("retention::SWEEP_SESSIONS", "100"),
];

#[tokio::test]
async fn every_hot_statement_uses_an_index() {
    let (_store, database) = fresh().await;
    database.sql(MANY_ROWS);
    let statements = statements();
    assert!(statements.len() > 120, "only {} statements found", statements.len());
    for (name, _) in RARE.iter().chain(&BOUNDED) {
        assert!(statements.iter().any(|(found, _)| found == name), "there is no {name} any more");
    }
    let hot = statements.iter().filter(|(name, _)| !RARE.iter().any(|(rare, _)| rare == name));
    let scans: Vec<_> = hot
        .flat_map(|(name, sql)| {
            let scans = scans(&plan(&database, name, sql));
            scans.into_iter().map(move |scan| format!("{name}: {scan}"))
        })
        .collect();
    assert!(scans.is_empty(), "mend them, or say in RARE why it does no harm:\n{}", scans.join("\n"));
}

/// Each statement with its name; those of a list have the name of the list.
fn statements() -> Vec<(String, String)> {
    let mut found = vec![
        ("transfers::TRANSFER".into(), transfers::TRANSFER.into()),
        ("transfers::PAGE".into(), transfers::PAGE.into()),
        ("transfers::NUMBERED".into(), transfers::NUMBERED.into()),
    ];
    found.extend(
        Narrowest::ALL.map(|narrowest| {
            (format!("tracking::find {narrowest:?}"), tracking::find_by(narrowest).to_owned())
        }),
    );
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/postgresql");
    for file in fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
        let Some(module) = file.file_name().and_then(|name| name.to_str()?.strip_suffix(".rs")) else {
            continue;
        };
        let source = fs::read_to_string(&file).unwrap();
        for constant in source.split("const ").skip(1) {
            let (name, value) = constant.split_once(':').unwrap_or_default();
            // What a macro puts together is about nodes and sheets, which are few, or is named above.
            if value.split('"').next().is_some_and(|before| before.contains('!')) {
                continue;
            }
            let texts = texts(value).into_iter().filter(|text| is_statement(text));
            found.extend(texts.map(|text| (format!("{module}::{name}"), text)));
        }
    }
    found
}

/// The string literals of a constant, to its semicolon.
fn texts(mut value: &str) -> Vec<String> {
    let mut texts = Vec::new();
    while let Some(start) = value.find(['"', ';']) {
        if value[start..].starts_with(';') {
            break;
        }
        let end = if value[..start].ends_with("r#") { "\"#" } else { "\"" };
        let (text, rest) = value[start + 1..].split_once(end).unwrap();
        texts.push(text.into());
        value = rest;
    }
    texts
}

fn is_statement(text: &str) -> bool {
    let verbs = ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH ", "(SELECT "];
    verbs.iter().any(|verb| text.trim_start().starts_with(verb))
}

/// The plan that serves all values, or the one that a bounded statement comes to have.
fn plan(database: &TestDatabase, name: &str, sql: &str) -> Value {
    let prepared = format!("PREPARE statement AS {sql};");
    let explained = |values: &str| format!("EXPLAIN (FORMAT JSON) EXECUTE statement{values};");
    let plans = match BOUNDED.iter().find(|(bounded, _)| *bounded == name) {
        Some((_, values)) => {
            database.sql(&format!("{prepared}{}", explained(&format!("({values})")).repeat(7)))
        }
        None => {
            let count = (1..=40).rev().find(|number| sql.contains(&format!("${number}"))).unwrap_or(0);
            let values =
                if count > 0 { format!("({})", vec!["NULL"; count].join(",")) } else { String::new() };
            database
                .sql(&format!("SET plan_cache_mode = force_generic_plan;{prepared}{}", explained(&values)))
        }
    };
    let last = serde_json::Deserializer::from_str(&plans).into_iter::<Value>().last().unwrap().unwrap();
    last[0]["Plan"].clone()
}

/// What goes through the rows of a table that grows, or through all of an index.
fn scans(plan: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let (node, table) = (plan["Node Type"].as_str().unwrap(), plan["Relation Name"].as_str());
    if node == "Seq Scan" && table.is_none_or(|table| !SMALL.contains(&table)) {
        found.push(format!("{node} of {}", table.unwrap_or("?")));
    }
    if node.contains("Index") && plan["Index Cond"].is_null() {
        found.push(format!("{node} without a condition: {}", plan["Index Name"]));
    }
    // The first so many of an index are no more than that.
    let bounds_its_input = node == "Limit";
    let below = plan["Plans"].as_array().into_iter().flatten().flat_map(scans);
    found.extend(below.filter(|scan| !bounds_its_input || !scan.contains("without a condition")));
    found
}
