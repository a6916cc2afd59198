//! One more till device: a code to scan with it, given out by somebody who is signed in.
//!
//! It is the code that the operator's command gives out, as an address. The address shows the code and pairs
//! nothing by itself: what opens links ahead of their reader must not use it up.

use askama::Template;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::response::Response;

use crate::domain::ids::ShortCode;
use crate::portal::State;
use crate::portal::error::Apology;
use crate::portal::pages::{LanguageLink, Shell, page, render};
use crate::portal::till::{self, SignedIn};
use crate::wire::qr::{Correction, Symbol};

/// `POST /counter/pair`
pub(super) async fn give_out(
    Extract(state): Extract<State>,
    SignedIn { visitor, .. }: SignedIn,
) -> Response {
    let bundle = state.bundle();
    let Some(folder) = state.own_store(&bundle) else {
        return Apology::NoSuchPage.page(&visitor);
    };
    // A camera opens on a page that came over HTTPS, and on no other.
    let origin = state.https.borrow().origin();
    let origin = origin.unwrap_or_else(|| state.base_url(Some(&folder.store)));
    let code = state.pairing.give_out(&*state.clock);
    let address = till::address_to_pair(&origin, code);
    let shell = Shell::new(visitor.language, LanguageLink::Nowhere, Some(&folder.store));
    let html = render(&PairCodePage {
        store: folder.store.name.of(visitor.language),
        qr: Symbol::of(&address, Correction::Medium)
            .ok()
            .map(|symbol| symbol.svg(&shell.t.till.pair_title)),
        code,
        shell,
    });
    page(StatusCode::OK, visitor.packing, html)
}

#[derive(Template)]
#[template(path = "portal/pair_code.html")]
struct PairCodePage<'a> {
    shell: Shell,
    store: &'a str,
    /// None where the operator gave the portal an address too long for any.
    qr: Option<String>,
    code: ShortCode,
}
