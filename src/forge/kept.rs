//! What our own comments keep, where no server remembers.
//!
//! Invariants: a comment counts by its author, and only while nobody else was the last to edit it;
//! whoever may write in the repository may edit what a program said.

use serde::Deserialize;
use serde_json::json;

use super::{Forge, ForgeError, Scope};
use crate::core::github::RepoRef;
use crate::core::id::{Number, UserId};

const EDITOR: &str = "\
query($id: ID!) {
  node(id: $id) {
    ... on IssueComment {
      databaseId
      lastEditedAt
      editor {
        ... on Bot {
          databaseId
        }
      }
    }
  }
}";

#[derive(Debug, Deserialize)]
struct EditorAnswer {
    node: Option<EditedComment>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EditedComment {
    #[serde(default)]
    database_id: Option<u64>,
    #[serde(default)]
    last_edited_at: Option<String>,
    #[serde(default)]
    editor: Option<BotEditor>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BotEditor {
    #[serde(default)]
    database_id: Option<UserId>,
}

impl Forge {
    /// The texts of our comments on a page that end like this and that are ours to the last word,
    /// oldest first.
    pub async fn own_words(
        &self,
        repo: &RepoRef,
        number: Number,
        end: &str,
    ) -> Result<Vec<String>, ForgeError> {
        let mut own = Vec::new();
        for comment in self.comments_ending(repo, number, end).await? {
            let Some(node) = &comment.node_id else { continue };
            let doing = "asking who edited our comment";
            let variables = json!({ "id": node });
            let answer: EditorAnswer =
                self.query(repo, Scope::Read, EDITOR, variables, doing).await?;
            let Some(seen) = answer.node.filter(|it| it.database_id == Some(comment.id.0)) else {
                continue;
            };
            let editor = seen.editor.and_then(|editor| editor.database_id);
            if seen.last_edited_at.is_some() && editor != Some(self.account().await?) {
                tracing::warn!(%number, comment = %comment.id, "somebody edited our comment: it does not count");
                continue;
            }
            own.extend(comment.body);
        }
        Ok(own)
    }
}
