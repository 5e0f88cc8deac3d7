//! From nothing to a running Gander, as an operator does it: a link, a browser without JavaScript,
//! a GitHub, and the real program.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]
#![allow(missing_docs)]

mod browser;
pub(crate) mod web;

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use futures_util::FutureExt;
use gander::clock::Clock;
use gander::core::id::Timestamp;
use gander::server::setup::{self as pages, Beginning, SetupProblem, Wishes};
use gander_emulator::Fault;
use tokio_util::sync::CancellationToken;
use web::{Browser, Page, Setup, free_port, gander, github};

const PUBLIC: &str = "http://127.0.0.1:9";

/// Goes through GitHub's side of it: from our second page to wherever GitHub leads.
async fn create_on_github(browser: &mut Browser, create: &Page) -> Page {
    let github = browser.send(create, "/settings/apps/new", &[]).await;
    assert_eq!(github.title(), "Create GitHub App", "{}", github.text());
    browser.send(&github, "/settings/apps", &[]).await
}

fn mode(path: &std::path::Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread")]
async fn from_one_link_to_a_server_that_takes_webhooks() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = github(folder.path()).await;
    let port = free_port();
    let setup = Setup::start(folder.path(), &emulator.web_url(), &["--name", "Stats Bot"]);
    let mut browser = Browser::default();

    let plan = browser.open(&setup.link).await;
    assert_eq!(plan.title(), "Make your own GitHub App");
    let address = format!("http://127.0.0.1:{port}");
    let create = browser.send(&plan, "/plan", &[("public_url", &address)]).await;
    assert_eq!(create.title(), "Create “Stats Bot”");
    assert!(create.text().contains(&format!("{address}/github/webhook")), "{}", create.text());
    let done = create_on_github(&mut browser, &create).await;
    assert_eq!(done.title(), "“Stats Bot” is yours", "{}", done.text());
    assert_eq!(browser.open(&setup.page("/")).await.title(), done.title(), "a reload is harmless");

    // What is kept is there as a whole, and for the owner alone.
    let names = ["gander-server.toml", "private-key.pem", "webhook-secret", "client-secret"];
    assert_eq!(mode(&setup.directory), 0o700);
    for name in names {
        assert_eq!(mode(&setup.directory.join(name)), 0o600, "{name}");
    }
    assert_eq!(std::fs::read_dir(&setup.directory).unwrap().count(), names.len());
    let secrets = [setup.file("private-key.pem"), setup.file("webhook-secret")];
    assert!(secrets[0].starts_with("-----BEGIN RSA PRIVATE KEY-----\n"));

    // Files for a repository, one tap each.
    let files = browser.send(&done, "/files", &[("repository", "mona/stats")]).await;
    let link = files.links().into_iter().find(|link| link.contains("gander.toml")).unwrap();
    let form = browser.open(&link).await;
    let shown = browser.send(&form, "/create/main", &[]).await;
    assert_eq!(shown.status, 200, "{}", shown.text());
    let rules = emulator.file("mona/stats", "main", ".github/gander.toml").unwrap();
    assert_eq!(rules, include_bytes!("../../action/examples/gander.toml"));
    let commit = emulator.commit("mona/stats", "main").unwrap();
    assert!(commit.message.starts_with("Create gander.toml"), "{}", commit.message);

    let end = browser.send(&done, "/finish", &[]).await;
    assert_eq!(end.title(), "All set");
    let config = setup.directory.join("gander-server.toml");
    let install = done.links().into_iter().find(|link| link.ends_with("/installations/new"));
    let directory = setup.directory.clone();
    let (code, said) = setup.ends();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(&format!("gander serve --config {}", directory.display())), "{said}");
    for secret in &secrets {
        let line = secret.lines().nth(1).unwrap_or(secret);
        assert!(!said.contains(line) && !browser.seen.contains(line), "a secret was shown");
    }

    // Nothing else to do but `gander serve`.
    let script = folder.path().join("script.json");
    std::fs::write(&script, r#"{"attempts": []}"#).unwrap();
    let mut served = gander()
        .args(["serve", "--config"])
        .arg(config)
        .env("GANDER_LISTEN", format!("127.0.0.1:{port}"))
        .env("GANDER_MODEL_SCRIPT", script)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(served.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("GitHub knows this App") {
        line.clear();
        assert_ne!(log.read_line(&mut line).unwrap(), 0, "it ended before GitHub knew it");
    }
    let choose = browser.open(&install.unwrap()).await;
    let id = choose.html.split("value=\"").nth(1).unwrap().split('"').next().unwrap();
    let welcome = browser.send(&choose, "/installations", &[("repository_ids[]", id)]).await;
    assert_eq!(welcome.title(), "Gander is installed");
    assert!(welcome.url.as_str().starts_with(&address), "{}", welcome.url);
    let delivered = emulator.deliver_all().await;
    assert!(delivered.iter().any(|one| one.event == "installation"), "{delivered:?}");
    assert!(delivered.iter().all(|one| one.status == Some(202)), "{delivered:?}");

    let pid = rustix::process::Pid::from_child(&served);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let mut rest = String::new();
    log.read_to_string(&mut rest).unwrap();
    assert_eq!(served.wait().unwrap().code(), Some(0), "{rest}");
    assert!(!rest.contains(&secrets[1]), "{rest}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_can_own_the_app_and_strangers_cannot_make_one_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = github(folder.path()).await;
    let arguments = ["--org", "acme", "--url", PUBLIC];
    let setup = Setup::start(folder.path(), &emulator.web_url(), &arguments);
    let mut browser = Browser::default();
    let create = browser.open(&setup.link).await;
    assert_eq!(create.title(), "Create “Gander”", "all was said on the command line");
    emulator.sign_in(Some("hubert"));
    assert_eq!(browser.send(&create, "/settings/apps/new", &[]).await.status, 404);
    emulator.sign_in(Some("mona"));
    let done = create_on_github(&mut browser, &create).await;
    assert_eq!(done.title(), "“Gander” is yours");
    setup.interrupt();
    let (code, said) = setup.ends();
    assert_eq!(code, Some(0), "Ctrl-C after the App is there is an end like any other: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_browser_that_opened_the_link_sees_anything() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = github(folder.path()).await;
    let setup = Setup::start(folder.path(), &emulator.web_url(), &["--url", PUBLIC]);
    let (mut mine, mut other) = (Browser::default(), Browser::default());
    for path in ["/", "/?token=", "/?token=0123", "/files", "/created?code=a&state=b"] {
        let page = other.open(&setup.page(path)).await;
        assert_eq!(
            (page.status.as_u16(), page.title()),
            (403, "This browser was not let in".into())
        );
    }
    // A site whose name leads to this machine is not us; nor does a preview use the link up.
    for host in ["evil.example", "127.0.0.1", "127.0.0.1:1", ""] {
        assert_eq!(other.open_as(&setup.link, host).await.status, 421, "{host:?}");
    }
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    assert_eq!(client.head(&setup.link).send().await.unwrap().status(), 405);

    let page = mine.open(&setup.link).await;
    assert_eq!(page.title(), "Create “Gander”");
    assert!(!page.url.as_str().contains("token"), "{}", page.url);
    assert_eq!(mine.open(&setup.link).await.title(), "Create “Gander”", "the same browser again");
    let late = other.open(&setup.link).await;
    assert_eq!((late.status.as_u16(), late.title()), (403, "This link was used already".into()));

    // A form that another site sends for us is not taken.
    for path in ["/plan", "/finish"] {
        let fields = [("public_url".to_owned(), "http://127.0.0.1:6".to_owned())];
        let refused = mine.post(&setup.page(path), &fields).await;
        assert_eq!(
            (refused.status.as_u16(), refused.title()),
            (403, "This form was not ours".into())
        );
    }
    for (name, value) in [
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(page.headers[name], value);
    }
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    let origin = emulator.web_url().origin().ascii_serialization();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(policy.contains(&format!("; form-action 'self' {origin}; ")), "{policy}");
    assert!(!policy.contains("script"), "{policy}");
    setup.interrupt();
    let (code, said) = setup.ends();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("ended before there was an App, so nothing was kept"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_type_is_checked_and_shown_as_text() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = github(folder.path()).await;
    let setup = Setup::start(folder.path(), &emulator.web_url(), &[]);
    let mut browser = Browser::default();
    let plan = browser.open(&setup.link).await;
    const HOSTILE: &str = "\"><script>alert(1)</script>'&amp;";
    for field in ["name", "organization", "public_url"] {
        let typed = [("public_url", PUBLIC), (field, HOSTILE)];
        let refused = browser.send(&plan, "/plan", &typed).await;
        if field == "name" {
            // A strange name, but short enough: GitHub will judge it.
            assert!(refused.html.contains("&#60;script&#62;"), "{}", refused.html);
        } else {
            assert_eq!(refused.status, 422);
            assert!(refused.text().contains("<script>alert(1)</script>"), "{}", refused.text());
        }
        assert!(!refused.html.contains("<script"), "{}", refused.html);
    }
    let mut files = browser.open(&setup.page("/files")).await;
    for (repository, branch, why) in [
        (HOSTILE, "main", "is not a repository on"),
        ("", "main", "is not a repository on"),
        ("mona/stats", "a b", "is not a branch"),
        ("https://evil.example/a/b", "main", "is not a repository on"),
    ] {
        let typed = [("repository", repository), ("branch", branch)];
        files = browser.send(&files, "", &typed).await;
        assert_eq!(files.status, 422);
        assert!(files.text().contains(why) && !files.html.contains("<script"), "{}", files.text());
    }
    setup.interrupt();
    setup.ends();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_not_githubs_own_leads_to_nothing_and_one_can_start_again() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = github(folder.path()).await;
    let setup = Setup::start(folder.path(), &emulator.web_url(), &["--url", PUBLIC]);
    let mut browser = Browser::default();
    let create = browser.open(&setup.link).await;
    let state = |page: &Page| {
        page.html.split("new?state=").nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    let back = |code: &str, state: &str| setup.page(&format!("/created?code={code}&state={state}"));
    let wrong = browser.open(&back("abc", "0000")).await;
    assert_eq!(wrong.title(), "This answer is not for this setup");
    let none = browser.open(&setup.page("/created")).await;
    assert_eq!(
        (none.status.as_u16(), none.title()),
        (403, "This answer is not for this setup".into())
    );
    assert!(emulator.exchanges().is_empty(), "GitHub was asked");

    let first = state(&create);
    let refused = browser.open(&back("no-such-code", &first)).await;
    assert!(refused.title().ends_with("does not know this code"), "{}", refused.title());
    assert_eq!(
        browser.open(&back("no-such-code", &first)).await.title(),
        "This answer was used already"
    );
    let second = state(&browser.open(&setup.page("/")).await);
    assert_ne!(second, first);
    assert_eq!(
        browser.open(&back("no-such-code", &second)).await.title(),
        "This answer was used already"
    );
    let third = state(&browser.open(&setup.page("/")).await);
    let strange = browser.open(&back("a%2F..%2Fb", &third)).await;
    assert_eq!(strange.title(), "GitHub sent no code");
    assert_eq!(emulator.exchanges().len(), 1, "no code is sent twice");

    let refusal = Fault::on("POST", "/app-manifests/*/conversions").nth(1).answers(422);
    emulator.plan(refusal.with_body(serde_json::json!({ "message": "Too <b>many</b> Apps" })));
    let create = browser.open(&setup.page("/")).await;
    let refused = create_on_github(&mut browser, &create).await;
    assert!(refused.title().ends_with("refused to hand out the App"), "{}", refused.title());
    assert!(refused.text().contains("It says: Too <b>many</b> Apps."), "{}", refused.text());

    // The name is GitHub's to give away: it says so on its own page.
    let create = browser.open(&setup.page("/")).await;
    let github = browser.send(&create, "/settings/apps/new", &[]).await;
    assert!(github.text().contains("Name is already taken"), "{}", github.text());
    let done = browser.send(&github, "/settings/apps", &[("name", "Gander Two")]).await;
    assert_eq!(done.title(), "“Gander Two” is yours", "{}", done.text());
    setup.interrupt();
    assert_eq!(setup.ends().0, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn when_githubs_answer_is_lost_the_code_is_not_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = github(folder.path()).await;
    let setup = Setup::start(folder.path(), &emulator.web_url(), &["--url", PUBLIC]);
    let mut browser = Browser::default();
    let create = browser.open(&setup.link).await;
    let lost = emulator.plan(Fault::on("POST", "/app-manifests/*/conversions").cut_after());
    let page = create_on_github(&mut browser, &create).await;
    assert!(page.title().ends_with("could not be reached"), "{}", page.title());
    assert!(page.text().contains("delete it there"), "{}", page.text());
    assert_eq!(emulator.fault_hits(lost), 1);
    assert!(!setup.directory.join("gander-server.toml").exists());
    drop(emulator);
    setup.interrupt();
    let (code, said) = setup.ends();
    assert_eq!(code, Some(1), "{said}");
}

#[test]
fn what_cannot_work_is_said_before_there_is_a_link() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let fails = |arguments: &[&str], directory: &str, words: &str| {
        let mut command = gander();
        command
            .args(["setup", "--bind", "127.0.0.1:0", "--dir"])
            .arg(at(directory))
            .args(arguments);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if !line.is_empty() {
            process.kill().unwrap();
            panic!("{arguments:?}: it began: {line}");
        }
        let output = process.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
    };
    fails(&["--github", "http://github.example"], "a", "is not https");
    fails(&["--url", "http://gander.example"], "a", "webhooks would cross the network unencrypted");
    fails(&["--url", "https://localhost"], "a", "which GitHub cannot reach");
    fails(&["--url", "https://gander.example", "--name", ""], "a", "is no name for an App");
    assert!(!at("a").exists(), "nothing is made before all is good");

    let make = |name: &str, mode: u32| {
        std::fs::create_dir(at(name)).unwrap();
        std::fs::set_permissions(at(name), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    make("open", 0o755);
    fails(&[], "open", "chmod 700");
    make("full", 0o700);
    std::fs::write(at("full/gander-server.toml"), "").unwrap();
    fails(&[], "full", "an App is never overwritten");
    std::fs::write(at("file"), "").unwrap();
    fails(&[], "file", "name a directory that you can write to");
    if !rustix::process::geteuid().is_root() {
        make("closed", 0o500);
        fails(&[], "closed", "name a directory that you can write to");
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let mut command = gander();
    let output = command.args(["setup", "--bind", &taken, "--dir"]).arg(at("b")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("Choose another place with --bind"), "{said}");
    let mut command = gander();
    let everywhere = ["setup", "--bind", "0.0.0.0:0", "--dir"];
    let output = command.args(everywhere).arg(at("b")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("is every address of this machine"), "{said}");
}

#[test]
fn a_workflow_is_printed_with_the_hash_in_it() {
    let print = |arguments: &[&str]| {
        let output = gander().args(["setup", "--workflow"]).args(arguments).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (sha, digest) = ("0123456789".repeat(4), "01234567".repeat(8));
    for kind in ["test", "release"] {
        let (code, plain, note) = print(&[kind]);
        assert_eq!(code, Some(0));
        assert!(note.contains(&format!(".github/workflows/gander-{kind}.yml")), "{note}");
        let (code, filled, note) = print(&[kind, "--action-sha", &sha]);
        assert_eq!(code, Some(0));
        assert!(note.contains("--sha256 DIGEST") && !note.contains("--action-sha"), "{note}");
        assert!(filled.contains(&format!("action@{sha} ")), "{filled}");
        let (code, filled, note) = print(&[kind, "--action-sha", &sha, "--sha256", &digest]);
        assert_eq!((code, note.as_str()), (Some(0), ""));
        assert!(filled.contains(&digest) && !filled.contains("REPLACE"), "{filled}");
        assert_eq!(filled.lines().count(), plain.lines().count());
        let (code, nothing, why) = print(&[kind, "--action-sha", "main"]);
        assert_eq!((code, nothing.as_str()), (Some(1), ""));
        assert!(why.contains("not the full hash of a commit"), "{why}");
    }
    assert_eq!(print(&["deploy"]).0, Some(2));
}

/// The pages with a clock of their own, and a GitHub that answers as it is told.
async fn pages_at(time: Arc<AtomicI64>) -> (String, CancellationToken) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let finished = CancellationToken::new();
    let (setup, link) = pages::Setup::begin(Beginning {
        hub: "https://github.com".parse().unwrap(),
        address: listener.local_addr().unwrap(),
        wishes: Wishes {
            name: "Gander".to_owned(),
            public_url: "https://gander.acme.example".to_owned(),
            ..Wishes::default()
        },
        clock: Clock::from_fn(move || Timestamp(time.load(Ordering::SeqCst))),
        register: Arc::new(|_| {
            let problem = SetupProblem {
                what: "Not today".to_owned(),
                why: "<i>Closed</i>".to_owned(),
                next: "Tomorrow".to_owned(),
            };
            async { Err(problem) }.boxed()
        }),
        finished: finished.clone(),
    });
    tokio::spawn(pages::serve(listener, setup, finished.clone()));
    (link, finished)
}

#[tokio::test]
async fn after_an_hour_nothing_is_good_any_more() {
    const HOUR: i64 = 3_600_000;
    let time = Arc::new(AtomicI64::new(1_767_225_600_000));
    let (link, _late) = pages_at(Arc::clone(&time)).await;
    let mut browser = Browser::default();
    time.fetch_add(HOUR, Ordering::SeqCst);
    assert_eq!(browser.open(&link).await.title(), "This link has expired");

    let (link, finished) = pages_at(Arc::clone(&time)).await;
    time.fetch_add(HOUR - 1, Ordering::SeqCst);
    let create = browser.open(&link).await;
    assert_eq!(create.title(), "Create “Gander”");
    let state = create.html.split("new?state=").nth(1).unwrap().split('"').next().unwrap();
    let root = link.split("/?").next().unwrap();
    let back = browser.open(&format!("{root}/created?code=abc&state={state}")).await;
    assert_eq!((back.title(), back.status.as_u16()), ("Not today".into(), 502));
    assert!(back.html.contains("&#60;i&#62;Closed"), "{}", back.html);
    time.fetch_add(1, Ordering::SeqCst);
    assert_eq!(browser.open(&format!("{root}/")).await.title(), "This link has expired");
    finished.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_emulator_refuses_the_manifests_that_github_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = github(folder.path()).await;
    let mut browser = Browser::default();
    let good = || {
        let mut manifest: serde_json::Value =
            serde_json::from_str(include_str!("../../app-manifest.json")).unwrap();
        manifest["name"] = "Honk".into();
        manifest
    };
    let new = emulator.web_url().join("/settings/apps/new?state=s").unwrap();
    let form = |manifest: &serde_json::Value| [("manifest".to_owned(), manifest.to_string())];
    let shown = browser.post(new.as_str(), &form(&good())).await;
    assert_eq!((shown.status.as_u16(), shown.title()), (200, "Create GitHub App".into()));
    let spoiled: [(&str, &str, serde_json::Value); 9] = [
        ("/name", "Name can't be blank", "".into()),
        ("/name", "Name is too long", "x".repeat(35).into()),
        ("/name", "Name is already taken", "MONA".into()),
        ("/hook_attributes/url", "Hook url can't be blank", "".into()),
        ("/url", "Url can't be blank", "".into()),
        ("/default_permissions", "not supported by permissions: check_run", serde_json::json!({})),
        (
            "/default_permissions",
            "not included in the list: mischief",
            serde_json::json!({"mischief": "write"}),
        ),
        ("/default_events/0", "Default events unsupported: installation", "installation".into()),
        ("/default_events/0", "not supported by permissions: team", "team".into()),
    ];
    for (place, words, value) in spoiled {
        let mut manifest = good();
        *manifest.pointer_mut(place).unwrap() = value;
        let page = browser.post(new.as_str(), &form(&manifest)).await;
        assert!(page.status == 422 && page.text().contains(words), "{words}: {}", page.text());
    }
    emulator.sign_in(None);
    assert_eq!(browser.post(new.as_str(), &form(&good())).await.status, 401);
    emulator.sign_in(Some("hubert"));
    let theirs = emulator.web_url().join("/mona/stats/new/main?filename=a&value=b").unwrap();
    assert_eq!(browser.open(theirs.as_str()).await.status, 404);
    assert_eq!(
        browser.open(emulator.web_url().join("/apps/none").unwrap().as_str()).await.status,
        404
    );
}
