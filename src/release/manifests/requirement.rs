//! What one package of a repository asks of another, and what becomes of it at a new version.
//!
//! Invariants: a requirement that was met before is met afterwards, or is told of; its operator and
//! its number of parts stay; one that was not met before meant another package, and stays.

use semver::{Version, VersionReq};

/// Whose grammar it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grammar {
    /// A bare version means `^`.
    Cargo,
    /// A bare version means `=`; `||` and spaces join.
    Npm,
}

/// What becomes of a requirement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is met as it is, or was not met before either.
    Stays,
    /// It says this from now on.
    Becomes(String),
    /// It would not be met, and how it should be spelled is for people to say.
    Unmet,
}

/// What becomes of a requirement when the package that it asks for goes from `old` to `new`.
/// What names the old version exactly follows it.
pub(super) fn outcome(said: &str, old: &Version, new: &Version, grammar: Grammar) -> Outcome {
    let protocol = if said.starts_with("workspace:") { "workspace:" } else { "" };
    let asked = &said[protocol.len()..];
    // What names no version is met by every one.
    if !asked.bytes().any(|b| b.is_ascii_digit()) {
        return Outcome::Stays;
    }
    let Some(before) = read(asked, grammar) else {
        // `1.0.0 - 1.1.0`, or a text that is no requirement at all.
        let names = asked.contains(&old.to_string()) && !asked.contains(['/', ':']);
        return if names { Outcome::Unmet } else { Outcome::Stays };
    };
    if !meets(&before, old) {
        return Outcome::Stays;
    }
    let met = meets(&before, new);
    let number = asked.trim_start_matches(['^', '~', '=', ' ']);
    let follows = Version::parse(number).is_ok_and(|version| version == *old);
    if met && !follows {
        return Outcome::Stays;
    }
    let operator = &asked[..asked.len() - number.len()];
    match respelled(number, new) {
        Some(number) => Outcome::Becomes(format!("{protocol}{operator}{number}")),
        None => Outcome::Unmet,
    }
}

/// Whether a requirement is met by a version.
pub(super) fn is_met(said: &str, version: &Version, grammar: Grammar) -> bool {
    read(said, grammar).is_some_and(|asked| meets(&asked, version))
}

/// Alternatives of which one has to be met.
fn read(asked: &str, grammar: Grammar) -> Option<Vec<VersionReq>> {
    match grammar {
        Grammar::Cargo => Some(vec![VersionReq::parse(asked).ok()?]),
        Grammar::Npm => asked.split("||").map(npm).collect(),
    }
}

/// `>=1.0.0 <2` and `1.x`, in Cargo's spelling.
fn npm(asked: &str) -> Option<VersionReq> {
    let mut comparators = Vec::new();
    let mut operator = String::new();
    for word in asked.split_whitespace() {
        if word.chars().all(|c| "<>=^~".contains(c)) {
            operator.push_str(word);
            continue;
        }
        let bare = operator.is_empty() && word.starts_with(|c: char| c.is_ascii_digit());
        // An `x` in the name of a pre-release is a letter.
        let (number, pre) = word.split_at(word.find(['-', '+']).unwrap_or(word.len()));
        let number = number.replace(['x', 'X'], "*");
        let partial = number.split('.').count() < 3;
        let sign = if bare && !partial && !number.contains('*') { "=" } else { "" };
        let word = format!("{number}{pre}");
        // `1.2` means `1.2.*`.
        let any = if bare && partial && !word.ends_with('*') { ".*" } else { "" };
        comparators.push(format!("{operator}{sign}{word}{any}"));
        operator.clear();
    }
    VersionReq::parse(&comparators.join(", ")).ok()
}

fn meets(alternatives: &[VersionReq], version: &Version) -> bool {
    alternatives.iter().any(|asked| asked.matches(version))
}

/// The new version with as many parts as this number has; `None` for what is no single number.
fn respelled(number: &str, new: &Version) -> Option<String> {
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if Version::parse(number).is_ok() || !new.pre.is_empty() {
        let single = number.bytes().all(|b| b.is_ascii_alphanumeric() || b".-+*".contains(&b));
        return single.then(|| new.to_string());
    }
    let parts: Vec<&str> = number.split('.').collect();
    let news = [new.major, new.minor, new.patch];
    let spelled = parts.iter().zip(news).map(|(part, new)| match *part {
        "x" | "X" | "*" => Some((*part).to_owned()),
        part => is_number(&part).then(|| new.to_string()),
    });
    let spelled: Option<Vec<String>> = spelled.collect();
    spelled.filter(|_| parts.len() <= 3).map(|parts| parts.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn becomes(said: &str, old: &str, new: &str, grammar: Grammar) -> String {
        let [old, new] = [old, new].map(|text| Version::parse(text).unwrap());
        match outcome(said, &old, &new, grammar) {
            Outcome::Stays => said.to_owned(),
            Outcome::Becomes(text) => text,
            Outcome::Unmet => "?".to_owned(),
        }
    }

    #[test]
    fn what_names_the_version_follows_it_and_what_still_fits_stays() {
        for (said, new, cargo, npm) in [
            ("1.1.0", "1.2.0", "1.2.0", "1.2.0"),
            ("=1.1.0", "1.2.0", "=1.2.0", "=1.2.0"),
            ("^1.1.0", "1.2.0", "^1.2.0", "^1.2.0"),
            ("~1.1.0", "1.1.1", "~1.1.1", "~1.1.1"),
            ("1", "1.2.0", "1", "1"),
            ("1.1", "1.2.0", "1.1", "1.2"),
            ("^1.0.0", "1.2.0", "^1.0.0", "^1.0.0"),
            (">=1.0.0", "2.0.0", ">=1.0.0", ">=1.0.0"),
            ("*", "2.0.0", "*", "*"),
        ] {
            assert_eq!(becomes(said, "1.1.0", new, Grammar::Cargo), cargo, "{said}");
            assert_eq!(becomes(said, "1.1.0", new, Grammar::Npm), npm, "{said}");
        }
    }

    #[test]
    fn a_letter_in_the_name_of_a_pre_release_is_no_wildcard() {
        let (old, new) = ("2.0.0-next.3", "2.0.0-next.4");
        for (said, now) in [("^2.0.0-next.3", "^2.0.0-next.4"), ("2.0.0-next.3", "2.0.0-next.4")] {
            assert_eq!(becomes(said, old, new, Grammar::Npm), now);
        }
    }

    #[test]
    fn what_no_longer_fits_moves_with_the_parts_it_has() {
        for (said, new, cargo) in [
            ("1", "2.0.0", "2"),
            ("1.1", "2.0.0", "2.0"),
            ("^1.0.0", "2.0.0", "^2.0.0"),
            ("~1.1", "1.2.0", "~1.2"),
            ("1.*", "2.0.0", "2.*"),
            ("1", "1.2.0-rc.1", "1.2.0-rc.1"),
            (">=1, <2", "2.0.0", "?"),
            (">=1, <2", "1.5.0", ">=1, <2"),
        ] {
            assert_eq!(becomes(said, "1.1.0", new, Grammar::Cargo), cargo, "{said}");
        }
        for (said, new, npm) in [
            ("^1.0.0", "2.0.0", "^2.0.0"),
            ("1.x", "2.0.0", "2.x"),
            ("workspace:^1.0.0", "2.0.0", "workspace:^2.0.0"),
            (">=1.0.0 <2", "2.0.0", "?"),
            (">= 1.0.0 < 2", "1.3.0", ">= 1.0.0 < 2"),
            ("^1.0.0 || ^3.0.0", "2.0.0", "?"),
            ("1.0.0 - 1.1.0", "2.0.0", "?"),
            ("npm:other@1.1.0", "2.0.0", "npm:other@1.1.0"),
            ("^1.0.0 || ^2.0.0", "2.0.0", "^1.0.0 || ^2.0.0"),
        ] {
            assert_eq!(becomes(said, "1.1.0", new, Grammar::Npm), npm, "{said}");
        }
    }

    #[test]
    fn what_names_no_version_stays_at_a_pre_release_too() {
        for said in ["*", "x", "workspace:*", "workspace:^", ""] {
            assert_eq!(becomes(said, "1.1.0", "1.2.0-rc.1", Grammar::Npm), said);
        }
    }

    #[test]
    fn what_meant_another_package_stays() {
        for said in ["1.0.0", "^0.9.0", "workspace:*", "workspace:^", "latest", "file:../a", ""] {
            assert_eq!(becomes(said, "1.1.0", "2.0.0", Grammar::Npm), said);
        }
        // Asked for exactly another version than the one that stands here.
        assert_eq!(becomes("=1.0.0", "1.1.0", "2.0.0", Grammar::Cargo), "=1.0.0");
    }
}
