//! The shape every conversation keeps: providers refuse anything else, so we find it first.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Message, Part, Request, ToolResult};

/// Checks a request before it is sent.
///
/// # Errors
/// The first broken rule, naming the message (from 1) that breaks it.
pub fn check(request: &Request<'_>) -> Result<(), String> {
    if request.max_output_tokens == 0 {
        return Err("a reply of no tokens was asked for".to_owned());
    }
    check_tools(request)?;
    check_turns(request.messages)?;
    check_calls(request.messages)
}

fn check_tools(request: &Request<'_>) -> Result<(), String> {
    let mut names = BTreeSet::new();
    for tool in request.tools {
        let name = tool.name.as_str();
        let well_formed = (1..=64).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        if !well_formed {
            return Err(format!("{name:?} is not a tool name"));
        }
        if !names.insert(name) {
            return Err(format!("the tool {name} is offered twice"));
        }
        if tool.parameters.get("type").and_then(|kind| kind.as_str()) != Some("object") {
            return Err(format!("the parameters of the tool {name} are not an object schema"));
        }
    }
    Ok(())
}

/// User first, then answers and user's turns in alternation, user last. A word of ours may follow
/// tool results, since both belong to the user's turn.
fn check_turns(messages: &[Message]) -> Result<(), String> {
    let mut previous: Option<&Message> = None;
    for (at, message) in messages.iter().enumerate().map(|(at, message)| (at + 1, message)) {
        match (previous, message) {
            (None, Message::User(_)) => {}
            (None, _) => return Err("the first message is not the user's".to_owned()),
            (Some(Message::User(_)), Message::User(_)) => {
                return Err(format!("message {at}: the user speaks twice in a row"));
            }
            (Some(Message::Assistant(_)), Message::Assistant(_)) => {
                return Err(format!("message {at}: the model speaks twice in a row"));
            }
            (Some(Message::User(_) | Message::ToolResults(_)), Message::ToolResults(_)) => {
                return Err(format!("message {at}: tool results answer no call"));
            }
            _ => {}
        }
        if matches!(message, Message::User(text) if text.trim().is_empty()) {
            return Err(format!("message {at}: the user says nothing"));
        }
        previous = Some(message);
    }
    match previous {
        None => Err("there is no message".to_owned()),
        Some(Message::Assistant(_)) => Err("the last message is the model's own".to_owned()),
        Some(_) => Ok(()),
    }
}

/// Every call has exactly one result, in the very next message; no result has no call.
fn check_calls(messages: &[Message]) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    let mut open = BTreeSet::new();
    for (at, message) in messages.iter().enumerate().map(|(at, message)| (at + 1, message)) {
        match message {
            Message::ToolResults(results) => answer(&mut open, results, at)?,
            _ if !open.is_empty() => {}
            Message::Assistant(parts) => {
                for part in parts {
                    let Part::ToolCall { id, .. } = part else { continue };
                    if id.is_empty() || !seen.insert(id.as_str()) {
                        return Err(format!("message {at}: the call id {id:?} is not unique"));
                    }
                    open.insert(id.as_str());
                }
                continue;
            }
            Message::User(_) => {}
        }
        if let Some(id) = open.first() {
            return Err(format!("message {at}: the call {id:?} has no result"));
        }
    }
    Ok(())
}

fn answer(open: &mut BTreeSet<&str>, results: &[ToolResult], at: usize) -> Result<(), String> {
    if results.is_empty() {
        return Err(format!("message {at}: there is no tool result in it"));
    }
    for result in results {
        let id = result.call_id.as_str();
        if !open.remove(id) {
            return Err(format!("message {at}: the result {id:?} answers no open call"));
        }
    }
    Ok(())
}

/// Gives a new id to every call whose id is empty or was used before in the conversation: some
/// providers count from zero in each answer.
pub(super) fn make_ids_unique(parts: &mut [Part], messages: &[Message]) {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for message in messages {
        let Message::Assistant(parts) = message else { continue };
        seen.extend(parts.iter().filter_map(|part| match part {
            Part::ToolCall { id, .. } => Some(id.clone()),
            _ => None,
        }));
    }
    for part in parts {
        let Part::ToolCall { id, .. } = part else { continue };
        if id.is_empty() || seen.contains(id) {
            let unused = (seen.len()..).map(|n| format!("call_{n}")).find(|id| !seen.contains(id));
            *id = unused.unwrap_or_default();
        }
        seen.insert(id.clone());
    }
}

/// The arguments as an object, which is all that providers take back.
pub(super) fn as_object(arguments: &Value) -> Value {
    match arguments {
        Value::Object(_) => arguments.clone(),
        Value::Null => serde_json::json!({}),
        broken => serde_json::json!({ "unreadable_arguments": broken }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::ToolSpec;
    use super::*;

    fn user() -> Message {
        Message::User("please".to_owned())
    }

    fn calls(ids: &[&str]) -> Message {
        let call = |id: &&str| Part::ToolCall {
            id: (*id).to_owned(),
            name: "read".to_owned(),
            arguments: json!({}),
        };
        Message::Assistant(ids.iter().map(call).collect())
    }

    fn results(ids: &[&str]) -> Message {
        let result = |id: &&str| ToolResult {
            call_id: (*id).to_owned(),
            text: "done".to_owned(),
            is_error: false,
        };
        Message::ToolResults(ids.iter().map(result).collect())
    }

    fn request<'a>(messages: &'a [Message], tools: &'a [ToolSpec]) -> Request<'a> {
        Request {
            attempt: 1,
            round: 0,
            system: "",
            tools,
            messages,
            pictures: &[],
            max_output_tokens: 100,
        }
    }

    #[test]
    fn a_well_formed_conversation_is_accepted() {
        for messages in [
            vec![user()],
            vec![user(), calls(&["a", "b"]), results(&["b", "a"])],
            vec![user(), calls(&["a"]), results(&["a"]), user()],
            vec![user(), calls(&["a"]), results(&["a"]), calls(&[]), user()],
        ] {
            assert_eq!(check(&request(&messages, &[])), Ok(()), "{messages:?}");
        }
    }

    #[test]
    fn every_broken_conversation_is_refused_with_the_place_and_the_rule() {
        for (messages, complaint) in [
            (vec![], "there is no message"),
            (vec![calls(&[])], "the first message is not the user's"),
            (vec![user(), user()], "message 2: the user speaks twice in a row"),
            (vec![Message::User(" ".to_owned())], "message 1: the user says nothing"),
            (vec![user(), calls(&[])], "the last message is the model's own"),
            (vec![user(), calls(&["a"])], "the last message is the model's own"),
            (
                vec![user(), calls(&[]), calls(&[]), user()],
                "message 3: the model speaks twice in a row",
            ),
            (vec![user(), results(&["a"])], "message 2: tool results answer no call"),
            (
                vec![user(), calls(&["a", "b"]), results(&["a"])],
                "message 3: the call \"b\" has no result",
            ),
            (vec![user(), calls(&["a"]), user()], "message 3: the call \"a\" has no result"),
            (
                vec![user(), calls(&["a"]), results(&["a", "a"])],
                "message 3: the result \"a\" answers no open call",
            ),
            (
                vec![user(), calls(&["a"]), results(&["a", "z"])],
                "message 3: the result \"z\" answers no open call",
            ),
            (
                vec![user(), calls(&["a", "a"]), results(&["a"])],
                "message 2: the call id \"a\" is not unique",
            ),
            (
                vec![user(), calls(&["a"]), results(&["a"]), calls(&["a"]), results(&["a"])],
                "message 4: the call id \"a\" is not unique",
            ),
            (vec![user(), calls(&[]), results(&[])], "message 3: there is no tool result in it"),
        ] {
            assert_eq!(check(&request(&messages, &[])), Err(complaint.to_owned()));
        }
    }

    #[test]
    fn tools_that_a_provider_would_refuse_are_refused_here() {
        let tool = |name: &str, parameters| ToolSpec {
            name: name.to_owned(),
            description: String::new(),
            parameters,
        };
        let schema = json!({"type": "object"});
        for (tools, complaint) in [
            (vec![tool("read file", schema.clone())], "\"read file\" is not a tool name"),
            (
                vec![tool("read", schema.clone()), tool("read", schema)],
                "the tool read is offered twice",
            ),
            (
                vec![tool("read", json!({}))],
                "the parameters of the tool read are not an object schema",
            ),
        ] {
            assert_eq!(check(&request(&[user()], &tools)), Err(complaint.to_owned()));
        }
    }

    #[test]
    fn repeated_call_ids_are_replaced() {
        let call = |id: &str| Part::ToolCall {
            id: id.to_owned(),
            name: "read".to_owned(),
            arguments: json!({}),
        };
        let earlier = [Message::Assistant(vec![call("call_0"), call("call_1")])];
        let mut parts = [call("call_0"), call(""), call("own"), call("own")];
        make_ids_unique(&mut parts, &earlier);
        let ids: BTreeSet<_> = parts
            .iter()
            .map(|part| match part {
                Part::ToolCall { id, .. } => id.as_str(),
                _ => unreachable!(),
            })
            .collect();
        assert_eq!(ids.len(), 4);
        assert!(ids.contains("own") && !ids.contains("") && !ids.contains("call_0"));
    }
}
