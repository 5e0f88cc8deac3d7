//! Commands on Gander's pull request, and hints that something about one may be different.
//!
//! What holds: a hint only queues a look; what a command asks for is written into the job, so that it
//! is not lost while a round is made; a command that fits nothing is answered with what would.

use super::look::moment;
use super::{Fault, Outcome, Worker, advanced};
use crate::core::approval::{approves, names_commit};
use crate::core::command::Address;
use crate::core::event::{Asked, RepoRef, Touched};
use crate::core::id::{CommentId, JobId, Number, Sha, Timestamp};
use crate::core::job::{Ask, Fact, Job, Stage, Step, Taken};
use crate::core::machine::Machine;
use crate::core::report;
use crate::core::task::Task;
use crate::store::{Commit, Stored};

impl Worker {
    /// Lets every open pull request concerned be looked at.
    pub(super) async fn touched(&self, place: &RepoRef, what: &Touched) -> Result<Outcome, Fault> {
        let jobs = self.parts.store.open_jobs(Some(place.repo)).await?;
        let concerned = jobs.into_iter().filter(|stored| concerns(&stored.job, what));
        let tasks: Vec<Task> = concerned.map(|stored| look(stored.job.id)).collect();
        Ok(match tasks.is_empty() {
            true => Outcome::Done,
            false => Outcome::Ready(Box::new(Commit { tasks, ..Commit::default() })),
        })
    }

    /// `revise words`: one more round.
    pub(super) async fn revise(&self, asked: &Asked, words: &str) -> Result<Outcome, Fault> {
        let jobs = self.jobs_on(asked).await?;
        let Some(stored) = in_review(&jobs, asked.number) else {
            return Ok(self.no_pull_here(asked, "revise"));
        };
        let ask = Ask {
            by: asked.by.id,
            login: asked.by.login.clone(),
            words: words.trim().to_owned(),
            comment: asked.comment,
        };
        Ok(self.noted(asked, stored, &Fact::Asked(ask)))
    }

    /// `take @LOGIN`: that person's waiting reviews count like a maintainer's.
    pub(super) async fn take(
        &self,
        asked: &Asked,
        words: &str,
        at: Timestamp,
    ) -> Result<Outcome, Fault> {
        let jobs = self.jobs_on(asked).await?;
        let Some(stored) = in_review(&jobs, asked.number) else {
            return Ok(self.no_pull_here(asked, "take"));
        };
        let named = words.split_whitespace().next().unwrap_or_default();
        let named = named.trim_matches('`').trim_start_matches('@');
        let waiting = &stored.job.review.outsiders;
        let same = |login: &str| login.eq_ignore_ascii_case(named);
        let Some(outsider) = waiting.iter().find(|it| same(it.login.as_str())) else {
            let waiting: Vec<String> =
                waiting.iter().map(|it| it.login.as_str().to_owned()).collect();
            let prefix = &self.parts.settings.address.prefix;
            return Ok(self.reply(asked, report::nothing_to_take(named, &waiting, prefix)));
        };
        let taken = Taken {
            login: outsider.login.clone(),
            until: at,
            by: asked.by.id,
            by_login: asked.by.login.clone(),
        };
        Ok(self.noted(asked, stored, &Fact::Taken(taken)))
    }

    /// `approve SHA`: the comment itself is the approval, and is read where it stands.
    pub(super) async fn approve(&self, asked: &Asked, words: &str) -> Result<Outcome, Fault> {
        let prefix = &self.parts.settings.address.prefix;
        let jobs = self.jobs_on(asked).await?;
        let address = &self.parts.settings.address;
        let (look, address) = match in_review(&jobs, asked.number) {
            Some(stored) => (look(stored.job.id.clone()), address.clone()),
            None => match self.look_at_release_of(asked).await? {
                Some(look) => (look, address.without_mention()),
                None => return Ok(self.reply(asked, report::approve_how(None, None, prefix))),
            },
        };
        let detail = self.parts.forge.pull(&asked.place, asked.number).await?;
        let head = detail.map(|detail| detail.head.sha);
        let said = words.split_whitespace().next();
        if !head.as_ref().is_some_and(|head| names_commit(words, head)) {
            return Ok(self.reply(asked, report::approve_how(head.as_ref(), said, prefix)));
        }
        if let Some(head) = &head
            && !self.will_count(asked, head, &address).await?
        {
            return Ok(self.reply(asked, report::approve_where(head, prefix)));
        }
        let tasks = vec![look];
        let once = Some(asked.key.clone());
        Ok(Outcome::Ready(Box::new(Commit { once, tasks, ..Commit::default() })))
    }

    /// Whether `approve` was said where it is looked for: in a comment, or in an approving review.
    async fn will_count(
        &self,
        asked: &Asked,
        head: &Sha,
        address: &Address,
    ) -> Result<bool, Fault> {
        let (forge, place) = (&self.parts.forge, &asked.place);
        if let Some(id) = asked.comment {
            let said = forge.comment(place, id).await?.and_then(|it| it.body);
            return Ok(said.is_some_and(|said| approves(&said, address, head)));
        }
        let Some(id) = asked.review else { return Ok(false) };
        let review = forge.one_review(place, asked.number, id).await?;
        Ok(review.is_some_and(|review| review.state == "APPROVED"))
    }

    /// `go`: pushes the change that is shown.
    pub(super) async fn go(&self, asked: &Asked, at: Timestamp) -> Result<Outcome, Fault> {
        let jobs = self.jobs_on(asked).await?;
        let held = jobs.iter().find(|it| matches!(it.job.stage, Stage::Holding { .. }));
        if let Some(stored) = held
            && !self.was_told_before(&stored.job, (at, asked.comment)).await?
        {
            let prefix = &self.parts.settings.address.prefix;
            return Ok(self.reply(asked, report::go_too_early(prefix)));
        }
        let commit = held.and_then(|stored| {
            let patch = stored.job.proposal.as_ref()?.patch.clone();
            advanced(stored, &Fact::Go { patch })
        });
        let Some(mut commit) = commit else {
            let prefix = &self.parts.settings.address.prefix;
            return Ok(self.reply(asked, report::nothing_held(prefix)));
        };
        commit.once = Some(asked.key.clone());
        Ok(Outcome::Ready(Box::new(commit)))
    }

    /// Whether people had been shown this very change when they said `go`: by GitHub's clock, and
    /// within a second by the order of its numbers.
    async fn was_told_before(
        &self,
        job: &Job,
        (at, comment): (Timestamp, Option<CommentId>),
    ) -> Result<bool, Fault> {
        let marker = report::announcement_marker(job);
        let thread = report::announced_on(job);
        let told = self.parts.forge.find_comment(&job.place, thread, &marker).await?;
        Ok(told.is_some_and(|told| {
            let told = (moment(told.created_at.as_deref()), told.id);
            told < (at, comment.unwrap_or(CommentId(u64::MAX)))
        }))
    }

    fn noted(&self, asked: &Asked, stored: &Stored, fact: &Fact) -> Outcome {
        let Some(mut commit) = advanced(stored, fact) else { return Outcome::Done };
        commit.once = Some(asked.key.clone());
        if let Some(comment) = asked.comment {
            let step = Step::React { comment };
            commit.tasks.push(Task::Step { job: stored.job.id.clone(), step });
        }
        Outcome::Ready(Box::new(commit))
    }

    fn no_pull_here(&self, asked: &Asked, verb: &str) -> Outcome {
        let prefix = &self.parts.settings.address.prefix;
        self.reply(asked, report::no_pull_here(verb, prefix))
    }
}

/// The open job whose pull request has this number.
pub(super) fn in_review(jobs: &[Stored], number: Number) -> Option<&Stored> {
    jobs.iter().find(|stored| {
        !stored.job.is_done() && stored.job.pull.as_ref().is_some_and(|pull| pull.number == number)
    })
}

fn concerns(job: &Job, what: &Touched) -> bool {
    let Some(pull) = &job.pull else { return false };
    match what {
        Touched::Pull(number) => pull.number == *number,
        Touched::Commit(sha) => pull.head == *sha,
        Touched::Branch(branch) => job.base.as_ref().is_some_and(|base| base.branch == *branch),
    }
}

fn look(job: JobId) -> Task {
    Task::Step { job, step: Step::Look }
}
