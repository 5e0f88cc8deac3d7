//! The files in which a step leaves variables, outputs, paths and its summary.

use std::path::{Path, PathBuf};

use crate::Trouble;

/// The largest summary of a step that GitHub takes, in bytes.
const LARGEST_SUMMARY: usize = 1024 * 1024;

/// The files of one step.
pub(crate) struct StepFiles {
    folder: PathBuf,
    number: usize,
}

/// What a step left.
#[derive(Debug, Default)]
pub(crate) struct Left {
    pub(crate) env: Vec<(String, String)>,
    pub(crate) outputs: Vec<(String, String)>,
    pub(crate) paths: Vec<String>,
    pub(crate) summary: String,
}

const NAMES: [(&str, &str); 5] = [
    ("GITHUB_ENV", "set_env"),
    ("GITHUB_OUTPUT", "set_output"),
    ("GITHUB_PATH", "add_path"),
    ("GITHUB_STATE", "save_state"),
    ("GITHUB_STEP_SUMMARY", "step_summary"),
];

impl StepFiles {
    pub(crate) fn create(temp: &Path, number: usize) -> Result<Self, Trouble> {
        let folder = temp.join("_runner_file_commands");
        let files = Self { folder, number };
        let disk = |source| Trouble::Disk { doing: "make the files of a step", source };
        std::fs::create_dir_all(&files.folder).map_err(disk)?;
        for (_, path) in files.variables() {
            std::fs::write(path, "").map_err(disk)?;
        }
        Ok(files)
    }

    /// The variables that name the files.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&'static str, PathBuf)> + '_ {
        NAMES.iter().map(|(name, file)| (*name, self.path(file)))
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.join(format!("{file}_{}", self.number))
    }

    /// Reads what the step left, or says what GitHub would not take.
    pub(crate) fn read(&self) -> Result<Left, String> {
        let text = |file: &str| {
            let bytes = std::fs::read(self.path(file)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let fault = |command: &str, says: String| {
            format!("Unable to process file command '{command}' successfully. {says}")
        };
        let env = pairs(&text("set_env")).map_err(|says| fault("env", says))?;
        if env.iter().any(|(name, _)| name.eq_ignore_ascii_case("NODE_OPTIONS")) {
            let says = "Can't store NODE_OPTIONS output parameter using '$GITHUB_ENV' command.";
            return Err(fault("env", says.to_owned()));
        }
        let outputs = pairs(&text("set_output")).map_err(|says| fault("output", says))?;
        let summary = text("step_summary");
        if summary.len() > LARGEST_SUMMARY {
            let says =
                "$GITHUB_STEP_SUMMARY upload aborted, supports content up to a size of 1024k";
            return Err(says.to_owned());
        }
        let paths = text("add_path");
        let paths = paths.lines().map(str::trim).filter(|line| !line.is_empty());
        Ok(Left { env, outputs, paths: paths.map(str::to_owned).collect(), summary })
    }
}

/// `name=value`, or `name<<END` with lines up to one that says `END`.
fn pairs(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.is_empty() {
            continue;
        }
        let plain = line.find('=').unwrap_or(usize::MAX);
        let heredoc = line.find("<<").unwrap_or(usize::MAX);
        if plain < heredoc {
            let (name, value) = (&line[..plain], &line[plain + 1..]);
            found.push((named(name, line)?, value.to_owned()));
        } else if heredoc < plain {
            let (name, end) = (&line[..heredoc], &line[heredoc + 2..]);
            if end.is_empty() {
                return Err(format!("Invalid format '{line}'"));
            }
            let mut value = Vec::new();
            loop {
                match lines.next() {
                    Some(line) if line == end => break,
                    Some(line) => value.push(line),
                    None => return Err(format!("Matching delimiter not found '{end}'")),
                }
            }
            found.push((named(name, line)?, value.join("\n")));
        } else {
            return Err(format!("Invalid format '{line}'"));
        }
    }
    Ok(found)
}

fn named(name: &str, line: &str) -> Result<String, String> {
    if name.is_empty() {
        return Err(format!("Invalid format '{line}'"));
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_behind_a_sign_or_between_delimiters() {
        let text = "a=1=2\nb<<END\nx=1\n\ny\nEND\nc=\n";
        let read = pairs(text).unwrap();
        let read: Vec<_> =
            read.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(read, [("a", "1=2"), ("b", "x=1\n\ny"), ("c", "")]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for text in ["word", "=1", "a<<END\nx\n", "a<<\nx\n", "<<END\nEND"] {
            assert!(pairs(text).is_err(), "{text}");
        }
    }
}
