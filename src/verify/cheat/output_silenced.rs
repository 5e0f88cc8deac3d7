//! Messages that are hidden.

use super::{ChangedSources, CheatFinding, CheatRule, Severity, is_of_tests, short};

pub(super) const RULE: CheatRule = CheatRule {
    name: "output-silenced",
    severity: Severity::Flag,
    finds: "warnings or errors that nobody is shown any more",
    check,
    fires: &[
        &[("calc.py", "", "import warnings\nwarnings.filterwarnings('ignore')\n")],
        &[("check.sh", "pytest\n", "pytest 2>/dev/null\n")],
        &[("lib/a.js", "", "console.error = () => {};\n")],
    ],
    passes: &[
        &[("run.sh", "", "command -v pytest >/dev/null 2>&1 || exit 1\n")],
        &[("lib/a.js", "", "console.error('no');\n")],
    ],
};

const SIGNS: &[&str] = &[
    "logging.disable(",
    "warnings.filterwarnings(\"ignore\"",
    "warnings.filterwarnings('ignore'",
    "warnings.simplefilter(\"ignore\"",
    "warnings.simplefilter('ignore'",
    "setLevel(logging.CRITICAL",
    "console.error = ",
    "console.warn = ",
    "console.log = ",
    "sys.stderr = open(os.devnull",
    "sys.stderr = io.StringIO",
    "log.SetOutput(io.Discard",
    "log.SetOutput(ioutil.Discard",
    "System.setErr(",
    "set_hook(Box::new(|_| {}))",
    "Level.OFF",
];

/// What tells of an error.
const TELLS: &[&str] = &[
    "eprintln!(",
    "console.error(",
    "console.warn(",
    "logger.error(",
    "logger.warning(",
    "logger.exception(",
    "log.error(",
    "log.warn(",
    "logging.error(",
    "slog.Error(",
    "slog.Warn(",
    "error!(",
    "warn!(",
    "LOG.error(",
    "sys.stderr.write(",
    "file=sys.stderr",
    "warnings.warn(",
];

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let mut found = Vec::new();
    for file in &sources.files {
        let tells = |line: &&super::RowText| {
            file.is_code()
                && !is_of_tests(&file.path)
                && TELLS.iter().any(|it| line.text.contains(it))
        };
        let gone = file.removed.iter().filter(tells);
        let came = file.added.iter().filter(tells).count();
        if let Some(first) = gone.clone().next().filter(|_| gone.count() > came && !file.is_gone) {
            let reason = format!("an error is not told any more: {}", short(first.text.trim()));
            found.push(file.finding(&RULE, file.row_near(first.row), reason));
        }
        for line in &file.added {
            let text = line.text.trim();
            let asks = text.contains("command -v") || text.contains("which ");
            let script = file.is_script() && text.contains("2>/dev/null") && !asks;
            if script || file.is_code() && SIGNS.iter().any(|it| text.contains(it)) {
                let reason = format!("hides what goes wrong: {}", short(text));
                found.push(file.finding(&RULE, line.row, reason));
            }
        }
    }
    found
}
