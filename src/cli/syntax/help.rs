//! What `--help` prints, and the line on usage that follows a mistake.

use super::{Command, Kind, Word};

/// The page about the last command of `path`.
pub(super) fn page(path: &[&Command]) -> String {
    let Some(command) = path.last() else {
        return String::new();
    };
    let mut page = format!("{}\n\n{}\n", command.about, synopsis(path));
    let below = command.commands.iter();
    let rows = below.map(|below| (below.name.to_owned(), first_line(below.about).to_owned()));
    section(&mut page, "Commands", rows.collect());
    let (operands, options): (Vec<&Word>, Vec<&Word>) = path
        .iter()
        .flat_map(|command| command.takes)
        .partition(|word| word.is_operand());
    section(
        &mut page,
        "Arguments",
        operands.into_iter().map(row).collect(),
    );
    let mut options: Vec<_> = options.into_iter().map(row).collect();
    options.push(("-h, --help".to_owned(), "Print help".to_owned()));
    if path.len() == 1 {
        options.push(("-V, --version".to_owned(), "Print the version".to_owned()));
    }
    section(&mut page, "Options", options);
    page.truncate(page.trim_end().len());
    page
}

/// How the last command of `path` is used, and where more is told.
pub(super) fn usage(path: &[&Command]) -> String {
    format!("{}\nFor more: {} --help", synopsis(path), names(path))
}

fn synopsis(path: &[&Command]) -> String {
    let words = || path.iter().flat_map(|command| command.takes);
    let mut line = format!("Usage: {}", names(path));
    if words().any(|word| !word.has_to_be_given()) {
        line += " [OPTIONS]";
    }
    let has_to_be_given = |operand| {
        words().filter(move |word| word.has_to_be_given() && word.is_operand() == operand)
    };
    for word in has_to_be_given(false).chain(has_to_be_given(true)) {
        line += " ";
        line += &word.written();
    }
    match path.last() {
        Some(command) if command.commands.is_empty() => {}
        Some(command) if command.run.is_some() => line += " [COMMAND]",
        _ => line += " <COMMAND>",
    }
    line
}

fn names(path: &[&Command]) -> String {
    let names: Vec<&str> = path.iter().map(|command| command.name).collect();
    names.join(" ")
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn row(word: &Word) -> (String, String) {
    let note = match word.kind {
        Kind::Default(default) => format!(" [default: {default}]"),
        Kind::Repeated => " [may be repeated]".to_owned(),
        Kind::Flag | Kind::Optional | Kind::Required | Kind::Operand => String::new(),
    };
    (word.written(), format!("{}{note}", word.about))
}

/// Adds rows in two columns.
fn section(page: &mut String, title: &str, rows: Vec<(String, String)>) {
    let width = rows.iter().map(|(name, _)| name.len()).max();
    let Some(width) = width else {
        return;
    };
    *page += &format!("\n{title}:\n");
    for (name, about) in rows {
        *page += &format!("  {name:width$}  {about}\n");
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::PROGRAM;
    use super::*;

    #[test]
    fn a_page_lists_commands_and_options_in_columns() {
        let expected = "\
Tries the command line

Usage: program [OPTIONS] <COMMAND>

Commands:
  show  Show one
  join  Join

Options:
  --state <DIR>  Where it is [default: /var]
  -h, --help     Print help
  -V, --version  Print the version";
        assert_eq!(page(&[&PROGRAM]), expected);
    }

    #[test]
    fn a_page_lists_arguments_and_the_options_of_the_commands_above() {
        let expected = "\
Show one

Usage: program show [OPTIONS] <SEQUENCE>

Arguments:
  <SEQUENCE>  A number

Options:
  --state <DIR>  Where it is [default: /var]
  --quiet        Say nothing
  -h, --help     Print help";
        assert_eq!(page(&[&PROGRAM, &PROGRAM.commands[0]]), expected);
    }
}
