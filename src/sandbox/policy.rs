//! What a command sees, as bubblewrap's options say it.
//!
//! Invariants: a pure function from what is wanted to arguments; what stands in `/etc` is ours, or
//! settings of the system in which nothing is secret.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::{OwnedFd, RawFd};
use std::path::Path;

use rustix::fs::MemfdFlags;

use super::{
    SHARED_MEMORY_BYTES, SandboxCommand, SandboxLimits, Toolchain, init, overlay, way_out,
};

/// All that decides what a command sees.
#[derive(Debug)]
pub(super) struct SandboxPolicy<'a> {
    pub(super) command: &'a SandboxCommand,
    pub(super) limits: &'a SandboxLimits,
    pub(super) first_program: &'a Path,
    pub(super) toolchains: &'a [Toolchain],
    pub(super) covered: &'a [&'a str],
    pub(super) descriptors: Descriptors<'a>,
}

/// Numbers of the descriptors that bubblewrap reads from and writes to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Descriptors<'a> {
    pub(super) status: RawFd,
    pub(super) filter: RawFd,
    /// Files of `/etc`, each with its path.
    pub(super) etc: &'a [(RawFd, &'static str)],
}

pub(super) const HOME: &str = "/home/gander";
pub(super) const TREE: &str = "/work";
/// Inside, everybody is this ordinary user, whoever runs Gander outside.
const USER: &str = "1000";

const PASSWD: &str = "root:x:0:0:root:/root:/bin/false\n\
    gander:x:1000:1000:gander:/home/gander:/bin/sh\n\
    nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n";
const GROUP: &str = "root:x:0:\ngander:x:1000:\nnogroup:x:65534:\n";
const HOSTS: &str = "127.0.0.1 localhost sandbox\n::1 localhost sandbox\n";
const NSSWITCH: &str = "passwd: files\ngroup: files\nshadow: files\nhosts: files\n\
    networks: files\nprotocols: files\nservices: files\n";

/// What no command finds that has a way out: a package manager that clones a repository may run its
/// scripts. Cargo has a git of its own, which runs nothing.
const GIT: &[&str] = &["/usr/bin/git", "/usr/local/bin/git"];

/// Where builds go.
pub(super) const BUILDS: &str = "/tmp/build";

/// The environment of every command. Builds go to `/tmp`, so that they leave no trace in the tree;
/// package managers are told that there is no network, so that they fail at once.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("HOME", HOME),
    ("USER", "gander"),
    ("LOGNAME", "gander"),
    ("SHELL", "/bin/sh"),
    ("TMPDIR", "/tmp"),
    ("LANG", "C.UTF-8"),
    ("TZ", "UTC"),
    ("TERM", "dumb"),
    ("CI", "true"),
    ("CARGO_HOME", "/home/gander/.cargo"),
    ("CARGO_TARGET_DIR", "/tmp/build/cargo"),
    ("CARGO_INCREMENTAL", "0"),
    ("CARGO_NET_OFFLINE", "true"),
    ("CARGO_TERM_COLOR", "never"),
    ("GOCACHE", "/tmp/build/go"),
    ("GOPROXY", "off"),
    ("GOTOOLCHAIN", "local"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
    ("PIP_NO_INDEX", "1"),
    ("PYTEST_ADDOPTS", "-p no:cacheprovider"),
    ("PYTHONDONTWRITEBYTECODE", "1"),
    ("npm_config_audit", "false"),
    ("npm_config_fund", "false"),
    ("npm_config_offline", "true"),
    ("npm_config_update_notifier", "false"),
];

/// Files of `/etc` that say who is who inside.
const OUR_FILES: &[(&str, &str)] = &[
    ("/etc/passwd", PASSWD),
    ("/etc/group", GROUP),
    ("/etc/hosts", HOSTS),
    ("/etc/nsswitch.conf", NSSWITCH),
];
/// Files of the system's settings that runtimes read; nothing of them is secret. They are copied,
/// for every mount takes time at every start.
const COPIED_FILES: &[&str] = &[
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/protocols",
    "/etc/services",
    "/etc/ssl/openssl.cnf",
];
/// Directories of such settings.
const SHOWN_DIRECTORIES: &[&str] = &[
    "/etc/alternatives",
    "/etc/java-11-openjdk",
    "/etc/java-17-openjdk",
    "/etc/java-21-openjdk",
    "/etc/java-25-openjdk",
    "/etc/maven",
    "/etc/php",
    "/etc/ssl/certs",
];

const SYSTEM_PATH: &str =
    "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/go/bin";

impl SandboxPolicy<'_> {
    /// What is inside, as bubblewrap's options. Order matters: later mounts cover earlier ones.
    pub(super) fn arguments(&self) -> Vec<OsString> {
        let mut arguments = BwrapArguments(Vec::new());
        arguments.namespaces();
        arguments.system(self.descriptors);
        arguments.mount("--ro-bind", self.first_program, init::PROGRAM);
        for path in self.covered {
            // What is bound here opens no device, so that reading it is refused.
            arguments.option(&["--ro-bind", "/dev/null", path]);
        }
        for toolchain in self.toolchains {
            arguments.mount("--ro-bind", &toolchain.host_dir, &toolchain.mount_at);
        }
        arguments.private("/tmp", self.limits.tmp_bytes, "1777");
        arguments.private(HOME, self.limits.home_bytes(), "0700");
        arguments.mount("--bind", &self.command.tree, TREE);
        for shown in &self.command.shown {
            if let Some(above) = &shown.above {
                arguments.mount("--bind", &overlay::seen(above), &shown.mount_at);
                continue;
            }
            let how = if shown.writable { "--bind" } else { "--ro-bind" };
            arguments.mount(how, &shown.host_dir, &shown.mount_at);
            for name in &shown.temporary {
                let inside = format!("{}/{name}", shown.mount_at);
                arguments.private(&inside, self.limits.home_bytes(), "0700");
            }
        }
        if let Some(socket) = &self.command.way_out {
            arguments.mount("--ro-bind", socket, way_out::SOCKET);
            for program in GIT.iter().filter(|path| Path::new(path).exists()) {
                arguments.option(&["--ro-bind", "/dev/null", program]);
            }
        }
        let workdir = match &*self.command.workdir {
            "" => TREE.to_owned(),
            inside => format!("{TREE}/{inside}"),
        };
        arguments.option(&["--chdir", &workdir]);
        arguments.environment(self.toolchains, self.command);
        arguments.option(&["--seccomp", &self.descriptors.filter.to_string()]);
        arguments.option(&["--json-status-fd", &self.descriptors.status.to_string()]);
        // Last, when every mount point exists: the root itself holds nothing to write to.
        arguments.option(&["--remount-ro", "/"]);
        arguments.0
    }
}

/// Bubblewrap's options, as they are written down.
struct BwrapArguments(Vec<OsString>);

impl BwrapArguments {
    fn namespaces(&mut self) {
        self.option(&["--unshare-all", "--unshare-user", "--disable-userns", "--as-pid-1"]);
        self.option(&["--die-with-parent", "--new-session", "--clearenv"]);
        self.option(&["--uid", USER, "--gid", USER, "--hostname", "sandbox"]);
    }

    fn system(&mut self, descriptors: Descriptors<'_>) {
        self.option(&["--ro-bind", "/usr", "/usr"]);
        for name in ["bin", "sbin", "lib", "lib64"] {
            self.option(&["--symlink", &format!("usr/{name}"), &format!("/{name}")]);
        }
        self.option(&["--perms", "0755", "--dir", "/etc"]);
        for path in SHOWN_DIRECTORIES.iter().filter(|path| Path::new(path).is_dir()) {
            self.option(&["--ro-bind", path, path]);
        }
        for (descriptor, path) in descriptors.etc {
            // Nobody writes to it: the root is read-only in the end.
            self.option(&["--perms", "0444", "--file", &descriptor.to_string(), path]);
        }
        self.option(&["--proc", "/proc", "--dev", "/dev"]);
        self.private("/dev/shm", SHARED_MEMORY_BYTES, "1777");
        self.option(&["--remount-ro", "/dev"]);
    }

    fn environment(&mut self, toolchains: &[Toolchain], command: &SandboxCommand) {
        let libraries: Vec<String> = toolchains.iter().filter_map(Toolchain::libraries).collect();
        let shown = command.shown.iter().filter_map(|shown| shown.programs.as_deref());
        let toolchains = toolchains.iter().map(|toolchain| &*toolchain.bin);
        let path: Vec<&str> = shown.chain(toolchains).chain([SYSTEM_PATH]).collect();
        self.option(&["--setenv", "PATH", &path.join(":")]);
        if !libraries.is_empty() {
            self.option(&["--setenv", "LD_LIBRARY_PATH", &libraries.join(":")]);
        }
        for (name, value) in ENVIRONMENT {
            self.option(&["--setenv", name, value]);
        }
        for (name, value) in &command.env {
            self.option(&["--setenv", name, value]);
        }
    }

    fn private(&mut self, path: &str, bytes: u64, mode: &str) {
        let bytes = bytes.to_string();
        self.option(&["--perms", mode, "--size", &bytes, "--tmpfs", path]);
    }

    fn mount(&mut self, how: &str, host: &Path, inside: &str) {
        self.0.extend([how.into(), host.into(), inside.into()]);
    }

    fn option(&mut self, words: &[&str]) {
        self.0.extend(words.iter().map(OsString::from));
    }
}

/// What stands in `/etc`, each file with its path and open at its start.
pub(super) fn etc_files() -> io::Result<Vec<(&'static str, OwnedFd)>> {
    let mut files = Vec::new();
    for (path, text) in OUR_FILES {
        files.push((*path, in_memory(c"etc", text.as_bytes())?));
    }
    // What this machine does not have, nobody misses.
    let copied =
        COPIED_FILES.iter().filter_map(|path| Some((*path, File::open(path).ok()?.into())));
    files.extend(copied);
    Ok(files)
}

/// An anonymous file, read from its start.
pub(super) fn in_memory(name: &std::ffi::CStr, bytes: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DESCRIPTORS: Descriptors<'static> =
        Descriptors { status: 11, filter: 17, etc: &[(13, "/etc/passwd"), (14, "/etc/hosts")] };

    fn arguments(command: &SandboxCommand, toolchains: &[Toolchain]) -> Vec<String> {
        let limits = SandboxLimits { tmp_bytes: 400, ..SandboxLimits::default() };
        let covered = &["/proc/keys"][..];
        let descriptors = DESCRIPTORS;
        let first_program = Path::new("/bin/gander");
        let policy = SandboxPolicy {
            command,
            limits: &limits,
            first_program,
            toolchains,
            covered,
            descriptors,
        };
        policy.arguments().into_iter().map(|word| word.into_string().unwrap()).collect()
    }

    fn position(arguments: &[String], words: &[&str]) -> Option<usize> {
        arguments.windows(words.len()).position(|window| window == words)
    }

    #[test]
    fn every_wall_is_up() {
        let arguments = arguments(&SandboxCommand::shell("true", "/jobs/7/tree"), &[]);
        for words in [
            &["--unshare-all"][..],
            &["--unshare-user"],
            &["--disable-userns"],
            &["--as-pid-1"],
            &["--die-with-parent"],
            &["--new-session"],
            &["--clearenv"],
            &["--uid", "1000"],
            &["--gid", "1000"],
            &["--hostname", "sandbox"],
            &["--proc", "/proc"],
            &["--dev", "/dev"],
            &["--size", "67108864", "--tmpfs", "/dev/shm"],
            &["--size", "400", "--tmpfs", "/tmp"],
            &["--size", "100", "--tmpfs", "/home/gander"],
            &["--perms", "0444", "--file", "13", "/etc/passwd"],
            &["--perms", "0444", "--file", "14", "/etc/hosts"],
            &["--seccomp", "17"],
            &["--json-status-fd", "11"],
            &["--chdir", "/work"],
        ] {
            assert!(position(&arguments, words).is_some(), "{words:?} in {arguments:?}");
        }
    }

    #[test]
    fn the_host_shows_its_programs_the_tree_the_toolchains_and_nothing_else() {
        let rust = Toolchain::new("rust", "/usr/lib/rust-1.95");
        let arguments = arguments(&SandboxCommand::shell("true", "/jobs/7/tree"), &[rust]);
        let mounts: Vec<_> = arguments
            .windows(3)
            .filter(|words| words[0].contains("bind"))
            .filter(|words| !SHOWN_DIRECTORIES.contains(&&*words[1]))
            .map(|words| words.join(" "))
            .collect();
        assert_eq!(
            mounts,
            [
                "--ro-bind /usr /usr",
                "--ro-bind /bin/gander /gander",
                "--ro-bind /dev/null /proc/keys",
                "--ro-bind /usr/lib/rust-1.95 /opt/toolchains/rust",
                "--bind /jobs/7/tree /work",
            ]
        );
    }

    #[test]
    fn the_root_and_the_devices_are_closed_after_their_mounts() {
        let arguments = arguments(&SandboxCommand::shell("true", "/jobs/7/tree"), &[]);
        assert_eq!(arguments[arguments.len() - 2..], ["--remount-ro", "/"]);
        let shared_memory = position(&arguments, &["--tmpfs", "/dev/shm"]);
        let devices = position(&arguments, &["--remount-ro", "/dev"]);
        assert!(shared_memory.is_some() && shared_memory < devices);
    }

    #[test]
    fn toolchains_come_first_in_the_path_and_asked_for_variables_last() {
        let toolchains = [Toolchain::new("rust", "/a"), Toolchain::new("node", "/b")];
        let mut command = SandboxCommand::shell("true", "/jobs/7/tree").in_directory("crates/one");
        command.env.push(("CI".into(), "no".into()));
        let arguments = arguments(&command, &toolchains);
        let path = format!("/opt/toolchains/rust/bin:/opt/toolchains/node/bin:{SYSTEM_PATH}");
        assert!(position(&arguments, &["--setenv", "PATH", &path]).is_some(), "{arguments:?}");
        let ours = position(&arguments, &["--setenv", "CI", "true"]);
        assert!(ours.is_some() && ours < position(&arguments, &["--setenv", "CI", "no"]));
        assert!(position(&arguments, &["--chdir", "/work/crates/one"]).is_some(), "{arguments:?}");
    }
}
