//! Words about commands: what there are, and why one could not be read.

use crate::core::command::{BadCommand, help_table};

/// The answer to a command that could not be read.
pub fn bad_command(bad: &BadCommand, prefix: &str) -> String {
    let hint = |did_you_mean: &Option<String>| match did_you_mean {
        Some(name) => format!(" Did you mean `{name}`?"),
        None => String::new(),
    };
    let what = match bad {
        BadCommand::NoVerb => "That names no command.".to_owned(),
        BadCommand::UnknownVerb { said, did_you_mean } => {
            format!("There is no command `{said}`.{}", hint(did_you_mean))
        }
        BadCommand::UnknownKey { verb, said, did_you_mean } => format!(
            "`{verb}` has no key `{said}`.{} Words that contain `=` go after `--`.",
            hint(did_you_mean)
        ),
        BadCommand::BadValue { key, said, wanted } => {
            format!("`{key}={said}` cannot be used: it takes {wanted}.")
        }
        BadCommand::NearlyKey { verb, meant } => format!(
            "Did you mean `{prefix} {verb} {meant}`? A key and its value are one word, before all \
             others; words of the request that look like one go after `--`."
        ),
    };
    format!("{what} Nothing was changed. `{prefix} help` lists the commands.")
}

/// The help text.
pub fn help(prefix: &str) -> String {
    format!(
        "The first line of a new comment is the command; the rest is the request.\n\n{}\n\
         The label `gander:fix` is the same as `{prefix} fix`; `gander:skip` keeps Gander away.",
        help_table(prefix)
    )
}
