//! Backups side by side in one folder, each in one of its own that is named after the moment at which it was begun. Of those
//! only so many are kept; nothing else in the folder is touched.

use std::fs;
use std::path::{Path, PathBuf};

use super::files::at;
use super::{BackupError, MANIFEST};
use crate::clock::Timestamp;

/// As names of folders have it: in their order they are in the order of time.
const FORM: &str = "%Y-%m-%dT%H%M%SZ";

/// The folder of a backup that is begun now.
pub fn name_at(into: &Path, now: Timestamp) -> PathBuf {
    into.join(now.strftime(FORM).to_string())
}

/// Removes the oldest backups, so that so many are left that are finished, and those that were begun before the newest of these
/// and never finished. Tells which.
pub fn remove_surplus(into: &Path, keep: usize) -> Result<Vec<PathBuf>, BackupError> {
    let mut backups = Vec::new();
    for entry in fs::read_dir(into).map_err(at(into))? {
        let name = entry.map_err(at(into))?.file_name();
        if let Some(name) = name.to_str().filter(|name| is_ours(name)) {
            backups.push((name.to_owned(), into.join(name).join(MANIFEST).is_file()));
        }
    }
    let surplus: Vec<_> = surplus(backups, keep).into_iter().map(|name| into.join(name)).collect();
    for folder in &surplus {
        fs::remove_dir_all(folder).map_err(at(folder))?;
    }
    Ok(surplus)
}

fn is_ours(name: &str) -> bool {
    let moment = |name: &str| jiff::civil::DateTime::strptime(FORM, name);
    moment(name).is_ok_and(|moment| moment.strftime(FORM).to_string() == name)
}

/// Which of these are too many: each with whether it is finished.
fn surplus(mut backups: Vec<(String, bool)>, keep: usize) -> Vec<String> {
    backups.sort_unstable();
    let finished: Vec<_> =
        backups.iter().filter(|(_, is_finished)| *is_finished).map(|(name, _)| name.clone()).collect();
    let Some(newest) = finished.last().cloned() else { return Vec::new() };
    let (over, _) = finished.split_at(finished.len().saturating_sub(keep.max(1)));
    let over = over.to_vec();
    let is_over =
        |name: &String, is_finished: bool| if is_finished { over.contains(name) } else { *name < newest };
    backups
        .into_iter()
        .filter(|(name, is_finished)| is_over(name, *is_finished))
        .map(|(name, _)| name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(days: &[(u32, bool)]) -> Vec<(String, bool)> {
        days.iter().map(|(day, is_finished)| (day.to_string(), *is_finished)).collect()
    }

    #[test]
    fn the_newest_stay_and_only_what_is_finished_counts() {
        let all = of(&[(3, true), (1, true), (2, false), (4, true), (5, false)]);
        assert_eq!(surplus(all.clone(), 2), ["1", "2"]);
        assert_eq!(surplus(all.clone(), 1), ["1", "2", "3"]);
        assert_eq!(surplus(all.clone(), 0), ["1", "2", "3"], "the last one never goes");
        assert_eq!(surplus(all, 9), ["2"]);
        assert_eq!(surplus(of(&[(1, false), (2, false)]), 1), [""; 0], "without a finished one nothing goes");
    }

    #[test]
    fn nothing_but_backups_is_removed() {
        let into = tempfile::tempdir().unwrap();
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
        for second in 0..3 {
            let folder = name_at(into.path(), at(second));
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join(MANIFEST), "{}").unwrap();
        }
        for other in ["2025-01-01", "photos", "2025-01-01T000000Z.old", "2025-13-01T000000Z"] {
            fs::create_dir(into.path().join(other)).unwrap();
        }
        let removed = remove_surplus(into.path(), 1).unwrap();
        assert_eq!(removed, [name_at(into.path(), at(0)), name_at(into.path(), at(1))]);
        assert_eq!(fs::read_dir(into.path()).unwrap().count(), 5);
        assert!(name_at(into.path(), at(2)).ends_with("2027-01-15T080002Z"));
    }
}
