//! YAML as GitHub reads workflow files: text, lists and maps.
//!
//! Invariants: whatever the bytes are, reading ends soon and in little memory: depth and size are
//! bounded, and a reference counts as what it repeats. All that stands in a file is text here, so
//! `on` stays `on`. A key that stands twice makes the file unreadable, as it does for GitHub.

use std::collections::{BTreeMap, BTreeSet};

use saphyr_parser::{Event, Parser};

const MOST_BYTES: usize = 512 * 1024;
const MOST_DEPTH: usize = 64;
const MOST_NODES: usize = 50_000;

/// One value and all below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// Anything that is neither a list nor a map. Nothing at all is the empty text.
    Text(String),
    /// `[a, b]`
    List(Vec<Node>),
    /// `{a: b}`, in the order of the file.
    Map(Vec<(String, Node)>),
}

impl Node {
    /// The value of a key of a map.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Self::Map(pairs) = self else { return None };
        pairs.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A text as a list of one, a list of texts as it is. `None`: it is something else.
    pub fn texts(&self) -> Option<Vec<&str>> {
        match self {
            Self::Text(text) => Some(vec![text]),
            Self::List(items) => items.iter().map(Self::text).collect(),
            Self::Map(_) => None,
        }
    }

    /// Every text in it, with the key it stands under.
    pub fn leaves<'a>(&'a self, under: &'a str, found: &mut Vec<(&'a str, &'a str)>) {
        match self {
            Self::Text(text) => found.push((under, text)),
            Self::List(items) => items.iter().for_each(|item| item.leaves(under, found)),
            Self::Map(pairs) => pairs.iter().for_each(|(key, value)| value.leaves(key, found)),
        }
    }
}

/// Reads one file that holds one document.
///
/// # Errors
/// Why it cannot be read, with the line.
pub fn read(bytes: &[u8]) -> Result<Node, String> {
    if bytes.len() > MOST_BYTES {
        return Err(format!("it is larger than {} KiB", MOST_BYTES / 1024));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    let mut reader = Reader { parser: Parser::new_from_str(text), kept: BTreeMap::new(), nodes: 0 };
    let mut document = None;
    while let Some((event, line)) = reader.next()? {
        match event {
            Event::StreamEnd => break,
            Event::StreamStart | Event::Nothing | Event::DocumentStart(_) | Event::DocumentEnd => {}
            _ if document.is_some() => return Err("it holds more than one document".to_owned()),
            event => document = Some(reader.node(event, line, 0)?),
        }
    }
    document.ok_or_else(|| "it is empty".to_owned())
}

struct Reader<'a> {
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    /// What is referred to later.
    kept: BTreeMap<usize, Node>,
    nodes: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Option<(Event<'a>, usize)>, String> {
        match self.parser.next_event() {
            None => Ok(None),
            Some(Ok((event, span))) => Ok(Some((event, span.start.line()))),
            Some(Err(error)) => Err(format!("line {}: {}", error.marker().line(), error.info())),
        }
    }

    fn count(&mut self, more: usize, line: usize) -> Result<(), String> {
        self.nodes = self.nodes.saturating_add(more);
        if self.nodes > MOST_NODES {
            return Err(format!("line {line}: it holds too much"));
        }
        Ok(())
    }

    fn node(&mut self, event: Event<'a>, line: usize, depth: usize) -> Result<Node, String> {
        if depth > MOST_DEPTH {
            return Err(format!("line {line}: it is nested too deeply"));
        }
        self.count(1, line)?;
        let (node, anchor) = match event {
            Event::Scalar(text, _, anchor, _) => (Node::Text(text.into_owned()), anchor),
            Event::SequenceStart(anchor, _) => (self.list(depth)?, anchor),
            Event::MappingStart(anchor, _) => (self.map(depth)?, anchor),
            Event::Alias(anchor) => {
                let kept = self.kept.get(&anchor).cloned();
                let kept = kept.ok_or_else(|| format!("line {line}: it refers to itself"))?;
                self.count(size(&kept), line)?;
                if depth + height(&kept) > MOST_DEPTH {
                    return Err(format!("line {line}: it is nested too deeply"));
                }
                return Ok(kept);
            }
            _ => return Err(format!("line {line}: a value is missing")),
        };
        if anchor > 0 {
            self.count(size(&node), line)?;
            self.kept.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Node, String> {
        let mut items = Vec::new();
        loop {
            match self.inside()? {
                (Event::SequenceEnd, _) => return Ok(Node::List(items)),
                (event, line) => items.push(self.node(event, line, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Node, String> {
        let mut pairs: Vec<(String, Node)> = Vec::new();
        let mut keys = BTreeSet::new();
        loop {
            let (event, line) = self.inside()?;
            if event == Event::MappingEnd {
                return Ok(Node::Map(pairs));
            }
            let Node::Text(key) = self.node(event, line, depth + 1)? else {
                return Err(format!("line {line}: a key is not text"));
            };
            if !keys.insert(key.clone()) {
                return Err(format!("line {line}: `{key}` stands twice"));
            }
            let (event, line) = self.inside()?;
            pairs.push((key, self.node(event, line, depth + 1)?));
        }
    }

    fn inside(&mut self) -> Result<(Event<'a>, usize), String> {
        self.next()?.ok_or_else(|| "it ends too early".to_owned())
    }
}

fn size(node: &Node) -> usize {
    match node {
        Node::Text(_) => 1,
        Node::List(items) => 1 + items.iter().map(size).sum::<usize>(),
        Node::Map(pairs) => 1 + pairs.iter().map(|(_, value)| 1 + size(value)).sum::<usize>(),
    }
}

fn height(node: &Node) -> usize {
    match node {
        Node::Text(_) => 0,
        Node::List(items) => 1 + items.iter().map(height).max().unwrap_or(0),
        Node::Map(pairs) => 1 + pairs.iter().map(|(_, value)| height(value)).max().unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_stays_text_and_references_are_followed() {
        let node = read(b"on: push\nyes: 1.0\na: &x [p, q]\nb: *x\nempty:\n").unwrap();
        assert_eq!(node.get("on").unwrap().text(), Some("push"));
        assert_eq!(node.get("yes").unwrap().text(), Some("1.0"));
        assert_eq!(node.get("b").unwrap().texts().unwrap(), ["p", "q"]);
        assert!(node.get("empty").is_some());
    }

    #[test]
    fn what_github_would_not_read_is_not_read_here() {
        let deep = "[".repeat(100);
        let bomb = (0..30).fold("a0: &a0 [x, x]\n".to_owned(), |text, i| {
            format!("{text}a{j}: &a{j} [*a{i}, *a{i}]\n", j = i + 1)
        });
        for (text, why) in [
            ("on: push\non: pull_request\n", "stands twice"),
            ("a: [b\n", "line"),
            ("", "empty"),
            ("a: b\n---\nc: d\n", "more than one"),
            (&*deep, "line"),
            (&*bomb, "too much"),
            ("? [a]\n: b\n", "not text"),
        ] {
            let error = read(text.as_bytes()).unwrap_err();
            assert!(error.contains(why), "{text:.40}: {error}");
        }
        assert!(read(b"\xff").is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(text in "(?s:[a-z:\\-\\[\\]{}&*?|>!'\"# \n\t]{0,120})|\\PC*") {
            let _ = read(text.as_bytes());
        }
    }
}
