//! The program `gander`.

use std::process::ExitCode;

use clap::Parser;
use gander::cli::unprivileged;
use gander::sandbox::toolchain::Places;

#[derive(Parser)]
enum Cli {
    #[command(hide = true)]
    Unprivileged(unprivileged::Unprivileged),
}

#[allow(clippy::disallowed_methods, clippy::print_stderr)]
fn main() -> ExitCode {
    let places = Places::from_variables(|name| std::env::var_os(name));
    let Cli::Unprivileged(request) = Cli::parse();
    let error = match unprivileged::run(&request, &places) {
        Ok(never) => match never {},
        Err(error) => error,
    };
    eprintln!("{error}: {:?}", std::error::Error::source(&error));
    ExitCode::FAILURE
}
