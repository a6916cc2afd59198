//! Rows of text under a head, and whether the goals were held.

use std::process::ExitCode;

/// Counts the goals that were missed, where goals are judged at all.
pub(crate) struct Goals {
    judged: bool,
    missed: u32,
}

impl Goals {
    pub(crate) const fn judged() -> Self {
        Self {
            judged: true,
            missed: 0,
        }
    }

    /// For a disk that others use as well: its figures stand beside the judged ones.
    pub(crate) const fn shown() -> Self {
        Self {
            judged: false,
            missed: 0,
        }
    }

    pub(crate) fn at_least(&mut self, least: f64, value: f64) -> String {
        self.judge(&format!(">= {least}"), value >= least)
    }

    pub(crate) fn at_most(&mut self, most: f64, value: f64) -> String {
        self.judge(&format!("<= {most}"), value <= most)
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        if self.missed == 0 {
            ExitCode::SUCCESS
        } else {
            println!("{} goals missed", self.missed);
            ExitCode::FAILURE
        }
    }

    fn judge(&mut self, goal: &str, held: bool) -> String {
        if !self.judged {
            return String::new();
        }
        self.missed += u32::from(!held);
        let verdict = if held { "held" } else { "MISSED" };
        format!("{goal} {verdict}")
    }
}

/// Prints the first column to the left and the others to the right.
pub(crate) fn print(head: &[&str], rows: &[Vec<String>]) {
    let head: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
    let lines: Vec<&Vec<String>> = std::iter::once(&head).chain(rows).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
    let widths: Vec<usize> = (0..head.len()).filter_map(width).collect();
    for line in lines {
        let mut text = format!("{:<1$}", line[0], widths[0]);
        for (cell, width) in line.iter().zip(&widths).skip(1) {
            text.push_str(&format!("  {cell:>width$}"));
        }
        println!("{}", text.trim_end());
    }
}
