//! From a layout, a shop's brand and its codes to what is drawn where: pure, and the same for every renderer.

use std::sync::Arc;

use super::code::{Code, LeadsTo};
use super::drawing::{DrawnCode, Line, Op, Page, Picture, Placed, Rgb, Sheet, Sticker};
use super::fit::{LINE, fit};
use super::layout::{Align, Area, CodeBox, Ink, Layout, Mm, Patch, Printer, Say, TextBox};
use super::words::{Words, words};
use super::{CannotPrint, SHEET_VERSION};
use crate::domain::store::Colour;
use crate::domain::text::{Language, Text};
use crate::wire::qr::{Correction, Symbol};

/// How the shop shows itself.
#[derive(Debug, Clone)]
pub struct Brand {
    pub store: Text,
    pub colour: Colour,
    /// Stands in the middle of the codes of a layout that has room for it.
    pub logo: Option<Arc<Picture>>,
}

/// Draws `codes` on as many pages as they need, with the words of `first` above those of the other language.
pub fn compose(
    layout: &Layout,
    brand: &Brand,
    first: Language,
    codes: &[Code],
) -> Result<Sheet, CannotPrint> {
    let designer = Designer {
        layout,
        brand,
        first,
        words: words(first),
        words_too: words(other(first)),
    };
    let stickers: Vec<_> = codes
        .iter()
        .map(|code| designer.sticker(code).map(Arc::new))
        .collect::<Result<_, _>>()?;
    let a_page = usize::from(layout.grid.columns) * usize::from(layout.grid.rows);
    let pages = stickers.chunks(a_page).map(|some| page(layout, some));
    Ok(Sheet {
        page: layout.page,
        printer: layout.printer,
        pages: pages.collect(),
    })
}

fn other(language: Language) -> Language {
    match language {
        Language::Chinese | Language::TraditionalChinese => Language::English,
        Language::English => Language::Chinese,
    }
}

fn page(layout: &Layout, stickers: &[Arc<Sticker>]) -> Page {
    let grid = layout.grid;
    let places = (0..grid.rows).flat_map(|row| (0..grid.columns).map(move |column| (column, row)));
    let mut placed = Vec::new();
    for ((column, row), sticker) in places.zip(stickers) {
        let left = grid.left + f32::from(column) * grid.across;
        let top = grid.top + f32::from(row) * grid.down;
        let mut put = |top, is_turned| {
            placed.push(Placed {
                left,
                top,
                is_turned,
                sticker: Arc::clone(sticker),
            });
        };
        if layout.is_tent {
            put(top, true);
            put(top + layout.face.height, false);
        } else {
            put(top, false);
        }
    }
    Page {
        marks: if grid.has_marks {
            marks(layout)
        } else {
            Vec::new()
        },
        stickers: placed,
    }
}

/// Hairlines in the margins, at every edge of a sticker: nothing is printed where it could be left on one.
fn marks(layout: &Layout) -> Vec<Op> {
    const LENGTH: Mm = 3.0;
    const WIDTH: Mm = 0.15;
    let Layout {
        grid, face, page, ..
    } = layout;
    let across: Vec<Mm> = (0..grid.columns)
        .map(|column| grid.left + f32::from(column) * grid.across)
        .flat_map(|left| [left, left + face.width])
        .collect();
    let down: Vec<Mm> = if layout.is_tent {
        vec![face.height]
    } else {
        (0..=grid.rows)
            .map(|row| grid.top + f32::from(row) * grid.down)
            .collect()
    };
    let mark = |left, top, width, height| Op::Patch {
        area: Area::new(left, top, width, height),
        corner: 0.0,
        colour: Rgb::GREY,
    };
    // As near to the stickers as may be: a printer leaves the rim of the paper white.
    let near = |margin: Mm| (margin - LENGTH - 0.5).max(0.0);
    let (above, beside) = (near(grid.top), near(grid.left));
    let inside = |at: &&Mm| **at > 0.5;
    let mut marks = Vec::new();
    for left in across
        .iter()
        .filter(inside)
        .filter(|at| **at < page.width - 0.5)
    {
        let left = left - WIDTH / 2.0;
        marks.push(mark(left, above, WIDTH, LENGTH));
        marks.push(mark(left, page.height - above - LENGTH, WIDTH, LENGTH));
    }
    for top in &down {
        let top = top - WIDTH / 2.0;
        marks.push(mark(beside, top, LENGTH, WIDTH));
        marks.push(mark(page.width - beside - LENGTH, top, LENGTH, WIDTH));
    }
    marks
}

/// Everything that is the same for all stickers of a sheet.
struct Designer<'a> {
    layout: &'a Layout,
    brand: &'a Brand,
    first: Language,
    words: &'static Words,
    words_too: &'static Words,
}

impl Designer<'_> {
    fn sticker(&self, code: &Code) -> Result<Sticker, CannotPrint> {
        let layout = self.layout;
        let mut ops = Vec::new();
        for Patch { area, corner, ink } in layout.patches {
            ops.push(Op::Patch {
                area: *area,
                corner: *corner,
                colour: self.colour(*ink),
            });
        }
        for text in layout.texts {
            let is_place = matches!(text.say, Say::Place | Say::Table);
            if is_place && code.leads_to == LeadsTo::Blank {
                ops.extend(to_write_on(text.area));
                continue;
            }
            let said = self.said(text.say, code);
            ops.extend(self.lines(text, &said));
        }
        ops.extend(self.code(code)?);
        Ok(Sticker {
            name: code.name().to_owned(),
            size: layout.face,
            ops,
        })
    }

    /// The symbol, in the middle of its box where it is smaller, and the logo in the middle of that.
    fn code(&self, code: &Code) -> Result<Vec<Op>, CannotPrint> {
        let Layout {
            printer,
            name,
            code: place,
            ..
        } = self.layout;
        let logo = self.brand.logo.as_ref().filter(|_| place.takes_logo);
        let correction = match logo {
            Some(_) => Correction::High,
            None => Correction::Quartile,
        };
        let named = || code.name().to_owned();
        let symbol = Symbol::of(&code.text, correction)
            .map_err(|_| CannotPrint::TooLong { name: named() })?;
        let dots = place
            .dots_for(symbol.side, *printer)
            .ok_or_else(|| CannotPrint::TooFine {
                name: named(),
                layout: name,
            })?;
        let drawn = drawn(place, *printer, dots, symbol, &code.text);
        let mut ops = vec![];
        let logo = logo.map(|logo| in_the_middle(&drawn, logo));
        ops.push(Op::Code(drawn));
        ops.extend(logo.into_iter().flatten());
        Ok(ops)
    }

    fn said(&self, say: Say, code: &Code) -> String {
        let Self {
            words, words_too, ..
        } = self;
        let both = |first: &str, too: &str| {
            if first == too {
                first.to_owned()
            } else {
                format!("{first} {too}")
            }
        };
        let wifi = match &code.leads_to {
            LeadsTo::Wifi(network) => Some(network),
            LeadsTo::Table { .. } | LeadsTo::Place { .. } | LeadsTo::Blank => None,
        };
        let promise = |words: &Words| match wifi {
            Some(_) => words.wifi_promise.clone(),
            None => words.promise.clone(),
        };
        let ease = |words: &Words| match wifi {
            Some(_) => words.wifi_ease.clone(),
            None => words.ease.clone(),
        };
        match say {
            Say::Store => self.brand.store.of(self.first).to_owned(),
            Say::StoreToo => self.brand.store.of(other(self.first)).to_owned(),
            Say::Promise => promise(words),
            Say::PromiseToo => promise(words_too),
            Say::Ease => ease(words),
            Say::EaseToo => ease(words_too),
            Say::Caption => match &code.leads_to {
                LeadsTo::Table { .. } | LeadsTo::Blank => both(&words.table, &words_too.table),
                LeadsTo::Wifi(_) => words.wifi.clone(),
                LeadsTo::Place { .. } => String::new(),
            },
            Say::Place => match &code.leads_to {
                LeadsTo::Blank => String::new(),
                LeadsTo::Table { .. } | LeadsTo::Place { .. } | LeadsTo::Wifi(_) => {
                    code.name().to_owned()
                }
            },
            Say::Table => match &code.leads_to {
                LeadsTo::Table { label } => format!("{} {label}", words.table),
                LeadsTo::Wifi(network) => network.name.clone(),
                LeadsTo::Place { .. } | LeadsTo::Blank => String::new(),
            },
            Say::Address => match wifi {
                None => code.address().to_owned(),
                Some(network) => match &network.password {
                    Some(password) => {
                        format!("{}: {password}", both(&words.password, &words_too.password))
                    }
                    None => both(&words.no_password, &words_too.no_password),
                },
            },
            Say::Version => {
                let version = format!("{} v{SHEET_VERSION}", words.version);
                let is_named = self.layout.texts.iter().any(|text| text.say == Say::Place);
                match &code.leads_to {
                    LeadsTo::Place { label } if !is_named => format!("{version} · {label}"),
                    LeadsTo::Table { .. }
                    | LeadsTo::Place { .. }
                    | LeadsTo::Blank
                    | LeadsTo::Wifi(_) => version,
                }
            }
        }
    }

    /// The lines of a text, its block in the middle of its box's height.
    fn lines(&self, text: &TextBox, said: &str) -> Vec<Op> {
        // An ideograph stands in the em square, whose foot is this far below the baseline.
        const FOOT: f32 = 0.12;
        let Area {
            left,
            top,
            width,
            height,
        } = text.area;
        let fitted = fit(said, width, height, text.size, text.lines);
        let size = fitted.size;
        let x = match text.align {
            Align::Left => left,
            Align::Middle => left + width / 2.0,
            Align::Right => left + width,
        };
        let count = u8::try_from(fitted.lines.len()).unwrap_or(u8::MAX);
        let block = size * (1.0 + LINE * f32::from(count.saturating_sub(1)));
        let colour = match self.colour(text.ink) {
            // A light brand is a good ground and a bad ink.
            light if text.ink == Ink::Brand && !light.is_dark() => Rgb::BLACK,
            colour => colour,
        };
        let begins = top + (height - block) / 2.0 + size * (1.0 - FOOT);
        let lines = (0..count).zip(fitted.lines).map(|(index, line)| {
            Op::Line(Line {
                x,
                baseline: begins + f32::from(index) * LINE * size,
                size,
                face: text.face,
                align: text.align,
                colour,
                text: line,
            })
        });
        lines.collect()
    }

    fn colour(&self, ink: Ink) -> Rgb {
        let has_colour = self.layout.printer.has_colour();
        let brand = Rgb::of(&self.brand.colour);
        match ink {
            Ink::Black => Rgb::BLACK,
            Ink::White => Rgb::WHITE,
            Ink::Grey if has_colour => Rgb::GREY,
            Ink::Brand if has_colour => brand,
            Ink::Grey | Ink::Brand => Rgb::BLACK,
            Ink::OnBrand if has_colour && !brand.is_dark() => Rgb::BLACK,
            Ink::OnBrand => Rgb::WHITE,
        }
    }
}

/// A white place with a line, for a pen.
fn to_write_on(area: Area) -> [Op; 2] {
    let inset = area.height * 0.1;
    let Area {
        left,
        top,
        width,
        height,
    } = area;
    let white = Area::new(left, top + inset, width, height - 2.0 * inset);
    let line = Area::new(
        left + inset,
        top + height - 2.0 * inset,
        width - 2.0 * inset,
        0.25,
    );
    let patch = |area, corner, colour| Op::Patch {
        area,
        corner,
        colour,
    };
    [
        patch(white, inset, Rgb::WHITE),
        patch(line, 0.0, Rgb::BLACK),
    ]
}

fn drawn(place: &CodeBox, printer: Printer, dots: u16, symbol: Symbol, text: &str) -> DrawnCode {
    let module = f32::from(dots) / printer.dots_per_mm();
    let slack = f32::from(place.slack(symbol.side, dots)) / printer.dots_per_mm();
    DrawnCode {
        left: place.left + slack,
        top: place.top + slack,
        dots,
        module,
        symbol,
        text: text.to_owned(),
    }
}

/// A logo with a white rim, over 5 % of the symbol: from 8 % on, codes fail to be read (reference, 3b).
fn in_the_middle(code: &DrawnCode, logo: &Arc<Picture>) -> [Op; 2] {
    const SIDE: f32 = 0.22;
    const RIM: f32 = 0.9;
    let modules = f32::from(code.symbol.side - 8);
    let side = code.module * modules * SIDE;
    let square = |side: Mm| {
        let from = (code.edge() - side) / 2.0;
        Area::new(code.left + from, code.top + from, side, side)
    };
    let (width, height) = (f32::from(logo.width), f32::from(logo.height));
    let longest = width.max(height);
    let room = square(side * RIM);
    let (width, height) = (room.width * width / longest, room.height * height / longest);
    let area = Area::new(
        room.left + (room.width - width) / 2.0,
        room.top + (room.height - height) / 2.0,
        width,
        height,
    );
    [
        Op::Patch {
            area: square(side),
            corner: side * 0.12,
            colour: Rgb::WHITE,
        },
        Op::Picture {
            area,
            picture: Arc::clone(logo),
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::super::code::Network;
    use super::super::html::html;
    use super::super::layout::all;
    use super::*;
    use crate::domain::ids::TouchpointCode;
    use crate::domain::store::{Brand as Colours, Touchpoint, TouchpointKind};

    fn brand() -> Brand {
        Brand {
            store: Text::new("拾味牛肉面 南山店", "Shiwei Beef Noodles <Nanshan>"),
            colour: Colours::default().colour,
            logo: None,
        }
    }

    fn place(kind: TouchpointKind, label: &str) -> Code {
        let touchpoint = Touchpoint {
            code: TouchpointCode::from_entropy(7),
            kind,
            label: label.to_owned(),
            cost_fen: None,
        };
        Code::of("sz01.sw.cn", &touchpoint)
    }

    /// One of each kind, from the smallest symbol to a large one.
    fn codes() -> [Code; 4] {
        let network = Network::new("Shiwei; Guest", Some("20190622"));
        [
            place(TouchpointKind::Table, "A12"),
            place(TouchpointKind::Door, "Door"),
            place(TouchpointKind::Table, ""),
            Code::joining(network.unwrap()),
        ]
    }

    fn drawn(layout: &Layout, codes: &[Code]) -> Sheet {
        compose(layout, &brand(), Language::Chinese, codes).unwrap()
    }

    fn stickers(sheet: &Sheet) -> impl Iterator<Item = &Placed> {
        sheet.pages.iter().flat_map(|page| &page.stickers)
    }

    fn code_of(sticker: &Sticker) -> &DrawnCode {
        let code = sticker.ops.iter().find_map(|op| match op {
            Op::Code(code) => Some(code),
            Op::Patch { .. } | Op::Line(_) | Op::Picture { .. } => None,
        });
        code.unwrap()
    }

    fn said(sticker: &Sticker) -> String {
        let lines = sticker.ops.iter().filter_map(|op| match op {
            Op::Line(line) => Some(line.text.as_str()),
            Op::Patch { .. } | Op::Code(_) | Op::Picture { .. } => None,
        });
        lines.collect::<Vec<_>>().join("|")
    }

    #[test]
    fn a_module_is_a_whole_number_of_dots_and_a_label_printers_code_begins_on_one() {
        for layout in all() {
            let per_mm = layout.printer.dots_per_mm();
            for placed in stickers(&drawn(layout, &codes())) {
                let code = code_of(&placed.sticker);
                let dots = code.module * per_mm;
                assert!(
                    (dots - f32::from(code.dots)).abs() < 0.001,
                    "{}",
                    layout.name
                );
                if layout.printer == Printer::Thermal {
                    assert_eq!((code.left * per_mm).fract(), 0.0, "{}", layout.name);
                    assert_eq!((code.top * per_mm).fract(), 0.0, "{}", layout.name);
                }
            }
        }
    }

    #[test]
    fn a_table_gets_a_symbol_of_version_3_in_the_dots_of_its_layout() {
        for layout in all() {
            let sheet = drawn(layout, &codes()[..1]);
            let code = code_of(&sheet.pages[0].stickers[0].sticker);
            assert_eq!((code.symbol.side, code.dots), (37, layout.code.dots));
        }
    }

    #[test]
    fn pages_are_filled_row_by_row_and_a_tent_has_two_faces() {
        let many = vec![codes()[0].clone(); 10];
        let counts = |name| {
            let sheet = drawn(Layout::named(name).unwrap(), &many);
            let pages = sheet.pages.iter().map(|page| page.stickers.len());
            pages.collect::<Vec<_>>()
        };
        assert_eq!(counts("a4-2x4"), [8, 2]);
        assert_eq!(counts("label-50x50"), [1; 10]);
        assert_eq!(counts("tent-a6"), [4; 5]);
        let tents = drawn(Layout::named("tent-a6").unwrap(), &many);
        let [far, near] = [0, 1].map(|at| &tents.pages[0].stickers[at]);
        assert!(far.is_turned && !near.is_turned && far.left == near.left);
    }

    #[test]
    fn a_table_is_named_and_a_door_says_who_it_is_in_small_print() {
        let poster = drawn(Layout::named("door-a4").unwrap(), &codes());
        let said: Vec<_> = stickers(&poster)
            .map(|placed| said(&placed.sticker))
            .collect();
        assert!(said[0].contains("桌号 A12"), "{}", said[0]);
        assert!(said[1].contains("版式 v2 · Door"), "{}", said[1]);
        assert!(
            said[3].contains("Shiwei; Guest") && said[3].contains("20190622"),
            "{}",
            said[3]
        );
        let label = drawn(Layout::named("label-50x50").unwrap(), &codes()[1..2]);
        assert_eq!(
            self::said(&label.pages[0].stickers[0].sticker)
                .split('|')
                .next(),
            Some("Door")
        );
    }

    #[test]
    fn a_blank_sticker_has_a_place_for_a_pen_and_no_name() {
        let sheet = drawn(Layout::named("label-50x50").unwrap(), &codes()[2..3]);
        let sticker = &sheet.pages[0].stickers[0].sticker;
        let white = sticker.ops.iter().any(|op| {
            matches!(
                op,
                Op::Patch {
                    colour: Rgb::WHITE,
                    ..
                }
            )
        });
        assert!(white && !said(sticker).contains("A12"));
    }

    #[test]
    fn a_code_that_would_be_too_fine_is_refused_by_its_name() {
        let network = Network::new("Shiwei", Some(&"x".repeat(63))).unwrap();
        let codes = [Code::joining(network)];
        let layout = Layout::named("label-40x30").unwrap();
        let refused = compose(layout, &brand(), Language::Chinese, &codes).unwrap_err();
        let name = "Shiwei".to_owned();
        let layout = "label-40x30";
        assert_eq!(refused, CannotPrint::TooFine { name, layout });
    }

    #[test]
    fn a_light_brand_is_a_ground_and_never_an_ink() {
        let mut brand = brand();
        brand.colour = Colour::try_from("#ffd400".to_owned()).unwrap();
        let layout = Layout::named("tent-a6").unwrap();
        let sheet = compose(layout, &brand, Language::English, &codes()[..1]).unwrap();
        for op in &sheet.pages[0].stickers[0].sticker.ops {
            if let Op::Line(line) = op {
                assert!(line.colour.is_dark(), "{}", line.text);
            }
        }
    }

    #[test]
    fn a_logo_takes_level_h_and_less_than_8_percent_of_the_symbol() {
        let logo = Picture {
            png: Vec::new(),
            width: 300,
            height: 100,
            rgba: Vec::new(),
        };
        let mut brand = brand();
        brand.logo = Some(Arc::new(logo));
        let layout = Layout::named("tent-a6").unwrap();
        let sheet = compose(layout, &brand, Language::Chinese, &codes()[..1]).unwrap();
        let sticker = &sheet.pages[0].stickers[0].sticker;
        let code = code_of(sticker);
        assert_eq!(code.symbol.side, 33 + 8, "version 4 at H");
        let [.., Op::Patch { area, .. }, Op::Picture { .. }] = &sticker.ops[..] else {
            panic!("no logo is drawn over the code");
        };
        let inner = code.module * 33.0;
        assert!(area.width * area.height < 0.08 * inner * inner);
        let without = Layout::named("label-50x50").unwrap();
        let sheet = compose(without, &brand, Language::Chinese, &codes()[..1]).unwrap();
        assert_eq!(code_of(&sheet.pages[0].stickers[0].sticker).symbol.side, 37);
    }

    /// Whoever changes a layout or its words changes this page, looks at it, and raises `SHEET_VERSION`.
    #[test]
    fn a_label_is_drawn_as_it_was() {
        let sheet = drawn(Layout::named("label-40x30").unwrap(), &codes()[..1]);
        let html = html("SZ01", "zh-CN", &sheet);
        assert_eq!(html, include_str!("golden/label-40x30.html"));
    }

    #[test]
    fn html_escapes_what_people_wrote() {
        let codes = [place(TouchpointKind::Table, "A12 <b>")];
        let layout = Layout::named("a4-2x4").unwrap();
        let sheet = compose(layout, &brand(), Language::English, &codes).unwrap();
        let html = html("<SZ01>", "en", &sheet);
        assert!(html.contains("A12 &#60;b&#62;") && html.contains("&#60;SZ01&#62;"));
        assert!(!html.contains("<b>") && !html.contains("<Nanshan>"));
    }
}
