//! The command line.

pub mod unprivileged;
