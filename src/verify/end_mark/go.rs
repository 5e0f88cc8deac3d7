//! What `go test` prints: a line for each package, with tabs between its parts.

use super::Marks;

/// Finds `ok   example.com/a 0.002s`, which ends with `[no tests to run]` if none ran, and
/// `?    example.com/a [no test files]`.
pub(super) fn read(lines: &[&str]) -> Marks {
    let mut marks = Marks::default();
    for line in lines {
        let tested = line.starts_with("ok  \t");
        let no_files = line.starts_with("?   \t") && line.ends_with("[no test files]");
        marks.ended += usize::from(tested || no_files);
        marks.tests += u64::from(tested && !line.ends_with("[no tests to run]"));
    }
    marks.begun = marks.ended;
    marks
}
