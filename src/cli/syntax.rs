//! What the command line may say: each command has a table of the words it takes, and reads them by the same
//! entries.
//!
//! The tables are what help is printed from and what a mistake is compared with. A word that no table has ends
//! the program before anything was done.

mod given;
mod help;
mod parse;

pub(super) use given::Given;
pub use parse::Misuse;
pub(super) use parse::{Asked, parse};

/// A command and what may follow its name.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// Its options also hold after the name of a command below it.
    pub(super) takes: &'static [Word],
    pub(super) commands: &'static [Self],
    /// None where one of the commands below has to follow.
    pub(super) run: Option<Run>,
}

impl Command {
    pub(super) const fn new(
        name: &'static str,
        about: &'static str,
        takes: &'static [Word],
        run: Run,
    ) -> Self {
        Self {
            name,
            about,
            takes,
            commands: &[],
            run: Some(run),
        }
    }

    /// The words it takes, as they are written.
    #[cfg(test)]
    pub(super) fn words(&self) -> impl Iterator<Item = String> {
        self.takes.iter().map(Word::written)
    }

    /// A command that is nothing without one of `commands`.
    pub(super) const fn group(
        name: &'static str,
        about: &'static str,
        takes: &'static [Word],
        commands: &'static [Self],
    ) -> Self {
        Self {
            name,
            about,
            takes,
            commands,
            run: None,
        }
    }

    /// Does something without one of them, too.
    pub(super) const fn running(self, run: Run) -> Self {
        Self {
            run: Some(run),
            ..self
        }
    }
}

pub(super) type Run = fn(&Given) -> anyhow::Result<()>;

/// An option, or an operand: what stands at a place and has no dashes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word {
    name: &'static str,
    /// What its value is called in help.
    value: &'static str,
    about: &'static str,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Stands alone.
    Flag,
    Optional,
    Repeated,
    Default(&'static str),
    Required,
    Operand,
}

impl Word {
    pub(super) const fn flag(name: &'static str, about: &'static str) -> Self {
        Self::of(Kind::Flag, name, "", about)
    }

    /// An option that may be missing.
    pub(super) const fn option(
        name: &'static str,
        value: &'static str,
        about: &'static str,
    ) -> Self {
        Self::of(Kind::Optional, name, value, about)
    }

    pub(super) const fn operand(value: &'static str, about: &'static str) -> Self {
        Self::of(Kind::Operand, value, value, about)
    }

    const fn of(kind: Kind, name: &'static str, value: &'static str, about: &'static str) -> Self {
        Self {
            name,
            value,
            about,
            kind,
        }
    }

    pub(super) const fn or(self, default: &'static str) -> Self {
        Self::of(Kind::Default(default), self.name, self.value, self.about)
    }

    pub(super) const fn required(self) -> Self {
        Self::of(Kind::Required, self.name, self.value, self.about)
    }

    /// May be given more than once.
    #[cfg(any(feature = "hq", test))]
    pub(super) const fn repeated(self) -> Self {
        Self::of(Kind::Repeated, self.name, self.value, self.about)
    }

    /// As it is written on the command line.
    fn written(&self) -> String {
        match self.kind {
            Kind::Operand => format!("<{}>", self.value),
            Kind::Flag => format!("--{}", self.name),
            Kind::Optional | Kind::Repeated | Kind::Default(_) | Kind::Required => {
                format!("--{} <{}>", self.name, self.value)
            }
        }
    }

    fn is_operand(&self) -> bool {
        self.kind == Kind::Operand
    }

    fn has_to_be_given(&self) -> bool {
        matches!(self.kind, Kind::Required | Kind::Operand)
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    const STATE: Word = Word::option("state", "DIR", "Where it is").or("/var");
    const TOKEN: Word = Word::option("token", "TOKEN", "A token").required();
    const NAME: Word = Word::option("name", "HOST", "Its names").repeated();
    const QUIET: Word = Word::flag("quiet", "Say nothing");
    const SEQUENCE: Word = Word::operand("SEQUENCE", "A number");

    /// A command line with one of each kind.
    pub(super) static PROGRAM: Command = Command::group(
        "program",
        "Tries the command line",
        &[STATE],
        &[
            Command::new("show", "Show one", &[SEQUENCE, QUIET], |_| Ok(())),
            Command::new("join", "Join\n\nMore about it", &[TOKEN, NAME], |_| Ok(())),
        ],
    );

    pub(super) fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    pub(super) fn given(line: &str) -> Given {
        match parse(&PROGRAM, words(line)).unwrap() {
            Asked::Run(_, given) => given,
            Asked::Help(_) | Asked::Version => panic!("`{line}` asks for help"),
        }
    }

    pub(super) fn refused(line: &str) -> String {
        parse(&PROGRAM, words(line)).unwrap_err().to_string()
    }

    #[test]
    fn values_are_read_from_options_operands_and_defaults() {
        let show = given("show 7");
        assert_eq!(show.value::<u64>(&SEQUENCE).unwrap(), 7);
        assert_eq!(show.path(&STATE).unwrap().to_str(), Some("/var"));
        assert!(!show.has(&QUIET) && given("show --quiet 7").has(&QUIET));
        let join = given("join --token=-t --name a --name b --state /tmp");
        assert_eq!(join.value::<String>(&TOKEN).unwrap(), "-t");
        assert_eq!(join.values(&NAME), ["a", "b"]);
        assert_eq!(join.path(&STATE).unwrap().to_str(), Some("/tmp"));
    }

    #[test]
    fn an_option_of_a_command_stands_before_or_after_the_name_of_the_one_below() {
        for line in [
            "--state /tmp show 7",
            "show --state /tmp 7",
            "show 7 --state=/tmp",
        ] {
            assert_eq!(
                given(line).path(&STATE).unwrap().to_str(),
                Some("/tmp"),
                "{line}"
            );
        }
    }

    #[test]
    fn what_looks_like_an_option_is_an_operand_after_two_dashes() {
        let show = given("show -- -7");
        assert_eq!(show.value::<i64>(&SEQUENCE).unwrap(), -7);
    }

    #[test]
    fn a_value_that_cannot_be_read_is_named_with_its_word() {
        let wrong = given("show many").value::<u64>(&SEQUENCE).unwrap_err();
        let said = wrong.to_string();
        assert!(
            said.starts_with("`many` cannot be <SEQUENCE>: invalid digit"),
            "{said}"
        );
    }

    #[test]
    fn a_mistake_is_named_with_the_nearest_word_and_the_usage() {
        for (line, said) in [
            (
                "shwo",
                "there is no command `shwo` here\nhint: did you mean `show`?",
            ),
            (
                "prepare",
                "there is no command `prepare` here\nhint: the commands here are: show, join",
            ),
            (
                "show --stat x 7",
                "there is no option `--stat` here\nhint: did you mean `--state`?",
            ),
            ("show -x 7", "there is no option `-x` here"),
            ("show", "missing: <SEQUENCE>"),
            ("join --name a", "missing: --token <TOKEN>"),
            ("join --token", "missing argument for option '--token'"),
            (
                "join --token --name a",
                "missing argument for option '--token'",
            ),
            ("join --token a --token b", "--token <TOKEN> is given twice"),
            (
                "show --quiet=7 7",
                "unexpected argument for option '--quiet': \"7\"",
            ),
            ("show 7 8", "nothing is known of `8` here"),
            ("", "a command is missing"),
        ] {
            let refused = refused(line);
            let rest = refused.strip_prefix(said);
            let rest = rest.unwrap_or_else(|| panic!("`{line}`: {refused}"));
            assert!(rest.starts_with("\n\n"), "`{line}`: {refused}");
            assert!(rest.contains("Usage: program "), "`{line}`: {refused}");
        }
    }

    #[test]
    fn help_is_about_the_command_that_was_named_and_needs_nothing_else() {
        for line in ["join --help", "help join", "join -h", "--help join"] {
            let Ok(Asked::Help(page)) = parse(&PROGRAM, words(line)) else {
                panic!("`{line}` is no help");
            };
            assert!(
                page.contains("Usage: program join [OPTIONS] --token <TOKEN>\n"),
                "{page}"
            );
        }
        let version = parse(&PROGRAM, words("--version")).unwrap();
        assert!(matches!(version, Asked::Version));
    }
}
