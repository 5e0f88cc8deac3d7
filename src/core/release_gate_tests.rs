use super::*;
use crate::core::approval::{Stance, VoteSource};
use crate::core::checks::CheckState;
use crate::core::github::Actor;
use crate::core::id::{ReviewId, RunId};
use crate::core::policy::Rules;

fn sha(digit: char) -> Sha {
    digit.to_string().repeat(40).parse().unwrap()
}

/// A release with nothing wrong: merged as `c…`, head `b…`, approved an hour ago.
fn good() -> (ReleaseRequest, Terms, Facts) {
    let run = RunAttempt { id: RunId(9), attempt: 1 };
    let release: ReleaseId = "12.1".parse().unwrap();
    let asked = ReleaseRequest { release_id: release, commit: sha('c'), pull: Number(12), run };
    let test = ReleaseCheck { name: "test".to_owned(), app: 5 };
    let terms = Terms {
        role: Role::Maintain,
        requester: Requester::IfAlone,
        required: vec![test],
        approval_hours: 24,
        manifest: Digest::of(b"manifest"),
    };
    let file = Artifact { name: "tool".parse().unwrap(), size: 4, sha256: Digest::of(b"tool") };
    let mona = Actor { id: UserId(1), login: "mona".parse().unwrap(), person: true };
    let vote = Vote {
        by: mona,
        role: Role::Maintain,
        stance: Stance::Approves,
        commit: sha('b'),
        source: VoteSource::Review(ReviewId(1)),
        at: Timestamp(0),
    };
    let facts = Facts {
        repository_id: RepoId(7),
        default_branch: "main".parse().unwrap(),
        on_default_branch: true,
        pull: Some(ReleasePull {
            merged_as: Some(sha('c')),
            base: "main".parse().unwrap(),
            head_branch: "gander/release-1.2.0".to_owned(),
            from_here: true,
            head: sha('b'),
            tree_of_head: sha('d'),
            tree_of_commit: sha('d'),
            files: vec!["CHANGELOG.md".to_owned()],
            ordered: true,
            asked_by: vec![UserId(2)],
            pushed_by: vec![],
            pushers_known: true,
            flagged: vec![],
        }),
        votes: vec![vote],
        holders: None,
        checks: vec![seen(Some(5), CheckState::Green)],
        rules: Ok(ReleaseRules::default()),
        section: Some(Section { version: "1.2.0".to_owned(), notes: "- a".to_owned() }),
        standing: TagState::default(),
        manifest: BuildManifest {
            repository_id: RepoId(7),
            commit: sha('c'),
            pull: Number(12),
            release_id: release,
            run,
            tag: "v1.2.0".to_owned(),
            files: vec![file.clone()],
        },
        manifest_digest: Digest::of(b"manifest"),
        files: vec![file],
        now: Timestamp(3_600_000),
    };
    (asked, terms, facts)
}

fn seen(app: Option<u64>, state: CheckState) -> SeenCheck {
    SeenCheck { name: "test".to_owned(), app, state, maybe_run_again: false }
}

fn pull(facts: &mut Facts) -> &mut ReleasePull {
    facts.pull.as_mut().unwrap()
}

/// The draft that a run before this one left.
fn left(facts: &Facts) -> ReleaseSeen {
    ReleaseSeen {
        id: 1,
        draft: true,
        author: "github-actions[bot]".to_owned(),
        by_workflow: true,
        mark: Some(Mark { commit: sha('c'), files: facts.manifest.digest() }),
        assets: Vec::new(),
    }
}

#[test]
fn a_release_with_nothing_wrong_may_be_published() {
    let (asked, terms, facts) = good();
    let plan = judge(&asked, &terms, &facts).unwrap();
    assert_eq!((plan.tag(), plan.version(), plan.notes()), ("v1.2.0", "1.2.0", "- a"));
    assert!(!plan.prerelease() && !plan.tagged() && plan.found().is_none());
}

#[test]
fn each_condition_alone_stops_it() {
    type Spoil = fn(&mut Facts);
    let all: [(Spoil, &str); 23] = [
        (|it| it.pull = None, "NoSuchPull"),
        (|it| pull(it).merged_as = None, "NotMerged"),
        (|it| pull(it).merged_as = Some(sha('e')), "MergedAs"),
        (|it| it.on_default_branch = false, "NotOnDefaultBranch"),
        (|it| pull(it).base = "next".parse().unwrap(), "OtherBase"),
        (|it| pull(it).head_branch = "gander/releases".to_owned(), "NoReleaseBranch"),
        (|it| pull(it).from_here = false, "FromAFork"),
        (|it| pull(it).tree_of_commit = sha('e'), "TreesDiffer"),
        (|it| it.rules = Err("x".to_owned()), "BadRules"),
        (|it| it.section = None, "NoVersion"),
        (|it| it.votes.clear(), "NotApproved"),
        (|it| it.now = Timestamp(25 * 3_600_000), "Expired"),
        (|it| it.checks.clear(), "CheckMissing"),
        (|it| it.checks[0].app = Some(6), "CheckMissing"),
        (|it| it.checks[0].app = None, "CheckMissing"),
        (|it| it.checks[0].state = CheckState::Skipped, "CheckNotGreen"),
        (|it| it.manifest_digest = Digest::of(b"other"), "OtherManifest"),
        (|it| it.manifest.tag = "v9".to_owned(), "OtherBuild"),
        (|it| it.manifest.run.attempt = 2, "OtherAttempt"),
        (|it| it.files[0].size = 5, "FileChanged"),
        (|it| it.standing.tag = Some(TagAt::Commit(sha('e'))), "TagElsewhere"),
        (|it| it.standing.tag = Some(TagAt::Annotated), "TagElsewhere"),
        (
            |it| it.standing.releases = vec![ReleaseSeen { by_workflow: false, ..left(it) }],
            "ReleaseTaken",
        ),
    ];
    for (spoil, expected) in all {
        let (asked, terms, mut facts) = good();
        spoil(&mut facts);
        let refused = judge(&asked, &terms, &facts).unwrap_err();
        assert!(format!("{refused:?}").starts_with(expected), "{expected}: {refused:?}");
    }
}

/// What the run is told of the package is a hint: what was approved names it.
#[test]
fn of_several_packages_the_one_is_published_whose_changelog_was_approved() {
    let (asked, terms, mut facts) = good();
    let text = "[[release.packages]]\nname = \"core\"\npath = \"core\"\ntargets = [\"npm\"]\n\
                [[release.packages]]\nname = \"cli\"\npath = \"cli\"\n";
    facts.rules = Ok(Rules::parse(text).unwrap().release);
    let judged = |facts: &Facts| judge(&asked, &terms, facts);
    pull(&mut facts).files = vec!["core/CHANGELOG.md".into(), "Cargo.lock".into()];
    // It was built as what it is not.
    facts.manifest.tag = "cli-v1.2.0".into();
    let refused = judged(&facts).unwrap_err();
    assert!(matches!(refused, Refused::OtherBuild { what: "tag", .. }), "{refused:?}");
    facts.manifest.tag = "core-v1.2.0".into();
    let plan = judged(&facts).unwrap();
    assert_eq!((plan.tag(), plan.targets()), ("core-v1.2.0", &[ReleaseTarget::Npm][..]));
    let both = vec!["core/CHANGELOG.md".to_owned(), "cli/CHANGELOG.md".to_owned()];
    for files in [both, Vec::new()] {
        pull(&mut facts).files.clone_from(&files);
        assert_eq!(judged(&facts).unwrap_err(), Refused::NotOnePackage { changelogs: files });
    }
}

/// The App could write the repository's rules: they shorten the workflow's hours and never lengthen
/// them.
#[test]
fn the_rules_can_only_let_an_approval_end_sooner() {
    let (asked, terms, mut facts) = good();
    facts.now = Timestamp(3 * 3_600_000);
    for (hours, ends) in [(2, true), (4, false)] {
        facts.rules.as_mut().unwrap().approval_hours = Some(hours);
        let judged = judge(&asked, &terms, &facts);
        assert_eq!(matches!(judged, Err(Refused::Expired { .. })), ends, "{hours}: {judged:?}");
    }
    facts.now = Timestamp(25 * 3_600_000);
    facts.rules.as_mut().unwrap().approval_hours = Some(720);
    assert!(matches!(judge(&asked, &terms, &facts), Err(Refused::Expired { hours: 24, .. })));
}

#[test]
fn of_two_runs_of_a_required_check_both_are_green() {
    let (asked, terms, mut facts) = good();
    for state in [CheckState::Red, CheckState::CutOff, CheckState::Pending, CheckState::Skipped] {
        // Whose it is may be unknown; then it may be this App's.
        for app in [Some(5), None] {
            facts.checks.truncate(1);
            facts.checks.push(seen(app, state));
            let refused = judge(&asked, &terms, &facts).unwrap_err();
            assert!(matches!(refused, Refused::CheckNotGreen { state: it, .. } if it == state));
        }
    }
    facts.checks[1] = seen(Some(6), CheckState::Red);
    assert!(judge(&asked, &terms, &facts).is_ok(), "another App's is another check");
}

#[test]
fn an_old_approval_finishes_what_was_begun_and_nothing_else() {
    let (mut asked, terms, mut facts) = good();
    facts.now = Timestamp(90 * 3_600_000);
    asked.run.attempt = 3;
    facts.standing.releases = vec![left(&facts)];
    assert!(judge(&asked, &terms, &facts).is_ok());
    facts.standing.releases[0].mark.as_mut().unwrap().files = Digest::of(b"other");
    assert!(matches!(judge(&asked, &terms, &facts), Err(Refused::Expired { .. })));
}

#[test]
fn a_mark_is_read_from_the_last_line_only() {
    let mark = Mark { commit: sha('c'), files: Digest::of(b"x") };
    assert_eq!(Mark::of(&format!("Notes\n\n{}\n", mark.line())), Some(mark.clone()));
    assert_eq!(Mark::of(&format!("{}\n\nNotes\n", mark.line())), None);
}
