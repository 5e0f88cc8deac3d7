//! Journeys through the whole product, told in the users' words, and the stories of its modules.
//!
//! Everything is real but the model's replies: the GitHub emulator answers over HTTP, git fetches,
//! SQLite or PostgreSQL remembers, bubblewrap holds the commands. All that needs the product is one program,
//! which is put together once. A story that changes what its whole process shares (limits, signals,
//! keys, the environment) starts this program again, for itself alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]
#![allow(clippy::print_stdout)] // what a second process says to the first
#![allow(missing_docs, unreachable_pub)]

mod alone;
mod packed;
mod postgres_server;
mod wire;
mod world;

mod approval;
mod attacks;
mod attempts;
mod bad_input;
mod base;
mod cheat_corpus;
mod check;
mod clocks;
mod conventions;
mod conventions_corpus;
mod crash;
mod crash_review;
mod duplicates;
mod environment;
mod explained;
mod fix_an_issue;
mod flaky_ci;
mod forged;
mod hold;
mod hostile_github;
mod hostile_model;
mod judge;
mod leaks;
mod leftovers;
mod merges;
mod no_open_port;
mod no_server;
mod notes;
mod operator;
mod orders;
mod other_servers;
mod others;
mod others_pulls;
mod overrides;
mod persuasion;
mod pictures;
mod plans;
mod red_ci;
mod release_checked;
mod release_corpus;
mod release_ends;
mod release_flagged;
mod release_packages;
mod release_proposed;
mod release_published;
mod release_tags;
mod renamed;
mod reverts;
mod review;
mod same_name;
mod second_look;
mod settings;
mod slack;
mod slots;
mod standstill;
mod updates;
mod verify;
mod warm_builds;
mod webhooks;
mod who_may_approve;

// The modules, and the program as it is started.
mod action;
mod doctor;
mod generated;
mod guides;
mod model;
mod program;
mod proof;
mod sandbox;
mod setup;
mod several_machines;
mod sign_in;
mod store_contract;
mod test_runs;
mod transcripts;
mod workspace;
