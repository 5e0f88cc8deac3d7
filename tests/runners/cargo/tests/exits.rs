#[test]
fn exits() {
    std::process::exit(0);
}

#[test]
fn later_and_red() {
    panic!("red");
}
