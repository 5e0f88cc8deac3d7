//! The companion Action, from an approved release pull request to a published release: the real
//! program, in processes of its own, against a GitHub emulator.
// Stories run real processes; clippy's leave to unwrap in tests does not reach their helpers.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

mod approvers;
mod attacks;
mod checks;
#[path = "../../contract/src/client.rs"]
#[allow(dead_code, missing_docs, unreachable_pub, clippy::needless_pass_by_value)]
mod client;
mod flagged;
mod handover;
mod install;
mod opener;
mod publish;
mod registries;
mod releases;
mod secrets;
mod shelf;
mod tokens;
mod workflow;
mod world;
