//! A GitHub in a box.
