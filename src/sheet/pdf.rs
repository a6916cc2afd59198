//! A sheet as a PDF in its true size, with the glyphs it uses and nothing from outside.

use krilla::color::rgb;
use krilla::geom::{Path, PathBuilder, Point, Rect, Size, Transform};
use krilla::image::Image;
use krilla::metadata::Metadata;
use krilla::num::NormalizedF32;
use krilla::page::PageSettings;
use krilla::paint::{Fill, FillRule};
use krilla::surface::Surface;
use krilla::text::{Font, GlyphId, KrillaGlyph};
use krilla::{Data, Document};

use super::CannotPrint;
use super::drawing::{DrawnCode, Line, Op, Page, Picture, Placed, Rgb, Sheet};
use super::fonts::Fonts;
use super::layout::{Area, Face, Mm};

/// A PDF counts in 72nds of an inch.
const POINTS: f32 = 72.0 / 25.4;

/// Draws `sheet`, and calls `drawn` after each page.
pub fn pdf(
    title: &str,
    sheet: &Sheet,
    fonts: &Fonts,
    mut drawn: impl FnMut(),
) -> Result<Vec<u8>, CannotPrint> {
    let painter = Painter::new(fonts)?;
    let mut document = Document::new();
    document.set_metadata(Metadata::new().title(title.to_owned()));
    for page in &sheet.pages {
        let (width, height) = (sheet.page.width * POINTS, sheet.page.height * POINTS);
        let settings = PageSettings::from_wh(width, height).ok_or_else(no_page)?;
        let mut paper = document.start_page_with(settings);
        let mut surface = paper.surface();
        surface.push_transform(&Transform::from_scale(POINTS, POINTS));
        painter.page(&mut surface, page)?;
        surface.pop();
        surface.finish();
        paper.finish();
        drawn();
    }
    document.finish().map_err(|error| CannotPrint::NotDrawn {
        why: format!("{error:?}"),
    })
}

fn no_page() -> CannotPrint {
    let why = "the page has no size".to_owned();
    CannotPrint::NotDrawn { why }
}

struct Painter<'a> {
    fonts: &'a Fonts,
    faces: Vec<(Face, Font)>,
}

impl<'a> Painter<'a> {
    fn new(fonts: &'a Fonts) -> Result<Self, CannotPrint> {
        let faces = fonts.all().map(|(face, font)| {
            let read = Font::new(font.bytes.clone(), font.index).ok_or_else(|| font.bad())?;
            Ok((face, read))
        });
        let faces = faces.into_iter().collect::<Result<_, _>>()?;
        Ok(Self { fonts, faces })
    }

    fn page(&self, surface: &mut Surface<'_>, page: &Page) -> Result<(), CannotPrint> {
        for placed in &page.stickers {
            surface.push_transform(&transform(placed));
            for op in &placed.sticker.ops {
                self.op(surface, op)?;
            }
            surface.pop();
        }
        for mark in &page.marks {
            self.op(surface, mark)?;
        }
        Ok(())
    }

    fn op(&self, surface: &mut Surface<'_>, op: &Op) -> Result<(), CannotPrint> {
        match op {
            Op::Patch {
                area,
                corner,
                colour,
            } => {
                fill(surface, *colour, rounded(area, *corner));
                Ok(())
            }
            Op::Line(line) => self.line(surface, line),
            Op::Code(drawn) => {
                code(surface, drawn);
                Ok(())
            }
            Op::Picture { area, picture } => image(surface, area, picture),
        }
    }

    fn line(&self, surface: &mut Surface<'_>, line: &Line) -> Result<(), CannotPrint> {
        let glyphs = self.fonts.of(line.face).glyphs(&line.text)?;
        let width: f32 = glyphs.iter().map(|glyph| glyph.advance).sum::<f32>() * line.size;
        let places = line.text.char_indices().zip(&glyphs);
        let glyphs: Vec<_> = places
            .map(|((at, character), glyph)| KrillaGlyph {
                glyph_id: GlyphId::new(glyph.id),
                text_range: at..at + character.len_utf8(),
                x_advance: glyph.advance,
                x_offset: 0.0,
                y_offset: 0.0,
                y_advance: 0.0,
                location: None,
            })
            .collect();
        let Some((_, font)) = self.faces.iter().find(|(face, _)| *face == line.face) else {
            return Err(self.fonts.of(line.face).bad());
        };
        surface.set_fill(Some(paint(line.colour)));
        let start = Point::from_xy(line.left_end(width), line.baseline);
        surface.draw_glyphs(start, &glyphs, font.clone(), &line.text, line.size, false);
        Ok(())
    }
}

fn transform(placed: &Placed) -> Transform {
    let Placed { left, top, .. } = *placed;
    if placed.is_turned {
        let size = placed.sticker.size;
        Transform::from_row(-1.0, 0.0, 0.0, -1.0, left + size.width, top + size.height)
    } else {
        Transform::from_translate(left, top)
    }
}

fn code(surface: &mut Surface<'_>, code: &DrawnCode) {
    let edge = code.edge();
    let ground = Area::new(code.left, code.top, edge, edge);
    fill(surface, Rgb::WHITE, rounded(&ground, 0.0));
    // One path: two that touch leave a hairline between them on a screen.
    let mut path = PathBuilder::new();
    for run in &code.symbol.runs {
        let rect = Rect::from_xywh(
            code.left + f32::from(run.left) * code.module,
            code.top + f32::from(run.top) * code.module,
            f32::from(run.length) * code.module,
            code.module,
        );
        if let Some(rect) = rect {
            path.push_rect(rect);
        }
    }
    fill(surface, Rgb::BLACK, path.finish());
}

fn image(surface: &mut Surface<'_>, area: &Area, picture: &Picture) -> Result<(), CannotPrint> {
    let bytes = Data::from(picture.png.clone());
    let image = Image::from_png(bytes, true).map_err(|why| CannotPrint::BadPicture { why })?;
    if let Some(size) = Size::from_wh(area.width, area.height) {
        surface.push_transform(&Transform::from_translate(area.left, area.top));
        surface.draw_image(image, size);
        surface.pop();
    }
    Ok(())
}

fn fill(surface: &mut Surface<'_>, colour: Rgb, path: Option<Path>) {
    if let Some(path) = path {
        surface.set_fill(Some(paint(colour)));
        surface.draw_path(&path);
    }
}

fn paint(Rgb(red, green, blue): Rgb) -> Fill {
    Fill {
        paint: rgb::Color::new(red, green, blue).into(),
        opacity: NormalizedF32::ONE,
        rule: FillRule::NonZero,
    }
}

fn rounded(area: &Area, corner: Mm) -> Option<Path> {
    let mut path = PathBuilder::new();
    super::corners::outline(area, corner, &mut path);
    path.finish()
}
