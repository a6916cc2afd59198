//! Reads and writes a date as TOML's own date, or as the same in quotes.

use std::fmt;

use jiff::civil::Date;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serializer};

/// TOML's own date comes as its text ([`written`](super)).
struct Written;

impl Visitor<'_> for Written {
    type Value = Date;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a date such as 2026-12-01")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Date, E> {
        text.parse()
            .map_err(|_| E::custom(format!("`{text}` is not a date such as 2026-12-01")))
    }
}

pub fn deserialize<'de, D: Deserializer<'de>>(reader: D) -> Result<Date, D::Error> {
    reader.deserialize_any(Written)
}

pub fn serialize<S: Serializer>(date: &Date, writer: S) -> Result<S::Ok, S::Error> {
    writer.collect_str(date)
}

/// Reads a date that may be left out.
pub fn optional<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<Date>, D::Error> {
    deserialize(reader).map(Some)
}

/// Reads several.
pub fn list<'de, D: Deserializer<'de>>(reader: D) -> Result<Vec<Date>, D::Error> {
    #[derive(Deserialize)]
    struct One(#[serde(with = "super::date")] Date);

    let dates = Vec::<One>::deserialize(reader)?;
    Ok(dates.into_iter().map(|One(date)| date).collect())
}
