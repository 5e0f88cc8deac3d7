//! GitHub Actions for the demo: the workflows that we ship, and a runner that executes them.
//!
//! Invariants: the workflows are those of `action/examples/` with their hashes filled in; the
//! program that they install is this one, packed as a release packs it, and compared with its
//! SHA-256.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::AnyError;
use crate::config::{environment, variable};
use crate::core::examples::{ACTION_MISSING, DIGEST_MISSING, Example};
use crate::sandbox::{Exit, Sandbox, SandboxCommand, SandboxLimits, Toolchain, Unconfined};
use gander_emulator::{Emulator, Foreign, RunReport, Runner, Setup};

/// The commit of the Action that the demo's workflows name.
const ACTION: &str = "0123456789abcdef0123456789abcdef01234567";
const PAUSE: Duration = Duration::from_millis(25);
/// What the Action's steps start besides what every system has, as GitHub's own machines have it.
const PROGRAMS: [&str; 4] = ["bash", "curl", "git", "tar"];

/// The program as the Action downloads it.
pub(super) struct Download {
    url: String,
    sha256: String,
}

/// What runs workflows in the emulator, and what they came to.
pub(super) struct Workflows {
    runner: Runner,
    reports: Arc<Mutex<Vec<RunReport>>>,
}

/// Sees to it, before the story begins, that its workflows can run.
///
/// # Errors
/// When a program is missing.
pub(super) fn can_run(path: &str) -> Result<(), String> {
    let is_there = |name: &&str| std::env::split_paths(path).any(|it| it.join(name).is_file());
    let missing: Vec<&str> = PROGRAMS.into_iter().filter(|name| !is_there(name)).collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "the demo's workflows need {}, as on GitHub's machines: install that and start again",
            missing.join(" and ")
        )),
    }
}

impl Download {
    /// Packs this very program.
    pub(super) async fn pack(folder: &Path) -> Result<Self, AnyError> {
        let version = env!("CARGO_PKG_VERSION");
        let name = format!("gander-{version}-{}-linux", std::env::consts::ARCH);
        std::fs::create_dir_all(folder.join(&name))?;
        std::fs::copy(std::env::current_exe()?, folder.join(&name).join("gander"))?;
        // Half of a development build is for debuggers, and each job unpacks it.
        let line = format!(
            "strip {name}/gander 2> /dev/null
             tar --create {name} | gzip --fast > {name}.tar.gz && sha256sum {name}.tar.gz"
        );
        let command = SandboxCommand::shell(line, folder);
        let shell = Unconfined::new(environment());
        let output =
            shell.run(&command, &SandboxLimits::default(), &CancellationToken::new()).await?;
        if output.exit != Exit::Code(0) {
            return Err(format!("the program could not be packed: {}", output.stderr.text).into());
        }
        let said = output.stdout.text;
        let sha256 = said.split(' ').next().unwrap_or_default().to_owned();
        Ok(Self { url: format!("file://{}/{name}.tar.gz", folder.display()), sha256 })
    }

    /// A workflow of ours as a maintainer would commit it, with the download taken from this disk.
    pub(super) fn filled(&self, example: Example) -> String {
        let digest = format!("{}\n          url: {}", self.sha256, self.url);
        example.text().replace(ACTION_MISSING, ACTION).replace(DIGEST_MISSING, &digest)
    }
}

impl Workflows {
    /// A runner for the emulator, with the Action and these toolchains.
    pub(super) fn new(
        emulator: &Emulator,
        folder: &Path,
        toolchains: &[Toolchain],
    ) -> Result<Self, AnyError> {
        let action = folder.join("action");
        let jobs = folder.join("jobs");
        std::fs::create_dir(&action)?;
        std::fs::create_dir(&jobs)?;
        std::fs::write(action.join("action.yml"), include_str!("../../../action/action.yml"))?;
        let install = action.join("install.sh");
        std::fs::write(&install, include_str!("../../../action/install.sh"))?;
        std::fs::set_permissions(&install, std::fs::Permissions::from_mode(0o755))?;
        let mut path: Vec<String> =
            toolchains.iter().map(|it| it.host_dir.join("bin").display().to_string()).collect();
        path.extend(variable("PATH"));
        let text =
            format!("{}{}", Example::Release.text(), include_str!("../../../action/action.yml"));
        let all = [
            Foreign::Checkout,
            Foreign::UploadArtifact,
            Foreign::DownloadArtifact,
            Foreign::Attest,
        ];
        let pinned = |foreign: Foreign| {
            let rest = text.split_once(&format!("{}@", foreign.name()))?.1;
            Some((foreign, rest.get(..40)?.to_owned()))
        };
        let setup = Setup {
            actions: BTreeMap::from([(format!("gander-app/gander/action@{ACTION}"), action)]),
            foreign: all.into_iter().filter_map(pinned).collect(),
            work: jobs,
            path: path.join(":").into(),
            ..Setup::default()
        };
        let runner = Runner::new(emulator, setup);
        runner.hears_pushes();
        Ok(Self { runner, reports: Arc::default() })
    }

    /// Runs whatever is queued, until it is stopped.
    pub(super) fn start(&self, stop: CancellationToken) {
        let (runner, reports) = (self.runner.clone(), Arc::clone(&self.reports));
        tokio::spawn(async move {
            while !stop.is_cancelled() {
                match runner.run_queued().await {
                    Ok(ran) => {
                        reports.lock().unwrap_or_else(PoisonError::into_inner).extend(ran);
                    }
                    Err(trouble) => tracing::error!(%trouble, "the runner of the emulator failed"),
                }
                tokio::time::sleep(PAUSE).await;
            }
        });
    }

    /// What ran so far.
    pub(super) fn reports(&self) -> Vec<RunReport> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
