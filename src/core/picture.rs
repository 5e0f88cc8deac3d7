//! Pictures that people put into an issue.
//!
//! Invariants: what a picture is, its first bytes say, whatever its name or its server claims; its
//! size is bounded; nothing in it is understood here.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pulldown_cmark::{Event, Parser, Tag};

/// So many of an issue are looked at.
pub const MOST_PICTURES: usize = 5;
/// Bytes of one. As base64 it stays below the 5 MB that providers take.
pub const LARGEST_PICTURE: usize = 3_700_000;
/// Tokens that one takes at most.
pub const PICTURE_TOKENS: u64 = 5_000;

/// A picture that a model can be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    media_type: &'static str,
    bytes: Vec<u8>,
}

impl Picture {
    /// Reads one. `None`: of no kind that models know, or too large.
    pub fn read(bytes: Vec<u8>) -> Option<Self> {
        let is_webp = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP");
        let media_type = match &bytes[..] {
            it if it.starts_with(b"\x89PNG\r\n\x1a\n") => "image/png",
            it if it.starts_with(b"\xff\xd8\xff") => "image/jpeg",
            it if it.starts_with(b"GIF87a") || it.starts_with(b"GIF89a") => "image/gif",
            _ if is_webp => "image/webp",
            _ => return None,
        };
        (bytes.len() <= LARGEST_PICTURE).then_some(Self { media_type, bytes })
    }

    /// Its kind, as `image/png`.
    pub fn media_type(&self) -> &'static str {
        self.media_type
    }

    /// Its bytes as base64.
    pub fn base64(&self) -> String {
        STANDARD.encode(&self.bytes)
    }
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({}, {} bytes)", self.media_type, self.bytes.len())
    }
}

/// The addresses of the pictures that a text shows, as Markdown or as HTML.
pub fn pictures_in(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for event in Parser::new(text) {
        match event {
            Event::Start(Tag::Image { dest_url, .. }) => found.push(dest_url.into_string()),
            Event::Html(html) | Event::InlineHtml(html) => found.extend(pictures_in_html(&html)),
            _ => {}
        }
    }
    found
}

/// The addresses of the pictures in HTML; empty for one without an address.
pub fn pictures_in_html(html: &str) -> Vec<String> {
    let lower = html.to_ascii_lowercase();
    let tags = lower.match_indices("<img").map(|(at, _)| {
        let end = lower[at..].find('>').map_or(lower.len(), |end| at + end);
        source(&html[at..end]).unwrap_or_default()
    });
    tags.collect()
}

/// The value of `src` in a tag.
fn source(tag: &str) -> Option<String> {
    let at = tag.to_ascii_lowercase().find("src=")? + "src=".len();
    let quote = tag[at..].chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let value = tag[at + 1..].split(quote).next()?;
    Some(value.replace("&amp;", "&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_what_its_first_bytes_say() {
        let kind = |bytes: &[u8]| Picture::read(bytes.to_vec()).map(|it| it.media_type());
        assert_eq!(kind(b"\x89PNG\r\n\x1a\nrest"), Some("image/png"));
        assert_eq!(kind(b"\xff\xd8\xff\xe0"), Some("image/jpeg"));
        assert_eq!(kind(b"GIF89a"), Some("image/gif"));
        assert_eq!(kind(b"RIFF....WEBPVP8 "), Some("image/webp"));
        for other in [&b"<svg/>"[..], b"", b"RIFF....WAVE", b"%PDF"] {
            assert_eq!(kind(other), None);
        }
        let mut large = b"GIF89a".to_vec();
        large.resize(LARGEST_PICTURE + 1, 0);
        assert_eq!(kind(&large), None);
    }

    #[test]
    fn pictures_are_found_as_markdown_and_as_html_and_not_in_code() {
        let text = "![a](https://x/1.png)\n\nsee <img width=\"3\" src=\"https://x/2.png?a=1&amp;b\" \
                    /> and\n\n<p><IMG SRC='https://x/3.png'></p>\n\n`![](4.png)` <img alt=\"x\">";
        let expected = ["https://x/1.png", "https://x/2.png?a=1&b", "https://x/3.png", ""];
        assert_eq!(pictures_in(text), expected);
    }
}
