//! `maitred`: parse, dispatch, exit.

use std::process::ExitCode;

use clap::Parser;
use maitred::cli::{Cli, print};
use maitred::domain::written::BadFile;

/// `EX_CONFIG` of `sysexits.h`.
const BAD_CONFIGURATION: u8 = 78;

fn main() -> ExitCode {
    let Err(error) = Cli::parse().run() else {
        return ExitCode::SUCCESS;
    };
    print::error(&error);
    if error.is::<BadFile>() {
        ExitCode::from(BAD_CONFIGURATION)
    } else {
        ExitCode::FAILURE
    }
}
