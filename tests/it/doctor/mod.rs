//! `gander doctor`, the real program: a good set-up is green, and each that is broken in one way is
//! named, with the next step.

#![allow(clippy::disallowed_methods)]

mod provider;
mod site;

use std::process::Command;
use std::sync::atomic::Ordering;

use gander_emulator::{AppCredentials, Requirement};
use site::{Found, SECRET, Settings, Site, set_mode};
use sqlx::{ConnectOptions, Connection};

use crate::program::{gander, said};
use crate::setup::web::Browser;
use crate::world::off_by_one;

/// What depends on the machine that these stories run on.
const OF_THE_MACHINE: [&str; 3] = ["sandbox", "toolchains", "disk"];

const RISKY: &str = "on: push\npermissions: {}\njobs:\n  deploy:\n    runs-on: ubuntu-latest\n    \
                     steps:\n      - run: ./deploy.sh\n        env:\n          \
                     TOKEN: ${{ secrets.DEPLOY_TOKEN }}\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_good_set_up_is_green_and_no_secret_is_shown() {
    let site = Site::start().await;
    let good = site.settings("good");
    let found = site.doctor(&good, &["acme/stats"]);
    assert_eq!(found.code, Some(0), "{}", found.text);
    assert!(
        found.named("failed").is_empty() && found.named("unknown").is_empty(),
        "{}",
        found.text
    );
    let odd: Vec<_> = found.named("warning").into_iter().collect();
    assert!(odd.iter().all(|name| OF_THE_MACHINE.contains(name)), "{odd:?} {}", found.text);
    for name in [
        "settings",
        "sandbox",
        "toolchains",
        "data",
        "disk",
        "database",
        "secrets",
        "model",
        "clock",
        "App key",
        "permissions",
        "events",
        "installation",
        "webhook",
        "deliveries",
        "branch ruleset",
        "tag ruleset",
        "workflows",
        "approvers",
        "checks",
    ] {
        found.item(name);
    }
    assert!(found.item("checks")["seen"].as_str().unwrap().contains("`sh check.sh`"));
    // The same for people, who read it in lines.
    let mut command = gander();
    command.arg("doctor").arg("--config").arg(good.config());
    let text = said(&command.output().unwrap());
    assert!(text.contains("ok       webhook         http://127.0.0.1:"), "{text}");
    for secret in [SECRET, provider::KEY, good.key.lines().nth(1).unwrap()] {
        assert!(!text.contains(secret) && !found.text.contains(secret), "a secret was shown");
    }
    // Nothing was changed by looking.
    assert!(!good.data.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_running_server_shows_the_same_list_to_whoever_has_a_link() {
    let site = Site::start().await;
    let page = format!("http://{}/doctor", site.server.address);
    let (mut mine, mut other) = (Browser::default(), Browser::default());
    for url in [page.clone(), format!("{page}?token=1.2.3")] {
        let refused = other.open(&url).await;
        assert_eq!(refused.status, 403);
        assert!(refused.text().contains("This page is its operator's"), "{}", refused.text());
        assert!(!refused.text().contains("webhook"), "{}", refused.text());
    }
    let mut command = gander();
    let config = Settings::of(site.folder.path(), "the-server", &site.app).config();
    let text = said(&command.args(["doctor", "--link", "--config"]).arg(config).output().unwrap());
    let token = text.split("token=").nth(1).unwrap().split_whitespace().next().unwrap();
    let link = format!("{page}?token={token}");
    let opened = mine.open(&link).await;
    assert_eq!((opened.status.as_u16(), opened.url.as_str()), (200, &*page), "{}", opened.text());
    assert_eq!(other.open(&link).await.status, 403, "a link works once");
    let known = mine.until_known(&page).await;
    assert_eq!(known.title(), "Is it safe and ready?");
    for line in ["ok webhook", "ok deliveries", "ok model", "ok App key", "sandbox"] {
        assert!(known.text().contains(line), "{line}: {}", known.text());
    }
    for secret in [SECRET, provider::KEY] {
        assert!(!mine.seen.contains(secret), "a secret was shown");
    }
    assert_eq!(other.post(&page, &[]).await.status, 403);
    assert_eq!(mine.send(&known, "/doctor", &[]).await.status, 200, "and it is looked at again");
    assert!(!known.html.contains("<script"));
    mine.until_known(&page).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_in_the_settings_is_named_with_the_next_step() {
    let site = Site::start().await;
    let with = |name: &str, change: &dyn Fn(&mut Settings)| {
        let mut settings = site.settings(name);
        change(&mut settings);
        site.doctor(&settings, &[])
    };
    let other_secret = "another secret that nobody guesses";
    with("other-secret", &|it| it.secret = other_secret.to_owned()).is_red(
        &["webhook"],
        "has another webhook secret than these settings",
        "start `gander serve` again with these settings",
    );
    with("short-secret", &|it| it.secret = "hunter2".to_owned()).is_red(
        &["secrets"],
        "shorter than 16 characters",
        "openssl rand -hex 32",
    );
    let other = site.app("other", |_| ()).await;
    with("other-key", &|it| it.key.clone_from(&other.private_key_pem)).is_red(
        &["App key"],
        "GitHub does not accept this key",
        "make a new key",
    );
    with("no-key", &|it| it.key = "-----BEGIN".to_owned()).is_red(
        &["App key"],
        "not an RSA key in PEM form",
        "correct",
    );
    with("other-number", &|it| it.app_id = 1).is_red(
        &["App key"],
        "knows no App with the number 1",
        "correct app_id",
    );
    with("model-key", &|it| it.model_key = "sk-ant-revoked").is_red(
        &["model"],
        "refuses our key (status 401)",
        "[model] key_file",
    );
    with("model-name", &|it| it.model = "claude-of-next-year").is_red(
        &["model"],
        "does not know the model claude-of-next-year",
        "[model] names",
    );
    // The settings are written, then a file of them is opened to the group.
    let open = site.settings("open");
    open.write(&site.emulator, &site.provider);
    set_mode(&open.directory.join("key.pem"), 0o640);
    let found = Found::of(site.command(&open, &[]));
    found.is_red(&["secrets"], "(mode 0640)", "chmod 600");
    let unset = open;
    set_mode(&unset.directory.join("key.pem"), 0o600);
    let text = std::fs::read_to_string(unset.config()).unwrap();
    std::fs::write(unset.config(), text.split("[model]").next().unwrap()).unwrap();
    let found = Found::of(site.command(&unset, &[]));
    found.is_red(&["model"], "GANDER_MODEL_KEY is not set", "[model] key_file");
    assert_eq!(found.item("webhook")["state"], "ok", "all else is looked at: {}", found.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_on_github_is_named_with_the_next_step() {
    let site = Site::start().await;
    let look = |app: &AppCredentials, name: &str| {
        let settings = Settings::of(site.folder.path(), name, app);
        site.doctor(&settings, &[])
    };
    let app = site.app("secretive", |it| it.webhook_secret = "what GitHub signs with".into()).await;
    look(&app, "secretive").is_red(
        &["deliveries"],
        "GitHub signs with another secret than the server knows",
        "set the same webhook secret",
    );
    let app = site.app("unsigned", |it| it.webhook_secret.clear()).await;
    look(&app, "unsigned").is_red(&["webhook"], "GitHub signs nothing", "set the secret");
    let app = site.app("less", |it| drop(it.permissions.insert("contents".into(), "read".into())));
    look(&app.await, "less").is_red(
        &["permissions"],
        "contents: write are missing",
        "under Permissions & events",
    );
    let app =
        site.app("more", |it| drop(it.permissions.insert("workflows".into(), "write".into())));
    look(&app.await, "more").is_red(&["permissions"], "workflows: write", "take that away");
    let app = site.app("late", |it| drop(it.permissions.remove("statuses"))).await;
    site.emulator.ask_permissions(app.app_id, crate::world::app_spec().permissions);
    look(&app, "late").is_red(&["installation"], "statuses: read were not accepted", "accept them");
    let app = site.app("deaf", |it| it.events.retain(|event| event != "issue_comment")).await;
    look(&app, "deaf").is_red(&["events"], "does not hear of issue_comment", "subscribe");
    let app = site.app("quiet", |_| ()).await;
    site.emulator.forget_deliveries();
    site.emulator.set_webhook_active(app.app_id, false);
    let found = look(&app, "quiet");
    found.says(
        "deliveries",
        "GitHub has sent nothing in the last days",
        "see that Active is ticked",
    );
    // The address leads elsewhere: below another path, to another server, to nobody.
    let lead = |url: &str| site.emulator.set_webhook_url(app.app_id, url.parse().unwrap());
    site.emulator.set_webhook_active(app.app_id, true);
    lead(&format!("http://{}/webhook", site.server.address));
    look(&app, "path").is_red(&["webhook"], "Gander takes webhooks at /github/webhook", "correct");
    let elsewhere = site.emulator.web_url().join("/github/webhook").unwrap();
    lead(elsewhere.as_str());
    look(&app, "elsewhere").is_red(&["webhook"], "does not lead to Gander", "reverse proxy");
    lead("http://127.0.0.1:9/github/webhook");
    let owner = site.emulator.person("acme");
    owner.opens_issue("acme/stats", "Count is one too low", "It is wrong", &[]).unwrap();
    site.emulator.deliver_all().await;
    let found = look(&app, "nobody");
    found.is_red(&["webhook", "deliveries"], "nobody answers at", "start `gander serve`");
    found.says("deliveries", "GitHub got no answer (502)", "your reverse proxy leads to it");

    site.github_ahead.store(7_200_000, Ordering::SeqCst);
    let found = look(&site.app, "clock");
    found.is_red(&["clock"], " s behind GitHub's", "timedatectl");
    assert_eq!(found.item("App key")["state"], "unknown", "it is not blamed: {}", found.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_on_the_machine_is_named_with_the_next_step() {
    let site = Site::start().await;
    // A machine that gives nobody a namespace, as in the story of `gander check`.
    let settings = site.settings("refused");
    settings.write(&site.emulator, &site.provider);
    let inside = |prepare: &str, settings: &Settings| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-current-user", "--keep-caps", "--mount", "sh", "-c"]);
        command.arg(format!(
            "{prepare} && exec setpriv --ambient-caps=-all --inh-caps=-all \"$0\" doctor --json \
             --config \"$1\""
        ));
        let program = gander();
        command.arg(program.get_program()).arg(settings.config()).env_clear();
        command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Found::of(command)
    };
    let found = inside("echo 0 > /proc/sys/user/max_user_namespaces", &settings);
    found.is_red(&["sandbox"], "could not be set up", "docs/install.md");
    // A disk that is nearly full.
    let full = site.settings("full");
    full.write(&site.emulator, &site.provider);
    std::fs::create_dir(&full.data).unwrap();
    set_mode(&full.data, 0o700);
    let mount = format!("mount -t tmpfs -o size=90m,mode=0700 none {}", full.data.display());
    inside(&mount, &full).is_red(&["disk"], "90 MiB are free", "make room");
    // A database that a newer version has written, and then one that is of this version.
    let newer = site.settings("newer");
    std::fs::create_dir_all(&newer.data).unwrap();
    set_mode(&newer.data, 0o700);
    let file = newer.data.join("gander.db");
    gander::store::Store::close(&gander::store::Sqlite::open(&file).await.unwrap()).await.unwrap();
    let found = site.doctor(&newer, &[]);
    assert!(found.item("database")["seen"].as_str().unwrap().contains("tables of this version"));
    let mut raw =
        sqlx::sqlite::SqliteConnectOptions::new().filename(&file).connect().await.unwrap();
    sqlx::query("INSERT INTO _sqlx_migrations VALUES (9999, 'the future', '', 1, x'00', 0)")
        .execute(&mut raw)
        .await
        .unwrap();
    raw.close().await.unwrap();
    site.doctor(&newer, &[]).is_red(&["database"], "a newer version of Gander", "use the newer");
    // What is kept lies open to others.
    let open = site.settings("open-data");
    std::fs::create_dir_all(&open.data).unwrap();
    set_mode(&open.data, 0o755);
    site.doctor(&open, &[]).is_red(&["data"], "open to other users", "chmod 700");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_in_a_repository_is_named_with_the_next_step() {
    let site = Site::start().await;
    let good = site.settings("good");
    let files = off_by_one();
    let with = |path: &'static str, text: &'static str| {
        let mut files: Vec<_> = files.iter().copied().filter(|(known, _)| *known != path).collect();
        files.push((path, text));
        files
    };
    let look = |name: &str| site.doctor(&good, &[name]);

    let untagged = site.bare_repository("untagged", &files).await;
    site.emulator.require_approvals(&untagged, "main", 1, Requirement::Ruleset).unwrap();
    look(&untagged).is_red(&["tag ruleset"], "can move a release's tag", "make a ruleset for tags");

    let open = site.bare_repository("open", &files).await;
    site.emulator.add_ruleset(&open, site::TAGS).unwrap();
    look(&open).is_red(&["branch ruleset"], "can push to main", "require a pull request");

    let risky = with(".github/workflows/deploy.yml", RISKY);
    let risky = site.repository("risky", &risky).await;
    look(&risky).is_red(&["workflows"], "gets the secret `DEPLOY_TOKEN`", "gander/**");

    let never = "[verify]\ncommands = [\"sh check.sh\"]\n[approval]\nrequester = \"never\"\n";
    let alone = with(".github/gander.toml", never);
    let alone = site.repository("alone", &alone).await;
    look(&alone).is_red(&["approvers"], "only one person has the role maintain", "give somebody");

    let unchecked = site.repository("unchecked", &[("README.md", "# Nothing here\n")]).await;
    look(&unchecked).is_red(&["checks"], "no command was found", "[verify] commands");

    site.emulator
        .create_repository(gander_emulator::RepositorySpec::new("acme", "away", &files))
        .unwrap();
    look("acme/away").is_red(&["repository"], "the App is not installed there", "install it");
}
