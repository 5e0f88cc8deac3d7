//! What the runner tells a job, and what the workflow file asks for.
//!
//! Invariants: everything comes by variables, never by an argument or a line of shell; what is
//! missing or malformed is named as it stands in the workflow file; the token's debug form shows
//! nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;

use secrecy::SecretString;
use strum::VariantArray as _;
use url::Url;

use crate::core::github::{RepoRef, Role};
use crate::core::id::{InstallationId, Number, RepoId, RunId, Sha};
use crate::core::manifest::{Digest, ReleaseId, RunAttempt};
use crate::core::policy::Requester;
use crate::core::release_gate::{ReleaseCheck, ReleaseRequest, Terms};
use crate::core::target::ReleaseTarget;

/// The addresses of package registries that a workflow file may name.
const REGISTRY_NAMES: [&str; 7] =
    ["container", "container-auth", "crates", "crates-api", "npm", "pypi", "pypi-upload"];

/// How only-check's file is called.
const PREDICATE_FILE: &str = "gander-release.predicate.json";

/// What a job is surrounded by.
#[derive(Debug)]
pub struct Surroundings {
    /// The checkout.
    pub workspace: PathBuf,
    /// Where the build puts its files, and publish finds them.
    pub directory: PathBuf,
    /// Where a job keeps what only it needs.
    pub temporary: PathBuf,
    /// Whether GitHub made this machine for this job alone.
    pub fresh_runner: bool,
    /// Whether *test* annotates what the rules against cheats find.
    pub cheats: bool,
    /// Lines for later steps.
    pub output: Option<PathBuf>,
    /// The page of the run.
    pub summary: Option<PathBuf>,
    /// The REST API.
    pub api: Url,
    /// The pages.
    pub web: Url,
    /// The job's own token, where it was handed in.
    pub token: Option<SecretString>,
}

/// What publish is asked, and what the workflow file demands.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct PublishInputs {
    pub repo: RepoRef,
    /// The hint.
    pub asked: ReleaseRequest,
    /// The demands.
    pub terms: Terms,
    /// Gander's own account, where the workflow file names it.
    pub gander: Option<String>,
    /// How people address Gander.
    pub prefix: String,
    /// Whether to look for an attestation.
    pub attest: Attest,
    /// The number of Gander's own App, where the workflow file names it.
    pub gander_app: Option<u64>,
    /// What GitHub signed of what only-check said.
    pub bundle: Option<PathBuf>,
    /// Where only-check says how the release came about.
    pub predicate: PathBuf,
    /// Whether to say only what would happen.
    pub only_check: bool,
}

/// Where package registries are, and what the workflow file hands in for them.
#[derive(Debug, Default)]
pub struct RegistryInputs {
    /// Addresses other than the public ones, by what `registries` calls them.
    pub addresses: BTreeMap<String, Url>,
    /// Secrets of the job's environment.
    pub tokens: BTreeMap<ReleaseTarget, SecretString>,
    /// Where the job asks for a token that says who it is, and with what.
    pub id_tokens: Option<(Url, SecretString)>,
}

/// Whether the workflow attests the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attest {
    /// The Action has it signed how the release came about, or there is no release.
    Sign,
    /// Another step may have: GitHub is asked.
    Auto,
    /// It does not.
    Off,
}

/// Something that was not given, or cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {problem}")]
pub struct InputError {
    /// As in the workflow file, or the runner's variable.
    pub name: &'static str,
    /// What is wrong.
    pub problem: String,
}

/// Looks variables up.
pub type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Surroundings {
    /// Reads what every mode needs.
    ///
    /// # Errors
    /// The first thing missing.
    pub fn read(variable: Variables<'_>) -> Result<Self, InputError> {
        let url = |name: &'static str, default: &str| {
            let text = variable(name).unwrap_or_else(|| default.to_owned());
            Url::parse(&text).map_err(|bad| problem(name, format!("{text:?}: {bad}")))
        };
        let workspace = variable("GITHUB_WORKSPACE").map_or_else(|| PathBuf::from("."), Into::into);
        Ok(Self {
            directory: variable("GANDER_INPUT_DIRECTORY")
                .map_or_else(|| workspace.join("gander-release"), PathBuf::from),
            workspace,
            temporary: variable("RUNNER_TEMP").map_or_else(std::env::temp_dir, Into::into),
            fresh_runner: variable("RUNNER_ENVIRONMENT").as_deref() == Some("github-hosted"),
            cheats: optional(variable, "GANDER_INPUT_CHEATS", "cheats", annotate)?.unwrap_or(false),
            output: variable("GITHUB_OUTPUT").map(PathBuf::from),
            summary: variable("GITHUB_STEP_SUMMARY").map(PathBuf::from),
            api: url("GITHUB_API_URL", "https://api.github.com")?,
            web: url("GITHUB_SERVER_URL", "https://github.com")?,
            token: variable("GANDER_INPUT_TOKEN").map(SecretString::from),
        })
    }
}

impl PublishInputs {
    /// Reads what the workflow file says.
    ///
    /// # Errors
    /// The first thing missing or malformed.
    pub fn read(variable: Variables<'_>) -> Result<Self, InputError> {
        let role = optional(variable, "GANDER_INPUT_APPROVER_ROLE", "approver-role", role)?;
        let requester = optional(variable, "GANDER_INPUT_REQUESTER", "requester", requester)?;
        let hours = optional(variable, "GANDER_INPUT_APPROVAL_HOURS", "approval-hours", hours)?;
        let attest = optional(variable, "GANDER_INPUT_ATTEST", "attest", attest)?;
        let only_check = optional(variable, "GANDER_INPUT_ONLY_CHECK", "only-check", yes_or_no)?;
        let own_app = optional(variable, "GANDER_INPUT_GANDER_APP_ID", "gander-app-id", number)?;
        let gander = optional(variable, "GANDER_INPUT_GANDER_LOGIN", "gander-login", bot)?;
        let required = needed(variable, "GANDER_INPUT_REQUIRED_CHECKS", "required-checks")?;
        Ok(Self {
            repo: repository(variable)?,
            asked: asked(variable)?,
            terms: Terms {
                role: role.unwrap_or(Role::Maintain),
                requester: requester.unwrap_or(Requester::IfAlone),
                required: required_checks(&required, own_app)?,
                approval_hours: hours.unwrap_or(24),
                manifest: manifest(variable)?,
            },
            gander,
            prefix: variable("GANDER_INPUT_COMMAND").unwrap_or_else(|| "/gander".to_owned()),
            attest: attest.unwrap_or(Attest::Off),
            gander_app: own_app,
            bundle: variable("GANDER_INPUT_BUNDLE").filter(|it| !it.is_empty()).map(PathBuf::from),
            predicate: variable("RUNNER_TEMP")
                .map_or_else(std::env::temp_dir, PathBuf::from)
                .join(PREDICATE_FILE),
            only_check: only_check.unwrap_or(false),
        })
    }
}

impl RegistryInputs {
    /// Reads what the workflow file says, and where the runner lets a job say who it is.
    ///
    /// # Errors
    /// The first thing malformed.
    pub fn read(variable: Variables<'_>) -> Result<Self, InputError> {
        let addresses = optional(variable, "GANDER_INPUT_REGISTRIES", "registries", addresses)?;
        let given = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let token = |target: &ReleaseTarget| {
            let name = format!("GANDER_INPUT_{}_TOKEN", target.key().to_ascii_uppercase());
            Some((*target, SecretString::from(given(&name)?.trim().to_owned())))
        };
        const ID_TOKENS: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";
        let id_token = given("ACTIONS_ID_TOKEN_REQUEST_TOKEN").map(SecretString::from);
        let url = optional(variable, ID_TOKENS, ID_TOKENS, |text| {
            Url::parse(text).map_err(|bad| format!("{text:?}: {bad}"))
        })?;
        Ok(Self {
            addresses: addresses.unwrap_or_default(),
            tokens: ReleaseTarget::VARIANTS.iter().filter_map(token).collect(),
            id_tokens: url.zip(id_token),
        })
    }
}

/// The repository, by number and name.
///
/// # Errors
/// When the runner does not say.
pub fn repository(variable: Variables<'_>) -> Result<RepoRef, InputError> {
    let text = needed(variable, "GITHUB_REPOSITORY_ID", "GITHUB_REPOSITORY_ID")?;
    let repo_id = RepoId(number(&text).map_err(|why| problem("GITHUB_REPOSITORY_ID", why))?);
    let name = needed(variable, "GITHUB_REPOSITORY", "GITHUB_REPOSITORY")?;
    let name = name.parse().map_err(|bad| problem("GITHUB_REPOSITORY", format!("{bad}")))?;
    // A job has a token of its own, and no installation.
    Ok(RepoRef { installation_id: InstallationId(0), repo_id, name })
}

/// The hint that started the run, and the run.
///
/// # Errors
/// The first part missing or malformed.
pub fn asked(variable: Variables<'_>) -> Result<ReleaseRequest, InputError> {
    let commit = needed(variable, "GANDER_INPUT_COMMIT", "commit")?;
    let pull = needed(variable, "GANDER_INPUT_PULL", "pull")?;
    let pull = Number(number(pull.trim_start_matches('#')).map_err(|why| problem("pull", why))?);
    // Whoever starts the workflow by hand names no try.
    let release = match variable("GANDER_INPUT_RELEASE") {
        Some(text) => text.parse().map_err(|bad| problem("release", format!("{bad}")))?,
        None => ReleaseId { pull, attempt: 0 },
    };
    let run = needed(variable, "GITHUB_RUN_ID", "GITHUB_RUN_ID")?;
    let attempt = needed(variable, "GITHUB_RUN_ATTEMPT", "GITHUB_RUN_ATTEMPT")?;
    if release.pull != pull {
        let words = format!("{release} is a try of #{}, not of #{pull}", release.pull);
        return Err(problem("release", words));
    }
    Ok(ReleaseRequest {
        release_id: release,
        commit: commit
            .parse::<Sha>()
            .map_err(|_| problem("commit", format!("{commit:?} is not a full commit SHA")))?,
        pull,
        run: RunAttempt {
            id: RunId(number(&run).map_err(|why| problem("GITHUB_RUN_ID", why))?),
            attempt: number(&attempt).map_err(|why| problem("GITHUB_RUN_ATTEMPT", why))?,
        },
    })
}

/// The package that is to be built, where the rules name several.
pub fn package(variable: Variables<'_>) -> Option<String> {
    let said = variable("GANDER_INPUT_PACKAGE").map(|value| value.trim().to_owned());
    said.filter(|value| !value.is_empty())
}

/// Of what *build* made, by its job's outputs.
fn manifest(variable: Variables<'_>) -> Result<Digest, InputError> {
    let text = needed(variable, "GANDER_INPUT_MANIFEST", "manifest")?;
    text.parse().map_err(|_| problem("manifest", format!("{text:?} is not a SHA-256")))
}

pub(super) fn needed(
    variable: Variables<'_>,
    name: &str,
    shown: &'static str,
) -> Result<String, InputError> {
    let value = variable(name).map(|value| value.trim().to_owned());
    value.filter(|value| !value.is_empty()).ok_or_else(|| match shown {
        "required-checks" => problem(
            shown,
            "it is not given. Name each check that must be green as `NAME@APP_ID`, one a line \
             (15368 is GitHub Actions), or say `none`",
        ),
        "manifest" => problem(
            shown,
            "it is not given. Hand over what *build* said, as \
             `manifest: ${{ needs.build.outputs.manifest }}`",
        ),
        name if name.starts_with("GITHUB_") => {
            problem(shown, "it is not set; GitHub's runner sets it")
        }
        _ => problem(shown, "it is not given"),
    })
}

pub(super) fn optional<T>(
    variable: Variables<'_>,
    name: &str,
    shown: &'static str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, InputError> {
    let value = variable(name).map(|value| value.trim().to_owned());
    let value = value.filter(|value| !value.is_empty());
    value.map(|value| parse(&value).map_err(|why| problem(shown, why))).transpose()
}

pub(super) fn problem(name: &'static str, problem: impl Into<String>) -> InputError {
    InputError { name, problem: problem.into() }
}

fn role(text: &str) -> Result<Role, String> {
    match text {
        "write" => Ok(Role::Write),
        "maintain" => Ok(Role::Maintain),
        "admin" => Ok(Role::Admin),
        other => Err(format!("{other:?} is not write, maintain or admin")),
    }
}

fn requester(text: &str) -> Result<Requester, String> {
    match text {
        "if-alone" => Ok(Requester::IfAlone),
        "never" => Ok(Requester::Never),
        "allowed" => Ok(Requester::Allowed),
        other => Err(format!("{other:?} is not if-alone, never or allowed")),
    }
}

fn annotate(text: &str) -> Result<bool, String> {
    match text {
        "annotate" => Ok(true),
        "off" => Ok(false),
        other => Err(format!("{other:?} is neither `annotate` nor `off`")),
    }
}

fn attest(text: &str) -> Result<Attest, String> {
    match text {
        "sign" => Ok(Attest::Sign),
        "auto" => Ok(Attest::Auto),
        "off" => Ok(Attest::Off),
        other => Err(format!("{other:?} is not sign, auto or off")),
    }
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| format!("{text:?} is not true or false"))
}

/// `NAME=ADDRESS`, one a line.
fn addresses(text: &str) -> Result<BTreeMap<String, Url>, String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let address = |line: &str| {
        let (name, address) = line.split_once('=').unwrap_or((line, ""));
        if !REGISTRY_NAMES.contains(&name.trim()) {
            return Err(format!(
                "{line:?} does not begin with one of {}",
                REGISTRY_NAMES.join(", ")
            ));
        }
        let url = Url::parse(address.trim()).map_err(|bad| format!("{line:?}: {bad}"))?;
        if url.scheme() != "https" && !is_near(&url) {
            return Err(format!("{line:?}: what is sent there is secret, so it has to be https"));
        }
        Ok((name.trim().to_owned(), url))
    };
    let all: BTreeMap<String, Url> = lines.map(address).collect::<Result<_, _>>()?;
    // One without the other would send what is meant for one registry to another.
    for (one, other) in [("crates", "crates-api"), ("pypi", "pypi-upload")] {
        if all.contains_key(one) != all.contains_key(other) {
            return Err(format!("`{one}` and `{other}` are named together, or neither is"));
        }
    }
    Ok(all)
}

/// Whether an address is one of this machine or of a private network.
fn is_near(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback() || address.is_private(),
        Some(url::Host::Ipv6(address)) => address.is_loopback() || address.is_unique_local(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// An App's account.
fn bot(text: &str) -> Result<String, String> {
    let name = text.strip_suffix("[bot]").filter(|name| !name.is_empty());
    name.map(|_| text.to_owned())
        .ok_or_else(|| format!("{text:?} is not the account of an App, as `gander[bot]`"))
}

fn hours(text: &str) -> Result<u32, String> {
    let hours = text.parse().ok().filter(|hours| (1..=720).contains(hours));
    hours.ok_or_else(|| format!("{text:?} is not a number of hours from 1 to 720"))
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text:?} is not a number"))
}

/// `NAME@APP_ID`, one a line; or the word `none`.
fn required_checks(text: &str, own_app: Option<u64>) -> Result<Vec<ReleaseCheck>, InputError> {
    const NAME: &str = "required-checks";
    if text == "none" {
        return Ok(Vec::new());
    }
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let check = |line: &str| {
        let parts = line.rsplit_once('@');
        let parts = parts.and_then(|(name, app)| Some((name.trim(), app.trim().parse().ok()?)));
        let Some((name, app)) = parts.filter(|(name, _): &(&str, u64)| !name.is_empty()) else {
            let words = format!(
                "{line:?} is not `NAME@APP_ID`; the App's number is needed, for every App can \
                 report any name (15368 is GitHub Actions)"
            );
            return Err(problem(NAME, words));
        };
        if Some(app) == own_app {
            return Err(problem(
                NAME,
                format!("{name:?} is Gander's own check, which never counts"),
            ));
        }
        Ok(ReleaseCheck { name: name.to_owned(), app })
    };
    lines.map(check).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    const ENOUGH: &[(&str, &str)] = &[
        ("GITHUB_REPOSITORY", "acme/widgets"),
        ("GITHUB_REPOSITORY_ID", "7"),
        ("GITHUB_RUN_ID", "9"),
        ("GITHUB_RUN_ATTEMPT", "1"),
        ("GANDER_INPUT_COMMIT", "0123456789abcdef0123456789abcdef01234567"),
        ("GANDER_INPUT_PULL", "12"),
        ("GANDER_INPUT_MANIFEST", DIGEST),
        ("GANDER_INPUT_REQUIRED_CHECKS", "ci / test (a@b)@15368\nlint@15368\n"),
    ];

    fn read(changed: &[(&str, &str)]) -> Result<PublishInputs, InputError> {
        let all: Vec<(&str, &str)> = changed.iter().chain(ENOUGH).copied().collect();
        let find = |name: &str| {
            let found = all.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned()).filter(|value| !value.is_empty())
        };
        PublishInputs::read(&find)
    }

    #[test]
    fn what_is_not_said_has_the_strict_default() {
        let inputs = read(&[]).unwrap();
        assert_eq!(inputs.terms.role, Role::Maintain);
        assert_eq!(inputs.terms.requester, Requester::IfAlone);
        assert_eq!(inputs.terms.approval_hours, 24);
        assert_eq!(inputs.terms.required[0].name, "ci / test (a@b)");
        assert_eq!(inputs.terms.required[1], ReleaseCheck { name: "lint".into(), app: 15_368 });
        assert_eq!(inputs.asked.release_id, ReleaseId { pull: Number(12), attempt: 0 });
    }

    #[test]
    fn required_checks_are_named_with_their_app_or_said_to_be_none() {
        assert!(
            read(&[("GANDER_INPUT_REQUIRED_CHECKS", "none")]).unwrap().terms.required.is_empty()
        );
        let own = [("GANDER_INPUT_GANDER_APP_ID", "15368")];
        for (changed, word) in [
            (vec![("GANDER_INPUT_REQUIRED_CHECKS", "")], "not given"),
            (vec![("GANDER_INPUT_REQUIRED_CHECKS", "test")], "NAME@APP_ID"),
            (vec![("GANDER_INPUT_REQUIRED_CHECKS", "test@ci")], "NAME@APP_ID"),
            (vec![("GANDER_INPUT_REQUIRED_CHECKS", "@5")], "NAME@APP_ID"),
            (own.to_vec(), "never counts"),
        ] {
            let bad = read(&changed).unwrap_err();
            assert_eq!(bad.name, "required-checks");
            assert!(bad.problem.contains(word), "{bad}");
        }
    }

    #[test]
    fn a_bad_input_is_named_as_in_the_workflow_file() {
        for (name, value, shown) in [
            ("GANDER_INPUT_APPROVER_ROLE", "read", "approver-role"),
            ("GANDER_INPUT_REQUESTER", "yes", "requester"),
            ("GANDER_INPUT_APPROVAL_HOURS", "0", "approval-hours"),
            ("GANDER_INPUT_ATTEST", "on", "attest"),
            ("GANDER_INPUT_GANDER_LOGIN", "gander", "gander-login"),
            ("GANDER_INPUT_COMMIT", "main", "commit"),
            ("GANDER_INPUT_PULL", "x", "pull"),
            ("GANDER_INPUT_MANIFEST", "", "manifest"),
            ("GANDER_INPUT_MANIFEST", "abc", "manifest"),
            ("GANDER_INPUT_RELEASE", "13.1", "release"),
        ] {
            assert_eq!(read(&[(name, value)]).unwrap_err().name, shown);
        }
    }

    #[test]
    fn registries_are_named_whole_and_spoken_to_in_secret() {
        let read = |text: &'static str| {
            RegistryInputs::read(&move |name: &str| {
                (name == "GANDER_INPUT_REGISTRIES").then(|| text.to_owned())
            })
        };
        let good =
            "pypi=https://pypi.corp/simple/\npypi-upload=https://pypi.corp/\nnpm=http://10.0.0.1/";
        assert_eq!(read(good).unwrap().addresses.len(), 3);
        for (bad, word) in [
            ("pypi=https://pypi.corp/simple/", "`pypi` and `pypi-upload`"),
            ("crates-api=https://crates.corp/", "`crates` and `crates-api`"),
            ("npm=http://npm.corp/", "https"),
            ("maven=https://maven.corp/", "does not begin with one of"),
            ("npm", "npm"),
        ] {
            let error = read(bad).unwrap_err();
            assert_eq!(error.name, "registries");
            assert!(error.problem.contains(word), "{bad}: {error}");
        }
    }
}
