//! Control groups (version 2), where a service manager lets us have some: one for each run.
//!
//! Invariants: a run is in its group from its first instruction on; the kernel bounds its memory
//! with everything that counts as such, its processes and its share of the processors; and with the
//! group nothing of the run is left.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::SandboxLimits;

/// A group that is ours to divide.
#[derive(Debug, Clone)]
pub struct ControlGroups {
    root: PathBuf,
    made: Arc<AtomicU64>,
}

/// The group of one run; gone when dropped.
#[derive(Debug)]
pub(super) struct RunGroup(PathBuf);

/// Where version 2 is, by itself or beside version 1.
const PLACES: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
const CONTROLLERS: [&str; 3] = ["cpu", "memory", "pids"];
/// The group that we stay in ourselves: one that is divided may hold no process.
const OWN: &str = "gander";
/// The share of a run where ours is 100.
const WEIGHT: &str = "20";

impl ControlGroups {
    /// Divides the group that this process is in, if it is ours alone.
    ///
    /// # Errors
    /// Why it is not, for people.
    pub fn delegated() -> Result<Self, String> {
        let member = fs::read_to_string("/proc/self/cgroup").map_err(|error| error.to_string())?;
        let path = member.lines().find_map(|line| line.strip_prefix("0::/"));
        let path = path.ok_or("this machine has no control groups of version 2")?;
        let place = PLACES.iter().map(|place| Path::new(place).join(path));
        let root = place.into_iter().find(|root| root.join("cgroup.controllers").exists());
        let root = root.ok_or("control groups are not mounted")?;
        Self::divide(&root, std::process::id())
    }

    fn divide(root: &Path, own: u32) -> Result<Self, String> {
        let at = |what: &str| root.join(what);
        let told = |what: &'static str| move |error: io::Error| format!("{what}: {error}");
        let read = |file| fs::read_to_string(at(file)).map_err(told("its files cannot be read"));
        let controllers = read("cgroup.controllers")?;
        let missing = |name: &&&str| !controllers.split_whitespace().any(|there| there == **name);
        if let Some(name) = CONTROLLERS.iter().find(missing) {
            return Err(format!("the controller {name} is not delegated to us"));
        }
        if read("cgroup.procs")?.split_whitespace().any(|process| process != own.to_string()) {
            return Err("other processes are in our group".to_owned());
        }
        let ours = at(OWN);
        fs::create_dir_all(&ours).map_err(told("no group can be made in ours"))?;
        write(&ours.join("cgroup.procs"), &own.to_string()).map_err(told("we cannot move"))?;
        let wanted = CONTROLLERS.map(|name| format!("+{name}")).join(" ");
        if let Err(error) = write(&at("cgroup.subtree_control"), &wanted) {
            let _ = write(&at("cgroup.procs"), &own.to_string());
            let _ = fs::remove_dir(&ours);
            return Err(format!("our group cannot be divided: {error}"));
        }
        Ok(Self { root: root.to_owned(), made: Arc::default() })
    }

    /// Makes a group for one run, and opens what a process writes to, to join it.
    pub(super) fn make(&self, limits: &SandboxLimits) -> io::Result<(RunGroup, File)> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let path = self.root.join(format!("run-{}-{number}", std::process::id()));
        fs::create_dir(&path)?;
        let group = RunGroup(path);
        let join = bound(&group.0, limits)?;
        Ok((group, join))
    }
}

/// Sets the bounds of a group, and opens what a process writes to, to join it.
fn bound(group: &Path, limits: &SandboxLimits) -> io::Result<File> {
    let set = |name, value: &str| write(&group.join(name), value);
    set("memory.max", &limits.all_memory().to_string())?;
    set("memory.oom.group", "1")?;
    set("pids.max", &limits.processes.saturating_add(OF_BUBBLEWRAP).to_string())?;
    set("cpu.weight", WEIGHT)?;
    match set("memory.swap.max", "0") {
        // A kernel without swap.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        other => other?,
    }
    OpenOptions::new().write(true).open(group.join("cgroup.procs"))
}

/// Bubblewrap outside, our own first program, and the thread that starts the command.
const OF_BUBBLEWRAP: u64 = 4;

impl RunGroup {
    /// Whether the kernel killed the run for its memory.
    pub(super) fn ran_out_of_memory(&self) -> bool {
        let events = fs::read_to_string(self.0.join("memory.events")).unwrap_or_default();
        events.lines().any(|line| {
            let kills = line.strip_prefix("oom_kill ").or(line.strip_prefix("oom_group_kill "));
            kills.is_some_and(|kills| kills.trim() != "0")
        })
    }
}

impl Drop for RunGroup {
    fn drop(&mut self) {
        // Most often it is empty already: whoever watched the run waited for its end.
        let _ = write(&self.0.join("cgroup.kill"), "1");
        if fs::remove_dir(&self.0).is_err() {
            let path = self.0.clone();
            // Nobody waits for it here: a run that is dropped is dropped by a thread for many.
            let _ = std::thread::Builder::new().name("group".into()).spawn(move || remove(&path));
        }
    }
}

/// Removes a group whose processes were killed and leave a moment later.
fn remove(group: &Path) {
    for _ in 0..TRIES {
        match fs::remove_dir(group) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                std::thread::park_timeout(PAUSE);
            }
            Ok(()) => return,
            Err(error) => return tracing::warn!(group = %group.display(), %error, "it stays"),
        }
    }
    tracing::warn!(group = %group.display(), "a control group stays, with processes in it");
}

/// Together five seconds.
const TRIES: u32 = 500;
const PAUSE: Duration = Duration::from_millis(10);

fn write(file: &Path, value: &str) -> io::Result<()> {
    // Never makes a file: outside of control groups these names are nobody's.
    io::Write::write_all(&mut OpenOptions::new().write(true).open(file)?, value.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A group as a service manager hands it over. The files are no kernel's: they keep what is
    /// written to them.
    fn handed_over(controllers: &str, processes: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("cgroup.controllers", controllers),
            ("cgroup.procs", processes),
            ("cgroup.subtree_control", ""),
        ] {
            fs::write(root.path().join(name), text).unwrap();
        }
        root
    }

    /// The kernel makes these files with a group.
    fn with_files(group: &Path, names: &[&str]) {
        fs::create_dir_all(group).unwrap();
        names.iter().for_each(|name| fs::write(group.join(name), "").unwrap());
    }

    fn said(group: &Path, name: &str) -> String {
        fs::read_to_string(group.join(name)).unwrap()
    }

    #[test]
    fn a_group_of_ours_alone_is_divided_and_we_move_out_of_its_top() {
        let root = handed_over("cpuset cpu io memory pids\n", "7\n");
        with_files(&root.path().join(OWN), &["cgroup.procs"]);
        ControlGroups::divide(root.path(), 7).unwrap();
        assert_eq!(said(&root.path().join(OWN), "cgroup.procs"), "7");
        assert_eq!(said(root.path(), "cgroup.subtree_control"), "+cpu +memory +pids");
    }

    #[test]
    fn what_is_not_ours_alone_is_left_as_it_is_and_why_is_told() {
        for (controllers, processes, why) in [
            ("hugetlb\n", "7\n", "the controller cpu is not delegated"),
            ("cpu memory pids\n", "7\n8\n", "other processes are in our group"),
        ] {
            let root = handed_over(controllers, processes);
            let refused = ControlGroups::divide(root.path(), 7).unwrap_err();
            assert!(refused.contains(why), "{refused}");
            assert!(!root.path().join(OWN).exists());
        }
    }

    #[test]
    fn a_run_gets_its_bounds_before_anything_joins_it() {
        let root = tempfile::tempdir().unwrap();
        let group = root.path().join("run-1");
        let names = ["memory.max", "memory.oom.group", "pids.max", "cpu.weight", "cgroup.procs"];
        with_files(&group, &names);
        let limits = SandboxLimits { memory_bytes: 1000, tmp_bytes: 400, ..Default::default() };
        let _join = bound(&group, &limits).unwrap();
        // With `/tmp`, the home and `/dev/shm`.
        assert_eq!(said(&group, "memory.max"), (1000 + 400 + 100 + (64 << 20)).to_string());
        assert_eq!(said(&group, "memory.oom.group"), "1");
        assert_eq!(said(&group, "pids.max"), "516");
        assert_eq!(said(&group, "cpu.weight"), "20");
        // Where a bound cannot be set, nothing is run.
        fs::remove_file(group.join("memory.max")).unwrap();
        assert!(bound(&group, &limits).is_err());
    }

    #[test]
    fn a_run_that_the_kernel_killed_for_its_memory_is_known() {
        let root = tempfile::tempdir().unwrap();
        let group = RunGroup(root.path().to_owned());
        for (events, killed) in [
            ("low 0\nhigh 0\nmax 9\noom 0\noom_kill 0\noom_group_kill 0\n", false),
            ("low 0\nhigh 0\nmax 9\noom 1\noom_kill 3\noom_group_kill 1\n", true),
        ] {
            fs::write(root.path().join("memory.events"), events).unwrap();
            assert_eq!(group.ran_out_of_memory(), killed);
        }
    }
}
