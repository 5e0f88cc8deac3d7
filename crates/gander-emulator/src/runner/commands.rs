//! Workflow commands: lines of output that say `::error::` and the like.
//!
//! Invariants: a line is read as GitHub's runner reads it, and while commands are stopped only the
//! given token starts them again.

/// Something said about the code, or about the run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobAnnotation {
    /// `notice`, `warning` or `failure`.
    pub level: String,
    /// What it says.
    pub message: String,
    /// Its headline.
    pub title: Option<String>,
    /// The file it is about.
    pub file: Option<String>,
    /// The first line.
    pub line: Option<u64>,
    /// The last line.
    pub end_line: Option<u64>,
    /// The first column.
    pub column: Option<u64>,
    /// The last column.
    pub end_column: Option<u64>,
}

/// What a line of output means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Plain text for the log.
    Line(String),
    Annotation(JobAnnotation),
    Mask(String),
    Output(String, String),
    /// A command that GitHub's runner refuses.
    Refused(String),
}

const COMMANDS: [&str; 16] = [
    "add-mask",
    "add-matcher",
    "add-path",
    "debug",
    "echo",
    "endgroup",
    "error",
    "group",
    "internal-set-repo-path",
    "notice",
    "remove-matcher",
    "save-state",
    "set-env",
    "set-output",
    "stop-commands",
    "warning",
];

/// Hears the output of one step.
#[derive(Debug, Default)]
pub(crate) struct Ear {
    /// What ends the silence.
    token: Option<String>,
}

struct Command {
    name: String,
    properties: Vec<(String, String)>,
    data: String,
}

impl Ear {
    pub(crate) fn hear(&mut self, line: &str) -> Heard {
        let plain = || Heard::Line(line.to_owned());
        let Some(command) = self.read(line) else { return plain() };
        if let Some(token) = &self.token {
            if command.name.eq_ignore_ascii_case(token) {
                self.token = None;
            }
            return plain();
        }
        let name = command.name.to_ascii_lowercase();
        let property = |wanted: &str| {
            let found = command.properties.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.clone())
        };
        match &*name {
            "stop-commands" => {
                let token = command.data.as_str();
                if token.is_empty() || COMMANDS.contains(&token) || token == "pause-logging" {
                    let says = format!("Invalid command token '{token}'");
                    return Heard::Refused(says);
                }
                self.token = Some(command.data);
                plain()
            }
            "add-mask" if command.data.trim().is_empty() => {
                Heard::Line("##[warning]Can't add secret mask for empty string".to_owned())
            }
            "add-mask" => Heard::Mask(command.data),
            "error" | "warning" | "notice" => {
                let number = |name: &str| property(name).and_then(|text| text.parse().ok());
                let level = if name == "error" { "failure" } else { &*name };
                Heard::Annotation(JobAnnotation {
                    level: level.to_owned(),
                    message: command.data.clone(),
                    title: property("title"),
                    file: property("file"),
                    line: number("line"),
                    end_line: number("endline"),
                    column: number("col"),
                    end_column: number("endcolumn"),
                })
            }
            "group" | "endgroup" | "debug" => Heard::Line(format!("##[{name}]{}", command.data)),
            "set-output" => match property("name") {
                Some(output) => Heard::Output(output, command.data),
                None => Heard::Refused("Required field 'name' is missing".to_owned()),
            },
            "set-env" | "add-path" => Heard::Refused(format!("The `{name}` command is disabled")),
            _ => plain(),
        }
    }

    fn read(&self, line: &str) -> Option<Command> {
        let known = |name: &str| {
            let token = self.token.as_deref();
            let name = name.trim();
            COMMANDS.iter().any(|known| known.eq_ignore_ascii_case(name))
                || token.is_some_and(|token| token.eq_ignore_ascii_case(name))
        };
        if let Some(rest) = line.trim_start().strip_prefix("::")
            && let Some((head, data)) = rest.split_once("::")
        {
            let (name, properties) = head.split_once(' ').unwrap_or((head, ""));
            if known(name) {
                return Some(Command {
                    name: name.trim().to_owned(),
                    properties: pairs(properties, ','),
                    data: unescape(data, &DATA),
                });
            }
        }
        // The old way, which is heard anywhere in a line.
        let (_, rest) = line.split_once("##[")?;
        let (head, data) = rest.split_once(']')?;
        let (name, properties) = head.split_once(' ').unwrap_or((head, ""));
        known(name).then(|| Command {
            name: name.trim().to_owned(),
            properties: pairs(properties, ';'),
            data: unescape(data, &DATA),
        })
    }
}

/// What the escapes stand for; the percent sign comes last.
const DATA: [(&str, &str); 3] = [("%0D", "\r"), ("%0A", "\n"), ("%25", "%")];
const PROPERTY: [(&str, &str); 5] =
    [("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")];

fn unescape(text: &str, escapes: &[(&str, &str)]) -> String {
    escapes.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

fn pairs(text: &str, between: char) -> Vec<(String, String)> {
    let pairs = text.split(between).filter_map(|pair| pair.split_once('='));
    let pairs = pairs.filter(|(name, value)| !name.trim().is_empty() && !value.is_empty());
    pairs
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), unescape(value, &PROPERTY)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_its_place() {
        let heard = Ear::default()
            .hear("  ::error file=src/a%2Cb.rs,line=3,endLine=4,col=1,title=No::a%0Ab%25");
        let Heard::Annotation(heard) = heard else { panic!("{heard:?}") };
        assert_eq!((heard.level.as_str(), heard.message.as_str()), ("failure", "a\nb%"));
        assert_eq!(heard.file.as_deref(), Some("src/a,b.rs"));
        assert_eq!((heard.line, heard.end_line, heard.column), (Some(3), Some(4), Some(1)));
        assert_eq!(heard.title.as_deref(), Some("No"));
    }

    #[test]
    fn the_old_way_is_heard_inside_a_line() {
        let heard = Ear::default().hear("test output ##[add-mask]hunter2");
        assert_eq!(heard, Heard::Mask("hunter2".to_owned()));
        let heard = Ear::default().hear("##[error file=a.rs;line=2;]bad");
        assert!(matches!(heard, Heard::Annotation(one) if one.line == Some(2)));
    }

    #[test]
    fn stopped_commands_are_text_until_the_token_comes() {
        let mut ear = Ear::default();
        ear.hear("::stop-commands::t0ken");
        for line in ["::error::no", "##[add-mask]x", "::stop-commands::other", "::other::"] {
            assert_eq!(ear.hear(line), Heard::Line(line.to_owned()));
        }
        ear.hear("::t0ken::");
        assert!(matches!(ear.hear("::error::yes"), Heard::Annotation(_)));
    }

    #[test]
    fn what_is_no_command_is_text() {
        for line in ["", "::", "::unknown::x", "a ::error::b", ":error:", "::error", "##[x]y"] {
            assert_eq!(Ear::default().hear(line), Heard::Line(line.to_owned()), "{line}");
        }
        for line in ["::stop-commands::", "::stop-commands::error", "::set-env name=A::b"] {
            assert!(matches!(Ear::default().hear(line), Heard::Refused(_)), "{line}");
        }
    }
}
