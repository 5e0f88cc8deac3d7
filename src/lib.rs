//! Gander: a comment in, a checked pull request out.

pub mod action;
pub mod agent;
pub mod app;
pub mod attestation;
pub mod cli;
pub mod clock;
pub mod config;
pub mod core;
pub mod egress;
pub mod environment;
pub mod forge;
pub mod metrics;
pub mod model;
pub mod publish;
pub mod registry;
pub mod release;
pub mod sandbox;
pub mod server;
pub mod slack;
pub mod store;
pub mod telemetry;
pub mod verify;
pub mod worker;
pub mod workspace;
