//! The page of the Wi-Fi as a stranger sees it at its fullest, drawn before there is a shop: for the linter, which
//! looks whether "continue" is on the first screen.

use super::{Known, LandingPage, ShownOffer, left_in_words};
use crate::domain::calendar::clock;
use crate::domain::campaign::Campaign;
use crate::domain::store::{Greeting, Store};
use crate::domain::text::Language;
use crate::domain::wallet::Left;
use crate::portal::doors::Doors;
use crate::portal::look::Look;
use crate::portal::pages::{LanguageLink, Shell, render};
use crate::portal::texts::texts;

/// Draws the landing page of `campaign`, in `store` where it is known.
pub fn landing(campaign: &Campaign, store: Option<&Store>, language: Language) -> String {
    let brand = store.map(|store| &store.brand);
    let greeting = brand.and_then(|brand| brand.greeting.as_ref());
    let manager = brand.and_then(|brand| brand.manager.as_ref());
    let few = Left {
        coupons: 10,
        is_of_today: true,
    };
    let closes = campaign.windows.first().map(|window| clock(window.to));
    render(&LandingPage {
        shell: Shell::looking(Look::in_language(language), LanguageLink::Here, store),
        label: Some("Wi-Fi"),
        is_table: false,
        wifi: true,
        greeting: greeting.map(|greeting| Greeting::text(greeting).of(language)),
        doors: Some(Doors::OPEN),
        code: "",
        tap: "",
        manager: manager.map(|name| name.of(language)),
        offer: Some(ShownOffer {
            until: closes,
            left: Some(left_in_words(few, language)),
            taken: Some(texts(language).landing.taken.replace("{n}", "100")),
            ..ShownOffer::of(campaign, language)
        }),
        books_at: store.and_then(|store| store.booking().map(|_| &store.id)),
        events_at: store.map(|store| &store.id),
        together: None,
        is_away: false,
        known: Known::default(),
    })
}
