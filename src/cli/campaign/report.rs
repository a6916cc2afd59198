//! What `maitred campaign check` found: for people, for programs, and as an exit code.

use std::collections::BTreeMap;

use anyhow::bail;
use serde_json::{Value, json};

use crate::domain::linter::rules::{Region, Rule, Source};
use crate::domain::linter::{Finding, Linter};
use crate::domain::written::BadFile;
use crate::wire::bundle::Looked;

/// By file.
pub(super) struct Report {
    /// The rules' version.
    version: &'static str,
    region: Region,
    files: BTreeMap<String, Vec<Finding>>,
    /// Files that cannot be read.
    faults: Vec<BadFile>,
}

impl Report {
    pub(super) fn new(linter: &Linter) -> Self {
        Self {
            version: &linter.register().version,
            region: linter.region(),
            files: BTreeMap::new(),
            faults: Vec::new(),
        }
    }

    /// Notes what was found in a file; a second time it is added.
    pub(super) fn add(&mut self, Looked { file, findings }: Looked) {
        self.files.entry(file).or_default().extend(findings);
    }

    pub(super) fn fail(&mut self, fault: BadFile) {
        self.faults.push(fault);
    }

    fn refused(&self) -> usize {
        let files = self.files.values();
        files
            .filter(|findings| findings.iter().any(Finding::is_refusal))
            .count()
    }

    /// An error where something is refused; a mistake in a file, which is a bad configuration (exit code 78), comes
    /// before it.
    pub(super) fn verdict(mut self) -> anyhow::Result<()> {
        if let Some(fault) = self.faults.pop() {
            return Err(fault.into());
        }
        match self.refused() {
            0 => Ok(()),
            1 => bail!("one file is refused"),
            refused => bail!("{refused} files are refused"),
        }
    }

    pub(super) fn text(&self) -> String {
        // The last fault is said as what ended the program.
        let faults = self.faults.split_last().map(|(_, before)| before);
        let faults = faults
            .into_iter()
            .flatten()
            .map(|fault| format!("{fault}\n"));
        let mut lines: Vec<String> = faults.collect();
        let mut with_findings = 0;
        for (file, findings) in &self.files {
            if !findings.is_empty() {
                with_findings += 1;
                lines.push(file.clone());
                let of_a_rule =
                    |a: &Finding, b: &Finding| (&a.rule.id, a.level) == (&b.rule.id, b.level);
                let in_words = |findings: &[Finding]| in_words(findings, has_overrides(file));
                lines.extend(findings.chunk_by(of_a_rule).flat_map(in_words));
            }
        }
        let refused = self.refused();
        lines.push(format!(
            "{} looked at, {refused} refused, {} with warnings (rules of {}, region {})",
            self.files.len() + self.faults.len(),
            with_findings - refused,
            self.version,
            self.region.name()
        ));
        lines.join("\n")
    }

    pub(super) fn json(&self) -> Value {
        let files: Vec<Value> = self
            .files
            .iter()
            .map(|(file, findings)| {
                let findings: Vec<Value> = findings.iter().map(as_json).collect();
                json!({ "file": file, "findings": findings })
            })
            .collect();
        let faults: Vec<Value> = self
            .faults
            .iter()
            .map(|fault| {
                json!({
                    "file": fault.file,
                    "line": fault.line,
                    "key": fault.key,
                    "fault": fault.fault,
                    "hint": fault.hint,
                })
            })
            .collect();
        json!({
            "rules": self.version,
            "region": self.region.name(),
            "refused": self.refused(),
            "files": files,
            "unreadable": faults,
        })
    }
}

/// What one rule has against a file: every place, and the rule's words once.
fn in_words(findings: &[Finding], has_overrides: bool) -> Vec<String> {
    let place = |finding: &Finding| {
        let Finding {
            rule, level, path, ..
        } = finding;
        let found = match finding.found.as_str() {
            "" => String::new(),
            found => format!(": {found}"),
        };
        format!("  {} {} {path}{found}", rule.id, level.name())
    };
    let mut lines: Vec<String> = findings.iter().map(place).collect();
    let Some(Finding { rule, answered, .. }) = findings.first() else {
        return lines;
    };
    lines.extend([
        format!("    {}", rule.say.en),
        format!("    {}", rule.say.zh),
        format!("    instead: {}", rule.instead.en),
        format!("    改为：{}", rule.instead.zh),
    ]);
    let sources = rule.sources.iter();
    lines.extend(sources.map(|Source { date, name }| format!("    source: {date} {name}")));
    if let Some(answered) = answered {
        lines.push(format!("    answered for by {answered}"));
    } else if has_overrides && findings.iter().any(is_open) {
        lines.push("    who answers for it all the same says so in overrides.toml".to_owned());
    }
    lines
}

/// Nobody answers for an invitation: another code or word is easily put there.
fn has_overrides(file: &str) -> bool {
    !file.ends_with("invitations.toml")
}

/// A refusal that somebody may answer for.
fn is_open(finding: &Finding) -> bool {
    finding.is_refusal() && !finding.rule.is_fixed
}

fn as_json(finding: &Finding) -> Value {
    let rule: &Rule = finding.rule;
    let sources: Vec<Value> = rule
        .sources
        .iter()
        .map(|source| json!({ "date": source.date, "name": source.name }))
        .collect();
    json!({
        "rule": rule.id,
        "level": finding.level.name(),
        "path": finding.path,
        "found": finding.found,
        "message": { "zh": rule.say.zh, "en": rule.say.en },
        "instead": { "zh": rule.instead.zh, "en": rule.instead.en },
        "sources": sources,
        "fixed": rule.is_fixed,
        "answered": finding.answered,
    })
}
