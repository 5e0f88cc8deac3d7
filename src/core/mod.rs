//! What the product decides: pure, no IO, no clock, no randomness.

pub mod budget;
pub mod fault;
pub mod id;
