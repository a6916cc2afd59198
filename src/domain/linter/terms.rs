//! What the terms of a coupon have to say (R26).
//!
//! Where, when and until when it holds stand on the coupon itself, from the campaign's own keys; the rest only the
//! terms can say.

use super::Finding;
use super::rules::{Need, Rule};

/// What is missing from the sentences of the terms, in the language of `needs`.
pub(super) fn check(
    rule: &'static Rule,
    needs: &[Need],
    path: String,
    sentences: &[String],
) -> Option<Finding> {
    let is_missing = |need: &&Need| !sentences.iter().any(|sentence| need.words.is_in(sentence));
    let missing: Vec<&str> = needs
        .iter()
        .filter(is_missing)
        .map(|need| need.what.as_str())
        .collect();
    (!missing.is_empty()).then(|| Finding::of(rule, path, missing.join(", ")))
}
