//! What docs/architecture.md and docs/contributing.md say of the code and of themselves: the order of the modules, what
//! belongs into one place only, and that every reference leads somewhere.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail so")]

#[path = "support/source.rs"]
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use source::{Library, files_below};

static LIBRARY: LazyLock<Library> = LazyLock::new(Library::read);

#[test]
fn a_module_uses_only_those_below_it() {
    let library = &*LIBRARY;
    let rank = |file: &str| {
        let top = file.split(['/', '.']).next().unwrap();
        library.order.iter().position(|module| module == top)
    };
    let mut upwards = Vec::new();
    for (file, uses) in library.uses() {
        for used in uses {
            if let (Some(own), Some(other)) = (rank(file), rank(used))
                && other < own
            {
                upwards.push(format!("{file} uses {used}"));
            }
        }
    }
    none(upwards, "stands above it in src/lib.rs");
}

/// A folder's `mod.rs` is left out: it is what the files of the folder have in common, and names each of them.
#[test]
fn files_do_not_use_each_other_in_circles() {
    let library = &*LIBRARY;
    let modules: BTreeMap<&str, &[String]> =
        library.files.iter().map(|file| (file.name.as_str(), file.module.as_slice())).collect();
    let mut uses = library.uses();
    for (file, used) in &mut uses {
        used.retain(|other| {
            !modules[file].starts_with(modules[other]) && !modules[other].starts_with(modules[file])
        });
    }
    let reach: BTreeMap<&str, BTreeSet<&str>> =
        uses.keys().map(|file| (*file, reachable(file, &uses))).collect();
    let circles: BTreeSet<BTreeSet<&str>> = reach
        .iter()
        .map(|(file, reached)| reached.iter().filter(|other| reach[*other].contains(file)).copied().collect())
        .filter(|circle: &BTreeSet<&str>| !circle.is_empty())
        .collect();
    none(circles.iter().map(|circle| format!("{circle:?}")).collect(), "use each other in a circle");
}

/// What `file` uses, directly or through others.
fn reachable<'a>(file: &str, uses: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&str> = uses[file].iter().copied().collect();
    while let Some(other) = next.pop() {
        if reached.insert(other) {
            next.extend(&uses[other]);
        }
    }
    reached
}

#[test]
fn what_has_one_place_is_nowhere_else() {
    let library = &*LIBRARY;
    let only = |place: &str, names: &[&str]| {
        let elsewhere = library.files.iter().filter(|file| {
            let is_named = file.paths.iter().flatten().any(|name| names.contains(&name.as_str()));
            is_named && !file.name.starts_with(place)
        });
        none(
            elsewhere.map(|file| format!("{} names {names:?}", file.name)).collect(),
            "only in src/".to_owned() + place,
        );
    };
    only("store/sqlite/", &["rusqlite"]);
    only("store/postgresql/", &["tokio_postgres", "deadpool_postgres"]);
    only("web/http/", &["StatusCode"]);
    only("seal/", &["sequoia_openpgp"]);
}

#[test]
fn sql_is_only_in_the_store() {
    let library = &*LIBRARY;
    let is_sql = |text: &String| {
        ["SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM "].iter().any(|sql| text.contains(sql))
    };
    // The last looks at what was moved from one into the other.
    let stores = ["store/sqlite/", "store/postgresql/", "moving/tests.rs"];
    let elsewhere = library
        .files
        .iter()
        .filter(|file| !stores.iter().any(|store| file.name.starts_with(store)))
        .filter(|file| file.literals.iter().any(is_sql));
    none(
        elsewhere.map(|file| file.name.clone()).collect(),
        "only in src/store/sqlite and src/store/postgresql",
    );
}

#[test]
fn only_the_clock_asks_for_the_time() {
    let library = &*LIBRARY;
    let asks = |path: &[String]| {
        let [.., kind, function] = path else { return false };
        function == "now" && ["SystemTime", "Timestamp", "ZonedDateTime"].contains(&kind.as_str())
    };
    let asking = library
        .files
        .iter()
        .filter(|file| file.name != "clock.rs" && file.paths.iter().any(|path| asks(path)));
    none(asking.map(|file| file.name.clone()).collect(), "asks the system for the time");
}

/// Fields and functions may go without a comment where their names and types say it all; types may not.
#[test]
fn public_types_say_what_they_are() {
    let mut silent = Vec::new();
    for file in &LIBRARY.files {
        let text = fs::read_to_string(root().join("src").join(&file.name)).unwrap();
        let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
        for (at, line) in lines.iter().enumerate() {
            let is_type =
                ["pub struct ", "pub enum ", "pub trait "].iter().any(|start| line.starts_with(start));
            let above = lines[..at].iter().rev().find(|line| !line.starts_with("#["));
            // A macro's types have their comments where it is used.
            if is_type && !line.contains('$') && !above.is_some_and(|line| line.starts_with("///")) {
                silent.push(format!("{}: {line}", file.name));
            }
        }
    }
    none(silent, "has no comment");
}

/// Comments cite a statement of docs/security.md by its id.
#[test]
fn every_id_of_a_statement_is_defined() {
    let statements = fs::read_to_string(root().join("docs/security.md")).unwrap();
    let defined: BTreeSet<&str> =
        statements.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next()).collect();
    let is_id = |word: &str| {
        word.len() == 3
            && word.starts_with(['C', 'H', 'M'])
            && word[1..].bytes().all(|digit| digit.is_ascii_digit())
    };
    let mut unknown = Vec::new();
    for folder in ["src", "tests", "benches", "fuzz"] {
        for path in files_below(&root().join(folder), "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let words = text.split(|c: char| !c.is_ascii_alphanumeric());
            let ids = words.filter(|word| is_id(word) && !defined.contains(word));
            unknown.extend(ids.map(|id| format!("{}: {id}", path.display())));
        }
    }
    none(unknown, "is no statement of docs/security.md");
}

#[test]
fn every_link_of_the_documentation_leads_somewhere() {
    let mut broken = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for target in links(&text) {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let there = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            let is_there = there.exists()
                && (anchor.is_empty() || anchors(&fs::read_to_string(&there).unwrap()).contains(anchor));
            if !is_there {
                broken.push(format!("{}: {target}", page.display()));
            }
        }
    }
    none(broken, "leads nowhere");
}

fn none(found: Vec<String>, what: impl Display) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every page of documentation in this repository.
fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> = ["docs", "policies", "tests"]
        .iter()
        .flat_map(|folder| files_below(&root().join(folder), "md"))
        .collect();
    pages.extend(["README.md", "SECURITY.md", "CHANGELOG.md"].map(|name| root().join(name)));
    pages
}

/// The targets of all `[text](target)` that stay in this repository.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
}

/// The anchors that GitHub and others give to the headings of a page.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter_map(|line| line.strip_prefix('#'));
    let name = |heading: &str| {
        let words = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        words.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect()
    };
    headings.map(name).collect()
}
