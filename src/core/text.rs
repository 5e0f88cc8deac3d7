//! Other people's and machines' words, made harmless before they stand in our own text.
//!
//! Invariants: [`boxed`] text cannot end its box, so nothing in it is Markdown, a mention, a
//! closing keyword or another bot's command; [`inline`] text is one line in which none of those
//! work. Both drop control and invisible characters, and what looks like somebody's secret.

use super::leak::without_foreign_secrets;

/// Words of a model or a program as a fenced block that they cannot close. At most `cap`
/// characters.
pub fn boxed(text: &str, cap: usize) -> String {
    let visible = visible(text);
    let clean = without_foreign_secrets(&visible);
    let (shown, cut) = cut(clean.trim_end(), cap);
    let fence = fence_around(shown);
    let note = if cut { "\n[cut here]" } else { "" };
    format!("{fence}text\n{shown}{note}\n{fence}")
}

/// A fence that nothing in a text can close.
pub fn fence_around(text: &str) -> String {
    let longest_run = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(longest_run.max(2) + 1)
}

/// Words of others within one line of ours: whatever could act is put in code marks.
pub fn inline(text: &str, cap: usize) -> String {
    let visible = visible(text);
    let clean = without_foreign_secrets(&visible);
    let one_line = clean.split_whitespace().collect::<Vec<_>>().join(" ");
    let (shown, cut) = cut(&one_line, cap);
    let words = shown
        .split(' ')
        .map(|word| if acts(word) { format!("`{}`", word.replace('`', "'")) } else { plain(word) });
    let mut line = words.collect::<Vec<_>>().join(" ");
    if cut {
        line.push('…');
    }
    line
}

/// Text without characters that people cannot see or that move other text about. Line ends stay.
pub fn visible(text: &str) -> String {
    text.replace("\r\n", "\n")
        .chars()
        .filter(|&c| c == '\n' || c == '\t' || !(c.is_control() || is_invisible(c)))
        .collect()
}

/// Whether people see all of a text, and nothing of it would be left out before it is shown.
pub fn shows_as_it_is(text: &str) -> bool {
    visible(text) == text && without_foreign_secrets(text) == text
}

/// Without a width or a meaning of its own.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Mentions, issue references, links, HTML, formulas and commands of bots.
fn acts(word: &str) -> bool {
    // What may stand before a link or a reference differs from one to the next: any place counts.
    let small = word.to_ascii_lowercase();
    let word = word.trim_start_matches(|c: char| !(c.is_alphanumeric() || c == '/'));
    small.contains(['@', '#', '<', '>', '&', '$'])
        || ["://", "](", "www.", "gh-", "mailto:", "xmpp:"].iter().any(|it| small.contains(it))
        || word.starts_with('/')
        || (small.contains('[') && small.contains(']'))
}

fn plain(word: &str) -> String {
    let mut escaped = String::with_capacity(word.len());
    for c in word.chars() {
        if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '~' | '|' | '!') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

fn cut(text: &str, cap: usize) -> (&str, bool) {
    match text.char_indices().nth(cap) {
        Some((end, _)) => (&text[..end], true),
        None => (text, false),
    }
}

/// Text of ours of at most `most` characters. What is too much is left out in whole lines, said at
/// its end; a box stays closed.
pub fn within(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut room = most.saturating_sub(LINES_LEFT_OUT.len() + 20);
    let (mut kept, mut lines) = (String::new(), text.lines());
    let mut fence = "";
    let mut left_out = 0;
    for line in lines.by_ref() {
        let opens = if fence.is_empty() { fence_of(line) } else { "" };
        // Its end needs as much room as its beginning.
        let needed = line.chars().count() + 1 + opens.len() + usize::from(!opens.is_empty());
        let Some(rest) = room.checked_sub(needed) else {
            left_out = 1;
            break;
        };
        room = rest;
        if !opens.is_empty() {
            fence = opens;
        } else if line == fence {
            fence = "";
        }
        kept.push_str(line);
        kept.push('\n');
    }
    left_out += lines.count();
    if !fence.is_empty() {
        kept.push_str(fence);
        kept.push('\n');
    }
    format!("{}\n\n{}", kept.trim_end(), LINES_LEFT_OUT.replace("{}", &left_out.to_string()))
}

/// What stands for the lines that were left out.
const LINES_LEFT_OUT: &str = "*… and {} more lines, more than GitHub takes in one text.*";

/// The backticks with which a line opens a box, if it does.
fn fence_of(line: &str) -> &str {
    let ticks = line.len() - line.trim_start_matches('`').len();
    if ticks >= 3 { &line[..ticks] } else { "" }
}

/// Where a name stands in a text as a whole word, in bytes. An empty one stands nowhere.
pub fn words_at<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = usize> + 'a {
    let of_word = |c: char| c.is_alphanumeric() || c == '_';
    let places = text.match_indices(name).filter(|it| !it.1.is_empty()).map(|it| it.0);
    places.filter(move |at| {
        let before = text.get(..*at).unwrap_or_default();
        let after = text.get(at + name.len()..).unwrap_or_default();
        !before.ends_with(of_word) && !after.starts_with(of_word)
    })
}

/// A list as people are shown it: its first entries, and how many more there are.
pub fn first_of<T: AsRef<str>>(entries: &[T], most: usize) -> Vec<String> {
    let mut shown: Vec<String> =
        entries.iter().take(most).map(|entry| entry.as_ref().to_owned()).collect();
    if entries.len() > most {
        shown.push(format!("and {} more", entries.len() - most));
    }
    shown
}

/// `a`, `a and b`, `a, b and c`.
pub fn listed<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    match items.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// A title without the numbers behind it, as `(#7) (#12)`: the issue's, and the pull request's that
/// GitHub puts behind what it squashes.
pub fn without_numbers(title: &str) -> (&str, Vec<u64>) {
    let (mut words, mut numbers) = (title.trim_end(), Vec::new());
    while let Some((before, number)) = words.strip_suffix(')').and_then(|it| it.rsplit_once("(#"))
        && let Ok(number) = number.parse()
    {
        words = before.trim_end();
        numbers.push(number);
    }
    (words, numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_behind_a_title_are_read_from_its_end() {
        assert_eq!(without_numbers("fix: a (#12)"), ("fix: a", vec![12]));
        assert_eq!(without_numbers("fix: a (#7) (#12)"), ("fix: a", vec![12, 7]));
        for plain in ["fix: a #12", "fix: a (#x)", "fix: a (#12) again"] {
            assert_eq!(without_numbers(plain), (plain, vec![]));
        }
    }
    use comrak::nodes::NodeValue;
    use proptest::prelude::*;
    use pulldown_cmark::{Event, Parser, Tag};

    #[test]
    fn a_mention_or_closing_word_in_a_title_does_nothing() {
        assert_eq!(
            inline("Fixes #1 for @mona, see https://evil.example `x` /approve", 200),
            "Fixes `#1` for `@mona,` see `https://evil.example` \\`x\\` `/approve`"
        );
        assert_eq!(inline("a\u{202e}b\nc", 200), "ab c");
    }

    #[test]
    fn a_text_that_is_too_long_says_how_much_is_left_out() {
        let text = "one\n".repeat(100);
        assert_eq!(within(&text, 400), text);
        let cut = within(&text, 399);
        assert!(cut.chars().count() <= 399, "{cut}");
        assert!(cut.starts_with("one\none\n"), "{cut}");
        let kept = cut.lines().filter(|line| *line == "one").count();
        assert!(
            cut.ends_with(&format!(
                "*… and {} more lines, more than GitHub takes in one text.*",
                100 - kept
            )),
            "{cut}"
        );
        assert_eq!(
            within(&"x".repeat(200), 100),
            "\n\n*… and 1 more lines, more than GitHub takes in one text.*"
        );
    }

    #[test]
    fn what_looks_like_a_secret_is_not_shown() {
        let key = format!("AKIA{}", "Q7WZ2RT4YK6PB3XM");
        assert_eq!(
            boxed(&format!("the key is {key}\n"), 500),
            "```text\nthe key is (left out: an AWS access key)\n```"
        );
        assert_eq!(inline(&format!("{key}!"), 500), "(left out: an AWS access key)\\!");
        // Nor one that invisible characters break up.
        let hidden = key.replace("Q7", "Q\u{200b}7");
        assert!(!inline(&hidden, 500).contains("WZ2RT4"));
    }

    #[test]
    fn a_box_says_when_it_was_cut() {
        assert_eq!(boxed("abcdef", 3), "```text\nabc\n[cut here]\n```");
    }

    /// What GitHub makes of a Markdown text beside words, code and line ends, in which links are
    /// looked for wherever GitHub looks for them.
    fn acting(markdown: &str) -> Vec<String> {
        let mut options = comrak::Options::default();
        options.extension.strikethrough = true;
        options.extension.table = true;
        options.extension.autolink = true;
        options.extension.tasklist = true;
        options.extension.footnotes = true;
        options.extension.alerts = true;
        options.extension.math_dollars = true;
        let arena = comrak::Arena::new();
        let document = comrak::parse_document(&arena, markdown, &options);
        let values = document.descendants().map(|node| node.data().value.clone());
        let acts = values.filter(|value| match value {
            NodeValue::Text(text) => text.contains(['@', '#', '<']),
            NodeValue::Document
            | NodeValue::Paragraph
            | NodeValue::List(_)
            | NodeValue::Item(_)
            | NodeValue::Code(_)
            | NodeValue::SoftBreak => false,
            _ => true,
        });
        acts.map(|value| format!("{value:?}")).collect()
    }

    #[test]
    fn nothing_in_a_line_becomes_a_link_on_github() {
        for text in [
            "~www.evil.example",
            "*www.evil.example*",
            "x(www.evil.example)",
            "~~https://evil.example~~",
            "mona~evil.example",
            "mail mona@evil.example",
            "mailto:mona@evil.example",
            "-GH-7",
            "[ ] todo",
            "$x$ $`y`$ a[^1]",
            "~/approve",
        ] {
            assert_eq!(acting(&format!("- {}", inline(text, 200))), [] as [&str; 0], "{text}");
        }
        assert_eq!(inline("~/approve -GH-7", 200), "`~/approve` `-GH-7`");
    }

    proptest! {
        #[test]
        fn nothing_acts_in_a_line_on_github(
            text in "(?s:[`~\n a-z<>!\\[\\]()#@*_|/:.$^-]|www\\.|http://|GH-|\\[ \\]){0,30}",
        ) {
            for line in [format!("Title: {}", inline(&text, 500)), format!("- x {}", inline(&text, 500))] {
                prop_assert_eq!(acting(&line), [] as [&str; 0], "{}", line);
            }
        }

        #[test]
        fn nothing_breaks_out_of_its_box(text in "(?s:[`~\n a-z<>!\\[\\]()#@-]{0,80})|\\PC*") {
            let markdown = boxed(&text, 500);
            let events: Vec<_> = Parser::new(&markdown).collect();
            prop_assert!(matches!(events.first(), Some(Event::Start(Tag::CodeBlock(_)))));
            let blocks = events.iter().filter(|e| matches!(e, Event::Start(_))).count();
            prop_assert_eq!(blocks, 1, "{}", markdown);
        }

        #[test]
        fn a_text_that_was_cut_fits_and_leaves_no_box_open(
            inside in "(?s:[`~\n a-z]{0,400})",
            most in 100usize..500,
        ) {
            let text = format!("Before\n\n{}\n\nafter", boxed(&inside, 1000));
            let cut = within(&text, most);
            prop_assert!(cut.chars().count() <= most, "{}", cut);
            let closed = format!("{cut}\n\n# End");
            let ends = Parser::new(&closed).any(|it| matches!(it, Event::Start(Tag::Heading { .. })));
            prop_assert!(ends, "{}", cut);
        }

        #[test]
        fn nothing_acts_in_a_line(text in "(?s:[`~\n a-z<>!\\[\\]()#@*_|/:.-]{0,60})") {
            let line = format!("Title: {}", inline(&text, 500));
            for event in Parser::new(&line) {
                let harmless = match &event {
                    Event::Text(text) => !text.contains(['@', '#', '<']),
                    Event::Code(_) | Event::SoftBreak => true,
                    Event::Start(tag) => matches!(tag, Tag::Paragraph),
                    Event::End(_) => true,
                    _ => false,
                };
                prop_assert!(harmless, "{:?} in {:?}", event, line);
            }
        }
    }
}
