//! `maitred`: parse, dispatch, exit.

use std::process::ExitCode;

use maitred::cli::{self, Misuse, print};
use maitred::domain::written::BadFile;

/// What shells and most programs mean by it.
const MISUSE: u8 = 2;
/// `EX_CONFIG` of `sysexits.h`.
const BAD_CONFIGURATION: u8 = 78;

fn main() -> ExitCode {
    let Err(error) = cli::run(std::env::args_os().skip(1)) else {
        return ExitCode::SUCCESS;
    };
    print::error(&error);
    if error.is::<Misuse>() {
        ExitCode::from(MISUSE)
    } else if error.is::<BadFile>() {
        ExitCode::from(BAD_CONFIGURATION)
    } else {
        ExitCode::FAILURE
    }
}
