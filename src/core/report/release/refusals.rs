//! Why no version is made, and what to do.
//!
//! Invariants: each says the next step.

use crate::core::id::Number;
use crate::core::policy::{RULES_PATH, ScopeError};
use crate::core::release::Refusal;
use crate::core::release_tools::FoundTool;
use crate::core::text::{boxed, inline, listed};

use super::code;

/// Why no version is made, and what to do.
///
/// `package`: the one that was meant, where there are several.
pub fn refusal(why: &Refusal, prefix: &str, package: Option<&str>) -> String {
    let release = release_command(prefix, package);
    match why {
        Refusal::WhichPackage(which) => which_package(which, prefix),
        Refusal::NotHigher { version, last } => format!(
            "{version} does not come after {last}, the last release. Name a higher one, or leave it \
             to the commits: `{release}`."
        ),
        Refusal::TagExists { tag } => format!(
            "The tag `{tag}` exists already, and a tag is never moved. Name another version: \
             `{release} 1.2.3`."
        ),
        Refusal::BadTag { version } => format!(
            "{} does not make a tag that git accepts. The pattern is `[release] tag` in \
             `{RULES_PATH}`.",
            inline(version, 60)
        ),
        Refusal::InChangelog { version } => format!(
            "The changelog has a section for {version} already, though it was not released. If \
             its release failed: `{release} retry`. Else name a higher version."
        ),
        Refusal::BadConfig { problem } => format!(
            "The rules of this repository cannot be read, so nothing was done:\n\n{}\n\n\
             Mend the file on the default branch, then comment `{release}` again.",
            boxed(problem, 500)
        ),
        Refusal::OwnTool => format!(
            "`[release] with = \"existing\"` in `{RULES_PATH}` says that this repository makes its \
             releases with a tool of its own. Use that, or remove the line."
        ),
        Refusal::ExistingTool { tool, pull } => existing_tool(tool, *pull),
        Refusal::WhichTool(tool) => which_tool(tool, prefix),
        Refusal::PermissionLost { login, why } => format!(
            "{login} asked for this, and may no longer: {why} Someone with the permission can \
             comment `{release}`."
        ),
        Refusal::OtherTags { tags, pattern, meant } => {
            other_tags(tags, pattern, meant.as_deref(), (&release, package))
        }
        Refusal::LastNotFound { tags, cut } => format!(
            "There are tags of releases ({}), and {} in the history of this branch, so the release \
             before is not known. Name the version: `{release} 1.2.0`. If other tags are \
             meant, set `[release] tag` in `{RULES_PATH}`.",
            listed(tags.iter().map(|tag| code(tag))),
            if *cut { "none was found in the last 2,000 commits" } else { "none is" }
        ),
        Refusal::ChecksFail { command, why } => format!(
            "With the files of the release, {} fails, and without them it does not, so nothing was \
             proposed:\n\n{}\n\nOften a test holds the old version. Mend it on the branch, then \
             comment `{release}` again.",
            code(command),
            boxed(why, 2000)
        ),
        Refusal::NoDirectory { directory } => format!(
            "There is no directory {} on this branch, which `[[release.packages]]` in \
             `{RULES_PATH}` names. Mend `path` there, then comment `{release}` again.",
            code(directory)
        ),
        Refusal::NoCommit { branch } => {
            format!("There is no commit on `{branch}`, so there is nothing to release.")
        }
    }
}

/// There are tags of versions, and none of the pattern.
fn other_tags(
    tags: &[String],
    pattern: &str,
    meant: Option<&str>,
    (release, package): (&str, Option<&str>),
) -> String {
    let mend = match meant {
        _ if package.is_some() => {
            format!("Set `tag` of the package in `[[release.packages]]` (`{RULES_PATH}`)")
        }
        Some(meant) if meant != pattern => {
            format!("Set `[release] tag = \"{}\"` in `{RULES_PATH}`", meant.replace('`', ""))
        }
        _ => format!("Set `[release] tag` in `{RULES_PATH}`"),
    };
    format!(
        "There are tags with versions ({}), and none is as the rules say, {}, so \
         the release before is not known. {mend}, or name the version: \
         `{release} 1.2.0`.",
        listed(tags.iter().map(|tag| code(tag))),
        code(pattern)
    )
}

/// `/gander release`, of one package where there are several.
pub(super) fn release_command(prefix: &str, package: Option<&str>) -> String {
    match package {
        Some(package) => format!("{prefix} release package={package}"),
        None => format!("{prefix} release"),
    }
}

/// Which package is meant is not known.
fn which_package(ScopeError { said, known }: &ScopeError, prefix: &str) -> String {
    let Some(first) = known.first() else {
        return format!(
            "This repository has one version for all of it: `{prefix} release`, without a package. \
             Packages with versions of their own are `[[release.packages]]` in `{RULES_PATH}`."
        );
    };
    let known = listed(known.iter().map(|name| code(name)));
    let what = match said {
        Some(said) => format!("There is no package {} here", inline(said, 60)),
        None => "The packages of this repository have versions of their own".to_owned(),
    };
    format!("{what}. Say which, of {known}: `{prefix} release package={first}`.")
}

/// Another tool makes the releases, as the rules say.
fn existing_tool(found: &FoundTool, pull: Option<Number>) -> String {
    let next = match pull {
        Some(pull) => format!("Its release pull request is #{pull}: review and merge that."),
        None => "None of its pull requests is open now that Gander knows by name.".to_owned(),
    };
    format!(
        "This repository makes its releases with {} ({}), as `[release] with` in `{RULES_PATH}` \
         says. It {}. {next} Nothing was changed.",
        found.tool.name(),
        code(&found.file),
        found.tool.how()
    )
}

/// Another tool may make them.
fn which_tool(found: &FoundTool, prefix: &str) -> String {
    format!(
        "This repository has {} set up ({}), which {}. Two that make releases would get into each \
         other's way, so nothing was changed. Say which in `{RULES_PATH}`: \
         `[release] with = \"existing\"` leaves releases to it, and `with = \"own\"` has Gander make \
         them. Then comment `{prefix} release` again.",
        found.tool.name(),
        code(&found.file),
        found.tool.how()
    )
}
