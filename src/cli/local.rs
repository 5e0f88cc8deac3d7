//! A repository on this machine, as `gander run` and `gander check` work on it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::AnyError;
use crate::app::{egress_to, installed_toolchains, registries, sandbox};
use crate::clock::Clock;
use crate::config::{ModelChoice, cache_directory, environment, usual_key, variable};
use crate::core::id::Sha;
use crate::core::path::RepoPath;
use crate::core::policy::{RULES_PATH, Rules};
use crate::egress::PrivateAddresses;
use crate::environment::Environments;
use crate::model::Provider;
use crate::sandbox::{Sandbox, Unconfined};
use crate::workspace::builds::Builds;
use crate::workspace::mirror::{History, Mirror, Source, Want};
use crate::workspace::scratch::Scratch;

/// The repository that a directory is in: a checkout or a bare one.
pub(super) fn repository(named: &Path) -> Result<PathBuf, String> {
    let shown = named.display();
    let named = named
        .canonicalize()
        .map_err(|error| format!("the repository {shown} cannot be opened: {error}"))?;
    let is_bare = |path: &Path| path.join("objects").is_dir() && path.join("HEAD").is_file();
    let top = named.ancestors().find(|path| path.join(".git").exists() || is_bare(path));
    top.map(Path::to_owned).ok_or_else(|| {
        format!("{shown} is in no git repository: name a directory of one, such as a checkout")
    })
}

/// Takes a commit over: the one that is checked out, or the one named.
pub(super) async fn fetch(
    repository: &Path,
    base: Option<&str>,
    mirror: &Mirror,
) -> Result<Sha, AnyError> {
    const TIME: Duration = Duration::from_secs(15 * 60);
    let source = Source::Path(repository);
    let fetched = match base {
        None => mirror.fetch(source, Want::Head, History::Tip, TIME).await,
        Some(base) => {
            let commit = mirror.commit_called(base, repository).await?;
            mirror.fetch(source, Want::Commit(&commit), History::Tip, TIME).await
        }
    };
    fetched.map_err(|error| match is_partial(repository) {
        true => format!(
            "{error}\nThe repository is a partial clone: it lacks files, and Gander asks nobody for \
             them. Get them with `git -C {} fetch --refetch --no-filter`.",
            repository.display()
        )
        .into(),
        false => error.into(),
    })
}

/// Whether git was told to leave objects out when it was cloned.
fn is_partial(repository: &Path) -> bool {
    let settings = [repository.join(".git/config"), repository.join("config")];
    let texts = settings.iter().filter_map(|path| std::fs::read_to_string(path).ok());
    let mut lines = texts.flat_map(|text| {
        text.lines().map(|line| line.trim().to_ascii_lowercase()).collect::<Vec<_>>()
    });
    lines.any(|line| line.starts_with("promisor") || line.starts_with("partialclone"))
}

/// The rules at a commit, never from the work tree.
pub(super) fn rules_at(mirror: &Mirror, base: &Sha) -> Result<Rules, AnyError> {
    const LARGEST: u64 = 1024 * 1024;
    let path: RepoPath = RULES_PATH.parse()?;
    let bytes = mirror.read_file(base, &path, LARGEST)?.unwrap_or_default();
    Ok(Rules::parse(&String::from_utf8_lossy(&bytes))?)
}

/// Whoever runs this is the operator: a mirror of registries may be in their own network.
pub(super) fn environments(offline: bool, cache: &Path) -> Result<Environments, AnyError> {
    let egress = match offline {
        true => None,
        false => Some(egress_to(registries(), PrivateAddresses::Allow)?),
    };
    Ok(Environments::new(&kept_in(cache), egress, installed_toolchains()))
}

/// What checks of a repository built: those of the branch that is checked out, or of what the
/// commit was asked for as.
pub(super) fn builds(
    repository_in: &Path,
    base: Option<&str>,
    cache: &Path,
) -> Result<Builds, AnyError> {
    Ok(Builds::of(&kept_in(cache), line(repository_in, base)?))
}

/// Where the results of checks of a repository's commits stay.
pub(super) fn base_checks(repository: &Path, cache: &Path) -> PathBuf {
    let digest = Sha256::digest(repository.as_os_str().as_encoded_bytes());
    kept_in(cache).join("base-checks").join(hex::encode(digest))
}

fn line(repository_in: &Path, base: Option<&str>) -> Result<String, AnyError> {
    let repository = repository(repository_in)?;
    let head = [repository.join(".git/HEAD"), repository.join("HEAD")];
    let head = head.iter().find_map(|path| std::fs::read_to_string(path).ok());
    let branch = base.map_or_else(|| head.unwrap_or_default(), str::to_owned);
    Ok(format!("{} {}", repository.display(), branch.trim()))
}

/// Removes what runs that were killed left more than a day ago.
pub(super) async fn clear_old(cache: &Path) {
    const DAY: i64 = 24 * 60 * 60;
    let scratch = Scratch::below(&kept_in(cache));
    scratch.clear_before(Clock::system().now().0 / 1000 - DAY);
    scratch.empty_trash(&CancellationToken::new()).await;
}

/// Where something stays for the next time.
fn kept_in(cache: &Path) -> PathBuf {
    cache_directory().map_or_else(|| cache.to_owned(), |kept| kept.join("gander"))
}

/// Whose model it is that is named, and with which key it is asked: `key`, else that of the
/// environment.
pub(super) fn model_choice(
    text: &str,
    said: Option<Provider>,
    key: Option<SecretString>,
) -> Result<ModelChoice, String> {
    let parts = text.split_once(':');
    if let (Some(("scripted", file)), None) = (parts, said) {
        return Ok(ModelChoice::Script(file.into()));
    }
    let named = || parts.and_then(|(provider, name)| Some((provider.parse().ok()?, name)));
    let by_name = || Some((Provider::of(text)?, text));
    let found = said.map(|provider| (provider, text)).or_else(named).or_else(by_name);
    let (provider, name) = found.ok_or_else(|| {
        format!(
            "whose model {text:?} is, its name does not say: add --provider anthropic or \
             --provider openai"
        )
    })?;
    let (usual, _) = usual_key(provider);
    let known = || variable("GANDER_MODEL_KEY").or_else(|| variable(usual)).map(SecretString::from);
    let key = key.or_else(known).ok_or_else(|| {
        let provider = provider.name();
        format!("no key for {provider}: set {usual}, or use --model scripted:FILE to try without")
    })?;
    Ok(ModelChoice::Provider {
        provider: provider.name().to_owned(),
        names: vec![name.to_owned()],
        key,
        base_url: None,
        pictures: None,
    })
}

pub(super) fn sandbox_for(no_sandbox: bool) -> Arc<dyn Sandbox> {
    if no_sandbox { Arc::new(Unconfined::new(environment())) } else { Arc::new(sandbox()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_of_a_checkout_finds_its_repository_and_a_partial_clone_is_known() {
        let place = tempfile::tempdir().unwrap();
        let top = place.path().canonicalize().unwrap();
        std::fs::create_dir_all(top.join("one/src/deep")).unwrap();
        std::fs::create_dir_all(top.join("one/.git")).unwrap();
        std::fs::create_dir_all(top.join("bare/objects")).unwrap();
        std::fs::write(top.join("bare/HEAD"), "ref: refs/heads/main\n").unwrap();
        assert_eq!(repository(&top.join("one/src/deep")).unwrap(), top.join("one"));
        assert_eq!(repository(&top.join("one")).unwrap(), top.join("one"));
        assert_eq!(repository(&top.join("bare")).unwrap(), top.join("bare"));
        let none = repository(&top).unwrap_err();
        assert!(none.contains("is in no git repository"), "{none}");
        assert!(!is_partial(&top.join("one")));
        let config = "[remote \"origin\"]\n\tpromisor = true\n";
        std::fs::write(top.join("one/.git/config"), config).unwrap();
        assert!(is_partial(&top.join("one")));
    }
}
