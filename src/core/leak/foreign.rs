//! Secrets of others, by what they look like: those that GitHub, clouds and the like hand out in a
//! form of their own.
//!
//! Invariants: what is plainly a placeholder is none; the value is never part of a name.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use memchr::memmem;
use sha2::{Digest, Sha256};

/// Something that looks like a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// What it looks like, as in "an AWS access key".
    pub name: &'static str,
    /// Where it stands.
    pub at: Range<usize>,
}

/// What looked like secrets in files as they were: it is no news where it stands unchanged.
#[derive(Debug, Clone, Default)]
pub struct SecretsBefore(BTreeSet<[u8; 32]>);

impl SecretsBefore {
    /// Adds a file as it was.
    pub fn add(&mut self, content: &[u8]) {
        self.0.extend(foreign_secrets(content).map(|secret| digest(&content[secret.at])));
    }

    /// What looks like a secret here and was not there before.
    pub fn first_new_in(&self, content: &[u8]) -> Option<&'static str> {
        let mut found = foreign_secrets(content);
        let new = found.find(|secret| !self.0.contains(&digest(&content[secret.at.clone()])))?;
        Some(new.name)
    }
}

fn digest(secret: &[u8]) -> [u8; 32] {
    Sha256::digest(secret).into()
}

/// A form that somebody gives their secrets.
struct Shape {
    name: &'static str,
    begins: &'static str,
    /// What may follow, and how much of it does.
    follows: fn(u8) -> bool,
    length: Range<usize>,
}

const fn shape(
    name: &'static str,
    begins: &'static str,
    follows: fn(u8) -> bool,
    least: usize,
) -> Shape {
    Shape { name, begins, follows, length: least..usize::MAX }
}

const fn exactly(
    name: &'static str,
    begins: &'static str,
    follows: fn(u8) -> bool,
    length: usize,
) -> Shape {
    Shape { name, begins, follows, length: length..length + 1 }
}

const AWS: &str = "an AWS access key";
const GITHUB: &str = "a GitHub token";
const SLACK: &str = "a Slack token";
const STRIPE: &str = "a Stripe key";
const PRIVATE_KEY: &str = "a private key";

const SHAPES: &[Shape] = &[
    exactly(AWS, "AKIA", capitals, 16),
    exactly(AWS, "ASIA", capitals, 16),
    shape(GITHUB, "ghp_", words, 36),
    shape(GITHUB, "gho_", words, 36),
    shape(GITHUB, "ghu_", words, 36),
    shape(GITHUB, "ghs_", tokens, 36),
    shape(GITHUB, "ghr_", words, 36),
    shape(GITHUB, "github_pat_", words, 40),
    // `x-access-token:`, as git sends it.
    shape(GITHUB, "eC1hY2Nlc3MtdG9rZW46", base64, 48),
    shape("a GitLab token", "glpat-", tokens, 20),
    shape(SLACK, "xoxb-", tokens, 24),
    shape(SLACK, "xoxp-", tokens, 24),
    shape(SLACK, "xoxa-", tokens, 24),
    shape(SLACK, "xoxe-", tokens, 24),
    shape(SLACK, "xoxr-", tokens, 24),
    shape(SLACK, "xoxs-", tokens, 24),
    shape(SLACK, "xapp-", tokens, 24),
    shape("the address of a Slack webhook", "hooks.slack.com/services/", base64, 40),
    exactly("an npm token", "npm_", letters, 36),
    shape("a PyPI token", "pypi-AgEIcHlwaS5vcmc", tokens, 50),
    shape("an Anthropic key", "sk-ant-", tokens, 40),
    shape("an OpenAI key", "sk-proj-", tokens, 40),
    exactly("a Google API key", "AIza", tokens, 35),
    shape(STRIPE, "sk_live_", letters, 24),
    shape(STRIPE, "rk_live_", letters, 24),
    shape("a SendGrid key", "SG.", tokens, 60),
    exactly("a Hugging Face token", "hf_", letters, 34),
    shape("the key of an Azure account", "AccountKey=", base64, 80),
    exactly("an age key", "AGE-SECRET-KEY-1", capitals, 58),
];

/// How a private key begins; what kind it is stands between.
const KEY_BEGINS: &str = "-----BEGIN ";
const KEY_IS_PRIVATE: [&str; 2] = ["PRIVATE KEY", "PRIVATE KEY BLOCK"];
/// The longest that stands between.
const LONGEST_KIND: usize = 40;
/// So many bytes after the first line are looked at, and so many of them are a key's.
const LOOKED_AT: usize = 400;
const OF_A_KEY: usize = 100;
/// Fewer different characters are a placeholder.
const LEAST_DIFFERENT: usize = 8;

/// What looks like somebody's secret, in order.
pub fn foreign_secrets(content: &[u8]) -> impl Iterator<Item = Foreign> {
    let mut found: Vec<Foreign> = SHAPES.iter().flat_map(|shape| shaped(shape, content)).collect();
    found.extend(private_keys(content));
    found.sort_by_key(|secret| (secret.at.start, secret.at.end));
    found.into_iter()
}

/// The text with what looks like a secret named in its place.
pub fn without_foreign_secrets(text: &str) -> Cow<'_, str> {
    let (mut kept, mut until) = (String::new(), 0);
    for secret in foreign_secrets(text.as_bytes()) {
        if secret.at.start >= until {
            kept.push_str(text.get(until..secret.at.start).unwrap_or_default());
            kept.push_str(&format!("(left out: {})", secret.name));
            until = secret.at.end;
        }
    }
    match until {
        0 => Cow::Borrowed(text),
        _ => Cow::Owned(kept + text.get(until..).unwrap_or_default()),
    }
}

fn shaped<'a>(shape: &'a Shape, content: &'a [u8]) -> impl Iterator<Item = Foreign> + 'a {
    // Where the last run of its characters ends, and the last secret. What begins inside of a run
    // ends with it, and what begins inside of a secret is part of it: each byte is read once.
    let (mut end, mut found) = (0, 0);
    memmem::find_iter(content, shape.begins).filter_map(move |start| {
        // `AKIA` in the middle of a long word is a part of something else.
        let in_word = start.checked_sub(1).is_some_and(|before| letters(content[before]));
        if in_word || start < found {
            return None;
        }
        let body = start + shape.begins.len();
        if body > end {
            let run = content[body..].iter().take_while(|byte| (shape.follows)(**byte));
            end = body + run.count();
        }
        let is_one = shape.length.contains(&(end - body)) && !is_placeholder(&content[body..end]);
        is_one.then(|| {
            found = end;
            Foreign { name: shape.name, at: start..end }
        })
    })
}

fn private_keys(content: &[u8]) -> impl Iterator<Item = Foreign> {
    let mut ends = KeyEnds { content, next: None };
    let mut found = 0;
    memmem::find_iter(content, KEY_BEGINS).filter_map(move |start| {
        if start < found {
            return None;
        }
        let rest = &content[start + KEY_BEGINS.len()..];
        let kind = memmem::find(&rest[..rest.len().min(LONGEST_KIND)], b"-----")?;
        let is_private = KEY_IS_PRIVATE.iter().any(|end| rest[..kind].ends_with(end.as_bytes()));
        let body = &rest[kind + 5..];
        let near = &body[..body.len().min(LOOKED_AT)];
        let near = &near[..memmem::find(near, b"-----").unwrap_or(near.len())];
        let key: Vec<u8> = near.iter().copied().filter(|byte| base64(*byte)).collect();
        if !is_private || key.len() < OF_A_KEY || is_placeholder(&key) {
            return None;
        }
        let body_at = content.len() - body.len();
        found = ends.after(body_at).unwrap_or(body_at + near.len());
        Some(Foreign { name: PRIVATE_KEY, at: start..found })
    })
}

/// Where private keys end. It is asked from the front to the back, and looks for each end once.
struct KeyEnds<'a> {
    content: &'a [u8],
    /// Where the next one begins, and ends if it does. `None`: it was not looked for.
    next: Option<(usize, Option<usize>)>,
}

impl KeyEnds<'_> {
    /// Of the first from here on.
    fn after(&mut self, at: usize) -> Option<usize> {
        if let Some((begins, end)) = self.next.filter(|(begins, _)| *begins >= at) {
            return end.filter(|_| begins < self.content.len());
        }
        let begins = memmem::find(&self.content[at..], b"-----END ").map(|begins| at + begins);
        let end = begins.and_then(|begins| {
            let last = memmem::find(&self.content[begins + 5..], b"-----")?;
            Some(begins + 5 + last + 5)
        });
        self.next = Some((begins.unwrap_or(self.content.len()), end));
        end
    }
}

/// Its beginning says it.
fn is_placeholder(value: &[u8]) -> bool {
    let value = &value[..value.len().min(LOOKED_AT)];
    let mut different = [false; 256];
    value.iter().for_each(|byte| different[usize::from(*byte)] = true);
    different.iter().filter(|is_there| **is_there).count() < LEAST_DIFFERENT
        || memmem::find(value, b"EXAMPLE").is_some()
}

fn letters(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

fn capitals(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

fn words(byte: u8) -> bool {
    letters(byte) || byte == b'_'
}

fn tokens(byte: u8) -> bool {
    words(byte) || matches!(byte, b'-' | b'.')
}

fn base64(byte: u8) -> bool {
    letters(byte) || matches!(byte, b'+' | b'/' | b'=')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks like one, and opens nothing.
    fn made_up(begins: &str, length: usize) -> String {
        let letters = "Q7WZ2RT4YK6PB3XM5VN".chars().cycle().take(length);
        format!("{begins}{}", letters.collect::<String>())
    }

    fn names(text: &str) -> Vec<&'static str> {
        foreign_secrets(text.as_bytes()).map(|secret| secret.name).collect()
    }

    fn key(kind: &str, body: &str) -> String {
        let mark = |end: &str| format!("-----{end} {kind}-----");
        format!("{}\n{body}\n{}", mark("BEGIN"), mark("END"))
    }

    #[test]
    fn the_secrets_of_others_are_known_by_their_form() {
        for (begins, length, name) in [
            ("AKIA", 16, "an AWS access key"),
            ("ghp_", 36, "a GitHub token"),
            ("github_pat_", 82, "a GitHub token"),
            ("xoxb-", 40, "a Slack token"),
            ("glpat-", 20, "a GitLab token"),
            ("npm_", 36, "an npm token"),
            ("sk-ant-", 90, "an Anthropic key"),
            ("AIza", 35, "a Google API key"),
            ("sk_live_", 24, "a Stripe key"),
        ] {
            let secret = made_up(begins, length);
            assert_eq!(names(&format!("key = \"{secret}\";")), [name]);
            assert_eq!(
                without_foreign_secrets(&format!("é {secret} ü")),
                format!("é (left out: {name}) ü")
            );
        }
        for kind in ["RSA PRIVATE KEY", "PRIVATE KEY", "OPENSSH PRIVATE KEY"] {
            let body = made_up("MII", 60);
            let block = key(kind, &[body.as_str(); 4].join("\n"));
            assert_eq!(names(&block), ["a private key"]);
            assert_eq!(names(&block.replace('\n', "\\n")), ["a private key"]);
            assert_eq!(
                without_foreign_secrets(&format!("a {block} z")),
                "a (left out: a private key) z"
            );
        }
    }

    #[test]
    fn what_begins_like_a_secret_without_end_is_read_once() {
        let body = made_up("MII", 150);
        for one in [
            "ghs_-".to_owned(),
            "SG.".to_owned(),
            "-xoxb-".to_owned(),
            "/AccountKey=".to_owned(),
            made_up("-ghs_", 100),
            format!("-----{} PRIVATE KEY-----\n{body}\n-----X\n", "BEGIN"),
            format!("-----{} PRIVATE KEY-----\n{body}\n-----END \n", "BEGIN"),
        ] {
            let text = one.repeat((1 << 18) / one.len());
            let mut before = SecretsBefore::default();
            before.add(text.as_bytes());
            assert_eq!(before.first_new_in(text.as_bytes()), None, "{one}");
        }
    }

    #[test]
    fn what_stood_in_a_file_before_is_no_news_there() {
        let (old, new) = (made_up("AKIA", 16), made_up("ghp_", 36));
        let mut before = SecretsBefore::default();
        before.add(format!("a = {old}\n").as_bytes());
        assert_eq!(before.first_new_in(format!("b = 1\na = {old}\n").as_bytes()), None);
        let both = format!("a = {old}\nb = {new}\n");
        assert_eq!(before.first_new_in(both.as_bytes()), Some("a GitHub token"));
    }

    #[test]
    fn what_only_looks_a_little_like_one_is_none() {
        for harmless in [
            format!("AKIA{}", "IOSFODNN7EXAMPLE"),
            format!("ghp_{}", "x".repeat(36)),
            made_up("AKIA", 15),
            made_up("AKIA", 17),
            made_up("WAKIA", 16),
            made_up("npm_", 30),
            "ghp_ is how a token begins".to_owned(),
            key("RSA PRIVATE KEY", "..."),
            key("PUBLIC KEY", &made_up("MII", 200)),
            key("CERTIFICATE", &made_up("MII", 200)),
        ] {
            assert_eq!(names(&harmless), Vec::<&str>::new(), "{harmless}");
            assert_eq!(without_foreign_secrets(&harmless), harmless);
        }
    }
}
