//! `gander verify` over releases that are forged, each with its reason.

#![allow(clippy::disallowed_methods)] // signatures are looked at by the real time

use std::path::PathBuf;
use std::process::Command;

use gander::attestation::{AttestationBundle, AttestationError, TrustedRoots};
use gander_emulator::{SigningService, Workload};
use serde_json::{Value, json};
use tempfile::TempDir;

const HEAD: &str = "1111111111111111111111111111111111111111";
const COMMIT: &str = "2222222222222222222222222222222222222222";
const OTHER: &str = "3333333333333333333333333333333333333333";
const KIND: &str = "https://github.com/gander-app/gander/blob/main/docs/provenance.md";

/// A downloaded file and what is signed about it.
struct Download {
    folder: TempDir,
    signing: SigningService,
    workload: Workload,
    statement: Value,
    /// Seconds after now at which it was signed.
    later: i64,
}

impl Download {
    /// As it should be: mona, who may, approved what was released, and the tests were green.
    fn honest() -> Self {
        let repository = "https://github.com/acme/widgets".to_owned();
        let workflow = format!("{repository}/.github/workflows/gander-release.yml@refs/heads/main");
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{ "name": "tool", "digest": { "sha256": sha256(b"tool") } }],
            "predicateType": KIND,
            "predicate": {
                "ganderVersion": "0.1.0",
                "repository": { "id": 7, "name": "acme/widgets", "defaultBranch": "main" },
                "release": {
                    "tag": "v1.2.0", "version": "1.2.0", "commit": COMMIT, "tree": OTHER,
                    "pull": 12, "head": HEAD, "requestedBy": [5],
                },
                "terms": {
                    "approverRole": "maintain", "requester": "if-alone", "approvalHours": 24,
                    "requiredChecks": [{ "name": "Test", "app": 15368 }],
                },
                "approvals": [{
                    "login": "mona", "id": 2, "role": "maintain", "commit": HEAD,
                    "by": { "review": 77 }, "at": "2026-01-05T10:00:00Z",
                }],
                "checks": [{ "name": "Test", "app": 15368, "state": "green" }],
                "changes": { "commits": 0, "byGander": [], "flagged": [] },
                "run": { "id": 9, "attempt": 1 },
            },
        });
        let this = Self {
            folder: tempfile::tempdir().unwrap(),
            signing: SigningService::new().unwrap(),
            workload: Workload {
                issuer: "https://token.actions.githubusercontent.com".to_owned(),
                run: format!("{repository}/actions/runs/9/attempts/1"),
                workflow,
                repository,
                repository_id: 7,
                commit: OTHER.to_owned(),
                branch: "refs/heads/main".to_owned(),
                trigger: "repository_dispatch".to_owned(),
                runner: "github-hosted".to_owned(),
            },
            statement,
            later: 0,
        };
        std::fs::write(this.path("tool"), "tool").unwrap();
        std::fs::write(this.path("root.json"), this.signing.trusted_root()).unwrap();
        this
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn signed(&self) -> String {
        let now = chrono::Utc::now().timestamp() + self.later;
        self.signing.attest(self.statement.to_string().as_bytes(), &self.workload, now).unwrap()
    }

    fn lies_beside(&self, bundle: &str) {
        std::fs::write(self.path("gander-release.sigstore.json"), bundle).unwrap();
    }

    /// The exit code, and what people read.
    fn verified(&self, changed: &[&str]) -> (i32, String) {
        let root = self.path("root.json");
        let ran = Command::new(env!("CARGO_BIN_EXE_gander"))
            .args(["verify", "tool", "--repo", "acme/widgets"])
            .args(["--trusted-root", root.to_str().unwrap()])
            .args(changed)
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        let words = [ran.stdout, ran.stderr].concat();
        (ran.status.code().unwrap(), String::from_utf8(words).unwrap())
    }
}

fn sha256(content: &[u8]) -> String {
    use sha2::Digest as _;
    hex::encode(sha2::Sha256::digest(content))
}

/// A release that is forged so is refused with these words.
fn refused(words: &str, forge: impl FnOnce(&mut Download)) {
    let mut download = Download::honest();
    forge(&mut download);
    download.lies_beside(&download.signed());
    let (code, said) = download.verified(&[]);
    assert_eq!(code, 3, "{said}");
    assert!(said.contains(words), "{words}: {said}");
    assert!(said.contains("FAIL"), "{said}");
}

fn predicate(download: &mut Download) -> &mut Value {
    &mut download.statement["predicate"]
}

#[test]
fn an_honest_release_holds() {
    let download = Download::honest();
    download.lies_beside(&download.signed());
    let (code, said) = download.verified(&[]);
    insta::assert_snapshot!(said, @"
    tool
      ok    it is tool of v1.2.0, as it was built
      ok    signed in acme/widgets, on a machine of GitHub's: https://github.com/acme/widgets/actions/runs/9/attempts/1
      ok    by `.github/workflows/gander-release.yml` as it stood on `main` at `333333333333`: that file says who may approve
      ok    mona (maintain) approved `111111111111`, the head of #12, whose files were released
      ok    green on it: Test
    ");
    assert_eq!(code, 0);
    // The list of sums is what the statement makes of it.
    let sums = format!("{}  tool\n", sha256(b"tool"));
    std::fs::write(download.path("SHA256SUMS"), &sums).unwrap();
    assert_eq!(download.verified(&["./SHA256SUMS"]).0, 0);
    std::fs::write(download.path("SHA256SUMS"), sums.replace("tool", "toll")).unwrap();
    assert_eq!(download.verified(&["./SHA256SUMS"]).0, 3);
    // What others attested of the same file hides nothing.
    let mut other = Download { signing: download.signing, ..Download::honest() };
    other.workload.workflow = other.workload.workflow.replace("gander-release", "ci");
    let lines = format!("{}\n", other.signed());
    other.workload.workflow = other.workload.workflow.replace("ci.yml", "gander-release.yml");
    let download =
        Download { signing: other.signing, folder: download.folder, ..Download::honest() };
    download.lies_beside(&format!("{lines}{}\n", download.signed()));
    assert_eq!(download.verified(&[]).0, 0);
    // As `gh attestation download` has it: one a line, ours among others.
    let mut foreign = Download::honest();
    foreign.statement["predicateType"] = json!("https://slsa.dev/provenance/v1");
    foreign.lies_beside(&format!("{}\n{}\n", foreign.signed(), foreign.signed()));
    assert_eq!(foreign.verified(&[]).0, 3);
    let lines = format!("{}\n{}\n", foreign.signed(), download.signed());
    download.lies_beside(&lines);
    assert_eq!(download.verified(&[]).0, 0);
}

#[test]
fn a_file_by_another_name_is_refused() {
    let download = Download::honest();
    download.lies_beside(&download.signed());
    std::fs::write(download.path("tool-9.9"), "tool").unwrap();
    let (code, said) = download.verified(&["tool-9.9"]);
    assert_eq!(code, 3);
    assert!(said.contains("it is called tool-9.9 here and tool in v1.2.0"), "{said}");
    // One that cannot be looked at does not hide the others.
    let (code, said) = download.verified(&["./nowhere"]);
    assert!(code == 1 && said.contains("it is tool of v1.2.0"), "{said}");
}

#[test]
fn a_file_that_is_another_is_refused() {
    refused("tool is none of the files of v1.2.0", |it| {
        std::fs::write(it.path("tool"), "tool and a bit more").unwrap();
    });
}

#[test]
fn a_release_of_another_repository_is_refused() {
    refused("it was signed in https://github.com/evil/widgets, not in", |it| {
        it.workload.repository = "https://github.com/evil/widgets".to_owned();
    });
    // The name was another's before.
    refused("was signed in number 8", |it| it.workload.repository_id = 8);
    refused("it speaks of the repository evil/widgets", |it| {
        predicate(it)["repository"]["name"] = json!("evil/widgets");
    });
}

#[test]
fn another_workflow_branch_or_trigger_signs_no_release() {
    let at = |file: &str, branch: &str| {
        format!("https://github.com/acme/widgets/.github/workflows/{file}@refs/heads/{branch}")
    };
    refused("`.github/workflows/ci.yml` signed it", |it| {
        it.workload.workflow = at("ci.yml", "main");
    });
    refused("the workflow file of `topic` signed it", |it| {
        it.workload.workflow = at("gander-release.yml", "topic");
        predicate(it)["repository"]["defaultBranch"] = json!("topic");
    });
    // Anybody who may push a branch may call it so.
    refused("the workflow file of `master` signed it, not that of `main`", |it| {
        it.workload.workflow = at("gander-release.yml", "master");
        predicate(it)["repository"]["defaultBranch"] = json!("master");
    });
    refused("started by `pull_request`", |it| it.workload.trigger = "pull_request".to_owned());
    refused("https://tokens.example.com vouches", |it| {
        it.workload.issuer = "https://tokens.example.com".to_owned();
    });
}

#[test]
fn what_nobody_who_may_approved_is_refused() {
    refused("names nobody who approved", |it| predicate(it)["approvals"] = json!([]));
    refused("mona approved `333333333333`, and `111111111111` was released", |it| {
        predicate(it)["approvals"][0]["commit"] = json!(OTHER);
    });
    refused("mona approved with the write role, and maintain is asked for", |it| {
        predicate(it)["approvals"][0]["role"] = json!("write");
    });
    refused("mona ordered the release and approved it", |it| {
        predicate(it)["terms"]["requester"] = json!("never");
        predicate(it)["release"]["requestedBy"] = json!([2]);
    });
    refused("it speaks of run 8, and was signed in", |it| {
        predicate(it)["run"]["id"] = json!(8);
    });
    refused("a comment that was edited", |it| {
        predicate(it)["approvals"][0]["by"] = json!({"comment": {"id": 5, "edited": true}});
    });
    refused("1 flagged path changed, and one person approved", |it| {
        predicate(it)["changes"]["flagged"] = json!(["build.sh: runs when it is built"]);
    });
}

#[test]
fn a_check_that_was_not_green_is_refused() {
    refused("the required check Test was not seen", |it| predicate(it)["checks"] = json!([]));
    refused("the required check Test was not green", |it| {
        predicate(it)["checks"][0]["state"] = json!("red");
    });
}

#[test]
fn a_signature_that_does_not_hold_is_refused() {
    use base64::Engine as _;
    let engine = base64::engine::general_purpose::STANDARD;
    let download = Download::honest();
    let bundle: Value = serde_json::from_str(&download.signed()).unwrap();
    let other: Value = serde_json::from_str(&Download::honest().signed()).unwrap();
    let forged = |change: &dyn Fn(&mut Value)| {
        let mut bundle = bundle.clone();
        change(&mut bundle);
        download.lies_beside(&bundle.to_string());
        let (code, said) = download.verified(&[]);
        assert_eq!(code, 3, "{said}");
        assert!(said.contains("FAIL  its signature does not hold"), "{said}");
    };
    let mut statement = download.statement.clone();
    statement["predicate"]["approvals"][0]["login"] = json!("nobody");
    forged(&|it| it["dsseEnvelope"]["payload"] = json!(engine.encode(statement.to_string())));
    forged(&|it| {
        it["verificationMaterial"]["certificate"] =
            other["verificationMaterial"]["certificate"].clone();
    });
    // What never came into the log, or came in at another time.
    let entry = |it: &mut Value| it["verificationMaterial"]["tlogEntries"][0].take();
    forged(&|it| it["verificationMaterial"]["tlogEntries"] = json!([]));
    forged(&|it| {
        let mut one = entry(it);
        one["integratedTime"] = json!("1790000000");
        it["verificationMaterial"]["tlogEntries"] = json!([one]);
    });
    forged(&|it| {
        it["verificationMaterial"]["tlogEntries"][0] =
            other["verificationMaterial"]["tlogEntries"][0].clone();
    });
    forged(&|it| {
        let promise = "inclusionPromise";
        it["verificationMaterial"]["tlogEntries"][0][promise]["signedEntryTimestamp"] =
            other["verificationMaterial"]["tlogEntries"][0][promise]["signedEntryTimestamp"]
                .clone();
    });
}

#[test]
fn another_authority_or_another_time_is_refused() {
    let (download, other) = (Download::honest(), Download::honest());
    download.lies_beside(&other.signed());
    let (code, said) = download.verified(&[]);
    assert!(code == 3 && said.contains("its signature does not hold"), "{said}");
    // Those that sign for GitHub know nothing of either.
    download.lies_beside(&download.signed());
    let ran = Command::new(env!("CARGO_BIN_EXE_gander"))
        .args(["verify", "tool", "--repo", "acme/widgets"])
        .current_dir(download.folder.path())
        .output()
        .unwrap();
    assert_eq!(ran.status.code(), Some(3));
    refused("its signature does not hold", |it| it.later = 3600);
}

#[test]
fn a_statement_of_another_kind_or_without_a_signature_is_refused() {
    refused("a statement of another kind (https://slsa.dev/provenance/v1)", |it| {
        it.statement["predicateType"] = json!("https://slsa.dev/provenance/v1");
    });
    let download = Download::honest();
    std::fs::write(download.path("gander-release.intoto.json"), download.statement.to_string())
        .unwrap();
    let (code, said) = download.verified(&[]);
    assert!(code == 3 && said.contains("nobody signed it"), "{said}");
}

#[test]
fn what_cannot_be_looked_at_is_said_with_the_next_step() {
    let download = Download::honest();
    let (code, said) = download.verified(&[]);
    assert_eq!(code, 1);
    insta::assert_snapshot!(said, @"gander: there is no gander-release.sigstore.json beside tool: download it from the release, or name one with --bundle");
    for (bundle, words) in [
        ("", "it is no bundle of Sigstore"),
        ("{}", "it is no bundle of Sigstore"),
        ("[1]", "it is no bundle of Sigstore"),
    ] {
        download.lies_beside(bundle);
        let (code, said) = download.verified(&[]);
        assert!(code == 3 && said.contains(words), "{said}");
    }
    let (code, said) = download.verified(&["--bundle", "nowhere.json"]);
    assert!(code == 1 && said.contains("nowhere.json cannot be read"), "{said}");
    let (code, said) = download.verified(&["--trusted-root", "tool"]);
    assert!(code != 0 && !said.contains("panicked"), "{said}");
}

/// By hand: `SIGSTORE_ASSETS` is `test/assets/bundle-verify` of Sigstore's conformance suite. Every
/// bundle of a statement is believed or not as the suite says.
#[test]
fn bundles_of_sigstores_conformance_suite_are_believed_as_it_says() {
    let Some(assets) = std::env::var_os("SIGSTORE_ASSETS").map(PathBuf::from) else {
        eprintln!("SKIPPED: SIGSTORE_ASSETS names no directory of Sigstore's conformance suite");
        return;
    };
    let (mut looked, mut wrong) = (0, Vec::new());
    for entry in std::fs::read_dir(&assets).unwrap() {
        let folder = entry.unwrap().path();
        let Ok(text) = std::fs::read_to_string(folder.join("bundle.sigstore.json")) else {
            continue;
        };
        if !text.contains("dsseEnvelope") || folder.join("key.pub").exists() {
            continue;
        }
        looked += 1;
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let artifact = std::fs::read(folder.join("artifact"));
        let artifact = artifact.or_else(|_| std::fs::read(assets.join("a.txt"))).unwrap();
        let root = std::fs::read_to_string(folder.join("trusted_root.json"));
        let roots = match root {
            Ok(text) => TrustedRoots::of_text(&text),
            Err(_) => TrustedRoots::of_github(),
        };
        let digest = sha256(&artifact).parse().unwrap();
        let signer =
            roots.and_then(|roots| AttestationBundle::read(&text)?.signer(&digest, &roots));
        // Not everybody who signs there is a workflow; that is looked at later.
        let believed = matches!(signer, Ok(_) | Err(AttestationError::NotSaid(_)));
        if believed == name.ends_with("_fail") {
            wrong.push(format!("{name}: {signer:?}"));
        }
    }
    println!("{looked} bundles of statements");
    assert!(looked > 0 && wrong.is_empty(), "{wrong:#?}");
}
