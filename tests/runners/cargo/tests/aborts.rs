#[test]
fn aborts() {
    std::process::abort();
}

#[test]
fn a_green_one() {}

#[test]
fn later() {}
