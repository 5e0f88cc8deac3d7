//! Commands about releases, and hints that something about one may be different.
//!
//! Invariants: of one package on one branch at most one release is under way and one waits; another
//! order is taken up by the one that still can; a hint only queues a look.

use crate::core::command::{Command, Verb};
use crate::core::event::{CommandEvent, SaidIn, Touched};
use crate::core::github::{RepoRef, Role};
use crate::core::id::{Branch, Number, ReleaseId};
use crate::core::machine::Machine;
use crate::core::policy::{ReleaseOn, Rules, ScopeError, ScopedRules};
use crate::core::release::{
    Bump, Refusal, Release, ReleaseEnding, ReleaseFact, ReleaseOrder, ReleaseStage, ReleaseStep,
};
use crate::core::report;
use crate::core::report::release::{self as words, ReleaseReply, Withdrawn};
use crate::core::task::{CommandReply, Task};
use crate::forge::Tag;
use crate::store::{Commit, Stored, Write};
use crate::worker::commit::{TaskOutcome, advanced};
use crate::worker::steps::release::{packages_at, release_rules};
use crate::worker::{Context, WorkError};

/// So many are shown by `release status`.
const SHOWN: u32 = 5;
/// So far back a failed one is looked for.
const LOOKED_BACK: u32 = 20;

/// `release [major|minor|patch|VERSION]`, `release status`, `release retry`, `release yank VERSION`,
/// each of one package where there are several.
pub(in crate::worker) async fn release_command(
    ctx: &Context,
    asked: &CommandEvent,
    command: Command,
    has: Role,
) -> Result<TaskOutcome, WorkError> {
    let prefix = &ctx.settings.address.prefix;
    let Command { request: said, package, .. } = command;
    let word = said.split_whitespace().next();
    if word == Some("status") {
        let last = ctx.store.last_releases(asked.repo.repo_id, SHOWN).await?;
        let last: Vec<Release> = last.into_iter().map(|stored| stored.machine).collect();
        return Ok(reply(asked, words::status_reply(&last, &ctx.release_report_context())));
    }
    let (default, rules) = release_rules(ctx, &asked.repo).await?;
    let rules = match rules {
        Ok(rules) => rules,
        Err(why) => return Ok(reply(asked, words::refusal(&why, prefix, None))),
    };
    let needed = Role::from(rules.approval.role);
    if has < needed {
        return Ok(reply(asked, words::answer(&ReleaseReply::NeedsRole { needed, has }, prefix)));
    }
    let base: Branch = default.parse().map_err(|bad| WorkError::permanent(&bad))?;
    let bump = match word {
        Some("retry") => return retry_release(ctx, asked, &base, package.as_deref()).await,
        Some("yank") => {
            let version = said.split_whitespace().nth(1).unwrap_or_default();
            return withdraw(ctx, asked, &rules, (package.as_deref(), version)).await;
        }
        None => None,
        Some(word) => match word.parse::<Bump>() {
            Ok(bump) => Some(bump),
            Err(_) => {
                let bad = ReleaseReply::BadWord { said: word.to_owned() };
                return Ok(reply(asked, words::answer(&bad, prefix)));
            }
        },
    };
    let scoped = match rules.release.of_package(package.as_deref()) {
        Ok(scoped) => scoped,
        Err(which) => {
            return Ok(reply(asked, words::refusal(&Refusal::WhichPackage(which), prefix, None)));
        }
    };
    let order = ReleaseOrder {
        by_id: asked.by.id,
        login: asked.by.login.clone(),
        at: ctx.clock.now(),
        comment_id: asked.comment_id(),
        bump,
        on_merge: false,
        package: scoped.scope.package,
    };
    order_release(ctx, &asked.repo, asked.number, &base, order, &asked.key).await
}

/// `release yank VERSION`: how it is withdrawn at each place that it went to.
async fn withdraw(
    ctx: &Context,
    asked: &CommandEvent,
    rules: &Rules,
    (package, said): (Option<&str>, &str),
) -> Result<TaskOutcome, WorkError> {
    let prefix = &ctx.settings.address.prefix;
    let mut all = rules.release.of_all();
    if let Some(package) = package {
        all.retain(|it| it.scope.package.as_deref() == Some(package));
    }
    let tags = ctx.forge.tags(&asked.repo).await?;
    // As people write it: with what stands around it in a tag, or without.
    let mut found: Vec<(&ScopedRules, &Tag)> = Vec::new();
    for scoped in all.iter().filter(|_| !said.is_empty()) {
        let by_version = scoped.rules.tag_of(said);
        let whole = |tag: &Tag| tag.name == said && !scoped.is_tag_of_another(said);
        let is_it = |tag: &&Tag| whole(tag) || Some(&tag.name) == by_version.as_ref();
        found.extend(tags.iter().find(is_it).map(|tag| (scoped, tag)));
    }
    let (scoped, tag) = match found.as_slice() {
        [one] => *one,
        [] => {
            let said = said.to_owned();
            return Ok(reply(asked, words::answer(&ReleaseReply::NotReleased { said }, prefix)));
        }
        several => {
            let known = several.iter().filter_map(|(it, _)| it.scope.package.clone()).collect();
            let which = Refusal::WhichPackage(ScopeError { said: None, known });
            return Ok(reply(asked, words::refusal(&which, prefix, None)));
        }
    };
    let version = scoped.version_in(&tag.name).map(|version| version.to_string());
    let names = packages_at(ctx, &asked.repo, &tag.commit.sha, scoped.scope.clone()).await?;
    let repository = format!("{}/{}", ctx.forge.web_address(), asked.repo.name);
    let of = Withdrawn {
        version: version.as_deref().unwrap_or(&tag.name),
        tag: &tag.name,
        repository: &repository,
        names: &names,
        targets: &scoped.rules.targets,
    };
    Ok(reply(asked, words::how_to_withdraw(&of, prefix)))
}

/// With `release.on = "merge"`, a merged pull request of Gander's orders a release: of one package,
/// or of each that it changes.
pub(in crate::worker) async fn release_on_merge(
    ctx: &Context,
    repo: &RepoRef,
    number: Number,
    package: Option<&str>,
) -> Result<TaskOutcome, WorkError> {
    let jobs = ctx.store.jobs_on(repo.repo_id, number).await?;
    let of_pull = |it: &&Stored<crate::core::job::Job>| {
        it.machine.pull.as_ref().is_some_and(|pull| pull.number == number)
    };
    let Some(stored) = jobs.iter().find(of_pull) else { return Ok(TaskOutcome::Done) };
    let (default, rules) = release_rules(ctx, repo).await?;
    let base: Branch = default.parse().map_err(|bad| WorkError::permanent(&bad))?;
    let into_default = stored.machine.base().is_some_and(|it| it.branch == base);
    let rules = rules.ok().filter(|it| into_default && it.release.on == ReleaseOn::Merge);
    let Some(rules) = rules else { return Ok(TaskOutcome::Done) };
    let files = match rules.release.packages.is_empty() {
        true => Vec::new(),
        false => ctx.forge.files_of(repo, number).await?,
    };
    let mut touched = rules.release.of_all();
    touched.retain(|it| it.scope.is_whole() || files.iter().any(|path| it.scope.has(path)));
    touched.retain(|it| package.is_none() || it.scope.package.as_deref() == package);
    let scoped = match <[ScopedRules; 1]>::try_from(touched) {
        Ok([scoped]) => scoped,
        Err(several) => {
            let each = several.into_iter().filter_map(|it| it.scope.package);
            let repo = || repo.clone();
            let each = each.map(|package| Task::ReleaseOf { repo: repo(), number, package });
            let tasks = each.collect();
            return Ok(TaskOutcome::Ready(Box::new(Commit { tasks, ..Commit::default() })));
        }
    };
    let order = ReleaseOrder {
        by_id: stored.machine.order.by_id,
        login: stored.machine.order.login.clone(),
        at: ctx.clock.now(),
        comment_id: None,
        bump: None,
        on_merge: true,
        package: scoped.scope.package,
    };
    let mut key = format!("{}/merged/{number}/release", repo.repo_id);
    if let Some(package) = package {
        key = format!("{key}/{package}");
    }
    order_release(ctx, repo, number, &base, order, &key).await
}

/// Lets every open release concerned be looked at, or its run be followed.
pub(in crate::worker) async fn release_touched(
    ctx: &Context,
    repo: &RepoRef,
    what: &Touched,
) -> Result<TaskOutcome, WorkError> {
    let open = ctx.store.open_releases(Some(repo.repo_id)).await?;
    let concerned = open.into_iter().filter(|it| concerns(&it.machine, what));
    Ok(looks_at(concerned))
}

/// People merged the pull request of a release that had failed before: it goes on, unless
/// another is under way by now.
pub(in crate::worker) async fn failed_release_merged(
    ctx: &Context,
    repo: &RepoRef,
    number: Number,
) -> Result<TaskOutcome, WorkError> {
    let stored = ctx.store.release_of_pull(repo.repo_id, number).await?;
    let failed = stored.filter(|it| {
        let stage = &it.machine.stage;
        matches!(stage, ReleaseStage::Done(ReleaseEnding::Failed { .. }))
            && it.machine.merged.is_none()
    });
    let Some(Stored { machine: release, .. }) = failed else { return Ok(TaskOutcome::Done) };
    let open = ctx.store.open_releases(Some(repo.repo_id)).await?;
    if open.iter().any(|it| it.machine.is_in_line_with(&release) && it.machine.is_live()) {
        return Ok(TaskOutcome::Done);
    }
    let look = Task::Release { release_id: release.id, step: ReleaseStep::Look };
    Ok(TaskOutcome::Ready(Box::new(Commit { tasks: vec![look], ..Commit::default() })))
}

/// The look at the release whose pull request a command stands on.
pub(in crate::worker) async fn look_at_release_of(
    ctx: &Context,
    asked: &CommandEvent,
) -> Result<Option<Task>, WorkError> {
    let stored = ctx.store.release_of_pull(asked.repo.repo_id, asked.number).await?;
    let open = stored.filter(|stored| !stored.machine.is_done());
    Ok(open.map(|stored| Task::Release { release_id: stored.machine.id, step: ReleaseStep::Look }))
}

/// A workflow run ended: the releases that wait for theirs are looked at at once, since the task
/// that follows them may sleep.
pub(in crate::worker) async fn run_ended(
    ctx: &Context,
    repo: &RepoRef,
) -> Result<TaskOutcome, WorkError> {
    let open = ctx.store.open_releases(Some(repo.repo_id)).await?;
    let waits = |it: &Stored<Release>| it.machine.stage == ReleaseStage::Publishing;
    let last = ctx.store.last_releases(repo.repo_id, SHOWN).await?;
    let given_up = |it: &Stored<Release>| {
        matches!(it.machine.stage, ReleaseStage::Done(ReleaseEnding::Failed { .. }))
            && it.machine.run_id.is_some()
    };
    let given_up = last.into_iter().filter(given_up);
    Ok(looks_at(open.into_iter().filter(waits).chain(given_up)))
}

/// `cancel` where a release was asked for, or on its pull request.
pub(in crate::worker) async fn cancel_release(
    ctx: &Context,
    asked: &CommandEvent,
) -> Result<TaskOutcome, WorkError> {
    let prefix = &ctx.settings.address.prefix;
    let open = ctx.store.open_releases(Some(asked.repo.repo_id)).await?;
    let here = || open.iter().filter(|it| is_about(&it.machine, asked.number));
    let is_its_pull = |it: &&Stored<Release>| {
        it.machine.pull.as_ref().is_some_and(|pull| pull.number == asked.number)
    };
    let pulls: Vec<Number> =
        here().filter_map(|it| Some(it.machine.pull.as_ref()?.number)).collect();
    if pulls.len() > 1 && !here().any(|it| is_its_pull(&it)) {
        return Ok(reply(asked, words::answer(&ReleaseReply::Several { pulls }, prefix)));
    }
    let live = || here().find(|it| it.machine.is_live());
    let mut found = here().find(is_its_pull).or_else(live).or_else(|| here().next()).cloned();
    if found.is_none() {
        let last = ctx.store.release_of_pull(asked.repo.repo_id, asked.number).await?;
        found = last.filter(|it| it.machine.merged.is_some());
    }
    let Some(stored) = found else {
        return Ok(reply(asked, report::nothing_to(Verb::Cancel, prefix)));
    };
    let fact = ReleaseFact::Cancelled { by: asked.by.login.clone() };
    if let Some(commit) = advanced(&stored, &fact) {
        let once = Some(asked.key.clone());
        return Ok(TaskOutcome::Ready(Box::new(Commit { once, ..commit })));
    }
    let tag = tag_of(&stored.machine);
    let why = match stored.machine.merged {
        Some(_) => ReleaseReply::TooLate { tag },
        None => ReleaseReply::AboutToMerge { tag },
    };
    Ok(reply(asked, words::answer(&why, prefix)))
}

async fn order_release(
    ctx: &Context,
    repo: &RepoRef,
    number: Number,
    base: &Branch,
    order: ReleaseOrder,
    key: &str,
) -> Result<TaskOutcome, WorkError> {
    let open = ctx.store.open_releases(Some(repo.repo_id)).await?;
    let in_line = |it: &&Stored<Release>| {
        it.machine.base == *base && it.machine.order.package == order.package
    };
    let here: Vec<&Stored<Release>> = open.iter().filter(in_line).collect();
    let live = here.iter().find(|stored| stored.machine.is_live());
    let waiting = here.iter().find(|stored| stored.machine.stage == ReleaseStage::Queued);
    let answered = |answer: &ReleaseReply, mut commit: Commit| {
        let prefix = &ctx.settings.address.prefix;
        if !order.on_merge {
            let text = words::answer(answer, prefix);
            let said_in = order.comment_id.map_or(SaidIn::Label, SaidIn::Comment);
            commit.tasks.push(reply_task(repo, number, said_in, key, text));
        }
        commit.once = Some(key.to_owned());
        Ok(TaskOutcome::Ready(Box::new(commit)))
    };
    let taken_up = |stored: &Stored<Release>| {
        advanced(stored, &ReleaseFact::Ordered(order.clone())).unwrap_or_default()
    };
    match (live, waiting) {
        (Some(live), _) if live.machine.takes_orders() => {
            let pull = live.machine.pull.as_ref().map(|pull| pull.number);
            answered(&ReleaseReply::Updates { pull }, taken_up(live))
        }
        (Some(live), _) if live.machine.edited && live.machine.merged.is_none() => {
            let pull = live.machine.pull.as_ref().map(|pull| pull.number);
            answered(&ReleaseReply::Edited { pull }, Commit::default())
        }
        (_, Some(waiting)) => answered(&ReleaseReply::Waits, taken_up(waiting)),
        (live, None) => {
            let id = ReleaseId::of_trigger(key);
            let release = Release::new(id, repo.clone(), number, base.clone(), order.clone());
            let commit = begin(release);
            match live {
                Some(live) => {
                    let tag = tag_of(&live.machine);
                    answered(&ReleaseReply::UnderWay { tag }, commit)
                }
                None => {
                    let once = Some(key.to_owned());
                    Ok(TaskOutcome::Ready(Box::new(Commit { once, ..commit })))
                }
            }
        }
    }
}

async fn retry_release(
    ctx: &Context,
    asked: &CommandEvent,
    base: &Branch,
    package: Option<&str>,
) -> Result<TaskOutcome, WorkError> {
    let prefix = &ctx.settings.address.prefix;
    let last = ctx.store.last_releases(asked.repo.repo_id, LOOKED_BACK).await?;
    let named = |it: &Release| package.is_none() || it.order.package.as_deref() == package;
    let here = || last.iter().filter(|it| it.machine.base == *base && named(&it.machine));
    let over = here().find(|stored| stored.machine.is_done());
    let in_line =
        |it: &Release| over.is_none_or(|over| it.is_in_line_with(&over.machine)) && it.is_live();
    if here().any(|stored| in_line(&stored.machine)) {
        return Ok(reply(asked, words::answer(&ReleaseReply::RetryLater, prefix)));
    }
    let failed = over
        .filter(|it| matches!(it.machine.stage, ReleaseStage::Done(ReleaseEnding::Failed { .. })))
        .and_then(|it| advanced(it, &ReleaseFact::Retried { by: asked.by.login.clone() }));
    let Some(mut commit) = failed else {
        return Ok(reply(asked, words::answer(&ReleaseReply::NothingToRetry, prefix)));
    };
    commit.once = Some(asked.key.clone());
    Ok(TaskOutcome::Ready(Box::new(commit)))
}

fn begin(release: Release) -> Commit {
    let task = |step| Task::Release { release_id: release.id.clone(), step };
    let mut tasks = vec![task(ReleaseStep::Show)];
    if release.order.comment_id.is_some() {
        tasks.insert(0, task(ReleaseStep::Acknowledge));
    }
    tasks.push(Task::NextRelease { repo_id: release.repo.repo_id, base: release.base.clone() });
    Commit {
        log: Some(format!("ordered by {}", release.order.login)),
        release: Some(Write::New(release)),
        tasks,
        ..Commit::default()
    }
}

fn looks_at(releases: impl Iterator<Item = Stored<Release>>) -> TaskOutcome {
    let look =
        |it: Stored<Release>| Task::Release { release_id: it.machine.id, step: ReleaseStep::Look };
    let tasks: Vec<Task> = releases.map(look).collect();
    match tasks.is_empty() {
        true => TaskOutcome::Done,
        false => TaskOutcome::Ready(Box::new(Commit { tasks, ..Commit::default() })),
    }
}

/// Whether it was asked for here, or this is its pull request.
fn is_about(release: &Release, number: Number) -> bool {
    release.subject == number || release.pull.as_ref().is_some_and(|pull| pull.number == number)
}

fn tag_of(release: &Release) -> String {
    release.plan.as_ref().map_or_else(|| "The release".to_owned(), |plan| plan.tag.clone())
}

/// While a step of ours is at work the look waits behind it, and finds what that left.
fn concerns(release: &Release, what: &Touched) -> bool {
    let waits = matches!(
        release.stage,
        ReleaseStage::Proposed
            | ReleaseStage::Proposing
            | ReleaseStage::Refreshing { .. }
            | ReleaseStage::Merging { .. }
    );
    let Some(pull) = release.pull.as_ref().filter(|_| waits) else {
        return false;
    };
    match what {
        Touched::Pull(number) => pull.number == *number,
        Touched::Commit(sha) => pull.head == *sha,
        Touched::Branch(branch) => release.base == *branch,
    }
}

fn reply(asked: &CommandEvent, text: String) -> TaskOutcome {
    let task = reply_task(&asked.repo, asked.number, asked.said_in, &asked.key, text);
    let once = Some(asked.key.clone());
    TaskOutcome::Ready(Box::new(Commit { once, tasks: vec![task], ..Commit::default() }))
}

fn reply_task(repo: &RepoRef, number: Number, said_in: SaidIn, key: &str, text: String) -> Task {
    let repo = repo.clone();
    Task::Reply(Box::new(CommandReply {
        repo,
        number,
        comment_id: said_in.comment_id(),
        thread_comment_id: said_in.thread_comment_id(),
        key: key.to_owned(),
        text,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::github::PullRef;
    use crate::core::id::{InstallationId, RepoId, Timestamp, UserId};

    /// A check that ends while the release is being merged would else be heard of by nobody.
    #[test]
    fn hints_reach_a_release_that_is_at_work_on_its_pull_request() {
        let order = ReleaseOrder {
            by_id: UserId(2),
            login: "mona".parse().unwrap(),
            at: Timestamp(0),
            comment_id: None,
            bump: None,
            on_merge: false,
            package: None,
        };
        let name = "acme/widgets".parse().unwrap();
        let repo = RepoRef { installation_id: InstallationId(3), repo_id: RepoId(1), name };
        let head: crate::core::id::Sha = "c".repeat(40).parse().unwrap();
        let base: Branch = "main".parse().unwrap();
        let id = ReleaseId::of_trigger("x");
        let mut release = Release::new(id, repo, Number(7), base.clone(), order);
        let branch = release.branch();
        release.pull = Some(PullRef { number: Number(12), branch, head: head.clone() });
        let hint = Touched::Commit(head.clone());
        let at_work = [
            ReleaseStage::Proposed,
            ReleaseStage::Proposing,
            ReleaseStage::Refreshing { base: head.clone() },
            ReleaseStage::Merging { head },
        ];
        for stage in at_work {
            release.stage = stage;
            assert!(concerns(&release, &hint), "{:?}", release.stage);
            assert!(concerns(&release, &Touched::Branch(base.clone())), "{:?}", release.stage);
            assert!(!concerns(&release, &Touched::Pull(Number(13))), "{:?}", release.stage);
        }
        for stage in [
            ReleaseStage::Queued,
            ReleaseStage::Planning,
            ReleaseStage::Dispatching,
            ReleaseStage::Publishing,
        ] {
            release.stage = stage;
            assert!(!concerns(&release, &hint), "{:?}", release.stage);
        }
    }
}
