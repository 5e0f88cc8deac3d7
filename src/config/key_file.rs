//! Whether a file that holds a secret is its owner's alone.
//!
//! Invariants: what the owning group or everybody may do counts. Where an access control list lets
//! one user in, as systemd does for the credentials of a service, the bits of the group are no more
//! than its mask: then the list says what the group may do.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Under this name the kernel shows an access control list.
const ACL: &str = "system.posix_acl_access";
/// Its kinds of entries that let in more than one user: the owning group, another group, everybody.
const OF_MANY: [u16; 3] = [0x04, 0x08, 0x20];
/// Bytes before the first entry, and of each.
const HEADER: usize = 4;
const ENTRY: usize = 8;
/// The longest list that is read. A longer one lets in too many.
const LONGEST: usize = 1024;

/// The mode of a file that others can read or write; `None`: they cannot.
pub(super) fn open_to_others(path: &Path) -> std::io::Result<Option<u32>> {
    let mode = std::fs::metadata(path)?.permissions().mode() & 0o7777;
    if mode & 0o066 == 0 {
        return Ok(None);
    }
    let mut list = [0; LONGEST];
    let open = match rustix::fs::getxattr(path, ACL, &mut list) {
        Ok(length) => lets_many_in(&list[..length]),
        Err(_) => true,
    };
    Ok(open.then_some(mode))
}

/// Whether a list lets in more than single users, whom somebody named one by one.
fn lets_many_in(list: &[u8]) -> bool {
    let entries = list.get(HEADER..).unwrap_or_default().as_chunks::<ENTRY>().0;
    let can_read_or_write = |entry: &[u8; ENTRY]| {
        let [tag_low, tag_high, allows, ..] = *entry;
        OF_MANY.contains(&u16::from_le_bytes([tag_low, tag_high])) && allows & 0o6 != 0
    };
    entries.is_empty() || entries.iter().any(can_read_or_write)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the kernel writes one: kind and permissions of each entry.
    fn list(entries: &[(u16, u16)]) -> Vec<u8> {
        let mut list = 2_u32.to_le_bytes().to_vec();
        for (tag, allows) in entries {
            list.extend(tag.to_le_bytes());
            list.extend(allows.to_le_bytes());
            list.extend(u32::MAX.to_le_bytes());
        }
        list
    }

    #[test]
    fn one_user_may_be_let_in_as_systemd_does_but_no_group() {
        let (owner, user, group, named_group, mask, other) = (1, 2, 4, 8, 16, 32);
        let credentials = [(owner, 4), (user, 4), (group, 0), (mask, 4), (other, 0)];
        assert!(!lets_many_in(&list(&credentials)));
        for more in [(group, 4), (named_group, 4), (other, 4), (group, 2)] {
            assert!(lets_many_in(&list(&[&credentials[..], &[more]].concat())), "{more:?}");
        }
        assert!(lets_many_in(&[]));
    }
}
