//! Contents that are no text, as git's own patches carry them.
//!
//! Invariants: what is written here is what `git apply` reads: the length of each line, base85 in
//! git's alphabet, of the content compressed with zlib.

use std::io::{self, Read};

use flate2::Compression;
use flate2::read::ZlibEncoder;

/// Git's digits.
const DIGITS: &[u8; 85] =
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~";
/// Bytes of one line.
const LINE: usize = 52;

/// One side of a binary patch, with the empty line that ends it.
///
/// # Errors
/// Never, as far as is known: compressing in memory does not fail.
pub(super) fn literal(out: &mut Vec<u8>, content: &[u8]) -> io::Result<()> {
    let mut packed = Vec::new();
    ZlibEncoder::new(content, Compression::default()).read_to_end(&mut packed)?;
    out.extend_from_slice(format!("literal {}\n", content.len()).as_bytes());
    for line in packed.chunks(LINE) {
        out.push(line_length(line.len()));
        for group in line.chunks(4) {
            let mut four = [0; 4];
            four[..group.len()].copy_from_slice(group);
            out.extend_from_slice(&five_digits(u32::from_be_bytes(four)));
        }
        out.push(b'\n');
    }
    out.push(b'\n');
    Ok(())
}

/// `A` to `Z` are 1 to 26, `a` to `z` are 27 to 52.
fn line_length(length: usize) -> u8 {
    let length = u8::try_from(length.min(LINE)).unwrap_or_default();
    if length <= 26 { b'A' + length - 1 } else { b'a' + length - 27 }
}

fn five_digits(mut number: u32) -> [u8; 5] {
    let mut digits = [0; 5];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(number % 85) as usize];
        number /= 85;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_and_lengths_are_gits_own() {
        // Git's literal of nothing: `HcmV?d00001`.
        assert_eq!(five_digits(0x7801_0300), *b"cmV?d");
        assert_eq!(five_digits(1), *b"00001");
        assert_eq!(five_digits(u32::MAX), *b"|NsC0");
        let mut out = Vec::new();
        literal(&mut out, b"").unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("literal 0\nH") && text.ends_with("00001\n\n"), "{text}");
        assert_eq!([1, 26, 27, 52].map(line_length), *b"AZaz");
    }
}
