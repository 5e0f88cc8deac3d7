//! No sandbox: for a person's own machine who asked for it, and for a fresh runner without secrets.
//!
//! Invariants: the same limits, the same capped output and a small environment; but a command sees
//! the host, and one that leaves its process group may survive.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use async_trait::async_trait;
use rustix::process::Resource;
use tokio_util::sync::CancellationToken;

use super::guards::Guards;
use super::spawn::{self, Identity, Start};
use super::{
    CommandOutput, Landlock, MemoryLimit, Probe, ProcessLimit, Sandbox, SandboxCommand,
    SandboxError, SandboxLimits,
};

/// Commands run beside Gander itself.
#[derive(Debug, Clone)]
pub struct Unconfined {
    environment: Vec<(String, String)>,
    identity: Option<Identity>,
}

/// What a build may need of the caller's environment, and what is known to hold no secret.
const ALLOWED: &[&str] = &[
    "CARGO_HOME",
    "HOME",
    "LANG",
    "NVM_DIR",
    "PATH",
    "PYENV_ROOT",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "TMPDIR",
    "TZ",
    "USER",
    "VOLTA_HOME",
];

/// Outside a namespace the kernel counts every process and thread of the user, and a desktop has
/// many.
const OTHERS: u64 = 4096;

impl Unconfined {
    /// Passes on the harmless part of this environment.
    pub fn new(environment: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut environment: Vec<_> =
            environment.into_iter().filter(|(name, _)| ALLOWED.contains(&name.as_str())).collect();
        environment.push(("CI".into(), "true".into()));
        environment.push(("TERM".into(), "dumb".into()));
        Self { environment, identity: None }
    }

    /// The user to run as when Gander is root; trees must be writable for it.
    #[must_use]
    pub fn run_as(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }
}

#[async_trait]
impl Sandbox for Unconfined {
    fn name(&self) -> &'static str {
        "none"
    }

    fn is_closed(&self) -> bool {
        false
    }

    fn shows(&self, tree: &Path) -> PathBuf {
        tree.to_owned()
    }

    async fn probe(&self) -> Result<Probe, SandboxError> {
        spawn::identity(self.identity)?;
        Ok(Probe {
            version: "none".into(),
            process_limit: ProcessLimit::PerUser,
            memory_limit: MemoryLimit::PerProcess,
            denied: Vec::new(),
            landlock: Landlock::None,
        })
    }

    async fn run(
        &self,
        command: &SandboxCommand,
        limits: &SandboxLimits,
        stop: &CancellationToken,
    ) -> Result<CommandOutput, SandboxError> {
        command.check()?;
        let mut argv = command.words().into_iter();
        let mut bounds = spawn::bounds(limits);
        bounds.push((Resource::Nproc, limits.processes.saturating_add(OTHERS)));
        let mut environment = self.environment.clone();
        environment.extend(command.env.iter().cloned());
        let running = spawn::start(Start {
            program: argv.next().unwrap_or_default().into(),
            arguments: argv.map(Into::into).collect(),
            environment,
            directory: command.tree.join(&command.workdir),
            stdin: Stdio::null(),
            bounds,
            identity: spawn::identity(self.identity)?,
            hand_down: Vec::new(),
            join: None,
        })
        .await?;
        let guards = Guards::of(&command.tree, limits);
        let watched = running.watch(None, guards, limits, stop).await?;
        let (exit, wall) = (watched.ending.exit(), watched.wall);
        Ok(CommandOutput { exit, stdout: watched.stdout, stderr: watched.stderr, wall })
    }
}
