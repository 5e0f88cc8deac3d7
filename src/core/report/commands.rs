//! Words about commands: what there are, and why one could not be read.

use crate::core::command::{BadCommand, Verb, help_table};
use crate::core::id::Number;
use crate::core::job::Job;

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

/// The answer to a command that only a server knows.
pub fn not_without_server(verb: Verb, prefix: &str) -> String {
    let name = verb.spec().name;
    format!(
        "`{prefix} {name}` does not exist here: Gander works without a server in this repository, and \
         people merge and release. Nothing was changed. `docs/no-server.md` of Gander lists what there \
         is."
    )
}

/// The answer to a command that waits for no turn, where no server lets anybody wait.
pub fn under_way(job: &Job, prefix: &str) -> String {
    let what = match &job.pull {
        Some(pull) if !job.stage.is_ours() => format!(
            "#{} is open for this issue. Merge or close it first, or say there what is to be \
             different: `{prefix} revise`.",
            pull.number
        ),
        _ => format!(
            "A job is under way here already: {}. Wait for it, or stop it with `{prefix} cancel`.",
            job.stage.name()
        ),
    };
    format!("{what} Nothing was changed.")
}

/// The answer on a pull request of Gander's own of which nothing is kept.
pub fn not_known(subject: Number, prefix: &str) -> String {
    format!(
        "Gander does not know this pull request any more: its status comment on #{subject} was deleted, \
         or edited by somebody else, and then it does not count. Go on by hand, or close this and \
         comment `{prefix} fix` on #{subject}. Nothing was changed."
    )
}

/// Why a job ended whose work nobody handed over.
pub fn ended_early(page: &str) -> String {
    format!(
        "the run of the workflow ended before its work was done, by its time limit, by a person, or \
         because its machine was lost: {page}"
    )
}
