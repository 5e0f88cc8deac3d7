//! GitHub's GraphQL schema as a judge: of documents and variables that are sent, and of the data
//! that comes back.
//!
//! Invariants: the schema and the rules are the published ones, run by node; a judge that does not
//! answer is an error, not a pass.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use gander_emulator::Exchange;
use serde_json::{Value, json};

use crate::{Part, Violation};

const SCRIPT: &str = include_str!("../graphql.cjs");

pub(crate) struct Schema {
    /// The folder of npm's packages.
    modules: PathBuf,
}

/// Whether an exchange is one of GraphQL.
pub(crate) fn is_graphql(exchange: &Exchange) -> bool {
    exchange.path == "/graphql"
}

impl Schema {
    pub(crate) fn new(modules: &Path) -> Self {
        Self { modules: modules.to_owned() }
    }

    /// What is wrong with exchanges of GraphQL, all judged at once.
    pub(crate) fn check(&self, exchanges: &[&Exchange]) -> Vec<Violation> {
        let sent = exchanges.iter().filter(|exchange| exchange.status == 200);
        let sent: Vec<&Exchange> = sent.copied().collect();
        if sent.is_empty() {
            return Vec::new();
        }
        let given: Vec<Value> = sent.iter().map(|exchange| question(exchange)).collect();
        let said = self.ask(&json!(given));
        assert_eq!(said.len(), sent.len(), "one answer for each exchange");
        let mut found = Vec::new();
        for (exchange, messages) in sent.iter().zip(said) {
            let name = format!("{} {}", exchange.method, exchange.path);
            let wrong =
                |message| Violation { exchange: name.clone(), part: Part::Graphql, message };
            found.extend(messages.into_iter().map(wrong));
        }
        found
    }

    fn ask(&self, given: &Value) -> Vec<Vec<String>> {
        #[allow(clippy::disallowed_methods, reason = "GraphQL's own judge runs in node")]
        let mut command = Command::new("node");
        let mut child = command
            .arg("--eval")
            .arg(SCRIPT)
            .env("NODE_PATH", &self.modules)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(given.to_string().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "the judge of GraphQL failed");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn question(exchange: &Exchange) -> Value {
    let (body, answer) = (exchange.request_body.as_ref(), exchange.response_body.as_ref());
    let of_body = |name: &str| body.map_or(Value::Null, |body| body[name].clone());
    // A planned fault speaks for nobody.
    let answer = answer.filter(|_| exchange.answered);
    let of_answer = |name: &str| answer.map_or(Value::Null, |answer| answer[name].clone());
    json!({
        "query": of_body("query").as_str().unwrap_or_default(),
        "variables": of_body("variables"),
        "data": of_answer("data"),
        "errors": of_answer("errors"),
    })
}
