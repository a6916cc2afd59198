//! Files that people write by hand, read so that a mistake is easy to find.
//!
//! A hand-written file is read [strictly](read_strictly): an unknown key is a mistake, and the nearest
//! known key is named. A file from a bundle is read [leniently](read_leniently): a newer headquarters may
//! know keys that this version does not, and these are left out and listed.

pub mod date;
mod tree;

use std::fmt;
use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use tree::Refused;

/// What is wrong in a hand-written file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadFile {
    pub file: String,
    /// Counted from 1; 0 where the fault has no line.
    pub line: usize,
    /// The path of the key: `limits.per_person`.
    pub key: String,
    pub fault: String,
    pub hint: Option<String>,
}

impl BadFile {
    /// A fault of the file as a whole.
    pub fn whole(file: &str, fault: impl fmt::Display) -> Self {
        Self {
            file: file.to_owned(),
            line: 0,
            key: String::new(),
            fault: fault.to_string(),
            hint: None,
        }
    }
}

impl fmt::Display for BadFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        f.write_str(": ")?;
        if !self.key.is_empty() {
            write!(f, "key `{}`: ", self.key)?;
        }
        f.write_str(&self.fault)?;
        if let Some(hint) = &self.hint {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for BadFile {}

/// Reads `text` as a `T`; `file` is what the message calls it.
pub fn read_strictly<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, BadFile> {
    let document = Document::parse(file, text)?;
    document.read().map_err(|error| document.explain(&error))
}

/// Reads `text` as a `T` and leaves out the keys that `T` does not know; their paths are returned.
pub fn read_leniently<T: DeserializeOwned>(
    file: &str,
    text: &str,
) -> Result<(T, Vec<String>), BadFile> {
    let mut document = Document::parse(file, text)?;
    let mut left_out = Vec::new();
    loop {
        let error = match document.read() {
            Ok(value) => return Ok((value, left_out)),
            Err(error) => error,
        };
        let span = error.span.clone().unwrap_or_default();
        let path = key_at(document.table.get_ref(), &span);
        let unknown = unknown_key(&error.message).is_some();
        if !unknown || !remove(document.table.get_mut(), &span) {
            return Err(document.explain(&error));
        }
        left_out.push(path.unwrap_or_default());
    }
}

/// A file that is TOML. Every key and value knows where it stands in the text, which is how a fault is found:
/// serde's own paths would compile each type's reader a second time, half a megabyte on a router.
struct Document<'t> {
    file: &'t str,
    text: &'t str,
    table: Spanned<DeTable<'t>>,
}

impl<'t> Document<'t> {
    fn parse(file: &'t str, text: &'t str) -> Result<Self, BadFile> {
        let table = DeTable::parse(text)
            .map_err(|error| explain(file, text, "", error.message(), error.span()))?;
        Ok(Self { file, text, table })
    }

    fn read<T: DeserializeOwned>(&self) -> Result<T, Refused> {
        tree::read(&self.table)
    }

    fn explain(&self, refused: &Refused) -> BadFile {
        let span = refused.span.clone().unwrap_or_default();
        let key = key_at(self.table.get_ref(), &span).unwrap_or_default();
        explain(
            self.file,
            self.text,
            &key,
            &refused.message,
            refused.span.clone(),
        )
    }
}

/// The path of the key that stands at `span`, or whose value does.
fn key_at(table: &DeTable<'_>, span: &Range<usize>) -> Option<String> {
    table.iter().find_map(|(key, value)| {
        if key.span() == *span || value.span() == *span {
            return Some(key.get_ref().to_string());
        }
        let below = key_in(value.get_ref(), span)?;
        Some(format!("{}{below}", key.get_ref()))
    })
}

/// The same inside a value, as it goes on behind the value's key.
fn key_in(value: &DeValue<'_>, span: &Range<usize>) -> Option<String> {
    if let Some(table) = value.as_table() {
        return key_at(table, span).map(|below| format!(".{below}"));
    }
    let items = value.as_array()?.iter().enumerate();
    items.into_iter().find_map(|(place, item)| {
        if item.span() == *span {
            return Some(format!("[{place}]"));
        }
        let below = key_in(item.get_ref(), span)?;
        Some(format!("[{place}]{below}"))
    })
}

/// Takes out the key that stands at `span`; false where there is none.
fn remove(table: &mut DeTable<'_>, span: &Range<usize>) -> bool {
    let found = table
        .keys()
        .find(|key| key.span() == *span)
        .map(|key| key.get_ref().clone());
    if let Some(key) = found {
        return table.remove(&*key).is_some();
    }
    table
        .iter_mut()
        .any(|(_, value)| remove_in(value.get_mut(), span))
}

fn remove_in(value: &mut DeValue<'_>, span: &Range<usize>) -> bool {
    match value {
        DeValue::Table(table) => remove(table, span),
        DeValue::Array(items) => items.iter_mut().any(|item| remove_in(item.get_mut(), span)),
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => false,
    }
}

fn explain(
    file: &str,
    text: &str,
    key: &str,
    message: &str,
    span: Option<Range<usize>>,
) -> BadFile {
    // The lines before the fault, each with its end, and the one it is in.
    let line = span.map_or(0, |span| {
        1 + text.as_bytes()[..span.start.min(text.len())]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
    });
    let (fault, hint) = match unknown_key(message) {
        Some((unknown, known)) => (
            format!("unknown key `{unknown}`"),
            Some(hint(unknown, &known)),
        ),
        None => match missing_key(message) {
            Some(missing) => (
                format!("`{missing}` is missing"),
                matches!(missing, "zh" | "en").then(|| {
                    "every text is written in Chinese (zh) and in English (en)".to_owned()
                }),
            ),
            None => (message.trim().replace('\n', " "), None),
        },
    };
    BadFile {
        file: file.to_owned(),
        line,
        key: key.to_owned(),
        fault,
        hint,
    }
}

/// Reads serde's sentence about an unknown field: the field, and the fields it knows.
fn unknown_key(message: &str) -> Option<(&str, Vec<&str>)> {
    let rest = message.trim().strip_prefix("unknown field ")?;
    let mut quoted = rest.split('`').skip(1).step_by(2);
    let unknown = quoted.next()?;
    Some((unknown, quoted.collect()))
}

/// Reads serde's sentence about a field that is not there.
fn missing_key(message: &str) -> Option<&str> {
    message.strip_prefix("missing field `")?.strip_suffix('`')
}

fn hint(unknown: &str, known: &[&str]) -> String {
    match closest(unknown, known) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("the keys here are: {}", known.join(", ")),
    }
}

/// The known word that somebody may have meant by `unknown`.
pub fn closest<'a>(unknown: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(unknown, name), *name))
        .min()
        .filter(|(distance, name)| *distance <= 2.max(name.len() / 3))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::campaign::Campaign;

    const CAMPAIGN: &str = include_str!("../../tests/fixtures/chain/campaigns/quiet-hours.toml");

    #[test]
    fn a_misspelt_key_is_named_with_its_line_and_the_nearest_known_one() {
        let text = CAMPAIGN.replace("per_person =", "per_persn =");
        let bad = read_strictly::<Campaign>("quiet.toml", &text).unwrap_err();
        let line = 1 + text
            .lines()
            .position(|line| line.starts_with("per_persn ="))
            .unwrap();
        assert_eq!(bad.line, line);
        assert_eq!(bad.hint.as_deref(), Some("did you mean `per_person`?"));
        assert!(
            bad.to_string().starts_with(&format!("quiet.toml:{line}: ")),
            "{bad}"
        );
    }

    #[test]
    fn a_wrong_value_is_named_with_its_line_and_key() {
        let text = CAMPAIGN.replace("total = 5000", "total = \"many\"");
        let bad = read_strictly::<Campaign>("quiet.toml", &text).unwrap_err();
        assert_eq!(bad.key, "limits.total");
        assert!(bad.fault.contains("invalid type"), "{bad}");
    }

    #[test]
    fn a_text_in_one_language_only_is_said_with_the_one_that_is_missing() {
        let text = CAMPAIGN.replace(", en = \"A side dish in the quiet hours\"", "");
        let bad = read_strictly::<Campaign>("quiet.toml", &text).unwrap_err();
        assert_eq!((bad.line, &*bad.key), (2, "title"));
        assert_eq!(bad.fault, "`en` is missing");
        assert!(bad.hint.unwrap().starts_with("every text is written in"));
    }

    #[test]
    fn a_bundle_keeps_what_it_knows_of_a_newer_file() {
        let text = CAMPAIGN
            .replace("[limits]", "[limits]\nper_moon = 3")
            .replace("days = [", "weather = \"rain\"\ndays = [")
            + "\n[future]\nkey = 1\n";
        let (campaign, mut left_out) = read_leniently::<Campaign>("quiet.toml", &text).unwrap();
        assert_eq!(campaign.limits.total, Some(5000));
        left_out.sort();
        assert_eq!(left_out, ["future", "limits.per_moon", "window[0].weather"]);
    }
}
