//! Landlock: a second layer around files, behind the mounts.
//!
//! Invariants: only what the sandbox is meant to show can be read, and only its private places and
//! the tree can be written, whatever was mounted besides or is reached through an open descriptor.

use std::io;

use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, LandlockStatus, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetStatus, Scope, path_beneath_rules,
};

/// How much of it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Landlock {
    /// All that we ask for.
    Whole,
    /// What an older kernel has of it.
    Part,
    /// Nothing: the kernel has none, or it is switched off.
    None,
}

impl Landlock {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Part => "part",
            Self::None => "none",
        }
    }

    /// What is not known is nothing to rely on.
    pub(crate) fn of(word: &str) -> Self {
        [Self::Whole, Self::Part].into_iter().find(|it| it.word() == word).unwrap_or(Self::None)
    }
}

/// What we ask for: files (1), renaming (2), truncating (3), devices (5), signals (6).
const WANTED: ABI = ABI::V6;
/// What a command reads. `/bin` and its like are links into `/usr`.
const READ: &[&str] = &["/usr", "/etc", "/opt", "/proc", "/dev"];
/// What it writes as well, where its mount lets it.
const WRITTEN: &[&str] = &["/work", "/packages", "/tmp", "/home/gander", "/dev/shm"];

/// Restricts the calling thread and whatever it starts, for good.
///
/// # Errors
/// When the kernel has Landlock and does not take the rules.
pub(crate) fn restrict() -> io::Result<Landlock> {
    let all = AccessFs::from_all(WANTED);
    let read = AccessFs::from_read(WANTED);
    let devices = read | AccessFs::WriteFile | AccessFs::Truncate | AccessFs::IoctlDev;
    let names: BitFlags<AccessFs> = AccessFs::ReadDir.into();
    let restricted = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)
        .and_then(|rules| rules.scope(Scope::from_all(WANTED)))
        .and_then(Ruleset::create)
        .and_then(|rules| rules.add_rules(path_beneath_rules(["/"], names)))
        .and_then(|rules| rules.add_rules(path_beneath_rules(READ, read)))
        // Its own comm, its score for the killer; null, zero and the terminals it makes.
        .and_then(|rules| rules.add_rules(path_beneath_rules(["/proc", "/dev"], devices)))
        .and_then(|rules| rules.add_rules(path_beneath_rules(WRITTEN, all)))
        .and_then(|rules| rules.restrict_self())
        .map_err(io::Error::other)?;
    Ok(match (restricted.landlock, restricted.ruleset) {
        (LandlockStatus::NotEnabled | LandlockStatus::NotImplemented, _) => Landlock::None,
        (LandlockStatus::Available { .. }, RulesetStatus::FullyEnforced) => Landlock::Whole,
        (LandlockStatus::Available { .. }, RulesetStatus::PartiallyEnforced) => Landlock::Part,
        (LandlockStatus::Available { .. }, RulesetStatus::NotEnforced) => Landlock::None,
    })
}
