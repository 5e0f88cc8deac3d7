//! What it was measured on, and how much that machine shakes.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use super::sample::Sample;

/// Lines that say what the figures are worth.
pub(crate) fn described(home: &Path) -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let (spin, fsync) = (spin(), fsync(home));
    format!(
        "{cores} cores, Linux {}, data on {}\n\
         a fixed loop: median {:.2} ms, p99 {:.2} ms ({:.0} % more)\n\
         write and fsync of 16 kB: median {:.2} ms, p99 {:.2} ms\n{}",
        kernel.trim(),
        file_system(home),
        spin.median(),
        spin.at(0.99),
        (spin.at(0.99) / spin.median() - 1.0) * 100.0,
        fsync.median(),
        fsync.at(0.99),
        load()
    )
}

/// How busy the machine is.
pub(crate) fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let words: Vec<&str> = load.split(' ').take(3).collect();
    format!("load average {}", words.join(" "))
}

/// Kilobytes of a line of `/proc/PID/status`, as megabytes (2²⁰).
pub(crate) fn memory(process: u32, line: &str) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let value = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':'))?;
    let kilobytes: f64 = value.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kilobytes / 1024.0)
}

/// The processor time a process has used so far.
pub(crate) fn processor_time(process: u32) -> Duration {
    const TICK: Duration = Duration::from_millis(10);
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields = after_name.split_ascii_whitespace().skip(11).take(2);
    TICK * fields.filter_map(|ticks| ticks.parse::<u32>().ok()).sum::<u32>()
}

fn spin() -> Sample {
    Sample::of_times((0..100).map(|_| {
        let started = Instant::now();
        let mut value = 1_u64;
        for n in 0..2_000_000_u64 {
            value = std::hint::black_box(value.wrapping_mul(6_364_136_223_846_793_005) ^ n);
        }
        std::hint::black_box(value);
        started.elapsed()
    }))
}

fn fsync(home: &Path) -> Sample {
    let path = home.join("fsync");
    let mut file = File::create(&path).unwrap();
    let sample = Sample::of_times((0..200).map(|_| {
        let started = Instant::now();
        file.write_all(&[1; 16 * 1024]).unwrap();
        file.sync_data().unwrap();
        started.elapsed()
    }));
    std::fs::remove_file(path).unwrap();
    sample
}

/// The file system of a path, by the longest mount point above it.
fn file_system(path: &Path) -> String {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let above = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (point, kind) = (words.next()?, words.next()?);
        path.starts_with(point).then(|| (point.len(), kind.to_owned()))
    });
    above.max_by_key(|(length, _)| *length).map_or_else(|| "?".to_owned(), |(_, kind)| kind)
}
