//! Gander: a comment in, a proven pull request out.

pub mod core;
pub mod emulator;
pub mod store;
