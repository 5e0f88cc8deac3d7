//! The checklist as a page: looked at while somebody waits, line by line.
//!
//! Invariants: one examination is under way at a time, whoever asks; it begins when an operator asks
//! for it and never by itself; the page runs no script: the browser asks again until all is known.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::response::Response;
use futures_util::future::BoxFuture;
use http::StatusCode;

use super::setup::pages::{CheckPage, Style, page};
use crate::core::checklist::{ChecklistItem, summary};

/// Who is told each item as soon as it is known.
pub type Tell = Arc<dyn Fn(ChecklistItem) + Send + Sync>;
/// Looks at everything.
pub type Examine = Arc<dyn Fn(Tell) -> BoxFuture<'static, ()> + Send + Sync>;

/// What is known by now. Clones share it.
#[derive(Clone)]
pub struct LiveChecklist {
    examine: Examine,
    seen: Arc<Mutex<SeenSoFar>>,
}

#[derive(Default)]
struct SeenSoFar {
    items: Vec<ChecklistItem>,
    is_running: bool,
    was_begun: bool,
}

impl LiveChecklist {
    /// A list that nobody has looked at yet.
    pub fn new(examine: Examine) -> Self {
        Self { examine, seen: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, SeenSoFar> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to look, unless somebody does already.
    pub(super) fn begin(&self) {
        {
            let mut seen = self.lock();
            if seen.is_running {
                return;
            }
            *seen = SeenSoFar { items: Vec::new(), is_running: true, was_begun: true };
        }
        let (this, list) = (self.clone(), self.clone());
        let tell: Tell = Arc::new(move |item| list.lock().items.push(item));
        let looking = tokio::spawn((self.examine)(tell));
        tokio::spawn(async move {
            if let Err(error) = looking.await {
                tracing::error!(%error, "looking at the checklist broke off");
            }
            this.lock().is_running = false;
        });
    }

    /// The page; the first who opens it begins. `action`: where its form goes. `back`: where its
    /// link leads, if anywhere.
    pub(super) fn show(&self, action: &str, form: &str, back: Option<&str>) -> Response {
        if !self.lock().was_begun {
            self.begin();
        }
        let seen = self.lock();
        let shown = CheckPage {
            style: Style,
            items: &seen.items,
            is_running: seen.is_running,
            summary: summary(&seen.items),
            action,
            form,
            back,
        };
        page(StatusCode::OK, &shown)
    }
}
