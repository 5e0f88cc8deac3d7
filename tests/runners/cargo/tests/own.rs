fn main() {
    println!("all well");
}
