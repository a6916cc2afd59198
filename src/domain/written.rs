//! Files that people write by hand, read so that a mistake is easy to find.
//!
//! A hand-written file is read [strictly](read_strictly): an unknown key is a mistake, and the nearest
//! known key is named. A file from a bundle is read [leniently](read_leniently): a newer headquarters may
//! know keys that this version does not, and these are left out and listed.

use std::fmt;

use serde::de::DeserializeOwned;

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
    let document =
        toml::Deserializer::parse(text).map_err(|error| explain(file, text, "", &error))?;
    serde_path_to_error::deserialize(document).map_err(|error| {
        let path = error.path().to_string();
        let key = if path == "." { "" } else { &path };
        explain(file, text, key, error.inner())
    })
}

/// Reads `text` as a `T` and leaves out the keys that `T` does not know; their paths are returned.
pub fn read_leniently<T: DeserializeOwned>(
    file: &str,
    text: &str,
) -> Result<(T, Vec<String>), BadFile> {
    let mut table: toml::Table =
        toml::from_str(text).map_err(|error| explain(file, text, "", &error))?;
    let mut left_out = Vec::new();
    loop {
        match serde_path_to_error::deserialize::<_, T>(table.clone()) {
            Ok(value) => return Ok((value, left_out)),
            Err(error) => {
                let path: Vec<Step> = error.path().iter().filter_map(step).collect();
                let unknown = unknown_key(error.inner().message()).is_some();
                if !unknown || !remove(&mut table, &path) {
                    return Err(explain(
                        file,
                        text,
                        &error.path().to_string(),
                        error.inner(),
                    ));
                }
                left_out.push(error.path().to_string());
            }
        }
    }
}

enum Step {
    Key(String),
    Place(usize),
}

fn step(segment: &serde_path_to_error::Segment) -> Option<Step> {
    use serde_path_to_error::Segment;
    match segment {
        Segment::Map { key } => Some(Step::Key(key.clone())),
        Segment::Seq { index } => Some(Step::Place(*index)),
        Segment::Enum { .. } | Segment::Unknown => None,
    }
}

/// Takes the value at `path` out of the table; false where there is none.
fn remove(table: &mut toml::Table, path: &[Step]) -> bool {
    let [parents @ .., Step::Key(last)] = path else {
        return false;
    };
    let mut here: Option<&mut toml::Value> = None;
    for step in parents {
        here = match (here, step) {
            (None, Step::Key(key)) => table.get_mut(key),
            (Some(value), Step::Key(key)) => value.get_mut(key.as_str()),
            (Some(value), Step::Place(place)) => value.get_mut(*place),
            (None, Step::Place(_)) => None,
        };
        if here.is_none() {
            return false;
        }
    }
    match here {
        None => table.remove(last).is_some(),
        Some(value) => value
            .as_table_mut()
            .is_some_and(|table| table.remove(last).is_some()),
    }
}

fn explain(file: &str, text: &str, key: &str, error: &toml::de::Error) -> BadFile {
    let line = error.span().map_or(0, |span| {
        text[..span.start.min(text.len())].lines().count().max(1)
    });
    // A span that begins a line counts that line, which `lines` does not when the text before ends in one.
    let begins_line = error
        .span()
        .is_some_and(|span| span.start > 0 && text[..span.start.min(text.len())].ends_with('\n'));
    let hint = unknown_key(error.message()).and_then(|(unknown, known)| nearest(unknown, &known));
    let fault = match unknown_key(error.message()) {
        Some((unknown, _)) => format!("unknown key `{unknown}`"),
        None => error.message().trim().replace('\n', " "),
    };
    BadFile {
        file: file.to_owned(),
        line: line + usize::from(begins_line),
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

fn nearest(unknown: &str, known: &[&str]) -> Option<String> {
    known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(unknown, name), name))
        .min()
        .filter(|(distance, name)| *distance <= 2.max(name.len() / 3))
        .map(|(_, name)| format!("did you mean `{name}`?"))
        .or_else(|| Some(format!("the keys here are: {}", known.join(", "))))
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
