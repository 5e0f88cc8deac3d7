//! The model of the demo: it knows two issues by heart, and says of any other that it does not.
//!
//! Invariants: which script is played follows from the task alone.

use async_trait::async_trait;

use super::AnyError;
use super::project::DemoProject;
use crate::model::{Message, Model, ModelError, ModelReply, Price, Request, Scripted};

/// What it says of an issue that it does not know.
const UNKNOWN: &str = r#"{"attempts": [[{"calls": [{"tool": "finish", "nothing_to_fix": true,
    "summary": "This is the demo's model, which only knows the two issues that came with it. A real one is named in the settings."}]}]]}"#;

/// Plays the script of the issue that it is asked about.
pub(super) struct DemoModel {
    told: Scripted,
    spare: Scripted,
    spare_title: &'static str,
    title: &'static str,
    unknown: Scripted,
}

impl DemoModel {
    /// # Errors
    /// When a script is none.
    pub(super) fn of(project: &DemoProject) -> Result<Self, AnyError> {
        Ok(Self {
            told: project.script.parse()?,
            title: project.issue_title,
            spare: project.spare.script.parse()?,
            spare_title: project.spare.title,
            unknown: UNKNOWN.parse()?,
        })
    }

    fn script(&self, request: &Request<'_>) -> &Scripted {
        let is_about = |title: &str| {
            let mut told = request.messages.iter();
            told.any(|message| matches!(message, Message::User(text) if text.contains(title)))
        };
        if is_about(self.spare_title) {
            &self.spare
        } else if is_about(self.title) {
            &self.told
        } else {
            &self.unknown
        }
    }
}

#[async_trait]
impl Model for DemoModel {
    fn name(&self) -> &str {
        self.told.name()
    }

    fn price(&self) -> Price {
        self.told.price()
    }

    async fn respond(&self, request: &Request<'_>) -> Result<ModelReply, ModelError> {
        self.script(request).respond(request).await
    }
}
