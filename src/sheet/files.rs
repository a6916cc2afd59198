//! A drawn sheet as files: one of HTML, one PDF, or a PNG a page.

use super::CannotPrint;
use super::drawing::Sheet;
use super::fonts::Fonts;
use super::html::html;
use super::pdf::pdf;
use super::png::png;
use crate::domain::text::Language;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Html,
    Pdf,
    Png,
}

impl Format {
    pub const ALL: [Self; 3] = [Self::Pdf, Self::Png, Self::Html];

    /// Its name, which is the ending of its files, too.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Pdf => "pdf",
            Self::Png => "png",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// For browsers.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Html => "text/html; charset=utf-8",
            Self::Pdf => "application/pdf",
            Self::Png => "image/png",
        }
    }
}

/// Makes the files, in the order of the pages; `drawn` is told after each page that takes its time. Only PDF and
/// PNG ask for the fonts.
pub fn files<E: From<CannotPrint>>(
    format: Format,
    (title, language): (&str, Language),
    sheet: &Sheet,
    fonts: impl FnOnce() -> Result<Fonts, E>,
    mut drawn: impl FnMut(),
) -> Result<Vec<Vec<u8>>, E> {
    match format {
        Format::Html => Ok(vec![html(title, language.tag(), sheet).into_bytes()]),
        Format::Pdf => Ok(vec![pdf(title, sheet, &fonts()?, drawn)?]),
        Format::Png => {
            let fonts = fonts()?;
            let page = |page| {
                let file = png(sheet, page, &fonts)?;
                drawn();
                Ok(file)
            };
            sheet.pages.iter().map(page).collect()
        }
    }
}
