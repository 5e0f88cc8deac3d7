//! Says that a new migration means a new build: they are compiled in.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
