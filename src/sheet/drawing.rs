//! A drawn sheet: pages, the stickers on them, and the few operations that every renderer knows.

use std::sync::Arc;

use super::layout::{Align, Area, Face, Mm, Printer, Size};
use crate::domain::store::Colour;
use crate::wire::qr::Symbol;

/// A picture to put into codes.
#[derive(Debug, PartialEq, Eq)]
pub struct Picture {
    pub png: Vec<u8>,
    pub width: u16,
    pub height: u16,
    /// Four bytes a pixel, where somebody has decoded it.
    pub rgba: Vec<u8>,
}

/// A whole sheet, drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Sheet {
    pub page: Size,
    pub printer: Printer,
    pub pages: Vec<Page>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Where to cut and to fold.
    pub marks: Vec<Op>,
    pub stickers: Vec<Placed>,
}

/// A sticker on a page.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    pub left: Mm,
    pub top: Mm,
    /// Stands on its head: the far side of a tent.
    pub is_turned: bool,
    pub sticker: Arc<Sticker>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Sticker {
    pub name: String,
    pub size: Size,
    /// Each is drawn over those before it.
    pub ops: Vec<Op>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    Patch { area: Area, corner: Mm, colour: Rgb },
    Line(Line),
    Code(DrawnCode),
    Picture { area: Area, picture: Arc<Picture> },
}

/// A line of text.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Its left end, middle or right end, by `align`.
    pub x: Mm,
    pub baseline: Mm,
    pub size: Mm,
    pub face: Face,
    pub align: Align,
    pub colour: Rgb,
    pub text: String,
}

/// A symbol in black on white, its quiet zone included.
#[derive(Debug, Clone, PartialEq)]
pub struct DrawnCode {
    pub left: Mm,
    pub top: Mm,
    /// Printer dots a module.
    pub dots: u16,
    pub module: Mm,
    pub symbol: Symbol,
    /// What it has to be read as.
    pub text: String,
}

impl Line {
    /// Where it begins in a font in which it is `width` wide.
    pub fn left_end(&self, width: Mm) -> Mm {
        match self.align {
            Align::Left => self.x,
            Align::Middle => self.x - width / 2.0,
            Align::Right => self.x - width,
        }
    }
}

impl DrawnCode {
    pub fn edge(&self) -> Mm {
        self.module * f32::from(self.symbol.side)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rgb(pub u8, pub u8, pub u8);

impl Rgb {
    pub const BLACK: Self = Self(0, 0, 0);
    pub const WHITE: Self = Self(255, 255, 255);
    /// 7.0 : 1 on white (WCAG 2.2, 1.4.6).
    pub(super) const GREY: Self = Self(89, 89, 89);

    pub(super) fn of(colour: &Colour) -> Self {
        let digits = colour.as_str().trim_start_matches('#');
        let value = u32::from_str_radix(digits, 16).unwrap_or_default();
        let [_, red, green, blue] = value.to_be_bytes();
        Self(red, green, blue)
    }

    /// Near enough to what an eye sees (ITU-R BT.601).
    pub fn is_dark(self) -> bool {
        let Self(red, green, blue) = self;
        let sum = 299 * u32::from(red) + 587 * u32::from(green) + 114 * u32::from(blue);
        sum < 140_000
    }
}

impl std::fmt::Display for Rgb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }
}
