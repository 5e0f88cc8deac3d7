//! What is done in place of `actions/checkout`: git really fetches, with the job's token.
//!
//! Invariants: with `persist-credentials: false` no credential is left on the disk.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::time::Instant;

use super::bench::Bench;
use super::process::{self, Ending, Order};
use crate::Trouble;

/// What a step hands on, or why it failed.
type Outputs = Result<BTreeMap<String, String>, String>;

/// What to fetch and what to call it.
struct Wanted {
    /// When only this is fetched.
    refspec: String,
    /// What is fetched beside all branches and tags: a commit that may lie on none of them.
    beside: Option<String>,
    /// `None`: a commit, without a branch.
    branch: Option<String>,
    start: String,
}

pub(crate) async fn run(
    bench: &mut Bench<'_>,
    given: &BTreeMap<String, String>,
    deadline: Instant,
) -> Result<Outputs, Trouble> {
    let input =
        |name: &str| given.get(name).map(|text| text.trim()).filter(|text| !text.is_empty());
    let keeps = match input("persist-credentials") {
        None | Some("true") => true,
        Some("false") => false,
        Some(other) => return Ok(Err(format!("persist-credentials is {other}"))),
    };
    let Ok(depth) = input("fetch-depth").unwrap_or("1").parse::<u32>() else {
        return Ok(Err("fetch-depth must be a number".to_owned()));
    };
    let place = input("path").unwrap_or(".");
    let outside = Path::new(place).components().any(|part| {
        !matches!(part, std::path::Component::Normal(_) | std::path::Component::CurDir)
    });
    if outside {
        return Ok(Err(format!("path {place} leads out of the workspace")));
    }
    let folder = bench.folders.workspace.join(place);
    let disk = |source| Trouble::Disk { doing: "make the directory of a checkout", source };
    std::fs::create_dir_all(&folder).map_err(disk)?;
    let wanted = wanted(bench, input("ref"))?;
    let server = bench.emulator.web_url();
    let name = bench.sight.contexts.get("github").map(|github| github["repository"].clone());
    let name = name.unwrap_or_default();
    let remote = format!("{server}{}", name.as_str().unwrap_or_default());
    let secret = STANDARD.encode(format!("x-access-token:{}", bench.token));
    bench.journal.mask(&secret);
    let header = (format!("http.{server}.extraheader"), format!("AUTHORIZATION: basic {secret}"));
    let git = Git { folder: &folder, header: &header, deadline };
    let mut fetch = vec!["fetch".to_owned(), "--no-tags".to_owned(), "--prune".to_owned()];
    if depth > 0 {
        fetch.push(format!("--depth={depth}"));
        fetch.extend(["origin".to_owned(), wanted.refspec]);
    } else {
        let all = ["origin", "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"];
        fetch.extend(all.map(str::to_owned));
        fetch.extend(wanted.beside);
    }
    let mut commands = vec![
        vec!["init".to_owned(), "--quiet".to_owned(), ".".to_owned()],
        vec!["remote".to_owned(), "add".to_owned(), "origin".to_owned(), remote],
        fetch,
        match &wanted.branch {
            Some(branch) => {
                ["checkout", "--force", "-B", branch, &wanted.start].map(str::to_owned).to_vec()
            }
            None => ["checkout", "--force", "--detach", &wanted.start].map(str::to_owned).to_vec(),
        },
    ];
    if keeps {
        commands.push(vec!["config".to_owned(), header.0.clone(), header.1.clone()]);
    }
    for command in commands {
        if let Err(says) = git.run(bench, &command).await {
            return Ok(Err(says));
        }
    }
    let head = std::fs::read_to_string(folder.join(".git/HEAD")).unwrap_or_default();
    let head = head.trim().to_owned();
    let commit = match head.strip_prefix("ref: ") {
        Some(name) => std::fs::read_to_string(folder.join(".git").join(name)).unwrap_or_default(),
        None => head.clone(),
    };
    let outputs = [("commit", commit.trim().to_owned()), ("ref", wanted.start)];
    Ok(Ok(outputs.map(|(name, value)| (name.to_owned(), value)).into()))
}

fn wanted(bench: &Bench<'_>, asked: Option<&str>) -> Result<Wanted, Trouble> {
    let Some(asked) = asked else {
        let (sha, reference) = (bench.run.commit().to_owned(), bench.run.reference());
        let branch = reference.strip_prefix("refs/heads/").map(str::to_owned);
        let here = match &branch {
            Some(branch) => format!("refs/remotes/origin/{branch}"),
            None => reference.replacen("refs/", "refs/remotes/", 1),
        };
        let (refspec, beside) = (format!("+{sha}:{here}"), Some(sha.clone()));
        return Ok(Wanted { refspec, beside, branch, start: sha });
    };
    let full = asked.len() == 40 && asked.bytes().all(|b| b.is_ascii_hexdigit());
    if full {
        let (refspec, start) = (asked.to_owned(), asked.to_owned());
        return Ok(Wanted { beside: Some(refspec.clone()), refspec, branch: None, start });
    }
    let short = asked.trim_start_matches("refs/heads/").trim_start_matches("refs/tags/");
    let tag = format!("refs/tags/{short}");
    let state = bench.emulator.lock();
    let refs = &state.repository(bench.repository)?.refs;
    let is_branch = refs.contains_key(&format!("refs/heads/{short}"));
    if refs.contains_key(&tag) && (asked.starts_with("refs/tags/") || !is_branch) {
        let refspec = format!("+{tag}:{tag}");
        return Ok(Wanted { refspec, beside: None, branch: None, start: tag });
    }
    let here = format!("refs/remotes/origin/{short}");
    let refspec = format!("+refs/heads/{short}:{here}");
    Ok(Wanted { refspec, beside: None, branch: Some(short.to_owned()), start: here })
}

struct Git<'a> {
    folder: &'a Path,
    header: &'a (String, String),
    deadline: Instant,
}

impl Git<'_> {
    async fn run(&self, bench: &mut Bench<'_>, arguments: &[String]) -> Result<(), String> {
        let mut environment = bench.plain_variables();
        for (name, value) in [
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_CONFIG_COUNT", "1"),
            ("GIT_CONFIG_KEY_0", &self.header.0),
            ("GIT_CONFIG_VALUE_0", &self.header.1),
        ] {
            environment.insert(name.to_owned(), OsString::from(value));
        }
        let order = Order {
            program: "git",
            arguments: arguments.iter().map(OsString::from).collect(),
            directory: self.folder,
            environment: &environment,
            deadline: self.deadline,
        };
        bench.journal.write(&format!("[command]git {}", arguments.join(" ")));
        let journal = &mut bench.journal;
        let ended = process::run(order, &mut |line| journal.write(line)).await;
        match ended {
            Ok(Ending::Exited(0)) => Ok(()),
            Ok(_) => Err(format!("git {} failed", arguments.first().map_or("", |name| name))),
            Err(error) => Err(format!("git could not start: {error}")),
        }
    }
}
