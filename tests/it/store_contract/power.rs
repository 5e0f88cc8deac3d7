//! A power cut: what was not synced may be on the disk, or not, or in parts.
//!
//! A process accepts deliveries while a recorder notes each write, each sync and each
//! acknowledgement in their order. From this record the disk is made up again as a cut at any
//! moment could have left it, and the store is opened on it.

#![allow(clippy::disallowed_methods)] // builds the recorder

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Command;

use gander::core::id::DeliveryId;
use gander::store::{Sqlite, Store};

use super::process::another_process;

/// A file system writes a part of this size wholly or not at all.
const SECTOR: usize = 512;
/// The directory that everything is in.
const DIRECTORY: &str = "memory";

/// What the recorder noted.
enum Entry {
    Written { file: String, at: usize, data: Vec<u8> },
    Resized { file: String, size: usize },
    Synced { file: String },
    Removed { file: String },
    Acknowledged(Vec<DeliveryId>),
}

fn entries(mut record: &[u8]) -> Vec<Entry> {
    let mut take = |length: usize| -> Option<Vec<u8>> {
        let (taken, rest) = record.split_at_checked(length)?;
        record = rest;
        Some(taken.to_vec())
    };
    let mut entries = Vec::new();
    // A last one that is not there to its end was cut off with the process.
    loop {
        let mut one = || {
            let kind = take(1)?[0];
            let mut number = || Some(u64::from_ne_bytes(take(8)?.try_into().ok()?) as usize);
            let (path, number, length) = (number()?, number()?, number()?);
            let path = String::from_utf8(take(path)?).ok()?;
            let file = path.rsplit('/').next().unwrap_or_default().to_owned();
            let data = take(length)?;
            Some(match kind {
                b'w' => Entry::Written { file, at: number, data },
                b't' => Entry::Resized { file, size: number },
                b's' => Entry::Synced { file },
                b'u' => Entry::Removed { file },
                _ => Entry::Acknowledged(
                    String::from_utf8_lossy(&data).lines().flat_map(str::parse).collect(),
                ),
            })
        };
        match one() {
            Some(entry) => entries.push(entry),
            None => return entries,
        }
    }
}

/// A deterministic choice among so many.
struct Chance(u64);

impl Chance {
    fn of(&mut self, many: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % many.max(1)
    }
}

/// A file on a disk: what is sure to be there, and what was written since.
#[derive(Default)]
struct OnDisk<'a> {
    sure: Vec<u8>,
    since: Vec<&'a Entry>,
    /// It was removed, and its directory was not synced since.
    removed: bool,
}

impl<'a> OnDisk<'a> {
    fn sync(&mut self) {
        for entry in std::mem::take(&mut self.since) {
            self.apply(entry, usize::MAX);
        }
    }

    fn apply(&mut self, entry: &Entry, most: usize) {
        match entry {
            Entry::Written { at, data, .. } => {
                let data = &data[..data.len().min(most)];
                self.sure.resize(self.sure.len().max(at + data.len()), 0);
                self.sure[*at..at + data.len()].copy_from_slice(data);
            }
            Entry::Resized { size, .. } => self.sure.resize(*size, 0),
            Entry::Synced { .. } | Entry::Removed { .. } | Entry::Acknowledged(_) => {}
        }
    }

    /// As a cut may leave it: each write that was not synced is there, or not, or in part.
    fn cut(mut self, chance: &mut Chance) -> Vec<u8> {
        for entry in std::mem::take(&mut self.since) {
            match chance.of(3) {
                0 => {}
                1 => self.apply(entry, usize::MAX),
                _ => {
                    let sectors = match entry {
                        Entry::Written { data, .. } => data.len() / SECTOR,
                        _ => continue,
                    };
                    self.apply(entry, chance.of(sectors + 1) * SECTOR);
                }
            }
        }
        self.sure
    }
}

/// Lays the files as a cut after so many entries may leave them, and tells what had been
/// acknowledged by then. Where syncs of a file are `ignored`, it is as if nobody had asked for
/// them.
fn cut_after(
    entries: &[Entry],
    ignored: &str,
    chance: &mut Chance,
    directory: &Path,
) -> Vec<DeliveryId> {
    let mut files: BTreeMap<&str, OnDisk<'_>> = BTreeMap::new();
    let mut acknowledged = Vec::new();
    for entry in entries {
        match entry {
            Entry::Written { file, .. } | Entry::Resized { file, .. } => {
                files.entry(file).or_default().since.push(entry);
            }
            Entry::Synced { file } if file == DIRECTORY => files.retain(|_, file| !file.removed),
            Entry::Synced { file } if file != ignored => files.entry(file).or_default().sync(),
            Entry::Removed { file } => files.entry(file).or_default().removed = true,
            Entry::Synced { .. } => {}
            Entry::Acknowledged(ids) => acknowledged.extend(ids.iter().cloned()),
        }
    }
    for (name, file) in files {
        // What processes share about the log lives in memory.
        let gone = name.ends_with("-shm") || file.removed && chance.of(2) == 0;
        if !gone {
            std::fs::write(directory.join(name), file.cut(chance)).unwrap();
        }
    }
    acknowledged
}

/// The record of a process that accepted deliveries until it had acknowledged `many`.
fn recorded(many: usize) -> Vec<Entry> {
    let directory = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/store_contract/recorder.c");
    let [recorder, record] = ["recorder.so", "record"].map(|name| directory.path().join(name));
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([&recorder, &source])
        .arg("-ldl")
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let memory = directory.path().join(DIRECTORY);
    std::fs::create_dir(&memory).unwrap();
    let mut command = another_process("durable_sqlite::accepts_until_killed", &memory);
    command.env("LD_PRELOAD", &recorder).env("RECORD_TO", &record).env("RECORD_BELOW", &memory);
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let told = lines.filter(|line| line.parse::<DeliveryId>().is_ok()).take(many).count();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(told, many);
    entries(&std::fs::read(record).unwrap())
}

/// How many acknowledged deliveries are lost, over cuts at so many moments.
async fn lost(entries: &[Entry], ignored: &str, cuts: usize) -> (usize, usize) {
    let mut chance = Chance(20_261_128);
    let (mut lost, mut all) = (0, 0);
    for _ in 0..cuts {
        let directory = tempfile::tempdir().unwrap();
        let at = chance.of(entries.len());
        let ids = cut_after(&entries[..at], ignored, &mut chance, directory.path());
        if ids.is_empty() {
            continue;
        }
        all += ids.len();
        let known = match Sqlite::open(&directory.path().join("gander.db")).await {
            Ok(store) => store.known(&ids).await.map_or(0, |known| known.len()),
            Err(_) => 0,
        };
        lost += ids.len() - known;
    }
    (lost, all)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_power_cut_loses_what_was_acknowledged() {
    let entries = recorded(400);
    let (nothing, all) = lost(&entries, "", 100).await;
    assert_eq!(nothing, 0, "of {all}");
    assert!(all > 5_000, "{all}");
    // With a log that is not synced it does, so the cuts are real.
    let (some, all) = lost(&entries, "gander.db-wal", 10).await;
    assert!(some > 0, "of {all}");
}
