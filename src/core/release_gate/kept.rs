//! Whether a draft still holds what was built, right before everybody sees it.

use super::{AssetSeen, ReleasePlan, ReleaseSeen};
use crate::core::manifest::{SUMS, is_provenance};

impl ReleasePlan {
    /// The first file that is not in a release as it was built, or that is there and is none of
    /// ours.
    pub fn differs(&self, there: &ReleaseSeen) -> Option<String> {
        let sums = (SUMS, &self.mark.files);
        let files = self.files.iter().map(|file| (file.name.as_str(), &file.sha256));
        let ours: Vec<_> = files.chain((!self.files.is_empty()).then_some(sums)).collect();
        let kept = |name: &str| there.assets.iter().find(|asset| asset.name == name);
        let other = |asset: &&AssetSeen| {
            let ours = ours.iter().find(|(name, _)| *name == asset.name);
            // Where GitHub gives no digest, its answer to the upload has to do.
            ours.is_none_or(|(_, sha256)| asset.sha256.as_ref().is_some_and(|it| it != *sha256))
        };
        let missing = ours.iter().find(|(name, _)| kept(name).is_none());
        let missing = missing.map(|(name, _)| (*name).to_owned());
        // What says how it came about is looked at by what it says.
        let mut assets = there.assets.iter().filter(|asset| !is_provenance(&asset.name));
        missing.or_else(|| assets.find(other).map(|asset| asset.name.clone()))
    }
}
