//! What a repository's `.gitattributes` make git do to contents on their way into a commit.
//!
//! Contents go into a commit here as they stand in the tree; with people, git converts them first.
//! So what git would keep differently must not be written here.
//!
//! Invariants: the files are those of the base commit, read as data; nothing they name is run. The
//! order is git's: a line counts more than those before it, a deeper file more than those above.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::core::path::RepoPath;

/// What each pointer of Git LFS begins with.
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/v1\n";

/// The base commit's `.gitattributes` files, as data.
#[derive(Default)]
pub struct Attributes {
    by_directory: HashMap<Vec<u8>, Vec<AttributesLine>>,
}

/// Why git would keep something else than the content.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Conversion {
    /// A program makes of it what is kept.
    Filter(String),
    /// It is kept as UTF-8, and people see it in this encoding.
    Encoding(String),
    /// It has an expanded `$Id: …$`.
    Ident,
    /// It brings in line ends of Windows.
    LineEnds,
}

struct AttributesLine {
    pattern: Gitignore,
    settings: Vec<Setting>,
}

type Setting = (String, Value);

#[derive(Clone, Default, PartialEq, Eq)]
enum Value {
    #[default]
    Unspecified,
    Set,
    Unset,
    /// Many lines may have one macro's.
    Is(Arc<str>),
}

/// The attributes that convert.
const CONVERTING: [&str; 6] = ["filter", "working-tree-encoding", "ident", "text", "crlf", "eol"];

/// Their values, of one path.
#[derive(Default)]
struct Conversions {
    filter: Value,
    encoding: Value,
    ident: Value,
    text: Value,
    crlf: Value,
    eol: Value,
}

#[derive(PartialEq, Eq)]
enum LineEnds {
    Kept,
    /// Where git takes the content for text, and the file had none of Windows before.
    ConvertedIfText,
    Converted,
}

impl Attributes {
    /// From the files, each with the directory it is in.
    pub fn new(files: Vec<(Vec<u8>, Vec<u8>)>) -> Self {
        let binary = vec![("text".to_owned(), Value::Unset)];
        let mut macros = HashMap::from([("binary".to_owned(), binary)]);
        let top = files.iter().find(|(directory, _)| directory.is_empty());
        let text = top.map(|(_, text)| String::from_utf8_lossy(text)).unwrap_or_default();
        for line in text.lines() {
            let Some(rest) = line.trim_start().strip_prefix("[attr]") else { continue };
            let Some((name, settings)) = rest.split_once([' ', '\t']) else { continue };
            let settings = settings_of(settings, &macros);
            macros.insert(name.to_owned(), settings);
        }
        let lines = |text: Vec<u8>| -> Vec<AttributesLine> {
            let text = String::from_utf8_lossy(&text);
            text.lines().filter_map(|line| AttributesLine::read(line, &macros)).collect()
        };
        let by_directory =
            files.into_iter().map(|(directory, text)| (directory, lines(text))).collect();
        Self { by_directory }
    }

    /// Why git would not keep this content as it is, if it would not. `had_dos_lines` tells whether
    /// the file had line ends of Windows before: then they are none that this content brings in.
    pub fn conversion(
        &self,
        path: &RepoPath,
        content: &[u8],
        had_dos_lines: impl FnOnce() -> bool,
    ) -> Option<Conversion> {
        let conversions = self.of(path.as_str().as_bytes());
        if let Some(by_program) = conversions.by_program() {
            return Some(by_program);
        }
        if conversions.ident == Value::Set && has_expanded_ident(content) {
            return Some(Conversion::Ident);
        }
        let converted = match conversions.line_ends() {
            LineEnds::Kept => false,
            LineEnds::Converted => true,
            LineEnds::ConvertedIfText => !looks_binary(content),
        };
        (converted && has_dos_line(content) && !had_dos_lines()).then_some(Conversion::LineEnds)
    }

    /// Whether a file may go from one path to the other as it is.
    ///
    /// # Errors
    /// In words for the model: only one of them is converted, or they are differently.
    pub fn moves(&self, from: &RepoPath, to: &RepoPath) -> Result<(), String> {
        let (here, there) = (self.by_program(from.as_str()), self.by_program(to.as_str()));
        match there.clone().or_else(|| here.clone()).filter(|_| here != there) {
            None => Ok(()),
            Some(conversion) => {
                let which = if there.is_some() { to } else { from };
                Err(format!(
                    "{from} must not become {to} here, because of {which}: {conversion}. Nothing \
                     was done."
                ))
            }
        }
    }

    /// The program, or the like, that stands between the file and the commit.
    pub(super) fn by_program(&self, path: &str) -> Option<Conversion> {
        self.of(path.as_bytes()).by_program()
    }

    fn of(&self, path: &[u8]) -> Conversions {
        let mut found = Conversions::default();
        let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        for (directory, start) in std::iter::once((0, 0)).chain(ends.map(|at| (at, at + 1))) {
            let Some(lines) = self.by_directory.get(&path[..directory]) else { continue };
            let relative = String::from_utf8_lossy(&path[start..]);
            for line in lines.iter().filter(|line| line.covers(&relative)) {
                line.settings.iter().for_each(|setting| found.take(setting));
            }
        }
        found
    }
}

impl AttributesLine {
    /// `None` for a comment, a macro, and what names no attribute that converts.
    fn read(line: &str, macros: &HashMap<String, Vec<Setting>>) -> Option<Self> {
        let line = line.trim();
        if line.starts_with(['#', '!']) || line.starts_with("[attr]") {
            return None;
        }
        let (pattern, settings) = pattern_of(line)?;
        let settings = settings_of(settings, macros);
        if settings.is_empty() {
            return None;
        }
        let mut builder = GitignoreBuilder::new("");
        // A line git could not read either says nothing.
        builder.add_line(None, &pattern).ok()?;
        Some(Self { pattern: builder.build().ok()?, settings })
    }

    fn covers(&self, path: &str) -> bool {
        self.pattern.matched(path, false).is_ignore()
    }
}

impl Conversions {
    fn take(&mut self, (name, value): &Setting) {
        if let Some(place) = self.place_of(name) {
            place.clone_from(value);
        }
    }

    fn place_of(&mut self, name: &str) -> Option<&mut Value> {
        match name {
            "filter" => Some(&mut self.filter),
            "working-tree-encoding" => Some(&mut self.encoding),
            "ident" => Some(&mut self.ident),
            "text" => Some(&mut self.text),
            "crlf" => Some(&mut self.crlf),
            "eol" => Some(&mut self.eol),
            _ => None,
        }
    }

    fn by_program(&self) -> Option<Conversion> {
        match (&self.filter, &self.encoding) {
            (Value::Is(filter), _) => Some(Conversion::Filter(filter.to_string())),
            (_, Value::Is(encoding)) if !is_utf8(encoding) => {
                Some(Conversion::Encoding(encoding.to_string()))
            }
            _ => None,
        }
    }

    /// As git combines the three.
    fn line_ends(&self) -> LineEnds {
        let text = if self.text == Value::Unspecified { &self.crlf } else { &self.text };
        match text {
            Value::Unset => LineEnds::Kept,
            Value::Is(auto) if &**auto == "auto" => LineEnds::ConvertedIfText,
            Value::Set | Value::Is(_) => LineEnds::Converted,
            Value::Unspecified if matches!(self.eol, Value::Is(_)) => LineEnds::Converted,
            Value::Unspecified => LineEnds::Kept,
        }
    }
}

impl fmt::Display for Conversion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Filter(filter) => write!(
                f,
                "`.gitattributes` gives it `filter={filter}`, so git keeps something else than what \
                 the file holds, and here it would be kept as it is"
            ),
            Self::Encoding(encoding) => write!(
                f,
                "`.gitattributes` gives it `working-tree-encoding={encoding}`, so people see it in \
                 another encoding than git keeps, and here it would be kept as it is"
            ),
            Self::Ident => f.write_str(
                "`.gitattributes` gives it `ident`, so git keeps `$Id$` where the content has \
                 `$Id: …$`; write `$Id$`",
            ),
            Self::LineEnds => f.write_str(
                "git keeps it with LF at its line ends, as `.gitattributes` says, and the content \
                 brings in CRLF; write LF alone",
            ),
        }
    }
}

/// Whether the content is a pointer of Git LFS, and what it stands for is elsewhere.
pub fn is_lfs_pointer(content: &[u8]) -> bool {
    content.starts_with(LFS_POINTER)
}

/// Whether any line ends as on Windows.
pub fn has_dos_line(content: &[u8]) -> bool {
    content.windows(2).any(|pair| pair == b"\r\n")
}

/// Git's guess: a NUL, or a carriage return alone.
fn looks_binary(content: &[u8]) -> bool {
    content.contains(&0)
        || content
            .iter()
            .enumerate()
            .any(|(at, byte)| *byte == b'\r' && content.get(at + 1) != Some(&b'\n'))
}

/// `$Id:`, and a `$` on the same line.
fn has_expanded_ident(content: &[u8]) -> bool {
    content.split(|byte| *byte == b'\n').any(|line| {
        let start = line.windows(4).position(|part| part == b"$Id:");
        start.is_some_and(|start| line[start + 4..].contains(&b'$'))
    })
}

fn is_utf8(encoding: &str) -> bool {
    matches!(encoding.to_ascii_lowercase().as_str(), "utf-8" | "utf8")
}

/// The pattern, which may stand in quotes, and the rest of the line.
fn pattern_of(line: &str) -> Option<(String, &str)> {
    let Some(quoted) = line.strip_prefix('"') else {
        let (pattern, settings) = line.split_once([' ', '\t'])?;
        return Some((pattern.to_owned(), settings));
    };
    let mut pattern = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((pattern, &quoted[at + 1..])),
            '\\' => pattern.push(characters.next()?.1),
            other => pattern.push(other),
        }
    }
    None
}

/// `name`, `-name`, `!name` and `name=value`, of the attributes that convert: the last of each. For
/// a macro there is what it stands for, which is no longer, however many macros stand in it.
fn settings_of(text: &str, macros: &HashMap<String, Vec<Setting>>) -> Vec<Setting> {
    let mut settings: Vec<Setting> = Vec::new();
    let mut take = |setting: Setting| match settings.iter_mut().find(|it| it.0 == setting.0) {
        Some(earlier) => *earlier = setting,
        None => settings.push(setting),
    };
    for word in text.split_ascii_whitespace() {
        let (name, value) = match (word.strip_prefix('-'), word.strip_prefix('!')) {
            (Some(name), _) => (name, Value::Unset),
            (_, Some(name)) => (name, Value::Unspecified),
            _ => match word.split_once('=') {
                Some((name, value)) => (name, Value::Is(value.into())),
                None => (word, Value::Set),
            },
        };
        let meaning = macros.get(name).filter(|_| value == Value::Set);
        if CONVERTING.contains(&name) {
            take((name.to_owned(), value));
        }
        meaning.into_iter().flatten().cloned().for_each(&mut take);
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(files: &[(&str, &str)]) -> Attributes {
        Attributes::new(files.iter().map(|(at, text)| ((*at).into(), (*text).into())).collect())
    }

    #[test]
    fn lines_files_and_macros_count_in_gits_order() {
        let attributes = attributes(&[
            (
                "",
                "# *.x filter=comment\n[attr]large filter=lfs -text\n*.bin large\n\
                 \"with space.*\" filter=q\n/top.bin -filter\n*.y filter=one\n*.y filter=two\n\
                 docs/** filter=docs\nplain/ filter=never\n*.u working-tree-encoding=utf-8\n",
            ),
            ("deep", "*.bin !filter\nkept/*.bin filter=again\n"),
        ]);
        let filter = |path: &str| match attributes.by_program(path) {
            Some(Conversion::Filter(filter)) => filter,
            other => format!("{other:?}"),
        };
        for (path, expected) in [
            ("a.bin", "lfs"),
            ("x/top.bin", "lfs"),
            ("top.bin", "None"),
            ("with space.md", "q"),
            ("a.y", "two"),
            ("docs/a/b", "docs"),
            ("plain/a", "None"),
            ("a.x", "None"),
            ("a.u", "None"),
            ("deep/a.bin", "None"),
            ("deep/kept/a.bin", "again"),
        ] {
            assert_eq!(filter(path), expected, "{path}");
        }
    }

    #[test]
    fn macros_that_stand_in_each_other_take_no_room() {
        let doubled: String = (0..60).map(|i| format!("[attr]m{} m{i} m{i}\n", i + 1)).collect();
        let lines: String = (0..500).map(|i| format!("{i}.x m60\n")).collect();
        let long = "q".repeat(300_000);
        let text = format!("[attr]m0 filter={long} -ident other\n{doubled}{lines}");
        let attributes = attributes(&[("", &text)]);
        assert_eq!(attributes.by_program("7.x"), Some(Conversion::Filter(long)));
        assert_eq!(attributes.by_directory[&b""[..]][0].settings.len(), 2);
    }

    #[test]
    fn line_ends_matter_only_where_git_would_change_them() {
        let attributes = attributes(&[(
            "",
            "* text=auto\n*.t text\n*.e eol=lf\n*.b binary\n*.c crlf\n*.n -text eol=crlf\n",
        )]);
        let converted = |path: &str, content: &[u8], before: bool| {
            attributes.conversion(&path.parse().unwrap(), content, || before).is_some()
        };
        for (path, content, expected) in [
            ("a", &b"x\r\n"[..], true),
            ("a", b"x\n", false),
            ("a", b"x\r\n\0", false),
            ("a", b"x\ry\r\n", false),
            ("a.t", b"x\r\n\0", true),
            ("a.e", b"x\r\n", true),
            ("a.b", b"x\r\n", false),
            ("a.n", b"x\r\n", false),
        ] {
            assert_eq!(converted(path, content, false), expected, "{path} {content:?}");
            assert!(!converted(path, content, true), "it was so before");
        }
    }
}
