//! Pictures that people put into an issue.
//!
//! Invariants: what a picture is, its first bytes say, whatever its name or its server claims; its
//! size is bounded, in bytes and in pixels; only pictures that people see count.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use imagesize::ImageType;
use pulldown_cmark::{Event, Parser, Tag};

use super::hidden::{WrittenBy, seen};

/// So many of an issue are looked at.
pub const MOST_PICTURES: usize = 5;
/// Bytes of one. As base64 it stays below the 5 MB that providers take.
pub const LARGEST_PICTURE: usize = 3_700_000;
/// Pixels of a side: what is smaller nobody sees, what is larger providers refuse.
const SMALLEST_SIDE: usize = 8;
const LARGEST_SIDE: usize = 8000;
/// Tokens set aside for one: a rough bound, since what it really took stands in the bill.
pub const PICTURE_TOKENS: u64 = 5_000;

/// A picture that a model can be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    media_type: &'static str,
    bytes: Vec<u8>,
}

impl Picture {
    /// Reads one. `None`: of no kind that models know, too large, or too small to be seen.
    pub fn read(bytes: Vec<u8>) -> Option<Self> {
        let media_type = match imagesize::image_type(&bytes).ok()? {
            ImageType::Png => "image/png",
            ImageType::Jpeg => "image/jpeg",
            ImageType::Gif => "image/gif",
            ImageType::Webp => "image/webp",
            _ => return None,
        };
        let size = imagesize::blob_size(&bytes).ok()?;
        let fits = |side: usize| (SMALLEST_SIDE..=LARGEST_SIDE).contains(&side);
        let fits = fits(size.width) && fits(size.height) && bytes.len() <= LARGEST_PICTURE;
        fits.then_some(Self { media_type, bytes })
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

/// The addresses of the pictures that people see in a text, as Markdown or as HTML, each once.
pub fn pictures_in(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let text = seen(text, WrittenBy::People).0;
    for event in Parser::new(&text) {
        match event {
            Event::Start(Tag::Image { dest_url, .. }) => found.push(dest_url.into_string()),
            Event::Html(html) | Event::InlineHtml(html) => found.extend(pictures_in_html(&html)),
            _ => {}
        }
    }
    let mut known = BTreeSet::new();
    found.retain(|address: &String| address.is_empty() || known.insert(address.clone()));
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

    /// The head of a GIF of this size.
    fn gif(width: u16, height: u16) -> Vec<u8> {
        [&b"GIF89a"[..], &width.to_le_bytes(), &height.to_le_bytes(), b"rest"].concat()
    }

    #[test]
    fn a_picture_is_what_its_head_says_and_as_large_as_providers_take() {
        let kind = |bytes: &[u8]| Picture::read(bytes.to_vec()).map(|it| it.media_type());
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x20\0\0\0\x10\x08\x02\0\0\0";
        assert_eq!(kind(png), Some("image/png"));
        assert_eq!(kind(&gif(640, 480)), Some("image/gif"));
        for other in
            [&b"<svg/>"[..], b"", b"RIFF....WAVE", b"%PDF", b"\x89PNG\r\n\x1a\n", b"GIF89a"]
        {
            assert_eq!(kind(other), None, "{other:?}");
        }
        assert_eq!((kind(&gif(1, 1)), kind(&gif(600, 8001))), (None, None));
        let mut large = gif(640, 480);
        large.resize(LARGEST_PICTURE + 1, 0);
        assert_eq!(kind(&large), None);
    }

    #[test]
    fn pictures_are_found_as_markdown_and_as_html_and_not_in_code() {
        let text = "![a](https://x/1.png)\n\nsee <img width=\"3\" src=\"https://x/2.png?a=1&amp;b\" \
                    /> and\n\n<p><IMG SRC='https://x/3.png'></p>\n\n`![](4.png)` <img alt=\"x\"> <!-- \
                    <img src=\"5.png\"> --> ![again](https://x/1.png)";
        let expected = ["https://x/1.png", "https://x/2.png?a=1&b", "https://x/3.png", ""];
        assert_eq!(pictures_in(text), expected);
    }
}
