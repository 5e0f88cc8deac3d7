//! Posts the one comment that notifies whoever asked.

use crate::core::job::{Job, JobStage};
use crate::core::report;
use crate::publish::talk;
use crate::worker::{Context, WorkError};

pub(in crate::worker) async fn run(ctx: &Context, job: &Job) -> Result<(), WorkError> {
    let forge = &ctx.forge;
    let status = if let JobStage::Holding { .. } | JobStage::PlanReady { .. } = job.stage {
        let marker = report::marker(job.id.as_str(), "status");
        forge.find_comment(&job.repo, job.subject, &marker).await?
    } else {
        None
    };
    let (setting, status) = (ctx.report_context(job), status.map(|it| it.id));
    let Some(text) = report::announcement(job, &setting, status) else { return Ok(()) };
    let (thread, marker) = (report::announced_on(job), report::announcement_marker(job));
    Ok(talk::say_once_of(forge, job, thread, &text, &marker).await?)
}
