//! The page of the Wi-Fi that a campaign makes, drawn before there is a shop: for the linter, and for whoever wants to
//! see it.

use anyhow::Context;

use crate::cli::print;
use crate::cli::syntax::{Command, Given, Word};
use crate::domain::campaign::Campaign;
use crate::domain::linter::{Finding, Linter, page};
use crate::domain::store::{Store, TouchpointKind};
use crate::domain::text::Language;
use crate::domain::written::read_strictly;
use crate::portal::preview;

const FILE: Word = Word::operand("FILE", "A campaign's file");
const LANGUAGE: Word = Word::option("language", "LANGUAGE", "zh, zh-Hant or en").or("zh");

pub(super) const COMMAND: Command = Command::new(
    "page",
    "Print the page of the Wi-Fi that a campaign makes, as HTML",
    &[FILE, LANGUAGE],
    run,
);

fn run(given: &Given) -> anyhow::Result<()> {
    let read = |name: &str| Language::from_tag(name).ok_or("the pages speak zh, zh-Hant and en");
    let language = given.value_by(&LANGUAGE, read)?;
    let file = given.path(&FILE)?;
    let text = fs_err::read_to_string(&file).context("reading the campaign")?;
    let campaign: Campaign = read_strictly(&file.display().to_string(), &text)?;
    print::line(preview(&campaign, None, language));
    Ok(())
}

/// What the linter says of the page, drawn for the stores that the campaign reaches.
pub(super) fn drawn(linter: &Linter, campaign: &Campaign, stores: &[&Store]) -> Vec<Finding> {
    if !campaign.touchpoints.contains(&TouchpointKind::Wifi) {
        return Vec::new();
    }
    let stores: Vec<Option<&Store>> = match stores {
        [] => vec![None],
        stores => stores.iter().copied().map(Some).collect(),
    };
    let of_language = |language: Language| {
        let path = format!("page.{}", language.tag());
        let pages = stores
            .iter()
            .map(|store| preview(campaign, *store, language));
        let found = pages.map(|html| page::check(linter, &html, &path));
        // One store speaks for all of them: the words are the campaign's.
        found.into_iter().find(|found| !found.is_empty())
    };
    let languages = Language::ALL.into_iter();
    languages.filter_map(of_language).flatten().collect()
}

#[cfg(all(test, feature = "hq"))]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::domain::calendar::Day;
    use crate::domain::ids::{CampaignId, StoreId};
    use crate::domain::linter::rules::Region;
    use crate::domain::promo::{Setting, Typed, fill_in};
    use crate::domain::text::Text;
    use crate::wire::rules::register;

    #[test]
    fn the_longest_gift_that_the_consoles_form_takes_leaves_continue_on_the_first_screen() {
        let by = Text::new("拾味", "Shiwei");
        let linter = Linter::new(register(), Region::Cn);
        let setting = Setting {
            id: CampaignId::parse("promo-1").unwrap(),
            by: &by,
            stores: vec![StoreId::parse("SZ01").unwrap()],
            today: date(2026, 11, 22),
            linter,
        };
        let typed = Typed {
            item_zh: "味".repeat(16),
            item_hant: "鮮".repeat(16),
            item_en: "w".repeat(40),
            quantity: "99".to_owned(),
            days: vec![Day::Mon],
            from: "14:00".to_owned(),
            to: "17:00".to_owned(),
            per_day: "20".to_owned(),
            first: "2026-12-01".to_owned(),
            last: "2026-12-31".to_owned(),
            valid: "7".to_owned(),
            ..Typed::default()
        };
        let campaign = fill_in(&typed, &setting).unwrap().campaign;
        let store = include_str!("../../../tests/fixtures/chain/stores/SZ01/store.toml");
        let store: Store = read_strictly("store.toml", store).unwrap();
        let found = drawn(&linter, &campaign, &[&store]);
        assert!(found.is_empty(), "{found:?}");
    }
}
