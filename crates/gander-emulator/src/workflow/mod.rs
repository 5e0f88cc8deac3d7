//! What a workflow file says.
//!
//! Invariants: a file is read whole before anything of it runs; a key, value, context or function
//! that the emulator does not know is refused with its line. Anything that is read is also obeyed.

mod action;
mod evaluate;
mod expression;
mod step;
mod template;
mod trigger;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use self::action::Composite;
pub(crate) use self::evaluate::{Sight, Standing};
pub(crate) use self::step::{Act, Settings, Step, Uses};
pub(crate) use self::template::{Condition, Template};
use self::template::{JOB, JOB_IF, RUN_NAME, STEP, WORKFLOW};
pub(crate) use self::trigger::{InputSpec, Triggers};
pub(crate) use self::yaml::Fault;
use self::yaml::{Fields, Key, Node};

/// A workflow file.
#[derive(Debug, Clone)]
pub(crate) struct Workflow {
    pub(crate) permissions: Option<Permissions>,
    pub(crate) env: Vec<(String, Template)>,
    pub(crate) concurrency: Option<Template>,
    /// Those that are needed before those that need them.
    pub(crate) jobs: Vec<Job>,
}

/// What a job's token may do: level by permission, in GitHub's names for Apps.
pub(crate) type Permissions = BTreeMap<String, String>;

#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) id: String,
    pub(crate) name: Option<Template>,
    pub(crate) needs: Vec<String>,
    pub(crate) condition: Condition,
    pub(crate) permissions: Option<Permissions>,
    pub(crate) env: Vec<(String, Template)>,
    pub(crate) outputs: Vec<(String, Template)>,
    pub(crate) minutes: Option<f64>,
    pub(crate) runs_on: String,
    pub(crate) steps: Vec<Step>,
}

/// What is known of a file without reading its jobs.
#[derive(Debug, Clone)]
pub(crate) struct Cover {
    pub(crate) name: Option<String>,
    pub(crate) run_name: Option<Template>,
    pub(crate) triggers: Triggers,
}

const KEYS: [&str; 8] =
    ["name", "run-name", "on", "permissions", "env", "defaults", "concurrency", "jobs"];
const JOB_KEYS: [&str; 12] = [
    "name",
    "needs",
    "if",
    "permissions",
    "env",
    "defaults",
    "outputs",
    "timeout-minutes",
    "concurrency",
    "runs-on",
    "steps",
    "environment",
];
/// The names in a workflow file; an App's permission is the same with `_`.
const PERMISSIONS: [&str; 14] = [
    "actions",
    "attestations",
    "checks",
    "contents",
    "deployments",
    "discussions",
    "id-token",
    "issues",
    "models",
    "packages",
    "pages",
    "pull-requests",
    "security-events",
    "statuses",
];

impl Cover {
    /// Reads what the file listens to and how its runs are called.
    pub(crate) fn read(text: &str) -> Result<Self, Fault> {
        let root = yaml::read(text)?;
        let fields = root.fields("the workflow", &KEYS)?;
        let name = fields.get("name").map(|node| node.text("`name`")).transpose()?;
        let run_name = fields.get("run-name");
        let run_name = run_name.map(|node| Template::read(node, "`run-name`", RUN_NAME));
        Ok(Self {
            name: name.map(str::to_owned),
            run_name: run_name.transpose()?,
            triggers: Triggers::read(fields.required("the workflow", "on")?)?,
        })
    }
}

impl Workflow {
    pub(crate) fn read(text: &str) -> Result<Self, Fault> {
        Cover::read(text)?;
        let root = yaml::read(text)?;
        let fields = root.fields("the workflow", &KEYS)?;
        let settings = Settings::read(fields.get("defaults"), &Settings::default())?;
        let jobs = fields.required("the workflow", "jobs")?;
        let entries = jobs.map("`jobs`")?;
        let mut read = Vec::new();
        for (key, node) in entries {
            read.push((key.line, job(key, node, &settings)?));
        }
        if read.is_empty() {
            return Err(Fault::new(jobs.line, "there is no job"));
        }
        Ok(Self {
            permissions: permissions(fields.get("permissions"))?,
            env: templates(fields.get("env"), "`env`", WORKFLOW)?,
            concurrency: concurrency(&fields, RUN_NAME)?,
            jobs: sorted(read)?,
        })
    }
}

fn job(key: &Key, node: &Node, settings: &Settings) -> Result<Job, Fault> {
    let what = format!("the job `{}`", key.name);
    name_of_thing(&key.name, key.line)?;
    let fields = node.fields(&what, &JOB_KEYS)?;
    if let Some(environment) = fields.get("environment") {
        return Err(Fault::new(environment.line, "environments are not supported"));
    }
    let settings = Settings::read(fields.get("defaults"), settings)?;
    let runs_on = fields.required(&what, "runs-on")?;
    if !runs_on.text("`runs-on`")?.starts_with("ubuntu-") {
        return Err(Fault::new(runs_on.line, "the runner only stands in for `ubuntu-…`"));
    }
    concurrency(&fields, JOB)?;
    let steps = fields.required(&what, "steps")?;
    let name = fields.get("name").map(|node| Template::read(node, "`name`", JOB));
    Ok(Job {
        id: key.name.clone(),
        name: name.transpose()?,
        needs: fields.get("needs").map_or(Ok(Vec::new()), |node| node.texts("`needs`"))?,
        condition: Condition::read(fields.get("if"), JOB_IF)?,
        permissions: permissions(fields.get("permissions"))?,
        env: templates(fields.get("env"), "`env`", JOB)?,
        outputs: templates(fields.get("outputs"), "`outputs`", STEP)?,
        minutes: step::minutes(fields.get("timeout-minutes"))?,
        runs_on: runs_on.text("`runs-on`")?.to_owned(),
        steps: Step::read_all(steps, step::Home::Job(&settings))?,
    })
}

/// The group of runs that wait for each other.
fn concurrency(fields: &Fields<'_>, place: template::Place) -> Result<Option<Template>, Fault> {
    let Some(node) = fields.get("concurrency") else { return Ok(None) };
    let what = "`concurrency`";
    if matches!(node.content, yaml::Content::Scalar(_)) {
        return Template::read(node, what, place).map(Some);
    }
    let inner = node.fields(what, &["group", "cancel-in-progress"])?;
    // Runs go one after the other, so none is in progress when the next begins.
    inner.get("cancel-in-progress").map(|node| node.boolean("`cancel-in-progress`")).transpose()?;
    Template::read(inner.required(what, "group")?, "`group`", place).map(Some)
}

fn permissions(node: Option<&Node>) -> Result<Option<Permissions>, Fault> {
    let Some(node) = node else { return Ok(None) };
    let app_name = |name: &str| name.replace('-', "_");
    if let yaml::Content::Scalar(word) = &node.content {
        let level = match &**word {
            "read-all" => "read",
            "write-all" => "write",
            _ => return Err(Fault::new(node.line, "`permissions` is read-all or write-all")),
        };
        let all = PERMISSIONS.iter().map(|name| (app_name(name), level.to_owned()));
        return Ok(Some(all.collect()));
    }
    let mut granted = Permissions::new();
    for (key, value) in node.map("`permissions`")? {
        if !PERMISSIONS.contains(&&*key.name) {
            return Err(Fault::new(key.line, format!("there is no permission `{}`", key.name)));
        }
        match (&*key.name, value.text("a permission")?) {
            (_, "none") => {}
            (_, level @ "write") | (_, level @ "read") => {
                granted.insert(app_name(&key.name), level.to_owned());
            }
            _ => return Err(Fault::new(value.line, "a permission is read, write or none")),
        }
    }
    Ok(Some(granted))
}

fn templates(
    node: Option<&Node>,
    what: &str,
    place: template::Place,
) -> Result<Vec<(String, Template)>, Fault> {
    let Some(node) = node else { return Ok(Vec::new()) };
    let mut read = Vec::new();
    for (key, value) in node.map(what)? {
        read.push((key.name.clone(), Template::read(value, &key.name, place)?));
    }
    Ok(read)
}

/// Jobs and steps are called by letters, digits, `_` and `-`.
fn name_of_thing(name: &str, line: usize) -> Result<(), Fault> {
    let start = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if start && name.chars().all(word) {
        return Ok(());
    }
    Err(Fault::new(line, format!("`{name}` is no good name")))
}

/// Puts every job after those that it needs.
fn sorted(mut waiting: Vec<(usize, Job)>) -> Result<Vec<Job>, Fault> {
    let known: BTreeSet<String> = waiting.iter().map(|(_, job)| job.id.clone()).collect();
    for (line, job) in &waiting {
        if let Some(missing) = job.needs.iter().find(|need| !known.contains(*need)) {
            return Err(Fault::new(
                *line,
                format!("`{}` needs `{missing}`, which is not there", job.id),
            ));
        }
    }
    let mut done: Vec<Job> = Vec::new();
    while let Some((line, first)) = waiting.first() {
        let circle = format!("`{}` needs itself in a circle", first.id);
        let circle = Fault::new(*line, circle);
        let ready = waiting.iter().position(|(_, job)| {
            job.needs.iter().all(|need| done.iter().any(|other| other.id == *need))
        });
        done.push(waiting.remove(ready.ok_or(circle)?).1);
    }
    Ok(done)
}
