//! A promo made from a form: what a manager fills in becomes a campaign's file, terms and all.
//!
//! A form either makes a file that passes the linter as it is, or names each field at fault; nothing lies in between.
//! The file is one that a person could have written, and is read back before anybody is told that it was made. What
//! the terms have to say (who gives it, what, when, how often, until when, with what, whom to ask) is filled in here
//! and is nobody's to forget.

mod read;
#[cfg(test)]
mod tests;

use jiff::civil::Date;

use super::calendar::{Day, clock};
use super::campaign::Campaign;
use super::ids::{CampaignId, StoreId};
use super::linter::Linter;
use super::linter::rules::Rule;
use super::text::{Language, Text};
use super::written::read_strictly;
use read::Filled;

/// What was typed, as the form shows it again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Typed {
    /// Empty: all of the chain's.
    pub store: String,
    pub item_zh: String,
    /// In Traditional characters; may stay empty.
    pub item_hant: String,
    pub item_en: String,
    pub quantity: String,
    pub days: Vec<Day>,
    pub from: String,
    pub to: String,
    pub per_day: String,
    pub first: String,
    pub last: String,
    pub valid: String,
    /// In yuan.
    pub cost: String,
}

/// A field of the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    Store,
    ItemZh,
    ItemHant,
    ItemEn,
    Quantity,
    Days,
    Hours,
    PerDay,
    First,
    Last,
    Valid,
    Cost,
}

/// What is wrong with a field.
#[derive(Debug, Clone, Copy)]
pub enum Why {
    Missing,
    /// So many characters at most.
    TooLong(usize),
    /// A character that no name has.
    Letters,
    /// A whole number from here to there.
    NotBetween(u32, u32),
    NoMoney,
    NoDate,
    NoTime,
    /// A window that ends when it begins.
    NoLength,
    Past,
    BeforeFirst,
    /// More than a year after the first.
    TooFar,
    Unknown,
    /// What platforms or the law have against the words.
    Refused(&'static Rule),
}

/// A field at fault.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    pub field: Field,
    pub why: Why,
}

/// Where a promo is made.
#[derive(Debug)]
pub struct Setting<'a> {
    pub id: CampaignId,
    /// Who gives it: the chain's name.
    pub by: &'a Text,
    /// Those of the chain.
    pub stores: Vec<StoreId>,
    pub today: Date,
    pub linter: Linter,
}

/// A campaign and its file.
#[derive(Debug, Clone, PartialEq)]
pub struct Promo {
    pub campaign: Campaign,
    pub file: String,
}

/// Makes a promo of a form, or says which fields are at fault.
pub fn fill_in(typed: &Typed, setting: &Setting<'_>) -> Result<Promo, Vec<Fault>> {
    let (promo, mut faults) = match read::form(typed, setting) {
        Ok(filled) => (Some(filled.promo(setting)), Vec::new()),
        Err(faults) => (None, faults),
    };
    let findings = match &promo {
        Some(promo) => setting.linter.campaign(&promo.campaign),
        None => {
            let item = typed.item();
            let texts = [("title", &title(&item)), ("item", &item)];
            setting.linter.texts(&texts)
        }
    };
    for finding in findings.iter().filter(|finding| finding.is_refusal()) {
        let field = at_fault(&finding.path);
        // One rule finds the same words in the title and in the gift.
        if !faults.iter().any(|fault| fault.field == field) {
            let why = Why::Refused(finding.rule);
            faults.push(Fault { field, why });
        }
    }
    faults.sort_by_key(|fault| fault.field);
    match promo.filter(|_| faults.is_empty()) {
        Some(promo) => Ok(promo),
        None => Err(faults),
    }
}

impl Typed {
    /// The gift's name.
    fn item(&self) -> Text {
        let hant = self.item_hant.trim();
        Text {
            zh_hant: (!hant.is_empty()).then(|| hant.to_owned()),
            ..Text::new(self.item_zh.trim(), self.item_en.trim())
        }
    }
}

/// "Free" is said, so that the linter sees what somebody asks for it in the name of a gift.
fn title(item: &Text) -> Text {
    let hant = item.zh_hant.as_ref();
    Text {
        zh_hant: hant.map(|item| format!("到店免費送{item}")),
        ..Text::new(
            &format!("到店免费送{}", item.zh),
            &format!("Free with your visit: {}", item.en),
        )
    }
}

/// The field whose words stand at `path` of the campaign: all others are maitred's own.
fn at_fault(path: &str) -> Field {
    match path.rsplit('.').next() {
        Some("en") => Field::ItemEn,
        Some("zh-Hant") => Field::ItemHant,
        Some("cost_fen") => Field::Cost,
        Some(_) | None => Field::ItemZh,
    }
}

impl Filled {
    fn promo(&self, setting: &Setting<'_>) -> Promo {
        let file = self.file(setting);
        let campaign = read_strictly("promo.toml", &file).expect("every field was read by itself");
        Promo { campaign, file }
    }

    /// The file, as a person writes it.
    fn file(&self, setting: &Setting<'_>) -> String {
        let item = written(&self.item);
        let title = written(&title(&self.item));
        let terms = written(&self.terms(setting.by));
        let stores: Vec<String> = self.stores.iter().map(|id| quoted(id.as_str())).collect();
        let days: Vec<String> = self.days.iter().map(|day| quoted(day.key())).collect();
        format!(
            "# Made from the form of headquarters' console; withdraw it there.\n\
             id = \"{id}\"\ntitle = {title}\nterms = {terms}\n\
             starts = {first}\nends = {last}\nstores = [{stores}]\n\
             touchpoints = [\"table\", \"wifi\", \"door\"]\naudience = \"everyone\"\n\n\
             [offer]\nkind = \"item\"\nitem = {item}\nquantity = {quantity}\ncost_fen = {cost}\n\n\
             [[window]]\ndays = [{days}]\nfrom = \"{from}\"\nto = \"{to}\"\n\n\
             [limits]\nper_person = 1\nper_person_days = {PER_PERSON_DAYS}\nper_store_per_day = {per_day}\n\n\
             [validity]\ndays = {valid}\nwindows_apply = true\n",
            id = setting.id,
            first = self.first,
            last = self.last,
            stores = stores.join(", "),
            quantity = self.quantity,
            cost = self.cost_fen,
            days = days.join(", "),
            from = clock(self.from),
            to = clock(self.to),
            per_day = self.per_day,
            valid = self.valid,
        )
    }

    /// In every language that the gift is named in.
    fn terms(&self, by: &Text) -> Text {
        let of = |language| self.terms_in(by, language);
        let hant = self.item.zh_hant.as_ref();
        Text {
            zh_hant: hant.map(|_| of(Language::TraditionalChinese)),
            ..Text::new(&of(Language::Chinese), &of(Language::English))
        }
    }

    fn terms_in(&self, by: &Text, language: Language) -> String {
        let (by, first, last) = (by.of(language), self.first, self.last);
        let (from, to) = (clock(self.from), clock(self.to));
        let (per_day, valid) = (self.per_day, self.valid);
        let is_daily = self.days.len() == Day::ALL.len();
        let days: Vec<&str> = self.days.iter().map(|day| day.name(language)).collect();
        match language {
            Language::Chinese => {
                let days = if is_daily {
                    "每天".to_owned()
                } else {
                    days.join("、")
                };
                format!(
                    "由{by}提供，堂食客人均可领取，每人 {PER_PERSON_DAYS} 天内一份，每店每天至多 {per_day} 份，送完为止。\
                     {first} 至 {last}，{days} {from}–{to} 领取和使用，领取后 {valid} 天内有效。\
                     不与其他优惠同享，不兑现、不找零。有疑问或异议，请找店员或店长。"
                )
            }
            Language::TraditionalChinese => {
                let days = if is_daily {
                    "每天".to_owned()
                } else {
                    days.join("、")
                };
                format!(
                    "由{by}提供，內用客人均可領取，每人 {PER_PERSON_DAYS} 天內一份，每店每天至多 {per_day} 份，送完為止。\
                     {first} 至 {last}，{days} {from}–{to} 領取和使用，領取後 {valid} 天內有效。\
                     不與其他優惠併用，不兌現、不找零。有疑問或異議，請找店員或店長。"
                )
            }
            Language::English => {
                let days = if is_daily {
                    "every day".to_owned()
                } else {
                    days.join(", ")
                };
                format!(
                    "Offered by {by} to everybody who dines in: one each within {PER_PERSON_DAYS} days, {per_day} a day \
                     and shop at most, while they last. To claim and to use from {first} to {last}, {days}, {from} to \
                     {to}; good for {valid} days after the claim. Not with other offers, no cash value, no change. \
                     Questions or objections: ask our staff or the manager."
                )
            }
        }
    }
}

/// How often the same guest gets it.
const PER_PERSON_DAYS: u16 = 7;

/// A text as TOML has it.
fn written(text: &Text) -> String {
    let hant = text.zh_hant.as_ref();
    let hant = hant.map_or_else(String::new, |hant| format!(" zh-Hant = {},", quoted(hant)));
    format!(
        "{{ zh = {},{hant} en = {} }}",
        quoted(&text.zh),
        quoted(&text.en)
    )
}

/// A string of TOML.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            // The chain's own name may have one; no field has.
            c if c.is_control() => quoted.push(' '),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}
