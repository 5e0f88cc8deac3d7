//! *publish*: a draft, its files, the tag, and then for everybody to see.
//!
//! Invariants: nothing is done before the judge has read GitHub's answers; each step first looks
//! what is there, so a run that stopped anywhere is finished by the next and done once; the release
//! is shown only when every file is there with the digest that was built and the tag stands at the
//! commit.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;

use super::provenance::{self, ProvenanceFile};
use super::targets::{self, PreparedUploads};
use super::{
    ActionEnd, ActionError, ActionReport, Attest, PublishInputs, Registries, files, manifest_of,
};
use crate::clock::Clock;
use crate::core::approval::Vote;
use crate::core::changelog::latest;
use crate::core::command::Address;
use crate::core::fault::ErrorKind;
use crate::core::flagged::flagged;
use crate::core::github::RepoRef;
use crate::core::id::{Sha, UserId};
use crate::core::manifest::{Digest, SUMS};
use crate::core::path_rules::PathRules;
use crate::core::policy::{RULES_PATH, Rules, ScopedRules};
use crate::core::provenance::{PREDICATE_TYPE, ReleaseStatement};
use crate::core::release_gate::{
    Facts, ReleasePlan, ReleasePull, SeenCheck, TagAt, TagState, judge,
};
use crate::core::report::publication::{
    Words, may_be_released, refusal, refused_summary, released_summary,
};
use crate::core::report::registries::{registry_table, where_it_stands};
use crate::core::report::release_notes::{Attested, ReleasedFrom, release_notes};
use crate::forge::{Ballot, Draft, Forge, LastRelease, PullBranch, ReleaseAnswer, Roles};

/// How often a run looks anew after there was no answer.
const TRIES: u32 = 5;
/// Seconds that GitHub or a registry may ask to wait; crates.io asks for ten minutes.
const LONGEST_WAIT: u64 = 660;
/// Waits that were asked for.
const MOST_WAITS: u32 = 30;

/// Publishes what lies in `directory`, if GitHub's answers allow it.
///
/// # Errors
/// When GitHub cannot be asked, or the files cannot be read.
pub async fn publish(
    forge: &Forge,
    registries: &Registries,
    inputs: &PublishInputs,
    directory: &Path,
    clock: &Clock,
) -> Result<(ActionReport, Option<Words>), ActionError> {
    let (mut tries, mut waits) = (0_u32, 0);
    loop {
        tries += 1;
        let ended = once(forge, registries, inputs, directory, clock).await;
        let kind = match &ended {
            Err(ActionError::GitHub(error)) => error.kind(),
            Err(ActionError::Registry(source)) => source.kind(),
            Err(ActionError::Stopped { source, .. }) => source.kind(),
            _ => return ended,
        };
        let asked_for = matches!(kind, ErrorKind::Retry { after_seconds: Some(_) });
        if asked_for && waits < MOST_WAITS {
            // A wait that is asked for is no failure.
            (tries, waits) = (tries - 1, waits + 1);
        }
        let Some(wait) = patience(kind, tries).filter(|_| tries < TRIES) else { return ended };
        // A job has no queue to go back to. What was asked may have happened: the next try looks.
        tokio::time::sleep(wait).await;
    }
}

/// How long to wait before looking again; `None`: it would not help.
fn patience(kind: ErrorKind, tries: u32) -> Option<Duration> {
    match kind {
        ErrorKind::Retry { after_seconds: Some(seconds) } => {
            (seconds <= LONGEST_WAIT).then(|| Duration::from_secs(seconds))
        }
        ErrorKind::Retry { after_seconds: None } => {
            Some(Duration::from_millis(200) * 4_u32.saturating_pow(tries.saturating_sub(1)))
        }
        _ => None,
    }
}

async fn once(
    forge: &Forge,
    registries: &Registries,
    inputs: &PublishInputs,
    directory: &Path,
    clock: &Clock,
) -> Result<(ActionReport, Option<Words>), ActionError> {
    let repo = inputs.repo.clone();
    let Asked { facts, rules, last } = facts(forge, &repo, inputs, directory, clock).await?;
    let plan = match judge(&inputs.asked, &inputs.terms, &facts) {
        Ok(plan) => plan,
        Err(refused) => {
            let words = refusal(&refused, &inputs.asked, &inputs.terms, &inputs.prefix);
            return Ok(not_released(words));
        }
    };
    // Everything is looked at everywhere before anything is changed anywhere.
    let prepared = targets::prepare(registries, &plan, directory, inputs.only_check).await?;
    let mut prepared = match prepared {
        Ok(prepared) => prepared,
        Err(refused) => return Ok(not_released(refused.words())),
    };
    let brought = prepared.told();
    let changes = provenance::changes(forge, &repo, last.as_ref(), inputs.gander_app).await?;
    let (who, judged) = ((&inputs.repo.name, inputs.asked.run), (&inputs.terms, &facts));
    let statement =
        ReleaseStatement::of(&plan, who, judged, rules.as_deref().map(str::as_bytes), changes);
    if inputs.only_check {
        let path = &inputs.predicate;
        let written = std::fs::write(path, statement.predicate_text());
        written.map_err(|error| ActionError::Disk(path.clone(), error))?;
        let mut outputs = vec![("tag", plan.tag().to_owned())];
        // Without a file there is nothing that could be attested.
        if !plan.files().is_empty() {
            outputs.push(("predicate", path.display().to_string()));
            outputs.push(("predicate-type", PREDICATE_TYPE.to_owned()));
        }
        let summary = may_be_released(&plan, &inputs.asked) + &registry_table(&brought, false);
        return Ok((ActionReport { end: ActionEnd::Done, summary, outputs }, None));
    }
    let again = plan.found().is_some_and(|found| !found.draft);
    let about = ProvenanceFile::of(statement, inputs.bundle.as_deref())?;
    if inputs.attest == Attest::Sign && !about.is_signed() && !plan.files().is_empty() {
        return Err(ActionError::Provenance(
            "attest: `sign` is asked for, and nothing signed was handed in as `bundle`. The Action \
             does so by itself; where it cannot, say `attest: off`"
                .to_owned(),
        ));
    }
    let about = Accompanied { plan: &plan, about: &about, attest: inputs.attest };
    let ended = release(forge, &repo, about, &mut prepared, directory).await;
    prepared.give_back().await;
    let url = ended?;
    let summary = released_summary(&plan, &inputs.asked, &url, again);
    let summary = summary + &registry_table(&brought, true);
    let outputs = vec![
        ("tag", plan.tag().to_owned()),
        ("version", plan.version().to_owned()),
        ("url", url),
        ("commit", plan.mark().commit.to_string()),
    ];
    Ok((ActionReport { end: ActionEnd::Done, summary, outputs }, None))
}

fn not_released(words: Words) -> (ActionReport, Option<Words>) {
    let summary = refused_summary(&words);
    (ActionReport { end: ActionEnd::Refused, summary, outputs: Vec::new() }, Some(words))
}

/// What GitHub was asked for.
struct Asked {
    facts: Facts,
    /// The rules file at the commit.
    rules: Option<String>,
    last: Option<LastRelease>,
}

/// Asks GitHub for everything the judge looks at.
async fn facts(
    forge: &Forge,
    repo: &RepoRef,
    inputs: &PublishInputs,
    directory: &Path,
    clock: &Clock,
) -> Result<Asked, ActionError> {
    let (files, manifest) = files::built(directory)?;
    let manifest_digest = Digest::of(manifest.as_bytes());
    let manifest = manifest_of(&manifest)?;
    let commit = &inputs.asked.commit;
    let repository = forge.repository(repo).await?;
    let default_branch = repository.default_branch.parse();
    let default_branch = default_branch
        .map_err(|bad| ActionError::Manifest(format!("the default branch: {bad}")))?;
    let rules = forge.file(repo, commit.as_str(), RULES_PATH).await?;
    let text = rules;
    let rules = Rules::parse(text.as_deref().unwrap_or_default()).map_err(|bad| bad.problem);
    let (mut pull, votes, holders, checks) = pull(forge, repo, inputs).await?;
    // The judge says why where it is not known what is released.
    let scoped = rules.as_ref().ok().zip(pull.as_ref());
    let scoped = scoped.and_then(|(rules, pull)| rules.release.of_change(&pull.files).ok());
    let section = match &scoped {
        Some(scoped) => {
            let path = scoped.scope.changelog();
            forge.file(repo, commit.as_str(), &path).await?.as_deref().and_then(latest)
        }
        None => None,
    };
    let named = scoped.as_ref().zip(section.as_ref());
    let tag = named.and_then(|(scoped, section)| scoped.rules.tag_of(&section.version));
    let standing = match &tag {
        Some(tag) => forge.standing(repo, tag).await?,
        None => TagState::default(),
    };
    let mut last = None;
    if let (Some(pull), Ok(rules), Some((scoped, section)), Some(tag)) =
        (&mut pull, &rules, named, &tag)
    {
        let release = (section.version.as_str(), tag.as_str());
        let by = (rules, scoped);
        (pull.flagged, last) = since_last(forge, repo, by, &pull.head, release).await?;
    }
    let facts = Facts {
        // By its number: a name can pass to another repository.
        repository_id: repository.id,
        on_default_branch: forge.is_on(repo, commit, &default_branch).await?,
        default_branch,
        pull,
        votes,
        holders,
        checks,
        rules: rules.map(|rules| rules.release),
        section,
        standing,
        manifest,
        manifest_digest,
        files,
        now: clock.now(),
    };
    Ok(Asked { facts, rules: text, last })
}

/// The paths that people should look at before this version and tag are released, and the release
/// before.
async fn since_last(
    forge: &Forge,
    repo: &RepoRef,
    (rules, scoped): (&Rules, &ScopedRules),
    head: &Sha,
    (version, tag): (&str, &str),
) -> Result<(Vec<String>, Option<LastRelease>), ActionError> {
    let tags = forge.tags(repo).await?;
    let history = forge.release_history(repo, scoped, &tags, head, Some(tag)).await?;
    let paths = PathRules::new(&rules.paths.protected, &rules.paths.flagged);
    let paths = paths.map_err(|bad| ActionError::Manifest(bad.to_string()))?;
    Ok((flagged(&history.since, version, &paths), history.last))
}

type OfThePull = (Option<ReleasePull>, Vec<Vote>, Option<Vec<UserId>>, Vec<SeenCheck>);

/// The release pull request, who said what about it, and its checks.
async fn pull(
    forge: &Forge,
    repo: &RepoRef,
    inputs: &PublishInputs,
) -> Result<OfThePull, ActionError> {
    let number = inputs.asked.pull;
    let nothing = (None, Vec::new(), None, Vec::new());
    let Some(seen) = forge.release_pull(repo, number).await? else { return Ok(nothing) };
    let tree_of_head = forge.tree_of(repo, &seen.head).await?;
    let tree_of_commit = forge.tree_of(repo, &inputs.asked.commit).await?;
    // A commit that GitHub does not know is the merge of nothing.
    let (Some(tree_of_head), Some(tree_of_commit)) = (tree_of_head, tree_of_commit) else {
        return Ok(nothing);
    };
    let opener = seen.author.as_ref();
    let gander = inputs.gander.as_deref();
    let is_gander = |login: &str| gander.is_none_or(|named| named.eq_ignore_ascii_case(login));
    let opened_by = opener.filter(|user| is_gander(&user.login));
    let (branch, head) = (&*seen.head_branch, &seen.head);
    let opened_at = seen.opened_at.as_deref();
    let of = PullBranch { number, branch, head, opened_by, opened_at };
    let contributors = forge.contributors(repo, of).await?;
    let opener = opener.filter(|user| user.kind == "User").map(|user| user.id);
    let address = Address { prefix: inputs.prefix.clone(), mention: None };
    let ballot = Ballot { head, address: &address, least: inputs.terms.role };
    let (reviews, comments) =
        tokio::try_join!(forge.reviews(repo, number), forge.comments(repo, number))?;
    let votes = forge.votes(repo, &ballot, &reviews, &comments, &mut Roles::new()).await?;
    let holders = forge.holders(repo, inputs.terms.role).await?;
    let pull = ReleasePull {
        ordered: !contributors.ordered_by.is_empty(),
        asked_by: contributors.ordered_by.into_iter().chain(opener).collect(),
        pushed_by: contributors.people,
        pushers_known: contributors.all_known,
        merged_as: seen.merged_as,
        base: seen.base,
        head_branch: seen.head_branch,
        from_here: seen.head_repository == Some(inputs.repo.repo_id),
        tree_of_head,
        tree_of_commit,
        files: forge.files_of(repo, number).await?,
        head: seen.head.clone(),
        flagged: Vec::new(),
    };
    let checks = forge.checks_seen(repo, &seen.head).await?;
    Ok((Some(pull), votes, holders, checks))
}

/// A release, and what says how it came about.
#[derive(Clone, Copy)]
struct Accompanied<'a> {
    plan: &'a ReleasePlan,
    about: &'a ProvenanceFile,
    attest: Attest,
}

/// Does what is not done yet; says where the release is.
async fn release(
    forge: &Forge,
    repo: &RepoRef,
    accompanied: Accompanied<'_>,
    prepared: &mut PreparedUploads,
    directory: &Path,
) -> Result<String, ActionError> {
    let plan = accompanied.plan;
    let release = draft(forge, repo, accompanied).await?;
    upload(forge, repo, plan, &release, directory).await?;
    if let Some((name, text)) = accompanied.about.missing_in(forge, repo, &release).await? {
        let sha256 = Digest::of(text.as_bytes());
        upload_one(forge, repo, &release, (name, &sha256), text.to_owned().into()).await?;
    }
    if !plan.tagged() {
        match forge.create_tag(repo, plan.tag(), &plan.mark().commit).await {
            // Somebody was quicker, and what matters is where it stands; or a rule forbids it.
            Err(error) if error.status() == Some(422) => {
                if forge.tag(repo, plan.tag()).await?.is_none() {
                    let (tag, why) = (plan.tag().to_owned(), error.in_words());
                    return Err(ActionError::TagRefused { tag, why });
                }
            }
            other => other?,
        }
    }
    stands(forge, repo, plan).await?;
    // People can change a draft: what is shown is what was built.
    let there = forge.release_seen(repo, release.id).await?;
    if let Some(name) = plan.differs(&there) {
        let next =
            "somebody changed the draft. Look who, remove that file there, and run this job again";
        return Err(ActionError::Upload { name, next });
    }
    // What cannot be taken back comes last.
    if let Err(source) = prepared.publish().await {
        let out = where_it_stands(&prepared.told());
        return Err(ActionError::Stopped { out, source: Box::new(source) });
    }
    let published = match plan.found() {
        Some(found) if !found.draft => release,
        _ => forge.publish_draft(repo, release.id, plan.latest()).await?,
    };
    stands(forge, repo, plan).await?;
    Ok(published.html_url)
}

async fn stands(forge: &Forge, repo: &RepoRef, plan: &ReleasePlan) -> Result<(), ActionError> {
    match forge.tag(repo, plan.tag()).await? {
        Some(TagAt::Commit(at)) if at == plan.mark().commit => Ok(()),
        _ => Err(ActionError::TagMoved(plan.tag().to_owned())),
    }
}

/// The draft, made or found.
async fn draft(
    forge: &Forge,
    repo: &RepoRef,
    Accompanied { plan, about, attest }: Accompanied<'_>,
) -> Result<ReleaseAnswer, ActionError> {
    let attested = if about.is_signed() {
        Attested::Signed
    } else if is_attested(forge, repo, plan, attest).await? {
        Attested::Otherwise
    } else {
        Attested::No
    };
    let server = forge.web_address();
    let of = ReleasedFrom { repository: &repo.name, branch: about.branch(), server: &server };
    let notes = release_notes(plan, &of, attested);
    let Some(found) = plan.found() else {
        let draft = Draft {
            tag: plan.tag(),
            commit: &plan.mark().commit,
            title: plan.tag(),
            notes: &notes,
            prerelease: plan.prerelease(),
        };
        return Ok(forge.create_draft(repo, &draft).await?);
    };
    if found.draft && found.mark.as_ref() != Some(plan.mark()) {
        forge.rewrite_draft(repo, found.id, &notes).await?;
    }
    Ok(forge.release(repo, found.id).await?)
}

/// Whether GitHub knows an attestation of every file.
async fn is_attested(
    forge: &Forge,
    repo: &RepoRef,
    plan: &ReleasePlan,
    attest: Attest,
) -> Result<bool, ActionError> {
    if attest != Attest::Auto || plan.files().is_empty() {
        return Ok(false);
    }
    for file in plan.files() {
        if !forge.is_attested(repo, &file.sha256).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Adds the files that are missing. What is left of uploads that broke off goes first.
async fn upload(
    forge: &Forge,
    repo: &RepoRef,
    plan: &ReleasePlan,
    release: &ReleaseAnswer,
    directory: &Path,
) -> Result<(), ActionError> {
    let left = plan.found().map_or(&[][..], |found| &found.assets);
    let open = plan.found().is_some_and(|found| found.draft);
    for broken in left.iter().filter(|it| open && it.broke_off()) {
        forge.remove_broken_asset(repo, broken).await?;
    }
    let is_there = |name: &str| left.iter().any(|it| it.name == name && it.whole);
    let mut wanted: Vec<(&str, Digest)> =
        plan.files().iter().map(|file| (file.name.as_str(), file.sha256.clone())).collect();
    if !wanted.is_empty() {
        wanted.push((SUMS, plan.mark().files.clone()));
    }
    for (name, sha256) in wanted.into_iter().filter(|(name, _)| !is_there(name)) {
        let content = files::content(directory, name)?;
        if Digest::of(&content) != sha256 {
            let words = format!("{name} changed while it was being published");
            return Err(ActionError::Manifest(words));
        }
        upload_one(forge, repo, release, (name, &sha256), content.into()).await?;
    }
    Ok(())
}

/// Adds one file; GitHub keeps what was sent.
async fn upload_one(
    forge: &Forge,
    repo: &RepoRef,
    release: &ReleaseAnswer,
    (name, sha256): (&str, &Digest),
    content: Bytes,
) -> Result<(), ActionError> {
    let kept = forge.upload_asset(repo, release, name, content).await?;
    if kept.is_some_and(|kept| kept != *sha256) {
        let next = "run this job again; the release is still a draft";
        return Err(ActionError::Upload { name: name.to_owned(), next });
    }
    Ok(())
}
