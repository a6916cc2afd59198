//! Every code is read again as a camera would read it, from what is about to be drawn.

use rqrr::PreparedImage;

use super::CannotPrint;
use super::code::Code;
use super::compose::{Brand, compose};
use super::drawing::{DrawnCode, Op, Sheet, Sticker};
use super::layout::{Area, Layout};
use crate::domain::text::Language;

/// Pixels a module: as few as a camera has at the distance a layout is for.
const PIXELS: u8 = 4;

/// Draws `codes` and reads each one again; `read_again` is told after each.
pub fn compose_checked(
    layout: &Layout,
    brand: &Brand,
    first: Language,
    codes: &[Code],
    mut read_again: impl FnMut(),
) -> Result<Sheet, CannotPrint> {
    let sheet = compose(layout, brand, first, codes)?;
    let stickers = sheet.pages.iter().flat_map(|page| &page.stickers);
    // The two faces of a tent are one and the same.
    for placed in stickers.filter(|placed| !placed.is_turned) {
        check(&placed.sticker)?;
        read_again();
    }
    Ok(sheet)
}

/// Reads the codes of `sticker`, with whatever is drawn over them.
pub fn check(sticker: &Sticker) -> Result<(), CannotPrint> {
    for (index, op) in sticker.ops.iter().enumerate() {
        let Op::Code(code) = op else { continue };
        let over = &sticker.ops[index + 1..];
        let reads = |is_dark| {
            let (seen, side) = seen(code, over, is_dark);
            reads_as(&seen, side, &code.text)
        };
        // Nobody knows how dark a picture is to a camera: it must not matter.
        let has_picture = over.iter().any(|op| matches!(op, Op::Picture { .. }));
        if !reads(false) || (has_picture && !reads(true)) {
            let name = sticker.name.clone();
            return Err(CannotPrint::Unreadable { name });
        }
    }
    Ok(())
}

/// What a camera sees, pixel by pixel, and how many pixels a side has; pictures are all dark or all light.
fn seen(code: &DrawnCode, over: &[Op], pictures_are_dark: bool) -> (Vec<bool>, usize) {
    let pixels = usize::from(PIXELS);
    let side = usize::from(code.symbol.side) * pixels;
    let mut dark = vec![false; side * side];
    for run in &code.symbol.runs {
        let left = usize::from(run.left) * pixels;
        let length = usize::from(run.length) * pixels;
        for row in 0..pixels {
            let begins = (usize::from(run.top) * pixels + row) * side + left;
            dark[begins..begins + length].fill(true);
        }
    }
    for op in over {
        let (area, is_dark) = match op {
            Op::Patch { area, colour, .. } => (area, colour.is_dark()),
            Op::Picture { area, .. } => (area, pictures_are_dark),
            // A test holds every layout to keep its words off its codes.
            Op::Line(_) | Op::Code(_) => continue,
        };
        cover(&mut dark, side, code, area, is_dark);
    }
    (dark, side)
}

fn reads_as(dark: &[bool], side: usize, text: &str) -> bool {
    let mut seen = PreparedImage::prepare_from_bitmap(side, side, |x, y| dark[y * side + x]);
    let grids = seen.detect_grids();
    let read = grids.first().and_then(|grid| grid.decode().ok());
    read.is_some_and(|(_, read)| read == text)
}

/// Paints what of `area` is over the code.
fn cover(dark: &mut [bool], side: usize, code: &DrawnCode, area: &Area, is_dark: bool) {
    let pixel = code.module / f32::from(PIXELS);
    let across = |index: u16, from: f32| from + (f32::from(index) + 0.5) * pixel;
    let within = |at: f32, from: f32, length: f32| (from..from + length).contains(&at);
    for (y, row) in (0_u16..).zip(dark.chunks_mut(side)) {
        if !within(across(y, code.top), area.top, area.height) {
            continue;
        }
        for (x, module) in (0_u16..).zip(row) {
            if within(across(x, code.left), area.left, area.width) {
                *module = is_dark;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::drawing::Rgb;
    use super::*;
    use crate::domain::ids::TouchpointCode;
    use crate::domain::store::{Brand as Colours, Touchpoint, TouchpointKind};
    use crate::domain::text::Text;

    fn sticker() -> Sticker {
        let touchpoint = Touchpoint {
            code: TouchpointCode::from_entropy(7),
            kind: TouchpointKind::Table,
            label: "A12".to_owned(),
            cost_fen: None,
        };
        let brand = Brand {
            store: Text::new("拾味", "Shiwei"),
            colour: Colours::default().colour,
            logo: None,
        };
        let layout = Layout::named("label-50x50").unwrap();
        let codes = [Code::of("sz01.sw.cn", &touchpoint)];
        let sheet = compose(layout, &brand, Language::Chinese, &codes).unwrap();
        Sticker::clone(&sheet.pages[0].stickers[0].sticker)
    }

    /// A square in the middle, as large as this part of the symbol's area.
    fn stain(sticker: &mut Sticker, part: f32, colour: Rgb) {
        let area = sticker.ops.iter().find_map(|op| match op {
            Op::Code(code) => {
                let side = (code.edge() - 8.0 * code.module) * part.sqrt();
                let from = (code.edge() - side) / 2.0;
                Some(Area::new(code.left + from, code.top + from, side, side))
            }
            Op::Patch { .. } | Op::Line(_) | Op::Picture { .. } => None,
        });
        sticker.ops.push(Op::Patch {
            area: area.unwrap(),
            corner: 0.0,
            colour,
        });
    }

    #[test]
    fn a_code_is_read_again_also_with_a_stain() {
        assert_eq!(check(&sticker()), Ok(()));
        for colour in [Rgb::BLACK, Rgb::WHITE] {
            let mut stained = sticker();
            stain(&mut stained, 0.08, colour);
            assert_eq!(check(&stained), Ok(()));
        }
    }

    #[test]
    fn a_code_that_cannot_be_read_is_named() {
        let mut ruined = sticker();
        stain(&mut ruined, 0.3, Rgb::WHITE);
        let name = "A12".to_owned();
        assert_eq!(check(&ruined), Err(CannotPrint::Unreadable { name }));
    }

    #[test]
    fn a_code_that_reads_as_something_else_is_named() {
        let mut wrong = sticker();
        for op in &mut wrong.ops {
            if let Op::Code(code) = op {
                code.text.push('x');
            }
        }
        assert!(check(&wrong).is_err());
    }
}
