//! What `action.yml` of a composite action says.

use super::step::{Home, Step};
use super::template::{ACTION, ACTION_DEFAULT, Template};
use super::yaml::{self, Fault, Node};

#[derive(Debug, Clone)]
pub(crate) struct Composite {
    pub(crate) inputs: Vec<InputDefault>,
    pub(crate) outputs: Vec<(String, Template)>,
    pub(crate) steps: Vec<Step>,
}

#[derive(Debug, Clone)]
pub(crate) struct InputDefault {
    pub(crate) name: String,
    pub(crate) value: Option<Template>,
}

const KEYS: [&str; 7] = ["name", "description", "author", "branding", "inputs", "outputs", "runs"];

impl Composite {
    pub(crate) fn read(text: &str) -> Result<Self, Fault> {
        let root = yaml::read(text)?;
        let fields = root.fields("the action", &KEYS)?;
        fields.required("the action", "name")?.text("`name`")?;
        fields.required("the action", "description")?.text("`description`")?;
        let runs = fields.required("the action", "runs")?;
        let runs = runs.fields("`runs`", &["using", "steps"])?;
        let using = runs.required("`runs`", "using")?;
        if using.text("`using`")? != "composite" {
            return Err(Fault::new(using.line, "the runner only knows composite actions"));
        }
        Ok(Self {
            inputs: inputs(fields.get("inputs"))?,
            outputs: outputs(fields.get("outputs"))?,
            steps: Step::read_all(runs.required("`runs`", "steps")?, Home::Action)?,
        })
    }
}

fn inputs(node: Option<&Node>) -> Result<Vec<InputDefault>, Fault> {
    let mut read = Vec::new();
    for (key, node) in node.map_or(Ok(&[][..]), |node| node.map("`inputs`"))? {
        let known = ["description", "required", "default", "deprecationMessage"];
        let fields = node.fields(&format!("the input `{}`", key.name), &known)?;
        if let Some(required) = fields.get("required") {
            required.boolean("`required`")?;
        }
        let value = fields.get("default");
        let value = value.map(|node| Template::read(node, "`default`", ACTION_DEFAULT));
        read.push(InputDefault { name: key.name.clone(), value: value.transpose()? });
    }
    Ok(read)
}

fn outputs(node: Option<&Node>) -> Result<Vec<(String, Template)>, Fault> {
    let mut read = Vec::new();
    for (key, node) in node.map_or(Ok(&[][..]), |node| node.map("`outputs`"))? {
        let what = format!("the output `{}`", key.name);
        let fields = node.fields(&what, &["description", "value"])?;
        let value = Template::read(fields.required(&what, "value")?, "`value`", ACTION)?;
        read.push((key.name.clone(), value));
    }
    Ok(read)
}
