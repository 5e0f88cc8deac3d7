//! The audit log: who changed what, in rows that are chained by hashes.
//!
//! Invariants: a row's hash covers the one before it, its place, its moment and its content, so that
//! no row can be changed, removed or moved without a hash that does not fit. What a row says stands
//! behind a digest with a salt: it can be taken out (a repository is forgotten), and the chain still
//! holds. No row holds text of a prompt, an issue or a comment.
//!
//! Whoever can write the database can make a whole new chain: the head belongs somewhere else, too.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::id::{RepoId, Timestamp};

/// Whoever runs the server, by command.
pub const OPERATOR: &str = "the operator";
/// Gander itself, where nobody asked for it just then.
pub const ITSELF: &str = "Gander";

/// What one row says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct AuditEntry {
    /// On whose word: a login, [`OPERATOR`] or [`ITSELF`].
    pub who: String,
    /// What was done, in Gander's own words.
    pub what: String,
    /// `POST /repos/acme/widgets/pulls`, where GitHub was asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// GitHub's number of that request, to ask its support about. None: no answer came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Which token it was done with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repo: Option<RepoId>,
    /// The repository's name at that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The job or release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// The commit that it is about: the head of the pull request, else the base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// SHA-256 of the repository's rules as they counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}

/// One row, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// From 1 on, without a gap.
    pub seq: i64,
    /// When it was written.
    pub at: Timestamp,
    /// The repository, to find its rows. `None`: of none, or taken out.
    pub repo: Option<RepoId>,
    /// Random, and gone with the content, so that nobody can guess that.
    pub salt: Option<Vec<u8>>,
    /// An [`AuditEntry`] as JSON. `None`: it was taken out.
    pub body: Option<String>,
    /// SHA-256 of salt and content.
    pub digest: Vec<u8>,
    /// SHA-256 of the hash before, place, moment and digest.
    pub hash: Vec<u8>,
}

/// The last row: so many there are, and its hash.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditHead {
    /// 0: there is none.
    pub seq: i64,
    /// Empty where there is none.
    pub hash: Vec<u8>,
}

/// The first row that is not what was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum BrokenChain {
    /// Others come after it, or the head names it.
    #[error("row {seq} is gone")]
    Gone { seq: i64 },
    /// Its content or salt.
    #[error("row {seq} was changed: its content is not what was written")]
    Changed { seq: i64 },
    /// Its moment, its place or the row before.
    #[error("row {seq} was changed or moved: it does not follow the row before it")]
    Moved { seq: i64 },
    /// There are rows after the last that the head knows.
    #[error("row {seq} was added: the log ended before it")]
    Added { seq: i64 },
    /// The last row is another.
    #[error("row {seq} is not the last row that was written")]
    OtherHead { seq: i64 },
}

/// Rows that are looked at one after the other.
#[derive(Debug, Clone, Default)]
pub struct ChainCheck {
    /// The last good row.
    pub head: AuditHead,
    /// Rows whose content was taken out.
    pub taken_out: u64,
}

impl AuditRow {
    /// The row that follows `head`.
    pub fn after(
        head: &AuditHead,
        at: Timestamp,
        salt: &[u8],
        body: (Option<RepoId>, String),
    ) -> Self {
        let (repo, body) = body;
        let (seq, digest) = (head.seq + 1, digest(salt, &body));
        let hash = chained(head, seq, at, &digest);
        Self { seq, at, repo, salt: Some(salt.to_vec()), body: Some(body), digest, hash }
    }

    /// What the head is after it.
    pub fn head(&self) -> AuditHead {
        AuditHead { seq: self.seq, hash: self.hash.clone() }
    }
}

impl ChainCheck {
    /// Looks at the next row.
    ///
    /// # Errors
    /// When it is not what follows, or not what was written.
    pub fn next(&mut self, row: &AuditRow) -> Result<(), BrokenChain> {
        let seq = row.seq;
        let expected = self.head.seq + 1;
        if seq > expected {
            return Err(BrokenChain::Gone { seq: expected });
        }
        match (&row.salt, &row.body) {
            (Some(salt), Some(body)) if digest(salt, body) == row.digest => {}
            (None, None) => self.taken_out += 1,
            _ => return Err(BrokenChain::Changed { seq }),
        }
        if seq != expected || chained(&self.head, seq, row.at, &row.digest) != row.hash {
            return Err(BrokenChain::Moved { seq });
        }
        self.head = row.head();
        Ok(())
    }

    /// Looks whether the log ends where it did.
    ///
    /// # Errors
    /// When rows at its end are gone, or were added.
    pub fn ends_at(&self, head: &AuditHead) -> Result<(), BrokenChain> {
        match self.head.seq.cmp(&head.seq) {
            std::cmp::Ordering::Less => Err(BrokenChain::Gone { seq: self.head.seq + 1 }),
            std::cmp::Ordering::Greater => Err(BrokenChain::Added { seq: head.seq + 1 }),
            std::cmp::Ordering::Equal if self.head.hash != head.hash => {
                Err(BrokenChain::OtherHead { seq: head.seq })
            }
            std::cmp::Ordering::Equal => Ok(()),
        }
    }
}

/// SHA-256 of anything that has one form as JSON, in hex.
pub fn digest_of(value: &impl Serialize) -> Option<String> {
    serde_json::to_vec(value).ok().map(|bytes| hex::encode(Sha256::digest(bytes)))
}

fn digest(salt: &[u8], body: &str) -> Vec<u8> {
    let mut digest = Sha256::new();
    digest.update(u64::try_from(salt.len()).unwrap_or(u64::MAX).to_be_bytes());
    digest.update(salt);
    digest.update(body);
    digest.finalize().to_vec()
}

fn chained(before: &AuditHead, seq: i64, at: Timestamp, content: &[u8]) -> Vec<u8> {
    let mut digest = Sha256::new();
    digest.update(u64::try_from(before.hash.len()).unwrap_or(u64::MAX).to_be_bytes());
    digest.update(&before.hash);
    digest.update(seq.to_be_bytes());
    digest.update(at.0.to_be_bytes());
    digest.update(content);
    digest.finalize().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> Vec<AuditRow> {
        let mut head = AuditHead::default();
        let row = |n: i64| {
            let row = AuditRow::after(&head, Timestamp(n), b"salt", (None, format!("row {n}")));
            head = row.head();
            row
        };
        (1..=5).map(row).collect()
    }

    fn checked(rows: &[AuditRow], head: &AuditHead) -> Result<u64, BrokenChain> {
        let mut check = ChainCheck::default();
        rows.iter().try_for_each(|row| check.next(row))?;
        check.ends_at(head).map(|()| check.taken_out)
    }

    #[test]
    fn a_row_that_was_changed_removed_added_or_moved_is_found_and_named() {
        let whole = log();
        let head = whole[4].head();
        assert_eq!(checked(&whole, &head), Ok(0));
        let broken = |change: &dyn Fn(&mut Vec<AuditRow>)| {
            let mut rows = whole.clone();
            change(&mut rows);
            checked(&rows, &head).unwrap_err()
        };
        let other = || Some("row 9".to_owned());
        assert_eq!(broken(&|rows| rows[2].body = other()), BrokenChain::Changed { seq: 3 });
        assert_eq!(broken(&|rows| rows[2].salt = None), BrokenChain::Changed { seq: 3 });
        assert_eq!(broken(&|rows| rows[2].at.0 += 1), BrokenChain::Moved { seq: 3 });
        assert_eq!(broken(&|rows| rows[2].hash[0] ^= 1), BrokenChain::Moved { seq: 3 });
        assert_eq!(broken(&|rows| drop(rows.remove(1))), BrokenChain::Gone { seq: 2 });
        assert_eq!(broken(&|rows| drop(rows.pop())), BrokenChain::Gone { seq: 5 });
        assert_eq!(broken(&Vec::clear), BrokenChain::Gone { seq: 1 });
        let swapped = broken(&|rows| {
            rows.swap(1, 2);
            (rows[1].seq, rows[2].seq) = (2, 3);
        });
        assert_eq!(swapped, BrokenChain::Moved { seq: 2 });
        let added = broken(&|rows| {
            let row = AuditRow::after(&rows[4].head(), Timestamp(6), b"s", (None, "x".into()));
            rows.push(row);
        });
        assert_eq!(added, BrokenChain::Added { seq: 6 });
        // Whoever makes the row anew has to make all that follow anew, and then the head differs.
        let forged = broken(&|rows| {
            let made = |head: &AuditHead, n: i64, text: &str| {
                AuditRow::after(head, Timestamp(n), b"salt", (None, text.to_owned()))
            };
            rows[3] = made(&rows[2].head(), 4, "nothing");
            rows[4] = made(&rows[3].head(), 5, "row 5");
        });
        assert_eq!(forged, BrokenChain::OtherHead { seq: 5 });
    }

    #[test]
    fn what_a_row_said_can_be_taken_out_and_the_chain_holds() {
        let mut rows = log();
        let head = rows[4].head();
        (rows[1].salt, rows[1].body) = (None, None);
        assert_eq!(checked(&rows, &head), Ok(1));
    }
}
