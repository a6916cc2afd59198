//! "Continue to the Internet": one tap, no condition.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::State;
use super::error::Apology;
use super::ledger::happening;
use super::pages::{MessagePage, Shell, page, render, see_other};
use super::visitor::Visitor;
use crate::domain::event::{Admitted, Event};

/// `POST /admit`: the device that asks is let through, and only that one.
pub(super) async fn admit(
    axum::extract::State(state): axum::extract::State<State>,
    visitor: Visitor,
) -> Response {
    let bundle = state.bundle();
    let (Some(folder), Some(device)) = (state.own_store(&bundle), visitor.device) else {
        return Apology::NoSuchPage.page(&visitor);
    };
    let now = state.now();
    if let Err(full) = state.wall.admit(device, now) {
        tracing::warn!(error = %full, "a device was not admitted");
        return Apology::CannotKeep.page(&visitor);
    }
    let event = Event::Admitted(Admitted { vid: visitor.vid });
    state.views.saw(happening(&folder.store, now, event));
    // A real navigation: phones look again only when a page is loaded.
    see_other("/online")
}

/// `GET /online`
pub(super) async fn online(
    axum::extract::State(state): axum::extract::State<State>,
    visitor: Visitor,
) -> Response {
    let bundle = state.bundle();
    let Some(folder) = state.own_store(&bundle) else {
        return Apology::NoSuchPage.page(&visitor);
    };
    let now = state.now();
    if !visitor
        .device
        .is_some_and(|device| state.wall.is_admitted(device, now))
    {
        return see_other("/");
    }
    let shell = Shell::new(
        visitor.language,
        visitor.language_link(),
        Some(&folder.store),
    );
    let html = render(&MessagePage {
        title: &shell.t.wifi.online_title,
        text: &shell.t.wifi.online_text,
        back: Some("/".to_owned()),
        shell,
    });
    let response = page(StatusCode::OK, visitor.packing, html);
    (visitor.remember_language(), response).into_response()
}
