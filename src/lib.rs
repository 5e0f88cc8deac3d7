//! Gander: a comment in, a proven pull request out.

pub mod clock;
pub mod cli;
pub mod core;
pub mod egress;
pub mod emulator;
pub mod forge;
pub mod model;
pub mod workspace;
pub mod sandbox;
pub mod store;
