//! What is done in place of `actions/attest`: a statement about files is signed for this job, kept
//! by GitHub, and handed on.
//!
//! Invariants: the job needs the permissions that the action asks for; who signed is what the run
//! is, and nothing that a step says.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::bench::Bench;
use crate::Trouble;
use crate::signing::Workload;

/// What a step hands on, or why it failed.
type Outputs = Result<BTreeMap<String, String>, String>;

/// What the action asks for besides the token.
const NEEDED: [&str; 2] = ["id_token", "attestations"];
/// Who vouches for jobs on github.com.
const ISSUER: &str = "https://token.actions.githubusercontent.com";

pub(crate) fn run(
    bench: &mut Bench<'_>,
    given: &BTreeMap<String, String>,
) -> Result<Outputs, Trouble> {
    let may = |name: &&str| bench.granted.get(*name).is_some_and(|level| level == "write");
    if let Some(missing) = NEEDED.iter().find(|name| !may(name)) {
        let missing = missing.replace('_', "-");
        return Ok(Err(format!("the job needs the permission `{missing}: write`")));
    }
    let statement = match statement(bench, given) {
        Ok(statement) => statement,
        Err(says) => return Ok(Err(says)),
    };
    let workload = workload(bench);
    let behind = i64::try_from(bench.setup.signs_behind.as_secs()).unwrap_or(i64::MAX);
    let now = (bench.emulator.lock().now() / 1000).saturating_sub(behind);
    let signing = &bench.emulator.shared.signing;
    let bundle = signing.attest(statement.to_string().as_bytes(), &workload, now)?;
    let disk = |source| Trouble::Disk { doing: "write an attestation", source };
    let folder = bench.folders.temp.join(format!("attest-{}", bench.begun));
    std::fs::create_dir_all(&folder).map_err(disk)?;
    let path = folder.join("attestation.json");
    std::fs::write(&path, format!("{bundle}\n")).map_err(disk)?;
    let mut state = bench.emulator.lock();
    let known = state.repository_mut(bench.repository)?;
    for subject in statement["subject"].as_array().into_iter().flatten() {
        let digest = subject["digest"]["sha256"].as_str().unwrap_or_default();
        known.attestations.entry(format!("sha256:{digest}")).or_default().push(bundle.clone());
    }
    Ok(Ok([("bundle-path".to_owned(), path.display().to_string())].into()))
}

/// An in-toto statement with what the step hands in.
fn statement(bench: &Bench<'_>, given: &BTreeMap<String, String>) -> Result<Value, String> {
    let input =
        |name: &str| given.get(name).map(|text| text.trim()).filter(|text| !text.is_empty());
    let path = |name: &str| input(name).map(|text| bench.folders.workspace.join(text));
    let read = |path: &Path| {
        std::fs::read_to_string(path)
            .map_err(|error| format!("{} cannot be read: {error}", path.display()))
    };
    let sums = path("subject-checksums").ok_or("subject-checksums is missing")?;
    let subject: Vec<Value> = read(&sums)?
        .lines()
        .filter_map(|line| line.split_once("  "))
        .map(|(sha256, name)| json!({ "name": name, "digest": { "sha256": sha256 } }))
        .collect();
    if subject.is_empty() {
        return Err(format!("{} names no file", sums.display()));
    }
    let kind = input("predicate-type").ok_or("predicate-type is missing")?;
    let predicate = path("predicate-path").ok_or("predicate-path is missing")?;
    let predicate: Value = serde_json::from_str(&read(&predicate)?)
        .map_err(|bad| format!("the predicate is no JSON: {bad}"))?;
    Ok(json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subject,
        "predicateType": kind,
        "predicate": predicate,
    }))
}

fn workload(bench: &Bench<'_>) -> Workload {
    let github = bench.sight.contexts.get("github");
    let of = |name: &str| match github.map(|github| &github[name]) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    let server = of("server_url");
    let repository = format!("{server}/{}", of("repository"));
    Workload {
        issuer: ISSUER.to_owned(),
        workflow: format!("{repository}/{}@{}", bench.run.path, of("ref")),
        run: format!("{repository}/actions/runs/{}/attempts/{}", of("run_id"), of("run_attempt")),
        repository,
        repository_id: bench.repository,
        commit: of("sha"),
        branch: of("ref"),
        trigger: of("event_name"),
        runner: "github-hosted".to_owned(),
    }
}
