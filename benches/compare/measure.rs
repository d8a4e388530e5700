//! Clocks and counters: CPU seconds of a group of processes, memory, medians and percentiles. What is measured is
//! what the kernel says, the same way for zegel and for whoever stands beside it.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Ticks of `/proc/<pid>/stat` in a second: the same on every Linux that we build for.
const TICKS: f64 = 100.0;

/// Processes whose CPU time is counted together, children that come and go included.
pub enum Group {
    /// A cgroup of version 2: `cpu.stat` counts to the microsecond, ended processes included.
    Cgroup(PathBuf),
    /// Without one: the sum over the living processes of utime, stime and what their ended children used.
    Processes(Vec<u32>),
}

impl Group {
    /// Of these processes and all that descend from them, from now on.
    pub fn of(processes: &[u32]) -> Self {
        let all = family(processes);
        let made = own_cgroup().and_then(|folder| {
            fs::create_dir(&folder).ok()?;
            let moved =
                all.iter().all(|process| fs::write(folder.join("cgroup.procs"), process.to_string()).is_ok());
            if !moved {
                let _ = fs::remove_dir(&folder);
            }
            moved.then_some(folder)
        });
        made.map_or_else(|| Self::Processes(processes.to_vec()), Self::Cgroup)
    }

    /// CPU time so far, user and system.
    pub fn cpu(&self) -> Duration {
        match self {
            Self::Cgroup(folder) => {
                let text = fs::read_to_string(folder.join("cpu.stat")).expect("cpu.stat");
                let line = text.lines().find_map(|line| line.strip_prefix("usage_usec "));
                Duration::from_micros(line.expect("usage_usec").parse().expect("a number"))
            }
            Self::Processes(roots) => family(roots).into_iter().map(ticks).sum(),
        }
    }

    /// How [`Group::cpu`] knows, for the report.
    pub fn method() -> &'static str {
        let probe = Self::of(&[]);
        match probe {
            Self::Cgroup(_) => "`cpu.stat` of a cgroup v2 around each party's processes",
            Self::Processes(_) => {
                "utime + stime (+ those of ended children) in `/proc` over each party's processes"
            }
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Self::Cgroup(folder) = self {
            // It can go once the last process is gone; an empty one that stays does no harm.
            for _ in 0..50 {
                if fs::remove_dir(&*folder).is_ok() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

/// A name for a cgroup below our own.
fn own_cgroup() -> Option<PathBuf> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let mount =
        mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>()).find(|words| words[2] == "cgroup2")?;
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = own.lines().find_map(|line| line.strip_prefix("0::/"))?.to_owned();
    let name = format!("zegel-bench-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    Some(PathBuf::from(mount[1]).join(own).join(name))
}

/// These processes and all that descend from them.
pub fn family(roots: &[u32]) -> Vec<u32> {
    let parents: HashMap<u32, u32> =
        processes().into_iter().filter_map(|id| Some((id, parent(id)?))).collect();
    let belongs = |mut id: u32| loop {
        if roots.contains(&id) {
            return true;
        }
        match parents.get(&id) {
            Some(&parent) if parent > 1 => id = parent,
            _ => return false,
        }
    };
    parents.keys().copied().filter(|&id| belongs(id)).collect()
}

fn processes() -> Vec<u32> {
    let entries = fs::read_dir("/proc").expect("/proc");
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// The fields of `/proc/<pid>/stat` behind the name, which may hold blanks.
fn stat(process: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    Some(text.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
}

fn parent(process: u32) -> Option<u32> {
    stat(process)?.get(1)?.parse().ok()
}

fn ticks(process: u32) -> Duration {
    let Some(fields) = stat(process) else { return Duration::ZERO };
    let sum: f64 = fields[11..15].iter().map(|field| field.parse::<f64>().unwrap_or(0.0)).sum();
    Duration::from_secs_f64(sum / TICKS)
}

/// A line of `/proc/<pid>/<file>` that counts kB, in bytes; 0 where the process is gone.
pub fn memory(process: u32, file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{process}/{file}")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kilobytes: u64 = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0);
    kilobytes * 1024
}

/// The highest resident set of a process so far.
pub fn peak(process: u32) -> u64 {
    memory(process, "status", "VmHWM")
}

/// Lets [`peak`] start anew.
pub fn forget_peak(process: u32) {
    let _ = fs::write(format!("/proc/{process}/clear_refs"), "5");
}

/// The middle of some measurements.
pub fn median(values: &[f64]) -> f64 {
    percentile(values, 50.0)
}

/// The nearest rank.
pub fn percentile(values: &[f64], percent: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}
