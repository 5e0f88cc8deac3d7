//! `gander rules`: what the rules that find cheats say of a commit, or of several.
//!
//! Invariants: nothing of the repository runs, nothing is written into it, and no model is asked.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::json;

use super::{CommandResult, HELD, local, say, say_json, start_logging};
use crate::verify::cheat::{find_cheats, rules_page};
use crate::workspace::between::between;
use crate::workspace::mirror::{Mirror, MirrorError};

/// See what the rules that find cheats say of commits
#[derive(Debug, clap::Args)]
pub struct RulesCommand {
    /// A commit, held against its first parent, or two as FROM..TO
    #[arg(value_name = "COMMITS", default_value = "HEAD")]
    commits: String,
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
        let place = tempfile::Builder::new().prefix("gander-rules-").tempdir()?;
        let repository = local::repository(&command.repo)?;
        let mirror = Mirror::open(place.path(), "local").await?;
        let (from, to) = match command.commits.split_once("..") {
            Some((from, to)) => (from.trim_end_matches('.').to_owned(), to.trim_start_matches('.')),
            None => (format!("{}^", command.commits), &*command.commits),
        };
        let to = if to.is_empty() { "HEAD" } else { to };
        let from = local::fetch(&repository, Some(&from), &mirror).await?;
        let to = local::fetch(&repository, Some(to), &mirror).await?;
        let (old, new) = (mirror.list(&from).await?, mirror.list(&to).await?);
        let looking = tokio::task::spawn_blocking(move || {
            let change = between(&mirror, &old, &new)?;
            let found = find_cheats(&change.patch, &change.base);
            Ok::<_, MirrorError>((change, found))
        });
        let (change, found) = looking.await??;
        let files = change.patch.changes.len();
        if command.json {
            let found: Vec<_> = found
                .iter()
                .map(|it| {
                    json!({"rule": it.rule, "path": it.path, "line": it.line, "reason": it.reason})
                })
                .collect();
            let left_out = change.left_out;
            say_json(&json!({
                "from": from, "to": to, "files": files, "left_out": left_out, "findings": found,
            }))?;
        } else {
            for it in &found {
                say(format!("{}:{}: {}: {}", it.path, it.line, it.rule, it.reason));
            }
            let (from, to) = (from.short(), to.short());
            let s = |n: usize| if n == 1 { "" } else { "s" };
            let n = found.len();
            say(format!("{n} finding{} in {files} file{} of {from}..{to}", s(n), s(files)));
        }
        Ok(if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(HELD) })
    })
}
