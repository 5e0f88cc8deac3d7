//! Tags that hold a version, whatever else stands in their names.

use std::collections::BTreeMap;

use super::changelog::is_version;

/// The pattern that a tag with a version follows: `widgets-v{version}` of `widgets-v1.1.0`.
pub fn pattern_of(tag: &str) -> Option<String> {
    let start = start_of_version(tag, is_version)?;
    Some(format!("{}{{version}}", &tag[..start]))
}

/// Whether a version stands at the end of a tag, be it as short as `1.1`.
pub fn ends_in_version(tag: &str) -> bool {
    start_of_version(tag, is_version).is_some() || start_of_version(tag, is_short).is_some()
}

/// The pattern that most tags with a version follow.
pub fn usual_pattern<'a>(tags: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut patterns: BTreeMap<String, usize> = BTreeMap::new();
    tags.filter_map(pattern_of).for_each(|pattern| *patterns.entry(pattern).or_default() += 1);
    patterns.into_iter().max_by_key(|(_, count)| *count).map(|(pattern, _)| pattern)
}

fn is_short(text: &str) -> bool {
    is_version(&format!("{text}.0"))
}

/// The first place from which on a name is a version, and does not begin within a number.
fn start_of_version(tag: &str, is_version: impl Fn(&str) -> bool) -> Option<usize> {
    let begins = |at: usize| {
        let before = tag[..at].chars().next_back();
        before.is_none_or(|c| !c.is_ascii_digit() && c != '.')
    };
    let digits = tag.char_indices().filter(|(_, c)| c.is_ascii_digit());
    digits.map(|(at, _)| at).find(|at| begins(*at) && is_version(&tag[*at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_what_stands_before_the_version() {
        for (tag, pattern) in [
            ("v1.1.0", Some("v{version}")),
            ("1.1.0", Some("{version}")),
            ("widgets-v1.1.0-rc.1", Some("widgets-v{version}")),
            ("lib2/1.1.0", Some("lib2/{version}")),
            ("release/2.0.0+build.5", Some("release/{version}")),
            ("v1.1", None),
            ("2024-01-05", None),
            ("1.2.3.4", None),
            ("nightly", None),
        ] {
            assert_eq!(pattern_of(tag).as_deref(), pattern, "{tag}");
        }
        assert!(ends_in_version("v1.1") && ends_in_version("1.1.0"));
        assert!(!ends_in_version("2024-01-05") && !ends_in_version("build7"));
    }

    #[test]
    fn of_several_patterns_the_usual_one_is_meant() {
        let tags = ["a-v1.0.0", "1.0.0", "1.1.0", "nightly"];
        assert_eq!(usual_pattern(tags.into_iter()).as_deref(), Some("{version}"));
        assert_eq!(usual_pattern(["nightly"].into_iter()), None);
    }
}
