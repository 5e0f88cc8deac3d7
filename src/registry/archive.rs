//! Files inside the archives that registries take.
//!
//! Invariants: nothing is unpacked to the disk; reading ends after a bounded number of bytes.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use flate2::read::GzDecoder;

/// Bytes of an archive that are unpacked while a file is looked for.
const MOST_UNPACKED: u64 = 256 << 20;
/// Bytes of the file itself.
const LARGEST: u64 = 4 << 20;

/// The first file of a gzipped tar that `wanted` says yes to, by its path.
pub(super) fn in_tar(content: &[u8], wanted: impl Fn(&str) -> bool) -> Option<(String, Vec<u8>)> {
    let unpacked = GzDecoder::new(content).take(MOST_UNPACKED);
    let mut archive = tar::Archive::new(unpacked);
    for entry in archive.entries().ok()? {
        let mut entry = entry.ok()?;
        let path = entry.path().ok().and_then(|path| Some(path.to_str()?.to_owned()));
        let is_file = entry.header().entry_type().is_file();
        if let Some(path) = path.filter(|path| is_file && wanted(path)) {
            return Some((path, limited(&mut entry)?));
        }
    }
    None
}

/// Where the files of a tar that is not packed stand, by their paths. `None`: it is none.
pub(super) fn places(archive: &[u8]) -> Option<BTreeMap<String, &[u8]>> {
    let mut files = BTreeMap::new();
    let mut reader = tar::Archive::new(Cursor::new(archive));
    for entry in reader.entries().ok()? {
        let entry = entry.ok()?;
        let path = entry.path().ok()?.to_str()?.trim_start_matches("./").to_owned();
        if entry.header().entry_type().is_file() {
            let start = usize::try_from(entry.raw_file_position()).ok()?;
            let end = start.checked_add(usize::try_from(entry.size()).ok()?)?;
            files.insert(path, archive.get(start..end)?);
        }
    }
    (!files.is_empty()).then_some(files)
}

/// The same of a zip.
pub(super) fn in_zip(content: &[u8], wanted: impl Fn(&str) -> bool) -> Option<(String, Vec<u8>)> {
    let mut archive = zip::ZipArchive::new(Cursor::new(content)).ok()?;
    let names = archive.file_names().filter_map(Result::ok);
    let path = names.map(std::borrow::Cow::into_owned).find(|path| wanted(path))?;
    let mut entry = archive.by_name(&path).ok()?;
    let content = limited(&mut entry)?;
    drop(entry);
    Some((path, content))
}

fn limited(from: &mut impl Read) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    from.take(LARGEST + 1).read_to_end(&mut content).ok()?;
    (content.len() as u64 <= LARGEST).then_some(content)
}
