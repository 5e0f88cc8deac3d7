//! The release workflow that we ship, run as it is written.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use gander_emulator::{
    Emulator, Foreign, JobReport, Options, RepositorySpec, RunReport, Runner, Setup,
};

use crate::packed::packed;

const REPO: &str = "mona/widgets";

fn job<'r>(report: &'r RunReport, id: &str) -> &'r JobReport {
    assert_eq!(report.fault, None);
    report.job(id).ok_or_else(|| format!("no job {id} in {report:?}")).unwrap()
}

fn outcomes(job: &JobReport) -> Vec<(&str, &str)> {
    job.steps.iter().map(|step| (step.name.as_str(), step.outcome.as_str())).collect()
}

#[tokio::test]
async fn the_workflow_that_we_ship_runs_as_it_is_written() {
    const OURS: &str = "6666666666666666666666666666666666666666";
    let root_of_ours = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text =
        std::fs::read_to_string(root_of_ours.join("action/examples/gander-release.yml")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for name in ["github", "work"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    let root = folder.path().join("github");
    let emulator =
        Emulator::start(Options { root, clock: Arc::new(|| 1_767_225_600_000) }).await.unwrap();
    emulator.create_user("mona");
    emulator.create_repository(RepositorySpec::new("mona", "widgets", &[])).unwrap();
    let pack = packed();
    let sum = format!("{}\n          url: {}", pack.sha256, pack.url);
    let text = text.replace("REPLACE-WITH-FULL-SHA", OURS).replace("REPLACE-WITH-SHA256", &sum);
    let pinned = |foreign: Foreign| {
        let uses = text.split_once(&format!("{}@", foreign.name())).unwrap().1;
        (foreign, uses[..40].to_owned())
    };
    let all = [Foreign::Checkout, Foreign::UploadArtifact, Foreign::DownloadArtifact];
    let action = include_str!("../../../action/action.yml");
    let (_, rest) = action.split_once("actions/attest@").unwrap();
    let signs = (Foreign::Attest, rest[..40].to_owned());
    let uses = format!("gander-app/gander/action@{OURS}");
    let setup = Setup {
        actions: BTreeMap::from([(uses, root_of_ours.join("action"))]),
        foreign: all.map(pinned).into_iter().chain([signs]).collect(),
        work: folder.path().join("work"),
        path: std::env::var_os("PATH").unwrap(),
        ..Setup::default()
    };
    let rules = "[verify]\ncommands = [\"sh check.sh\"]\n";
    let check = "echo 'src/a.rs:3:5: error: wrong'; echo '::error file=forged.rs::x'; exit 1\n";
    let files = [
        (".github/gander.toml", Some(rules)),
        (".github/workflows/gander-release.yml", Some(&*text)),
        ("check.sh", Some(check)),
    ];
    let mona = emulator.person("mona");
    let first = mona.pushes(REPO, "main", "Begin", &files).unwrap();
    mona.pushes(REPO, "main", "Go on", &[("check.sh", Some("exit 0\n"))]).unwrap();
    let inputs = [("pull", "1"), ("commit", &*first)];
    mona.dispatches_workflow(REPO, "gander-release.yml", "main", &inputs).unwrap();
    let report = &Runner::new(&emulator, setup).run_queued().await.unwrap()[0];

    assert_eq!(report.title, "gander release 1");
    let test = job(report, "test");
    let wanted = [("Check out", "success"), ("Test", "failure")];
    assert_eq!(outcomes(test), wanted, "{}", test.log);
    assert!(test.summary.contains("sh check.sh"), "{}", test.summary);
    assert!(test.annotations.iter().all(|one| one.file.as_deref() != Some("forged.rs")));
    assert!(test.log.contains("src/a.rs:3:5: error: wrong"), "{}", test.log);
    let conclusions: Vec<_> = report.jobs.iter().map(|job| &*job.conclusion).collect();
    assert_eq!(conclusions, ["failure", "skipped", "skipped"]);
    assert_eq!(report.conclusion, "failure");
}
