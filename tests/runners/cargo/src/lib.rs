/// ```
/// assert_eq!(widget::one(), 1);
/// ```
pub fn one() -> u32 {
    1
}

#[cfg(test)]
mod tests {
    #[test]
    fn good() {}

    #[test]
    fn red() {
        assert_eq!(super::one(), 2);
    }

    #[test]
    #[ignore = "takes long"]
    fn later() {}

    #[test]
    #[should_panic]
    fn does_not_panic() {}

    #[test]
    fn index() {
        let none: Vec<u32> = Vec::new();
        println!("{}", none[super::one() as usize + 2]);
    }

    #[test]
    fn says_an_error() -> Result<(), String> {
        Err("not now".to_owned())
    }
}
