//! What the three jobs are given that work without a server, and how one hands over to the next.
//!
//! Invariants: what is handed over is read once, and is exactly what its digest names.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use url::Url;

use super::surroundings::{needed, optional, problem};
use super::{ActionError, InputError, Variables, files};
use crate::core::budget::Money;
use crate::core::github::RepoRef;
use crate::core::manifest::Digest;

/// What is handed over.
pub const HANDOVER: &str = "handover.json";
/// More bytes than any is long: changes are at most a few MiB, and text in them grows by a third.
const LARGEST: u64 = 64 << 20;

/// What *decide*, *work* and *push* are given alike.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct WorkflowInputs {
    pub repo: RepoRef,
    /// How people address Gander.
    pub prefix: String,
    /// The model, as `gander run` takes it.
    pub model: String,
    /// Whose it is, where its name does not say.
    pub provider: Option<String>,
    /// Another address of the provider's API.
    pub model_url: Option<Url>,
    /// The most that one job may cost.
    pub most_per_job: Option<Money>,
    /// Of what was handed over; *decide* is given none.
    pub handover: Option<Digest>,
    /// The page of the run.
    pub page: String,
}

/// What happened.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct WorkflowEvent {
    pub name: String,
    pub path: PathBuf,
}

impl WorkflowInputs {
    /// Reads what the workflow file says.
    ///
    /// # Errors
    /// The first thing missing or malformed.
    pub fn read(variable: Variables<'_>) -> Result<Self, InputError> {
        let url = |text: &str| Url::parse(text).map_err(|bad| format!("{text:?}: {bad}"));
        let digest = |text: &str| {
            text.parse().map_err(|_| format!("{text:?} is not the SHA-256 that a job before said"))
        };
        let money = |text: &str| text.parse().map_err(|bad| format!("{text:?}: {bad}"));
        let text = |text: &str| Ok(text.to_owned());
        let repo = super::repository(variable)?;
        let server = variable("GITHUB_SERVER_URL").unwrap_or_else(|| "https://github.com".into());
        let run = variable("GITHUB_RUN_ID").unwrap_or_default();
        Ok(Self {
            page: format!("{}/{}/actions/runs/{run}", server.trim_end_matches('/'), repo.name),
            repo,
            prefix: optional(variable, "GANDER_INPUT_COMMAND", "command", text)?
                .unwrap_or_else(|| "/gander".to_owned()),
            model: needed(variable, "GANDER_INPUT_MODEL", "model")?,
            provider: optional(variable, "GANDER_INPUT_PROVIDER", "provider", text)?,
            model_url: optional(variable, "GANDER_INPUT_MODEL_URL", "model-url", url)?,
            most_per_job: optional(variable, "GANDER_INPUT_PER_JOB", "per-job", money)?,
            handover: optional(variable, "GANDER_INPUT_HANDOVER", "handover", digest)?,
        })
    }
}

impl WorkflowEvent {
    /// Reads what started the run.
    ///
    /// # Errors
    /// When the runner does not say.
    pub fn read(variable: Variables<'_>) -> Result<Self, InputError> {
        let name = needed(variable, "GITHUB_EVENT_NAME", "GITHUB_EVENT_NAME")?;
        let path = needed(variable, "GITHUB_EVENT_PATH", "GITHUB_EVENT_PATH")?.into();
        Ok(Self { name, path })
    }

    /// The event, as GitHub's webhook would bring it.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn body(&self) -> Result<String, ActionError> {
        /// GitHub's own bound.
        const LARGEST_EVENT: u64 = 25 << 20;
        let body = files::bounded(&self.path, LARGEST_EVENT);
        body.map_err(|error| ActionError::Disk(self.path.clone(), error))
    }
}

/// The model's key. `None`: the job was given none.
pub fn model_key(variable: Variables<'_>) -> Option<SecretString> {
    let key = variable("GANDER_INPUT_MODEL_KEY").map(|key| key.trim().to_owned());
    key.filter(|key| !key.is_empty()).map(SecretString::from)
}

/// What a job before handed over.
///
/// # Errors
/// When it is not there, or is not what its digest names.
pub fn handed_over(directory: &Path, digest: Option<&Digest>) -> Result<String, ActionError> {
    let Some(digest) = digest else {
        let words = "it is not given. Hand over what the job before said, as \
                     `handover: ${{ needs.decide.outputs.handover }}`";
        return Err(problem("handover", words).into());
    };
    let path = directory.join(HANDOVER);
    let text = files::bounded(&path, LARGEST).map_err(|error| ActionError::Disk(path, error))?;
    let there = Digest::of(text.as_bytes());
    if there != *digest {
        return Err(ActionError::Artifact(format!(
            "what was handed over has the SHA-256 {there}, and the job before said {digest}: \
             somebody changed it in between. Nothing was pushed. Find out who can write artifacts of \
             this run"
        )));
    }
    Ok(text)
}

/// Hands over to the next job; says the digest of it.
///
/// # Errors
/// When the file cannot be written.
pub fn hand_over(directory: &Path, text: &str) -> Result<Digest, ActionError> {
    std::fs::create_dir_all(directory)
        .map_err(|error| ActionError::Disk(directory.to_owned(), error))?;
    let path = directory.join(HANDOVER);
    let written = std::fs::File::create(&path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| ActionError::Disk(path, error))?;
    Ok(Digest::of(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_handed_over_is_taken_only_as_its_digest_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let digest = hand_over(&folder.path().join("new"), "{\"a\": 1}").unwrap();
        let read = |digest| handed_over(&folder.path().join("new"), digest);
        assert_eq!(read(Some(&digest)).unwrap(), "{\"a\": 1}");
        std::fs::write(folder.path().join("new").join(HANDOVER), "{\"a\": 2}").unwrap();
        let refused = read(Some(&digest)).unwrap_err().to_string();
        assert!(refused.contains("somebody changed it in between"), "{refused}");
        let missing = read(None).unwrap_err().to_string();
        assert!(missing.starts_with("handover: it is not given"), "{missing}");
    }

    #[test]
    fn a_bad_input_is_named_as_in_the_workflow_file() {
        let read = |changed: (&str, &str)| {
            WorkflowInputs::read(&|name: &str| {
                let value = match name {
                    "GITHUB_REPOSITORY" => "acme/widgets",
                    "GITHUB_REPOSITORY_ID" => "7",
                    "GANDER_INPUT_MODEL" => "claude-sonnet-4-5",
                    _ => "",
                };
                let value = if name == changed.0 { changed.1 } else { value };
                Some(value.to_owned())
            })
        };
        assert_eq!(read(("", "")).unwrap().prefix, "/gander");
        for (name, value, shown) in [
            ("GANDER_INPUT_MODEL", "", "model"),
            ("GANDER_INPUT_MODEL_URL", "models", "model-url"),
            ("GANDER_INPUT_PER_JOB", "much", "per-job"),
            ("GANDER_INPUT_HANDOVER", "abc", "handover"),
        ] {
            assert_eq!(read((name, value)).unwrap_err().name, shown);
        }
    }
}
