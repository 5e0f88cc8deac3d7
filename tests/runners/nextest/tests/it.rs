#[test]
fn aborts() {
    std::process::abort();
}

/// nextest calls it passed.
#[test]
fn exits() {
    std::process::exit(0);
}

#[test]
fn wavers() {
    let again = std::env::var("NEXTEST_ATTEMPT").is_ok_and(|attempt| attempt != "1");
    assert!(again, "not at first");
}
