//! Which system calls no run may make: one filter, made from one table.
//!
//! Holds: what is denied is answered as by a kernel that was built without it (`ENOSYS`), and no
//! other convention leads around that: all of x32 is denied the same way, and a call of another
//! architecture (32-bit code, `int 0x80`) kills its process. Where there is no filter, nothing runs.

use std::io;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompFilter, SeccompRule, sock_filter,
};

/// A system call that is denied whatever its arguments are.
struct DeniedCall {
    name: &'static str,
    number: libc::c_long,
}

const DENIED: &[DeniedCall] = &[
    // Keys lie in no namespace: by its number, a command reaches the keyring that all sessions of
    // the user share, with the operator's keys in it and those of other runs.
    DeniedCall { name: "add_key", number: libc::SYS_add_key },
    DeniedCall { name: "keyctl", number: libc::SYS_keyctl },
    DeniedCall { name: "request_key", number: libc::SYS_request_key },
];

/// Where the kernel tells a process about its filters.
pub(super) const STATUS: &str = "/proc/self/status";

/// The names of what is denied.
pub(super) fn denied() -> impl Iterator<Item = &'static str> {
    DENIED.iter().map(|denied| denied.name)
}

/// The filter, as bubblewrap reads it.
///
/// # Errors
/// For an architecture that is none of ours.
pub(super) fn filter() -> io::Result<Vec<u8>> {
    let program = program(std::env::consts::ARCH).map_err(io::Error::other)?;
    Ok(program.iter().flat_map(bytes).collect())
}

/// Whether a run is under one filter more than we are, from what the kernel tells of both.
pub(super) fn is_added(inside: &str, outside: &str) -> bool {
    let number = |status: &str, field: &str| -> Option<u32> {
        status.lines().find_map(|line| line.strip_prefix(field)?.trim().parse().ok())
    };
    let filters = |status| number(status, "Seccomp_filters:");
    number(inside, "Seccomp:") == Some(FILTERED)
        && match (filters(inside), filters(outside)) {
            (Some(inside), Some(outside)) => inside > outside,
            // Before 5.9, the kernel does not count them.
            _ => true,
        }
}

/// The kernel's word for a process that is under a filter.
const FILTERED: u32 = 2;

fn program(architecture: &str) -> Result<BpfProgram, BackendError> {
    let denial = SeccompAction::Errno(libc::ENOSYS.cast_unsigned());
    let rules = DENIED.iter().map(|denied| (denied.number, Vec::<SeccompRule>::new())).collect();
    let architecture = architecture.try_into()?;
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, denial.clone(), architecture)?;
    // It kills for another architecture. But it takes x32 for x86_64, with numbers of no rule.
    let filter = BpfProgram::try_from(filter)?;
    Ok([&numbers_of_x32(denial)[..], &filter].concat())
}

/// Denies calls by x32's numbers, which are those from this bit on. No architecture has others
/// there.
fn numbers_of_x32(denial: SeccompAction) -> [sock_filter; 3] {
    const BIT: u32 = 1 << 30;
    [
        sock_filter { code: LOAD, jt: 0, jf: 0, k: NUMBER },
        sock_filter { code: IF_AT_LEAST, jt: 0, jf: 1, k: BIT },
        sock_filter { code: RETURN, jt: 0, jf: 0, k: denial.into() },
    ]
}

// The kernel's instructions, from linux/bpf_common.h.
const LOAD: u16 = 0x20;
const IF_AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;
/// Where the number of the call stands in what a filter sees.
const NUMBER: u32 = 0;

fn bytes(instruction: &sock_filter) -> [u8; 8] {
    let [code_0, code_1] = instruction.code.to_ne_bytes();
    let [k_0, k_1, k_2, k_3] = instruction.k.to_ne_bytes();
    [code_0, code_1, instruction.jt, instruction.jf, k_0, k_1, k_2, k_3]
}

#[cfg(test)]
mod tests {
    use super::*;

    // linux/audit.h
    const X86_64: u32 = 0xc000_003e;
    const I386: u32 = 0x4000_0003;
    const AARCH64: u32 = 0xc000_00b7;
    const ARM: u32 = 0x4000_0028;
    // linux/seccomp.h
    const KILL: u32 = 0x8000_0000;
    const ALLOW: u32 = 0x7fff_0000;
    const NO_SUCH_CALL: u32 = 0x0005_0000 + 38;

    /// What the kernel would make of a call.
    fn answer(program: &[sock_filter], architecture: u32, number: u32) -> u32 {
        let (mut at, mut loaded) = (0, 0);
        loop {
            let sock_filter { code, jt, jf, k } = program[at];
            at += 1;
            let mut branch = |holds| at += usize::from(if holds { jt } else { jf });
            match code {
                LOAD => loaded = [number, architecture][k as usize / 4],
                0x15 => branch(loaded == k),
                IF_AT_LEAST => branch(loaded >= k),
                0x05 => at += k as usize,
                RETURN => return k,
                _ => panic!("{code:#x}"),
            }
        }
    }

    #[test]
    fn what_is_denied_is_denied_by_every_convention_and_nothing_else_is() {
        for (name, ours, theirs) in [("x86_64", X86_64, I386), ("aarch64", AARCH64, ARM)] {
            let program = program(name).unwrap();
            for denied in DENIED {
                let number = u32::try_from(denied.number).unwrap();
                assert_eq!(answer(&program, ours, number), NO_SUCH_CALL, "{}", denied.name);
                assert_eq!(answer(&program, ours, number | 1 << 30), NO_SUCH_CALL, "x32");
            }
            for number in (0..1000).filter(|n| DENIED.iter().all(|denied| denied.number != *n)) {
                assert_eq!(answer(&program, ours, number as u32), ALLOW, "{number}");
            }
            for number in 0..1000 {
                assert_eq!(answer(&program, theirs, number), KILL, "{number}");
                assert_eq!(answer(&program, ours, number | 1 << 30), NO_SUCH_CALL, "{number}");
            }
        }
        assert_eq!(filter().unwrap().len() % 8, 0);
    }

    #[test]
    fn no_filter_is_made_for_an_architecture_that_we_do_not_know() {
        assert!(program("s390x").is_err());
    }

    #[test]
    fn a_filter_that_was_there_before_is_not_taken_for_ours() {
        let status = |mode: u32, filters: u32| {
            format!("Name:\tcat\nSeccomp:\t{mode}\nSeccomp_filters:\t{filters}\nCpus:\t1\n")
        };
        assert!(is_added(&status(2, 1), &status(0, 0)));
        assert!(is_added(&status(2, 3), &status(2, 2)));
        assert!(!is_added(&status(2, 2), &status(2, 2)));
        assert!(!is_added(&status(0, 0), &status(0, 0)));
        assert!(is_added("Seccomp:\t2\n", "Seccomp:\t2\n"), "an old kernel");
        assert!(!is_added("Seccomp:\t0\n", "Seccomp:\t0\n"));
        assert!(!is_added("", ""));
    }
}
