//! Texts of people and Apps, as GitHub shows them.
//!
//! Invariants: of HTML only a few tags without attributes get through, links lead to web pages or
//! into this GitHub, and nothing is loaded from elsewhere.

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};

use super::escape;

/// Tags that GitHub lets through and that Gander's texts use.
const TAGS: &[&str] = &["sub", "sup", "details", "summary", "br", "b", "i", "kbd"];

/// HTML of a text. `repository`: where `#7` leads.
pub(super) fn rendered(text: &str, repository: &str) -> String {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_GFM;
    let mut literal = 0_u32;
    let events = Parser::new_ext(text, options).map(|event| {
        match &event {
            Event::Start(Tag::CodeBlock(_) | Tag::Link { .. }) => literal += 1,
            Event::End(TagEnd::CodeBlock | TagEnd::Link) => literal -= 1,
            _ => {}
        }
        safe(event, repository, literal > 0)
    });
    let mut page = String::new();
    html::push_html(&mut page, events);
    page
}

fn safe<'e>(event: Event<'e>, repository: &str, literal: bool) -> Event<'e> {
    match event {
        Event::Html(html) | Event::InlineHtml(html) => Event::Html(allowed(&html).into()),
        Event::Text(text) if !literal && text.contains('#') => {
            Event::Html(with_numbers(&text, repository).into())
        }
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            let web = ["https://", "http://", "/", "#"].iter().any(|it| dest_url.starts_with(it));
            let dest_url = if web { dest_url } else { CowStr::Borrowed("#") };
            Event::Start(Tag::Link { link_type, dest_url, title, id })
        }
        // What it shows is not fetched; its description stands there.
        Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => Event::Text("".into()),
        other => other,
    }
}

/// The tags that may stand, everything else as text, and no comments.
fn allowed(html: &str) -> String {
    let mut page = String::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        page.push_str(&escape(&rest[..at]));
        rest = &rest[at..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        let Some(end) = rest.find('>') else { break };
        let (tag, after) = rest.split_at(end + 1);
        let name = tag.trim_matches(['<', '>', '/', ' ']).to_ascii_lowercase();
        match TAGS.contains(&&*name) {
            true => page.push_str(&tag.to_ascii_lowercase()),
            false => page.push_str(&escape(tag)),
        }
        rest = after;
    }
    page.push_str(&escape(rest));
    page
}

/// `#7` as a link.
fn with_numbers(text: &str, repository: &str) -> String {
    let mut page = String::new();
    let mut parts = text.split('#');
    page.push_str(&escape(parts.next().unwrap_or_default()));
    for part in parts {
        let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, rest) = part.split_at(digits);
        match number.is_empty() {
            true => page.push('#'),
            false => {
                page.push_str(&format!("<a href=\"/{repository}/issues/{number}\">#{number}</a>"));
            }
        }
        page.push_str(&escape(rest));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_shown_with_tables_links_and_numbers_and_without_anything_that_acts() {
        let page = rendered(
            "See #7, `#8` and [this](https://github.test/x).\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n\
             <details><summary>more</summary>\n\nin it\n</details>\n<!-- hidden -->\n",
            "acme/widgets",
        );
        for shown in [
            "<a href=\"/acme/widgets/issues/7\">#7</a>",
            "<code>#8</code>",
            "<a href=\"https://github.test/x\">this</a>",
            "<td>1</td>",
            "<details><summary>more</summary>",
        ] {
            assert!(page.contains(shown), "no {shown} in {page}");
        }
        assert!(!page.contains("hidden"), "{page}");
        let page = rendered(
            "<script>x</script>\n\n<b onclick=\"x\">y</b>\n\n[z](javascript:x) ![w](https://evil.test/w)",
            "acme/widgets",
        );
        for acts in ["<script", "<b onclick", "javascript:", "evil.test"] {
            assert!(!page.contains(acts), "{acts} in {page}");
        }
    }
}
