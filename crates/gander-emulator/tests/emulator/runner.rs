//! Workflows run in the emulator as they do on GitHub: real shells, real git, real tokens.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::client::Client;
use gander_emulator::{
    AppCredentials, AppSpec, Emulator, Foreign, JobReport, Options, RepositorySpec, RunReport,
    Runner, Setup,
};
use serde_json::{Value, json};
use tempfile::TempDir;

const NOW: i64 = 1_767_225_600_000;
const REPO: &str = "acme/widgets";
const BASE: &str = "/repos/acme/widgets";
const PATH: &str = ".github/workflows/release.yml";

const CHECKOUT: &str = "actions/checkout@1111111111111111111111111111111111111111";
const UPLOAD: &str = "actions/upload-artifact@2222222222222222222222222222222222222222";
const DOWNLOAD: &str = "actions/download-artifact@3333333333333333333333333333333333333333";
const ATTEST: &str = "actions/attest@4444444444444444444444444444444444444444";

/// Succeeds once the process in the file `pid` is dead, whether or not its parent knows.
const DEAD: &str = "for i in $(seq 5000); do kill -0 $(cat pid) || exit 0; \
                    grep -q ') Z ' /proc/$(cat pid)/stat && exit 0; done; exit 1";

/// What every workflow here begins with.
const ON: &str = "on: { repository_dispatch: { types: [ship] }, workflow_dispatch: {} }\n";

struct World {
    emulator: Emulator,
    app: AppCredentials,
    client: Client,
    folder: TempDir,
    setup: Setup,
}

impl World {
    /// A private repository with these files, and an App on it.
    async fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["github", "work", "action"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let root = folder.path().join("github");
        let options = Options { root, clock: Arc::new(|| NOW) };
        let emulator = Emulator::start(options).await.unwrap();
        emulator.create_organization("acme");
        emulator.create_user("mona");
        emulator.create_repository(RepositorySpec::new("acme", "widgets", files)).unwrap();
        emulator.set_permission(REPO, "mona", "write").unwrap();
        let permissions = [("contents", "write"), ("actions", "read"), ("checks", "read")];
        let permissions = permissions.map(|(name, level)| (name.to_owned(), level.to_owned()));
        let app = emulator
            .create_app(AppSpec {
                slug: "gander".to_owned(),
                webhook_url: Some("http://127.0.0.1:9/hook".parse().unwrap()),
                webhook_secret: "secret".to_owned(),
                permissions: permissions.into(),
                events: ["workflow_run", "repository_dispatch"].map(str::to_owned).to_vec(),
            })
            .unwrap();
        let installation = emulator.install(app.app_id, &[REPO]).unwrap();
        let client = Client::app(&emulator, &app, NOW).installation(installation, json!({})).await;
        let known = [
            (Foreign::Checkout, CHECKOUT),
            (Foreign::UploadArtifact, UPLOAD),
            (Foreign::DownloadArtifact, DOWNLOAD),
            (Foreign::Attest, ATTEST),
        ];
        let foreign =
            known.map(|(foreign, uses)| (foreign, uses.split_once('@').unwrap().1.into()));
        let setup = Setup {
            actions: BTreeMap::from([("./action".to_owned(), folder.path().join("action"))]),
            foreign: foreign.to_vec(),
            work: folder.path().join("work"),
            path: std::env::var_os("PATH").unwrap(),
            ..Setup::default()
        };
        Self { emulator, app, client, folder, setup }
    }

    /// A repository whose one workflow is `ON` and this.
    async fn with(workflow: &str) -> Self {
        Self::new(&[(PATH, &format!("{ON}{workflow}"))]).await
    }

    async fn dispatch(&self, payload: Value) {
        let body = json!({ "event_type": "ship", "client_payload": payload });
        self.client.post(&format!("{BASE}/dispatches"), body).await.expect(204);
    }

    async fn run_queued(&self) -> Vec<RunReport> {
        Runner::new(&self.emulator, self.setup.clone()).run_queued().await.unwrap()
    }

    /// Dispatches, and runs the one run that follows.
    async fn run(&self) -> RunReport {
        self.dispatch(json!({})).await;
        let [report] = <[RunReport; 1]>::try_from(self.run_queued().await).unwrap();
        report
    }

    fn action(&self, text: &str) {
        std::fs::write(self.folder.path().join("action/action.yml"), text).unwrap();
    }

    async fn runs(&self, query: &str) -> Vec<Value> {
        let list = self.client.get(&format!("{BASE}/actions/runs{query}")).await.expect(200);
        list["workflow_runs"].as_array().unwrap().clone()
    }
}

fn job<'r>(report: &'r RunReport, id: &str) -> &'r JobReport {
    assert_eq!(report.fault, None);
    report.job(id).ok_or_else(|| format!("no job {id} in {report:?}")).unwrap()
}

fn outcomes(job: &JobReport) -> Vec<(&str, &str)> {
    job.steps.iter().map(|step| (step.name.as_str(), step.outcome.as_str())).collect()
}

/// A job `one` with these steps.
fn one_job(steps: &str) -> String {
    let steps = steps.replace('\n', "\n      ");
    format!(
        "permissions: {{}}\njobs:\n  one:\n    runs-on: ubuntu-24.04\n    steps:\n      {steps}\n"
    )
}

const THREE_JOBS: &str = r#"
name: Release
run-name: gander release ${{ github.event.client_payload.release.id || inputs.id }}
permissions: {}
concurrency: { group: "release-${{ github.event.client_payload.release.id }}", cancel-in-progress: false }
env: { GREETING: hello }
defaults: { run: { shell: bash } }
jobs:
  publish:
    name: Publish ${{ needs.build.outputs.version }}
    needs: build
    runs-on: ubuntu-24.04
    permissions: { contents: write }
    steps:
      - uses: CHECKOUT
      - run: git push --quiet origin HEAD:refs/tags/v${{ needs.build.outputs.version }}
  test:
    runs-on: ubuntu-24.04
    permissions: { contents: read }
    steps:
      - uses: CHECKOUT
      - name: Nobody may push from here
        run: "! git push --quiet origin HEAD:refs/tags/stolen"
      - run: test "$GREETING $NAME" = "hello mona" && test "$GITHUB_JOB" = test
        env: { NAME: mona }
  build:
    needs: [test]
    if: needs.test.result == 'success' && github.event_name == 'repository_dispatch'
    runs-on: ubuntu-24.04
    outputs: { version: "${{ steps.find.outputs.version }}" }
    steps:
      - id: find
        run: echo "version=1.${{ github.event.client_payload.release.minor }}" >> "$GITHUB_OUTPUT"
"#;

#[tokio::test]
async fn three_jobs_follow_each_other_each_with_the_rights_that_the_file_gives_it() {
    let world = World::with(&THREE_JOBS.replace("CHECKOUT", CHECKOUT)).await;
    world.dispatch(json!({ "release": { "id": "r-7", "minor": 5 } })).await;
    let waiting = world.runs("?event=repository_dispatch&branch=main").await;
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0]["display_title"], "gander release r-7");
    assert_eq!(waiting[0]["status"], "queued");
    assert_eq!(waiting[0]["head_sha"], world.emulator.branches(REPO)["main"]);

    let reports = world.run_queued().await;
    let report = &reports[0];
    assert_eq!(
        (reports.len(), &*report.conclusion, &report.fault),
        (1, "success", &None),
        "{report:?}"
    );
    let order: Vec<&str> = report.jobs.iter().map(|job| &*job.id).collect();
    assert_eq!(order, ["test", "build", "publish"]);
    assert_eq!(job(report, "build").outputs["version"], "1.5");
    assert!(job(report, "test").log.contains("403"), "{}", job(report, "test").log);
    let tags: Vec<String> = world.emulator.tags(REPO).into_keys().collect();
    assert_eq!(tags, ["v1.5"]);

    let run = &world.runs("").await[0];
    assert_eq!((&run["status"], &run["conclusion"]), (&json!("completed"), &json!("success")));
    let jobs = format!("{BASE}/actions/runs/{}/jobs", report.run_id);
    let jobs = world.client.get(&jobs).await.expect(200);
    assert_eq!(jobs["total_count"], 3);
    assert_eq!(jobs["jobs"][2]["name"], "Publish 1.5");
    assert_eq!(jobs["jobs"][0]["steps"][1]["name"], "Nobody may push from here");
    let heard: Vec<String> = world
        .emulator
        .deliveries()
        .iter()
        .filter(|delivery| {
            delivery.event == "workflow_run" || delivery.event == "repository_dispatch"
        })
        .map(|delivery| delivery.action.clone().unwrap_or_default())
        .collect();
    assert_eq!(heard, ["ship", "requested", "in_progress", "completed"]);
}

#[tokio::test]
async fn a_job_sees_nothing_of_the_machine_it_runs_on() {
    let world = World::with(&one_job("- run: env | sort\n- run: pwd; ls -A; ls -A ~")).await;
    let report = world.run().await;
    let log = &job(&report, "one").log;
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    let names: Vec<&str> = log.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    // Bash adds the last three itself.
    let known = ["PATH", "HOME", "LANG", "CI", "PWD", "SHLVL", "_"];
    let strange = |name: &&str| {
        !name.starts_with("GITHUB_") && !name.starts_with("RUNNER_") && !known.contains(name)
    };
    assert_eq!(names.iter().copied().filter(strange).collect::<Vec<_>>(), Vec::<&str>::new());
    for (name, value) in [
        ("GITHUB_REPOSITORY", REPO),
        ("GITHUB_EVENT_NAME", "repository_dispatch"),
        ("GITHUB_REF", "refs/heads/main"),
        ("GITHUB_SHA", &world.emulator.branches(REPO)["main"]),
        ("GITHUB_ACTIONS", "true"),
        ("RUNNER_OS", "Linux"),
    ] {
        assert!(log.contains(&format!("\n{name}={value}\n")), "{name}: {log}");
    }
    let token = world.emulator.issued_tokens().pop().unwrap();
    assert!(!log.contains(&token) && !log.contains("GITHUB_TOKEN="));
    assert!(log.ends_with("/widgets/widgets\n"), "{log}");
}

#[tokio::test]
async fn a_checkout_takes_the_exact_commit_and_leaves_no_credentials() {
    let steps = format!(
        "- {{ uses: {CHECKOUT}, with: {{ ref: FIRST, persist-credentials: false }} }}\n\
         - run: git rev-parse HEAD; git log --oneline | wc -l; cat VERSION; cat .git/config\n\
         - {{ uses: {CHECKOUT}, with: {{ path: all, fetch-depth: 0 }} }}\n\
         - run: cat all/VERSION; git -C all log --oneline | wc -l; cat all/.git/config",
    );
    let world = World::new(&[("VERSION", "one\n")]).await;
    let first = world.emulator.branches(REPO)["main"].clone();
    let readable = one_job(&steps).replace("permissions: {}", "permissions: { contents: read }");
    let workflow = format!("{ON}{}", readable.replace("FIRST", &first));
    let files = [("VERSION", Some("two\n")), (PATH, Some(&*workflow))];
    world.emulator.person("mona").pushes(REPO, "main", "Second", &files).unwrap();
    let report = world.run().await;
    let log = &job(&report, "one").log;
    assert_eq!(report.conclusion, "success", "{log}");
    assert!(log.contains(&format!("\n{first}\n1\none\n[core]")), "{log}");
    assert!(log.contains("\ntwo\n2\n[core]"), "{log}");
    let (without, with) = log.split_once("\ntwo\n2\n").unwrap();
    assert_eq!(without.matches("[http ").count(), 0, "{without}");
    // The other checkout shows that the look would have found some.
    assert!(with.contains("[http ") && with.contains("extraheader = AUTHORIZATION: basic ***"));
}

#[tokio::test]
async fn a_job_without_contents_cannot_check_out_a_private_repository() {
    let world = World::with(&one_job(&format!("- uses: {CHECKOUT}"))).await;
    let report = world.run().await;
    assert_eq!(job(&report, "one").conclusion, "failure");
    assert!(job(&report, "one").log.contains("not found"), "{}", job(&report, "one").log);
}

#[tokio::test]
async fn artifacts_go_from_job_to_job() {
    let workflow = format!(
        r#"
permissions: {{}}
jobs:
  build:
    runs-on: ubuntu-24.04
    steps:
      - run: mkdir -p dist/deep && echo a > dist/app && chmod +x dist/app && echo b > dist/deep/notes.txt && echo c > dist/.hidden
      - {{ id: up, uses: {UPLOAD}, with: {{ name: dist, path: dist/, if-no-files-found: error }} }}
      - {{ uses: {UPLOAD}, with: {{ name: texts, path: "dist/**/*.txt" }} }}
      - run: echo "${{{{ steps.up.outputs.artifact-digest }}}}" | grep -E '^[0-9a-f]{{64}}$'
      - {{ uses: {UPLOAD}, continue-on-error: true, with: {{ name: dist, path: dist }} }}
      - {{ uses: {UPLOAD}, continue-on-error: true, with: {{ name: none, path: nothing, if-no-files-found: error }} }}
  publish:
    needs: build
    runs-on: ubuntu-24.04
    steps:
      - {{ uses: {DOWNLOAD}, with: {{ name: dist, path: got }} }}
      - run: cd got && find . -type f | sort && test ! -x app && cat app deep/notes.txt
      - uses: {DOWNLOAD}
      - run: cat dist/app texts/deep/notes.txt
      - {{ uses: {DOWNLOAD}, continue-on-error: true, with: {{ name: other }} }}
"#
    );
    let world = World::with(&workflow).await;
    let report = world.run().await;
    assert_eq!(report.conclusion, "success", "{report:?}");
    let build = job(&report, "build");
    assert_eq!(build.steps[4].outcome, "failure");
    assert_eq!(build.steps[4].conclusion, "success");
    assert!(build.log.contains("(409) Conflict"), "{}", build.log);
    assert_eq!(build.steps[5].outcome, "failure");
    let publish = job(&report, "publish");
    assert!(publish.log.contains("\n./app\n./deep/notes.txt\na\nb\n"), "{}", publish.log);
    assert_eq!(publish.steps[4].outcome, "failure");
    let path = format!("{BASE}/actions/runs/{}/artifacts", report.run_id);
    let list = world.client.get(&path).await.expect(200);
    assert_eq!(list["total_count"], 2);
    assert_eq!(list["artifacts"][0]["name"], "dist");
    assert_eq!(list["artifacts"][0]["size_in_bytes"], 4);

    // Another run has its own.
    let again = world.run().await;
    assert_eq!(again.conclusion, "success");
}

#[tokio::test]
async fn a_failing_step_stops_what_does_not_ask_to_run_anyway() {
    let workflow = r#"
permissions: {}
jobs:
  one:
    runs-on: ubuntu-24.04
    steps:
      - { name: tried, run: exit 3, continue-on-error: true }
      - { name: fails, id: bad, run: echo "a=b" >> "$GITHUB_OUTPUT"; exit 4 }
      - { name: not any more, run: echo never }
      - { name: cleans up, if: always(), run: "echo ${{ steps.bad.outcome }} ${{ steps.bad.outputs.a }} ${{ job.status }}" }
      - { name: mourns, if: failure() && steps.bad.conclusion == 'failure', run: echo mourning }
      - { name: if cancelled, if: cancelled(), run: echo never }
      - { name: if anyone, if: github.actor != '', run: echo never }
      - { name: if all is well, if: "success() || false", run: echo never }
  after: { needs: one, runs-on: ubuntu-24.04, steps: [{ run: echo never }] }
  anyway: { needs: one, if: always(), runs-on: ubuntu-24.04, steps: [{ run: "test ${{ needs.one.result }} = failure" }] }
  mourner: { needs: after, if: failure(), runs-on: ubuntu-24.04, steps: [{ run: echo so sad }] }
  last: { needs: after, runs-on: ubuntu-24.04, steps: [{ run: echo never }] }
"#;
    let world = World::with(workflow).await;
    let report = world.run().await;
    assert_eq!(report.conclusion, "failure");
    let one = job(&report, "one");
    let wanted = [
        ("tried", "failure"),
        ("fails", "failure"),
        ("not any more", "skipped"),
        ("cleans up", "success"),
        ("mourns", "success"),
        ("if cancelled", "skipped"),
        ("if anyone", "skipped"),
        ("if all is well", "skipped"),
    ];
    assert_eq!(outcomes(one), wanted);
    assert!(one.log.contains("\nfailure b failure\n"), "{}", one.log);
    assert!(one.log.contains("##[error]Process completed with exit code 4."));
    let conclusions: Vec<_> = report.jobs.iter().map(|job| (&*job.id, &*job.conclusion)).collect();
    let wanted = [
        ("one", "failure"),
        ("after", "skipped"),
        ("anyway", "success"),
        ("mourner", "success"),
        ("last", "skipped"),
    ];
    assert_eq!(conclusions, wanted);
    let checks = world.emulator.check_runs(REPO, &world.emulator.branches(REPO)["main"]);
    let checks: Vec<_> = checks.iter().map(|run| (&*run.app, run.conclusion.as_deref())).collect();
    assert_eq!(
        checks[..2],
        [("github-actions", Some("failure")), ("github-actions", Some("skipped"))]
    );
}

#[tokio::test]
async fn what_a_step_says_is_heard_as_github_hears_it() {
    let steps = r##"- id: talk
  run: |
    echo "::add-mask::hunter2"
    echo "the password is hunter2"
    echo "secret=hunter2-and-more" >> "$GITHUB_OUTPUT"
    echo "plain=seen" >> "$GITHUB_OUTPUT"
    echo "::error file=src/lib.rs,line=3,title=No::one%0Atwo hunter2"
    echo "::stop-commands::t0ken"
    echo "::error file=forged.rs::from untrusted output"
    echo "::set-output name=forged::yes"
    echo "::t0ken::"
    echo "::warning::careful" >&2
    echo "# Report hunter2" >> "$GITHUB_STEP_SUMMARY"
    echo "TOLD=by file" >> "$GITHUB_ENV"
    mkdir bin && printf '#!/bin/sh\necho found\n' > bin/tool && chmod +x bin/tool
    echo "$PWD/bin" >> "$GITHUB_PATH"
- run: |
    echo "$TOLD ${{ env.TOLD }} $(tool) [${{ steps.talk.outputs.forged }}]"
    for i in $(seq 12); do echo "::notice::$i"; done"##;
    let workflow = one_job(steps).replace(
        "    runs-on",
        "    outputs: { secret: \"${{ steps.talk.outputs.secret }}\", plain: \"${{ steps.talk.outputs.plain }}\" }\n    runs-on",
    );
    let world = World::with(&workflow).await;
    let report = world.run().await;
    let one = job(&report, "one");
    assert_eq!(report.conclusion, "success", "{}", one.log);
    // The script itself stands in the log from before the value was masked.
    let said = one.log.split_once("##[endgroup]").unwrap().1;
    assert!(!said.contains("hunter2"), "{said}");
    assert!(one.log.contains("\nthe password is ***\n"), "{}", one.log);
    assert!(one.log.contains("\nby file by file found []\n"), "{}", one.log);
    assert!(one.log.contains("\n::error file=forged.rs::from untrusted output\n"), "{}", one.log);
    let first = &one.annotations[0];
    assert_eq!((&*first.level, &*first.message), ("failure", "one\ntwo ***"));
    assert_eq!((first.file.as_deref(), first.line), (Some("src/lib.rs"), Some(3)));
    assert_eq!(first.title.as_deref(), Some("No"));
    assert_eq!(one.annotations[1].message, "careful");
    assert_eq!(one.annotations.len(), 12, "ten of one kind and step");
    assert_eq!(one.summary, "# Report ***\n");
    assert_eq!(one.outputs, BTreeMap::from([("plain".to_owned(), "seen".to_owned())]));
    assert!(one.log.contains("Skip output 'secret'"));
}

const ACTION: &str = r#"name: Ours
description: Does it
inputs:
  mode: { description: what, required: true }
  greeting: { description: how, default: "hello ${{ github.actor }}" }
outputs:
  said: { description: what was said, value: "${{ steps.say.outputs.said }}" }
runs:
  using: composite
  steps:
    - id: say
      shell: bash
      env: { MODE: "${{ inputs.mode }}", GREETING: "${{ inputs.greeting }}" }
      run: |
        echo "said=$GREETING, $MODE, $FROM_CALLER, $(cat "$GITHUB_ACTION_PATH/data")" >> "$GITHUB_OUTPUT"
        test -z "$INPUT_MODE" && test "$MODE" != break
    - shell: bash
      run: echo "not after a failure"
    - if: always()
      shell: bash
      run: echo "cleaned up after ${{ steps.say.outcome }}"; echo tampered > "$GITHUB_ACTION_PATH/data"
"#;

#[tokio::test]
async fn our_action_runs_with_its_inputs_and_always_cleans_up() {
    let steps = "- { id: ok, uses: ./action, with: { mode: test }, env: { FROM_CALLER: env } }\n\
                 - run: echo \"[${{ steps.ok.outputs.said }}]\"\n\
                 - { uses: ./action, with: { mode: break, greeting: bye } }\n\
                 - { if: always(), uses: ./action, with: { mode: again } }";
    let world = World::with(&one_job(steps)).await;
    world.action(ACTION);
    std::fs::write(world.folder.path().join("action/data"), "data").unwrap();
    let report = world.run().await;
    let one = job(&report, "one");
    let outcomes: Vec<_> = one.steps.iter().map(|step| &*step.outcome).collect();
    assert_eq!(outcomes, ["success", "success", "failure", "success"], "{}", one.log);
    assert!(one.log.contains("\n[hello gander[bot], test, env, data]\n"), "{}", one.log);
    assert_eq!(one.log.matches("\nnot after a failure\n").count(), 2);
    assert_eq!(one.log.matches("\ncleaned up after success\n").count(), 2);
    assert_eq!(one.log.matches("\ncleaned up after failure\n").count(), 1);
    let kept = std::fs::read_to_string(world.folder.path().join("action/data")).unwrap();
    assert_eq!(kept, "data");
}

/// Each text breaks the workflow in line 7, the first of its steps, unless it says otherwise.
#[tokio::test]
async fn what_the_runner_does_not_know_is_refused_with_its_line_before_anything_runs() {
    let run = "- run: echo hi > /dev/null";
    let hash = "5555555555555555555555555555555555555555";
    let world = World::new(&[]).await;
    let mona = world.emulator.person("mona");
    for (workflow, line, words) in [
        (one_job("- uses: actions/checkout@v4"), 7, "floats"),
        (one_job("- uses: actions/checkout@main"), 7, "floats"),
        (one_job("- uses: actions/checkout@1111111"), 7, "floats"),
        (one_job(&format!("- uses: actions/checkout@{hash}")), 7, "not known"),
        (one_job(&format!("- uses: actions/cache@{hash}")), 7, "not known"),
        (one_job("- uses: ./other"), 7, "not known"),
        (one_job("- uses: docker://alpine"), 7, "no action"),
        (
            one_job(&format!("- {{ uses: {CHECKOUT}, with: {{ submodules: true }} }}")),
            7,
            "submodules",
        ),
        (one_job(&format!("{run}\n- {{ runs: x }}")), 8, "`runs`"),
        (one_job(&format!("{run}\n- run: x\n  with: {{}}")), 9, "`with`"),
        (one_job(&format!("{run}\n- run: echo ${{{{ matrix.os }}}}")), 8, "`matrix`"),
        (one_job("- { run: x, if: hashFiles('x') != '' }"), 7, "hashFiles"),
        (one_job("- { run: x, if: \"${{ true }} == 'x'\" }"), 7, "always true"),
        (one_job("- { run: x, shell: pwsh }"), 7, "pwsh"),
        (one_job("- { run: x, run: y }"), 7, "twice"),
        (one_job("- &a { run: x }"), 7, "anchors"),
        (one_job("- { run: x, timeout-minutes: 1.10 }"), 7, "quotes"),
        (one_job(run).replace("runs-on: ubuntu-24.04", "runs-on: windows-2025"), 5, "ubuntu"),
        (one_job(run).replace("    runs-on", "    strategy: {}\n    runs-on"), 5, "`strategy`"),
        (one_job(run).replace("{}\n", "{ contents: admin }\n"), 2, "read, write or none"),
        (one_job(run).replace("{}\n", "{ code: read }\n"), 2, "`code`"),
        (one_job(run).replace("  one:", "  one:\n    needs: [two]"), 4, "`two`"),
        (one_job(run).replace("  one:", "  one:\n    needs: one"), 4, "circle"),
        (one_job(run).replace("jobs:", "job:"), 3, "`job`"),
    ] {
        let workflow = format!("{ON}{workflow}");
        mona.pushes(REPO, "main", "Break it", &[(PATH, Some(&workflow))]).unwrap();
        let report = world.run().await;
        let fault = report.fault.unwrap_or_else(|| panic!("nothing wrong with {workflow}"));
        let place = format!("{PATH} line {line}: ");
        assert!(fault.starts_with(&place) && fault.contains(words), "{fault}\n{workflow}");
        assert_eq!(report.conclusion, "startup_failure");
        assert!(report.jobs.is_empty());
        let ended = &world.runs("?status=startup_failure").await[0];
        assert_eq!(ended["id"], report.run_id);
    }
}

#[tokio::test]
async fn an_action_is_looked_at_as_closely_as_the_workflow() {
    for (from, to, words) in [
        ("using: composite", "using: node24", "action.yml line 9: the runner only knows"),
        ("      shell: bash\n      env", "      env", "action.yml line 11: a step of an action"),
        (
            "inputs.mode }}\"",
            "secrets.GITHUB_TOKEN }}\"",
            "action.yml line 13: the context `secrets`",
        ),
        ("    - id: say", "    - uses: actions/cache@v4\n    - id: say", "floats"),
    ] {
        let world = World::with(&one_job("- { uses: ./action, with: { mode: x } }")).await;
        assert!(ACTION.contains(from), "{from}");
        world.action(&ACTION.replace(from, to));
        let fault = world.run().await.fault.unwrap();
        assert!(fault.starts_with("./action/action.yml") && fault.contains(words), "{fault}");
    }
    let world = World::with(&one_job("- { uses: ./action, with: { moode: x } }")).await;
    world.action(ACTION);
    assert!(world.run().await.fault.unwrap().contains("no input `moode`"));
}

#[tokio::test]
async fn an_attestation_is_signed_for_the_job_that_may_ask_for_one() {
    let steps = format!(
        "- run: |\n    printf x > x; sha256sum x > SUMS\n    echo '{{\"a\": 1}}' > said\n\
         - id: sign\n  uses: {ATTEST}\n  with:\n    subject-checksums: SUMS\n    \
         predicate-path: said\n    predicate-type: https://example.com/a\n\
         - run: cat ${{{{ steps.sign.outputs.bundle-path }}}}"
    );
    let refused = World::with(&one_job(&steps)).await.run().await;
    assert_eq!(refused.conclusion, "failure");
    assert!(refused.jobs[0].log.contains("needs the permission `id-token: write`"));

    let granted = "permissions: { id-token: write, attestations: write }";
    let workflow = one_job(&steps).replace("permissions: {}", granted);
    let world = World::with(&workflow).await;
    let report = world.run().await;
    assert_eq!(report.conclusion, "success", "{}", report.jobs[0].log);
    let log = &report.jobs[0].log;
    assert!(log.contains("application/vnd.dev.sigstore.bundle.v0.3+json"), "{log}");
}

#[tokio::test]
async fn a_job_ends_when_its_time_is_up_with_all_that_it_started() {
    let steps = "- { name: slow, run: \"(tail -f /dev/null > /dev/null & echo $! > pid; wait)\" }\n\
                 - { name: not any more, run: echo never }\n\
                 - { name: last words, if: cancelled(), run: \"DEAD\" }";
    let workflow = one_job(&steps.replace("DEAD", DEAD))
        .replace("    steps", "    timeout-minutes: 0.01\n    steps");
    let world = World::with(&workflow).await;
    let report = world.run().await;
    let one = job(&report, "one");
    let wanted = [("slow", "cancelled"), ("not any more", "skipped"), ("last words", "success")];
    assert_eq!(outcomes(one), wanted, "{}", one.log);
    assert_eq!((&*one.conclusion, &*report.conclusion), ("cancelled", "cancelled"));
}

#[tokio::test]
async fn what_a_step_leaves_in_the_background_ends_with_it() {
    let steps = "- run: tail -f /dev/null > /dev/null & echo $! > pid\n- run: \"DEAD\"";
    let world = World::with(&one_job(&steps.replace("DEAD", DEAD))).await;
    let report = world.run().await;
    assert_eq!(report.conclusion, "success", "{}", job(&report, "one").log);
}

#[tokio::test]
async fn a_token_ends_with_its_job() {
    let steps = "- run: printf %s '${{ github.token }}' | base64 > \"$RUNNER_TEMP/token\"";
    let world = World::with(&one_job(steps).replace("{}\n", "{ contents: read }\n")).await;
    world.dispatch(json!({})).await;
    assert_eq!(world.run_queued().await[0].conclusion, "success");
    let token = world.emulator.issued_tokens().pop().unwrap();
    assert_ne!(token, world.client.secret());
    world.client.with(&format!("Bearer {token}")).get(BASE).await.expect(401);
    world.client.get(BASE).await.expect(200);
}

#[tokio::test]
async fn only_a_file_on_the_default_branch_that_listens_is_started() {
    let world = World::new(&[("README.md", "hi")]).await;
    let workflow = format!("{ON}{}", one_job("- run: echo hi"));
    let other = workflow.replace("[ship]", "[land]");
    let mona = world.emulator.person("mona");
    mona.pushes(REPO, "side", "Sly", &[(PATH, Some(&workflow))]).unwrap();
    mona.pushes(REPO, "main", "Other", &[(".github/workflows/other.yml", Some(&other))]).unwrap();
    mona.pushes(REPO, "main", "Not one", &[("workflows/a.yml", Some(&workflow))]).unwrap();
    world.dispatch(json!({})).await;
    assert_eq!(world.runs("").await, Vec::<Value>::new());
    assert!(mona.dispatches_workflow(REPO, "release.yml", "side", &[]).is_err());
    mona.pushes(REPO, "main", "Mean it", &[(PATH, Some(&workflow))]).unwrap();
    world.dispatch(json!({})).await;
    assert_eq!(world.runs("").await.len(), 1);
    assert_eq!(world.runs("?event=push").await.len(), 0);
    assert_eq!(world.runs("?created=%3E%3D2026-01-01").await.len(), 1);
    assert_eq!(world.runs("?created=2026-01-01..*").await.len(), 1);
    assert_eq!(world.runs("?created=%3C2026-01-01").await.len(), 0);
    let of = |file: &str| format!("{BASE}/actions/workflows/{file}/runs");
    let found = world.client.get(&of("release.yml")).await.expect(200);
    assert_eq!(found["total_count"], 1);
    let none = world.client.get(&of("other.yml")).await.expect(200);
    assert_eq!(none["total_count"], 0);
    world.client.get(&of("nothing.yml")).await.expect(404);
}

#[tokio::test]
async fn a_push_and_a_pull_request_start_what_listens_once_somebody_runs_it() {
    let listens = "on: { push: { branches: [main] }, pull_request: }\n";
    let says = "- uses: CHECKOUT\n- run: \
                echo \"$GITHUB_EVENT_NAME $GITHUB_REF $GITHUB_BASE_REF:$GITHUB_HEAD_REF $(cat a) $(cat b)\"";
    let workflow = format!("{listens}{}", one_job(&says.replace("CHECKOUT", CHECKOUT)));
    let workflow = workflow.replace("permissions: {}", "permissions: { contents: read }");
    let world = World::new(&[(PATH, &workflow), ("a", "old"), ("b", "old")]).await;
    let mona = world.emulator.person("mona");
    mona.pushes(REPO, "main", "Unheard", &[("a", Some("older"))]).unwrap();
    assert_eq!(world.run_queued().await.len(), 0, "nobody would have run it");
    Runner::new(&world.emulator, world.setup.clone()).hears_pushes();

    let head = mona.pushes(REPO, "side", "Side", &[("a", Some("new"))]).unwrap();
    assert_eq!(world.run_queued().await.len(), 0, "only pushes to main are heard");
    mona.opens_pull(REPO, "New a", "", "side", "main").unwrap();
    let base = mona.pushes(REPO, "main", "New b", &[("b", Some("new"))]).unwrap();
    let reports = world.run_queued().await;
    let [pull, push] = reports.as_slice() else { panic!("{reports:?}") };
    let log = &job(pull, "one").log;
    assert!(log.contains("\npull_request refs/pull/1/merge main:side new old\n"), "{log}");
    let log = &job(push, "one").log;
    assert!(log.contains("\npush refs/heads/main : older new\n"), "{log}");
    // What was checked is the merge; what it is said of is the head.
    for (sha, title) in [(head, "New a"), (base, "New b")] {
        let runs = world.runs(&format!("?head_sha={sha}")).await;
        assert_eq!(runs[0]["display_title"], title, "{runs:?}");
        let check = &world.emulator.check_runs(REPO, &sha)[0];
        assert_eq!((&*check.name, check.conclusion.as_deref()), ("one", Some("success")));
    }
    // On both sides: it cannot be merged, so there is nothing to run on.
    mona.pushes(REPO, "main", "Newer a", &[("a", Some("newest"))]).unwrap();
    assert_eq!(world.run_queued().await.len(), 1);
    mona.pushes(REPO, "side", "Too", &[("b", Some("mine"))]).unwrap();
    assert_eq!(world.run_queued().await.len(), 0);
}

#[tokio::test]
async fn a_dispatch_is_as_small_as_github_wants_it_and_needs_the_right() {
    let world = World::with(&one_job("- run: echo hi")).await;
    let path = format!("{BASE}/dispatches");
    let keys = |count: usize| -> Value {
        (0..count).map(|n| (format!("k{n}"), json!(n))).collect::<serde_json::Map<_, _>>().into()
    };
    let wanted = |payload: Value| json!({ "event_type": "ship", "client_payload": payload });
    let reply = world.client.post(&path, wanted(keys(10))).await;
    assert_eq!((reply.status, &*reply.text), (204, ""));
    world.client.post(&path, wanted(keys(11))).await.expect(422);
    world.client.post(&path, wanted(json!([1]))).await.expect(422);
    world.client.post(&path, json!({ "client_payload": {} })).await.expect(422);
    world.client.post(&path, json!({ "event_type": "x".repeat(101) })).await.expect(422);
    world.client.post(&path, json!({ "event_type": "x".repeat(100) })).await.expect(204);
    let app = Client::app(&world.emulator, &world.app, NOW);
    let installation = world.emulator.install(world.app.app_id, &[REPO]).unwrap();
    let reader = json!({ "permissions": { "contents": "read" } });
    let reader = app.installation(installation, reader).await;
    reader.post(&path, wanted(json!({}))).await.expect(403);
    let start = format!("{BASE}/actions/workflows/release.yml/dispatches");
    world.client.post(&start, json!({ "ref": "main" })).await.expect(403);
    assert_eq!(world.runs("").await.len(), 1);
}

#[tokio::test]
async fn a_person_starts_a_workflow_with_inputs_that_fit() {
    let workflow = "on:\n  workflow_dispatch:\n    inputs:\n      \
                    sha: { description: which, required: true }\n      \
                    dry: { type: boolean, default: true }\n      \
                    how: { type: choice, options: [fast, slow], default: slow }\n";
    let run = "run-name: ship ${{ inputs.sha }}\n";
    let steps = one_job(
        "- run: echo \"${{ inputs.sha }} $(grep -c dry \"$GITHUB_EVENT_PATH\")\"\n- { if: inputs.dry == 'true' && inputs.how == 'slow', run: echo dry }",
    );
    let world = World::new(&[(PATH, &format!("{workflow}{run}{steps}"))]).await;
    let mona = world.emulator.person("mona");
    for wrong in [
        &[][..],
        &[("sha", "abc"), ("how", "sideways")],
        &[("sha", "abc"), ("dry", "maybe")],
        &[("sha", "abc"), ("other", "x")],
    ] {
        assert!(mona.dispatches_workflow(REPO, "release.yml", "main", wrong).is_err(), "{wrong:?}");
    }
    let id = mona.dispatches_workflow(REPO, "release.yml", "main", &[("sha", "abc")]).unwrap();
    let reports = world.run_queued().await;
    assert_eq!((reports[0].run_id, &*reports[0].title), (id, "ship abc"));
    assert!(job(&reports[0], "one").log.ends_with("\ndry\n"), "{}", job(&reports[0], "one").log);
    let run = &world.runs("?event=workflow_dispatch&actor=mona").await[0];
    assert_eq!(run["id"], id);
}

#[tokio::test]
async fn of_runs_that_wait_in_one_group_the_newest_is_kept() {
    let group = "concurrency: \"${{ github.event.client_payload.id }}\"\n";
    let world = World::with(&format!("{group}{}", one_job("- run: echo hi"))).await;
    for id in ["a", "a", "b", "a"] {
        world.dispatch(json!({ "id": id })).await;
    }
    let conclusions: Vec<String> =
        world.run_queued().await.into_iter().map(|report| report.conclusion).collect();
    assert_eq!(conclusions, ["success", "cancelled", "success", "success"]);
}

#[tokio::test]
async fn a_run_that_nobody_waits_for_any_more_stops_with_all_that_it_started() {
    let steps = "- run: tail -f /dev/null > /dev/null & echo $! > pid.new; mv pid.new ../pid; wait";
    let world = World::with(&one_job(steps)).await;
    world.dispatch(json!({})).await;
    let runner = Runner::new(&world.emulator, world.setup.clone());
    let work = tokio::spawn(async move { runner.run_queued().await.map(drop) });
    let begun = async {
        loop {
            match find(&world.setup.work, "pid") {
                Some(pid) => break std::fs::read_to_string(pid).unwrap().trim().to_owned(),
                None => tokio::task::yield_now().await,
            }
        }
    };
    let pid = patiently(begun).await;
    work.abort();
    assert!(work.await.unwrap_err().is_cancelled());
    let state = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let gone = async {
        while !state().is_empty() && !state().contains(") Z ") {
            tokio::task::yield_now().await;
        }
    };
    patiently(gone).await;
}

/// Waits for what is sure to come, unless something is broken.
async fn patiently<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), what).await.unwrap()
}

fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    std::fs::read_dir(folder).ok()?.flatten().find_map(|entry| {
        let path = entry.path();
        if path.is_dir() { find(&path, name) } else { path.ends_with(name).then_some(path) }
    })
}
