//! The one list of YAML that is needed here.

use saphyr_parser::{Event, Parser};

/// The strings of the list under a key at the top. What is no such list gives none.
pub(super) fn strings_under(text: &str, key: &str) -> Vec<String> {
    let mut strings = Vec::new();
    let (mut depth, mut at_key, mut inside) = (0_u32, true, false);
    for event in Parser::new_from_str(text) {
        let Ok((event, _)) = event else { return strings };
        match event {
            Event::Scalar(value, ..) if depth == 1 => {
                inside = at_key && value == key;
                at_key = !at_key;
            }
            Event::Scalar(value, ..) if depth == 2 && inside => strings.push(value.into_owned()),
            Event::MappingStart(..) | Event::SequenceStart(..) => depth += 1,
            Event::MappingEnd | Event::SequenceEnd => {
                depth = depth.saturating_sub(1);
                if depth == 1 {
                    (at_key, inside) = (true, false);
                }
            }
            _ => {}
        }
    }
    strings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_under_a_key_at_the_top_is_read_and_no_other() {
        let text = "catalog:\n  packages: [no]\npackages: # ours\n  - 'packages/*'\n  - !x \"!packages/old\"\nlast: packages\n";
        assert_eq!(strings_under(text, "packages"), ["packages/*", "!packages/old"]);
        assert!(strings_under("packages: [", "packages").is_empty());
        assert!(strings_under("- packages\n", "packages").is_empty());
    }
}
