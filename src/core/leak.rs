//! Secrets in what is about to leave: the last look at it, after everything that keeps them away.
//!
//! Invariants: what is found is called by its name, and its value is never shown; a secret of ours
//! is found in every usual encoding, at any offset, and by a part of it; from forty characters on
//! also where lines break it.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read as _;

use aho_corasick::{AhoCorasick, AhoCorasickKind, BuildError};
use data_encoding::BASE64_NOPAD;
use flate2::read::GzDecoder;
use memchr::memmem;

mod encodings;
mod foreign;

pub use foreign::{Foreign, SecretsBefore, foreign_secrets, without_foreign_secrets};

/// A shorter one would be found everywhere; nothing that guards anything is as short.
const SHORTEST: usize = 12;
/// So many bytes of a form are looked for first. With all of them, what looks for them weighs much,
/// for as long as the server runs.
const HEAD: usize = 4;
/// What is compressed is looked at up to so many bytes.
const MOST_INFLATED: u64 = 8 * 1024 * 1024;
/// So many compressed parts of one text are looked at.
const MOST_PARTS: usize = 16;
/// How what gzip made begins, as it is and in base64.
const GZIP: (&[u8], &[u8]) = (&[0x1f, 0x8b, 0x08], b"H4sI");

/// The secrets of this process, ready to be looked for.
#[derive(Default)]
pub struct KnownSecrets {
    /// Of the heads of all their forms. `None`: there is no secret.
    heads: Option<AhoCorasick>,
    /// By the number of the head.
    forms: Vec<Vec<u8>>,
    /// By the number of the head.
    names: Vec<String>,
}

impl fmt::Debug for KnownSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KnownSecrets(…)")
    }
}

impl KnownSecrets {
    /// Of names, as people are told them, and values. A value of less than twelve bytes is left
    /// out.
    ///
    /// # Errors
    /// When there are more than can be looked for.
    pub fn new<'a>(
        secrets: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, BuildError> {
        let mut patterns = BTreeMap::new();
        for (name, value) in secrets {
            let value = value.trim();
            if value.len() >= SHORTEST {
                let forms = encodings::forms(value).into_iter();
                patterns.extend(forms.map(|form| (form, name.to_owned())));
            }
        }
        let (forms, names): (Vec<_>, _) = patterns.into_iter().unzip();
        let heads = forms.iter().map(|form| &form[..form.len().min(HEAD)]);
        let heads =
            AhoCorasick::builder().kind(Some(AhoCorasickKind::ContiguousNFA)).build(heads)?;
        Ok(Self { heads: Some(heads), forms, names })
    }

    /// The name of a secret that this holds, if it holds one.
    pub fn found_in(&self, content: &[u8]) -> Option<&str> {
        self.plainly_in(content)
            .or_else(|| inflated(content).iter().find_map(|inside| self.plainly_in(inside)))
    }

    fn plainly_in(&self, content: &[u8]) -> Option<&str> {
        // Hexadecimal digits and base32 are written in both cases: so all forms are small.
        let small = content.to_ascii_lowercase();
        let mut heads = self.heads.as_ref()?.find_overlapping_iter(&small);
        let found = heads.find_map(|head| {
            let number = head.pattern().as_usize();
            let is_whole = small[head.start()..].starts_with(self.forms.get(number)?);
            is_whole.then_some(number)
        });
        self.names.get(found?).map(String::as_str)
    }
}

/// What stands compressed in this: all of it, or parts in base64.
fn inflated(content: &[u8]) -> Vec<Vec<u8>> {
    let (raw, encoded) = GZIP;
    if content.starts_with(raw) {
        return vec![inflate(content)];
    }
    let starts = memmem::find_iter(content, encoded).take(MOST_PARTS);
    let mut room = MOST_INFLATED;
    let mut parts = Vec::new();
    for start in starts {
        let run: Vec<u8> = content[start..]
            .iter()
            .filter(|byte| !byte.is_ascii_whitespace())
            .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
            .copied()
            .take(usize::try_from(room).unwrap_or(usize::MAX))
            .collect();
        room -= run.len() as u64;
        // A rest of less than a whole group is no matter.
        let whole = &run[..run.len() / 4 * 4];
        parts.extend(BASE64_NOPAD.decode(whole).map(|bytes| inflate(&bytes)));
    }
    parts
}

/// As far as it can be read.
fn inflate(bytes: &[u8]) -> Vec<u8> {
    let mut inside = Vec::new();
    // What was read before an error stays.
    let _ = GzDecoder::new(bytes).take(MOST_INFLATED).read_to_end(&mut inside);
    inside
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    use super::*;

    /// Made up, with characters that encodings treat in their own ways.
    fn secret() -> String {
        ["kq7/Zt+R2w9=", "Xv4_Lm8-Hs1", "?Pd6&Jb3~Ny5", "wR3tY8uI0oP"].concat()
    }

    fn known(value: &str) -> KnownSecrets {
        KnownSecrets::new([("the model's key", value)]).unwrap()
    }

    fn gzip(text: &str) -> Vec<u8> {
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        packed.write_all(text.as_bytes()).unwrap();
        packed.finish().unwrap()
    }

    #[test]
    fn a_secret_is_found_in_every_usual_encoding_and_called_by_its_name() {
        let secret = secret();
        let known = known(&secret);
        let everywhere = |text: &str| {
            let base32 = data_encoding::BASE32.encode(text.as_bytes());
            vec![
                ("as it is", text.to_owned()),
                ("base64", STANDARD.encode(text)),
                ("base64 for addresses", URL_SAFE.encode(text)),
                ("small base32", base32.to_lowercase()),
                ("base32", base32),
                ("hexadecimal", hex::encode(text)),
                ("large hexadecimal", hex::encode_upper(text)),
                ("an address", utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()),
                ("an address, all of it", text.bytes().map(|b| format!("%{b:02x}")).collect()),
                ("reversed", text.chars().rev().collect()),
                ("compressed, in base64", STANDARD.encode(gzip(text))),
            ]
        };
        // Every offset, as encodings cut bytes into groups of up to five.
        for before in ["", "a", "ab", "abc", "abcd", "a sentence, and then "] {
            for (how, text) in everywhere(&format!("{before}{secret}, and more")) {
                assert_eq!(known.found_in(text.as_bytes()), Some("the model's key"), "{how}");
            }
        }
        assert_eq!(known.found_in(&gzip(&format!("x {secret}"))), Some("the model's key"));
        assert_eq!(known.found_in(b"nothing of the kind"), None);
        assert!(!format!("{known:?}").contains(&secret));
    }

    #[test]
    fn half_a_secret_and_one_that_lines_break_are_found() {
        let (secret, known) = (secret(), known(&secret()));
        assert!(known.found_in(&secret.as_bytes()[..secret.len() * 3 / 4]).is_some());
        let encoded = STANDARD.encode(format!("{}{secret}{}", "x".repeat(40), "y".repeat(100)));
        let lines: Vec<&str> =
            encoded.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
        assert!(known.found_in(lines.join("\n").as_bytes()).is_some());
    }

    #[test]
    fn a_private_key_is_found_by_any_of_its_lines_but_not_by_what_all_keys_share() {
        let mark = |what: &str| format!("-----{what} PRIVATE KEY-----");
        let shared = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ";
        let bytes: Vec<u8> =
            (1..1200_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
        let body = format!("{shared}{}", &STANDARD.encode(bytes)[..1500]);
        let lines: Vec<&str> =
            body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        let pem = format!("{}\n{}\n{}\n", mark("BEGIN"), lines.join("\n"), mark("END"));
        let known = KnownSecrets::new([("the App's private key", pem.as_str())]).unwrap();
        let forms: usize = known.forms.iter().map(|form| form.len() + size_of::<Vec<u8>>()).sum();
        let size = known.heads.as_ref().unwrap().memory_usage() + forms;
        assert!(size < 256 * 1024, "it weighs {size} bytes, for as long as the server runs");
        for leaked in [
            pem.clone(),
            pem.replace('\n', "\\n"),
            body.clone(),
            lines[9].to_owned(),
            STANDARD.encode(&pem),
            hex::encode(STANDARD.decode(&body[..1548]).unwrap()),
        ] {
            assert!(known.found_in(leaked.as_bytes()).is_some(), "{leaked}");
        }
        assert_eq!(known.found_in(format!("{}\n{shared}", mark("BEGIN")).as_bytes()), None);
    }

    #[test]
    fn of_secrets_that_begin_alike_each_is_found_and_called_by_its_name() {
        let (one, other) = (format!("ghs_{}", secret()), format!("ghs_{}", &secret()[9..]));
        let known = KnownSecrets::new([("one", &*one), ("the other", &*other)]).unwrap();
        assert_eq!(known.found_in(format!("ghs_ghs_{one}").as_bytes()), Some("one"));
        assert_eq!(known.found_in(format!("ghs_{other}ghs_").as_bytes()), Some("the other"));
        assert_eq!(known.found_in(b"ghs_ and ghs_"), None);
    }

    #[test]
    fn what_is_too_short_to_guard_anything_is_not_looked_for() {
        assert_eq!(known("ollama").found_in(b"run ollama here"), None);
        assert_eq!(known("").found_in(b"text"), None);
    }

    #[test]
    fn a_mebibyte_is_looked_through_in_no_time() {
        let known = known(&secret());
        let text = "let H4sI = some(code, that: 1) + \"-----BEGIN\";\n".repeat(24_000);
        let begin = std::time::Instant::now();
        assert_eq!(known.found_in(text.as_bytes()), None);
        assert_eq!(foreign_secrets(text.as_bytes()).count(), 0);
        assert!(begin.elapsed() < std::time::Duration::from_secs(3), "{:?}", begin.elapsed());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = known("some secret of some length").found_in(&bytes);
            let _ = foreign_secrets(&bytes).count();
        }
    }
}
