//! Releases and their files, as the emulator remembers them and as people see them.

use super::Emulator;

#[derive(Clone)]
pub(crate) struct Release {
    pub(crate) id: u64,
    pub(crate) tag: String,
    /// The branch or commit that the tag is made at, should it be missing.
    pub(crate) target: String,
    pub(crate) name: Option<String>,
    pub(crate) body: Option<String>,
    pub(crate) draft: bool,
    pub(crate) prerelease: bool,
    /// `true`, `false` or `legacy`.
    pub(crate) make_latest: String,
    pub(crate) author: u64,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) published_at: Option<i64>,
    pub(crate) assets: Vec<Asset>,
}

#[derive(Clone)]
pub(crate) struct Asset {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) label: Option<String>,
    pub(crate) content_type: String,
    pub(crate) content: Vec<u8>,
    /// Whether all of it came.
    pub(crate) whole: bool,
    pub(crate) uploader: u64,
    pub(crate) at: i64,
}

impl Asset {
    /// `sha256:…`
    pub(crate) fn digest(&self) -> String {
        use sha2::{Digest, Sha256};
        format!("sha256:{}", hex::encode(Sha256::digest(&self.content)))
    }
}

/// A release.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ReleaseView {
    pub id: u64,
    /// The tag it is of.
    pub tag: String,
    /// Its title.
    pub name: String,
    /// Its notes.
    pub body: String,
    /// Whether only those with write access see it.
    pub draft: bool,
    /// Whether it is marked as not for production.
    pub prerelease: bool,
    /// What was asked for when it was made or published: `true`, `false` or `legacy`.
    pub make_latest: String,
    /// Who made it.
    pub author: String,
    /// Name and content of its files.
    pub assets: Vec<(String, Vec<u8>)>,
}

impl Emulator {
    /// All releases of a repository, drafts too, oldest first.
    pub fn releases(&self, repository: &str) -> Vec<ReleaseView> {
        let state = self.lock();
        let known = state.repository_id(repository).and_then(|id| state.repository(id));
        let releases = known.map(|known| known.releases.as_slice()).unwrap_or_default();
        let view = |release: &Release| ReleaseView {
            id: release.id,
            tag: release.tag.clone(),
            name: release.name.clone().unwrap_or_default(),
            body: release.body.clone().unwrap_or_default(),
            draft: release.draft,
            prerelease: release.prerelease,
            make_latest: release.make_latest.clone(),
            author: state.login(Some(release.author)),
            assets: release.assets.iter().map(|a| (a.name.clone(), a.content.clone())).collect(),
        };
        releases.iter().map(view).collect()
    }
}
