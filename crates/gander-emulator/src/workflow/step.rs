//! One step of a job or of a composite action.
//!
//! Invariants: a foreign action is named by a full commit hash; nothing floats.

use super::template::{ACTION, Condition, Place, STEP, STEP_IF, Template};
use super::yaml::{Fault, Node};
use super::{name_of_thing, templates};

#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) line: usize,
    pub(crate) id: Option<String>,
    pub(crate) name: Option<Template>,
    pub(crate) condition: Condition,
    pub(crate) env: Vec<(String, Template)>,
    pub(crate) goes_on_after_failure: bool,
    pub(crate) minutes: Option<f64>,
    pub(crate) act: Act,
}

#[derive(Debug, Clone)]
pub(crate) enum Act {
    Run { script: Template, settings: Settings },
    Uses { action: Uses, with: Vec<(String, Template)> },
}

/// How commands run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    /// `bash`, `sh`, or whatever there is.
    pub(crate) shell: Option<String>,
    pub(crate) directory: Option<Template>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Uses {
    /// `./path`
    Local(String),
    /// `owner/repo/path@hash`: what stands before the `@`, and the hash.
    Pinned(String, String),
}

/// Where a step stands.
#[derive(Clone, Copy)]
pub(super) enum Home<'a> {
    Job(&'a Settings),
    Action,
}

impl Home<'_> {
    fn place(self) -> Place {
        match self {
            Self::Job(_) => STEP,
            Self::Action => ACTION,
        }
    }

    fn condition(self) -> Place {
        match self {
            Self::Job(_) => STEP_IF,
            Self::Action => ACTION,
        }
    }
}

const KEYS: [&str; 11] = [
    "id",
    "name",
    "if",
    "env",
    "continue-on-error",
    "timeout-minutes",
    "run",
    "shell",
    "working-directory",
    "uses",
    "with",
];

impl Step {
    pub(super) fn read_all(node: &Node, home: Home<'_>) -> Result<Vec<Self>, Fault> {
        let mut steps: Vec<Self> = Vec::new();
        for item in node.list("`steps`")? {
            let step = Self::read(item, home)?;
            let taken = step.id.is_some() && steps.iter().any(|other| other.id == step.id);
            if taken {
                return Err(Fault::new(step.line, "two steps have this id"));
            }
            steps.push(step);
        }
        if steps.is_empty() {
            return Err(Fault::new(node.line, "there is no step"));
        }
        Ok(steps)
    }

    fn read(node: &Node, home: Home<'_>) -> Result<Self, Fault> {
        let fields = node.fields("the step", &KEYS)?;
        let place = home.place();
        let id = fields.get("id").map(|node| node.text("`id`")).transpose()?;
        if let Some(id) = id {
            name_of_thing(id, node.line)?;
        }
        let refused = |names: &[&str], beside: &str| {
            let found = names.iter().find_map(|name| Some((*name, fields.get(name)?)));
            found.map_or(Ok(()), |(name, node)| {
                Err(Fault::new(node.line, format!("`{name}` does not go with `{beside}`")))
            })
        };
        let act = match (fields.get("run"), fields.get("uses")) {
            (Some(run), None) => {
                refused(&["with"], "run")?;
                let fallback = Settings::default();
                let defaults = match home {
                    Home::Job(settings) => settings,
                    Home::Action => &fallback,
                };
                let shell = fields.get("shell");
                if matches!(home, Home::Action) && shell.is_none() {
                    return Err(Fault::new(node.line, "a step of an action must name its `shell`"));
                }
                let directory = fields.get("working-directory");
                let settings = Settings::over(defaults, shell, directory, place)?;
                Act::Run { script: Template::read(run, "`run`", place)?, settings }
            }
            (None, Some(uses)) => {
                refused(&["shell", "working-directory"], "uses")?;
                let with = templates(fields.get("with"), "`with`", place)?;
                Act::Uses { action: Uses::read(uses)?, with }
            }
            _ => return Err(Fault::new(node.line, "a step has either `run` or `uses`")),
        };
        if let (Home::Action, Some(node)) = (home, fields.get("timeout-minutes")) {
            return Err(Fault::new(node.line, "a step of an action has no `timeout-minutes`"));
        }
        let name = fields.get("name").map(|node| Template::read(node, "`name`", place));
        let goes_on = fields.get("continue-on-error");
        Ok(Self {
            line: node.line,
            id: id.map(str::to_owned),
            name: name.transpose()?,
            condition: Condition::read(fields.get("if"), home.condition())?,
            env: templates(fields.get("env"), "`env`", place)?,
            goes_on_after_failure: goes_on
                .map_or(Ok(false), |node| node.boolean("`continue-on-error`"))?,
            minutes: minutes(fields.get("timeout-minutes"))?,
            act,
        })
    }
}

impl Settings {
    /// Reads `defaults`, over what is there already.
    pub(super) fn read(node: Option<&Node>, outer: &Self) -> Result<Self, Fault> {
        let Some(node) = node else { return Ok(outer.clone()) };
        let run = node.fields("`defaults`", &["run"])?;
        let Some(run) = run.get("run") else { return Ok(outer.clone()) };
        let run = run.fields("`defaults.run`", &["shell", "working-directory"])?;
        Self::over(outer, run.get("shell"), run.get("working-directory"), STEP)
    }

    fn over(
        outer: &Self,
        shell: Option<&Node>,
        directory: Option<&Node>,
        place: Place,
    ) -> Result<Self, Fault> {
        let mut settings = outer.clone();
        if let Some(node) = shell {
            let shell = node.text("`shell`")?;
            if !matches!(shell, "bash" | "sh") {
                return Err(Fault::new(node.line, format!("the runner has no shell `{shell}`")));
            }
            settings.shell = Some(shell.to_owned());
        }
        if let Some(node) = directory {
            settings.directory = Some(Template::read(node, "`working-directory`", place)?);
        }
        Ok(settings)
    }
}

impl Uses {
    fn read(node: &Node) -> Result<Self, Fault> {
        let text = node.text("`uses`")?;
        if text.starts_with("./") {
            return Ok(Self::Local(text.to_owned()));
        }
        let pinned = text.split_once('@').filter(|(name, _)| name.contains('/'));
        let Some((name, hash)) = pinned else {
            return Err(Fault::new(node.line, format!("`{text}` is no action that can be used")));
        };
        let full = hash.len() == 40 && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !full {
            let says = format!("`{text}` floats: name the full commit hash");
            return Err(Fault::new(node.line, says));
        }
        Ok(Self::Pinned(name.to_owned(), hash.to_owned()))
    }
}

impl std::fmt::Display for Uses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Local(path) => f.write_str(path),
            Self::Pinned(name, hash) => write!(f, "{name}@{hash}"),
        }
    }
}

pub(super) fn minutes(node: Option<&Node>) -> Result<Option<f64>, Fault> {
    let Some(node) = node else { return Ok(None) };
    let minutes = node.text("`timeout-minutes`")?.parse::<f64>().ok();
    let minutes = minutes.filter(|minutes| minutes.is_finite() && *minutes > 0.0);
    minutes.map(Some).ok_or_else(|| Fault::new(node.line, "`timeout-minutes` must be a number"))
}
