//! What the system says of this process (proc(5)), under the names that Prometheus' own libraries use.

use std::fs;
use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

/// What was found; what cannot be read is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Process {
    cpu_seconds: Option<f64>,
    resident_bytes: Option<u64>,
    virtual_bytes: Option<u64>,
    threads: Option<u64>,
    start_seconds: Option<f64>,
    open_files: Option<u64>,
    most_files: Option<u64>,
}

/// Registers the figures of this moment.
pub fn register(to: &mut Registry) {
    let found = Process::look();
    let mut gauge = |name: &str, help: &str, unit: Option<Unit>, value: Option<f64>| {
        let Some(value) = value else { return };
        let gauge = Gauge::<f64, AtomicU64>::default();
        gauge.set(value);
        match unit {
            Some(unit) => to.register_with_unit(name, help, unit, gauge),
            None => to.register(name, help, gauge),
        }
    };
    let whole = |value: Option<u64>| value.map(|value| value as f64);
    let (bytes, seconds) = (|| Some(Unit::Bytes), || Some(Unit::Seconds));
    gauge("process_resident_memory", "Resident memory size", bytes(), whole(found.resident_bytes));
    gauge("process_virtual_memory", "Virtual memory size", bytes(), whole(found.virtual_bytes));
    gauge("process_threads", "Threads", None, whole(found.threads));
    gauge("process_open_fds", "Open file descriptors", None, whole(found.open_files));
    gauge("process_max_fds", "File descriptors that there may be", None, whole(found.most_files));
    let help = "Start of the process since the Unix epoch";
    gauge("process_start_time", help, seconds(), found.start_seconds);
    if let Some(cpu) = found.cpu_seconds {
        let help = "User and system time that was used";
        to.register_with_unit("process_cpu", help, Unit::Seconds, ConstCounter::new(cpu));
    }
}

impl Process {
    fn look() -> Self {
        let read = |name: &str| fs::read_to_string(format!("/proc/{name}")).unwrap_or_default();
        let ticks = rustix::param::clock_ticks_per_second();
        let page = rustix::param::page_size() as u64;
        let mut found = Self::of_stat(&read("self/stat"), &read("stat"), ticks, page);
        found.open_files = fs::read_dir("/proc/self/fd").ok().map(|files| files.count() as u64);
        found.most_files = most_files(&read("self/limits"));
        found
    }

    /// Fields as in proc_pid_stat(5), counted from behind the name, which may hold anything.
    fn of_stat(own: &str, system: &str, ticks: u64, page: u64) -> Self {
        let fields = own.rsplit_once(')').map_or("", |(_, fields)| fields);
        let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
        // The first of them is field 3.
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        let seconds = |count: u64| count as f64 / ticks.max(1) as f64;
        let boot = system.lines().find_map(|line| line.strip_prefix("btime ")?.parse::<u64>().ok());
        Self {
            cpu_seconds: field(14).zip(field(15)).map(|(user, system)| seconds(user + system)),
            threads: field(20),
            start_seconds: field(22).zip(boot).map(|(start, boot)| seconds(start) + boot as f64),
            virtual_bytes: field(23),
            resident_bytes: field(24).map(|pages| pages.saturating_mul(page)),
            ..Self::default()
        }
    }
}

fn most_files(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_process_may_hold_anything() {
        let own = "7 (a) S 1 (b) S 1 7 7 0 -1 4194560 900 0 0 0 250 50 0 0 20 0 9 0 1000 8192000 500 1";
        let found = Process::of_stat(own, "cpu 1\nbtime 1000000\nprocesses 3", 100, 4096);
        let expected = Process {
            cpu_seconds: Some(3.0),
            resident_bytes: Some(500 * 4096),
            virtual_bytes: Some(8_192_000),
            threads: Some(9),
            start_seconds: Some(1_000_010.0),
            ..Process::default()
        };
        assert_eq!(found, expected);
        assert_eq!(Process::of_stat("", "", 0, 0), Process::default());
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
                      Max open files            1024                 524288               files\n";
        assert_eq!(most_files(limits), Some(1024));
    }

    #[test]
    fn this_process_has_figures() {
        let found = Process::look();
        assert!(found.resident_bytes.unwrap() > 1 << 20 && found.open_files.unwrap() > 2, "{found:?}");
        assert!(found.start_seconds.unwrap() > 1e9 && found.threads.unwrap() > 0, "{found:?}");
    }
}
