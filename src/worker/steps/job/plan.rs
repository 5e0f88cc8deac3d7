//! Lets the agent make a plan: it reads and runs, and changes nothing.
//!
//! Invariants: there is no tool that edits, and the tree is thrown away, whatever commands wrote.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::agent::prompt::{self, PlanBrief};
use crate::agent::tools::{Read, Search};
use crate::agent::transcript::Transcript;
use crate::agent::{self, Assignment, Finished, HandsIn, Tool};
use crate::core::budget::{Budget, Money};
use crate::core::job::{Job, JobFact, NoPlan, PlanNews, ReviseRequest};
use crate::core::patch::Patch;
use crate::model::Request;
use crate::worker::WorkError;
use crate::worker::attempt::{files, run_tool, task};
use crate::worker::checks::{commands, minutes};
use crate::worker::job_context::{AttemptInput, JobContext};
use crate::worker::notes::Notes;
use crate::worker::packages::with_packages;
use crate::worker::steps::job::{about, rules_and_base};
use crate::workspace::tree::Workspace;

pub(in crate::worker) async fn run(
    ctx: &JobContext,
    job: &Job,
    version: u32,
    stop: &CancellationToken,
) -> Result<JobFact, WorkError> {
    let (rules, base) = rules_and_base(job)?;
    let input = about(job, rules, base);
    let ctx = match with_packages(&input, ctx, &Patch::default(), stop).await? {
        Ok(ctx) => ctx,
        Err(why) => {
            let news = PlanNews::NotMade { why: NoPlan::CannotCheck(why), cost: Money::ZERO };
            return Ok(JobFact::OfPlan { version, news });
        }
    };
    let scratch = ctx.scratch.make("agent-").await?;
    let fact = plan_in(&scratch.path().join("tree"), &ctx, (job, &input), version, stop).await;
    scratch.throw_away().await;
    fact
}

async fn plan_in(
    tree: &Path,
    ctx: &JobContext,
    (job, input): (&Job, &AttemptInput<'_>),
    version: u32,
    stop: &CancellationToken,
) -> Result<JobFact, WorkError> {
    let workspace = Arc::new(Workspace::export(&ctx.mirror, input.base, tree).await?);
    let commands = commands(input, ctx, &workspace).await?;
    let end_of_tools = stop.child_token();
    let files = files(ctx, &workspace, &end_of_tools)?;
    let (_tell_sandbox, sandbox) = watch::channel(ctx.sandbox_with_packages());
    let run = run_tool((input, ctx), &workspace, &commands, sandbox, &end_of_tools).await?;
    let (read, search) = (Read(files.clone()), Search(files));
    let tools: [&dyn Tool; 3] = [&read, &search, &run];
    let refused = !job.planning.wishes.is_empty();
    let plan = PlanBrief::Wanted(job.planning.plan.as_ref().filter(|_| refused));
    let said: Vec<ReviseRequest> = job.planning.wishes.iter().chain(input.notes).cloned().collect();
    let assignment = Assignment {
        pictures: &ctx.pictures,
        round: version,
        attempt: Request::OF_PLAN,
        system: prompt::SYSTEM,
        task: task(input, &workspace, &commands, (plan, &said, ctx.pictures.len()), None),
        turns: input.rules.agent.turns,
        time: minutes(input.rules.agent.minutes),
        hands_in: HandsIn::Plan,
        retry_pause: ctx.model_pause,
    };
    let log = ctx.records.join(format!("plan-{version}")).join("transcript.jsonl");
    let mut transcript = Transcript::open(&log).map_err(|error| WorkError::passing(&error))?;
    let mut budget = Budget::new(job.budget().saturating_sub(job.spent));
    let spent = transcript.cost_so_far(&ctx.model.price());
    budget.book(spent.map_err(|error| WorkError::passing(&error))?);
    let notes = Notes::of(job, ctx.store.clone());
    let mut means = agent::AgentContext {
        model: ctx.model.as_ref(),
        slot: &ctx.slot,
        tools: &tools,
        budget: &mut budget,
        transcript: &mut transcript,
        notes: Some(&|| Notes::new_ones(Some(&notes))),
        waited: Duration::ZERO,
        stop,
        end_of_tools: &end_of_tools,
    };
    let finished = agent::run(&assignment, &mut means).await?;
    let cost = budget.spent();
    let news = match finished {
        Finished::Planned(plan) => PlanNews::Made { plan, cost },
        Finished::NothingToFix { why } => {
            PlanNews::NotMade { why: NoPlan::NothingToFix(why), cost }
        }
        Finished::WithoutAnswer { why } => PlanNews::NotMade { why: NoPlan::Failed(why), cost },
        Finished::OutOfBudget(out) => {
            return Ok(JobFact::OutOfBudget { why: format!("{out}."), cost });
        }
        Finished::Changed { .. } => return Err(WorkError::bug("a change where a plan was due")),
        Finished::Stopped => {
            return Err(WorkError::later("the job was stopped from outside".to_owned()));
        }
    };
    Ok(JobFact::OfPlan { version, news })
}
