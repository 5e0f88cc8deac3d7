//! What GraphQL can change: threads are resolved, unresolved and replied to.

use serde_json::Value;

use super::object::from_node_id;
use super::{Arguments, Object, Problem, Resolved, may, sees};
use crate::acts;
use crate::api::Call;
use crate::level::Level;

/// The input object, of which every field must be used.
fn input(mut arguments: Arguments, known: &[&str]) -> Result<Value, Problem> {
    let input = arguments.required("input")?;
    arguments.end()?;
    let fields = input.as_object().into_iter().flat_map(|fields| fields.keys());
    match fields.into_iter().find(|name| !known.contains(&name.as_str())) {
        None => Ok(input),
        Some(name) => {
            let words = format!("InputObject doesn't accept argument '{name}'");
            Err(Problem::senseless(words))
        }
    }
}

/// The thread of an id: its repository and the comment that began it.
fn thread(call: &Call<'_>, id: &Value) -> Result<(u64, u64), Problem> {
    let id = id.as_str().unwrap_or_default();
    let missing =
        || Problem::not_found(format!("Could not resolve to a node with the global id of '{id}'"));
    match from_node_id(call.state, id) {
        Some(Object::Thread(repository, root)) if sees(call, repository) => Ok((repository, root)),
        _ => Err(missing()),
    }
}

pub(super) fn field(
    call: &mut Call<'_>,
    name: &str,
    arguments: Arguments,
) -> Result<Resolved, Problem> {
    match name {
        "resolveReviewThread" | "unresolveReviewThread" => {
            let input = input(arguments, &["threadId", "clientMutationId"])?;
            let (repository, root) = thread(call, &input["threadId"])?;
            // GitHub asks for both: to resolve is to write to the repository.
            let granted = ["pull_requests", "contents"];
            if !granted.iter().all(|one| may(call, repository, &[one], Level::Write)) {
                return Err(Problem::forbidden());
            }
            let actor = call.actor()?;
            let resolved = name == "resolveReviewThread";
            acts::set_resolved(call.state, repository, root, actor, resolved)?;
            let kind = if resolved {
                "ResolveReviewThreadPayload"
            } else {
                "UnresolveReviewThreadPayload"
            };
            Ok(Resolved::One(Some(Object::Payload {
                kind,
                holds: "thread",
                object: Box::new(Object::Thread(repository, root)),
                mutation_id: input["clientMutationId"].clone(),
            })))
        }
        "addPullRequestReviewThreadReply" => {
            let known =
                ["pullRequestReviewThreadId", "body", "clientMutationId", "pullRequestReviewId"];
            let input = input(arguments, &known)?;
            if input["pullRequestReviewId"].is_string() {
                let words = "The emulator has no pending reviews".to_owned();
                return Err(Problem::senseless(words));
            }
            let (repository, root) = thread(call, &input["pullRequestReviewThreadId"])?;
            if !may(call, repository, &["pull_requests"], Level::Write) {
                return Err(Problem::forbidden());
            }
            let (actor, body) = (call.actor()?, input["body"].as_str().unwrap_or_default());
            if body.trim().is_empty() {
                return Err(Problem::refused("Body can't be blank".to_owned()));
            }
            let comment = acts::reply(call.state, repository, root, actor, body)?;
            Ok(Resolved::One(Some(Object::Payload {
                kind: "AddPullRequestReviewThreadReplyPayload",
                holds: "comment",
                object: Box::new(Object::ReviewComment(repository, comment)),
                mutation_id: input["clientMutationId"].clone(),
            })))
        }
        other => {
            let words = format!("Field '{other}' doesn't exist on type 'Mutation'");
            Err(Problem::senseless(words))
        }
    }
}
