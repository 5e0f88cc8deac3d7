//! Who consents to what, as a table.

use super::*;

const HEAD: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const OTHER: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

fn sha(text: &str) -> Sha {
    text.parse().unwrap()
}

fn voice(id: u64, role: Role, stand: Stand, commit: &str, review: u64) -> Voice {
    Voice {
        by: Actor { id: UserId(id), login: format!("person-{id}").parse().unwrap(), person: true },
        role,
        stand,
        commit: sha(commit),
        word: Word::Review(ReviewId(review)),
        at: Timestamp(i64::try_from(review).unwrap()),
    }
}

fn judged(requester: Requester, alone: bool, voices: &[Voice]) -> Result<Approval, NotApproved> {
    let (head, base) = (sha(HEAD), "main".parse().unwrap());
    let question = Question {
        repo: RepoId(1),
        pull: Number(2),
        head: &head,
        base: &base,
        rules: "rules",
        role: Role::Maintain,
        requester,
        askers: &[UserId(1)],
        alone,
        since: Timestamp(0),
    };
    judge(&question, voices)
}

fn usual(voices: &[Voice]) -> Result<Approval, NotApproved> {
    judged(Requester::IfAlone, false, voices)
}

#[test]
fn a_maintainers_approval_of_the_head_is_consent_to_that_commit() {
    let approval = usual(&[voice(2, Role::Maintain, Stand::Approves, HEAD, 1)]).unwrap();
    assert_eq!(approval.head(), &sha(HEAD));
    assert_eq!(approval.login().as_str(), "person-2");
}

#[test]
fn an_approval_of_another_commit_a_small_role_or_a_program_is_not() {
    let login: Login = "person-2".parse().unwrap();
    let on_other = usual(&[voice(2, Role::Admin, Stand::Approves, OTHER, 1)]);
    assert_eq!(
        on_other,
        Err(NotApproved::OtherCommit { login: login.clone(), approved: sha(OTHER) })
    );
    let small = usual(&[voice(2, Role::Write, Stand::Approves, HEAD, 1)]);
    let needs =
        NotApproved::NeedsRole { login: login.clone(), has: Role::Write, needed: Role::Maintain };
    assert_eq!(small, Err(needs));
    let mut program = voice(2, Role::Admin, Stand::Approves, HEAD, 1);
    program.by.person = false;
    assert_eq!(usual(&[program]), Err(NotApproved::NotAPerson { login }));
    assert_eq!(usual(&[]), Err(NotApproved::Nobody));
}

#[test]
fn of_a_persons_reviews_only_the_last_stands() {
    let approves = voice(2, Role::Admin, Stand::Approves, HEAD, 1);
    let objects = voice(2, Role::Admin, Stand::Objects, HEAD, 2);
    let again = voice(2, Role::Admin, Stand::Approves, HEAD, 3);
    let dismissed = voice(2, Role::Admin, Stand::TakenBack, HEAD, 4);
    let login: Login = "person-2".parse().unwrap();
    let mut others = voice(3, Role::Admin, Stand::Approves, HEAD, 1);
    others.word = Word::Review(ReviewId(9));
    let both = [approves.clone(), objects.clone(), others];
    assert_eq!(usual(&both), Err(NotApproved::Objection { login }));
    assert_eq!(usual(&[approves.clone(), objects.clone()]), Err(NotApproved::Nobody));
    assert!(usual(&[again.clone(), objects.clone(), approves.clone()]).is_ok(), "order of arrival");
    assert_eq!(usual(&[approves, objects, again, dismissed]), Err(NotApproved::Nobody));
}

#[test]
fn an_objection_counts_exactly_when_an_approval_would_and_survives_a_push() {
    let approves = voice(2, Role::Admin, Stand::Approves, HEAD, 2);
    let eligible = voice(3, Role::Maintain, Stand::Objects, OTHER, 1);
    let stranger = voice(4, Role::Read, Stand::Objects, HEAD, 1);
    assert!(matches!(usual(&[approves.clone(), eligible]), Err(NotApproved::Objection { .. })));
    assert!(usual(&[approves, stranger]).is_ok());
}

#[test]
fn whoever_asked_counts_only_as_the_rules_say() {
    let own = [voice(1, Role::Admin, Stand::Approves, HEAD, 1)];
    assert!(matches!(judged(Requester::IfAlone, false, &own), Err(NotApproved::Requester { .. })));
    assert!(judged(Requester::IfAlone, true, &own).is_ok());
    assert!(judged(Requester::Allowed, false, &own).is_ok());
    assert!(matches!(judged(Requester::Never, true, &own), Err(NotApproved::Requester { .. })));
}

#[test]
fn what_was_said_before_the_base_or_the_rules_changed_does_not_count() {
    let (head, base) = (sha(HEAD), "main".parse().unwrap());
    let at = |since| Question {
        repo: RepoId(1),
        pull: Number(2),
        head: &head,
        base: &base,
        rules: "rules",
        role: Role::Maintain,
        requester: Requester::Never,
        askers: &[],
        alone: false,
        since: Timestamp(since),
    };
    let voices = [voice(2, Role::Admin, Stand::Approves, HEAD, 5)];
    assert!(judge(&at(4), &voices).is_ok());
    assert!(matches!(judge(&at(5), &voices), Err(NotApproved::Before { .. })));
}

#[test]
fn an_edited_comment_is_nobodys_word() {
    let mut by_comment = voice(2, Role::Admin, Stand::Approves, HEAD, 1);
    by_comment.word = Word::Comment { id: CommentId(5), edited: true };
    assert!(matches!(usual(&[by_comment.clone()]), Err(NotApproved::Edited { .. })));
    by_comment.word = Word::Comment { id: CommentId(5), edited: false };
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
