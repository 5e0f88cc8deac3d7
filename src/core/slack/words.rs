//! What people write to Gander on Slack, and how others' words stand in a message.

use super::super::id::RepoName;

/// What somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlackRequest {
    /// To show who they are on GitHub, or with a code to finish that.
    Link(Option<String>),
    /// To be forgotten.
    Unlink,
    /// That this channel talks about a repository.
    Here(Option<RepoName>),
    /// To stop.
    Cancel,
    /// To know how to ask.
    Help,
    /// Work: these words.
    Work(String),
}

/// Reads a message without the mentions it begins with.
pub fn request(text: &str) -> SlackRequest {
    let words = plain(text);
    let words = words.trim();
    let mut parts = words.split_whitespace();
    let first = parts.next().unwrap_or_default().to_ascii_lowercase();
    let second = parts.next();
    let alone = parts.next().is_none();
    match (first.as_str(), second) {
        ("" | "help", None) => SlackRequest::Help,
        ("link", code) if alone => SlackRequest::Link(code.map(str::to_owned)),
        ("unlink", None) => SlackRequest::Unlink,
        ("here", repository) if alone => {
            SlackRequest::Here(repository.and_then(|name| name.parse().ok()))
        }
        ("cancel" | "stop", None) => SlackRequest::Cancel,
        _ => SlackRequest::Work(words.to_owned()),
    }
}

/// The first word that may name a repository, as `owner/name`.
pub fn named_repository(words: &str) -> impl Iterator<Item = RepoName> + '_ {
    let trimmed = |word: &'_ str| -> Option<RepoName> {
        let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let word = word.strip_prefix("https://github.com/").unwrap_or(word);
        (word.matches('/').count() == 1).then(|| word.parse().ok()).flatten()
    };
    words.split_whitespace().filter_map(trimmed)
}

/// A message as people read it: mentions of us and of others fall away, links are their addresses,
/// and what Slack escapes is itself again.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        plain.push_str(before);
        let Some((token, behind)) = after.split_once('>') else {
            plain.push('<');
            rest = after;
            continue;
        };
        match token.split_once('|').unwrap_or((token, "")) {
            (name, _) if name.starts_with(['@', '!']) => {}
            (channel, label) if channel.starts_with('#') => {
                plain.push('#');
                plain.push_str(label);
            }
            (address, _) => plain.push_str(address),
        }
        rest = behind;
    }
    plain.push_str(rest);
    plain.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// Others' words in a message: no mention, no link, no markup of Slack's.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            // A word joiner behind each: neither is the beginning of markup then, nor is an
            // address one that Slack makes a link of.
            '*' | '_' | '~' | '`' | ':' | '@' | '#' => {
                escaped.push(c);
                escaped.push('\u{2060}');
            }
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            c if c.is_control() && c != '\n' => {}
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_to_gander_is_a_word_or_work() {
        let work = |words: &str| SlackRequest::Work(words.to_owned());
        for (text, expected) in [
            ("<@U0BOT>", SlackRequest::Help),
            ("<@U0BOT> help", SlackRequest::Help),
            ("<@U0BOT> link", SlackRequest::Link(None)),
            ("link ABCD-2345", SlackRequest::Link(Some("ABCD-2345".to_owned()))),
            ("<@U0BOT> unlink", SlackRequest::Unlink),
            ("here acme/widgets", SlackRequest::Here("acme/widgets".parse().ok())),
            ("here", SlackRequest::Here(None)),
            ("<@U0BOT> stop", SlackRequest::Cancel),
            ("<@U0BOT> link the docs page", work("link the docs page")),
            ("<@U0BOT> the count is &lt; 3", work("the count is < 3")),
            ("see <https://a.example/x|this>", work("see https://a.example/x")),
            ("a < b", work("a < b")),
        ] {
            assert_eq!(request(text), expected, "{text}");
        }
    }

    #[test]
    fn a_repository_is_found_among_the_words() {
        let found = |words: &str| {
            named_repository(words).map(|name| name.to_string()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(found("in acme/widgets, please"), "acme/widgets");
        assert_eq!(found("(https://github.com/acme/widgets)"), "acme/widgets");
        assert_eq!(found("and/or src/main/x.rs nothing"), "and/or");
    }

    #[test]
    fn nothing_of_others_words_is_markup_or_a_mention() {
        let hostile = "<!channel> <https://evil.example|Approve> *bold* @here https://evil.example";
        let shown = escaped(hostile);
        assert!(!shown.contains(['<', '>']), "{shown}");
        assert!(!shown.contains("://") && !shown.contains("@here"), "{shown}");
        assert_eq!(escaped("a & b"), "a &amp; b");
    }
}
