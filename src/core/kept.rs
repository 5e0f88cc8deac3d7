//! A job, kept on the page that shows it: where no server remembers, its status comment does.
//!
//! Invariants: what cannot be read whole is nothing; it is compressed as the look for secrets
//! understands it (`leak.rs`), so what stands in it is looked at like any other text.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

use super::job::Job;
use super::patch::{Patch, PatchDigest};

/// A job, with the changes that its next round needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct KeptJob {
    pub job: Job,
    pub patches: Vec<Patch>,
}

/// How the line begins and ends.
const MARK: (&str, &str) = ("<!-- gander state ", " -->");
/// So many characters of a comment it takes at most: what people read needs the rest.
const LONGEST: usize = 45_000;
/// So many bytes are read of it.
const MOST_BYTES: u64 = 8 << 20;

impl KeptJob {
    /// The line that holds it. Without its changes where those are too large, and `None` where
    /// even so it is.
    pub fn line(&self) -> Option<String> {
        let short = || Self { job: self.job.clone(), patches: Vec::new() }.packed();
        self.packed().or_else(short)
    }

    fn packed(&self) -> Option<String> {
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(&serde_json::to_vec(self).ok()?).ok()?;
        let text = BASE64.encode(packed.finish().ok()?);
        let (before, after) = MARK;
        (text.len() <= LONGEST).then(|| format!("{before}{text}{after}"))
    }

    /// What a comment holds, if it holds one.
    pub fn in_comment(body: &str) -> Option<Self> {
        let (before, after) = MARK;
        let line = body.lines().rev().find_map(|line| line.trim().strip_prefix(before));
        let packed = BASE64.decode(line?.strip_suffix(after)?).ok()?;
        let mut text = Vec::new();
        GzDecoder::new(&*packed).take(MOST_BYTES).read_to_end(&mut text).ok()?;
        serde_json::from_slice(&text).ok()
    }
}

impl Job {
    /// The changes that it still speaks of.
    pub fn patches(&self) -> BTreeSet<&PatchDigest> {
        let proposed = self.proposal().map(|proposal| &proposal.patch);
        let left = self.unfinished.as_ref().and_then(|left| left.patch.as_ref());
        let pushed = self.review.pushed.iter().filter_map(|round| Some(&round.patch.as_ref()?.1));
        let reverts = self.prepared.as_ref().and_then(|it| Some(&it.reverts.as_ref()?.patch));
        let merged = self.update().map(|update| &update.merged);
        [proposed, left, reverts, merged].into_iter().flatten().chain(pushed).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use sha2::Digest as _;

    use super::*;
    use crate::core::github::RepoRef;
    use crate::core::id::{InstallationId, JobId, Number, RepoId, Timestamp, UserId};
    use crate::core::job::{JobOrder, Kind};
    use crate::core::patch::{Change, FileMode};

    fn kept(content: &[u8]) -> KeptJob {
        let name = "acme/widgets".parse().unwrap();
        let repo = RepoRef { installation_id: InstallationId(0), repo_id: RepoId(7), name };
        let by = (UserId(3), "mona".parse().unwrap());
        let order = JobOrder::new(Kind::Fix, by, Timestamp(0));
        let job = Job::new(JobId::of_trigger("7/comment/1"), repo, Number(1), order);
        let (mode, content) = (FileMode::File, content.to_owned());
        let change = Change::Write { mode, content, replaces: None };
        let changes = BTreeMap::from([("a.txt".parse().unwrap(), change)]);
        KeptJob { job, patches: vec![Patch { changes }] }
    }

    #[test]
    fn a_job_is_read_back_as_it_was_written_and_never_by_half() {
        let kept = kept(b"one\n");
        let line = kept.line().unwrap();
        let body = format!("**Working**\n\n<sub>words</sub>\n\n{line}\n<!-- gander status x -->");
        assert_eq!(KeptJob::in_comment(&body), Some(kept));
        assert_eq!(KeptJob::in_comment("<!-- gander status x -->"), None);
        let cut = body.replace(&line, &format!("{} -->", &line[..line.len() / 2]));
        assert_eq!(KeptJob::in_comment(&cut), None);
        // Quoted, it is nobody's state.
        assert_eq!(KeptJob::in_comment(&format!("> {line}")), None);
    }

    #[test]
    fn a_change_that_no_comment_can_hold_is_left_out_and_the_job_is_not() {
        // What cannot be compressed.
        let noise: Vec<u8> = (0..2000_u32)
            .flat_map(|n| <[u8; 32]>::from(sha2::Sha256::digest(n.to_be_bytes())))
            .collect();
        let kept = kept(&noise);
        let back = KeptJob::in_comment(&kept.line().unwrap()).unwrap();
        assert_eq!(back.job, kept.job);
        assert!(back.patches.is_empty());
    }
}
