//! How a release is withdrawn, at each place that it went to.
//!
//! Invariants: nothing is done here: Gander's server may publish and withdraw nothing at a registry,
//! so what people are told is what they do themselves; no word of others can act in a command.

use std::fmt::Write as _;

use crate::core::target::{PackageNames, ReleaseTarget};

/// A release that is to be withdrawn.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct Withdrawn<'a> {
    pub version: &'a str,
    pub tag: &'a str,
    /// The address of the repository.
    pub repository: &'a str,
    pub names: &'a PackageNames,
    /// The registries that the rules name.
    pub targets: &'a [ReleaseTarget],
}

/// So many packages of a kind are named.
const MOST_NAMED: usize = 30;

/// What to do, place by place.
pub fn how_to_withdraw(of: &Withdrawn<'_>, prefix: &str) -> String {
    let Withdrawn { version, tag, repository, names, targets } = *of;
    let mut text = format!(
        "**How to withdraw {tag}.** Gander's server has no right at any registry, so this is yours \
         to do. Nothing was done.\n\n"
    );
    for target in targets {
        match target {
            ReleaseTarget::Crates => {
                text.push_str("On crates.io, which keeps it for lockfiles that name it:\n\n");
                commands(&mut text, &names.crates, |name| {
                    format!("cargo yank --version {version} {name}")
                });
            }
            ReleaseTarget::Npm => {
                text.push_str(
                    "On npm, which shows the words to whoever installs it. `latest` goes back by the \
                     second command, with the version before:\n\n",
                );
                commands(&mut text, &names.npm, |name| {
                    format!(
                        "npm deprecate {name}@{version} \"withdrawn\"\n\
                         npm dist-tag add {name}@VERSION-BEFORE latest"
                    )
                });
            }
            ReleaseTarget::Pypi => {
                text.push_str(
                    "On PyPI, by hand: it has no interface for it. *Options → Yank* on\n\n",
                );
                for name in names.python.iter().take(MOST_NAMED).filter(|name| is_plain(name)) {
                    let _ = writeln!(
                        text,
                        "- https://pypi.org/manage/project/{name}/release/{version}/"
                    );
                }
                text.push('\n');
            }
            ReleaseTarget::Container => {
                let _ = write!(
                    text,
                    "The image keeps its tag `{version}`: whoever pins its digest has it. Move \
                     `latest` to the version before, or delete that version on the page of the \
                     package.\n\n"
                );
            }
        }
    }
    let page = match is_plain(tag) {
        true => format!("[edit the release]({repository}/releases/edit/{tag})"),
        false => "edit the release".to_owned(),
    };
    let _ = write!(
        text,
        "On GitHub: {page}, say so in its first line, and set it as a pre-release, so that the one \
         before is the latest again. The tag stays.\n\n\
         What it brought is taken back by `{prefix} revert` on the pull request that brought it, and \
         `{prefix} release` then makes the next version."
    );
    text
}

/// A box of commands, one for each package.
fn commands(text: &mut String, names: &[String], command: impl Fn(&str) -> String) {
    let plain: Vec<&String> = names.iter().filter(|name| is_plain(name)).collect();
    if plain.is_empty() {
        text.push_str("(no package of this kind is in the files of that commit)\n\n");
        return;
    }
    text.push_str("```sh\n");
    for name in plain.iter().take(MOST_NAMED) {
        let _ = writeln!(text, "{}", command(name));
    }
    text.push_str("```\n");
    if let Some(more) = plain.len().checked_sub(MOST_NAMED).filter(|more| *more > 0) {
        let _ = writeln!(text, "and {more} more packages.");
    }
    text.push('\n');
}

/// Names as registries allow them: nothing in them acts in a shell or in an address.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.@/".contains(c);
    !name.starts_with('-') && name.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_is_told_its_own_way_and_a_hostile_name_is_left_out() {
        let names = PackageNames {
            crates: vec!["core".into(), "$(rm -rf)".into(), "--all".into()],
            npm: vec!["@acme/widgets".into()],
            python: vec![],
        };
        let of = Withdrawn {
            version: "1.2.0",
            tag: "v1.2.0",
            repository: "https://github.com/acme/widgets",
            names: &names,
            targets: &[ReleaseTarget::Crates, ReleaseTarget::Npm, ReleaseTarget::Container],
        };
        let text = how_to_withdraw(&of, "/gander");
        assert!(text.contains("\ncargo yank --version 1.2.0 core\n```"), "{text}");
        assert!(text.contains("npm deprecate @acme/widgets@1.2.0 \"withdrawn\"\n"), "{text}");
        assert!(!text.contains("rm -rf") && !text.contains("PyPI"), "{text}");
        assert!(text.contains("keeps its tag `1.2.0`"), "{text}");
        assert!(text.contains("https://github.com/acme/widgets/releases/edit/v1.2.0"), "{text}");
    }
}
