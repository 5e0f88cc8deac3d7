//! YAML as a tree that knows its lines.
//!
//! Invariants: every key and value names the line it stands on; what two readers could take for
//! different things (a key given twice, an anchor, a tag, `1.10`) is refused, not guessed.

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

/// What is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {says}")]
pub(crate) struct Fault {
    pub(crate) line: usize,
    pub(crate) says: String,
}

impl Fault {
    pub(crate) fn new(line: usize, says: impl Into<String>) -> Self {
        Self { line, says: says.into() }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) line: usize,
    pub(crate) content: Content,
}

#[derive(Debug, Clone)]
pub(crate) enum Content {
    Null,
    /// Any other scalar, as it is written.
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) line: usize,
    pub(crate) name: String,
}

type Events<'a> = std::iter::Peekable<Parser<'a, saphyr_parser::StrInput<'a>>>;

/// Reads a file with one document.
pub(crate) fn read(text: &str) -> Result<Node, Fault> {
    let mut events: Events<'_> = Parser::new_from_str(text).peekable();
    let mut root = None;
    loop {
        match take(&mut events)? {
            (Event::StreamStart | Event::DocumentEnd | Event::Nothing, _) => {}
            (Event::DocumentStart(_), span) => {
                if root.is_some() {
                    return Err(Fault::new(line(&span), "there is a second document"));
                }
                let first = take(&mut events)?;
                root = Some(node(&mut events, first, 0)?);
            }
            (Event::StreamEnd, _) => break,
            (_, span) => return Err(Fault::new(line(&span), "this is out of place")),
        }
    }
    root.ok_or_else(|| Fault::new(1, "the file is empty"))
}

fn line(span: &Span) -> usize {
    span.start.line()
}

fn take<'a>(events: &mut Events<'a>) -> Result<(Event<'a>, Span), Fault> {
    match events.next() {
        Some(Ok(event)) => Ok(event),
        Some(Err(error)) => Err(Fault::new(error.marker().line(), error.info())),
        None => Err(Fault::new(1, "the file ends too early")),
    }
}

/// No file for people nests deeper.
const DEEPEST: usize = 32;

fn node<'a>(
    events: &mut Events<'a>,
    (event, span): (Event<'a>, Span),
    depth: usize,
) -> Result<Node, Fault> {
    let line = line(&span);
    let refused = |says: &str| Err(Fault::new(line, says));
    if depth > DEEPEST {
        return refused("this is nested too deeply");
    }
    let content = match event {
        Event::Alias(_) => return refused("aliases are not supported"),
        Event::Scalar(_, _, anchor, _)
        | Event::SequenceStart(anchor, _)
        | Event::MappingStart(anchor, _)
            if anchor != 0 =>
        {
            return refused("anchors are not supported");
        }
        Event::Scalar(_, _, _, Some(_))
        | Event::SequenceStart(_, Some(_))
        | Event::MappingStart(_, Some(_)) => return refused("tags are not supported"),
        Event::Scalar(text, style, _, None) => scalar(&text, style, line)?,
        Event::SequenceStart(..) => {
            let mut items = Vec::new();
            loop {
                match take(events)? {
                    (Event::SequenceEnd, _) => break Content::List(items),
                    other => items.push(node(events, other, depth + 1)?),
                }
            }
        }
        Event::MappingStart(..) => Content::Map(map(events, depth)?),
        _ => return refused("this is out of place"),
    };
    Ok(Node { line, content })
}

fn map(events: &mut Events<'_>, depth: usize) -> Result<Vec<(Key, Node)>, Fault> {
    let mut entries: Vec<(Key, Node)> = Vec::new();
    loop {
        let (event, span) = take(events)?;
        let line = line(&span);
        let name = match event {
            Event::MappingEnd => return Ok(entries),
            Event::Scalar(name, _, 0, None) => name.into_owned(),
            _ => return Err(Fault::new(line, "a key must be a plain word")),
        };
        if entries.iter().any(|(key, _)| key.name == name) {
            return Err(Fault::new(line, format!("the key `{name}` is given twice")));
        }
        let next = take(events)?;
        let value = node(events, next, depth + 1)?;
        entries.push((Key { line, name }, value));
    }
}

fn scalar(text: &str, style: ScalarStyle, line: usize) -> Result<Content, Fault> {
    if style != ScalarStyle::Plain {
        return Ok(Content::Scalar(text.to_owned()));
    }
    if matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        return Ok(Content::Null);
    }
    let text = match text {
        "True" | "TRUE" => "true",
        "False" | "FALSE" => "false",
        other => other,
    };
    // GitHub reads a plain 1.10 as the number 1.1, and 0x10 as 16.
    let number =
        text.parse::<f64>().ok().filter(|_| text.starts_with(|c: char| !c.is_alphabetic()));
    let odd = text.starts_with("0x") || text.starts_with("0o");
    if odd || number.is_some_and(|number| number.to_string() != text) {
        let says = format!("{text} would be read as another number: put it in quotes");
        return Err(Fault::new(line, says));
    }
    Ok(Content::Scalar(text.to_owned()))
}

impl Node {
    /// A scalar as text.
    pub(crate) fn text(&self, what: &str) -> Result<&str, Fault> {
        match &self.content {
            Content::Scalar(text) => Ok(text),
            _ => Err(Fault::new(self.line, format!("{what} must be a text"))),
        }
    }

    /// A scalar as text; nothing is an empty one.
    pub(crate) fn text_or_empty(&self, what: &str) -> Result<&str, Fault> {
        match &self.content {
            Content::Null => Ok(""),
            _ => self.text(what),
        }
    }

    pub(crate) fn boolean(&self, what: &str) -> Result<bool, Fault> {
        match self.text(what)? {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(Fault::new(self.line, format!("{what} must be true or false"))),
        }
    }

    /// The entries of a mapping; nothing is an empty one.
    pub(crate) fn map(&self, what: &str) -> Result<&[(Key, Node)], Fault> {
        match &self.content {
            Content::Map(entries) => Ok(entries),
            Content::Null => Ok(&[]),
            _ => Err(Fault::new(self.line, format!("{what} must be a mapping"))),
        }
    }

    pub(crate) fn list(&self, what: &str) -> Result<&[Node], Fault> {
        match &self.content {
            Content::List(items) => Ok(items),
            _ => Err(Fault::new(self.line, format!("{what} must be a list"))),
        }
    }

    /// One text, or a list of them.
    pub(crate) fn texts(&self, what: &str) -> Result<Vec<String>, Fault> {
        match &self.content {
            Content::List(items) => {
                items.iter().map(|item| item.text(what).map(str::to_owned)).collect()
            }
            _ => Ok(vec![self.text(what)?.to_owned()]),
        }
    }

    /// The mapping, which may have these keys only.
    pub(crate) fn fields(&self, what: &str, known: &[&str]) -> Result<Fields<'_>, Fault> {
        let entries = self.map(what)?;
        for (key, _) in entries {
            if !known.contains(&&*key.name) {
                let says = format!("{what} has an unknown key `{}`", key.name);
                return Err(Fault::new(key.line, says));
            }
        }
        Ok(Fields { line: self.line, entries })
    }
}

/// A mapping whose keys are known.
pub(crate) struct Fields<'a> {
    pub(crate) line: usize,
    entries: &'a [(Key, Node)],
}

impl<'a> Fields<'a> {
    pub(crate) fn get(&self, name: &str) -> Option<&'a Node> {
        self.entries.iter().find(|(key, _)| key.name == name).map(|(_, value)| value)
    }

    pub(crate) fn required(&self, what: &str, name: &str) -> Result<&'a Node, Fault> {
        self.get(name).ok_or_else(|| Fault::new(self.line, format!("{what} has no `{name}`")))
    }
}
