//! What a release brings to package registries.
//!
//! Invariants: every registry is looked at, and every credential had, before anything anywhere is
//! changed; what is there already with the same digest is done, and with another digest a reason to
//! stop; a credential for minutes is given back however the run ends.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

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
    credentials: BTreeMap<(ReleaseTarget, String), Credential>,
    id_tokens: Option<IdTokens>,
}

/// What a registry takes, and since when it is had where it lives for minutes.
struct Credential {
    registry: Arc<Registry>,
    secret: SecretString,
    for_minutes_since: Option<Instant>,
}

/// A credential for minutes that is older is had anew: the shortest live for fifteen.
const FRESH: Duration = Duration::from_secs(8 * 60);

/// Looks at every registry that the rules name, and leaves nothing changed there.
pub(super) async fn prepare(
    registries: &Registries,
    plan: &ReleasePlan,
    directory: &Path,
    only_check: bool,
) -> Result<Result<PreparedUploads, TargetRefused>, ActionError> {
    let id_tokens = registries.id_tokens.clone();
    let mut prepared =
        PreparedUploads { planned: Vec::new(), credentials: BTreeMap::new(), id_tokens };
    if plan.targets().is_empty() {
        return Ok(Ok(prepared));
    }
    let named = |registry: &&Arc<Registry>| plan.targets().contains(&registry.target());
    let named: Vec<&Arc<Registry>> = registries.all.iter().filter(named).collect();
    let built = built(plan, directory, &named)?;
    for target in plan.targets() {
        let found = named.iter().find(|registry| registry.target() == *target);
        let Some(registry) = found else {
            return Ok(Err(TargetRefused::NoAddress { target: *target }));
        };
        let uploads = match uploads(registry, &built, plan.version()) {
            Ok(uploads) => uploads,
            Err(refused) => return Ok(Err(refused)),
        };
        for upload in uploads {
            let standing = registry.standing(&upload).await?;
            if let FileStanding::Other(theirs) = standing {
                let (file, ours) = (upload.file.name.to_string(), upload.digest.clone());
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

/// The files that were built and that a registry may take, once more from the disk.
fn built(
    plan: &ReleasePlan,
    directory: &Path,
    registries: &[&Arc<Registry>],
) -> Result<Vec<BuiltFile>, ActionError> {
    let mut built = Vec::new();
    let taken = |name: &str| registries.iter().any(|registry| registry.may_take(name));
    for file in plan.files().iter().filter(|file| taken(file.name.as_str())) {
        let content = files::content(directory, file.name.as_str())?;
        if Digest::of(&content) != file.sha256 {
            let words = format!("{} changed while it was being published", file.name);
            return Err(ActionError::Manifest(words));
        }
        built.push(BuiltFile { name: file.name.clone(), content: content.into() });
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
    let uploads = registry.uploads(built, version).map_err(|unfit| TargetRefused::Unfit {
        target,
        file: unfit.file,
        why: unfit.why,
    })?;
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
            if *standing == FileStanding::Same {
                continue;
            }
            let handed_in = registries.tokens.get(&target);
            let package = || upload.package.clone();
            if *standing == FileStanding::NewPackage && handed_in.is_none() {
                return Ok(Some(TargetRefused::FirstVersion { target, package: package() }));
            }
            if self.credentials.contains_key(&scope) {
                continue;
            }
            let (secret, for_minutes_since) = match (handed_in, &self.id_tokens) {
                (Some(secret), _) => match registry.may_publish().await {
                    Ok(()) => (secret.clone(), None),
                    Err(error) if matches!(error.kind(), ErrorKind::Permanent) => {
                        let why = error.to_string();
                        return Ok(Some(TargetRefused::MayNot { target, why }));
                    }
                    Err(error) => return Err(error),
                },
                (None, None) => return Ok(Some(TargetRefused::NoCredential { target })),
                (None, Some(id_tokens)) => match registry.trusted(id_tokens, upload).await {
                    Ok(Some(secret)) => (secret, Some(Instant::now())),
                    Ok(None) => return Ok(Some(TargetRefused::NoCredential { target })),
                    Err(error) if matches!(error.kind(), ErrorKind::Permanent) => {
                        let (package, why) = (package(), error.to_string());
                        return Ok(Some(TargetRefused::NotTrusted { target, package, why }));
                    }
                    Err(error) => return Err(error),
                },
            };
            let registry = Arc::clone(registry);
            self.credentials.insert(scope, Credential { registry, secret, for_minutes_since });
        }
        Ok(None)
    }

    /// Publishes what is not there, and waits until it is shown.
    pub(super) async fn publish(&mut self) -> Result<(), RegistryError> {
        for planned in &mut self.planned {
            let PlannedUpload { registry, upload, .. } = planned;
            let scope = (registry.target(), registry.credential_scope(upload).to_owned());
            let Some(credential) = self.credentials.get_mut(&scope) else { continue };
            // Looked at again: a run that was thought dead may have been quicker.
            let standing = registry.standing(upload).await?;
            if let FileStanding::Other(theirs) = standing {
                let (registry, file) =
                    (registry.target().to_string(), upload.file.name.to_string());
                return Err(RegistryError::Taken { registry, file, theirs });
            }
            if standing != FileStanding::Same {
                credential.renewed(self.id_tokens.as_ref(), upload).await?;
                match registry.publish(upload, &credential.secret).await {
                    Ok(()) => {}
                    // What came back of an earlier try may be behind the times.
                    Err(error) if error.says_already() && registry.keeps_what_it_has() => {}
                    Err(error) => return Err(error),
                }
                shown(registry, upload).await?;
            }
            planned.standing = FileStanding::Same;
        }
        Ok(())
    }

    pub(super) async fn give_back(&mut self) {
        for (_, credential) in std::mem::take(&mut self.credentials) {
            if credential.for_minutes_since.is_some() {
                credential.registry.give_back(&credential.secret).await;
            }
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

impl Credential {
    /// Has it anew where it may end before it is used.
    async fn renewed(
        &mut self,
        id_tokens: Option<&IdTokens>,
        upload: &Upload,
    ) -> Result<(), RegistryError> {
        let old = self.for_minutes_since.is_some_and(|since| since.elapsed() > FRESH);
        let Some(id_tokens) = id_tokens.filter(|_| old) else { return Ok(()) };
        self.registry.give_back(&self.secret).await;
        if let Some(secret) = self.registry.trusted(id_tokens, upload).await? {
            (self.secret, self.for_minutes_since) = (secret, Some(Instant::now()));
        }
        Ok(())
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
