//! What this machine gives: sandbox, toolchains, disk and database.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use secrecy::ExposeSecret;

use super::causes::in_full;
use crate::app;
use crate::config::Config;
use crate::core::checklist::ChecklistItem;
use crate::sandbox::{ControlGroups, Landlock, MemoryLimit, Probe, Sandbox, SandboxError, refusal};
use crate::store::{DatabaseState, Postgres, Sqlite};

const GIB: u64 = 1 << 30;
/// Below this, Gander fetches and keeps nothing more, and ends runs.
const LEAST_ROOM: u64 = GIB;
/// What some days of jobs take.
const ENOUGH_ROOM: u64 = 5 * GIB;
/// Files that runs leave to others, and that mirrors need.
const LEAST_FILES: u64 = 10_000;

/// Runs something in it, and says what holds.
pub(super) async fn sandbox() -> ChecklistItem {
    const NAME: &str = "sandbox";
    let sandbox = app::sandbox().within(ControlGroups::delegated());
    let probe = match sandbox.probe().await {
        Ok(probe) => probe,
        Err(error) => {
            let next = match &error {
                SandboxError::NoRoom(_) => "make room, and look again",
                _ if refusal::needs_apparmor_profile() => {
                    "let AppArmor allow it: docs/install.md, section Ubuntu"
                }
                _ => "docs/install.md, section Sandbox, has what each machine needs",
            };
            return ChecklistItem::failed(NAME, in_full(&error), next);
        }
    };
    let overlays = sandbox.has_overlays().await;
    let mut missing = probe.missing();
    if !overlays {
        missing.push("no overlays, so node_modules is read-only for commands".to_owned());
    }
    let seen = active(&probe, overlays);
    match missing.is_empty() {
        true => ChecklistItem::ok(NAME, seen),
        false => ChecklistItem::warning(
            NAME,
            format!("{seen}\nit has {}", missing.join("; ")),
            "none, if you accept that: commands of a repository are confined all the same",
        ),
    }
}

fn active(probe: &Probe, overlays: bool) -> String {
    let landlock = match probe.landlock {
        Landlock::Whole => ", Landlock",
        Landlock::Part => ", part of Landlock",
        Landlock::None => "",
    };
    let memory = match &probe.memory_limit {
        MemoryLimit::ControlGroup => ", a control group",
        MemoryLimit::Watched(_) | MemoryLimit::PerProcess => "",
    };
    let overlays = if overlays { ", overlays" } else { "" };
    format!(
        "{}: user, process, network and mount namespaces, a filter that denies {} system calls\
         {landlock}{memory}{overlays}",
        probe.version,
        probe.denied.len()
    )
}

/// Which compilers and interpreters commands find.
pub(super) fn toolchains() -> ChecklistItem {
    let all = app::installed_toolchains();
    let named = |one: &crate::sandbox::InstalledToolchain| {
        format!("{} {}", one.toolchain.name, one.version)
    };
    let names: Vec<String> = all.iter().map(named).collect();
    match names.is_empty() {
        true => ChecklistItem::warning(
            "toolchains",
            "none beside the system's own programs",
            "install what your projects are built with for this user, such as rustup or pyenv; \
             docs/config.md names the places that are looked at",
        ),
        false => ChecklistItem::ok("toolchains", names.join(", ")),
    }
}

/// Whether what is kept is its owner's alone, and can be written.
pub(super) fn data_directory(data: &Path) -> ChecklistItem {
    const NAME: &str = "data";
    let shown = data.display();
    let Ok(there) = data.metadata() else {
        let seen = format!("{shown} is not there yet, and will be made for its owner alone");
        return ChecklistItem::ok(NAME, seen);
    };
    if !there.is_dir() {
        let seen = format!("{shown} is no directory");
        return ChecklistItem::failed(NAME, seen, "name another as `data` or GANDER_DATA");
    }
    if rustix::fs::access(data, rustix::fs::Access::WRITE_OK).is_err() {
        let seen = format!("{shown} cannot be written by this user");
        let next = format!("give it to the user of `gander serve`: chown -R USER {shown}");
        return ChecklistItem::failed(NAME, seen, next);
    }
    let mode = there.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let seen = format!("{shown} is open to other users of this machine (mode {mode:04o})");
        return ChecklistItem::failed(NAME, seen, format!("run `chmod 700 {shown}`"));
    }
    ChecklistItem::ok(NAME, format!("{shown} is its owner's alone"))
}

/// Whether there is room for what is kept.
pub(super) fn disk(data: &Path) -> ChecklistItem {
    const NAME: &str = "disk";
    let place = data.ancestors().find(|place| place.exists()).unwrap_or(Path::new("."));
    let place = if place.as_os_str().is_empty() { Path::new(".") } else { place };
    let disk = match rustix::fs::statvfs(place) {
        Ok(disk) => disk,
        Err(error) => {
            let seen = format!("the room at {} cannot be told: {error}", place.display());
            return ChecklistItem::unknown(NAME, seen, "see with `df` that there is room");
        }
    };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let seen = format!("{} are free at {}", in_units(free), place.display());
    if disk.f_files > 0 && disk.f_favail < LEAST_FILES {
        let seen = format!("{} more files can be made at {}", disk.f_favail, place.display());
        return ChecklistItem::failed(NAME, seen, "remove files there, or name another `data`");
    }
    if free < LEAST_ROOM {
        let next = "make room, or name a larger place as `data`: below 1 GiB Gander keeps nothing \
                    more, and ends what runs";
        return ChecklistItem::failed(NAME, seen, next);
    }
    if free < ENOUGH_ROOM {
        return ChecklistItem::warning(NAME, seen, "make room: some days of jobs take 5 GiB");
    }
    ChecklistItem::ok(NAME, seen)
}

fn in_units(bytes: u64) -> String {
    match bytes {
        GIB.. => format!("{} GiB", bytes / GIB),
        _ => format!("{} MiB", bytes >> 20),
    }
}

/// Whether the database can be used, and is of this version.
pub(super) async fn database(config: &Config) -> ChecklistItem {
    const NAME: &str = "database";
    let (kind, looked) = match &config.database {
        Some(address) => ("PostgreSQL", Postgres::look(address.expose_secret()).await),
        None => ("SQLite", Sqlite::look(&config.data.join("gander.db")).await),
    };
    match looked {
        Ok(DatabaseState::New) => {
            ChecklistItem::ok(NAME, format!("{kind}; its tables will be made at the first start"))
        }
        Ok(DatabaseState::Current) => {
            ChecklistItem::ok(NAME, format!("{kind}, with the tables of this version"))
        }
        Ok(DatabaseState::Behind(steps)) => ChecklistItem::warning(
            NAME,
            format!("{kind} of an older version: {steps} steps are taken at the next start"),
            "make a backup first: afterwards the older version does not start any more",
        ),
        Ok(DatabaseState::Ahead(step)) => ChecklistItem::failed(
            NAME,
            format!("{kind} of a newer version of Gander (step {step}): this one does not start"),
            "use the newer version again, or go back to the backup that was made before it",
        ),
        Ok(DatabaseState::Foreign(step)) => ChecklistItem::failed(
            NAME,
            format!("the tables in this {kind} are not Gander's (step {step} is another)"),
            "give Gander a database of its own",
        ),
        Err(error) => ChecklistItem::failed(
            NAME,
            format!("{kind}: {}", in_full(&error)),
            "see that it is there and can be read by this user",
        ),
    }
}
