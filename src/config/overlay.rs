//! Lays a file over the environment over the defaults, and remembers where each value came from.
//!
//! `MAITRED_PORTAL__LISTEN=0.0.0.0:80` is `[portal] listen`: two underscores go down one table.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::domain::written::{BadFile, read_strictly};

const PREFIX: &str = "MAITRED_";

/// The process's environment, or what a test says it is.
#[derive(Debug, Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The variables of this process that begin with `MAITRED_`.
    pub fn of_process() -> Self {
        let mut ours = BTreeMap::new();
        // Not `vars`: it panics where any variable of the process, ours or not, is no UTF-8.
        for (name, value) in std::env::vars_os() {
            if let (Ok(name), Ok(value)) = (name.into_string(), value.into_string())
                && name.starts_with(PREFIX)
            {
                ours.insert(name, value);
            }
        }
        Self(ours)
    }

    pub fn of(pairs: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self(pairs.iter().map(owned).collect())
    }
}

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Default,
    Environment,
    File,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Default => "default",
            Self::Environment => "environment",
            Self::File => "file",
        })
    }
}

/// One key as it is in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    pub path: String,
    pub value: Value,
    pub origin: Origin,
}

/// Settings with an example file that says every key with its default, which a test holds them to. The defaults
/// are read from it: to write them from their types would be 40 kB on a router.
pub trait Documented: DeserializeOwned {
    const EXAMPLE: &'static str;
}

/// Everything in force.
#[derive(Debug)]
pub struct Effective<T> {
    pub written: T,
    pub keys: Vec<Key>,
}

impl<T: Documented> Effective<T> {
    pub fn read(file: &Path, environment: &Environment) -> Result<Self, BadFile> {
        let name = file.display().to_string();
        let text = fs_err::read_to_string(file).map_err(|error| {
            let mut fault = BadFile::whole(&name, error.to_string());
            fault.hint = Some("give the file's name with --config".to_owned());
            fault
        })?;
        // Alone first, so that a mistake in the file is reported with the file's own lines.
        read_strictly::<T>(&name, &text)?;
        let from_file: Table = read_strictly(&name, &text)?;
        let defaults: Table = read_strictly("the defaults", T::EXAMPLE)?;
        let from_environment = environment.table(&defaults)?;

        let mut all = defaults;
        lay_over(&mut all, &from_environment);
        lay_over(&mut all, &from_file);
        let merged = toml::to_string(&all).map_err(|error| BadFile::whole(&name, error))?;
        let written = read_strictly("environment MAITRED_…", &merged).map_err(|mut fault| {
            // The line would be one of the merged text, which nobody has written.
            fault.line = 0;
            fault
        })?;

        let mut keys = Vec::new();
        leaves(&all, "", &mut |path, value| {
            let origin = if find(&from_file, path).is_some() {
                Origin::File
            } else if find(&from_environment, path).is_some() {
                Origin::Environment
            } else {
                Origin::Default
            };
            keys.push(Key {
                path: path.to_owned(),
                value: value.clone(),
                origin,
            });
        });
        Ok(Self { written, keys })
    }
}

impl Environment {
    /// The variables as a table; each takes the type that the default of its key has.
    fn table(&self, defaults: &Table) -> Result<Table, BadFile> {
        let mut table = Table::new();
        for (name, text) in &self.0 {
            let path: Vec<String> = name[PREFIX.len()..]
                .split("__")
                .map(str::to_ascii_lowercase)
                .collect();
            let value = match find(defaults, &path.join(".")) {
                Some(Value::Integer(_)) => text.parse().map(Value::Integer).ok(),
                Some(Value::Boolean(_)) => text.parse().map(Value::Boolean).ok(),
                Some(Value::Array(_)) => Some(Value::Array(
                    text.split(',')
                        .map(|item| Value::String(item.trim().to_owned()))
                        .collect(),
                )),
                Some(_) | None => Some(Value::String(text.clone())),
            };
            let value = value.ok_or_else(|| {
                BadFile::whole(
                    &format!("environment {name}"),
                    "the value is of another type",
                )
            })?;
            put(&mut table, &path, value);
        }
        Ok(table)
    }
}

fn put(table: &mut Table, path: &[String], value: Value) {
    match path {
        [] => {}
        [last] => {
            table.insert(last.clone(), value);
        }
        [first, rest @ ..] => {
            let inner = table
                .entry(first.clone())
                .or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

fn lay_over(below: &mut Table, above: &Table) {
    for (key, value) in above {
        match (below.get_mut(key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => lay_over(below, above),
            _ => {
                below.insert(key.clone(), value.clone());
            }
        }
    }
}

fn find<'a>(table: &'a Table, path: &str) -> Option<&'a Value> {
    let mut parts = path.split('.');
    let mut value = table.get(parts.next()?)?;
    for part in parts {
        value = value.get(part)?;
    }
    Some(value)
}

fn leaves(table: &Table, above: &str, visit: &mut impl FnMut(&str, &Value)) {
    for (key, value) in table {
        let path = if above.is_empty() {
            key.clone()
        } else {
            format!("{above}.{key}")
        };
        if let Value::Table(inner) = value {
            leaves(inner, &path, visit);
        } else {
            visit(&path, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::config::written::Gateway;

    struct TestFile {
        _dir: tempfile::TempDir,
        path: PathBuf,
    }

    fn file(text: &str) -> TestFile {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("gateway.toml");
        fs_err::write(&path, text).unwrap();
        TestFile { _dir: dir, path }
    }

    #[test]
    fn a_file_beats_the_environment_and_the_environment_beats_the_default() {
        let file = file("[portal]\nlisten = \"127.0.0.1:1\"\n");
        let environment = Environment::of(&[
            ("MAITRED_PORTAL__LISTEN", "127.0.0.1:2"),
            ("MAITRED_UPLINK__BATCH_DELAY_MS", "7"),
        ]);
        let effective = Effective::<Gateway>::read(&file.path, &environment).unwrap();
        assert_eq!(effective.written.portal.listen.port(), 1);
        assert_eq!(effective.written.uplink.batch_delay_ms, 7);
        let origin = |path: &str| {
            let key = effective.keys.iter().find(|key| key.path == path);
            key.unwrap().origin
        };
        assert_eq!(origin("portal.listen"), Origin::File);
        assert_eq!(origin("uplink.batch_delay_ms"), Origin::Environment);
        assert_eq!(origin("ops.listen"), Origin::Default);
    }

    #[test]
    fn an_unknown_key_is_refused_wherever_it_comes_from() {
        let typo = file("[portal]\nlisten = \"127.0.0.1:1\"\nlistne = 1\n");
        let bad = Effective::<Gateway>::read(&typo.path, &Environment::default()).unwrap_err();
        assert_eq!(
            (bad.line, bad.hint.as_deref()),
            (3, Some("did you mean `listen`?"))
        );

        let empty = file("");
        let environment = Environment::of(&[("MAITRED_PORTAL__LISTNE", "x")]);
        let bad = Effective::<Gateway>::read(&empty.path, &environment).unwrap_err();
        assert_eq!(bad.hint.as_deref(), Some("did you mean `listen`?"));
    }
}
