//! What the product decides: pure, no IO, no clock, no randomness.

pub mod approval;
pub mod budget;
pub mod changelog;
pub mod checks;
pub mod command;
pub mod delivery;
pub mod event;
pub mod evidence;
pub mod examples;
pub mod fault;
pub mod github;
pub mod id;
pub mod job;
pub mod leak;
pub mod machine;
pub mod manifest;
pub mod patch;
pub mod path;
pub mod path_rules;
pub mod policy;
pub mod release;
pub mod release_gate;
pub mod report;
pub mod setup;
pub mod task;
pub mod text;
