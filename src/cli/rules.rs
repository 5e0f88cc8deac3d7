//! `gander rules`: what the rules against cheats say of a commit, of several, or of a patch.
//!
//! Invariants: nothing of the repository runs, nothing is written into it, and no model is asked.

use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::json;

use super::{AnyError, CommandResult, HELD, NO_CHANGE, local, say, say_json, start_logging};
use crate::action::annotation;
use crate::core::id::Sha;
use crate::verify::cheat::{CheatFinding, Severity, find_cheats, rules_page};
use crate::workspace::between::{Between, between};
use crate::workspace::mirror::{Mirror, MirrorError};
use crate::workspace::patched::patched;

/// See what the rules against cheats say of commits, or of a patch
#[derive(Debug, clap::Args)]
pub struct RulesCommand {
    /// A commit, held against its first parent, two as FROM..TO, or a file that `git diff` wrote
    /// (`-`: standard input), held against what is checked out
    #[arg(value_name = "COMMITS|PATCH", default_value = "HEAD")]
    what: String,
    /// The repository, or a directory in it
    #[arg(long, value_name = "REPO", default_value = ".")]
    repo: PathBuf,
    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
    /// Print all rules with examples, in Markdown, and look at nothing
    #[arg(long)]
    list: bool,
}

/// Runs the subcommand.
///
/// # Errors
/// When the commits cannot be read.
pub fn run(command: &RulesCommand) -> CommandResult {
    start_logging("warn", Arc::default());
    if command.list {
        say(rules_page().trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let repository = local::repository(&command.repo)?;
        let Looked { from, to, change, found } = look(&repository, &command.what).await?;
        let files = change.patch.changes.len();
        if command.json {
            let found: Vec<_> = found
                .iter()
                .map(|it| {
                    json!({
                        "rule": it.rule, "severity": it.severity, "path": it.path, "line": it.line,
                        "reason": it.reason,
                    })
                })
                .collect();
            let left_out = change.left_out;
            say_json(&json!({
                "from": from, "to": to, "files": files, "left_out": left_out, "findings": found,
            }))?;
        } else {
            for it in &found {
                let blocks = if it.severity == Severity::Block { " (blocks)" } else { "" };
                say(format!("{}:{}: {}{blocks}: {}", it.path, it.line, it.rule, it.reason));
            }
            let (from, to) = (from.short(), to.short());
            let s = |n: usize| if n == 1 { "" } else { "s" };
            let n = found.len();
            let unread = match change.left_out {
                0 => String::new(),
                n => format!("; {n} link{} or submodules are not looked at", s(n)),
            };
            say(format!("{n} finding{} in {files} file{} of {from}..{to}{unread}", s(n), s(files)));
        }
        let blocks = found.iter().any(|it| it.severity == Severity::Block);
        Ok(match found.is_empty() {
            true => ExitCode::SUCCESS,
            false => ExitCode::from(if blocks { NO_CHANGE } else { HELD }),
        })
    })
}

/// What was looked at, and what was found.
struct Looked {
    from: Sha,
    to: Sha,
    change: Between,
    found: Vec<CheatFinding>,
}

async fn look(repository: &Path, what: &str) -> Result<Looked, AnyError> {
    let place = tempfile::Builder::new().prefix("gander-rules-").tempdir()?;
    let mirror = Mirror::open(place.path(), "local").await?;
    let (from, to) = both_sides(what, repository, &mirror).await?;
    let (old, new) = (mirror.list(&from).await?, mirror.list(&to).await?);
    let looking = tokio::task::spawn_blocking(move || {
        let change = between(&mirror, &old, &new)?;
        let found = find_cheats(&change.patch, &change.base);
        Ok::<_, MirrorError>((change, found))
    });
    let (change, found) = looking.await??;
    Ok(Looked { from, to, change, found })
}

/// So many of a kind GitHub shows of a step.
const MOST_ANNOTATED: usize = 10;

/// What the rules find in the commit that is checked out, as commands of a workflow.
pub(super) async fn annotations(tree: &Path) -> Vec<String> {
    let looked = look(tree, "HEAD").await;
    let found = match looked {
        Ok(Looked { found, .. }) => found,
        Err(error) => {
            let why = format!(
                "{error}\nThe commit is held against the one before it, so that has to be there, \
                 too: `fetch-depth: 2` in actions/checkout."
            );
            return vec![annotation("notice", None, "Not looked for cheats", &why)];
        }
    };
    let of = |severity, level: &'static str| {
        let found = found.iter().filter(move |it| it.severity == severity).take(MOST_ANNOTATED);
        found.map(move |it| {
            let line = u32::try_from(it.line).unwrap_or(1);
            annotation(level, Some((&it.path, line)), it.rule, &it.reason)
        })
    };
    of(Severity::Block, "warning").chain(of(Severity::Flag, "notice")).collect()
}

/// The commits or trees that are held against each other.
async fn both_sides(
    what: &str,
    repository: &Path,
    mirror: &Mirror,
) -> Result<(Sha, Sha), AnyError> {
    let file = Path::new(what);
    // A commit comes first: a file of its name may be anybody's.
    let is_commit = mirror.commit_called(what, repository).await.is_ok();
    let is_patch = what == "-" || !is_commit && file.is_file();
    if !is_patch && !is_commit && [".patch", ".diff"].iter().any(|end| what.ends_with(end)) {
        return Err(format!("{what} is not there: name a file that `git diff` wrote").into());
    }
    if is_patch {
        let mut patch = tempfile::NamedTempFile::new()?;
        let bytes = match what {
            "-" => std::io::copy(&mut std::io::stdin().lock(), &mut patch)?,
            _ => std::io::copy(&mut std::fs::File::open(file)?, &mut patch)?,
        };
        if bytes == 0 {
            return Err("the patch is empty: there is nothing to look at".into());
        }
        let from = local::fetch(repository, None, mirror).await?;
        let to = patched(mirror, &from, patch.path()).await.map_err(|error| {
            format!(
                "the patch does not apply to {}, which is checked out: check out the commit that it \
                 was made on, and make it with `git diff --binary`.\n{error}{}",
                from.short(),
                error.source().map_or_else(String::new, |why| format!(": {why}"))
            )
        })?;
        return Ok((from, to));
    }
    let (from, to) = match what.split_once("..") {
        Some((from, to)) => (from.trim_end_matches('.').to_owned(), to.trim_start_matches('.')),
        None => (format!("{what}^"), what),
    };
    let to = if to.is_empty() { "HEAD" } else { to };
    let to = local::fetch(repository, Some(to), mirror).await?;
    if from.is_empty() {
        return Err("the range begins nowhere: name both ends, as FROM..TO".into());
    }
    let begins = local::fetch(repository, Some(&from), mirror).await;
    let from = begins.map_err(|error| match from.strip_suffix('^') {
        Some(commit) if commit == what => format!(
            "there is nothing to hold {commit} against: it has no parent here, as a first commit or \
             in a shallow clone. Name two commits, as FROM..TO, or get its history."
        )
        .into(),
        _ => error,
    })?;
    Ok((from, to))
}
