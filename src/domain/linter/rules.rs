//! The rules as data: what each is about, how grave it is, what looks for it and where it comes from.
//!
//! They are read from `templates/rules/campaigns.toml`, whose head says what a rule has. The file is tables of
//! words and no types of its own: a reader for each would cost a router more than the rules.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::phrase::Phrase;
use crate::domain::text::Text;
use crate::domain::written::read_strictly;

/// The file as it is read.
type Tables = BTreeMap<String, BTreeMap<String, String>>;

/// All rules of one version.
#[derive(Debug)]
pub struct Register {
    /// The day of the last change.
    pub version: String,
    /// Characters as Traditional and as Simplified Chinese writes them, in pairs.
    traditional: String,
    /// By their names.
    pub rules: Vec<Rule>,
}

/// Where a rule comes from.
#[derive(Debug)]
pub struct Source {
    /// When it was published or came into force: a day, or a month where no more is known.
    pub date: String,
    pub name: String,
}

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// `R03`; for ever.
    pub id: String,
    /// How grave it is to break it, where no line of it says otherwise.
    pub level: Level,
    /// No override counts.
    pub is_fixed: bool,
    /// Empty: everywhere.
    regions: Vec<Region>,
    /// What is wrong.
    pub say: Text,
    /// What could stand there.
    pub instead: Text,
    pub sources: Vec<Source>,
    /// In what it is looked for; "nothing" where nothing is.
    pub looks_at: String,
    pub(super) refuses: Vec<Phrase>,
    pub(super) warns: Vec<Phrase>,
    /// Refused in the terms alone.
    pub(super) conditions: Vec<Phrase>,
    /// A sentence with one of these breaks the rule in nothing.
    pub(super) innocent: Vec<Phrase>,
    /// With one of these anywhere, the rule counts for nothing in the file.
    pub(super) excused: Vec<Phrase>,
    /// What the terms have to say, in either language.
    pub(super) needs_zh: Vec<Need>,
    pub(super) needs_en: Vec<Need>,
}

/// Something that has to be said.
#[derive(Debug)]
pub(super) struct Need {
    pub(super) what: String,
    pub(super) words: Phrase,
}

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It may run; somebody should look.
    Warn,
    /// It does not run.
    Refuse,
}

impl Level {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Refuse => "refuse",
        }
    }
}

/// Whose law and platforms count: `profile` of `chain.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Region {
    #[default]
    Cn,
    Eu,
    Other,
}

impl Region {
    pub const ALL: [Self; 3] = [Self::Cn, Self::Eu, Self::Other];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Cn => "cn",
            Self::Eu => "eu",
            Self::Other => "other",
        }
    }

    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|region| region.name() == name)
    }
}

impl Register {
    /// Reads the file; what is wrong with it is said with the rule's name.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut tables: Tables =
            read_strictly("campaigns.toml", text).map_err(|bad| bad.to_string())?;
        let mut head = Keys(tables.remove("rules").unwrap_or_default());
        let (version, traditional) = (head.needed("version")?, head.needed("traditional")?);
        let rules = tables.into_iter().map(|(id, table)| {
            let rule = Rule::read(&id, Keys(table));
            rule.map_err(|fault| format!("{id}: {fault}"))
        });
        Ok(Self {
            version,
            traditional,
            rules: rules.collect::<Result<_, _>>()?,
        })
    }

    pub fn rule(&self, id: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.id == id)
    }

    /// The Simplified form of a character; itself where it has none of its own.
    pub(super) fn simplified(&self, c: char) -> char {
        let mut pairs = self.traditional.chars();
        while let (Some(traditional), Some(simplified)) = (pairs.next(), pairs.next()) {
            if traditional == c {
                return simplified;
            }
        }
        c
    }
}

impl Rule {
    fn read(id: &str, mut keys: Keys) -> Result<Self, String> {
        let level = match keys.needed("level")?.as_str() {
            "refuse" => Level::Refuse,
            "warn" => Level::Warn,
            other => return Err(format!("`{other}` is no level")),
        };
        let regions = keys.maybe("regions");
        let regions = regions.split_whitespace().map(Region::by_name);
        let rule = Self {
            id: id.to_owned(),
            level,
            is_fixed: !keys.maybe("fixed").is_empty(),
            regions: regions.collect::<Option<_>>().ok_or("an unknown region")?,
            say: keys.text("zh", "en")?,
            instead: keys.text("instead_zh", "instead_en")?,
            sources: lines(&keys.needed("sources")?, |line| {
                let (date, name) = line.split_once(' ')?;
                Some(Source {
                    date: date.to_owned(),
                    name: name.to_owned(),
                })
            })?,
            looks_at: keys.needed("looks_at")?,
            refuses: keys.phrases("refuses")?,
            warns: keys.phrases("warns")?,
            conditions: keys.phrases("conditions")?,
            innocent: keys.phrases("innocent")?,
            excused: keys.phrases("excused")?,
            needs_zh: lines(&keys.maybe("needs_zh"), Need::read)?,
            needs_en: lines(&keys.maybe("needs_en"), Need::read)?,
        };
        match keys.0.keys().next() {
            Some(unknown) => Err(format!("unknown key `{unknown}`")),
            None => Ok(rule),
        }
    }

    pub fn counts_in(&self, region: Region) -> bool {
        self.regions.is_empty() || self.regions.contains(&region)
    }
}

impl Need {
    fn read(line: &str) -> Option<Self> {
        let (what, words) = line.split_once(": ")?;
        Some(Self {
            what: what.to_owned(),
            words: Phrase::read(words)?,
        })
    }
}

/// A table's keys, of which each is taken once.
struct Keys(BTreeMap<String, String>);

impl Keys {
    fn maybe(&mut self, key: &str) -> String {
        self.0.remove(key).unwrap_or_default()
    }

    fn needed(&mut self, key: &str) -> Result<String, String> {
        let value = self.maybe(key);
        if value.is_empty() {
            return Err(format!("`{key}` is missing"));
        }
        Ok(value)
    }

    fn text(&mut self, zh: &str, en: &str) -> Result<Text, String> {
        Ok(Text::new(&self.needed(zh)?, &self.needed(en)?))
    }

    fn phrases(&mut self, key: &str) -> Result<Vec<Phrase>, String> {
        lines(&self.maybe(key), Phrase::read)
    }
}

/// One thing a line.
fn lines<T>(text: &str, read: fn(&str) -> Option<T>) -> Result<Vec<T>, String> {
    let lines = text.lines().filter(|line| !line.is_empty());
    lines
        .map(|line| read(line).ok_or_else(|| format!("`{line}` cannot be read")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::register;
    use super::*;

    #[test]
    fn the_register_has_every_rule_of_the_design_with_its_dated_sources() {
        let register = register();
        for number in 1..=35 {
            let id = format!("R{number:02}");
            assert!(register.rule(&id).is_some(), "{id}");
        }
        for rule in &register.rules {
            assert!(!rule.sources.is_empty(), "{}", rule.id);
            for source in &rule.sources {
                let digits = source.date.bytes().filter(u8::is_ascii_digit).count();
                assert!(matches!(digits, 6 | 8), "{}: {}", rule.id, source.date);
            }
        }
        assert_eq!(register.traditional.chars().count() % 2, 0);
    }

    #[test]
    fn a_rule_that_looks_at_no_words_says_what_it_looks_at_instead() {
        for rule in &register().rules {
            let has_lines = !(rule.refuses.is_empty() && rule.warns.is_empty());
            assert_eq!(
                has_lines,
                rule.looks_at.starts_with("the words of"),
                "{}",
                rule.id
            );
        }
    }

    #[test]
    fn what_nobody_overrides_is_what_the_design_says_and_fake_orders() {
        let fixed = register().rules.iter().filter(|rule| rule.is_fixed);
        let fixed: Vec<&str> = fixed.map(|rule| &*rule.id).collect();
        assert_eq!(fixed, ["F01", "R01", "R02", "R09", "R11", "R24", "R25"]);
    }

    #[test]
    fn a_mistake_in_the_file_is_said_with_its_rule() {
        let good = "[rules]\nversion = \"1\"\ntraditional = \"與与\"\n[R99]\nlevel = \"warn\"\nzh = \"错\"\n\
                    en = \"wrong\"\ninstead_zh = \"对\"\ninstead_en = \"right\"\nsources = \"2026-11-22 us\"\n\
                    looks_at = \"nothing\"\n";
        assert_eq!(Register::read(good).unwrap().rules.len(), 1);
        for (from, to, said) in [
            (
                "level = \"warn\"",
                "level = \"kind\"",
                "R99: `kind` is no level",
            ),
            ("zh = \"错\"", "", "R99: `zh` is missing"),
            (
                "2026-11-22 us",
                "yesterday",
                "R99: `yesterday` cannot be read",
            ),
            (
                "looks_at",
                "regions = \"moon\"\nlooks_at",
                "R99: an unknown region",
            ),
            (
                "looks_at",
                "warn = \"a\"\nlooks_at",
                "R99: unknown key `warn`",
            ),
        ] {
            let bad = good.replacen(from, to, 1);
            assert_eq!(Register::read(&bad).unwrap_err(), said);
        }
    }
}
