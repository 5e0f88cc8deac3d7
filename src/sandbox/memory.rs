//! The memory of a whole run, added up from outside, where no control group does it.
//!
//! Invariants: private memory of all processes, and shared memory that has no bound of its own:
//! memory without a file, files in memory that a process has mapped or open, and System V segments.
//! What lies in a temporary file system is bounded by its size. Known gaps: a file in memory that
//! is under way between two sockets, or mapped and let go of by everyone; buffers of sockets.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;

use rustix::fs::{AtFlags, Dir, MemfdFlags, Mode, OFlags};
use rustix::io::Errno;

/// What the processes of one run have.
#[derive(Debug)]
pub(super) struct RunMemory {
    /// The run's own `/proc`, which shows its processes and no others.
    processes: OwnedFd,
    /// The kernel's tables of shared memory and of messages, opened inside.
    tables: Vec<File>,
    /// Where the kernel keeps files in memory that have no name.
    nameless: u64,
    most_bytes: u64,
    /// Processes whose descriptors could not be seen the last time.
    hidden: BTreeSet<Vec<u8>>,
}

/// Whether a look found more than is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Within,
    Over,
}

/// What is found of one process.
#[derive(Default)]
struct Found {
    /// At most this much; what is shared counts for each process that has it.
    at_most: u64,
    page_tables: u64,
    /// Nameless files by their numbers.
    files: BTreeMap<u64, u64>,
    descriptors: usize,
}

/// Open files of a run; no build has nearly as many, and looking at them takes time.
const MOST_DESCRIPTORS: usize = 1 << 16;
/// The columns of a row of each table that say how many bytes it takes.
const COLUMNS: [&[usize]; 2] = [&[14, 15], &[3]];
const KIB: u64 = 1024;

impl RunMemory {
    /// Of the run with this `/proc` and these tables.
    pub(super) fn new(processes: OwnedFd, tables: Vec<File>, most_bytes: u64) -> io::Result<Self> {
        let sample = rustix::fs::memfd_create(c"sample", MemfdFlags::CLOEXEC)?;
        let nameless = rustix::fs::fstat(&sample)?.st_dev;
        Ok(Self { processes, tables, nameless, most_bytes, hidden: BTreeSet::new() })
    }

    /// Looks at all processes once. Blocks for a time in proportion to what they have.
    pub(super) fn look(&mut self) -> Look {
        let (mut found, mut hidden) = (Found::default(), BTreeSet::new());
        let names = numbers_in(&self.processes, c".").unwrap_or_default();
        let names: Vec<_> = names.into_iter().filter_map(|name| self.living(name)).collect();
        for name in &names {
            found.at_most += self.status(name, &["RssAnon:", "RssShmem:", "VmSwap:"]);
            found.page_tables += self.status(name, &["VmPTE:"]);
            // Any other error: it is gone. One that is about to be, and waits for its turn on a
            // busy machine, has no memory any more, and refuses everybody.
            if let Err(Errno::ACCESS | Errno::PERM) = self.open_files(name, &mut found)
                && self.has_memory(name)
            {
                hidden.insert(name.clone());
            }
        }
        let kept: u64 = self.tables.iter().zip(COLUMNS).map(|(table, at)| sum_of(table, at)).sum();
        let open: u64 = found.files.values().sum();
        let stays_hidden = hidden.intersection(&self.hidden).next().is_some();
        self.hidden = hidden;
        if stays_hidden || found.descriptors > MOST_DESCRIPTORS {
            return Look::Over;
        }
        let kept = kept + found.page_tables;
        if found.at_most + open + kept <= self.most_bytes {
            return Look::Within;
        }
        let exact = self.private_and_mapped(&names, found.files) + kept;
        if exact > self.most_bytes { Look::Over } else { Look::Within }
    }

    /// Where a process can be looked at: it lives on when its first thread is gone, which then
    /// shows nothing. `None`: it has ended, and nobody has reaped it yet.
    fn living(&self, name: Vec<u8>) -> Option<Vec<u8>> {
        let is_gone = |name: &[u8]| {
            let text = self.text(name, "status").unwrap_or_default();
            let state = text.lines().find_map(|line| line.strip_prefix("State:"));
            state.is_none_or(|state| state.trim_start().starts_with(['Z', 'X']))
        };
        if !is_gone(&name) {
            return Some(name);
        }
        let threads = [&*name, b"/task"].concat();
        let directory = open(&self.processes, &threads, OFlags::DIRECTORY).ok()?;
        let threads = numbers_in(&directory, c".").ok()?.into_iter();
        let mut threads = threads.map(|thread| [&*name, b"/task/", &*thread].concat());
        threads.find(|thread| !is_gone(thread))
    }

    /// What the kernel tells everybody.
    fn status(&self, name: &[u8], fields: &[&str]) -> u64 {
        let text = self.text(name, "status").unwrap_or_default();
        text.lines().filter_map(|line| fields.iter().find_map(|field| kibibytes(line, field))).sum()
    }

    fn has_memory(&self, name: &[u8]) -> bool {
        let text = self.text(name, "status").unwrap_or_default();
        text.lines().any(|line| line.starts_with("VmSize:"))
    }

    fn open_files(&self, name: &[u8], found: &mut Found) -> rustix::io::Result<()> {
        let path = [name, b"/fd"].concat();
        let directory = open(&self.processes, &path, OFlags::DIRECTORY)?;
        for number in numbers_in(&directory, c".")? {
            found.descriptors += 1;
            if found.descriptors > MOST_DESCRIPTORS {
                break;
            }
            let Ok(stat) = rustix::fs::statat(&directory, &*number, AtFlags::empty()) else {
                continue;
            };
            if stat.st_dev == self.nameless {
                found.files.insert(stat.st_ino, stat.st_blocks.cast_unsigned() * 512);
            }
        }
        Ok(())
    }

    /// What is shared counts once, or in proportion.
    fn private_and_mapped(&self, names: &[Vec<u8>], mut files: BTreeMap<u64, u64>) -> u64 {
        let open: BTreeSet<u64> = files.keys().copied().collect();
        let mut private = 0;
        for name in names {
            let mut of = Mapping::Private;
            let text = self.text(name, "smaps").unwrap_or_default();
            for line in text.lines() {
                if let Some(mapping) = self.mapping(line) {
                    of = mapping;
                } else if let Some(bytes) = kibibytes(line, of.field()) {
                    match of {
                        Mapping::Nameless(file) if !open.contains(&file) => {
                            *files.entry(file).or_default() += bytes;
                        }
                        Mapping::Private | Mapping::File => private += bytes,
                        Mapping::Nameless(_) | Mapping::Kept => {}
                    }
                } else if let Some(bytes) = kibibytes(line, "SwapPss:") {
                    private += bytes;
                }
            }
        }
        private + files.values().sum::<u64>()
    }

    /// The first line of a mapping: addresses, rights, offset, device, number of the file, name.
    fn mapping(&self, line: &str) -> Option<Mapping> {
        let mut words = line.split_ascii_whitespace();
        let (addresses, device) = (words.next()?, words.nth(2)?);
        let file: u64 = words.next()?.parse().ok()?;
        addresses.contains('-').then_some(())?;
        let (major, minor) = device.split_once(':')?;
        let number = |text| u32::from_str_radix(text, 16).ok();
        Some(if file == 0 {
            Mapping::Private
        } else if rustix::fs::makedev(number(major)?, number(minor)?) != self.nameless {
            Mapping::File
        } else if words.next().is_some_and(|name| name.starts_with("/SYSV")) {
            Mapping::Kept
        } else {
            Mapping::Nameless(file)
        })
    }

    fn text(&self, name: &[u8], what: &str) -> io::Result<String> {
        let path = [name, b"/", what.as_bytes()].concat();
        let mut text = Vec::new();
        File::from(open(&self.processes, &path, OFlags::empty())?).read_to_end(&mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

/// What stands behind a piece of a process's address space.
#[derive(Clone, Copy)]
enum Mapping {
    /// Nothing but memory.
    Private,
    /// A file. Only what was changed privately takes memory of the run's.
    File,
    /// A file in memory without a name.
    Nameless(u64),
    /// A segment that stands in the kernel's table too.
    Kept,
}

impl Mapping {
    fn field(self) -> &'static str {
        match self {
            Self::File => "Private_Dirty:",
            Self::Private | Self::Nameless(_) | Self::Kept => "Pss:",
        }
    }
}

fn kibibytes(line: &str, field: &str) -> Option<u64> {
    let number = line.strip_prefix(field)?.trim().strip_suffix(" kB")?;
    number.parse::<u64>().ok().map(|number| number * KIB)
}

fn open(at: impl AsFd, path: &[u8], more: OFlags) -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat(at, path, OFlags::RDONLY | OFlags::CLOEXEC | more, Mode::empty())
}

/// The entries of a directory that are numbers.
fn numbers_in(at: impl AsFd, path: &std::ffi::CStr) -> rustix::io::Result<Vec<Vec<u8>>> {
    let directory = open(at, path.to_bytes(), OFlags::DIRECTORY)?;
    let mut names = Vec::new();
    for entry in Dir::new(directory)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if name.iter().all(u8::is_ascii_digit) {
            names.push(name);
        }
    }
    Ok(names)
}

/// The kernel's tables are far smaller. What is larger is none of them.
const LARGEST_TABLE: usize = 4 << 20;

fn sum_of(table: &File, columns: &[usize]) -> u64 {
    let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
    while text.len() < LARGEST_TABLE
        && let Ok(read) = table.read_at(&mut buffer, text.len() as u64)
        && read > 0
    {
        text.extend_from_slice(&buffer[..read]);
    }
    let text = String::from_utf8_lossy(&text);
    let cells = text.lines().skip(1).flat_map(|row| {
        let cells: Vec<&str> = row.split_ascii_whitespace().collect();
        columns.iter().filter_map(move |at| cells.get(*at)?.parse::<u64>().ok()).collect::<Vec<_>>()
    });
    cells.sum()
}
