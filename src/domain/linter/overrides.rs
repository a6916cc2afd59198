//! Rules that somebody answers for: `overrides.toml` of a chain's folder.
//!
//! ```toml
//! [regulars]                       # the campaign
//! R22 = "Wang Fang: the guild's prize of 2026 hangs by the door"
//! ["stores/SZ01/store.toml"]       # or another file with words: policy.toml, a wifi.toml, a store's greeting
//! R22 = "Wang Fang: the same prize"
//! ```
//!
//! Each names who answers for it and why, and travels in the bundle, so that a box decides as headquarters does.
//! A rule that is fixed cannot stand here.

use std::collections::BTreeMap;

use super::Finding;
use super::rules::{Level, Register};

/// By campaign, or file of other words, and rule: who, and why.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Overrides(BTreeMap<String, BTreeMap<String, String>>);

impl Overrides {
    /// Checks what was read from the file.
    pub fn new(
        written: BTreeMap<String, BTreeMap<String, String>>,
        register: &Register,
    ) -> Result<Self, String> {
        for (campaign, rules) in &written {
            for (id, answer) in rules {
                let rule = register.rule(id);
                let rule = rule.ok_or_else(|| format!("{campaign}: there is no rule {id}"))?;
                if rule.is_fixed {
                    return Err(format!("{campaign}: nobody can answer for {id}"));
                }
                let said = answer.split_once(':');
                if said.is_none_or(|(who, why)| who.trim().is_empty() || why.trim().is_empty()) {
                    return Err(format!(
                        "{campaign}: {id} says who answers for it and why, as \"Wang Fang: the reason\""
                    ));
                }
            }
        }
        Ok(Self(written))
    }

    /// Makes warnings of what somebody answers for in `whose`: a campaign's id or another file's path.
    pub fn lay_over(&self, whose: &str, findings: &mut [Finding]) {
        let Some(rules) = self.0.get(whose) else {
            return;
        };
        for finding in findings {
            finding.answered = rules.get(&finding.rule.id).cloned();
            if finding.answered.is_some() {
                finding.level = Level::Warn;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::register;
    use super::*;

    fn overrides(rule: &str, answer: &str) -> Result<Overrides, String> {
        let rules = BTreeMap::from([(rule.to_owned(), answer.to_owned())]);
        let written = BTreeMap::from([("regulars".to_owned(), rules)]);
        Overrides::new(written, register())
    }

    #[test]
    fn somebody_answers_by_name_and_with_a_reason_and_never_for_a_fixed_rule() {
        assert!(overrides("R22", "Wang Fang: the guild's prize").is_ok());
        for (rule, answer, said) in [
            ("R99", "Wang Fang: why", "there is no rule R99"),
            ("R01", "Wang Fang: why", "nobody can answer for R01"),
            ("F01", "Wang Fang: why", "nobody can answer for F01"),
            ("R22", "because", "says who answers for it"),
            ("R22", " : why", "says who answers for it"),
            ("R22", "Wang Fang:", "says who answers for it"),
        ] {
            let refused = overrides(rule, answer).unwrap_err();
            assert!(refused.contains(said), "{refused}");
        }
    }
}
