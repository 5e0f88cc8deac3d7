//! Gander: a comment in, a proven pull request out.

pub mod agent;
pub mod core;
pub mod emulator;
pub mod workspace;
