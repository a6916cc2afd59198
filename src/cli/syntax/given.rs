//! What was given on the command line, and the reading of it into values.

use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

use super::parse::Misuse;
use super::{Command, Kind, Word, help};

/// The command that was named, and the words that were given to it.
#[derive(Debug)]
pub(in crate::cli) struct Given {
    /// From the program down to the command.
    pub(super) path: Vec<&'static Command>,
    pub(super) words: Vec<(Word, OsString)>,
}

impl Given {
    pub(in crate::cli) fn has(&self, word: &Word) -> bool {
        self.find(word).next().is_some()
    }

    /// The value of a word that has to be given or has a default.
    pub(in crate::cli) fn value<T>(&self, word: &Word) -> Result<T, Misuse>
    where
        T: FromStr<Err: Display>,
    {
        self.value_by(word, T::from_str)
    }

    /// The same, read by `read` where the type has no one way to be written.
    pub(in crate::cli) fn value_by<T, E: Display>(
        &self,
        word: &Word,
        read: impl Fn(&str) -> Result<T, E>,
    ) -> Result<T, Misuse> {
        let given = self.optional_by(word, read)?;
        given.ok_or_else(|| self.misuse(&format!("{} is missing", word.written())))
    }

    #[cfg(feature = "hq")]
    pub(in crate::cli) fn optional<T>(&self, word: &Word) -> Result<Option<T>, Misuse>
    where
        T: FromStr<Err: Display>,
    {
        self.optional_by(word, T::from_str)
    }

    pub(in crate::cli) fn optional_by<T, E: Display>(
        &self,
        word: &Word,
        read: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Option<T>, Misuse> {
        let Some(given) = self.raw(word) else {
            return Ok(None);
        };
        let value = given
            .to_str()
            .ok_or_else(|| "it is not UTF-8".to_owned())
            .and_then(|text| read(text).map_err(|error| error.to_string()));
        value.map(Some).map_err(|error| {
            self.misuse(&format!(
                "`{}` cannot be {}: {error}",
                given.display(),
                word.written()
            ))
        })
    }

    /// Every value of a word that may be repeated.
    #[cfg(any(feature = "hq", test))]
    pub(in crate::cli) fn values(&self, word: &Word) -> Vec<String> {
        self.find(word)
            .map(|value| value.to_string_lossy().into_owned())
            .collect()
    }

    /// A path, which need not be UTF-8.
    pub(in crate::cli) fn path(&self, word: &Word) -> Result<PathBuf, Misuse> {
        let given = self.optional_path(word);
        given.ok_or_else(|| self.misuse(&format!("{} is missing", word.written())))
    }

    pub(in crate::cli) fn optional_path(&self, word: &Word) -> Option<PathBuf> {
        self.raw(word).map(PathBuf::from)
    }

    /// That what was given cannot be.
    pub(in crate::cli) fn misuse(&self, what: &str) -> Misuse {
        Misuse::new(what, &help::usage(&self.path))
    }

    fn raw(&self, word: &Word) -> Option<&OsStr> {
        let default = match word.kind {
            Kind::Default(default) => Some(OsStr::new(default)),
            Kind::Flag | Kind::Optional | Kind::Repeated | Kind::Required | Kind::Operand => None,
        };
        self.find(word).next().or(default)
    }

    fn find(&self, word: &Word) -> impl Iterator<Item = &OsStr> {
        let name = word.name;
        debug_assert!(
            self.takes().any(|known| known.name == name),
            "{name} is read and not taken"
        );
        let words = self
            .words
            .iter()
            .filter(move |(given, _)| given.name == name);
        words.map(|(_, value)| value.as_os_str())
    }

    /// What may be given here: also the options of the commands above.
    pub(super) fn takes(&self) -> impl Iterator<Item = &'static Word> {
        self.path.iter().flat_map(|command| command.takes)
    }
}
