//! The name of the rules that an approval is given under.
//!
//! Invariants: the name is the beginning of the SHA-256 of a JSON document with named fields, in one
//! form only: UTF-8, no insignificant white space, keys in the order of the struct, a list without
//! order sorted and each entry once. It depends on no name of our code. When the document becomes
//! another, [`VERSION`] is raised: then no approval that waits is bound to the rules any more, and
//! it is asked for again.

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Approving, CheckRules, LeastRole, Merge, MergeMethod, MergeOn, Requester, Rules};

/// Of the document: raised whenever a field is added, removed or read differently.
const VERSION: u32 = 1;

/// Written out here rather than taken from the rules' own structs, so that a new rule is no part of
/// it before somebody has decided that.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    approval_role: LeastRole,
    approval_requester: Requester,
    merge_on: MergeOn,
    merge_method: MergeMethod,
    checks_required: Vec<&'a str>,
}

impl Rules {
    /// Names the rules that an approval is given under. Other keys may change without voiding it.
    pub fn binding(&self) -> String {
        // A new key of these tables does not compile until it is decided whether approvals are
        // bound to it.
        let Approving { role, requester } = self.approval;
        let Merge { on, method } = self.merge;
        let CheckRules { required } = &self.checks;
        let mut required: Vec<&str> = required.iter().map(String::as_str).collect();
        required.sort_unstable();
        required.dedup();
        let document = Document {
            version: VERSION,
            approval_role: role,
            approval_requester: requester,
            merge_on: on,
            merge_method: method,
            checks_required: required,
        };
        // Words, a number and a list of text can always be written.
        let text = serde_json::to_string(&document).unwrap_or_else(|error| error.to_string());
        hex::encode(&Sha256::digest(text.as_bytes())[..8])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When this fails, the document is another than before: raise [`VERSION`], and only then write
    /// the new names here, each worked out by other means (`printf '%s' DOCUMENT | sha256sum`).
    #[test]
    fn the_rules_that_approvals_are_bound_to_keep_their_name_from_version_to_version() {
        for (text, document, name) in [
            (
                "",
                "{\"version\":1,\"approval_role\":\"maintain\",\
                 \"approval_requester\":\"if-alone\",\"merge_on\":\"review\",\
                 \"merge_method\":\"squash\",\"checks_required\":[]}",
                "e1dceb7f275d6853",
            ),
            (
                "[checks]\nrequired = [\"test\", \"lint ü\"]\n",
                "{\"version\":1,\"approval_role\":\"maintain\",\
                 \"approval_requester\":\"if-alone\",\"merge_on\":\"review\",\
                 \"merge_method\":\"squash\",\"checks_required\":[\"lint ü\",\"test\"]}",
                "09e431c8c861e3b3",
            ),
        ] {
            assert_eq!(Rules::parse(text).unwrap().binding(), name, "{text}");
            let sha256 = hex::encode(Sha256::digest(document));
            assert!(sha256.starts_with(name), "{document}");
        }
    }

    #[test]
    fn approvals_are_bound_to_what_the_rules_mean_and_not_to_how_they_are_written() {
        let name = |text: &str| Rules::parse(text).unwrap().binding();
        let two = name("[checks]\nrequired = [\"a\", \"b\"]\n");
        assert_eq!(name("[checks]\nrequired = [\"b\", \"a\", \"b\"]\n"), two);
        assert_eq!(name("[budget]\nrun = \"$1\"\n[approval]\nrole = \"maintain\"\n"), name(""));
        for other in [
            "[approval]\nrole = \"write\"\n",
            "[approval]\nrequester = \"allowed\"\n",
            "[merge]\non = \"never\"\n",
            "[merge]\nmethod = \"rebase\"\n",
            "[checks]\nrequired = [\"a\"]\n",
        ] {
            assert_ne!(name(other), name(""), "{other}");
        }
    }
}
