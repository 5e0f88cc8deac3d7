//! What is logged, and where: one line per event on standard error.
//!
//! Invariants: a line that holds a secret is not written; another says so, and names it.

use std::io::{IsTerminal, Write};
use std::sync::Arc;

use tracing_subscriber::EnvFilter;

use crate::core::leak::{KnownSecrets, without_foreign_secrets};

/// Libraries that log bodies of requests or answers stay silent whatever the filter says.
const NEVER: &[&str] = &["genai=off", "octocrab=off", "reqwest=off", "hyper=off", "hyper_util=off"];

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// Begins to log. `filter` is in `tracing`'s own notation; a bad one means the default.
pub fn start(filter: Option<&str>, format: LogFormat, known: Arc<KnownSecrets>) {
    let filter = filter.and_then(|text| EnvFilter::try_new(text).ok());
    let mut filter = filter.unwrap_or_else(|| EnvFilter::new("warn,gander=info"));
    for directive in NEVER.iter().filter_map(|text| text.parse().ok()) {
        filter = filter.add_directive(directive);
    }
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(move || Checked { out: std::io::stderr(), known: Arc::clone(&known) });
    // A second start in one process (tests) keeps the first.
    let _ = match format {
        LogFormat::Text => logs.with_target(false).try_init(),
        LogFormat::Json => logs.json().try_init(),
    };
}

/// Lines on their way out, one a call.
struct Checked<W> {
    out: W,
    known: Arc<KnownSecrets>,
}

impl<W: Write> Write for Checked<W> {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        match self.known.found_in(line) {
            Some(name) => writeln!(self.out, "a line was not logged, as it holds {name}")?,
            None => {
                let text = String::from_utf8_lossy(line);
                self.out.write_all(without_foreign_secrets(&text).as_bytes())?;
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_logged() {
        let secret = ["a secret", " that somebody", " made up"].concat();
        let known = KnownSecrets::new([("the webhook secret", secret.as_str())]).unwrap();
        let mut log = Checked { out: Vec::new(), known: Arc::new(known) };
        let token = format!("ghp_{}", "Q7WZ2RT4YK6PB3XM5VN".repeat(2));
        writeln!(log.out, "before").unwrap();
        log.write_all(format!("asked with {secret}\n").as_bytes()).unwrap();
        log.write_all(format!("asked with {token}\n").as_bytes()).unwrap();
        assert_eq!(
            String::from_utf8(log.out).unwrap(),
            "before\na line was not logged, as it holds the webhook secret\n\
             asked with (left out: a GitHub token)\n"
        );
    }
}
