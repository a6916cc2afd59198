//! What a layout is: in millimetres from the top left corner, what stands where on a sticker, and where the
//! stickers stand on the page.
//!
//! Layouts are data; [`all`] of them are in one table. A code's modules are whole dots of the printer it is for,
//! because a module of 7.6 dots is printed as sometimes 7 and sometimes 8, and a phone sees a smear.

use crate::domain::store::TouchpointKind;
use crate::domain::text::Language;

pub use super::layouts::all;

/// A length in millimetres.
pub type Mm = f32;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Size {
    pub width: Mm,
    pub height: Mm,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    pub left: Mm,
    pub top: Mm,
    pub width: Mm,
    pub height: Mm,
}

impl Area {
    pub const fn new(left: Mm, top: Mm, width: Mm, height: Mm) -> Self {
        Self {
            left,
            top,
            width,
            height,
        }
    }
}

/// A kind of sticker.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// As it is named on the command line.
    pub name: &'static str,
    /// What it is and from how far it is read.
    pub about: About,
    pub page: Size,
    pub printer: Printer,
    pub grid: Grid,
    /// One sticker. A tent has two faces of this size, back to back.
    pub face: Size,
    pub is_tent: bool,
    pub code: CodeBox,
    pub patches: &'static [Patch],
    pub texts: &'static [TextBox],
    /// Whose codes it is for, where nobody says: none for all of them.
    pub meant_for: &'static [TouchpointKind],
}

/// A sentence for whoever chooses.
#[derive(Debug, Clone, Copy)]
pub struct About {
    pub zh: &'static str,
    pub en: &'static str,
}

impl About {
    pub fn of(self, language: Language) -> &'static str {
        if language == Language::English {
            self.en
        } else {
            self.zh
        }
    }
}

impl Layout {
    pub fn named(name: &str) -> Option<&'static Self> {
        all().iter().find(|layout| layout.name == name)
    }
}

/// What the sheet is printed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Printer {
    /// A label or receipt printer with 203 dots an inch, 8 a millimetre: black or nothing.
    Thermal,
    /// A laser or ink printer with 600 dots an inch.
    Office,
    /// A print shop's, for what is read from metres away: 100 dots an inch are plenty.
    Large,
}

impl Printer {
    pub const fn dots_per_mm(self) -> f32 {
        match self {
            Self::Thermal => 8.0,
            Self::Office => 600.0 / 25.4,
            Self::Large => 100.0 / 25.4,
        }
    }

    /// How many dots of the printer are one pixel of a PNG. A page of an office printer has 35 million dots: its
    /// picture is for sending and looking at, and has 300 an inch.
    pub const fn dots_a_pixel(self) -> u16 {
        match self {
            Self::Thermal | Self::Large => 1,
            Self::Office => 2,
        }
    }

    pub const fn has_colour(self) -> bool {
        !matches!(self, Self::Thermal)
    }
}

/// Where stickers are on a page.
#[derive(Debug, Clone, Copy)]
pub struct Grid {
    pub columns: u8,
    pub rows: u8,
    pub left: Mm,
    pub top: Mm,
    /// From one column to the next, and from one row to the next.
    pub across: Mm,
    pub down: Mm,
    /// Whether the page shows where to cut.
    pub has_marks: bool,
}

impl Grid {
    pub const ONE: Self = Self {
        columns: 1,
        rows: 1,
        left: 0.0,
        top: 0.0,
        across: 0.0,
        down: 0.0,
        has_marks: false,
    };
}

/// A version 3 symbol and its quiet zone: 29 modules and four at each side.
const MODULES: u16 = 37;

/// Finer modules than this, in millimetres, are lost to the first scratch.
const FINEST_MODULE: Mm = 0.4;

/// The square a code has, quiet zone included.
#[derive(Debug, Clone, Copy)]
pub struct CodeBox {
    pub left: Mm,
    pub top: Mm,
    /// Printer dots for a module of a table's code, which is of version 3.
    pub dots: u16,
    /// Whether a picture may stand in the middle.
    pub takes_logo: bool,
}

impl CodeBox {
    pub fn edge(&self, printer: Printer) -> Mm {
        f32::from(MODULES * self.dots) / printer.dots_per_mm()
    }

    /// Whole dots for a module of a symbol with `side` modules; none if that is too fine.
    pub fn dots_for(&self, side: u8, printer: Printer) -> Option<u16> {
        let dots = (MODULES * self.dots) / u16::from(side);
        let dots = dots.min(self.dots);
        (f32::from(dots) / printer.dots_per_mm() >= FINEST_MODULE).then_some(dots)
    }
}

impl CodeBox {
    /// What is left at each side of a symbol that is smaller than the box, in whole dots.
    pub fn slack(&self, side: u8, dots: u16) -> u16 {
        (MODULES * self.dots - u16::from(side) * dots) / 2
    }
}

/// A filled rectangle.
#[derive(Debug, Clone, Copy)]
pub struct Patch {
    pub area: Area,
    /// The radius of its corners.
    pub corner: Mm,
    pub ink: Ink,
}

/// What is said somewhere.
#[derive(Debug, Clone, Copy)]
pub struct TextBox {
    pub say: Say,
    pub area: Area,
    /// The font's size; smaller where a long text would not fit.
    pub size: Mm,
    pub lines: usize,
    pub face: Face,
    pub align: Align,
    pub ink: Ink,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Say {
    Store,
    StoreToo,
    /// Why to scan, in the language that comes first and in the other.
    Promise,
    PromiseToo,
    /// What is not asked for.
    Ease,
    EaseToo,
    /// What the place's name is: "Table".
    Caption,
    /// The place, or a line to write it on.
    Place,
    /// The same where the name says something to a guest: a table's does, a door's does not.
    Table,
    /// The address, for whom the camera fails.
    Address,
    /// The layout's version, and the place where nothing else says it.
    Version,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Face {
    Regular,
    Bold,
    Title,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    Left,
    Middle,
    Right,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    Black,
    White,
    /// Black enough to read, grey enough to come second.
    Grey,
    Brand,
    /// What reads on the brand's colour.
    OnBrand,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Section 3b of the product's reference: dots a module, and the edge that follows, for version 3.
    #[test]
    fn every_layout_has_the_modules_and_the_size_of_the_reference() {
        for (name, dots, edge, within) in [
            ("label-40x30", 5, 23.125, 0.0),
            ("label-50x50", 8, 37.0, 0.0),
            ("label-60x40", 7, 32.375, 0.0),
            ("receipt-58", 8, 37.0, 0.0),
            ("receipt-80", 12, 55.5, 0.0),
            ("a4-2x4", 29, 45.0, 0.5),
            ("a4-3x8", 18, 28.0, 0.5),
            ("tent-a6", 38, 60.0, 0.5),
            ("stand-a5", 51, 80.0, 0.5),
            ("door-a4", 96, 150.0, 0.5),
        ] {
            let layout = Layout::named(name).unwrap();
            assert_eq!(layout.code.dots, dots, "{name}");
            let drawn = layout.code.edge(layout.printer);
            assert!((drawn - edge).abs() <= within, "{name}: {drawn} mm");
        }
    }

    #[test]
    fn receipts_are_as_wide_as_their_printers_head() {
        for (name, dots) in [("receipt-58", 384.0), ("receipt-80", 576.0)] {
            let layout = Layout::named(name).unwrap();
            let width = layout.page.width * layout.printer.dots_per_mm();
            assert_eq!(width, dots, "{name}");
        }
    }

    #[test]
    fn a_larger_symbol_gets_finer_modules_and_never_a_broken_dot() {
        let code = Layout::named("label-50x50").unwrap().code;
        let dots = |side| code.dots_for(side, Printer::Thermal);
        assert_eq!(dots(29), Some(8), "a smaller one is not blown up");
        assert_eq!(dots(37), Some(8));
        assert_eq!(dots(41), Some(7));
        assert_eq!(dots(74), Some(4));
        assert_eq!(dots(75), None, "3 dots are 0.375 mm");
    }

    #[test]
    fn nothing_stands_over_a_code_its_quiet_zone_or_the_edge_of_the_paper() {
        for layout in all() {
            let Layout { name, face, .. } = layout;
            let edge = layout.code.edge(layout.printer);
            let code = Area::new(layout.code.left, layout.code.top, edge, edge);
            let inside = |area: &Area| {
                area.left >= 0.0
                    && area.top >= 0.0
                    && area.left + area.width <= face.width
                    && area.top + area.height <= face.height
            };
            assert!(inside(&code), "{name}");
            for patch in layout.patches {
                let is_ground = overlap(&patch.area, &code) && holds(&patch.area, &code);
                assert!(is_ground || !overlap(&patch.area, &code), "{name}");
                assert!(inside(&patch.area), "{name}");
            }
            for text in layout.texts {
                assert!(inside(&text.area), "{name}: {:?}", text.say);
                assert!(!overlap(&text.area, &code), "{name}: {:?}", text.say);
            }
            for (index, text) in layout.texts.iter().enumerate() {
                for other in &layout.texts[index + 1..] {
                    let both = (text.say, other.say);
                    assert!(!overlap(&text.area, &other.area), "{name}: {both:?}");
                }
            }
        }
    }

    #[test]
    fn a_table_is_named_in_14_points_or_more() {
        // 14 pt of 1/72 inch.
        let least = 14.0 * 25.4 / 72.0;
        for layout in all() {
            let place = layout
                .texts
                .iter()
                .find(|text| matches!(text.say, Say::Place | Say::Table));
            assert!(place.unwrap().size >= least, "{}", layout.name);
        }
    }

    #[test]
    fn every_sticker_says_why_to_scan_in_both_languages_where_it_leads_and_its_version() {
        for layout in all() {
            for say in [Say::Promise, Say::PromiseToo, Say::Address, Say::Version] {
                let said = layout.texts.iter().filter(|text| text.say == say).count();
                assert_eq!(said, 1, "{}: {say:?}", layout.name);
            }
        }
    }

    #[test]
    fn the_grid_fits_its_page() {
        for layout in all() {
            let Layout { grid, face, .. } = layout;
            let height = if layout.is_tent { 2.0 } else { 1.0 } * face.height;
            let right = grid.left + f32::from(grid.columns - 1) * grid.across + face.width;
            let bottom = grid.top + f32::from(grid.rows - 1) * grid.down + height;
            assert!(right <= layout.page.width + 0.01, "{}", layout.name);
            assert!(bottom <= layout.page.height + 0.01, "{}", layout.name);
        }
    }

    fn holds(ground: &Area, area: &Area) -> bool {
        ground.left <= area.left
            && ground.top <= area.top
            && ground.left + ground.width >= area.left + area.width
            && ground.top + ground.height >= area.top + area.height
    }

    fn overlap(a: &Area, b: &Area) -> bool {
        // What only touches does not overlap.
        let slack = 0.01;
        a.left + a.width > b.left + slack
            && b.left + b.width > a.left + slack
            && a.top + a.height > b.top + slack
            && b.top + b.height > a.top + slack
    }
}
