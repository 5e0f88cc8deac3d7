//! How people protect a branch: what it asks for from now on, and which ways to merge there are.

use super::state::{Protection, RequiredCheck as Required};
use super::{Emulator, MergeMethod, Trouble};

/// What asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requirement {
    /// Classic branch protection.
    Protection,
    /// A repository ruleset.
    Ruleset,
}

/// What a branch can ask for, beside checks and approvals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand<'a> {
    /// That pull requests come in by the merge queue.
    MergeQueue,
    /// No merge commits.
    LinearHistory,
    /// A verified signature on every commit.
    Signatures,
    /// That every review thread is resolved.
    Conversations,
    /// A deployment of the head to these environments.
    Deployments(&'a [&'a str]),
    /// These ways to merge. Only a ruleset asks for that.
    Methods(&'a [MergeMethod]),
}

/// A check that a branch asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequiredCheck<'a> {
    /// The name of the check run, or the context of the status.
    pub name: &'a str,
    /// The number of the App that must have made it; `None`: any.
    pub app: Option<u64>,
}

impl Emulator {
    /// Asks for checks before a branch may change, by classic protection or by a ruleset.
    ///
    /// # Errors
    /// When there is no such repository; so everywhere below.
    pub fn require_checks(
        &self,
        repository: &str,
        branch: &str,
        checks: &[&str],
        asked_by: Requirement,
    ) -> Result<(), Trouble> {
        let checks: Vec<_> = checks.iter().map(|name| RequiredCheck { name, app: None }).collect();
        self.require_checks_of(repository, branch, &checks, asked_by)
    }

    /// As [`Self::require_checks`], for checks of named Apps.
    ///
    /// # Errors
    /// When there is no such repository.
    pub fn require_checks_of(
        &self,
        repository: &str,
        branch: &str,
        checks: &[RequiredCheck<'_>],
        asked_by: Requirement,
    ) -> Result<(), Trouble> {
        self.protect(repository, branch, asked_by, |protection| {
            let owned =
                |one: &RequiredCheck<'_>| Required { name: one.name.to_owned(), app: one.app };
            protection.required_checks = checks.iter().map(owned).collect();
        })
    }

    /// Asks for so many approvals by people with write access.
    ///
    /// # Errors
    /// When there is no such repository.
    pub fn require_approvals(
        &self,
        repository: &str,
        branch: &str,
        count: u64,
        asked_by: Requirement,
    ) -> Result<(), Trouble> {
        self.protect(repository, branch, asked_by, |protection| protection.approvals = count)
    }

    /// Takes approvals back when something is pushed.
    ///
    /// # Errors
    /// When there is no such repository.
    pub fn dismiss_stale_approvals(
        &self,
        repository: &str,
        branch: &str,
        asked_by: Requirement,
    ) -> Result<(), Trouble> {
        self.protect(repository, branch, asked_by, |protection| protection.dismisses_stale = true)
    }

    /// Asks that a pull request contains all of its base.
    ///
    /// # Errors
    /// When there is no such repository.
    pub fn require_up_to_date(
        &self,
        repository: &str,
        branch: &str,
        asked_by: Requirement,
    ) -> Result<(), Trouble> {
        self.protect(repository, branch, asked_by, |protection| protection.up_to_date = true)
    }

    /// Asks for something more before a pull request may come in.
    ///
    /// # Errors
    /// When there is no such repository.
    pub fn demand(
        &self,
        repository: &str,
        branch: &str,
        what: Demand<'_>,
        asked_by: Requirement,
    ) -> Result<(), Trouble> {
        self.protect(repository, branch, asked_by, |protection| match what {
            Demand::MergeQueue => protection.merge_queue = true,
            Demand::LinearHistory => protection.linear_history = true,
            Demand::Signatures => protection.signatures = true,
            Demand::Conversations => protection.conversations = true,
            Demand::Deployments(to) => {
                protection.environments = to.iter().map(|&name| name.to_owned()).collect();
            }
            Demand::Methods(methods) => {
                protection.merge_methods = methods.iter().map(|method| method.name()).collect();
            }
        })
    }

    /// Nothing is asked for any more before a branch may change.
    ///
    /// # Errors
    /// When there is no such repository.
    pub fn demand_nothing(&self, repository: &str, branch: &str) -> Result<(), Trouble> {
        let mut state = self.lock();
        let id = state.repository_id(repository)?;
        state.repository_mut(id)?.protections.remove(branch);
        Ok(())
    }

    /// Deploys a commit to an environment.
    ///
    /// # Errors
    /// When there is no such repository.
    pub fn deploys(&self, repository: &str, sha: &str, to: &str) -> Result<(), Trouble> {
        let mut state = self.lock();
        let id = state.repository_id(repository)?;
        state.repository_mut(id)?.deployed.insert((sha.to_owned(), to.to_owned()));
        Ok(())
    }

    /// Allows these ways to merge, and no other.
    ///
    /// # Errors
    /// When there is no such repository.
    pub fn allow_merge_methods(
        &self,
        repository: &str,
        methods: &[MergeMethod],
    ) -> Result<(), Trouble> {
        let mut state = self.lock();
        let id = state.repository_id(repository)?;
        let names = methods.iter().map(|method| method.name()).collect();
        state.repository_mut(id)?.merge_methods = names;
        Ok(())
    }

    fn protect(
        &self,
        repository: &str,
        branch: &str,
        asked_by: Requirement,
        change: impl FnOnce(&mut Protection),
    ) -> Result<(), Trouble> {
        let mut state = self.lock();
        let id = state.repository_id(repository)?;
        let protections = &mut state.repository_mut(id)?.protections;
        let protection = protections.entry(branch.to_owned()).or_default();
        protection.by_ruleset = asked_by == Requirement::Ruleset;
        change(protection);
        Ok(())
    }
}
