//! Codes to print: stickers, tents, posters and slips, each readable by a phone at the distance it is for.
//!
//! A [layout] says in millimetres what stands where; [`compose`](compose::compose) turns it, a shop's
//! brand and its codes into drawing operations; HTML, and at headquarters PDF and PNG, are drawn from those and
//! from nothing else. Every code is read again as a camera would before a sheet is given out. Nothing
//! here reads or writes a file, or fetches a font or a picture from outside.

pub mod check;
pub mod choice;
pub mod code;
pub mod compose;
#[cfg(feature = "hq")]
mod corners;
pub mod drawing;
#[cfg(feature = "hq")]
pub mod files;
mod fit;
#[cfg(feature = "hq")]
pub mod fonts;
pub mod html;
pub mod layout;
mod layouts;
#[cfg(feature = "hq")]
pub mod pdf;
#[cfg(feature = "hq")]
pub mod picture;
#[cfg(feature = "hq")]
pub mod png;
mod words;

/// Raised when a layout or its words change, so that a stale sticker shows.
pub const SHEET_VERSION: u32 = 2;

/// Something cannot be printed, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotPrint {
    #[error("the code of {name} holds more than a QR symbol can")]
    TooLong { name: String },
    /// The modules would be smaller than a phone reads.
    #[error(
        "the code of {name} is too fine for {layout}\nhint: take a larger layout or a shorter text"
    )]
    TooFine { name: String, layout: &'static str },
    #[error("the code of {name} cannot be read back as it would be printed; nothing was written")]
    Unreadable { name: String },
    #[error(
        "the font has no `{character}`, which is in \"{text}\"\nhint: leave it out, or print HTML"
    )]
    NoGlyph { character: char, text: String },
    #[error("{what} is no font that can be read")]
    BadFont { what: String },
    #[error("the picture is no PNG that can be read: {why}")]
    BadPicture { why: String },
    #[error("the sheet cannot be written: {why}")]
    NotDrawn { why: String },
}
