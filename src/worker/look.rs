//! One look at a pull request: what GitHub shows now, as a fact.
//!
//! What holds: nothing here is remembered from a webhook. Permissions are asked for at this moment, by
//! account number; what programs say is no voice; Gander's own checks are no evidence.

use std::collections::BTreeMap;

use super::{Fault, Worker};
use crate::core::approval::{Approval, NotApproved, Question, Stand, Voice, Word, judge};
use crate::core::command::{Role, Verb, parse};
use crate::core::event::{Actor, Place};
use crate::core::id::{Number, ReviewId, Sha, Timestamp, UserId};
use crate::core::job::{ChangeRequest, Ci, Effect, Job, PullState, RedBecause, Sight};
use crate::core::policy::{RULES_PATH, Requester, Rules};
use crate::core::task::Task;
use crate::forge::payload::{Comment, PullDetail, Review, ReviewComment, User};
use crate::forge::{CheckState, RequiredCheck, State};

/// Fewer digits could name another commit.
pub(super) const LEAST_SHA_DIGITS: usize = 12;

/// Roles asked for in one look.
type Roles = BTreeMap<UserId, Role>;

impl Worker {
    /// What the job's pull request shows. `None`: it has none.
    pub(super) async fn look(&self, job: &Job) -> Result<Option<Sight>, Fault> {
        let Some(pull) = &job.pull else { return Ok(None) };
        let (forge, place) = (&self.parts.forge, &job.place);
        let (detail, repository) =
            tokio::try_join!(forge.pull(place, pull.number), forge.repository(place))?;
        let Some(detail) = detail else { return Ok(Some(self.gone(job))) };
        if detail.state != "open" {
            return Ok(Some(Sight { state: ended(&detail), ..self.gone(job) }));
        }
        let head = detail.head.sha.clone();
        let base = detail.base.branch.parse().map_err(|bad| Fault::permanent(&bad))?;
        let text = forge.file(place, &repository.default_branch, RULES_PATH).await?;
        let rules = Rules::parse(&text.unwrap_or_default()).map_err(|bad| bad.to_string());
        let in_force = rules.clone().unwrap_or_default();
        let (reviews, comments) = tokio::try_join!(
            forge.reviews(place, pull.number),
            forge.comments(place, pull.number)
        )?;
        let mut roles = Roles::new();
        let voices = self.voices(place, &head, (&reviews, &comments), &mut roles).await?;
        let digest = in_force.binding();
        let now = self.parts.clock.now();
        let since = match &job.review.binding {
            Some(bound) if bound.base == base && bound.rules == digest => bound.since,
            Some(_) => now,
            None => Timestamp(0),
        };
        let question = Question {
            repo: place.repo,
            pull: pull.number,
            head: &head,
            base: &base,
            rules: &digest,
            role: in_force.approval.role.into(),
            requester: in_force.approval.requester,
            asked_by: Some(job.order.by),
            alone: false,
            since,
        };
        let consent = self.consent(place, question, &voices).await?;
        let ci = self.ci(job, &detail, &in_force, now).await?;
        let requests = self.requests(place, pull.number, &reviews, &mut roles).await?;
        let clean =
            matches!(detail.mergeable_state.as_deref(), Some("clean" | "unstable" | "has_hooks"));
        Ok(Some(Sight {
            at: now,
            state: PullState::Open,
            head,
            base,
            rules,
            rules_digest: digest,
            requests,
            ci,
            consent,
            since,
            mergeable: detail.mergeable,
            clean,
        }))
    }

    /// What is shown by a pull request that is not there any more.
    fn gone(&self, job: &Job) -> Sight {
        let pull = job.pull.as_ref();
        let nowhere = || Sha::nowhere();
        Sight {
            at: self.parts.clock.now(),
            state: PullState::Closed { by: None },
            head: pull.map_or_else(nowhere, |pull| pull.head.clone()),
            base: job.base.as_ref().map_or_else(|| job.branch(), |base| base.branch.clone()),
            rules: Ok(Rules::default()),
            rules_digest: String::new(),
            requests: Vec::new(),
            ci: Ci::Green,
            consent: Err(NotApproved::Nobody),
            since: Timestamp(0),
            mergeable: None,
            clean: false,
        }
    }

    /// Everything people have said about the pull request that could be consent or its opposite.
    pub(super) async fn voices(
        &self,
        place: &Place,
        head: &Sha,
        (reviews, comments): (&[Review], &[Comment]),
        roles: &mut Roles,
    ) -> Result<Vec<Voice>, Fault> {
        let mut voices = Vec::new();
        for review in reviews {
            let stand = match review.state.as_str() {
                "APPROVED" => Stand::Approves,
                "CHANGES_REQUESTED" => Stand::Objects,
                "DISMISSED" => Stand::TakenBack,
                _ => continue,
            };
            let (Some(by), Some(commit)) = (actor(review.user.as_ref()), &review.commit_id) else {
                continue;
            };
            let role = self.role(place, &by, roles).await?;
            let at = moment(review.submitted_at.as_deref());
            let word = Word::Review(ReviewId(review.id));
            voices.push(Voice { by, role, stand, commit: commit.clone(), word, at });
        }
        for comment in comments {
            let body = comment.body.as_deref().unwrap_or_default();
            let said = parse(body, &self.parts.settings.address).and_then(Result::ok);
            let Some(approve) = said.filter(|command| command.verb == Verb::Approve) else {
                continue;
            };
            let names_head = approved_digits(&approve.request)
                .is_some_and(|digits| head.as_str().starts_with(&digits));
            let Some(by) = actor(comment.user.as_ref()).filter(|_| names_head) else { continue };
            let role = self.role(place, &by, roles).await?;
            let edited = comment.created_at.is_none() || comment.created_at != comment.updated_at;
            voices.push(Voice {
                by,
                role,
                stand: Stand::Approves,
                commit: head.clone(),
                word: Word::Comment { id: comment.id, edited },
                at: moment(comment.created_at.as_deref()),
            });
        }
        Ok(voices)
    }

    /// Judges; whether whoever asked is alone with the role is only found out when it matters.
    pub(super) async fn consent(
        &self,
        place: &Place,
        question: Question<'_>,
        voices: &[Voice],
    ) -> Result<Result<Approval, NotApproved>, Fault> {
        let judged = judge(&question, voices);
        let matters = matches!(judged, Err(NotApproved::Requester { .. }))
            && question.requester == Requester::IfAlone;
        if !matters {
            return Ok(judged);
        }
        let people = self.parts.forge.people_with(place, question.role).await?;
        let alone = !people.iter().any(|person| {
            let bits = person.permissions;
            let has = match question.role {
                Role::Admin => bits.admin,
                Role::Maintain => bits.maintain || bits.admin,
                _ => bits.push || bits.maintain || bits.admin,
            };
            has && person.kind == "User" && Some(person.id) != question.asked_by
        });
        Ok(judge(&Question { alone, ..question }, voices))
    }

    async fn role(&self, place: &Place, actor: &Actor, roles: &mut Roles) -> Result<Role, Fault> {
        if !actor.person {
            return Ok(Role::None);
        }
        if let Some(role) = roles.get(&actor.id) {
            return Ok(*role);
        }
        let role = self.parts.forge.permission(place, actor).await?;
        roles.insert(actor.id, role);
        Ok(role)
    }

    /// Standing requests for changes by people: of each person the last review that says yes or no.
    async fn requests(
        &self,
        place: &Place,
        number: Number,
        reviews: &[Review],
        roles: &mut Roles,
    ) -> Result<Vec<ChangeRequest>, Fault> {
        let mut last: BTreeMap<UserId, &Review> = BTreeMap::new();
        let decides = |review: &&Review| review.state != "COMMENTED" && review.state != "PENDING";
        for review in reviews.iter().filter(decides) {
            if let Some(by) = actor(review.user.as_ref()).filter(|by| by.person) {
                last.insert(by.id, review);
            }
        }
        let standing: Vec<&Review> =
            last.into_values().filter(|review| review.state == "CHANGES_REQUESTED").collect();
        if standing.is_empty() {
            return Ok(Vec::new());
        }
        let comments = self.parts.forge.review_comments(place, number).await?;
        let mut requests = Vec::new();
        for review in standing {
            let Some(by) = actor(review.user.as_ref()) else { continue };
            let role = self.role(place, &by, roles).await?;
            let at = moment(review.submitted_at.as_deref());
            let points = points(review, &comments);
            requests.push(ChangeRequest { review: ReviewId(review.id), by, role, at, points });
        }
        requests.sort_by_key(|request| request.review);
        Ok(requests)
    }

    /// How the checks that must be green stand.
    async fn ci(
        &self,
        job: &Job,
        pull: &PullDetail,
        rules: &Rules,
        now: Timestamp,
    ) -> Result<Ci, Fault> {
        let forge = &self.parts.forge;
        let base = pull.base.branch.parse().map_err(|bad| Fault::permanent(&bad))?;
        let (mut required, states) = tokio::try_join!(
            forge.required_checks(&job.place, &base),
            forge.checks(&job.place, &pull.head.sha)
        )?;
        for name in &rules.checks.required {
            if !required.iter().any(|check| check.name == *name) {
                required.push(RequiredCheck { name: name.clone(), app: None });
            }
        }
        let concerned: Vec<&CheckState> = match required.is_empty() {
            true => states.iter().collect(),
            false => states.iter().filter(|it| required.iter().any(|r| names(r, it))).collect(),
        };
        let bad = |it: &&&CheckState| matches!(it.state, State::Red | State::CutOff);
        if let Some(red) = concerned.iter().find(bad) {
            let because = self.because(&job.place, &pull.base.sha, red).await?;
            return Ok(Ci::Red { check: red.name.clone(), because });
        }
        let mut pending: Vec<String> = concerned
            .iter()
            .filter(|it| it.state == State::Pending)
            .map(|it| it.name.clone())
            .collect();
        // What a rule asks for must have spoken; having been skipped is not speaking.
        let silent = |check: &&RequiredCheck| {
            let spoke = |it: &&CheckState| names(check, it) && it.state == State::Green;
            !states.iter().any(|it| spoke(&it)) && !pending.contains(&check.name)
        };
        let silent: Vec<String> =
            required.iter().filter(silent).map(|it| it.name.clone()).collect();
        pending.extend(silent);
        if pending.is_empty() && required.is_empty() {
            pending.extend(self.unsettled(job, &pull.head.sha, now).await?);
        }
        Ok(if pending.is_empty() { Ci::Green } else { Ci::Pending { names: pending } })
    }

    /// Without required checks nobody says when all have begun: some time has to pass.
    async fn unsettled(
        &self,
        job: &Job,
        head: &Sha,
        now: Timestamp,
    ) -> Result<Option<String>, Fault> {
        let since = match &job.review.head_since {
            Some((known, since)) if known == head => *since,
            _ => now,
        };
        let settle = i64::try_from(self.parts.settings.settle.as_secs()).unwrap_or(i64::MAX);
        let settled = since.plus_seconds(settle);
        if now >= settled {
            return Ok(None);
        }
        let wake = Task::Effect { job: job.id.clone(), effect: Effect::Wake };
        self.parts.store.enqueue(&wake, settled).await?;
        Ok(Some("checks to appear".to_owned()))
    }

    async fn because(
        &self,
        place: &Place,
        base: &Sha,
        red: &CheckState,
    ) -> Result<RedBecause, Fault> {
        if red.wavered {
            let why = "it passed on this very commit before".to_owned();
            return Ok(RedBecause::Flaky { why });
        }
        if red.state == State::CutOff {
            let why = "it was cut off before it had a result".to_owned();
            return Ok(RedBecause::Flaky { why });
        }
        let there = self.parts.forge.checks(place, base).await?;
        let same = |it: &&CheckState| it.name == red.name && it.app == red.app;
        Ok(match there.iter().find(same).map(|it| it.state) {
            Some(State::Red) => RedBecause::AlsoOnBase,
            _ => RedBecause::Change,
        })
    }
}

/// The digits an approval names, lower case; `None`: too few, or none.
pub(super) fn approved_digits(request: &str) -> Option<String> {
    let word = request.split_whitespace().next()?.trim_matches('`').to_ascii_lowercase();
    let hex = word.len() >= LEAST_SHA_DIGITS && word.bytes().all(|b| b.is_ascii_hexdigit());
    hex.then_some(word)
}

fn ended(detail: &PullDetail) -> PullState {
    let by = detail.merged_by.as_ref().and_then(|user| user.login.parse().ok());
    if detail.merged { PullState::Merged { by } } else { PullState::Closed { by: None } }
}

fn names(required: &RequiredCheck, state: &CheckState) -> bool {
    let app = required.app.is_none_or(|app| state.app == Some(app));
    required.name == state.name && app
}

fn points(review: &Review, comments: &[ReviewComment]) -> u32 {
    let own = comments.iter().filter(|comment| {
        comment.pull_request_review_id == Some(review.id) && comment.in_reply_to_id.is_none()
    });
    let threads = u32::try_from(own.count()).unwrap_or(u32::MAX);
    let words = review.body.as_deref().is_some_and(|body| !body.trim().is_empty());
    threads.saturating_add(u32::from(words))
}

pub(super) fn actor(user: Option<&User>) -> Option<Actor> {
    let user = user?;
    Some(Actor { id: user.id, login: user.login.parse().ok()?, person: user.kind == "User" })
}

pub(super) fn moment(text: Option<&str>) -> Timestamp {
    let parsed = text.and_then(|text| chrono::DateTime::parse_from_rfc3339(text).ok());
    Timestamp(parsed.map_or(0, |at| at.timestamp_millis()))
}
