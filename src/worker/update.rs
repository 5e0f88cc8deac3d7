//! What the agent made of a merge that was in conflict.
//!
//! Invariants: no mark is left; no line that the base brought is lost where nobody contested it,
//! but in lockfiles, which are written anew; what is lost where both sides wrote is named.

use crate::core::locked::is_lockfile;
use crate::core::patch::Patch;
use crate::core::text::first_of;
use crate::worker::checks::blocking;
use crate::worker::job_context::{AttemptInput, JobContext};
use crate::worker::{WorkError, patches};
use crate::workspace::between::{Between, between};
use crate::workspace::diff;
use crate::workspace::merge::{LostLines, lost_lines, unresolved};

/// So many lines are shown.
const MOST_SHOWN: usize = 20;

/// What speaks against a change that is a merge onto its base, for the agent; else what of it
/// people have to look at.
pub(super) async fn judged(
    job: &AttemptInput<'_>,
    ctx: &JobContext,
    patch: &Patch,
) -> Result<Result<Vec<String>, String>, WorkError> {
    let (Some(update), base) = (job.update, job.base) else { return Ok(Ok(Vec::new())) };
    let left = unresolved(patch, &update.head, base);
    if !left.is_empty() {
        let left: Vec<&str> = left.iter().map(|path| path.as_str()).collect();
        return Ok(Err(format!("The marks of the conflict are still in {}.", left.join(", "))));
    }
    let laid = patches::kept(ctx.store.as_ref(), &update.merged).await?;
    let laid = laid.ok_or_else(|| WorkError::bug("a merge was not kept"))?;
    let (origin, ours, theirs) = (
        ctx.mirror.list(&update.origin).await?,
        ctx.mirror.list(&update.head).await?,
        ctx.mirror.list(base).await?,
    );
    let conflicts: Vec<Vec<u8>> =
        update.conflicts.iter().map(|path| path.clone().into_bytes()).collect();
    let (mirror, patch, marks) =
        (ctx.mirror.clone(), patch.clone(), (update.head.clone(), base.clone()));
    let lost = blocking(move || -> Result<LostLines, WorkError> {
        let mut brought = between(&mirror, &origin, &theirs)?;
        without_lockfiles(&mut brought);
        let dropped = between(&mirror, &origin, &ours)?;
        let files = diff::base_files(&mirror, &theirs, &patch)?;
        let marks = (&marks.0, &marks.1);
        Ok(lost_lines((&patch, &files), &brought, &dropped, (&laid, &conflicts), marks))
    })
    .await??;
    if !lost.uncontested.is_empty() {
        let lines = first_of(&lost.uncontested, MOST_SHOWN).join("\n");
        return Ok(Err(format!(
            "These lines came with the base, nobody contested them, and your change loses them. \
             Bring them back:\n{lines}"
        )));
    }
    let contested = match lost.contested.len() {
        0 => Vec::new(),
        1 => vec!["the conflict: one line of the base is gone".to_owned()],
        count => vec![format!("the conflict: {count} lines of the base are gone")],
    };
    let files = update.conflicts.iter();
    let files = files.map(|path| format!("{path}: was in conflict, and the model resolved that"));
    Ok(Ok(files.chain(contested).collect()))
}

fn without_lockfiles(change: &mut Between) {
    change.patch.changes.retain(|path, _| !is_lockfile(path.as_str()));
    change.base.retain(|path, _| !is_lockfile(path.as_str()));
}
