//! Who consents to what, as a table.

use super::*;

const HEAD: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const OTHER: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

fn sha(text: &str) -> Sha {
    text.parse().unwrap()
}

fn person(id: u64) -> Actor {
    Actor { id: UserId(id), login: format!("person-{id}").parse().unwrap(), person: true }
}

fn vote(id: u64, role: Role, stand: Stance, commit: &str, review: u64) -> Vote {
    Vote {
        by: person(id),
        role,
        stance: stand,
        commit: sha(commit),
        source: VoteSource::Review(ReviewId(review)),
        at: Timestamp(i64::try_from(review).unwrap()),
    }
}

/// Person 1 asked for the change.
fn judged(
    requester: Requester,
    holders: Option<&[u64]>,
    votes: &[Vote],
) -> Result<Approval, NotApproved> {
    pushed(requester, (&[], true), holders, votes)
}

/// The same, where these people pushed, and perhaps others.
fn pushed(
    requester: Requester,
    (pushed_by, pushers_known): (&[u64], bool),
    holders: Option<&[u64]>,
    votes: &[Vote],
) -> Result<Approval, NotApproved> {
    let (head, base) = (sha(HEAD), "main".parse().unwrap());
    let pushed_by: Vec<Actor> = pushed_by.iter().map(|id| person(*id)).collect();
    let holders: Option<Vec<UserId>> =
        holders.map(|holders| holders.iter().map(|id| UserId(*id)).collect());
    let criteria = ApprovalCriteria {
        repo_id: RepoId(1),
        pull: Number(2),
        head: &head,
        base: &base,
        rules: "rules",
        role: Role::Maintain,
        requester,
        asked_by: &[UserId(1)],
        pushed_by: &pushed_by,
        pushers_known,
        holders: holders.as_deref(),
        since: Timestamp(0),
        flagged: &[],
    };
    judge(&criteria, votes)
}

fn usual(votes: &[Vote]) -> Result<Approval, NotApproved> {
    judged(Requester::IfAlone, None, votes)
}

#[test]
fn a_maintainers_approval_of_the_head_is_consent_to_that_commit() {
    let approval = usual(&[vote(2, Role::Maintain, Stance::Approves, HEAD, 1)]).unwrap();
    assert_eq!(approval.head(), &sha(HEAD));
    assert_eq!(approval.logins(), ["person-2".parse().unwrap()]);
}

#[test]
fn an_approval_of_another_commit_a_small_role_or_a_program_is_not() {
    let login: Login = "person-2".parse().unwrap();
    let on_other = usual(&[vote(2, Role::Admin, Stance::Approves, OTHER, 1)]);
    assert_eq!(
        on_other,
        Err(NotApproved::OtherCommit { login: login.clone(), approved: sha(OTHER) })
    );
    let small = usual(&[vote(2, Role::Write, Stance::Approves, HEAD, 1)]);
    let needs =
        NotApproved::NeedsRole { login: login.clone(), has: Role::Write, needed: Role::Maintain };
    assert_eq!(small, Err(needs));
    let mut program = vote(2, Role::Admin, Stance::Approves, HEAD, 1);
    program.by.person = false;
    assert_eq!(usual(&[program]), Err(NotApproved::NotAPerson { login }));
    assert_eq!(usual(&[]), Err(NotApproved::Nobody));
}

#[test]
fn of_a_persons_reviews_only_the_last_stands() {
    let approves = vote(2, Role::Admin, Stance::Approves, HEAD, 1);
    let objects = vote(2, Role::Admin, Stance::Objects, HEAD, 2);
    let again = vote(2, Role::Admin, Stance::Approves, HEAD, 3);
    let dismissed = vote(2, Role::Admin, Stance::TakenBack, HEAD, 4);
    let login: Login = "person-2".parse().unwrap();
    let mut others = vote(3, Role::Admin, Stance::Approves, HEAD, 1);
    others.source = VoteSource::Review(ReviewId(9));
    let both = [approves.clone(), objects.clone(), others];
    assert_eq!(usual(&both), Err(NotApproved::Objection { login }));
    assert_eq!(usual(&[approves.clone(), objects.clone()]), Err(NotApproved::Nobody));
    assert!(usual(&[again.clone(), objects.clone(), approves.clone()]).is_ok(), "order of arrival");
    assert_eq!(usual(&[approves, objects, again, dismissed]), Err(NotApproved::Nobody));
}

#[test]
fn an_objection_counts_exactly_when_an_approval_would_and_survives_a_push() {
    let approves = vote(2, Role::Admin, Stance::Approves, HEAD, 2);
    let eligible = vote(3, Role::Maintain, Stance::Objects, OTHER, 1);
    let stranger = vote(4, Role::Read, Stance::Objects, HEAD, 1);
    assert!(matches!(usual(&[approves.clone(), eligible]), Err(NotApproved::Objection { .. })));
    assert!(usual(&[approves, stranger]).is_ok());
}

#[test]
fn whoever_asked_counts_only_as_the_rules_say() {
    let own = [vote(1, Role::Admin, Stance::Approves, HEAD, 1)];
    let alone: Option<&[u64]> = Some(&[1]);
    let asked = |judged| matches!(judged, Err(NotApproved::Requester { .. }));
    assert!(asked(judged(Requester::IfAlone, None, &own)));
    assert!(asked(judged(Requester::IfAlone, Some(&[1, 2]), &own)));
    assert!(judged(Requester::IfAlone, alone, &own).is_ok());
    assert!(judged(Requester::Allowed, None, &own).is_ok());
    assert!(asked(judged(Requester::Never, Some(&[1, 2]), &own)));
    assert!(matches!(judged(Requester::Never, alone, &own), Err(NotApproved::NobodyLeft { .. })));
}

/// Who approves, whom it takes: each row is what people hold the role, who pushed, whether that is
/// all, and after how many of the approvals (by 1, 2, 3 in this order) there is consent.
#[test]
fn who_had_a_hand_in_it_needs_somebody_else_and_else_two_approve() {
    use Requester::{Allowed, IfAlone, Never};
    #[rustfmt::skip]
    type Row = (Requester, &'static [u64], &'static [u64], bool, Option<usize>);
    let table: &[Row] = &[
        (IfAlone, &[1], &[1], true, Some(1)),          // alone
        (IfAlone, &[1], &[], false, Some(1)),          // alone, whoever pushed
        (IfAlone, &[1, 2], &[2], true, Some(2)),       // all had a hand in it
        (IfAlone, &[1, 2, 3], &[2], true, Some(3)),    // only 3 had none
        (IfAlone, &[1, 2, 3], &[2, 3], true, Some(2)), // all
        (IfAlone, &[1, 2, 3], &[], true, Some(2)),     // 2 had none
        (IfAlone, &[1, 2, 3], &[], false, Some(3)),    // 2 and 3: one of them did not push
        (IfAlone, &[1, 2], &[], false, Some(2)),       // there are no other two
        (IfAlone, &[1, 2, 3], &[2], false, Some(3)),   // 3 is one of the two
        (Never, &[1, 2], &[2], true, None),
        (Never, &[2], &[], false, None), // 2 may have pushed it
        (Never, &[1, 2], &[], false, None),
        (Never, &[1, 2, 3], &[2], true, Some(3)),
        (Never, &[1, 2, 3], &[], false, Some(3)),
        (Allowed, &[1, 2, 3], &[1, 2, 3], false, Some(1)),
    ];
    for (requester, holders, by, known, wanted) in table {
        let all: Vec<Vote> =
            holders.iter().map(|id| vote(*id, Role::Admin, Stance::Approves, HEAD, *id)).collect();
        let judged =
            |said: usize| pushed(*requester, (by, *known), Some(holders), all.get(..said).unwrap());
        let enough = (1..=all.len()).find(|said| judged(*said).is_ok());
        assert_eq!(enough, *wanted, "{requester:?} {holders:?} {by:?} {known}");
    }
}

#[test]
fn the_reason_names_who_approved_and_why_that_is_not_enough() {
    let by_2 = [vote(2, Role::Admin, Stance::Approves, HEAD, 1)];
    let login: Login = "person-2".parse().unwrap();
    let no = |pushers, holders| pushed(Requester::IfAlone, pushers, holders, &by_2).unwrap_err();
    let second = |because| NotApproved::SecondNeeded { login: login.clone(), because };
    let pusher = NotApproved::Pusher { login: login.clone() };
    assert_eq!(no((&[2], true), Some(&[1, 2, 3])), pusher);
    assert_eq!(no((&[2], true), Some(&[1, 2])), second(WhyTwo::AllHadAHand));
    assert_eq!(no((&[], false), Some(&[1, 2])), second(WhyTwo::PusherUnknown));
    assert_eq!(no((&[], false), None), second(WhyTwo::PusherUnknown));
}

#[test]
fn where_nobody_could_approve_it_that_is_the_reason() {
    let by = |id| [vote(id, Role::Admin, Stance::Approves, HEAD, 1)];
    let left = |login: &str| {
        Err(NotApproved::NobodyLeft { login: login.parse().unwrap(), role: Role::Maintain })
    };
    let never = |pushers, holders, id| pushed(Requester::Never, pushers, Some(holders), &by(id));
    assert_eq!(never((&[2], true), &[1, 2], 2), left("person-2"), "both had a hand in it");
    assert_eq!(never((&[], false), &[1, 2], 2), left("person-2"), "2 may have had");
    assert_eq!(never((&[], false), &[2], 2), left("person-2"), "and there is nobody else");
    let second = never((&[], false), &[1, 2, 3], 2);
    assert!(matches!(second, Err(NotApproved::SecondNeeded { .. })));
}

/// Else a word that counts for nothing would hide the one that everything depends on.
#[test]
fn the_reason_is_of_whoever_comes_nearest_not_of_whoever_spoke_last() {
    let mut program = vote(9, Role::None, Stance::Approves, HEAD, 8);
    program.by.person = false;
    let votes = [
        vote(1, Role::Admin, Stance::Approves, HEAD, 1),
        vote(7, Role::Read, Stance::Approves, HEAD, 7),
        program,
    ];
    let no = judged(Requester::IfAlone, None, &votes);
    assert_eq!(no, Err(NotApproved::Requester { login: "person-1".parse().unwrap() }));
    assert!(judged(Requester::IfAlone, Some(&[1]), &votes).is_ok());
}

#[test]
fn of_two_the_first_word_dates_the_consent_and_one_person_is_never_two() {
    let votes = [
        vote(1, Role::Admin, Stance::Approves, HEAD, 3),
        vote(2, Role::Admin, Stance::Approves, HEAD, 8),
    ];
    let both = pushed(Requester::IfAlone, (&[2], true), Some(&[1, 2]), &votes).unwrap();
    let names: Vec<String> = both.logins().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["person-2", "person-1"]);
    assert_eq!(both.at(), Timestamp(3));
    assert_eq!(both.pushed_by(), ["person-2".parse().unwrap()]);
    let mut again = votes[1].clone();
    again.source = VoteSource::Comment { id: CommentId(9), edited: false, flagged: false };
    let twice = [votes[1].clone(), again];
    assert!(pushed(Requester::IfAlone, (&[2], true), Some(&[1, 2]), &twice).is_err());
}

#[test]
fn what_was_said_before_the_base_or_the_rules_changed_does_not_count() {
    let (head, base) = (sha(HEAD), "main".parse().unwrap());
    let at = |since| ApprovalCriteria {
        repo_id: RepoId(1),
        pull: Number(2),
        head: &head,
        base: &base,
        rules: "rules",
        role: Role::Maintain,
        requester: Requester::Never,
        asked_by: &[],
        pushed_by: &[],
        pushers_known: true,
        holders: None,
        since: Timestamp(since),
        flagged: &[],
    };
    let votes = [vote(2, Role::Admin, Stance::Approves, HEAD, 5)];
    assert!(judge(&at(4), &votes).is_ok());
    assert!(matches!(judge(&at(5), &votes), Err(NotApproved::Before { .. })));
}

#[test]
fn an_edited_comment_is_nobodys_word() {
    let mut by_comment = vote(2, Role::Admin, Stance::Approves, HEAD, 1);
    by_comment.source = VoteSource::Comment { id: CommentId(5), edited: true, flagged: false };
    assert!(matches!(usual(&[by_comment.clone()]), Err(NotApproved::Edited { .. })));
    by_comment.source = VoteSource::Comment { id: CommentId(5), edited: false, flagged: false };
    assert!(usual(&[by_comment]).is_ok());
}

#[test]
fn only_the_first_line_approves_and_only_by_enough_digits_of_the_head() {
    let head: Sha = "0123456789abcdef0123456789abcdef01234567".parse().unwrap();
    let says = |body: &str| approves(body, &Address::default(), &head);
    for good in [
        "/gander approve 0123456789ab",
        "/gander approve `0123456789ab`",
        "/gander approve 0123456789ab thanks!",
        "/gander approve 0123456789ABCDEF\nThanks!",
        "/Gander APPROVE 0123456789abcdef0123456789abcdef01234567",
    ] {
        assert!(says(good), "{good:?}");
    }
    for bad in [
        "/gander approve",
        "/gander approve 0123456789a",
        "/gander approve fedcba987654",
        "/gander approve 0123456789abcdef0123456789abcdef012345670",
        "/gander revise 0123456789ab",
        "> /gander approve 0123456789ab",
        "    /gander approve 0123456789ab",
        "Hi\n/gander approve 0123456789ab",
        "/gander-approve 0123456789ab",
    ] {
        assert!(!says(bad), "{bad:?}");
    }
    let other = Address { prefix: "/goose".to_owned(), mention: None };
    assert!(approves("/goose approve 0123456789ab", &other, &head));
    assert!(!approves("/gander approve 0123456789ab", &other, &head));
}

/// Judged for a release with this flagged path; person 1 ordered it.
fn released(holders: Option<&[u64]>, votes: &[Vote]) -> Result<Approval, NotApproved> {
    let (head, base) = (sha(HEAD), "main".parse().unwrap());
    let holders: Option<Vec<UserId>> =
        holders.map(|holders| holders.iter().map(|id| UserId(*id)).collect());
    let criteria = ApprovalCriteria {
        repo_id: RepoId(1),
        pull: Number(2),
        head: &head,
        base: &base,
        rules: "rules",
        role: Role::Maintain,
        requester: Requester::IfAlone,
        asked_by: &[UserId(1)],
        pushed_by: &[],
        pushers_known: true,
        holders: holders.as_deref(),
        since: Timestamp(0),
        flagged: &["Makefile: changes how the project is built".to_owned()],
    };
    judge(&criteria, votes)
}

#[test]
fn flagged_paths_take_one_person_who_says_so_or_two_who_approve() {
    let by = |id, at| vote(id, Role::Maintain, Stance::Approves, HEAD, at);
    let saying = |id, at, edited| {
        let source = VoteSource::Comment { id: CommentId(at), edited, flagged: true };
        Vote { source, ..by(id, at) }
    };
    let paths = vec!["Makefile: changes how the project is built".to_owned()];
    let silent = NotApproved::Flagged { login: "person-2".parse().unwrap(), paths };
    assert_eq!(released(None, &[by(2, 1)]), Err(silent.clone()));
    assert_eq!(released(None, &[by(2, 1), by(2, 2)]), Err(silent.clone()), "twice the same person");
    assert_eq!(released(None, &[by(2, 1), saying(1, 2, false)]), Err(silent.clone()));
    assert_eq!(released(None, &[by(2, 1), saying(3, 2, true)]), Err(silent));
    assert!(released(None, &[by(2, 1), by(3, 2)]).is_ok());
    let said = released(None, &[saying(2, 1, false), by(2, 2)]).unwrap();
    assert!(said.by_command() && said.at() == Timestamp(1), "{said:?}");
    // Whoever is alone says so, too.
    assert!(matches!(released(Some(&[1]), &[by(1, 1)]), Err(NotApproved::Flagged { .. })));
    assert!(released(Some(&[1]), &[saying(1, 1, false)]).is_ok());
}

#[test]
fn only_the_word_behind_the_commit_covers_flagged_paths() {
    let says = |body: &str| names_flagged(body, &Address::default());
    for good in
        ["/gander approve 0123456789ab flagged", "/gander approve `0123456789ab` FLAGGED ok"]
    {
        assert!(says(good), "{good:?}");
    }
    for bad in [
        "/gander approve 0123456789ab",
        "/gander approve 0123456789ab\nflagged",
        "/gander approve 0123456789ab not flagged",
        "/gander approve flagged",
        "> /gander approve 0123456789ab flagged",
    ] {
        assert!(!says(bad), "{bad:?}");
    }
}
