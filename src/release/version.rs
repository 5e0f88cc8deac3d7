//! The next version.
//!
//! Invariants: it is higher than the last one and its tag is free, or there is none; what commits
//! ask for is read by Conventional Commits, and a commit that follows no convention asks for a
//! patch.

use semver::{Prerelease, Version};

use super::ReleasedCommit;
use super::conventional::{ChangeKind, release_as, said};
use crate::core::release::{Bump, Refusal};

/// What is decided from.
#[derive(Debug, Clone, Copy)]
pub struct Before<'a> {
    /// The last released version on this branch.
    pub last: Option<&'a Version>,
    /// The version in the manifests, with the file it stands in.
    pub manifest: Option<(&'a Version, &'a str)>,
    /// What changed since.
    pub changes: &'a [ReleasedCommit],
}

/// The next version, and why it is that one, in words for people.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Next {
    pub version: Version,
    pub why: String,
}

/// How much a change asks for, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Asks {
    Patch,
    Minor,
    Major,
}

/// The next version. `tag_of` names the tag of a version, if the pattern gives one that git
/// accepts; `taken` says whether a tag exists.
///
/// # Errors
/// Why there is none.
pub fn next(
    before: Before<'_>,
    bump: Option<&Bump>,
    tag_of: impl Fn(&str) -> Option<String>,
    taken: impl Fn(&str) -> bool,
) -> Result<Next, Refusal> {
    let next = match (bump, asked_for(before), before.last) {
        (Some(Bump::To(version)), ..) => {
            Next { version: read(version)?, why: "as ordered".to_owned() }
        }
        (None, Some(asked), _) => asked,
        (bump, _, None) => first(before.manifest, bump),
        (Some(bump), _, Some(last)) => {
            let asks = match bump {
                Bump::Major => Asks::Major,
                Bump::Minor => Asks::Minor,
                _ => Asks::Patch,
            };
            Next {
                version: raised(last, asks, false),
                why: format!("{last} and a {bump}, as ordered"),
            }
        }
        (None, None, Some(last)) => {
            let is_out =
                |version: &Version| tag_of(&version.to_string()).is_some_and(|it| taken(&it));
            match before.manifest {
                // Released from another branch, and its version brought here.
                Some((version, _)) if version > last && is_out(version) => {
                    by_commits(version, before)
                }
                _ => by_commits(last, before),
            }
        }
    };
    if let Some(last) = before.last.filter(|last| next.version <= **last) {
        let (version, last) = (next.version.to_string(), last.to_string());
        return Err(Refusal::NotHigher { version, last });
    }
    let version = next.version.to_string();
    let Some(tag) = tag_of(&version) else { return Err(Refusal::BadTag { version }) };
    if taken(&tag) {
        return Err(Refusal::TagExists { tag });
    }
    Ok(next)
}

fn read(text: &str) -> Result<Version, Refusal> {
    Version::parse(text).map_err(|_| Refusal::BadTag { version: text.to_owned() })
}

fn first(manifest: Option<(&Version, &str)>, bump: Option<&Bump>) -> Next {
    match (bump, manifest) {
        (Some(Bump::Major), _) => {
            Next { version: Version::new(1, 0, 0), why: "the first release, as ordered".to_owned() }
        }
        (_, Some((version, file))) if *version > Version::new(0, 0, 0) => Next {
            version: announced(version).unwrap_or_else(|| version.clone()),
            why: format!("the first release; the version stands in `{file}`"),
        },
        _ => Next { version: Version::new(0, 1, 0), why: "the first release".to_owned() },
    }
}

/// The version that the newest commit asks for which asks for one above the last.
fn asked_for(before: Before<'_>) -> Option<Next> {
    let asked = before.changes.iter().rev().filter_map(|change| {
        let version = release_as(&change.message)?;
        let why = format!("`Release-As` in {} asks for it", change.sha.short());
        Some(Next { version, why })
    });
    asked.into_iter().find(|asked| before.last.is_none_or(|last| asked.version > *last))
}

fn by_commits(last: &Version, before: Before<'_>) -> Next {
    let most = before.changes.iter().filter(|change| !change.is_merge()).max_by_key(|c| asks(c));
    // Before 1.0.0, what breaks raises the second number.
    let unstable = last.major == 0;
    // To Cargo that number is the one that breaks, so what is new raises the third.
    let by_cargo = before.manifest.is_some_and(|(_, file)| file.ends_with("Cargo.toml"));
    let most = most.map_or(Asks::Patch, asks);
    let new_as_patch = most == Asks::Minor && unstable && by_cargo;
    let asks = if new_as_patch { Asks::Patch } else { most };
    let version = match next_pre(&last.pre) {
        Some(pre) => Version { pre, build: semver::BuildMetadata::EMPTY, ..last.clone() },
        None => raised(last, asks, unstable),
    };
    if let Some((manifest, file)) = before.manifest
        && manifest.pre.is_empty()
        && *manifest > *last
        && *manifest >= version
    {
        let why = format!("it stands in `{file}` already");
        return Next { version: manifest.clone(), why };
    }
    if let Some((manifest, file)) = before.manifest
        && let Some(announced) = announced(manifest)
        && announced >= version
    {
        let why = format!("`{file}` is on its way to it, as {manifest}");
        return Next { version: announced, why };
    }
    let why = match asks {
        _ if !version.pre.is_empty() => format!("the next after {last}"),
        Asks::Major if unstable => {
            format!("{last} and a breaking change (before 1.0.0 a minor step)")
        }
        Asks::Major => format!("{last} and a breaking change"),
        Asks::Minor => format!("{last} and something new"),
        Asks::Patch if new_as_patch => {
            format!("{last} and something new (before 1.0.0 a patch, as Cargo counts)")
        }
        Asks::Patch => format!("{last} and nothing but fixes and small changes"),
    };
    Next { version, why }
}

/// What a version of development leads to: 1.2.0 for `1.2.0-dev.0` and `1.2.0-SNAPSHOT`.
fn announced(manifest: &Version) -> Option<Version> {
    let pre = manifest.pre.as_str().to_ascii_lowercase();
    let is_development = ["dev", "snapshot"].iter().any(|word| pre.starts_with(word));
    is_development.then(|| Version::new(manifest.major, manifest.minor, manifest.patch))
}

fn asks(change: &ReleasedCommit) -> Asks {
    let said = said(&change.message);
    if said.iter().any(|it| it.breaking) {
        Asks::Major
    } else if said.iter().any(|it| it.kind == ChangeKind::Feature) {
        Asks::Minor
    } else {
        Asks::Patch
    }
}

/// The version after `last`. A pre-release goes on to its next one when commits decide, and to its
/// release when a person names a step that it leads to.
fn raised(last: &Version, asks: Asks, unstable: bool) -> Version {
    let asks = if unstable && asks == Asks::Major { Asks::Minor } else { asks };
    let mut next = Version::new(last.major, last.minor, last.patch);
    let leads_to = match asks {
        Asks::Patch => true,
        Asks::Minor => last.patch == 0,
        Asks::Major => last.patch == 0 && last.minor == 0,
    };
    if !last.pre.is_empty() && leads_to {
        return next;
    }
    match asks {
        Asks::Patch => next.patch = next.patch.saturating_add(1),
        Asks::Minor => (next.minor, next.patch) = (next.minor.saturating_add(1), 0),
        Asks::Major => {
            (next.major, next.minor, next.patch) = (next.major.saturating_add(1), 0, 0);
        }
    }
    next
}

/// `rc.2` after `rc.1`, `rc2` after `rc1`, `1` after `0`; `rc.1` after `rc`.
fn next_pre(pre: &Prerelease) -> Option<Prerelease> {
    let text = pre.as_str();
    if text.is_empty() {
        return None;
    }
    let name = text.trim_end_matches(|c: char| c.is_ascii_digit());
    let raised = match &text[name.len()..] {
        "" => None,
        number => Some(format!("{name}{}", number.parse::<u64>().ok()?.checked_add(1)?)),
    };
    // `rc10` stands before `rc9`: only a part that is all digits is compared as a number.
    let raised = raised.and_then(|raised| Prerelease::new(&raised).ok()).filter(|it| it > pre);
    raised.or_else(|| Prerelease::new(&format!("{text}.1")).ok())
}

#[cfg(test)]
mod tests {
    use super::super::tests::change;
    use super::*;
    use proptest::prelude::*;

    fn v(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    fn tag(version: &str) -> Option<String> {
        Some(format!("v{version}"))
    }

    fn next_of(last: &str, messages: &[&str], bump: Option<&str>) -> Result<String, Refusal> {
        let last = (!last.is_empty()).then(|| v(last));
        let changes: Vec<ReleasedCommit> = messages.iter().map(|m| change(m, 0, "mona")).collect();
        let bump: Option<Bump> = bump.map(|bump| bump.parse().unwrap());
        let before = Before { last: last.as_ref(), manifest: None, changes: &changes };
        next(before, bump.as_ref(), tag, |_| false).map(|next| next.version.to_string())
    }

    #[test]
    fn commits_decide_how_far_it_goes() {
        for (last, messages, expected) in [
            ("1.1.0", &["fix: a"][..], "1.1.1"),
            ("1.1.0", &["perf: a"], "1.1.1"),
            ("1.1.0", &["fix: a", "feat(api): b", "docs: c"], "1.2.0"),
            ("1.1.0", &["feat!: a"], "2.0.0"),
            ("1.1.0", &["fix: a\n\nBREAKING CHANGE: gone"], "2.0.0"),
            ("0.3.2", &["feat!: a"], "0.4.0"),
            ("0.3.2", &["feat: a"], "0.4.0"),
            ("0.3.2", &["fix: a"], "0.3.3"),
            ("1.1.0", &["Mend the roof"], "1.1.1"),
            ("1.1.0", &["Merge branch 'feat: x'", "chore: y"], "1.1.1"),
            ("", &["fix: a"], "0.1.0"),
            ("1.2.0-rc.1", &["fix: a"], "1.2.0-rc.2"),
            ("1.2.0-rc.9", &["feat!: a"], "1.2.0-rc.10"),
            ("1.2.0-beta", &["fix: a"], "1.2.0-beta.1"),
            ("1.2.0-rc1", &["fix: a"], "1.2.0-rc2"),
            ("1.2.0-rc9", &["fix: a"], "1.2.0-rc9.1"),
            ("1.2.0-0", &["fix: a"], "1.2.0-1"),
            ("1.1.0", &["Many things (#12)\n\n* feat: a\n* fix: b"], "1.2.0"),
            ("1.1.0", &["Many things\n\nfeat!: a"], "2.0.0"),
            ("1.1.0", &["fix: a\n\nRelease-As: 1.5.0", "fix: b"], "1.5.0"),
            ("1.1.0", &["fix: a\n\nRelease-As: 1.0.0", "fix: b"], "1.1.1"),
            ("", &["fix: a\n\nRelease-As: 0.7.0"], "0.7.0"),
        ] {
            assert_eq!(next_of(last, messages, None).unwrap(), expected, "{last} {messages:?}");
        }
    }

    #[test]
    fn before_the_first_major_a_feature_of_a_crate_is_a_patch() {
        let (last, manifest) = (v("0.3.2"), v("0.3.2"));
        for (message, file, expected) in [
            ("feat: a", "Cargo.toml", "0.3.3"),
            ("feat!: a", "Cargo.toml", "0.4.0"),
            ("feat: a", "package.json", "0.4.0"),
        ] {
            let changes = [change(message, 0, "mona")];
            let before =
                Before { last: Some(&last), manifest: Some((&manifest, file)), changes: &changes };
            let next = next(before, None, tag, |_| false).unwrap();
            assert_eq!(next.version.to_string(), expected, "{message} {file}");
        }
    }

    #[test]
    fn what_a_person_orders_counts_more_than_commits() {
        for (last, bump, expected) in [
            ("1.1.0", "major", "2.0.0"),
            ("0.1.0", "major", "1.0.0"),
            ("1.1.0", "patch", "1.1.1"),
            ("1.1.0", "3.0.0-rc.1", "3.0.0-rc.1"),
            ("1.2.0-rc.1", "patch", "1.2.0"),
            ("1.2.0-rc.1", "minor", "1.2.0"),
            ("1.2.0-rc.1", "major", "2.0.0"),
            ("1.2.1-rc.1", "minor", "1.3.0"),
            ("", "major", "1.0.0"),
            ("", "0.5.0", "0.5.0"),
        ] {
            let next = next_of(last, &["feat: a"], Some(bump)).unwrap();
            assert_eq!(next, expected, "{last} {bump}");
        }
    }

    #[test]
    fn a_version_that_is_not_higher_or_whose_tag_exists_is_refused() {
        for bad in ["1.1.0", "1.0.9", "1.1.0-rc.1"] {
            assert_eq!(
                next_of("1.1.0", &[], Some(bad)).unwrap_err(),
                Refusal::NotHigher { version: bad.into(), last: "1.1.0".into() }
            );
        }
        let before = Before { last: None, manifest: None, changes: &[] };
        assert_eq!(
            next(before, None, tag, |tag| tag == "v0.1.0").unwrap_err(),
            Refusal::TagExists { tag: "v0.1.0".into() }
        );
        assert_eq!(
            next(before, None, |_| None, |_| false).unwrap_err(),
            Refusal::BadTag { version: "0.1.0".into() }
        );
    }

    #[test]
    fn a_version_that_people_wrote_into_the_manifest_is_taken() {
        let (last, higher, lower) = (v("1.1.0"), v("1.5.0"), v("1.0.0"));
        let (dev, snapshot) = (v("2.0.0-dev.0"), v("1.1.1-SNAPSHOT"));
        let changes = [change("feat: a", 0, "mona")];
        let version = |last, manifest| {
            let before =
                Before { last, manifest: Some((manifest, "Cargo.toml")), changes: &changes };
            next(before, None, tag, |_| false).unwrap()
        };
        assert_eq!(version(Some(&last), &higher).version, higher);
        assert_eq!(version(Some(&last), &lower).version, v("1.2.0"));
        // A version of development says which release comes next.
        assert_eq!(version(Some(&last), &dev).version, v("2.0.0"));
        assert_eq!(version(Some(&last), &snapshot).version, v("1.2.0"));
        // What was released from another branch is gone on from.
        let before = Before {
            last: Some(&last),
            manifest: Some((&higher, "Cargo.toml")),
            changes: &changes,
        };
        let gone_on = next(before, None, tag, |tag| tag == "v1.5.0").unwrap();
        assert_eq!(gone_on.version, v("1.6.0"));
        assert_eq!(version(None, &snapshot).version, v("1.1.1"));
        let first = version(None, &lower);
        assert_eq!((first.version, first.why.contains("`Cargo.toml`")), (lower, true));
    }

    proptest! {
        #[test]
        fn it_is_always_higher(
            (major, minor, patch) in (0..9_u64, 0..9_u64, 0..9_u64),
            pre in "(rc\\.[0-9]|alpha|beta\\.x)?",
            kind in prop::sample::select(vec!["feat: a", "fix: a", "feat!: a", "none"]),
            bump in prop::sample::select(vec![None, Some("major"), Some("minor"), Some("patch")]),
        ) {
            let mut last = Version::new(major, minor, patch);
            last.pre = Prerelease::new(&pre).unwrap();
            let next = v(&next_of(&last.to_string(), &[kind], bump).unwrap());
            prop_assert!(next > last);
        }
    }
}
