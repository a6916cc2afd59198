//! The campaign linter: what a platform or the law punishes is refused before a guest sees it.
//!
//! What goes in is a campaign or another text as a person wrote it; what comes out are [`Finding`]s, each with its
//! rule, its place and what could stand there instead. The rules are data ([`rules`]), with their sources and dates.
//! Words are looked at in every language by itself. It knows no grammar: it finds what somebody wrote down, and a
//! person who wants to hide a condition from it can. What it refuses does not run; what it does not find is not
//! thereby lawful.

#[cfg(feature = "hq")]
mod invitations;
pub mod overrides;
#[cfg(feature = "hq")]
pub mod page;
mod phrase;
pub mod rules;
mod terms;
#[cfg(test)]
pub(super) mod tests;

use super::campaign::{Campaign, Gift};
use super::text::Text;
use super::written::BadFile;
use phrase::plain;
use rules::{Level, Need, Region, Register, Rule};

/// The largest prize of a lottery (SAMR 32, art. 17), in fen.
const LARGEST_PRIZE_FEN: u32 = 5_000_000;

/// Something that a rule is about.
#[derive(Debug, Clone)]
pub struct Finding {
    pub rule: &'static Rule,
    pub level: Level,
    /// The key, and the language where it is about words: `title.zh`.
    pub path: String,
    /// The words that were found, or what is missing.
    pub found: String,
    /// Who answers for it and why: then it is a warning.
    pub answered: Option<String>,
}

impl Finding {
    fn of(rule: &'static Rule, path: String, found: String) -> Self {
        Self {
            rule,
            level: rule.level,
            path,
            found,
            answered: None,
        }
    }

    pub fn is_refusal(&self) -> bool {
        self.level == Level::Refuse
    }

    /// The same as a mistake of `file`.
    pub fn in_file(&self, file: &str) -> BadFile {
        let Self { rule, found, .. } = self;
        let found = if found.is_empty() {
            String::new()
        } else {
            format!(" [{found}]")
        };
        let since = rule.sources.first().map_or("", |source| &source.date);
        BadFile {
            key: self.path.clone(),
            hint: Some(rule.instead.en.clone()),
            ..BadFile::whole(
                file,
                format!("{}: {}{found} ({since})", rule.id, rule.say.en),
            )
        }
    }
}

/// The languages of a text as the linter looks at them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Script {
    Chinese,
    Traditional,
    English,
}

impl Script {
    const ALL: [Self; 3] = [Self::Chinese, Self::Traditional, Self::English];

    /// The key of a text's table.
    const fn key(self) -> &'static str {
        match self {
            Self::Chinese => "zh",
            Self::Traditional => "zh-Hant",
            Self::English => "en",
        }
    }

    /// What was written in it.
    fn of(self, text: &Text) -> Option<&str> {
        match self {
            Self::Chinese => Some(&text.zh),
            Self::Traditional => text.zh_hant.as_deref(),
            Self::English => Some(&text.en),
        }
    }

    fn needs(self, rule: &Rule) -> &[Need] {
        match self {
            Self::Chinese | Self::Traditional => &rule.needs_zh,
            Self::English => &rule.needs_en,
        }
    }
}

/// What somebody wrote in one language, in its plain form.
struct Passage {
    path: String,
    sentences: Vec<String>,
    is_terms: bool,
}

/// Looks at files with the rules of one region.
#[derive(Debug, Clone, Copy)]
pub struct Linter {
    register: &'static Register,
    region: Region,
}

impl Linter {
    pub const fn new(register: &'static Register, region: Region) -> Self {
        Self { register, region }
    }

    pub const fn region(&self) -> Region {
        self.region
    }

    pub const fn register(&self) -> &'static Register {
        self.register
    }

    /// Looks at a campaign. The gravest findings come first.
    pub fn campaign(&self, campaign: &Campaign) -> Vec<Finding> {
        let item = match &campaign.offer.gift {
            Gift::Item { item, .. } => Some(("offer.item", item)),
            Gift::Percent(_) | Gift::Amount(_) | Gift::Priority => None,
        };
        let mut texts = vec![("title", &campaign.title), ("terms", &campaign.terms)];
        texts.extend(item);
        let mut findings = Vec::new();
        for script in Script::ALL {
            let passages = self.passages(&texts, script);
            findings.extend(self.words(&passages));
            for rule in self.counting() {
                let terms = passages.iter().find(|passage| passage.is_terms);
                findings.extend(terms.and_then(|terms| {
                    let needs = script.needs(rule);
                    terms::check(rule, needs, terms.path.clone(), &terms.sentences)
                }));
                if rule.id == "R20" && campaign.offer.cost_fen > LARGEST_PRIZE_FEN {
                    let prize = passages.iter().find_map(|passage| look_for(rule, passage));
                    findings.extend(
                        prize.map(|(_, found)| {
                            Finding::of(rule, "offer.cost_fen".to_owned(), found)
                        }),
                    );
                }
            }
        }
        gravest_first(findings)
    }

    /// Looks at other words that guests read, each with its key.
    pub fn texts(&self, texts: &[(&str, &Text)]) -> Vec<Finding> {
        let scripts = Script::ALL.into_iter();
        let findings = scripts.flat_map(|script| self.words(&self.passages(texts, script)));
        gravest_first(findings.collect())
    }

    /// Looks at an invitation, as it will be on `today`; `hosts` are those of the chain's own stores.
    #[cfg(feature = "hq")]
    pub fn invitation(
        &self,
        invitation: &super::invitation::Invitation,
        hosts: &[&str],
        today: jiff::civil::Date,
    ) -> Vec<Finding> {
        let mut texts = vec![("title", &invitation.title)];
        texts.extend(invitation.text.as_ref().map(|text| ("text", text)));
        let mut findings = self.texts(&texts);
        findings.extend(invitations::check(self, invitation, hosts, today));
        gravest_first(findings)
    }

    /// The rules that count here.
    fn counting(&self) -> impl Iterator<Item = &'static Rule> {
        let region = self.region;
        let rules = self.register.rules.iter();
        rules.filter(move |rule| rule.counts_in(region))
    }

    fn passages(&self, texts: &[(&str, &Text)], script: Script) -> Vec<Passage> {
        let written = texts.iter().filter_map(|(path, text)| {
            Some(Passage {
                path: format!("{path}.{}", script.key()),
                sentences: plain(script.of(text)?, |c| self.register.simplified(c)),
                is_terms: *path == "terms",
            })
        });
        written.collect()
    }

    /// What the rules about words find in the passages of one language.
    fn words(&self, passages: &[Passage]) -> Vec<Finding> {
        let whole: Vec<&str> = passages
            .iter()
            .flat_map(|passage| &passage.sentences)
            .map(String::as_str)
            .collect();
        let whole = whole.join(" ");
        let mut findings = Vec::new();
        for rule in self.counting() {
            if rule.excused.iter().any(|excuse| excuse.is_in(&whole)) {
                continue;
            }
            for passage in passages {
                findings.extend(look_for(rule, passage).map(|(level, found)| Finding {
                    level,
                    ..Finding::of(rule, passage.path.clone(), found)
                }));
            }
        }
        findings
    }
}

/// The first words of a passage that a rule is about.
fn look_for(rule: &Rule, passage: &Passage) -> Option<(Level, String)> {
    let mut sentences = passage.sentences.iter();
    sentences.find_map(|sentence| in_sentence(rule, sentence, passage.is_terms))
}

fn in_sentence(rule: &Rule, sentence: &str, is_terms: bool) -> Option<(Level, String)> {
    if rule
        .innocent
        .iter()
        .any(|innocent| innocent.is_in(sentence))
    {
        return None;
    }
    let conditions: &[_] = if is_terms { &rule.conditions } else { &[] };
    let refused = rule.refuses.iter().chain(conditions);
    let refused = refused.map(|phrase| (Level::Refuse, phrase));
    let warned = rule.warns.iter().map(|phrase| (Level::Warn, phrase));
    refused
        .chain(warned)
        .find_map(|(level, phrase)| Some((level, sentence[phrase.find(sentence)?].to_owned())))
}

fn gravest_first(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by(|a, b| (b.level, &a.rule.id, &a.path).cmp(&(a.level, &b.rule.id, &b.path)));
    findings
}
