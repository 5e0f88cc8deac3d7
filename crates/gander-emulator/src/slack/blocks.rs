//! What Slack takes as blocks, and what it refuses.

use serde_json::Value;

const MOST_BLOCKS: usize = 50;
const MOST_ELEMENTS: usize = 25;
const MOST_OPTIONS: usize = 100;

/// Why Slack refuses these blocks, if it does.
pub(super) fn refused(blocks: &Value) -> Option<String> {
    let Some(blocks) = blocks.as_array() else { return Some("not an array".to_owned()) };
    if blocks.len() > MOST_BLOCKS {
        return Some(format!("more than {MOST_BLOCKS} blocks"));
    }
    blocks.iter().find_map(block)
}

fn block(block: &Value) -> Option<String> {
    match block["type"].as_str().unwrap_or_default() {
        "section" => text(&block["text"], 3000, true),
        "header" => text(&block["text"], 150, false),
        "divider" => None,
        "input" => text(&block["label"], 2000, false),
        "context" => {
            let elements = block["elements"].as_array()?;
            if elements.len() > 10 {
                return Some("more than 10 elements in a context".to_owned());
            }
            elements.iter().find_map(|element| text(element, 3000, true))
        }
        "actions" => {
            let Some(elements) = block["elements"].as_array() else {
                return Some("actions without elements".to_owned());
            };
            if elements.is_empty() || elements.len() > MOST_ELEMENTS {
                return Some(format!("{} elements in actions", elements.len()));
            }
            let ids: Vec<&Value> = elements.iter().map(|it| &it["action_id"]).collect();
            if ids.iter().enumerate().any(|(index, id)| ids[..index].contains(id)) {
                return Some("an action_id stands twice".to_owned());
            }
            elements.iter().find_map(element)
        }
        other => Some(format!("unsupported type: {other}")),
    }
}

fn element(element: &Value) -> Option<String> {
    let long = |name: &str, most: usize| {
        let text = element[name].as_str().unwrap_or_default();
        (text.chars().count() > most).then(|| format!("{name} is longer than {most}"))
    };
    match element["type"].as_str().unwrap_or_default() {
        "button" => text(&element["text"], 75, false)
            .or_else(|| long("value", 2000))
            .or_else(|| long("action_id", 255))
            .or_else(|| long("url", 3000))
            .or_else(|| match element["style"].as_str() {
                None | Some("primary" | "danger") => None,
                Some(other) => Some(format!("no style {other}")),
            }),
        "static_select" => {
            let Some(options) = element["options"].as_array() else {
                return Some("a menu without options".to_owned());
            };
            if options.is_empty() || options.len() > MOST_OPTIONS {
                return Some(format!("{} options", options.len()));
            }
            options.iter().find_map(|option| {
                let value = option["value"].as_str().unwrap_or_default().chars().count();
                text(&option["text"], 75, false)
                    .or_else(|| (value == 0 || value > 150).then(|| "an option's value".to_owned()))
            })
        }
        other => Some(format!("unsupported element: {other}")),
    }
}

fn text(object: &Value, most: usize, markup: bool) -> Option<String> {
    let kind = object["type"].as_str().unwrap_or_default();
    if !(kind == "plain_text" || markup && kind == "mrkdwn") {
        return Some(format!("{kind:?} is no text here"));
    }
    let length = object["text"].as_str().unwrap_or_default().chars().count();
    (length == 0 || length > most)
        .then(|| format!("a text of {length} characters, not 1 to {most}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_slack_refuses_is_refused() {
        let section = |length: usize| json!({"type": "section", "text": {"type": "mrkdwn", "text": "x".repeat(length)}});
        let button = |label: usize, value: usize| {
            json!([{"type": "actions", "elements": [{
                "type": "button", "action_id": "a", "value": "v".repeat(value),
                "text": {"type": "plain_text", "text": "x".repeat(label)},
            }]}])
        };
        assert_eq!(refused(&json!([section(3000)])), None);
        assert_eq!(refused(&button(75, 2000)), None);
        let header = json!([{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}]);
        for bad in [
            json!([section(3001)]),
            json!([section(0)]),
            json!(vec![section(1); 51]),
            button(76, 1),
            button(1, 2001),
            header,
            json!([{"type": "actions", "elements": []}]),
            json!([{"type": "video"}]),
        ] {
            assert!(refused(&bad).is_some(), "{bad}");
        }
    }
}
