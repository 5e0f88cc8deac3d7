//! What is logged, and where: one line per event on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

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
pub fn start(filter: Option<&str>, format: LogFormat) {
    let filter = filter.and_then(|text| EnvFilter::try_new(text).ok());
    let mut filter = filter.unwrap_or_else(|| EnvFilter::new("warn,gander=info"));
    for directive in NEVER.iter().filter_map(|text| text.parse().ok()) {
        filter = filter.add_directive(directive);
    }
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // A second start in one process (tests) keeps the first.
    let _ = match format {
        LogFormat::Text => logs.with_target(false).try_init(),
        LogFormat::Json => logs.json().try_init(),
    };
}
