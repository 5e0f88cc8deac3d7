//! What one Python package asks of another, and what becomes of it at a new version.
//!
//! Invariants: only the versions that are asked for are touched, never the marker behind `;`; the
//! result is met by the new version, or it is told that it is not.

use std::ops::Range;
use std::str::FromStr;

use pep440_rs::{Version, VersionSpecifiers};

use super::requirement::Outcome;

/// The package that a requirement names, as indexes have it.
pub(super) fn package(requirement: &str) -> String {
    canonical(&requirement[..name_end(requirement)])
}

/// What becomes of a requirement when the package that it names goes from `old` to `new`.
pub(super) fn outcome(requirement: &str, old: &Version, new: &Version) -> Outcome {
    let versions = versions(requirement);
    let read = |text: &str| VersionSpecifiers::from_str(text).ok();
    let Some(asked) = read(&requirement[versions.clone()]) else { return Outcome::Stays };
    let names_old = asked.iter().any(|asked| asked.version() == old);
    if !names_old && asked.contains(new) {
        return Outcome::Stays;
    }
    let Some(now) = replaced(&requirement[versions.clone()], &old.to_string(), &new.to_string())
    else {
        return Outcome::Unmet;
    };
    if !read(&now).is_some_and(|asked| asked.contains(new)) {
        return Outcome::Unmet;
    }
    let (before, behind) = (&requirement[..versions.start], &requirement[versions.end..]);
    Outcome::Becomes(format!("{before}{now}{behind}"))
}

/// A name as indexes have it.
pub(super) fn canonical(name: &str) -> String {
    let words = name.split(['-', '_', '.']).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").to_ascii_lowercase()
}

fn name_end(requirement: &str) -> usize {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    requirement.find(|c| !plain(c)).unwrap_or(requirement.len())
}

/// Where the versions stand: behind name and extras, before the marker.
fn versions(requirement: &str) -> Range<usize> {
    let end = requirement.find(';').unwrap_or(requirement.len());
    let start = name_end(requirement);
    let start = requirement[start..end].rfind(']').map_or(start, |at| start + at + 1);
    let inside = |c: char| !c.is_whitespace() && c != '(' && c != ')';
    let text = &requirement[start..end];
    let first = text.find(inside).map_or(end, |at| start + at);
    let last = text.rfind(inside).map_or(first, |at| start + at + 1);
    first..last
}

/// Every version that is exactly the old one replaced. `None`: it stands nowhere.
fn replaced(versions: &str, old: &str, new: &str) -> Option<String> {
    let mut said = false;
    let parts = versions.split(',').map(|part| {
        let at = part.find(|c: char| c.is_ascii_digit()).unwrap_or(part.len());
        let (operator, version) = part.split_at(at);
        if version.trim_end() != old {
            return part.to_owned();
        }
        said = true;
        format!("{operator}{new}{}", &version[version.trim_end().len()..])
    });
    let now = parts.collect::<Vec<_>>().join(",");
    said.then_some(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn becomes(requirement: &str, new: &str) -> String {
        let [old, new] = ["1.1.0", new].map(|text| Version::from_str(text).unwrap());
        match outcome(requirement, &old, &new) {
            Outcome::Stays => requirement.to_owned(),
            Outcome::Becomes(now) => now,
            Outcome::Unmet => "?".to_owned(),
        }
    }

    #[test]
    fn what_names_the_version_follows_and_what_is_met_stays() {
        for (requirement, now) in [
            ("w_core==1.1.0", "w_core==1.2.0"),
            ("W.Core[a] ~= 1.1.0 ; os_name == 'nt'", "W.Core[a] ~= 1.2.0 ; os_name == 'nt'"),
            ("w-core>=1.1.0,<11.1.0", "w-core>=1.2.0,<11.1.0"),
            ("w-core (>=1.1.0)", "w-core (>=1.2.0)"),
            ("w-core<1.1.0", "?"),
            ("w-core<1.2", "?"),
            ("w-core>=1,<2", "w-core>=1,<2"),
            ("w-core", "w-core"),
            ("w-core @ git+https://h/w", "w-core @ git+https://h/w"),
        ] {
            assert_eq!(becomes(requirement, "1.2.0"), now, "{requirement}");
        }
    }

    #[test]
    fn a_marker_that_holds_the_same_number_is_not_meant() {
        let marked = "w-core>=1.1.0 ; python_full_version >= '1.1.0'";
        assert_eq!(becomes(marked, "1.2.0"), marked.replacen("1.1.0", "1.2.0", 1));
    }

    #[test]
    fn names_are_compared_as_indexes_have_them() {
        assert_eq!(package("W__Core[a]>=1"), "w-core");
        assert_eq!(package("w-core-extra==1"), "w-core-extra");
    }
}
