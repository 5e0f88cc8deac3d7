#[test]
fn calls_what_is_missing() {
    assert_eq!(widget::two(), 2);
}
