//! Plans for things to go wrong.
//!
//! Invariants: a plan counts how often it struck, so a test can tell a fault that was survived
//! from a fault that never happened.

use std::time::Duration;

use serde_json::Value;

/// Names a plan that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultId(usize);

/// A request that changes something, in the order of arrival.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mutation {
    /// Counts from one.
    pub number: usize,
    /// `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: String,
    /// The path below the API's root, or the whole path of a push.
    pub path: String,
}

/// Which requests a plan is about.
#[derive(Debug, Clone)]
pub struct FaultOn {
    method: String,
    pattern: String,
    mutation: Option<usize>,
    first: usize,
    times: usize,
}

/// A plan: these requests go wrong like this.
#[derive(Debug, Clone)]
pub struct Fault {
    on: FaultOn,
    effect: Effect,
}

#[derive(Debug, Clone)]
pub(crate) enum Effect {
    /// Answer this; nothing happens.
    Answer { status: u16, headers: Vec<(String, String)>, body: Option<Value> },
    /// Do as asked, later.
    Delay(Duration),
    /// Never answer; nothing happens.
    Hang,
    /// Do as asked, then never answer.
    HangAfter,
    /// Close the connection; nothing happens.
    CutBefore,
    /// Do as asked, then close the connection without an answer.
    CutAfter,
}

#[derive(Default)]
pub(crate) struct Faults {
    plans: Vec<Plan>,
    mutations: Vec<Mutation>,
}

struct Plan {
    fault: Fault,
    seen: usize,
    hits: usize,
    cancelled: bool,
}

impl Fault {
    /// Requests with this method and a path below the API's root that fits `pattern`: `*` stands
    /// for one segment, a last `**` for any rest. Method `*` is any. Pushes and fetches go by
    /// their whole path, as `/acme/widgets.git/git-receive-pack`.
    pub fn on(method: &str, pattern: &str) -> FaultOn {
        FaultOn {
            method: method.to_owned(),
            pattern: pattern.to_owned(),
            mutation: None,
            first: 1,
            times: usize::MAX,
        }
    }

    /// The request that changes something with this number, as in [`Mutation::number`].
    pub fn on_mutation(number: usize) -> FaultOn {
        FaultOn { mutation: Some(number), ..Self::on("*", "**") }
    }

    /// Adds a header to an answer.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        if let Effect::Answer { headers, .. } = &mut self.effect {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// Sets the body of an answer.
    #[must_use]
    pub fn with_body(mut self, json: Value) -> Self {
        if let Effect::Answer { body, .. } = &mut self.effect {
            *body = Some(json);
        }
        self
    }
}

impl FaultOn {
    /// Only the `nth` (from one) of the requests that fit.
    #[must_use]
    pub fn nth(mut self, nth: usize) -> Self {
        (self.first, self.times) = (nth, 1);
        self
    }

    /// Only the first so many of the requests that fit.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    /// Answers with this status; nothing happens.
    pub fn answers(self, status: u16) -> Fault {
        self.with(Effect::Answer { status, headers: Vec::new(), body: None })
    }

    /// Does as asked, but only after this long (real time).
    pub fn delays(self, time: Duration) -> Fault {
        self.with(Effect::Delay(time))
    }

    /// Never answers; nothing happens.
    pub fn hangs(self) -> Fault {
        self.with(Effect::Hang)
    }

    /// Does as asked, then never answers.
    pub fn hangs_after(self) -> Fault {
        self.with(Effect::HangAfter)
    }

    /// Closes the connection; nothing happens.
    pub fn cut_before(self) -> Fault {
        self.with(Effect::CutBefore)
    }

    /// Does as asked, then closes the connection without an answer.
    pub fn cut_after(self) -> Fault {
        self.with(Effect::CutAfter)
    }

    fn with(self, effect: Effect) -> Fault {
        Fault { on: self, effect }
    }

    fn fits(&self, method: &str, path: &str, mutation: Option<usize>) -> bool {
        if self.mutation.is_some() {
            return self.mutation == mutation;
        }
        (self.method == "*" || self.method.eq_ignore_ascii_case(method))
            && fits_path(&self.pattern, path)
    }
}

impl Faults {
    pub(crate) fn plan(&mut self, fault: Fault) -> FaultId {
        self.plans.push(Plan { fault, seen: 0, hits: 0, cancelled: false });
        FaultId(self.plans.len() - 1)
    }

    pub(crate) fn cancel(&mut self, id: FaultId) {
        if let Some(plan) = self.plans.get_mut(id.0) {
            plan.cancelled = true;
        }
    }

    pub(crate) fn hits(&self, id: FaultId) -> usize {
        self.plans.get(id.0).map_or(0, |plan| plan.hits)
    }

    pub(crate) fn mutations(&self) -> Vec<Mutation> {
        self.mutations.clone()
    }

    /// Notes a request and says what goes wrong with it. The first plan that fits wins.
    pub(crate) fn strike(&mut self, method: &str, path: &str) -> Option<Effect> {
        let reads = matches!(method, "GET" | "HEAD" | "OPTIONS") || path.ends_with("upload-pack");
        let mutation = (!reads).then(|| self.mutations.len() + 1);
        if let Some(number) = mutation {
            let (method, path) = (method.to_owned(), path.to_owned());
            self.mutations.push(Mutation { number, method, path });
        }
        let mut effect = None;
        for plan in self.plans.iter_mut().filter(|plan| !plan.cancelled) {
            if !plan.fault.on.fits(method, path, mutation) {
                continue;
            }
            plan.seen += 1;
            let due = plan.seen >= plan.fault.on.first && plan.hits < plan.fault.on.times;
            if due && effect.is_none() {
                plan.hits += 1;
                effect = Some(plan.fault.effect.clone());
            }
        }
        effect
    }
}

fn fits_path(pattern: &str, path: &str) -> bool {
    let mut wanted = pattern.trim_start_matches('/').split('/');
    let mut given = path.trim_start_matches('/').split('/');
    loop {
        match (wanted.next(), given.next()) {
            (Some("**"), _) | (None, None) => return true,
            (Some("*"), Some(_)) => {}
            (Some(one), Some(other)) if one == other => {}
            _ => return false,
        }
    }
}

impl super::Emulator {
    /// Makes a plan for things to go wrong.
    pub fn plan(&self, fault: Fault) -> FaultId {
        self.lock().faults.plan(fault)
    }

    /// The next so many files of releases break off on this side: their names stay, without content.
    pub fn break_uploads(&self, times: usize) {
        self.lock().breaking_uploads = times;
    }

    /// Forgets a plan; its hits stay readable.
    pub fn cancel(&self, fault: FaultId) {
        self.lock().faults.cancel(fault);
    }

    /// How often a plan struck.
    pub fn fault_hits(&self, fault: FaultId) -> usize {
        self.lock().faults.hits(fault)
    }

    /// Every request so far that could change something, answered or not.
    pub fn mutations(&self) -> Vec<Mutation> {
        self.lock().faults.mutations()
    }
}
