//! A page of a sheet as a PNG: a pixel is a dot of the printer it is for, or two, and every module of a code is
//! the same whole number of pixels.
//!
//! What a thermal printer gets is black or nothing, because it would make grey of it by leaving out dots.

use png::{BitDepth, ColorType, Encoder, PixelDimensions, Unit};
use skrifa::outline::OutlinePen;
use tiny_skia::{
    Color, FillRule, FilterQuality, Paint, PathBuilder, Pixmap, PixmapPaint, PixmapRef, Rect,
    Transform,
};

use super::CannotPrint;
use super::corners;
use super::drawing::{DrawnCode, Line, Op, Page, Picture, Placed, Rgb, Sheet};
use super::fonts::Fonts;
use super::layout::{Area, Mm, Printer};

/// Draws one page of `sheet`.
pub fn png(sheet: &Sheet, page: &Page, fonts: &Fonts) -> Result<Vec<u8>, CannotPrint> {
    let printer = sheet.printer;
    let scale = pixels_per_mm(printer);
    let (width, height) = (
        pixels(sheet.page.width * scale),
        pixels(sheet.page.height * scale),
    );
    let mut pixmap =
        Pixmap::new(width, height).ok_or_else(|| not_drawn("the page is too large"))?;
    pixmap.fill(Color::WHITE);
    let mut painter = Painter {
        pixmap,
        fonts,
        printer,
    };
    for placed in &page.stickers {
        let place = place(placed, scale);
        for op in &placed.sticker.ops {
            painter.op(op, place)?;
        }
    }
    for mark in &page.marks {
        painter.op(mark, Transform::from_scale(scale, scale))?;
    }
    encode(&painter.pixmap, printer).map_err(not_drawn)
}

fn not_drawn(why: impl std::fmt::Display) -> CannotPrint {
    CannotPrint::NotDrawn {
        why: why.to_string(),
    }
}

/// From a sticker's millimetres to the page's pixels.
fn place(placed: &Placed, scale: f32) -> Transform {
    let Placed { left, top, .. } = *placed;
    let inside = if placed.is_turned {
        let size = placed.sticker.size;
        Transform::from_row(-1.0, 0.0, 0.0, -1.0, left + size.width, top + size.height)
    } else {
        Transform::from_translate(left, top)
    };
    inside.post_scale(scale, scale)
}

struct Painter<'a> {
    pixmap: Pixmap,
    fonts: &'a Fonts,
    printer: Printer,
}

impl Painter<'_> {
    fn op(&mut self, op: &Op, place: Transform) -> Result<(), CannotPrint> {
        match op {
            Op::Patch {
                area,
                corner,
                colour,
            } => {
                let mut path = PathBuilder::new();
                corners::outline(area, *corner, &mut path);
                self.fill(path, *colour, place);
                Ok(())
            }
            Op::Line(line) => self.line(line, place),
            Op::Code(drawn) => {
                self.code(drawn, place);
                Ok(())
            }
            Op::Picture { area, picture } => self.picture(area, picture, place),
        }
    }

    fn fill(&mut self, path: PathBuilder, colour: Rgb, place: Transform) {
        let paint = paint(colour, self.printer.has_colour());
        if let Some(path) = path.finish() {
            self.pixmap
                .fill_path(&path, &paint, FillRule::Winding, place, None);
        }
    }

    fn line(&mut self, line: &Line, place: Transform) -> Result<(), CannotPrint> {
        let font = self.fonts.of(line.face);
        let glyphs = font.glyphs(&line.text)?;
        let width: f32 = glyphs.iter().map(|glyph| glyph.advance).sum::<f32>() * line.size;
        let mut outline = Outline {
            path: PathBuilder::new(),
            x: line.left_end(width),
            baseline: line.baseline,
        };
        for glyph in glyphs {
            font.outline(glyph.id, line.size, &mut outline)?;
            outline.x += glyph.advance * line.size;
        }
        self.fill(outline.path, line.colour, place);
        Ok(())
    }

    /// On whole pixels, whatever the place, around the middle of where it belongs.
    fn code(&mut self, code: &DrawnCode, place: Transform) {
        // A sticker is upright or on its head; both keep squares square.
        let module = f32::from(code.dots / self.printer.dots_a_pixel()) * place.sx.signum();
        let whole = f32::from(code.symbol.side) * module;
        let half = code.edge() / 2.0;
        let left = ((code.left + half) * place.sx + place.tx - whole / 2.0).round();
        let top = ((code.top + half) * place.sy + place.ty - whole / 2.0).round();
        self.block(Rgb::WHITE, (left, top), (whole, whole));
        for run in &code.symbol.runs {
            let across = left + f32::from(run.left) * module;
            let down = top + f32::from(run.top) * module;
            let length = f32::from(run.length) * module;
            self.block(Rgb::BLACK, (across, down), (length, module));
        }
    }

    /// Fills whole pixels from a corner; a size below zero goes left and up.
    fn block(&mut self, colour: Rgb, (x, y): (f32, f32), (width, height): (f32, f32)) {
        let (right, bottom) = (x + width, y + height);
        let rect = Rect::from_ltrb(x.min(right), y.min(bottom), x.max(right), y.max(bottom));
        if let Some(rect) = rect {
            let paint = paint(colour, false);
            self.pixmap
                .fill_rect(rect, &paint, Transform::identity(), None);
        }
    }

    fn picture(
        &mut self,
        area: &Area,
        picture: &Picture,
        place: Transform,
    ) -> Result<(), CannotPrint> {
        let (width, height) = (u32::from(picture.width), u32::from(picture.height));
        let pixels = premultiplied(&picture.rgba);
        let pixels = PixmapRef::from_bytes(&pixels, width, height)
            .ok_or_else(|| not_drawn("the picture has no pixels"))?;
        let (across, down) = (f32::from(picture.width), f32::from(picture.height));
        let to_area = Transform::from_row(
            area.width / across,
            0.0,
            0.0,
            area.height / down,
            area.left,
            area.top,
        );
        let paint = PixmapPaint {
            quality: FilterQuality::Bicubic,
            ..PixmapPaint::default()
        };
        self.pixmap
            .draw_pixmap(0, 0, pixels, &paint, to_area.post_concat(place), None);
        Ok(())
    }
}

fn paint(Rgb(red, green, blue): Rgb, smooth: bool) -> Paint<'static> {
    let mut paint = Paint {
        anti_alias: smooth,
        ..Paint::default()
    };
    paint.set_color_rgba8(red, green, blue, 255);
    paint
}

fn premultiplied(rgba: &[u8]) -> Vec<u8> {
    let mut pixels = Vec::with_capacity(rgba.len());
    for pixel in rgba.chunks_exact(4) {
        let alpha = u16::from(pixel[3]);
        let times = |channel: u8| u8::try_from(u16::from(channel) * alpha / 255).unwrap_or(u8::MAX);
        pixels.extend([times(pixel[0]), times(pixel[1]), times(pixel[2]), pixel[3]]);
    }
    pixels
}

/// A glyph's outline, set down on the page, where y goes downwards.
struct Outline {
    path: PathBuilder,
    x: Mm,
    baseline: Mm,
}

impl OutlinePen for Outline {
    fn move_to(&mut self, x: f32, y: f32) {
        self.path.move_to(self.x + x, self.baseline - y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.path.line_to(self.x + x, self.baseline - y);
    }

    fn quad_to(&mut self, cx0: f32, cy0: f32, x: f32, y: f32) {
        let (left, down) = (self.x, self.baseline);
        self.path
            .quad_to(left + cx0, down - cy0, left + x, down - y);
    }

    fn curve_to(&mut self, cx0: f32, cy0: f32, cx1: f32, cy1: f32, x: f32, y: f32) {
        let (left, down) = (self.x, self.baseline);
        self.path.cubic_to(
            left + cx0,
            down - cy0,
            left + cx1,
            down - cy1,
            left + x,
            down - y,
        );
    }

    fn close(&mut self) {
        self.path.close();
    }
}

/// With the printer's resolution, so that whoever prints it does so in its true size.
fn encode(pixmap: &Pixmap, printer: Printer) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, pixmap.width(), pixmap.height());
    let a_metre = pixels(pixels_per_mm(printer) * 1000.0);
    encoder.set_pixel_dims(Some(PixelDimensions {
        xppu: a_metre,
        yppu: a_metre,
        unit: Unit::Meter,
    }));
    let image = if printer.has_colour() {
        encoder.set_color(ColorType::Rgb);
        let mut opaque = Vec::with_capacity(pixmap.data().len() / 4 * 3);
        for pixel in pixmap.data().chunks_exact(4) {
            opaque.extend_from_slice(&pixel[..3]);
        }
        opaque
    } else {
        encoder.set_color(ColorType::Grayscale);
        encoder.set_depth(BitDepth::One);
        bits(pixmap)
    };
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&image)?;
    writer.finish()?;
    Ok(bytes)
}

/// A bit a pixel, each row beginning with a byte of its own; white is 1.
fn bits(pixmap: &Pixmap) -> Vec<u8> {
    let width = usize::try_from(pixmap.width()).unwrap_or(1);
    let rows = pixmap.pixels().chunks(width);
    let packed = rows.flat_map(|row| {
        row.chunks(8).map(|eight| {
            let light = eight.iter().map(|pixel| pixel.green() >= 128);
            light.enumerate().fold(0, |byte, (at, is_light)| {
                byte | u8::from(is_light) << (7 - at)
            })
        })
    });
    packed.collect()
}

fn pixels_per_mm(printer: Printer) -> f32 {
    printer.dots_per_mm() / f32::from(printer.dots_a_pixel())
}

/// A length in pixels as a count.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a page is some thousand pixels wide, and not below none"
)]
fn pixels(length: f32) -> u32 {
    length.round() as u32
}
