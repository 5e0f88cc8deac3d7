//! A second emulator that remembers what the first does.
//!
//! Invariants: neither hears of what happens in the other afterwards; plans for faults and the
//! record of requests begin anew.

use std::path::Path;

use super::state::State;
use super::{Emulator, Options, Trouble};

impl Emulator {
    /// Another GitHub, on a port of its own, in which everything happened that happened here.
    ///
    /// # Errors
    /// When the repositories cannot be copied, or no port can be had.
    pub async fn copy(&self, options: Options) -> Result<Self, Trouble> {
        let copy = Self::start(options).await?;
        copy.lock().remember(&self.lock())?;
        Ok(copy)
    }
}

impl State {
    fn remember(&mut self, other: &Self) -> Result<(), Trouble> {
        let copied = copy_files(&other.root, &self.root);
        copied.map_err(|source| Trouble::Disk { doing: "copy the repositories", source })?;
        self.ids = other.ids.clone();
        self.accounts = other.accounts.clone();
        self.apps = other.apps.clone();
        self.installations = other.installations.clone();
        self.tokens = other.tokens.clone();
        self.repositories = other.repositories.clone();
        self.former_names = other.former_names.clone();
        for repository in self.repositories.values_mut() {
            repository.git = repository.git.copied(&other.root, &self.root);
        }
        self.hooks = other.hooks.clone();
        self.uploads = other.uploads.clone();
        self.workflows_hear = other.workflows_hear;
        self.timeline = other.timeline.clone();
        self.unclaimed = other.unclaimed.clone();
        self.browser = other.browser;
        self.owners = other.owners.clone();
        self.sign_ins = other.sign_ins.clone();
        Ok(())
    }
}

fn copy_files(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_files(&entry.path(), &to)?;
        } else {
            std::fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}
