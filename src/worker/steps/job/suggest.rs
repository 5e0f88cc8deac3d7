//! Shows a change to the author of a pull request from a fork, who may take it.
//!
//! Invariants: nothing of it runs or is pushed; what GitHub cannot show on lines stands in the
//! patch, which is all of it.

use crate::core::job::{Base, Job, JobFact, OnLines};
use crate::core::patch::Patch;
use crate::core::report;
use crate::forge::LineComment;
use crate::publish::talk;
use crate::worker::steps::job::hold::held;
use crate::worker::{Context, WorkError, checks};
use crate::workspace::diff;
use crate::workspace::mirror::MirrorError;
use crate::workspace::suggestions::{ShownLines, Suggestions, shown_lines, suggestions};

/// Suggests what it can on lines, and says what the whole change is.
pub(in crate::worker) async fn run(
    ctx: &Context,
    job: &Job,
    base: &Base,
    patch: &Patch,
) -> Result<JobFact, WorkError> {
    let mirror = ctx.mirror(job, &base.sha).await?;
    let (entries, read) = (mirror.list(&base.sha).await?, patch.clone());
    let files = ctx.forge.pull_files(&job.repo, job.subject).await?;
    let shown: ShownLines = files
        .into_iter()
        .map(|file| (file.filename, shown_lines(&file.patch.unwrap_or_default())))
        .collect();
    let making = move || {
        let before = diff::base_files(&mirror, &entries, &read)?;
        Ok::<_, MirrorError>((held(&read, &before), suggestions(&read, &before, &shown)))
    };
    let ((files, diff), found) = checks::blocking(making).await??;
    let on_lines = post(ctx, job, base, &found).await?;
    Ok(JobFact::Suggested { patch: patch.digest(), files, diff, on_lines })
}

async fn post(
    ctx: &Context,
    job: &Job,
    base: &Base,
    found: &Suggestions,
) -> Result<OnLines, WorkError> {
    if found.all.is_empty() {
        return Ok(OnLines::default());
    }
    let comments: Vec<LineComment> = found
        .all
        .iter()
        .map(|it| LineComment::on(it.path.to_string(), &it.lines, report::suggestion(&it.instead)))
        .collect();
    let count = u32::try_from(comments.len()).unwrap_or(u32::MAX);
    let on_lines = OnLines { count, partial: found.partial };
    let marker = report::marker(job.id.as_str(), "suggestions");
    let text = report::signed(report::about_suggestions(on_lines), &marker);
    let taken = (text.as_str(), marker.as_str());
    let posted = talk::comment_on_lines_once(&ctx.forge, job, &base.sha, taken, &comments).await?;
    Ok(if posted { on_lines } else { OnLines::default() })
}
