//! zegel beside others: every number that is promised, measured in one run on one machine and given as a ratio.
//!
//! `./run bench [ROW...]` installs the peers and runs this; docs/contributing.md tells how to use it. Only
//! loopback, only processes that it started itself, bounded in count and time. The results go into
//! docs/performance.md. What is missed is shown as missed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a measurement that fails must stop"
)]

#[path = "../../tests/support/mod.rs"]
mod support;

mod alike;
#[cfg(feature = "cluster")]
mod cluster;
mod download;
mod fill;
mod load;
mod measure;
mod memory;
mod million;
mod nginx;
mod ordinary;
mod organisations;
mod pages;
mod party;
mod peers;
mod report;
mod sealed;
mod sink;
mod start;
mod stop;
mod track;
mod transfer;
mod upload;

use report::Section;

/// How thoroughly to measure.
pub struct Plan {
    /// Seconds of each measurement, about.
    pub seconds: f64,
    /// How often each is repeated, in turn with the others.
    pub rounds: usize,
    /// Only with so many sessions; from `row@sessions`.
    only: Option<u64>,
}

impl Plan {
    /// The numbers of sessions to measure with.
    pub fn sessions(&self, all: &[u64]) -> Vec<u64> {
        self.only.map_or_else(|| all.to_vec(), |only| vec![only])
    }
}

type Row = (&'static str, fn(&Plan, &str) -> Section);

/// Every row, in the order of the report.
const ROWS: &[Row] = &[
    ("ordinary-1k", |plan, name| ordinary::row(plan, name, 1 << 10, false)),
    ("ordinary-10k", |plan, name| ordinary::row(plan, name, 10 << 10, false)),
    ("ordinary-1k-kept", |plan, name| ordinary::row(plan, name, 1 << 10, true)),
    ("ordinary-10k-kept", |plan, name| ordinary::row(plan, name, 10 << 10, true)),
    ("ordinary-100k", |plan, name| ordinary::row(plan, name, 100 << 10, false)),
    ("ordinary-10m", |plan, name| ordinary::row(plan, name, 10 << 20, false)),
    ("sealed", |plan, name| sealed::row(plan, name, 10 << 10, 10)),
    ("sealed-10m", |plan, name| sealed::row(plan, name, 10 << 20, 4)),
    ("download", download::row),
    ("upload", upload::row),
    ("pages", pages::row),
    ("alike", alike::row),
    ("memory", memory::row),
    ("start", start::row),
    ("million", million::row),
    ("track", track::row),
    ("organisations", organisations::row),
    #[cfg(feature = "cluster")]
    ("cluster", cluster::row),
];

fn main() {
    stop::listen();
    // Cargo adds `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let asked: Vec<&str> =
        arguments.iter().map(String::as_str).filter(|argument| *argument != "--quick").collect();
    let names: Vec<&str> = ROWS.iter().map(|(name, _)| *name).collect();
    let wanted = if asked.is_empty() { names.clone() } else { asked };
    let plan = |only| {
        if quick { Plan { seconds: 1.0, rounds: 1, only } } else { Plan { seconds: 3.0, rounds: 3, only } }
    };

    let mut sections = Vec::new();
    let mut partly = false;
    println!("{}\nCPU time: {}", report::machine(), measure::Group::method());
    for word in wanted {
        let (name, only) = word.split_once('@').map_or((word, None), |(name, only)| (name, Some(only)));
        let Some((_, row)) = ROWS.iter().find(|(known, _)| *known == name) else {
            eprintln!("no row {name}; there are: {}", names.join(" "));
            std::process::exit(2);
        };
        let only = only.map(|only| only.parse().expect("a number of sessions behind the @"));
        partly |= only.is_some();
        let section = row(&plan(only), name);
        section.print();
        sections.push(section);
    }
    if quick || partly {
        println!("\nnot written to docs/performance.md: a quick or partial run");
    } else {
        let command = ["./run bench"].into_iter().chain(arguments.iter().map(String::as_str));
        report::write(&sections, &names, &command.collect::<Vec<_>>().join(" "));
    }
}
