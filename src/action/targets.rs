//! What a release brings to package registries.
//!
//! Invariants: every registry is looked at, and every credential had, before anything anywhere is
//! changed; what is there already with the same digest is done, and with another digest a reason to
//! stop; a credential for minutes is given back however the run ends.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use super::{ActionError, files};
use crate::core::fault::ErrorKind;
use crate::core::manifest::Digest;
use crate::core::release_gate::ReleasePlan;
use crate::core::report::registries::{Brought, TargetRefused};
use crate::core::target::ReleaseTarget;
use crate::registry::{
    BuiltFile, FileStanding, IdTokens, Registry, RegistryError, Upload, in_order,
};

/// How long a registry may take to show what it took, in looks of growing distance.
const LOOKS: [u64; 8] = [0, 1, 2, 4, 8, 15, 30, 60];

/// The registries that this job can speak to, and with what.
#[derive(Default)]
#[allow(missing_docs)]
pub struct Registries {
    pub all: Vec<Arc<Registry>>,
    /// Secrets that the workflow file hands in.
    pub tokens: BTreeMap<ReleaseTarget, SecretString>,
    /// Where the job may say who it is.
    pub id_tokens: Option<IdTokens>,
}

/// One file, and what its registry has of it.
struct PlannedUpload {
    registry: Arc<Registry>,
    upload: Upload,
    standing: FileStanding,
}

/// Everything that goes to registries, with the credentials that it takes.
pub(super) struct PreparedUploads {
    planned: Vec<PlannedUpload>,
    credentials: BTreeMap<(ReleaseTarget, String), SecretString>,
    /// Those of them that are to be given back.
    for_minutes: Vec<(Arc<Registry>, SecretString)>,
}

/// Looks at every registry that the rules name. Changes nothing.
pub(super) async fn prepare(
    registries: &Registries,
    plan: &ReleasePlan,
    directory: &Path,
    only_check: bool,
) -> Result<Result<PreparedUploads, TargetRefused>, ActionError> {
    let mut prepared = PreparedUploads {
        planned: Vec::new(),
        credentials: BTreeMap::new(),
        for_minutes: Vec::new(),
    };
    if plan.targets().is_empty() {
        return Ok(Ok(prepared));
    }
    let built = built(plan, directory)?;
    for target in plan.targets() {
        let found = registries.all.iter().find(|registry| registry.target() == *target);
        let Some(registry) = found else { continue };
        let uploads = match uploads(registry, &built, plan.version()) {
            Ok(uploads) => uploads,
            Err(refused) => return Ok(Err(refused)),
        };
        for upload in uploads {
            let standing = registry.standing(&upload).await?;
            if let FileStanding::Other(theirs) = standing {
                let (file, ours) = (upload.file.name.to_string(), Digest::of(&upload.file.content));
                return Ok(Err(TargetRefused::Taken { target: *target, file, theirs, ours }));
            }
            prepared.planned.push(PlannedUpload {
                registry: Arc::clone(registry),
                upload,
                standing,
            });
        }
    }
    if only_check {
        return Ok(Ok(prepared));
    }
    match prepared.ask_for_credentials(registries).await {
        Ok(None) => Ok(Ok(prepared)),
        Ok(Some(refused)) => {
            prepared.give_back().await;
            Ok(Err(refused))
        }
        Err(error) => {
            prepared.give_back().await;
            Err(error.into())
        }
    }
}

/// The files that were built, once more from the disk.
fn built(plan: &ReleasePlan, directory: &Path) -> Result<Vec<BuiltFile>, ActionError> {
    let mut built = Vec::new();
    for file in plan.files() {
        let content = files::content(directory, file.name.as_str())?;
        if Digest::of(&content) != file.sha256 {
            let words = format!("{} changed while it was being published", file.name);
            return Err(ActionError::Manifest(words));
        }
        built.push(BuiltFile { name: file.name.clone(), content });
    }
    Ok(built)
}

/// What of the build is for this registry, in order.
fn uploads(
    registry: &Registry,
    built: &[BuiltFile],
    version: &str,
) -> Result<Vec<Upload>, TargetRefused> {
    let target = registry.target();
    let uploads = registry
        .uploads(built, version)
        .map_err(|unfit| TargetRefused::Unfit { target, why: unfit.to_string() })?;
    if uploads.is_empty() {
        return Err(TargetRefused::NothingBuilt { target });
    }
    let other = uploads.iter().find(|upload| !registry.is_of(upload, version));
    if let Some(other) = other {
        let (file, says) = (other.file.name.to_string(), other.version.clone());
        return Err(TargetRefused::OtherVersion {
            target,
            file,
            says,
            version: version.to_owned(),
        });
    }
    Ok(in_order(uploads))
}

impl PreparedUploads {
    /// For each file that is to be published, so that nothing stops half-way for want of a right.
    async fn ask_for_credentials(
        &mut self,
        registries: &Registries,
    ) -> Result<Option<TargetRefused>, RegistryError> {
        for PlannedUpload { registry, upload, standing } in &self.planned {
            let target = registry.target();
            let scope = (target, registry.credential_scope(upload).to_owned());
            if *standing == FileStanding::Same || self.credentials.contains_key(&scope) {
                continue;
            }
            if let Some(token) = registries.tokens.get(&target) {
                self.credentials.insert(scope, token.clone());
                continue;
            }
            let Some(id_tokens) = &registries.id_tokens else {
                return Ok(Some(TargetRefused::NoCredential { target }));
            };
            match registry.trusted(id_tokens, upload).await {
                Ok(token) => {
                    self.for_minutes.push((Arc::clone(registry), token.clone()));
                    self.credentials.insert(scope, token);
                }
                Err(error) if matches!(error.kind(), ErrorKind::Permanent) => {
                    let (package, why) = (upload.package.clone(), error.to_string());
                    return Ok(Some(TargetRefused::NotTrusted { target, package, why }));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Publishes what is not there, and waits until it is shown.
    pub(super) async fn publish(&self) -> Result<(), RegistryError> {
        for PlannedUpload { registry, upload, standing } in &self.planned {
            let scope = (registry.target(), registry.credential_scope(upload).to_owned());
            let Some(credential) = self.credentials.get(&scope) else { continue };
            // Looked at again: a run that was thought dead may have been quicker.
            if *standing == FileStanding::Same
                || registry.standing(upload).await? == FileStanding::Same
            {
                continue;
            }
            registry.publish(upload, credential).await?;
            shown(registry, upload).await?;
        }
        Ok(())
    }

    pub(super) async fn give_back(&mut self) {
        for (registry, credential) in self.for_minutes.drain(..) {
            registry.give_back(&credential).await;
        }
    }

    /// What is brought where, for people.
    pub(super) fn told(&self) -> Vec<Brought> {
        let told = |it: &PlannedUpload| Brought {
            target: it.registry.target(),
            package: it.upload.package.clone(),
            version: it.upload.version.clone(),
            file: it.upload.file.name.to_string(),
            was_there: it.standing == FileStanding::Same,
        };
        self.planned.iter().map(told).collect()
    }
}

/// What needs a package can be published only when the package is shown.
async fn shown(registry: &Registry, upload: &Upload) -> Result<(), RegistryError> {
    for seconds in LOOKS {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        if registry.standing(upload).await? == FileStanding::Same {
            return Ok(());
        }
    }
    Err(RegistryError::NotShown {
        registry: registry.target().to_string(),
        package: upload.package.clone(),
        version: upload.version.clone(),
    })
}
