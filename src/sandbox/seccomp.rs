//! Which system calls no run may make: one filter, made from one table.
//!
//! Invariants: what is denied is answered with the error that programs handle best, and no other
//! convention leads around that: all of x32 is answered as by a kernel without it, and a call of
//! another architecture (32-bit code, `int 0x80`) kills its process. Where there is no filter,
//! nothing runs.

use std::collections::BTreeMap;
use std::io;

use libc::{CLONE_FILES, CLONE_THREAD, EAFNOSUPPORT, ENOSYS, EOPNOTSUPP, EPERM};
use seccompiler::SeccompCmpArgLen::Dword;
use seccompiler::SeccompCmpOp::{Eq, MaskedEq, Ne};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, sock_filter,
};

/// A system call that is denied.
struct DeniedCall {
    name: &'static str,
    number: libc::c_long,
    when: When,
}

/// For which arguments.
enum When {
    Always,
    /// Any of these holds.
    Any(&'static [Case]),
}

/// Conditions that hold together.
type Case = &'static [Condition];

/// What is asked of an argument, by its position. The kernel takes the lower 32 bits of each.
type Condition = (u8, SeccompCmpOp, i32);

/// Calls that answer as if the kernel had none: programs then do without. (`EPERM` would make the
/// C library give up on threads, and libuv on its event loop.)
const ABSENT: &[DeniedCall] = &[
    // Keys lie in no namespace: by its number, a command reaches the keyring that all sessions of
    // the user share, with the operator's keys in it and those of other runs.
    always("add_key", libc::SYS_add_key),
    always("keyctl", libc::SYS_keyctl),
    always("request_key", libc::SYS_request_key),
    // Its flags are out of a filter's sight. Those of `clone` are not.
    always("clone3", libc::SYS_clone3),
    // Its requests pass by every filter.
    always("io_uring_setup", libc::SYS_io_uring_setup),
    always("io_uring_enter", libc::SYS_io_uring_enter),
    always("io_uring_register", libc::SYS_io_uring_register),
    // Memory that nobody outside can count.
    always("memfd_secret", libc::SYS_memfd_secret),
    // Large parts of the kernel that no build needs, and that had most of its holes.
    always("bpf", libc::SYS_bpf),
    always("perf_event_open", libc::SYS_perf_event_open),
    always("userfaultfd", libc::SYS_userfaultfd),
];

/// Calls that answer as to somebody without the right.
const FORBIDDEN: &[DeniedCall] = &[
    // Other processes' insides.
    always("ptrace", libc::SYS_ptrace),
    always("process_vm_readv", libc::SYS_process_vm_readv),
    always("process_vm_writev", libc::SYS_process_vm_writev),
    always("process_madvise", libc::SYS_process_madvise),
    always("pidfd_getfd", libc::SYS_pidfd_getfd),
    always("kcmp", libc::SYS_kcmp),
    // Files by number, whatever the way to them.
    always("open_by_handle_at", libc::SYS_open_by_handle_at),
    // Mounts and namespaces.
    always("mount", libc::SYS_mount),
    always("umount2", libc::SYS_umount2),
    always("pivot_root", libc::SYS_pivot_root),
    always("chroot", libc::SYS_chroot),
    always("move_mount", libc::SYS_move_mount),
    always("open_tree", libc::SYS_open_tree),
    always("fsopen", libc::SYS_fsopen),
    always("fsconfig", libc::SYS_fsconfig),
    always("fsmount", libc::SYS_fsmount),
    always("fspick", libc::SYS_fspick),
    always("mount_setattr", libc::SYS_mount_setattr),
    always("unshare", libc::SYS_unshare),
    always("setns", libc::SYS_setns),
    // The machine itself.
    always("kexec_load", libc::SYS_kexec_load),
    always("kexec_file_load", KEXEC_FILE_LOAD),
    always("init_module", libc::SYS_init_module),
    always("finit_module", libc::SYS_finit_module),
    always("delete_module", libc::SYS_delete_module),
    always("reboot", libc::SYS_reboot),
    always("swapon", libc::SYS_swapon),
    always("swapoff", libc::SYS_swapoff),
    always("acct", libc::SYS_acct),
    always("quotactl", libc::SYS_quotactl),
    always("syslog", libc::SYS_syslog),
    DeniedCall {
        name: "clone into a namespace",
        number: libc::SYS_clone,
        when: When::Any(&[
            &[flags(libc::CLONE_NEWNS)],
            &[flags(libc::CLONE_NEWCGROUP)],
            &[flags(libc::CLONE_NEWUTS)],
            &[flags(libc::CLONE_NEWIPC)],
            &[flags(libc::CLONE_NEWUSER)],
            &[flags(libc::CLONE_NEWPID)],
            &[flags(libc::CLONE_NEWNET)],
            // A thread with open files of its own: whoever counts memory would not see them.
            &[(0, MaskedEq((CLONE_THREAD | CLONE_FILES) as u64), CLONE_THREAD)],
        ]),
    },
    DeniedCall {
        name: "ioctl that types for others",
        number: libc::SYS_ioctl,
        when: When::Any(&[&[(1, Eq, libc::TIOCSTI as i32)], &[(1, Eq, TIOCLINUX)]]),
    },
    DeniedCall {
        name: "personality of another system",
        number: libc::SYS_personality,
        // What programs ask for: Linux, Linux on 32 bits, an old version's number, addresses that
        // stay the same (sanitizers), and what it is now.
        when: When::Any(&[&[
            (0, Ne, 0),
            (0, Ne, PER_LINUX32),
            (0, Ne, UNAME26),
            (0, Ne, PER_LINUX32 | UNAME26),
            (0, Ne, libc::ADDR_NO_RANDOMIZE),
            (0, Ne, -1),
        ]]),
    },
];

/// Sockets of other families: a network namespace does not cover them all (AF_VSOCK leads to the
/// hypervisor). Netlink is for the list of interfaces only, which Node and Python ask for.
const UNSUPPORTED: &[DeniedCall] = &[
    DeniedCall {
        name: "socket of another family",
        number: libc::SYS_socket,
        when: When::Any(&[
            &[
                (0, Ne, libc::AF_UNIX),
                (0, Ne, libc::AF_INET),
                (0, Ne, libc::AF_INET6),
                (0, Ne, libc::AF_NETLINK),
            ],
            &[(0, Eq, libc::AF_NETLINK), (2, Ne, libc::NETLINK_ROUTE)],
        ]),
    },
    DeniedCall {
        name: "socketpair of another family",
        number: libc::SYS_socketpair,
        when: When::Any(&[&[(0, Ne, libc::AF_UNIX)]]),
    },
];

/// Calls that seem to succeed and do nothing. A process that hides its memory from others cannot
/// be counted; agents for keys ask for it, and have nothing to hide here.
const IGNORED: &[DeniedCall] = &[DeniedCall {
    name: "prctl against being looked at",
    number: libc::SYS_prctl,
    when: When::Any(&[&[(0, Eq, libc::PR_SET_DUMPABLE), (1, Eq, 0)]]),
}];

/// Room on the disk in one call: nobody who looks at the disk now and then would see it coming.
/// Programs write instead, as on file systems that cannot do it. Giving room back is let pass.
const RESERVED: &[DeniedCall] = &[DeniedCall {
    name: "fallocate",
    number: libc::SYS_fallocate,
    when: When::Any(&[&[(1, MaskedEq(libc::FALLOC_FL_PUNCH_HOLE as u64), 0)]]),
}];

/// All of them, with what each is answered.
const DENIED: &[(&[DeniedCall], i32)] = &[
    (ABSENT, ENOSYS),
    (FORBIDDEN, EPERM),
    (UNSUPPORTED, EAFNOSUPPORT),
    (RESERVED, EOPNOTSUPP),
    (IGNORED, 0),
];

const TIOCLINUX: i32 = 0x541c;
/// `libc` names it for some systems only.
const KEXEC_FILE_LOAD: libc::c_long = if cfg!(target_arch = "x86_64") { 320 } else { 294 };
const PER_LINUX32: i32 = 8;
const UNAME26: i32 = 0x0002_0000;

const fn always(name: &'static str, number: libc::c_long) -> DeniedCall {
    DeniedCall { name, number, when: When::Always }
}

/// All of these flags in the first argument.
const fn flags(flags: i32) -> Condition {
    (0, MaskedEq(flags as u32 as u64), flags)
}

/// Where the kernel tells a process about its filters.
pub(super) const STATUS: &str = "/proc/self/status";

/// The names of what is denied.
pub(super) fn denied() -> impl Iterator<Item = &'static str> {
    DENIED.iter().flat_map(|(calls, _)| calls.iter().map(|denied| denied.name))
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
    let mut program = numbers_of_x32(answer_of(ENOSYS)).to_vec();
    for (calls, errno) in DENIED {
        // Each part ends by letting the call pass, which is for the next part to decide. A call
        // that is denied for some arguments only is let pass in the middle, so it stands once.
        program.truncate(program.len() - usize::from(program.len() > X32));
        program.extend(part(calls, *errno, architecture)?);
    }
    Ok(program)
}

/// The filter of calls that have one answer.
fn part(calls: &[DeniedCall], errno: i32, architecture: &str) -> Result<BpfProgram, BackendError> {
    let mut rules = BTreeMap::new();
    for DeniedCall { number, when, .. } in calls {
        let cases = match when {
            When::Always => &[][..],
            When::Any(cases) => cases,
        };
        let cases = cases.iter().map(|case| rule(case));
        rules.insert(*number, cases.collect::<Result<Vec<_>, _>>()?);
    }
    // It kills for another architecture. But it takes x32 for x86_64, with numbers of no rule.
    let architecture = architecture.try_into()?;
    SeccompFilter::new(rules, SeccompAction::Allow, answer_of(errno), architecture)?.try_into()
}

fn rule(case: &[Condition]) -> Result<SeccompRule, BackendError> {
    let conditions = case.iter().map(|(argument, compared, value)| {
        let value = u64::from(value.cast_unsigned());
        SeccompCondition::new(*argument, Dword, compared.clone(), value)
    });
    SeccompRule::new(conditions.collect::<Result<_, _>>()?)
}

fn answer_of(errno: i32) -> SeccompAction {
    SeccompAction::Errno(errno.cast_unsigned())
}

/// Denies calls by x32's numbers, which are those from this bit on. No architecture has others
/// there.
fn numbers_of_x32(denial: SeccompAction) -> [sock_filter; X32] {
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
/// How many instructions deny x32.
const X32: usize = 3;
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
    const ERROR: u32 = 0x0005_0000;
    const NO_SUCH_CALL: u32 = ERROR + ENOSYS as u32;
    const NO_FAMILY: u32 = ERROR + EAFNOSUPPORT as u32;
    const FORBIDDEN: u32 = ERROR + EPERM as u32;

    /// What the kernel would make of a call.
    fn answer(program: &[sock_filter], architecture: u32, number: u32, words: [u64; 3]) -> u32 {
        let mut seen = vec![number, architecture, 0, 0];
        seen.extend(words.iter().flat_map(|word| [*word as u32, (word >> 32) as u32]));
        let (mut at, mut loaded) = (0, 0);
        loop {
            let sock_filter { code, jt, jf, k } = program[at];
            at += 1;
            let mut branch = |holds| at += usize::from(if holds { jt } else { jf });
            match code {
                LOAD => loaded = seen[k as usize / 4],
                0x54 => loaded &= k,
                0x15 => branch(loaded == k),
                IF_AT_LEAST => branch(loaded >= k),
                0x05 => at += k as usize,
                RETURN => return k,
                _ => panic!("{code:#x}"),
            }
        }
    }

    /// A container needs the calls that a sandbox is made of, and none of the others.
    #[test]
    fn a_container_may_do_what_a_command_may_and_set_up_the_sandbox() {
        let profile = include_str!("../../packaging/seccomp.json");
        let profile: serde_json::Value = serde_json::from_str(profile).unwrap();
        assert_eq!(profile["defaultAction"], "SCMP_ACT_ALLOW");
        let sandbox = ["clone3", "mount", "pivot_root", "umount2", "unshare"];
        let rules = profile["syscalls"].as_array().unwrap();
        let (absent, forbidden) = (libc::ENOSYS, libc::EPERM);
        assert_eq!(rules.len(), 2);
        for (rule, (calls, errno)) in
            rules.iter().zip([(super::ABSENT, absent), (super::FORBIDDEN, forbidden)])
        {
            assert_eq!(
                (&rule["action"], &rule["errnoRet"]),
                (&"SCMP_ACT_ERRNO".into(), &errno.into())
            );
            let always = calls.iter().filter(|it| matches!(it.when, When::Always));
            let names = always.map(|it| it.name).filter(|name| !sandbox.contains(name));
            assert_eq!(rule["names"], serde_json::json!(names.collect::<Vec<_>>()));
        }
    }

    #[test]
    fn what_is_denied_is_denied_by_every_convention_and_nothing_else_is() {
        for (name, ours, theirs) in [("x86_64", X86_64, I386), ("aarch64", AARCH64, ARM)] {
            let program = program(name).unwrap();
            let words = [7, 7, 7];
            let mut known = Vec::new();
            for (calls, errno) in DENIED {
                for denied in *calls {
                    let number = u32::try_from(denied.number).unwrap();
                    assert!(!known.contains(&number), "{} stands twice", denied.name);
                    known.push(number);
                    if let When::Always = denied.when {
                        let said = answer(&program, ours, number, words);
                        assert_eq!(said, ERROR + *errno as u32, "{}", denied.name);
                    }
                }
            }
            for number in (0..1000).filter(|number| !known.contains(number)) {
                assert_eq!(answer(&program, ours, number, words), ALLOW, "{number}");
            }
            for number in 0..1000 {
                assert_eq!(answer(&program, theirs, number, words), KILL, "{number}");
                let x32 = number | 1 << 30;
                assert_eq!(answer(&program, ours, x32, words), NO_SUCH_CALL, "{number}");
            }
        }
        assert_eq!(filter().unwrap().len() % 8, 0);
    }

    #[test]
    fn what_is_denied_for_some_arguments_is_let_pass_for_all_others() {
        let program = program("x86_64").unwrap();
        let asked = |number: libc::c_long, words| {
            answer(&program, X86_64, u32::try_from(number).unwrap(), words)
        };
        // Whatever stands in the upper half: the kernel does not look there.
        let above = 1 << 40;
        for family in 0..64 {
            let wanted = if [1, 2, 10, 16].contains(&family) { ALLOW } else { NO_FAMILY };
            for family in [family, family + above] {
                assert_eq!(asked(libc::SYS_socket, [family, 1, 0]), wanted, "{family}");
            }
        }
        for (protocol, wanted) in [(0, ALLOW), (9, NO_FAMILY), (15, NO_FAMILY)] {
            assert_eq!(asked(libc::SYS_socket, [16, 3, protocol]), wanted, "{protocol}");
        }
        let no_room = ERROR + EOPNOTSUPP as u32;
        for (mode, wanted) in [(0, no_room), (1, no_room), (16, no_room), (3, ALLOW)] {
            assert_eq!(asked(libc::SYS_fallocate, [3, mode, 0]), wanted, "{mode}");
        }
        assert_eq!(asked(libc::SYS_socketpair, [1, 1, 0]), ALLOW);
        assert_eq!(asked(libc::SYS_socketpair, [30, 1, 0]), NO_FAMILY);
        // A process, and a thread, as the C library makes them.
        for flags in [0x11, 0x0120_0011, 0x003d_0f00, 0x4111] {
            assert_eq!(asked(libc::SYS_clone, [flags, 0, 0]), ALLOW, "{flags:#x}");
        }
        for flags in (0..32).map(|bit| 1 << bit) {
            let namespaces = [0x0002_0000, 0x0200_0000, 0x7c00_0000];
            let new = namespaces.iter().any(|all| flags & all != 0) || flags == CLONE_THREAD as u64;
            let wanted = if new { FORBIDDEN } else { ALLOW };
            assert_eq!(asked(libc::SYS_clone, [flags, 0, 0]), wanted, "{flags:#x}");
        }
        for (request, wanted) in [(0x5401, ALLOW), (0x5412, FORBIDDEN), (0x541c, FORBIDDEN)] {
            assert_eq!(asked(libc::SYS_ioctl, [0, request + above, 0]), wanted, "{request:#x}");
        }
        for (persona, wanted) in [
            (0, ALLOW),
            (8, ALLOW),
            (0x0004_0000, ALLOW),
            (0xffff_ffff, ALLOW),
            (0x0040_0000, FORBIDDEN),
            (0x0044_0000, FORBIDDEN),
            (6, FORBIDDEN),
        ] {
            assert_eq!(asked(libc::SYS_personality, [persona, 0, 0]), wanted, "{persona:#x}");
        }
        for (words, wanted) in [([4, 0, 0], ERROR), ([4, 1, 0], ALLOW), ([3, 0, 0], ALLOW)] {
            assert_eq!(asked(libc::SYS_prctl, words), wanted, "{words:?}");
        }
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
