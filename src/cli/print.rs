//! The only place that writes to stdout and, beside the log, to stderr.

use std::fmt::Display;

/// A line of what was asked for.
#[expect(clippy::print_stdout, reason = "this is where stdout is written")]
pub fn line(text: impl Display) {
    println!("{text}");
}

/// A line for whoever watches, beside the data on stdout.
#[expect(clippy::print_stderr, reason = "this is where stderr is written")]
pub fn aside(text: impl Display) {
    eprintln!("{text}");
}

/// What ended the program, with every cause on its own line.
pub fn error(error: &anyhow::Error) {
    aside(format_args!("error: {error}"));
    for cause in error.chain().skip(1) {
        aside(format_args!("  because {cause}"));
    }
}
