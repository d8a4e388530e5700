//! What docs/reference.md and the table of docs/operations.md list is what there is: every command with its options,
//! every key, every route, and nothing else.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail so")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Arg, Command};

#[test]
fn every_command_and_option_is_in_the_reference() {
    let mut there = BTreeSet::new();
    usages(&zegel::cli::command(), "zegel", &mut there);
    assert!(there.contains("zegel queue retry [ID] [--all]"), "{there:#?}");
    let section = section("reference.md", "Commands");
    let listed = rows(&section).filter_map(|row| spans(first_cell(row)).next());
    let listed = listed.filter(|usage| usage.starts_with("zegel "));
    same(listed.map(str::to_owned).collect(), there);
}

/// Options that the page lists once for all commands.
#[test]
fn every_command_has_the_options_of_all() {
    let section = section("reference.md", "Commands");
    for option in ["--config", "--log", "--json"] {
        assert!(spans(&section).any(|span| span.starts_with(option)), "{option}");
    }
    let command = zegel::cli::command();
    let has = |command: &Command, option: &str| command.get_arguments().any(|arg| arg.get_id() == option);
    for leaf in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        let leaves: Vec<&Command> =
            if leaf.has_subcommands() { leaf.get_subcommands().collect() } else { vec![leaf] };
        for one in leaves {
            assert_eq!(has(one, "config"), leaf.get_name() != "demo", "{}", one.get_name());
            let tells = leaf.has_subcommands() || ["check", "nodes", "track"].contains(&leaf.get_name());
            assert_eq!(has(one, "json"), tells, "{}", one.get_name());
        }
    }
}

#[test]
fn every_key_is_in_reference_and_manual() {
    let there: BTreeSet<String> = zegel::config::keys().collect();
    assert!(there.contains("relay.inside.smarthost") && there.contains("hostname"), "{there:?}");
    let mut manual = BTreeSet::new();
    let mut prefix = String::new();
    let text = section("operations.md", "Configuration");
    for row in rows(&text) {
        match first_cell(row).strip_prefix("**`[").and_then(|rest| rest.split(']').next()) {
            Some(section) => prefix = format!("{section}."),
            None => manual.extend(spans(first_cell(row)).map(|key| format!("{prefix}{key}"))),
        }
    }
    same(manual, there.clone());

    let text = section("reference.md", "Configuration");
    let mut listed = BTreeSet::new();
    for row in rows(&text) {
        let prefix = match spans(first_cell(row)).next() {
            Some(section) => format!("{}.", section.trim_matches(['[', ']'])),
            None => String::new(),
        };
        let keys = row.split('|').nth(2).unwrap_or("");
        listed.extend(spans(keys).map(|key| format!("{prefix}{key}")));
    }
    same(listed, there);
}

#[test]
fn every_route_is_in_the_reference() {
    let mut there = BTreeSet::new();
    let mut folders = vec![root().join("src/web")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            match entry.is_dir() {
                true if entry.ends_with("tests") => {}
                true => folders.push(entry),
                false => {
                    let text = fs::read_to_string(&entry).unwrap();
                    let routes = text.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next());
                    there.extend(routes.map(str::to_owned));
                }
            }
        }
    }
    assert!(there.contains("/s/{token}/{action}") && there.contains("/metrics"), "{there:?}");
    let pages = section("reference.md", "Pages");
    let monitoring = section("reference.md", "Monitoring");
    let of_pages = rows(&pages).flat_map(|row| spans(first_cell(row)));
    let of_admin =
        monitoring.lines().filter(|line| line.starts_with("- `GET ")).filter_map(|line| spans(line).next());
    let paths = of_pages.chain(of_admin).filter_map(|span| span.split(' ').next_back());
    same(paths.filter(|path| path.starts_with('/')).map(str::to_owned).collect(), there);
}

/// The usage of every command without those below it, and without the options that all have.
fn usages(command: &Command, path: &str, found: &mut BTreeSet<String>) {
    if command.has_subcommands() {
        for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
            usages(below, &format!("{path} {}", below.get_name()), found);
        }
        return;
    }
    let own = |arg: &&Arg| !["config", "json", "log", "help", "version"].contains(&arg.get_id().as_str());
    let arguments = command.get_arguments().filter(own).map(|arg| {
        let usage = match arg.get_long() {
            Some(long) if arg.get_action().takes_values() => format!("--{long} {}", value(arg)),
            Some(long) => format!("--{long}"),
            None => value(arg),
        };
        if arg.is_required_set() { usage } else { format!("[{usage}]") }
    });
    found.insert(std::iter::once(path.to_owned()).chain(arguments).collect::<Vec<_>>().join(" "));
}

fn value(arg: &Arg) -> String {
    let choices: Vec<_> =
        arg.get_possible_values().iter().map(|choice| choice.get_name().to_owned()).collect();
    let names = arg.get_value_names().into_iter().flatten().map(|name| name.to_string());
    match choices.is_empty() {
        true => names.collect::<Vec<_>>().join(" "),
        // A bar would end the cell of the table.
        false => choices.join("/"),
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What is under a heading of a page, up to the next of its level.
fn section(page: &str, title: &str) -> String {
    let text = fs::read_to_string(PathBuf::from(root()).join("docs").join(page)).unwrap();
    let heading = format!("\n## {title}\n");
    let (_, rest) = text.split_once(&heading).unwrap_or_else(|| panic!("{page} has no {title}"));
    rest.split("\n## ").next().unwrap().to_owned()
}

/// The rows of the tables whose first cell names something.
fn rows(section: &str) -> impl Iterator<Item = &str> {
    section.lines().filter(|line| line.starts_with('|') && line.split('|').any(|cell| cell.contains('`')))
}

fn first_cell(row: &str) -> &str {
    row.split('|').nth(1).unwrap_or("").trim()
}

/// What is between backquotes.
fn spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn same(listed: BTreeSet<String>, there: BTreeSet<String>) {
    let missing: Vec<_> = there.difference(&listed).collect();
    let invented: Vec<_> = listed.difference(&there).collect();
    assert!(missing.is_empty() && invented.is_empty(), "not listed: {missing:#?}\nnot there: {invented:#?}");
}
