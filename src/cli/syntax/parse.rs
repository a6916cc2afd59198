//! From words to a command and what was given to it, or to a sentence about what is wrong with them.

use std::ffi::OsString;

use lexopt::{Arg, Parser};

use super::{Command, Given, Kind, Run, Word, help};
use crate::domain::written::closest;

/// What somebody wants of the program.
#[derive(Debug)]
pub(in crate::cli) enum Asked {
    Run(Run, Given),
    Help(String),
    Version,
}

/// The command line cannot be understood, and nothing was done.
#[derive(Debug, thiserror::Error)]
#[error("{what}\n\n{then}")]
pub struct Misuse {
    what: String,
    /// How it is used.
    then: String,
}

impl Misuse {
    pub(super) fn new(what: &str, then: &str) -> Self {
        Self {
            what: what.to_owned(),
            then: then.to_owned(),
        }
    }
}

/// Reads the words after the program's name.
pub(in crate::cli) fn parse(
    program: &'static Command,
    words: impl IntoIterator<Item = OsString>,
) -> Result<Asked, Misuse> {
    let mut given = Given {
        path: vec![program],
        words: Vec::new(),
    };
    let mut command = program;
    let mut parser = Parser::from_args(words);
    let mut wants_help = false;
    while let Some(word) = parser.next().map_err(|error| given.wrong(&error))? {
        match word {
            Arg::Short('h') | Arg::Long("help") => wants_help = true,
            Arg::Short('V') | Arg::Long("version") if given.path.len() == 1 => {
                return Ok(Asked::Version);
            }
            Arg::Short(letter) => {
                return Err(given.misuse(&format!("there is no option `-{letter}` here")));
            }
            Arg::Long(name) => {
                let option = given.option(name)?;
                let value = if option.kind == Kind::Flag {
                    OsString::new()
                } else {
                    value(&mut parser).map_err(|error| given.wrong(&error))?
                };
                given.add(option, value)?;
            }
            Arg::Value(word) if command.commands.is_empty() => {
                let operand = given.operand(&word)?;
                given.add(operand, word)?;
            }
            Arg::Value(word) if word == "help" => wants_help = true,
            Arg::Value(word) => {
                command = given.command(&word.to_string_lossy())?;
                given.path.push(command);
            }
        }
    }
    if wants_help {
        return Ok(Asked::Help(help::page(&given.path)));
    }
    given.is_complete()?;
    match command.run {
        Some(run) => Ok(Asked::Run(run, given)),
        None => Err(Misuse::new(
            "a command is missing",
            &help::page(&given.path),
        )),
    }
}

/// The value of the option that was just read. What begins with a dash is the next option, unless `=` joins it
/// to this one.
fn value(parser: &mut Parser) -> Result<OsString, lexopt::Error> {
    let value = parser.values()?.next();
    Ok(value.expect("there is at least one where it is not an error"))
}

impl Given {
    /// Finds an option by its name.
    fn option(&self, name: &str) -> Result<Word, Misuse> {
        let known: Vec<&Word> = self.takes().filter(|word| !word.is_operand()).collect();
        if let Some(found) = known.iter().find(|word| word.name == name) {
            return Ok(**found);
        }
        let names: Vec<&str> = known.iter().map(|word| word.name).collect();
        let hint = closest(name, &names).map_or_else(String::new, |near| {
            format!("\nhint: did you mean `--{near}`?")
        });
        Err(self.misuse(&format!("there is no option `--{name}` here{hint}")))
    }

    /// Finds a command below the one that was named so far.
    fn command(&self, name: &str) -> Result<&'static Command, Misuse> {
        let commands = self.command_now().commands;
        if let Some(found) = commands.iter().find(|command| command.name == name) {
            return Ok(found);
        }
        let names: Vec<&str> = commands.iter().map(|command| command.name).collect();
        let hint = match closest(name, &names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the commands here are: {}", names.join(", ")),
        };
        Err(self.misuse(&format!("there is no command `{name}` here\nhint: {hint}")))
    }

    /// The operand that stands at the place of `word`.
    fn operand(&self, word: &OsString) -> Result<Word, Misuse> {
        let mut operands = self
            .command_now()
            .takes
            .iter()
            .filter(|word| word.is_operand());
        let given = self
            .words
            .iter()
            .filter(|(word, _)| word.is_operand())
            .count();
        operands
            .nth(given)
            .copied()
            .ok_or_else(|| self.misuse(&format!("nothing is known of `{}` here", word.display())))
    }

    fn add(&mut self, word: Word, value: OsString) -> Result<(), Misuse> {
        if word.kind != Kind::Repeated && self.has(&word) {
            return Err(self.misuse(&format!("{} is given twice", word.written())));
        }
        self.words.push((word, value));
        Ok(())
    }

    fn is_complete(&self) -> Result<(), Misuse> {
        let missing: Vec<String> = self
            .takes()
            .filter(|word| word.has_to_be_given() && !self.has(word))
            .map(Word::written)
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(self.misuse(&format!("missing: {}", missing.join(", "))))
    }

    fn command_now(&self) -> &'static Command {
        self.path.last().expect("it begins with the program")
    }

    /// What the lexer found.
    fn wrong(&self, error: &lexopt::Error) -> Misuse {
        self.misuse(&error.to_string())
    }
}
