//! `gander action decide|work|push`: a job in the repository's own workflow.
//!
//! Invariants: who holds a token runs nothing of the repository, and who runs it holds no token;
//! commands run in the sandbox, also on a machine that GitHub made for this one job, for beside them
//! the model's key is in use.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Notify;
use url::Url;

use super::run::report::{CHANGE, RunReport, UNVERIFIED, as_text};
use super::run::write_patch;
use super::{AnyError, local, say, unprivileged};
use crate::action::{
    ActionEnd, ActionReport, Surroundings, WorkflowEvent, WorkflowInputs, hand_over, handed_over,
    model_key,
};
use crate::agent::HeldSlot;
use crate::app::{
    egress_to, forge_of_job, installed_toolchains, model_addresses, models, registries, sandbox,
};
use crate::clock::Clock;
use crate::config::{ModelChoice, variable};
use crate::core::budget::Money;
use crate::core::command::Address;
use crate::core::delivery::Payload;
use crate::core::id::RepoId;
use crate::core::leak::KnownSecrets;
use crate::core::retention::Retention;
use crate::core::text::boxed;
use crate::egress::{Egress, PrivateAddresses};
use crate::environment::{Environment, Environments};
use crate::sandbox::Sandbox as _;
use crate::store::Memory;
use crate::worker::{self, Context, Handover, JobContext, NextPart, WorkError, WorkerSettings};
use crate::workspace::builds::Builds;
use crate::workspace::mirror::Mirror;
use crate::workspace::scratch::Scratch;

/// What one job may cost where nobody says, as on a server.
const PER_JOB: Money = Money::from_micros(10_000_000);
/// What an agent and its checks left, for the page of the run.
const REPORT: &str = "report.md";
/// Characters of it that the page shows.
const SUMMARY_CAP: usize = 20_000;
const MODEL_PAUSE: Duration = Duration::from_secs(2);

/// Decides what follows from a comment or a review, and answers it.
pub(super) async fn decide(surroundings: &Surroundings) -> Result<ActionReport, AnyError> {
    let inputs = WorkflowInputs::read(&variable)?;
    let ctx = context(surroundings, &inputs)?;
    let event = WorkflowEvent::read(&variable)?;
    let payload: Payload = serde_json::from_str(&event.body()?)
        .map_err(|bad| format!("the event cannot be read: {bad}"))?;
    let decided = worker::decide(&ctx, &event.name, payload).await.map_err(in_words)?;
    let (next, words) = match decided.next {
        NextPart::Work => ("work", "The agent goes on with it."),
        NextPart::Push => ("push", "What is there is pushed, or taken back."),
        NextPart::Nothing => ("", "Nothing follows that takes another job."),
    };
    say(words);
    let mut outputs = vec![
        ("next", next.to_owned()),
        ("subject", decided.subject.to_string()),
        ("stop", if decided.stops { "true" } else { "" }.to_owned()),
    ];
    if decided.next != NextPart::Nothing {
        outputs.push(("handover", leave(surroundings, &decided.handover)?));
    }
    Ok(ActionReport { end: ActionEnd::Done, summary: format!("{words}\n"), outputs })
}

/// Fetches the commits that the work needs.
pub(super) async fn fetch(surroundings: &Surroundings) -> Result<ActionReport, AnyError> {
    let inputs = WorkflowInputs::read(&variable)?;
    let (ctx, handover) = (context(surroundings, &inputs)?, taken(surroundings, &inputs)?);
    worker::fetch(&ctx, &handover).await.map_err(in_words)?;
    Ok(ActionReport { end: ActionEnd::Done, summary: String::new(), outputs: Vec::new() })
}

/// The agent, the checks and the proof.
pub(super) async fn work(surroundings: &Surroundings) -> Result<ActionReport, AnyError> {
    if unprivileged::is_root() {
        let words = "this job runs as root, and commands of a repository never do: use a runner whose \
                     user is not root";
        return Err(words.into());
    }
    let inputs = WorkflowInputs::read(&variable)?;
    let handover = taken(surroundings, &inputs)?;
    let key = model_key(&variable);
    let choice = model(&inputs, key.clone())?;
    let secret = key.as_ref().map(|key| ("the model's key", key.expose_secret()));
    let known = Arc::new(KnownSecrets::new(secret)?);
    let ctx = job_context(surroundings, &inputs, &choice, &known).await?;
    let log = |line: &str| say(format!("… {line}"));
    let (mut left, end) = worker::work(&ctx, handover, &log).await.map_err(in_words)?;
    let mut summary = String::new();
    if let Some(end) = end
        && let Some(base) = end.job.base().map(|base| base.sha.clone())
    {
        let report = RunReport::of(base.clone(), &end);
        let text = as_text(&report, &surroundings.directory);
        say(&text);
        if let Some(patch) = &end.patch {
            let name = if report.is_verified() { CHANGE } else { UNVERIFIED };
            write_patch(&ctx, &base, patch, &surroundings.directory.join(name)).await?;
        }
        std::fs::write(surroundings.directory.join(REPORT), &text)?;
        summary = format!("{}\n", boxed(&text, SUMMARY_CAP));
    }
    if let Some(name) = known.found_in(&serde_json::to_vec(&left)?) {
        let words = format!("what was to be handed over holds {name}: nothing is handed over");
        return Err(words.into());
    }
    let digest = leave(surroundings, &std::mem::take(&mut left))?;
    Ok(ActionReport { end: ActionEnd::Done, summary, outputs: vec![("handover", digest)] })
}

/// Pushes what was handed over, and tells people.
pub(super) async fn push(surroundings: &Surroundings) -> Result<ActionReport, AnyError> {
    let inputs = WorkflowInputs::read(&variable)?;
    let (ctx, handover) = (context(surroundings, &inputs)?, taken(surroundings, &inputs)?);
    let jobs = worker::push(&ctx, &handover, &inputs.page).await.map_err(in_words)?;
    let mut outputs = Vec::new();
    let mut summary = "Nothing was pushed: it was stopped meanwhile.\n".to_owned();
    if let Some(job) = jobs.last() {
        summary = format!("#{}: {}.\n", job.subject, job.stage.name());
        let pull = job.pull.as_ref().map(|pull| ("pull", pull.number.to_string()));
        outputs.extend(pull);
    }
    say(summary.trim_end());
    Ok(ActionReport { end: ActionEnd::Done, summary, outputs })
}

/// What the parts with a token work with. They ask no model and run no command.
fn context(surroundings: &Surroundings, inputs: &WorkflowInputs) -> Result<Context, AnyError> {
    let token = surroundings
        .token
        .clone()
        .ok_or("token: it is not given; hand the job's own in, as `token: ${{ github.token }}`")?;
    let nobody = SecretString::from("asks-nobody");
    let choice = model(inputs, Some(nobody))?;
    let egress = model_egress(&choice)?;
    Ok(Context {
        store: Arc::new(Memory::default()),
        forge: forge_of_job(&surroundings.api, &surroundings.web, token)?,
        sandbox: Arc::new(sandbox()),
        registries: None,
        toolchains: Vec::new().into(),
        models: models(&choice, &egress, &Arc::default())?,
        slack: None,
        slack_visits: None,
        clock: Clock::system(),
        metrics: Arc::default(),
        wake: Arc::new(Notify::new()),
        slot: HeldSlot::default(),
        settings: WorkerSettings {
            address: Address { prefix: inputs.prefix.clone(), mention: None },
            data: data(surroundings)?,
            most_per_job: inputs.most_per_job.unwrap_or(PER_JOB),
            // Nothing is known of other days.
            installation_day: Money::from_micros(1_000_000_000_000_000),
            workers: 1,
            models: 1,
            model_pause: MODEL_PAUSE,
            settle: Duration::ZERO,
            retention: Retention::default(),
        },
    })
}

/// What the agent works with.
async fn job_context(
    surroundings: &Surroundings,
    inputs: &WorkflowInputs,
    choice: &ModelChoice,
    known: &Arc<KnownSecrets>,
) -> Result<JobContext, AnyError> {
    let sandbox = sandbox();
    sandbox.probe().await.map_err(|error| {
        format!(
            "there is no sandbox here for the repository's code, so nothing was begun: {error}. \
             docs/no-server.md says what a runner needs"
        )
    })?;
    let egress = model_egress(choice)?;
    let model = models(choice, &egress, known)?.into_iter().next().ok_or("no model is named")?;
    let data = data(surroundings)?;
    let RepoId(repo) = inputs.repo.repo_id;
    let registries = egress_to(registries(), PrivateAddresses::Allow)?;
    Ok(JobContext {
        pictures: Arc::default(),
        store: Arc::new(Memory::default()),
        sandbox: Arc::new(sandbox),
        packages: Environment::default(),
        judge: Arc::clone(&model),
        model,
        slot: HeldSlot::default(),
        mirror: Mirror::open(&data.join("mirrors"), &repo.to_string()).await?,
        scratch: Scratch::below(&data),
        records: surroundings.directory.clone(),
        clock: Clock::system(),
        base_checks: data.join("base-checks"),
        builds: Builds::of(&data, repo.to_string()),
        environments: Environments::new(&data, Some(registries), installed_toolchains()),
        former_records: None,
        model_pause: MODEL_PAUSE,
    })
}

fn model(inputs: &WorkflowInputs, key: Option<SecretString>) -> Result<ModelChoice, AnyError> {
    let provider = inputs.provider.as_deref().map(|name| {
        name.parse().map_err(|()| format!("provider: {name:?} is neither anthropic nor openai"))
    });
    let scripted = inputs.model.starts_with("scripted:");
    if key.is_none() && !scripted {
        let words = "model-key: it is not given. Make a secret of the repository (Settings → Secrets \
                     and variables → Actions), and hand it in as \
                     `model-key: ${{ secrets.GANDER_MODEL_KEY }}`";
        return Err(words.into());
    }
    let mut choice = local::model_choice(&inputs.model, provider.transpose()?, key)?;
    if let ModelChoice::Provider { base_url, .. } = &mut choice {
        base_url.clone_from(&inputs.model_url);
    }
    Ok(choice)
}

/// Whoever writes the workflow file is the operator: a model may stand in their own network.
fn model_egress(choice: &ModelChoice) -> Result<Egress, AnyError> {
    let named: Vec<Url> = model_addresses(choice)?;
    let own = matches!(choice, ModelChoice::Provider { base_url: Some(_), .. });
    let private = if own { PrivateAddresses::Allow } else { PrivateAddresses::Refuse };
    Ok(egress_to(named, private)?)
}

/// What the steps of one job share.
fn data(surroundings: &Surroundings) -> Result<PathBuf, AnyError> {
    let data = surroundings.temporary.join("gander-data");
    std::fs::create_dir_all(&data)
        .map_err(|error| format!("{} cannot be made: {error}", data.display()))?;
    Ok(data)
}

fn taken(surroundings: &Surroundings, inputs: &WorkflowInputs) -> Result<Handover, AnyError> {
    let text = handed_over(&surroundings.directory, inputs.handover.as_ref())?;
    let handover = serde_json::from_str(&text);
    Ok(handover.map_err(|bad| format!("what was handed over cannot be read: {bad}"))?)
}

fn leave(surroundings: &Surroundings, handover: &Handover) -> Result<String, AnyError> {
    let text = serde_json::to_string(handover)?;
    Ok(hand_over(&surroundings.directory, &text)?.to_string())
}

fn in_words(fault: WorkError) -> AnyError {
    fault.text.into()
}
