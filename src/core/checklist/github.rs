//! What GitHub says of the App, its webhook and the clock, held against what Gander needs.

use std::collections::BTreeMap;

use super::ChecklistItem;
use crate::core::id::Timestamp;
use crate::core::setup::AppManifest;

/// Where the server takes webhooks.
pub const WEBHOOK_PATH: &str = "/github/webhook";
/// A clock that is off by more is refused by GitHub, sooner or later.
const MOST_SKEW_SECONDS: i64 = 60;
/// GitHub's answers tell whole seconds and take a while to come.
const LITTLE_SKEW_SECONDS: i64 = 20;
/// Deliveries that are counted.
const RECENT: usize = 20;
/// What people may give beyond the manifest: failed jobs are run again with it.
const OPTIONAL: (&str, &str) = ("actions", "write");

/// The App's webhook, as GitHub shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct SeenHook {
    pub url: String,
    /// `json` or `form`.
    pub content_type: String,
    /// Whether GitHub looks at the server's certificate.
    pub checks_certificate: bool,
    /// Whether GitHub signs what it sends.
    pub has_secret: bool,
}

/// One delivery of GitHub's own log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct SeenDelivery {
    /// The HTTP status that came back; 0, 502 or 504 where nobody answered.
    pub status: u16,
    pub event: String,
    /// As GitHub writes it.
    pub at: String,
}

/// What came of a delivery that we sent to the webhook's address ourselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pinged {
    /// This status came back.
    Answered(u16),
    /// None did: why.
    NoAnswer(String),
}

/// How far this machine's clock is from GitHub's.
pub fn clock(ours: Timestamp, theirs: Timestamp) -> ChecklistItem {
    let ahead = (ours.0 - theirs.0) / 1000;
    let words = match ahead {
        0.. => format!("this machine's clock is {ahead} s ahead of GitHub's"),
        _ => format!("this machine's clock is {} s behind GitHub's", -ahead),
    };
    let next = "set the clock, and keep it set, as `timedatectl set-ntp true` does: GitHub \
                refuses an App whose clock is off by more than a minute";
    match ahead.abs() {
        0..=LITTLE_SKEW_SECONDS => {
            ChecklistItem::ok("clock", "this machine's clock agrees with GitHub's")
        }
        ..=MOST_SKEW_SECONDS => ChecklistItem::warning("clock", words, next),
        _ => ChecklistItem::failed("clock", words, next),
    }
}

/// Whether the App may do what Gander does, and no more.
pub fn permissions(ours: &AppManifest, has: &BTreeMap<String, String>) -> ChecklistItem {
    let missing = lacking(ours, has);
    let beyond = beyond(ours, has);
    let place = "in the App's settings on GitHub, under Permissions & events";
    if !missing.is_empty() {
        let next = format!(
            "give them {place}; whoever has installed the App has to accept that on GitHub"
        );
        let seen = format!("the App may not do what Gander does: {} are missing", list(&missing));
        return ChecklistItem::failed("permissions", seen, next);
    }
    if beyond.is_empty() {
        let seen = format!("{}, and no more", list(&named(has)));
        return ChecklistItem::ok("permissions", seen);
    }
    let seen = format!("the App may do more than Gander does: {}", list(&beyond));
    let next = format!("take that away {place}: a stolen key could do it");
    match beyond.iter().all(|it| it.ends_with(": read")) {
        true => ChecklistItem::warning("permissions", seen, next),
        false => ChecklistItem::failed("permissions", seen, next),
    }
}

/// What an App lacks, as `contents: write`.
pub fn lacking(ours: &AppManifest, has: &BTreeMap<String, String>) -> Vec<String> {
    let needs = ours.default_permissions.iter();
    let lacks = |name: &String, level: &String| {
        rank(has.get(name).map_or("none", String::as_str)) < rank(level)
    };
    needs
        .filter(|(name, level)| name.as_str() != "metadata" && lacks(name, level))
        .map(|(name, level)| format!("{name}: {level}"))
        .collect()
}

fn beyond(ours: &AppManifest, has: &BTreeMap<String, String>) -> Vec<String> {
    let optional = format!("{}: {}", OPTIONAL.0, OPTIONAL.1);
    ours.beyond(has).into_iter().filter(|it| *it != optional).collect()
}

fn rank(level: &str) -> u8 {
    match level {
        "read" => 1,
        "write" => 2,
        "admin" => 3,
        _ => 0,
    }
}

fn named(has: &BTreeMap<String, String>) -> Vec<String> {
    has.iter().map(|(name, level)| format!("{name}: {level}")).collect()
}

fn list(words: &[String]) -> String {
    words.join(", ")
}

/// Whether the App hears of what Gander reacts to.
pub fn events(ours: &AppManifest, has: &[String]) -> ChecklistItem {
    let missing: Vec<String> =
        ours.default_events.iter().filter(|it| !has.contains(it)).cloned().collect();
    let more: Vec<String> =
        has.iter().filter(|it| !ours.default_events.contains(it)).cloned().collect();
    let place = "in the App's settings on GitHub, under Permissions & events";
    if !missing.is_empty() {
        let seen = format!("the App does not hear of {}", list(&missing));
        return ChecklistItem::failed("events", seen, format!("subscribe to them {place}"));
    }
    if !more.is_empty() {
        let seen = format!("the App also hears of {}, which Gander does not need", list(&more));
        return ChecklistItem::warning("events", seen, format!("unsubscribe {place}"));
    }
    ChecklistItem::ok("events", format!("all {} that Gander reacts to", has.len()))
}

/// Whether the webhook's settings are right, as far as GitHub shows them. `None`: the App has none.
pub fn hook(seen: Option<&SeenHook>) -> Result<&SeenHook, ChecklistItem> {
    const NAME: &str = "webhook";
    let place = "in the App's settings on GitHub, under General, Webhook";
    let Some(hook) = seen else {
        let next = format!("set one {place}: Active, and the address of Gander{WEBHOOK_PATH}");
        return Err(ChecklistItem::failed(NAME, "the App has no webhook", next));
    };
    let url = &hook.url;
    if !url.split('?').next().unwrap_or_default().ends_with(WEBHOOK_PATH) {
        let seen = format!("GitHub sends to {url}, and Gander takes webhooks at {WEBHOOK_PATH}");
        return Err(ChecklistItem::failed(NAME, seen, format!("correct the webhook URL {place}")));
    }
    if hook.content_type != "json" {
        let seen = format!("GitHub sends {}, which Gander does not read", hook.content_type);
        let next = format!("choose the content type application/json {place}");
        return Err(ChecklistItem::failed(NAME, seen, next));
    }
    if !hook.has_secret {
        let next = format!("set the secret that these settings have {place}");
        return Err(ChecklistItem::failed(NAME, "GitHub signs nothing that it sends", next));
    }
    if url.starts_with("https:") && !hook.checks_certificate {
        let seen = "GitHub does not look at the certificate of the server that it sends to";
        let next = format!("enable SSL verification {place}");
        return Err(ChecklistItem::failed(NAME, seen, next));
    }
    Ok(hook)
}

/// Whether GitHub reaches this server: by what it says of its own deliveries, and by what came of
/// ours. The newest comes first. `installed`: on how many accounts.
pub fn reached(
    hook: &SeenHook,
    log: &[SeenDelivery],
    installed: usize,
    pinged: &Pinged,
) -> [ChecklistItem; 2] {
    let url = &hook.url;
    let came_through = log.first().is_some_and(|it| is_taken(it.status));
    let webhook = match pinged {
        Pinged::Answered(status) if is_taken(*status) => {
            ChecklistItem::ok("webhook", format!("{url} takes what these settings sign"))
        }
        Pinged::Answered(401) => ChecklistItem::failed(
            "webhook",
            format!("the server at {url} has another webhook secret than these settings"),
            "start `gander serve` again with these settings, or name its own with --config",
        ),
        Pinged::Answered(status) => ChecklistItem::failed(
            "webhook",
            format!("{url} answers {status}, so it does not lead to Gander"),
            "correct the webhook URL in the App's settings on GitHub, or where your reverse proxy \
             leads to",
        ),
        Pinged::NoAnswer(why) if came_through => ChecklistItem::unknown(
            "webhook",
            format!("{url} cannot be reached from here: {why}"),
            "none, if this network does not let its own machines back in: GitHub reaches it",
        ),
        Pinged::NoAnswer(why) => ChecklistItem::failed(
            "webhook",
            format!("nobody answers at {url}: {why}"),
            "start `gander serve`, see where your reverse proxy leads to, and compare the webhook \
             URL in the App's settings on GitHub",
        ),
    };
    [webhook, deliveries(log, installed)]
}

fn is_taken(status: u16) -> bool {
    (200..300).contains(&status)
}

/// What GitHub's log says of what it sent, the newest first.
fn deliveries(log: &[SeenDelivery], installed: usize) -> ChecklistItem {
    const NAME: &str = "deliveries";
    let Some(last) = log.first() else {
        return match installed {
            0 => ChecklistItem::unknown(
                NAME,
                "GitHub has sent nothing yet: the App is installed nowhere",
                "install it on a repository, and look again",
            ),
            _ => ChecklistItem::warning(
                NAME,
                "GitHub has sent nothing in the last days, though the App is installed",
                "see that Active is ticked in the App's settings on GitHub, under General, Webhook; \
                 then comment on any issue, and look again",
            ),
        };
    };
    let SeenDelivery { status, event, at } = last;
    let recent = log.len().min(RECENT);
    let lost = log.iter().take(RECENT).filter(|it| !is_taken(it.status)).count();
    let last = format!("the last delivery ({event}, {at})");
    match status {
        200..300 if lost == 0 => {
            ChecklistItem::ok(NAME, format!("{last} came through, and all of the last {recent}"))
        }
        200..300 => ChecklistItem::warning(
            NAME,
            format!("{last} came through, but {lost} of the last {recent} did not"),
            "none, if that is mended: Gander fetches within minutes what it missed",
        ),
        401 => ChecklistItem::failed(
            NAME,
            format!("{last} was refused: GitHub signs with another secret than the server knows"),
            "set the same webhook secret in the App's settings on GitHub and in webhook_secret_file",
        ),
        0 | 502 | 504 => ChecklistItem::failed(
            NAME,
            format!("{last} did not come through: GitHub got no answer ({status})"),
            "see that `gander serve` runs, that your reverse proxy leads to it, and that its \
             certificate is one that GitHub knows",
        ),
        429 | 503 => ChecklistItem::failed(
            NAME,
            format!("{last} was turned away ({status}): Gander could not store it"),
            "look into the log of `gander serve`: the disk, or the database",
        ),
        _ => ChecklistItem::failed(
            NAME,
            format!("{last} was answered with {status}, which Gander does not say"),
            "see where your reverse proxy leads to, and compare the webhook URL in the App's settings",
        ),
    }
}

/// The same where the log itself is read instead of waiting for webhooks.
pub fn log_is_kept(hook: &SeenHook, log: &[SeenDelivery], installed: usize) -> ChecklistItem {
    let host = hook.url.split("//").nth(1).unwrap_or_default();
    let host = host.split(['/', ':', '?']).next().unwrap_or_default();
    if log.is_empty() && installed > 0 {
        return ChecklistItem { name: "delivery log", ..deliveries(log, installed) };
    }
    if host.ends_with(".invalid") || log.first().is_none_or(|it| !is_taken(it.status)) {
        let seen = format!("GitHub keeps what it sends, {} so far, and nobody takes it", log.len());
        return ChecklistItem::ok("delivery log", seen);
    }
    ChecklistItem::warning(
        "delivery log",
        format!("somebody at {} takes what GitHub sends as well", hook.url),
        "if that is not another Gander of yours, set the webhook URL to \
         https://gander.invalid/github/webhook, where nobody can be",
    )
}

/// One account that has installed the App.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct SeenInstallation {
    pub account: String,
    pub permissions: BTreeMap<String, String>,
    pub suspended: bool,
    /// Its page on GitHub.
    pub page: String,
}

/// Whether those who installed the App let it do what it asks for.
pub fn installations(ours: &AppManifest, all: &[SeenInstallation]) -> Vec<ChecklistItem> {
    const NAME: &str = "installation";
    if all.is_empty() {
        let seen = "the App is installed nowhere";
        let next = "install it on a repository, on the App's page on GitHub";
        return vec![ChecklistItem::warning(NAME, seen, next)];
    }
    let of_one = |one: &SeenInstallation| {
        let missing = lacking(ours, &one.permissions);
        let item = if one.suspended {
            let next = format!("unsuspend it, if that is not meant: {}", one.page);
            ChecklistItem::warning(NAME, "it is suspended", next)
        } else if missing.is_empty() {
            ChecklistItem::ok(NAME, "it lets the App do what it asks for")
        } else {
            let seen = format!("{} were not accepted there", list(&missing));
            let next = format!("one of its owners has to accept them: {}", one.page);
            ChecklistItem::failed(NAME, seen, next)
        };
        item.about(one.account.clone())
    };
    all.iter().map(of_one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::checklist::ItemState;

    #[test]
    fn a_clock_is_compared_with_githubs_in_both_directions() {
        let at = |seconds: i64| Timestamp(1_767_225_600_000 + seconds * 1000);
        for (ours, state, words) in [
            (0, ItemState::Ok, "agrees"),
            (-20, ItemState::Ok, "agrees"),
            (45, ItemState::Warning, "45 s ahead"),
            (-61, ItemState::Failed, "61 s behind"),
            (3600, ItemState::Failed, "3600 s ahead"),
        ] {
            let item = clock(at(ours), at(0));
            assert_eq!(item.state, state, "{ours}");
            assert!(item.seen.contains(words), "{ours}: {}", item.seen);
        }
    }

    #[test]
    fn too_little_too_much_and_what_is_optional_are_told_apart() {
        let ours = AppManifest::ours().unwrap();
        let with = |name: &str, level: &str| {
            let mut has = ours.default_permissions.clone();
            has.insert(name.to_owned(), level.to_owned());
            permissions(&ours, &has)
        };
        assert_eq!(permissions(&ours, &ours.default_permissions).state, ItemState::Ok);
        assert_eq!(with("actions", "write").state, ItemState::Ok, "people may give it");
        let less = with("contents", "read");
        assert!(less.state == ItemState::Failed && less.seen.contains("contents: write"));
        assert_eq!(with("members", "read").state, ItemState::Warning);
        let more = with("workflows", "write");
        assert!(more.state == ItemState::Failed && more.seen.contains("workflows: write"));
        assert_eq!(with("checks", "admin").state, ItemState::Failed);
    }

    #[test]
    fn a_log_that_nobody_takes_is_what_reading_it_needs() {
        let hook = |url: &str| SeenHook {
            url: url.to_owned(),
            content_type: "json".to_owned(),
            checks_certificate: true,
            has_secret: true,
        };
        let one = |status| SeenDelivery { status, event: "push".into(), at: "now".into() };
        let nowhere = hook("https://gander.invalid/github/webhook");
        assert_eq!(log_is_kept(&nowhere, &[one(502)], 1).state, ItemState::Ok);
        assert_eq!(log_is_kept(&nowhere, &[], 1).state, ItemState::Warning);
        let taken = log_is_kept(&hook("https://other.example/github/webhook"), &[one(200)], 1);
        assert!(taken.state == ItemState::Warning && taken.seen.contains("other.example"));
    }
}
