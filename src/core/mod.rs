//! What the product decides: pure, no IO, no clock, no randomness.

pub mod id;
pub mod path;
pub mod tier;
