//! The staff list: every line that cannot be read, and people who can never send through this gateway.

use std::path::Path;

use super::Findings;
use crate::address::Address;
use crate::config::Config;
use crate::staff::Directory;

const KEY: &str = "organisation.staff";
/// Addresses that are named; the rest are counted.
const NAMED: usize = 3;
/// Lines with a fault that are told one by one.
const TOLD: usize = 20;

pub fn look(config: &Config, found: &mut Findings) {
    let Some(file) = config.organisation.staff.as_deref() else { return };
    let shown = file.display();
    let Ok(directory) = Directory::load(file) else { return faults(file, found) };
    if directory.is_empty() {
        let reason = format!("{KEY}: nobody is in {shown}: recipients see no name and no telephone number");
        return found.warning(KEY, reason, "add the staff, or leave the key out");
    }
    let domains = &config.organisation.domains;
    let is_outside =
        |address: &&str| Address::parse(address).is_ok_and(|address| !address.is_internal(domains));
    let mut outside: Vec<&str> = directory.people().map(|(address, _)| address).filter(is_outside).collect();
    outside.sort_unstable();
    if let Some(first) = outside.get(..outside.len().min(NAMED)).filter(|first| !first.is_empty()) {
        let more = match outside.len() - first.len() {
            0 => String::new(),
            more => format!(" and {more} others"),
        };
        let reason = format!(
            "{KEY}: {}{more} in {shown} are in none of organisation.domains: they cannot send through this gateway",
            first.join(", ")
        );
        found.warning(KEY, reason, "add their domain to organisation.domains, or remove them from the list");
    }
}

fn faults(file: &Path, found: &mut Findings) {
    let faults = Directory::faults(file);
    for fault in faults.iter().take(TOLD) {
        let remedy = "mend the line; the first line names the columns email, name, phone and department";
        found.error(KEY, format!("{KEY}: {fault}"), remedy);
    }
    if let Some(more) = faults.len().checked_sub(TOLD).filter(|more| *more > 0) {
        let reason = format!("{KEY}: {more} more lines of {} have a fault", file.display());
        found.error(KEY, reason, "have the list written anew, as \"CSV UTF-8\"");
    }
}
