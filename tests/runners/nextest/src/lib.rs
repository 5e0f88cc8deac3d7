pub fn one() -> u32 {
    1
}

#[cfg(test)]
mod tests {
    #[test]
    fn good() {}

    #[test]
    fn red() {
        println!("said on the way");
        assert_eq!(super::one(), 2);
    }

    #[test]
    #[ignore]
    fn later() {}

    #[test]
    #[should_panic]
    fn does_not_panic() {}

    #[test]
    fn index() {
        let none: Vec<u32> = Vec::new();
        println!("{}", none[super::one() as usize + 2]);
    }
}
