//! A sheet as one page of HTML with inline SVG: no font, no script and no host from outside.
//!
//! A browser prints it at its true size, as long as it is told to print at 100 %.

use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::drawing::{Op, Picture, Sheet};
use super::layout::{Align, Face};

/// Draws `sheet`; `title` and `lang` are for the browser.
pub fn html(title: &str, lang: &str, sheet: &Sheet) -> String {
    Document { lang, title, sheet }.to_string()
}

#[derive(Template)]
#[template(path = "sheet/sheet.html")]
struct Document<'a> {
    lang: &'a str,
    title: &'a str,
    sheet: &'a Sheet,
}

impl Face {
    /// The class of the style sheet, which names fonts that readers have.
    fn class(self) -> &'static str {
        match self {
            Self::Regular => "r",
            Self::Bold => "b",
            Self::Title => "t",
        }
    }
}

impl Align {
    fn anchor(self) -> &'static str {
        match self {
            Self::Left => "start",
            Self::Middle => "middle",
            Self::Right => "end",
        }
    }
}

impl Picture {
    fn data_url(&self) -> String {
        format!("data:image/png;base64,{}", STANDARD.encode(&self.png))
    }
}
