//! A card as Slack draws it, within its limits.
//!
//! Invariants: every text is escaped here; a button that does something holds a nonce and nothing
//! else; one that leads somewhere leads to the address that it was given.

use serde_json::{Value, json};

use crate::core::report::SlackCard;
use crate::core::slack::{SlackAction, SlackButton, escaped};

/// Slack takes no more of each.
const LONGEST_SECTION: usize = 3000;
const LONGEST_BUTTON: usize = 75;
const MOST_BUTTONS: usize = 25;
const MOST_OPTIONS: usize = 100;
const LONGEST_FALLBACK: usize = 1000;
/// What Slack suggests as the length of a message's plain text.
const LONGEST_INPUT: usize = 3000;

/// A message: its blocks, and what notifications and screen readers say.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct DrawnCard {
    pub text: String,
    pub blocks: Value,
}

impl DrawnCard {
    /// A few words, and perhaps a button that leads somewhere.
    pub fn words(text: &str, link: Option<(&str, &str)>) -> Self {
        let mut blocks = vec![section(&cut(&escaped(text), LONGEST_SECTION))];
        if let Some((label, url)) = link {
            let button = link_button(0, label, url);
            blocks.push(json!({"type": "actions", "elements": [button]}));
        }
        Self { text: cut(&escaped(text), LONGEST_FALLBACK), blocks: Value::Array(blocks) }
    }
}

/// Draws a card with these buttons; `choices` are the options of its menu.
pub fn draw(card: &SlackCard, buttons: &[SlackButton], choices: &[String]) -> DrawnCard {
    let headline = escaped(&card.headline);
    let mut blocks = vec![section(&cut(&format!("*{headline}*"), LONGEST_SECTION))];
    let lines: Vec<String> = card.lines.iter().map(|line| escaped(line)).collect();
    if !lines.is_empty() {
        blocks.push(section(&cut(&lines.join("\n"), LONGEST_SECTION)));
    }
    let does = buttons.iter().filter(|it| !matches!(it.does, SlackAction::Choose(_)));
    let mut elements: Vec<Value> = does.map(button).collect();
    let options: Vec<Value> = buttons
        .iter()
        .filter_map(|it| {
            let SlackAction::Choose(index) = it.does else { return None };
            let label = cut(choices.get(index)?, LONGEST_BUTTON);
            Some(json!({"text": {"type": "plain_text", "text": label}, "value": it.nonce}))
        })
        .take(MOST_OPTIONS)
        .collect();
    if !options.is_empty() {
        elements.push(json!({
            "type": "static_select", "action_id": "choose", "options": options,
            "placeholder": {"type": "plain_text", "text": "Repository"},
        }));
    }
    let links = card.links.iter().enumerate();
    elements.extend(links.map(|(index, (label, url))| link_button(index, label, url)));
    elements.truncate(MOST_BUTTONS);
    if !elements.is_empty() {
        blocks.push(json!({"type": "actions", "elements": elements}));
    }
    let text = std::iter::once(headline).chain(lines).collect::<Vec<_>>().join("\n");
    DrawnCard { text: cut(&text, LONGEST_FALLBACK), blocks: Value::Array(blocks) }
}

/// The window in which a change is asked for.
pub(super) fn window(metadata: &str) -> Value {
    json!({
        "type": "modal", "callback_id": "revise", "private_metadata": metadata,
        "title": {"type": "plain_text", "text": "Ask for a change"},
        "submit": {"type": "plain_text", "text": "Ask"},
        "close": {"type": "plain_text", "text": "Close"},
        "blocks": [{
            "type": "input", "block_id": "words",
            "label": {"type": "plain_text", "text": "What should be different?"},
            "element": {
                "type": "plain_text_input", "action_id": "words", "multiline": true,
                "max_length": LONGEST_INPUT,
            },
        }],
    })
}

fn button(button: &SlackButton) -> Value {
    let (label, id, style) = match button.does {
        SlackAction::Go => ("Go", "go", Some("primary")),
        SlackAction::Revise => ("Ask for a change", "revise", None),
        SlackAction::Cancel => ("Cancel", "cancel", Some("danger")),
        SlackAction::Release => ("Release", "release", Some("primary")),
        SlackAction::Choose(_) => ("Choose", "choose", None),
    };
    let text = json!({"type": "plain_text", "text": label});
    let mut shape = json!({
        "type": "button", "action_id": id, "text": text, "value": button.nonce,
    });
    if let Some(style) = style {
        shape["style"] = json!(style);
    }
    if button.does == SlackAction::Cancel {
        shape["confirm"] = json!({
            "title": {"type": "plain_text", "text": "Stop this work?"},
            "text": {"type": "plain_text", "text": "Branch and pull request are taken back."},
            "confirm": {"type": "plain_text", "text": "Stop it"},
            "deny": {"type": "plain_text", "text": "Go on"},
        });
    }
    shape
}

fn link_button(index: usize, label: &str, url: &str) -> Value {
    let text = json!({"type": "plain_text", "text": cut(label, LONGEST_BUTTON)});
    json!({"type": "button", "action_id": format!("open{index}"), "text": text, "url": url})
}

fn section(text: &str) -> Value {
    json!({"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": true}})
}

/// No longer than so many characters, and never within an escape.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(most - 1).collect();
    if let Some(at) = cut.rfind('&')
        && !cut.get(at..).unwrap_or_default().contains(';')
    {
        cut.truncate(at);
    }
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(words: &str) -> SlackCard {
        SlackCard {
            headline: words.to_owned(),
            lines: vec![words.to_owned(); 20],
            state: String::new(),
            actions: Vec::new(),
            links: vec![(words.to_owned(), "https://github.test/x".to_owned())],
            notifies: false,
        }
    }

    #[test]
    fn whatever_is_said_a_card_keeps_to_slacks_limits() {
        let hostile = "<!channel> & <https://evil.example|Approve> ".repeat(200);
        let does = |index: usize| SlackButton {
            nonce: index.to_string(),
            does: if index == 0 { SlackAction::Cancel } else { SlackAction::Choose(index) },
        };
        let buttons: Vec<SlackButton> = (0..150).map(does).collect();
        let drawn = draw(&card(&hostile), &buttons, &vec![hostile.clone(); 150]);
        for block in drawn.blocks.as_array().unwrap() {
            let text = block["text"]["text"].as_str().unwrap_or_default();
            assert!(text.chars().count() <= LONGEST_SECTION);
            assert!(!text.contains('<') && !text.ends_with("&l"), "{text}");
        }
        assert!(!drawn.text.contains('<'));
        assert_eq!(cut("ab&amp;cd", 5), "ab…");
    }
}
