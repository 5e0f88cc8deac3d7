//! `gander pause`: a server takes in what comes, and begins nothing.

use std::process::ExitCode;

use super::beside::{Beside, BesideServer, by_operator};
use super::{CommandResult, say};
use crate::clock::day_and_time;

/// Let a server begin nothing new, or go on
#[derive(Debug, clap::Args)]
pub struct PauseCommand {
    /// Let it go on
    #[arg(long)]
    resume: bool,
    #[command(flatten)]
    beside: BesideServer,
}

/// Runs the subcommand.
///
/// # Errors
/// When the database cannot be used.
pub fn run(command: &PauseCommand) -> CommandResult {
    command.beside.with_store(async |beside| match command.resume {
        true => resume(beside).await,
        false => pause(beside).await,
    })
}

async fn pause(beside: &Beside) -> CommandResult {
    if let Some(since) = beside.store.paused().await? {
        say(format!("Nothing new begins since {} already.", day_and_time(since)));
        return Ok(ExitCode::SUCCESS);
    }
    let now = beside.clock.steady();
    beside.store.set_pause(Some(now), &by_operator("paused"), now).await?;
    say("Paused. What GitHub sends is written down, and nothing of it is begun; a step that is \
         under way now goes on to its end. To stop those too, stop the server: they are done again \
         after the pause.\n\n  gander jobs              what stands still\n  gander pause --resume    \
         let it go on");
    Ok(ExitCode::SUCCESS)
}

async fn resume(beside: &Beside) -> CommandResult {
    if beside.store.paused().await?.is_none() {
        say("There is no pause.");
        return Ok(ExitCode::SUCCESS);
    }
    beside.store.set_pause(None, &by_operator("resumed"), beside.clock.steady()).await?;
    say("It goes on.");
    Ok(ExitCode::SUCCESS)
}
