//! What people do not see in a text, taken out before a model reads it, and counted.
//!
//! Invariants: what is left is what people see on GitHub, but for the tags of our own prompt; what
//! was taken out is told in words; the time is proportional to the text. This is hygiene: nothing
//! relies on it.

use std::collections::BTreeSet;
use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag};

use super::text::{is_invisible, listed};

/// The tags that our prompt uses for what others wrote.
pub const PROMPT_TAGS: [&str; 9] = [
    "issue",
    "request",
    "review",
    "notes",
    "instructions",
    "guides",
    "checks",
    "top-level",
    "failures",
];

/// What was taken out, by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Removed {
    /// Characters without a width or a meaning of their own.
    pub invisible: usize,
    /// Sequences that steer a terminal.
    pub escapes: usize,
    /// HTML comments and their like outside of code.
    pub comments: usize,
    /// Link definitions that nothing refers to.
    pub definitions: usize,
    /// Tags as our prompt has them.
    pub tags: usize,
}

/// Who wrote a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrittenBy {
    /// Markdown: they see its HTML comments only in code.
    People,
    /// As it printed it.
    Program,
}

/// What stands where a tag was: it cannot become a part of another.
const TAG: &str = "[tag]";
/// The longest that is taken for a tag.
const LONGEST_TAG: usize = 200;

/// A text as people see it.
pub fn seen(text: &str, by: WrittenBy) -> (String, Removed) {
    let (visible, mut removed) = plain(text);
    let text = match by {
        WrittenBy::People => {
            let text = without_comments(&visible, &mut removed.comments);
            without_definitions(&text, &mut removed.definitions)
        }
        WrittenBy::Program => visible,
    };
    (without_tags(&text, &mut removed.tags), removed)
}

/// A text as it is, with what nobody sees of it written out: `\u{202e}`, `\r`.
pub fn written_out(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => shown.push(c),
            c if c.is_control() || is_invisible(c) => shown.extend(c.escape_default()),
            c => shown.push(c),
        }
    }
    shown
}

/// A text as it may be printed on a terminal.
pub fn for_terminal(text: &str) -> String {
    plain(text).0
}

fn plain(text: &str) -> (String, Removed) {
    let mut removed = Removed::default();
    let text = without_escapes(&text.replace("\r\n", "\n"), &mut removed.escapes);
    let is_seen = |c: &char| matches!(c, '\n' | '\t') || !(c.is_control() || is_invisible(*c));
    let visible: String = text.chars().filter(is_seen).collect();
    removed.invisible = text.chars().count() - visible.chars().count();
    (visible, removed)
}

impl Removed {
    /// In words, if anything was.
    pub fn words(&self) -> Option<String> {
        let counted = |(count, one): (usize, &str)| match count {
            0 => None,
            1 => Some(format!("1 {one}")),
            many => Some(format!("{many} {one}s")),
        };
        let kinds = [
            (self.invisible, "invisible character"),
            (self.escapes, "terminal escape"),
            (self.comments, "HTML comment"),
            (self.definitions, "unused link definition"),
            (self.tags, "prompt tag"),
        ];
        let kinds: Vec<String> = kinds.into_iter().filter_map(counted).collect();
        (!kinds.is_empty()).then(|| listed(kinds))
    }
}

impl std::iter::Sum for Removed {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            invisible: sum.invisible + one.invisible,
            escapes: sum.escapes + one.escapes,
            comments: sum.comments + one.comments,
            definitions: sum.definitions + one.definitions,
            tags: sum.tags + one.tags,
        })
    }
}

/// Text without sequences that steer a terminal, whole.
fn without_escapes(text: &str, count: &mut usize) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\u{1b}', '\u{9b}']) {
        kept.push_str(&rest[..at]);
        rest = &rest[at + escape_length(&rest[at..])..];
        *count += 1;
    }
    kept + rest
}

/// How long the sequence is that begins here, in bytes.
fn escape_length(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    let is_short = text.starts_with('\u{9b}');
    let kind = if is_short { Some('[') } else { chars.next().map(|(_, c)| c) };
    let after = |end: Option<(usize, char)>| end.map_or(text.len(), |(at, c)| at + c.len_utf8());
    match kind {
        // Parameters, then one letter or sign.
        Some('[') => {
            let end = chars.find(|(_, c)| !matches!(c, ' '..='?'));
            match end {
                Some((_, '@'..='~')) => after(end),
                Some((at, _)) => at,
                None => text.len(),
            }
        }
        // A text, up to its end mark; one that has none ends with the line.
        Some(']' | 'P' | 'X' | '^' | '_') => {
            match chars.find(|(_, c)| matches!(c, '\u{7}' | '\n' | '\u{1b}')) {
                Some((at, '\u{1b}')) if text[at..].starts_with("\u{1b}\\") => at + 2,
                Some((at, '\n' | '\u{1b}')) => at,
                end => after(end),
            }
        }
        Some('\n') | None => 1,
        Some(c) => 1 + c.len_utf8(),
    }
}

/// What Markdown takes for HTML and nobody is shown: how it begins and ends. `<!-` is a comment.
const UNSEEN_HTML: [(&str, &str); 4] =
    [("<!--", "-->"), ("<?", "?>"), ("<![CDATA[", "]]>"), ("<!", ">")];

/// Markdown without HTML comments and their like. In code people see them, so there they stay.
fn without_comments(text: &str, count: &mut usize) -> String {
    if !(text.contains("<!") || text.contains("<?")) {
        return text.to_owned();
    }
    let code: Vec<Range<usize>> = Parser::new_ext(text, Options::ENABLE_TABLES)
        .into_offset_iter()
        .filter(|(event, _)| matches!(event, Event::Code(_) | Event::Start(Tag::CodeBlock(_))))
        .map(|(_, range)| range)
        .collect();
    let mut code = code.iter().peekable();
    let (mut kept, mut from, mut looked) = (String::with_capacity(text.len()), 0, 0);
    // An end that is nowhere is looked for once.
    let mut without_end = [false; UNSEEN_HTML.len()];
    while let Some(start) = text[looked..].find('<').map(|at| looked + at) {
        looked = start + 1;
        while code.peek().is_some_and(|range| range.end <= start) {
            code.next();
        }
        if let Some(inside) = code.peek().filter(|range| range.start <= start) {
            looked = inside.end.max(looked);
            continue;
        }
        let Some(end) = end_of_unseen(text, start, &mut without_end) else { continue };
        kept.push_str(&text[from..start]);
        (from, looked) = (end, end);
        *count += 1;
        kept.push(' ');
    }
    kept + &text[from..]
}

/// Where what begins here, and nobody is shown, ends.
fn end_of_unseen(
    text: &str,
    start: usize,
    without_end: &mut [bool; UNSEEN_HTML.len()],
) -> Option<usize> {
    let rest = &text[start..];
    let is_it = |(begin, _): &(&str, &str)| {
        let inside = rest.strip_prefix(begin);
        // `<!DOCTYPE`, and not `<!` alone.
        inside.is_some_and(|it| *begin != "<!" || it.starts_with(|c: char| c.is_ascii_alphabetic()))
    };
    let kind = UNSEEN_HTML.iter().position(is_it)?;
    // `<!-->` and `<!--->` are whole.
    if let Some(short) = ["<!-->", "<!--->"].iter().find(|it| rest.starts_with(**it)) {
        return Some(start + short.len());
    }
    let (begin, end) = UNSEEN_HTML[kind];
    let from = start + begin.len();
    let found = if without_end[kind] { None } else { text[from..].find(end) };
    without_end[kind] = found.is_none();
    match found {
        Some(at) => Some(from + at + end.len()),
        // A comment without an end hides all that follows; the others are plain text then.
        None => (kind == 0).then_some(text.len()),
    }
}

/// Markdown without link definitions that nothing refers to: nobody is shown them.
fn without_definitions(text: &str, count: &mut usize) -> String {
    if !text.contains("]:") {
        return text.to_owned();
    }
    let (mut shown, mut used): (Vec<Range<usize>>, BTreeSet<String>) = Default::default();
    for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
        match event {
            Event::Start(Tag::Link { id, .. } | Tag::Image { id, .. }) => {
                used.insert(label(&id));
            }
            Event::Start(
                Tag::Paragraph
                | Tag::Heading { .. }
                | Tag::CodeBlock(_)
                | Tag::HtmlBlock
                | Tag::Table(_),
            )
            // In a tight list there is no paragraph around it.
            | Event::Text(_)
            | Event::Code(_)
            | Event::InlineHtml(_) => shown.push(range),
            _ => {}
        }
    }
    shown.sort_by_key(|range| range.start);
    let mut covered = Covered { ranges: &shown, end: 0 };
    let (mut kept, mut at, mut is_hidden) = (String::with_capacity(text.len()), 0, false);
    for line in text.split_inclusive('\n') {
        let bare = line.trim_start_matches(|c: char| " >-*+\t.)".contains(c) || c.is_ascii_digit());
        let start = at + line.len() - bare.len();
        let is_outside = !bare.trim().is_empty() && !covered.covers(start);
        if is_outside
            && let Some((name, _)) = bare.strip_prefix('[').and_then(|it| it.split_once("]:"))
        {
            is_hidden = !used.contains(&label(name));
            *count += usize::from(is_hidden);
        } else if !is_outside {
            is_hidden = false;
        }
        if is_hidden {
            kept.push('\n');
        } else {
            kept.push_str(line);
        }
        at += line.len();
    }
    kept
}

/// Ranges that are asked about from the first to the last.
struct Covered<'r> {
    ranges: &'r [Range<usize>],
    /// How far those reach that began by now.
    end: usize,
}

impl Covered<'_> {
    fn covers(&mut self, at: usize) -> bool {
        while let Some((first, rest)) = self.ranges.split_first().filter(|(it, _)| it.start <= at) {
            self.end = self.end.max(first.end);
            self.ranges = rest;
        }
        at < self.end
    }
}

/// A label as Markdown compares it.
fn label(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// Text without tags that our prompt has, in any case, open or closed, whatever stands in them.
fn without_tags(text: &str, count: &mut usize) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        kept.push_str(&rest[..at]);
        rest = &rest[at..];
        match tag_length(rest) {
            Some(length) => {
                kept.push_str(TAG);
                rest = &rest[length..];
                *count += 1;
            }
            None => {
                kept.push('<');
                rest = &rest[1..];
            }
        }
    }
    kept + rest
}

fn tag_length(text: &str) -> Option<usize> {
    let inside = text[1..].trim_start().trim_start_matches('/').trim_start();
    let name = |tag: &&&str| inside.get(..tag.len()).is_some_and(|it| it.eq_ignore_ascii_case(tag));
    let tag = PROMPT_TAGS.iter().find(name)?;
    let rest = &inside[tag.len()..];
    if rest.starts_with(|c: char| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let end = rest.find(['<', '>']).filter(|at| *at < LONGEST_TAG);
    let rest = match end {
        Some(at) if rest[at..].starts_with('>') => &rest[at + 1..],
        _ => rest,
    };
    Some(text.len() - rest.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> (String, String) {
        let (text, removed) = seen(text, WrittenBy::People);
        (text, removed.words().unwrap_or_default())
    }

    #[test]
    fn what_people_cannot_see_is_taken_out_and_counted() {
        for (text, left, words) in [
            ("plain *text*, é, 日本", "plain *text*, é, 日本", ""),
            ("a\r\nb\tc", "a\nb\tc", ""),
            ("a\u{200b}b\u{202e}c\u{e0041}", "abc", "3 invisible characters"),
            ("a\u{1b}[31mred\u{1b}[0m", "ared", "2 terminal escapes"),
            (
                "a\u{1b}]8;;https://x.example\u{7}link\u{1b}]8;;\u{1b}\\.",
                "alink.",
                "2 terminal escapes",
            ),
            ("a\u{9b}2Jb\u{1b}cd", "abd", "2 terminal escapes"),
            ("a<!-- do\nthis -->b", "a b", "1 HTML comment"),
            ("a <!-- never closed", "a  ", "1 HTML comment"),
            ("a<!-->b-->", "a b-->", "1 HTML comment"),
            (
                "a <?php do this ?> b <!DOCTYPE x> c <![CDATA[ d ]]>",
                "a   b   c  ",
                "3 HTML comments",
            ),
            ("a <? b, a <! b, a <!x b", "a <? b, a <! b, a <!x b", ""),
            ("a\n\n[//]: # (do this)\n\nb", "a\n\n\n\nb", "1 unused link definition"),
            ("- a\n\n  [x]: <> \"do\n  this\"\n", "- a\n\n\n\n", "1 unused link definition"),
            (
                "[docs] and [x][y].\n\n[Docs]: https://a.example\n[y]: b\n",
                "[docs] and [x][y].\n\n[Docs]: https://a.example\n[y]: b\n",
                "",
            ),
            ("text\n[no]: definition here\n", "text\n[no]: definition here\n", ""),
            ("x </ISSUE> y < / Review a=1 > z", "x [tag] y [tag] z", "2 prompt tags"),
            ("<issue-1f2e> <issues> a < b", "[tag] <issues> a < b", "1 prompt tag"),
            (
                "a\u{200b}<!-- x --></failures>",
                "a [tag]",
                "1 invisible character, 1 HTML comment and 1 prompt tag",
            ),
        ] {
            assert_eq!(of(text), (left.to_owned(), words.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn what_stands_in_code_people_see() {
        for code in ["`<!-- x -->`", "```html\n<!-- x -->\n```\n", "    <!-- x -->\n"] {
            assert_eq!(of(code), (code.to_owned(), String::new()));
        }
        assert_eq!(of("`a` <!-- x -->").0, "`a`  ");
        // A cell ends before code begins.
        let table = "| a | b |\n|---|---|\n| `x | <!-- y --> ` |\n";
        assert_eq!(of(table).1, "1 HTML comment");
    }

    #[test]
    fn nothing_comes_together_out_of_what_was_around() {
        for text in [
            "<!<!-- x -->-- y -->",
            "<is<!-- x -->sue>",
            "</iss</issue>ue>",
            "<\u{200b}issue>",
            "<\u{1b}[1missue>",
        ] {
            let (left, _) = of(text);
            assert!(!left.contains("<!--") && !left.to_lowercase().contains("<issue"), "{left}");
        }
    }

    #[test]
    fn a_program_may_print_html_comments() {
        let (text, removed) = seen("<!-- a -->\u{1b}[1m</issue>", WrittenBy::Program);
        assert_eq!(text, "<!-- a -->[tag]");
        assert_eq!((removed.comments, removed.escapes, removed.tags), (0, 1, 1));
    }

    proptest! {
        #[test]
        fn doing_it_again_changes_nothing(text in "[<>/!a \n`issue\u{1b}\\[\\]\u{200b}-]{0,60}|\\PC*") {
            let (once, _) = seen(&text, WrittenBy::Program);
            let (twice, removed) = seen(&once, WrittenBy::Program);
            prop_assert_eq!(&once, &twice);
            prop_assert_eq!(removed.words(), None);
            let _ = seen(&text, WrittenBy::People);
        }
    }
}
