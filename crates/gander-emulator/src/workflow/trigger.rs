//! What a workflow listens to.
//!
//! Invariants: dispatches, pushes, pull requests, and what people say start runs in the emulator;
//! other events may be listened to, and are not heard.

use std::collections::BTreeMap;

use super::yaml::{Content, Fault, Node};

#[derive(Debug, Clone, Default)]
pub(crate) struct Triggers {
    /// The types that are heard; an empty list hears all.
    pub(crate) repository_dispatch: Option<Vec<String>>,
    pub(crate) workflow_dispatch: Option<Vec<InputSpec>>,
    /// The branches whose pushes are heard; an empty list hears all.
    pub(crate) push: Option<Vec<String>>,
    /// The branches whose pull requests are heard; an empty list hears all.
    pub(crate) pull_request: Option<Vec<String>>,
    /// What people say, by event: the types that are heard; an empty list hears all.
    pub(crate) said: BTreeMap<String, Vec<String>>,
}

/// One input of `workflow_dispatch`.
#[derive(Debug, Clone)]
pub(crate) struct InputSpec {
    pub(crate) name: String,
    pub(crate) required: bool,
    pub(crate) default: Option<String>,
    pub(crate) kind: InputKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum InputKind {
    Text,
    Boolean,
    Number,
    Choice(Vec<String>),
}

/// Comments and reviews.
const SAID: [&str; 3] = ["issue_comment", "pull_request_review", "pull_request_review_comment"];

/// What else GitHub's workflows can listen to.
const EVENTS: [&str; 26] = [
    "branch_protection_rule",
    "check_run",
    "check_suite",
    "create",
    "delete",
    "deployment",
    "deployment_status",
    "discussion",
    "discussion_comment",
    "fork",
    "gollum",
    "image_version",
    "issues",
    "label",
    "merge_group",
    "milestone",
    "page_build",
    "public",
    "pull_request_target",
    "registry_package",
    "release",
    "schedule",
    "status",
    "watch",
    "workflow_call",
    "workflow_run",
];

impl Triggers {
    pub(super) fn read(node: &Node) -> Result<Self, Fault> {
        let mut triggers = Self::default();
        match &node.content {
            Content::Map(entries) => {
                for (key, value) in entries {
                    triggers.add(&key.name, key.line, Some(value))?;
                }
            }
            Content::List(items) => {
                for item in items {
                    triggers.add(item.text("`on`")?, item.line, None)?;
                }
            }
            _ => triggers.add(node.text("`on`")?, node.line, None)?,
        }
        Ok(triggers)
    }

    fn add(&mut self, event: &str, line: usize, node: Option<&Node>) -> Result<(), Fault> {
        match event {
            "repository_dispatch" => self.repository_dispatch = Some(types(event, node)?),
            said if SAID.contains(&said) => {
                self.said.insert(said.to_owned(), types(event, node)?);
            }
            "workflow_dispatch" => {
                let mut inputs = Vec::new();
                if let Some(node) = node {
                    let fields = node.fields("`workflow_dispatch`", &["inputs"])?;
                    if let Some(node) = fields.get("inputs") {
                        for (key, node) in node.map("`inputs`")? {
                            inputs.push(InputSpec::read(&key.name, node)?);
                        }
                    }
                }
                self.workflow_dispatch = Some(inputs);
            }
            "push" => self.push = Some(branches(event, node)?),
            "pull_request" => self.pull_request = Some(branches(event, node)?),
            other if EVENTS.contains(&other) => {}
            other => return Err(Fault::new(line, format!("the event `{other}` is not known"))),
        }
        Ok(())
    }

    /// Whether a `repository_dispatch` of this type is heard.
    pub(crate) fn hears(&self, event_type: &str) -> bool {
        let types = self.repository_dispatch.as_ref();
        heard(types, event_type)
    }

    /// Whether something that somebody said is heard.
    pub(crate) fn hears_said(&self, event: &str, action: &str) -> bool {
        heard(self.said.get(event), action)
    }

    /// Whether a push to this branch is heard.
    pub(crate) fn hears_push(&self, branch: &str) -> bool {
        heard(self.push.as_ref(), branch)
    }

    /// Whether a pull request into this branch is heard.
    pub(crate) fn hears_pull_request(&self, base: &str) -> bool {
        heard(self.pull_request.as_ref(), base)
    }
}

fn heard(names: Option<&Vec<String>>, name: &str) -> bool {
    names.is_some_and(|names| names.is_empty() || names.iter().any(|one| one == name))
}

/// The types of an event that are heard.
fn types(event: &str, node: Option<&Node>) -> Result<Vec<String>, Fault> {
    let Some(node) = node else { return Ok(Vec::new()) };
    let fields = node.fields(&format!("`{event}`"), &["types"])?;
    fields.get("types").map_or(Ok(Vec::new()), |node| node.texts("`types`"))
}

/// The branches that an event is heard for.
fn branches(event: &str, node: Option<&Node>) -> Result<Vec<String>, Fault> {
    let Some(node) = node.filter(|node| !matches!(node.content, Content::Null)) else {
        return Ok(Vec::new());
    };
    let fields = node.fields(&format!("`{event}`"), &["branches"])?;
    let Some(node) = fields.get("branches") else { return Ok(Vec::new()) };
    let names = node.texts("`branches`")?;
    match names.iter().find(|name| name.contains(['*', '?', '+', '[', '!'])) {
        Some(pattern) => {
            let says = format!("the pattern `{pattern}` is not understood; name branches in full");
            Err(Fault::new(node.line, says))
        }
        None => Ok(names),
    }
}

impl InputSpec {
    fn read(name: &str, node: &Node) -> Result<Self, Fault> {
        let known = ["description", "required", "default", "type", "options"];
        let fields = node.fields(&format!("the input `{name}`"), &known)?;
        let options = fields.get("options").map(|node| node.texts("`options`")).transpose()?;
        let kind = match fields.get("type").map(|node| node.text("`type`")).transpose()? {
            None | Some("string") => InputKind::Text,
            Some("boolean") => InputKind::Boolean,
            Some("number") => InputKind::Number,
            Some("choice") => InputKind::Choice(options.unwrap_or_default()),
            Some(other) => {
                return Err(Fault::new(
                    node.line,
                    format!("the input type `{other}` is not known"),
                ));
            }
        };
        let required = fields.get("required");
        let default = fields.get("default").map(|node| node.text_or_empty("`default`"));
        Ok(Self {
            name: name.to_owned(),
            required: required.map_or(Ok(false), |node| node.boolean("`required`"))?,
            default: default.transpose()?.map(str::to_owned),
            kind,
        })
    }

    /// The value of each input, or why these will not do.
    pub(crate) fn settle(
        specs: &[Self],
        given: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>, String> {
        let unknown = given.keys().find(|name| specs.iter().all(|spec| spec.name != **name));
        if let Some(unknown) = unknown {
            return Err(format!("Unexpected inputs provided: [\"{unknown}\"]"));
        }
        let mut settled = BTreeMap::new();
        for spec in specs {
            let value = given.get(&spec.name).or(spec.default.as_ref()).cloned();
            if value.is_none() && spec.required {
                return Err(format!("Required input '{}' not provided", spec.name));
            }
            let value = value.unwrap_or_else(|| match spec.kind {
                InputKind::Boolean => "false".to_owned(),
                _ => String::new(),
            });
            let fits = match &spec.kind {
                InputKind::Text => true,
                InputKind::Boolean => matches!(&*value, "true" | "false"),
                InputKind::Number => value.is_empty() || value.parse::<f64>().is_ok(),
                InputKind::Choice(options) => value.is_empty() || options.contains(&value),
            };
            if !fits {
                return Err(format!(
                    "Provided value '{value}' for input '{}' is not allowed",
                    spec.name
                ));
            }
            settled.insert(spec.name.clone(), value);
        }
        Ok(settled)
    }
}
