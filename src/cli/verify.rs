//! `gander verify`: what a release says of how it came about, and whether that holds.
//!
//! Invariants: files are looked at without the network; nothing of them runs; whom to believe comes
//! from the command line and the trusted root, never from what is looked at.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use secrecy::SecretString;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use url::Url;

use super::{AnyError, CommandResult, NO_CHANGE, complain, say, say_json, start_logging};
use crate::app::forge_of_job;
use crate::attestation::{AttestationBundle, AttestationError, LARGEST_BUNDLE, TrustedRoots};
use crate::config::variable;
use crate::core::approval::{VoteSource, approves};
use crate::core::command::Address;
use crate::core::github::RepoRef;
use crate::core::id::{InstallationId, RepoName};
use crate::core::manifest::{BUNDLE_FILE, Digest, STATEMENT_FILE, is_provenance};
use crate::core::provenance::{
    Expected, Observation, Provenance, ReleaseStatement, ReleaseTag, StatedApproval, look,
};
use crate::core::release_gate::{ReleaseSeen, TagAt};
use crate::forge::Forge;

/// Check who approved what a release holds, and that its files are what was built
#[derive(Debug, clap::Args)]
pub struct VerifyCommand {
    /// Files of a release, without the network, or its tag, as GitHub shows it
    #[arg(value_name = "TAG|FILE", required = true)]
    what: Vec<String>,
    /// Whose release it is said to be
    #[arg(long, value_name = "OWNER/NAME")]
    repo: RepoName,
    /// The signed statement, where it does not lie beside the file as `gander-release.sigstore.json`
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// The workflow file that releases
    #[arg(long, value_name = "PATH", default_value = ".github/workflows/gander-release.yml")]
    workflow: String,
    /// The repository's default branch. Without it GitHub is asked where a tag is named, and `main`
    /// is taken for a file
    #[arg(long, value_name = "BRANCH")]
    branch: Option<String>,
    /// Whom to believe, in Sigstore's format, instead of those that sign for GitHub
    #[arg(long, value_name = "FILE")]
    trusted_root: Option<PathBuf>,
    /// Who vouches for jobs, if not GitHub's own
    #[arg(long, value_name = "URL", default_value = "https://token.actions.githubusercontent.com")]
    issuer: String,
    /// Where people see GitHub
    #[arg(long, value_name = "URL", default_value = "https://github.com")]
    server: Url,
    /// Where its API is, if not where GitHub has it
    #[arg(long, value_name = "URL")]
    api: Option<Url>,
    /// How people address Gander there in comments that approve
    #[arg(long, value_name = "PREFIX", default_value = "/gander")]
    command: String,
    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
}

/// What was looked at, and what was found.
struct Verification {
    what: String,
    found: Vec<Observation>,
    /// As stated, if anything is.
    stated: Option<ReleaseStatement>,
}

/// Runs the subcommand.
///
/// # Errors
/// When something cannot be looked at; the rest is told all the same.
pub fn run(command: &VerifyCommand) -> CommandResult {
    start_logging("warn", Arc::default());
    let roots = match &command.trusted_root {
        None => TrustedRoots::of_github()?,
        Some(path) => TrustedRoots::of_text(&text(path)?)
            .map_err(|bad| format!("--trusted-root: {}: {bad}", path.display()))?,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut looked, mut failed) = (Vec::new(), Vec::new());
    for what in &command.what {
        let path = Path::new(what);
        let begins = ["./", "../", "/"].iter().any(|it| what.starts_with(it));
        let seen = match begins || path.is_file() {
            true => command.file(path, &roots),
            false => runtime.block_on(command.tag(what, &roots)),
        };
        match seen {
            Ok(seen) => looked.push(seen),
            Err(error) => failed.push((what, error)),
        }
    }
    let holds = failed.is_empty() && looked.iter().all(Verification::holds);
    if command.json {
        let shown: Vec<_> = looked.iter().map(Verification::json).collect();
        let errors: Vec<_> = failed
            .iter()
            .map(|(what, error)| json!({ "what": what, "error": error.to_string() }))
            .collect();
        say_json(&json!({ "holds": holds, "looked_at": shown, "errors": errors }))?;
    } else {
        looked.iter().for_each(Verification::show);
    }
    failed.iter().for_each(|(_, error)| complain(error.as_ref()));
    Ok(match (failed.is_empty(), holds) {
        (false, _) => ExitCode::FAILURE,
        (true, true) => ExitCode::SUCCESS,
        (true, false) => ExitCode::from(NO_CHANGE),
    })
}

impl VerifyCommand {
    /// What is expected of whoever signed.
    fn expected(&self, branch: Option<&str>, tag: Option<ReleaseTag>) -> Expected {
        // Which it is nobody but GitHub knows: of two that were taken, anybody could push one.
        let branch = self.branch.as_deref().or(branch).unwrap_or("main").to_owned();
        let server = self.server.as_str().trim_end_matches('/');
        Expected {
            issuer: self.issuer.clone(),
            repository: format!("{server}/{}", self.repo),
            workflow: self.workflow.clone(),
            branch,
            tag,
        }
    }

    /// A file, and what lies beside it.
    fn file(&self, path: &Path, roots: &TrustedRoots) -> Result<Verification, AnyError> {
        let name = path.file_name().map_or_else(String::new, |it| it.to_string_lossy().into());
        let beside = |name: &str| path.with_file_name(name);
        let what = path.display().to_string();
        let expected = self.expected(None, None);
        if is_provenance(&name) {
            return Ok(verdict(&what, &text(path)?, None, (roots, &expected)));
        }
        let (bundle, statement) = (beside(BUNDLE_FILE), beside(STATEMENT_FILE));
        let source = match &self.bundle {
            Some(named) => named.clone(),
            None if bundle.exists() => bundle,
            None if statement.exists() => statement,
            None => {
                return Err(format!(
                    "there is no {BUNDLE_FILE} beside {what}: download it from the release, or name \
                     one with --bundle"
                )
                .into());
            }
        };
        let digest = digest(path)?;
        Ok(verdict(&what, &text(&source)?, Some((&name, &digest)), (roots, &expected)))
    }

    /// A release as GitHub shows it.
    async fn tag(&self, tag: &str, roots: &TrustedRoots) -> Result<Verification, AnyError> {
        let forge = self.forge()?;
        let named = forge.repository_named(&self.repo).await?;
        let named = named.ok_or_else(|| {
            format!(
                "GitHub shows no repository {}. For a private one, set GITHUB_TOKEN; a file here is \
                 named with its path",
                self.repo
            )
        })?;
        let (installation_id, repo_id) = (InstallationId(0), named.id);
        let repo = RepoRef { installation_id, repo_id, name: self.repo.clone() };
        let standing = forge.standing(&repo, tag).await?;
        let release = standing.releases.into_iter().find(|it| !it.draft);
        let (Some(release), Some(at)) = (release, standing.tag) else {
            return Err(
                format!("{} has no release {tag}, and here is no such file", self.repo).into()
            );
        };
        let TagAt::Commit(commit) = at else {
            return Err(
                format!("the tag {tag} is an annotated one: Gander makes no such tags").into()
            );
        };
        let asset = |name: &str| release.assets.iter().find(|asset| asset.name == name);
        let Some(source) = asset(BUNDLE_FILE).or_else(|| asset(STATEMENT_FILE)) else {
            return Err(format!("the release {tag} has neither {BUNDLE_FILE} nor {STATEMENT_FILE}: it does not say how it came about").into());
        };
        let content = forge.asset(&repo, source.id).await?.unwrap_or_default();
        let content = String::from_utf8_lossy(&content);
        let expected = Some(ReleaseTag { name: tag.to_owned(), commit });
        let expected = self.expected(Some(&named.default_branch), expected);
        let mut verdict = verdict(tag, &content, None, (roots, &expected));
        if let Some(statement) = &verdict.stated {
            let stated = &statement.predicate;
            verdict.found.extend(files_of(&release, statement));
            for approval in &stated.approvals {
                verdict.found.push(self.stands(&forge, &repo, stated, approval).await?);
            }
        }
        Ok(verdict)
    }

    /// Whether GitHub still shows an approval.
    async fn stands(
        &self,
        forge: &Forge,
        repo: &RepoRef,
        stated: &Provenance,
        approval: &StatedApproval,
    ) -> Result<Observation, AnyError> {
        let (login, head) = (&approval.login, &stated.release.head);
        let by = |user: Option<u64>| user == Some(approval.id.0);
        let shown = match approval.by {
            VoteSource::Review(id) => {
                let review = forge.one_review(repo, stated.release.pull, id).await?;
                review.is_some_and(|it| {
                    by(it.user.map(|user| user.id.0))
                        && it.state.eq_ignore_ascii_case("approved")
                        && it.commit_id.as_ref() == Some(head)
                })
            }
            VoteSource::Comment { id, .. } => forge.comment(repo, id).await?.is_some_and(|it| {
                let address = Address { prefix: self.command.clone(), mention: None };
                let on = format!("/{}#", stated.release.pull);
                by(it.user.map(|user| user.id.0))
                    && it.created_at == it.updated_at
                    && it.html_url.is_some_and(|url| url.contains(&on))
                    && approves(it.body.as_deref().unwrap_or_default(), &address, head)
            }),
        };
        Ok(match shown {
            true => Observation::holds(format!("GitHub shows that approval of {login}")),
            false => Observation::fails(format!(
                "GitHub does not show that approval of {login} any more: it was dismissed, edited or \
                 removed since, or was never given"
            )),
        })
    }

    fn forge(&self) -> Result<Forge, AnyError> {
        let api = match (&self.api, self.server.host_str()) {
            (Some(api), _) => api.clone(),
            (None, Some("github.com")) => Url::parse("https://api.github.com")?,
            (None, _) => self.server.join("/api/v3")?,
        };
        // A token is shown to the server that it is for.
        let names = match api.host_str() {
            Some("api.github.com") => ["GITHUB_TOKEN", "GH_TOKEN"],
            _ => ["GITHUB_ENTERPRISE_TOKEN", "GH_ENTERPRISE_TOKEN"],
        };
        let token = names.into_iter().find_map(variable);
        let token = token.map(SecretString::from).unwrap_or_default();
        Ok(forge_of_job(&api, &self.server, token)?)
    }
}

/// What a text says of a file, or of itself, and whether it holds. Of several statements the one
/// that holds best: whoever may attest anything can add one.
fn verdict(
    what: &str,
    text: &str,
    file: Option<(&str, &Digest)>,
    (roots, expected): (&TrustedRoots, &Expected),
) -> Verification {
    // A statement without a signature is one JSON object as well.
    let all = match ReleaseStatement::parse(text.as_bytes()) {
        Ok(statement) => vec![(statement, None)],
        Err(_) => match of_ours(text) {
            Ok(all) => all.into_iter().map(|(it, bundle)| (it, Some(bundle))).collect(),
            Err(words) => return Verification::failed(what, words),
        },
    };
    let looked = all.into_iter().map(|(statement, bundle)| {
        look_at(what, statement, bundle.as_ref(), file, (roots, expected))
    });
    let fails = |it: &Verification| it.found.iter().filter(|found| !found.holds).count();
    let best = looked.min_by_key(|it| (it.stated.is_none(), fails(it)));
    best.unwrap_or_else(|| Verification::failed(what, "it states nothing".to_owned()))
}

fn look_at(
    what: &str,
    statement: ReleaseStatement,
    bundle: Option<&AttestationBundle>,
    file: Option<(&str, &Digest)>,
    (roots, expected): (&TrustedRoots, &Expected),
) -> Verification {
    let failed = |words: String| Verification::failed(what, words);
    let mut found = Vec::new();
    if let Some((name, digest)) = file {
        let tag = &statement.predicate.release.tag;
        match statement.name_of(digest) {
            Some(stated) if stated == name => {
                found.push(Observation::holds(format!("it is {stated} of {tag}, as it was built")));
            }
            Some(stated) => found.push(Observation::fails(format!(
                "it is called {name} here and {stated} in {tag}: name it so if you renamed it"
            ))),
            None => {
                return failed(format!(
                    "{name} is none of the files of {tag}: its SHA-256 is {digest}"
                ));
            }
        }
    }
    let signer = match bundle {
        None => None,
        Some(bundle) => {
            // Any file that it is about: the signature is on all of it.
            let Some(of) = statement.subject.iter().find_map(|it| it.digest.sha256.as_ref()) else {
                return failed("it names no file that was signed".to_owned());
            };
            match bundle.signer(of, roots) {
                Ok(signer) => Some(signer),
                Err(error) => return failed(error.to_string()),
            }
        }
    };
    found.extend(look(&statement, signer.as_ref(), expected));
    Verification { what: what.to_owned(), found, stated: Some(statement) }
}

/// The bundles of a text that say how a release came about: it is one, or one a line.
fn of_ours(text: &str) -> Result<Vec<(ReleaseStatement, AttestationBundle)>, String> {
    let whole = AttestationBundle::read(text);
    let all: Vec<Result<_, AttestationError>> = match whole {
        Ok(bundle) => vec![Ok(bundle)],
        Err(error) => {
            let lines = text.lines().filter(|line| !line.trim().is_empty());
            let each: Vec<_> = lines.map(AttestationBundle::read).collect();
            if each.len() > 1 { each } else { vec![Err(error)] }
        }
    };
    let (mut ours, mut last) = (Vec::new(), "it is empty".to_owned());
    for bundle in all {
        match bundle.map_err(|error| error.to_string()).and_then(|bundle| {
            let statement = ReleaseStatement::parse(bundle.statement());
            Ok((statement.map_err(|error| error.to_string())?, bundle))
        }) {
            Ok(it) => ours.push(it),
            Err(error) => last = error,
        }
    }
    if ours.is_empty() { Err(last) } else { Ok(ours) }
}

/// Whether the files that a release shows are those of the statement.
fn files_of(release: &ReleaseSeen, statement: &ReleaseStatement) -> Vec<Observation> {
    let mut found = Vec::new();
    let built = release.assets.iter().filter(|it| !is_provenance(&it.name));
    let mut same = 0_usize;
    for asset in built {
        let Some(sha256) = &asset.sha256 else {
            let words =
                format!("GitHub gives no digest of {}: download it and name it", asset.name);
            found.push(Observation::fails(words));
            continue;
        };
        if statement.name_of(sha256) == Some(asset.name.as_str()) {
            same += 1;
        } else {
            found.push(Observation::fails(format!(
                "{} is none of the files that were built",
                asset.name
            )));
        }
    }
    let stated = statement.subject.iter().filter(|it| it.digest.sha256.is_some());
    for missing in stated.filter(|it| !release.assets.iter().any(|asset| asset.name == it.name)) {
        found.push(Observation::fails(format!(
            "{} was built and is not there any more",
            missing.name
        )));
    }
    if same > 0 {
        let s = if same == 1 { " is" } else { "s are" };
        found.push(Observation::holds(format!("{same} file{s} there as built")));
    }
    found
}

impl Verification {
    /// Of something of which nothing holds.
    fn failed(what: &str, words: String) -> Self {
        Self { what: what.to_owned(), found: vec![Observation::fails(words)], stated: None }
    }

    fn holds(&self) -> bool {
        self.found.iter().all(|it| it.holds)
    }

    fn show(&self) {
        say(&self.what);
        for finding in &self.found {
            let words = one_line(&finding.words);
            say(format!("  {}  {words}", if finding.holds { "ok  " } else { "FAIL" }));
        }
        if let Some(stated) = self.stated.as_ref().filter(|_| self.holds()) {
            told(&stated.predicate)
                .into_iter()
                .for_each(|line| say(format!("        {}", one_line(&line))));
        }
    }

    fn json(&self) -> serde_json::Value {
        let found: Vec<_> =
            self.found.iter().map(|it| json!({ "holds": it.holds, "words": it.words })).collect();
        json!({ "what": self.what, "findings": found, "stated": self.stated.as_ref().map(|it| &it.predicate) })
    }
}

/// What others wrote makes no line of its own.
fn one_line(text: &str) -> String {
    text.split(char::is_control).collect::<Vec<_>>().join(" ")
}

/// What else is stated, for people.
fn told(stated: &Provenance) -> Vec<String> {
    let changes = &stated.changes;
    let mut lines = Vec::new();
    if let Some(since) = &changes.since {
        let s = if changes.commits == 1 { "" } else { "s" };
        lines.push(format!("stated: {} commit{s} since {since}", changes.commits));
    }
    for change in &changes.by_gander {
        let pull = change.pull.map_or_else(String::new, |pull| format!(" of #{pull}"));
        let verified = change.verified.as_deref();
        let verified = verified.map_or_else(String::new, |words| format!(": {words}"));
        lines.push(format!(
            "stated: `{}`{pull} is by {}{verified}",
            change.commit.short(),
            change.assisted_by
        ));
    }
    lines
        .extend(changes.flagged.iter().map(|path| format!("stated: people had to look at {path}")));
    lines
}

/// A text that lies here.
fn text(path: &Path) -> Result<String, AnyError> {
    let mut text = String::new();
    let read =
        File::open(path).and_then(|file| file.take(LARGEST_BUNDLE + 1).read_to_string(&mut text));
    match read {
        Ok(_) if text.len() as u64 > LARGEST_BUNDLE => {
            Err(format!("{} has more than {LARGEST_BUNDLE} bytes", path.display()).into())
        }
        Ok(_) => Ok(text),
        Err(error) if error.kind() == ErrorKind::InvalidData => {
            Err(format!("{} is no text", path.display()).into())
        }
        Err(error) => Err(format!("{} cannot be read: {error}", path.display()).into()),
    }
}

/// Of a file, however large.
fn digest(path: &Path) -> Result<Digest, AnyError> {
    let mut sha256 = Sha256::new();
    let mut part = vec![0; 64 * 1024];
    let mut read = || {
        let mut file = File::open(path)?;
        loop {
            match file.read(&mut part)? {
                0 => return Ok(()),
                n => sha256.update(&part[..n]),
            }
        }
    };
    let read: std::io::Result<()> = read();
    read.map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    Ok(hex::encode(sha256.finalize()).parse()?)
}
