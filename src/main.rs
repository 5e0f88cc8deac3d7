//! The program `gander`.

use std::process::ExitCode;

use clap::Parser;
use gander::cli::unprivileged;

#[derive(Parser)]
enum Cli {
    #[command(hide = true)]
    Unprivileged(unprivileged::Unprivileged),
}

#[allow(clippy::disallowed_methods, clippy::print_stderr)]
fn main() -> ExitCode {
    let place = |name: &str| std::env::var_os(name).map(Into::into);
    let places = gander::sandbox::toolchain::Places {
        home: place("HOME"),
        rustup_home: place("RUSTUP_HOME"),
        pyenv_root: place("PYENV_ROOT"),
        nvm_dir: place("NVM_DIR"),
        volta_home: place("VOLTA_HOME"),
    };
    let Cli::Unprivileged(request) = Cli::parse();
    let error = match unprivileged::run(&request, &places) {
        Ok(never) => match never {},
        Err(error) => error,
    };
    eprintln!("{error}: {:?}", std::error::Error::source(&error));
    ExitCode::FAILURE
}
