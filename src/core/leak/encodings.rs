//! The forms in which a secret is looked for.
//!
//! Invariants: each form belongs to a part of at least [`PART`] bytes, so nothing is found by what
//! two secrets may have in common; forms are compared without regard to case.

use std::collections::BTreeSet;

use data_encoding::{
    BASE32_NOPAD, BASE64_MIME_PERMISSIVE, BASE64_NOPAD, BASE64URL_NOPAD, Encoding,
};
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};

/// A long secret is found by each part of so many bytes: whoever has that much has enough.
const PART: usize = 20;
/// A secret of less is looked for as a whole.
const LONG: usize = PART + STEP;
/// From one part to the next.
const STEP: usize = 10;
/// The same in a private key: one part of each line, of which there are many.
const STEP_OF_KEYS: usize = 64;
/// Lines of a private key that say what kind it is, and so are alike in many.
const HEADER_LINES: usize = 2;

/// So much of what a part becomes in an encoding is enough to know it by.
const ENOUGH: usize = 18;

/// All that a secret may look like, in small letters.
pub(super) fn forms(secret: &str) -> BTreeSet<Vec<u8>> {
    let forms = all_forms(secret).into_iter();
    forms.map(|form| form.to_ascii_lowercase()).collect()
}

fn all_forms(secret: &str) -> BTreeSet<Vec<u8>> {
    let mut forms = BTreeSet::new();
    if !secret.starts_with("-----BEGIN") {
        for part in parts(secret.as_bytes(), STEP) {
            forms.extend(encoded(part));
        }
        return forms;
    }
    // In a variable its lines often end with the two characters `\n`.
    let secret = secret.replace("\\n", "\n");
    let lines = secret.lines().filter(|line| !line.contains(['-', ':'])).skip(HEADER_LINES);
    let mut body = String::new();
    for line in lines.filter(|line| line.len() >= PART) {
        forms.extend(parts(line.as_bytes(), STEP_OF_KEYS).flat_map(encoded));
        body.push_str(line);
    }
    if let Ok(bytes) = BASE64_MIME_PERMISSIVE.decode(body.as_bytes()) {
        for part in parts(&bytes, STEP_OF_KEYS) {
            forms.extend([part.to_vec(), enough(hex::encode(part))]);
        }
    }
    forms
}

fn parts(secret: &[u8], step: usize) -> impl Iterator<Item = &[u8]> {
    let (whole, length) = match secret.len() {
        short @ ..LONG => (true, short),
        _ => (false, PART),
    };
    let last = secret.len() - length;
    let starts = (0..=last).step_by(step).chain((!whole && step == STEP).then_some(last));
    starts.map(move |at| &secret[at..at + length])
}

fn encoded(part: &[u8]) -> Vec<Vec<u8>> {
    let reversed = part.iter().rev().copied().collect();
    let percent = percent_encode(part, NON_ALPHANUMERIC).to_string();
    let all_percent: String = part.iter().map(|byte| format!("%{byte:02x}")).collect();
    let mut forms = vec![part.to_vec(), reversed, percent.into()];
    forms.extend([enough(all_percent), enough(hex::encode(part))]);
    forms.extend((0..3).map(|before| within(&BASE64_NOPAD, 6, before, part)));
    forms.extend((0..3).map(|before| within(&BASE64URL_NOPAD, 6, before, part)));
    forms.extend((0..5).map(|before| within(&BASE32_NOPAD, 5, before, part)));
    forms
}

/// The characters that a part becomes wherever it stands `before` bytes into a group: those at its
/// ends depend on what is around it, and are left out. A character holds so many `bits`.
fn within(encoding: &Encoding, bits: usize, before: usize, part: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; before];
    bytes.extend_from_slice(part);
    let text = encoding.encode(&bytes);
    let (first, end) = ((before * 8).div_ceil(bits), bytes.len() * 8 / bits);
    enough(text[first..end].to_owned())
}

fn enough(mut encoded: String) -> Vec<u8> {
    // All of it is ASCII.
    encoded.truncate(ENOUGH);
    encoded.into_bytes()
}
