//! Printed codes, read by a second, independent reader: Debian's `zbarimg`, from what a printer would print.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use maitred::domain::ids::TouchpointCode;
use maitred::domain::store::{Brand as Colours, Touchpoint, TouchpointKind};
use maitred::domain::text::{Language, Text};
use maitred::sheet::check::check;
use maitred::sheet::code::Code;
use maitred::sheet::compose::{Brand, compose};
use maitred::sheet::drawing::{Op, Sheet};
use maitred::sheet::fonts::{FILES, Fonts};
use maitred::sheet::layout::{self, Layout, Printer};
use maitred::sheet::png::png;
use maitred::wire::qr::{Run, Symbol};
use tempfile::TempDir;

use crate::support::{answer, ask, run, write_chain};

/// A chain's folder, and room for what is printed.
struct Shop {
    dir: TempDir,
}

impl Shop {
    fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        write_chain(&dir.path().join("chain"));
        Self { dir }
    }

    fn at(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    fn store(&self) -> String {
        self.at("chain/stores/SZ01")
    }

    /// Prints with `words` to the file `name`.
    fn print(&self, name: &str, words: &[&str]) -> PathBuf {
        let (store, out) = (self.store(), self.at(name));
        let mut all = vec!["qr", words[0], "--store-dir", &store, "--out", &out];
        all.extend(&words[1..]);
        ask(&all);
        out.into()
    }

    /// Prints the first two tables.
    fn print_two(&self, layout: &Layout, format: &str, more: &[&str]) -> PathBuf {
        let name = format!("{}.{format}", layout.name);
        let words = ["sheet", "--layout", layout.name, "--format", format];
        let all = [&words[..], &["--only", "A01,A02"], more].concat();
        self.print(&name, &all)
    }

    /// The addresses of the store's codes whose label is wanted.
    fn addresses(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let file = Path::new(&self.store()).join("touchpoints.csv");
        let rows = fs_err::read_to_string(file).unwrap();
        let rows = rows
            .lines()
            .skip(1)
            .map(|row| row.split(',').collect::<Vec<_>>());
        let wanted = rows.filter(|row| is_wanted(row[2]));
        wanted
            .map(|row| format!("https://sz01.sw.cn/t/{}", row[0]))
            .collect()
    }
}

/// Runs a program that must succeed; what it printed.
#[expect(clippy::disallowed_methods, reason = "the other reader is a program")]
fn tool(program: &str, words: &[&str]) -> String {
    let mut command = std::process::Command::new(program);
    command.args(words);
    answer(command)
}

/// The pages of a PDF as a printer with `dpi` dots an inch prints them.
fn printed(pdf: &Path, dpi: f32) -> Vec<PathBuf> {
    let pages = pdf.with_extension("pages");
    fs_err::create_dir(&pages).unwrap();
    let (dpi, to) = (dpi.to_string(), pages.join("page"));
    let words = [
        "-r",
        &dpi,
        "-gray",
        pdf.to_str().unwrap(),
        to.to_str().unwrap(),
    ];
    tool("pdftoppm", &words);
    let files = fs_err::read_dir(&pages).unwrap();
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

/// The first `count` stickers of printed pages, cut apart.
fn cut(pages: &[PathBuf], layout: &Layout, count: usize) -> Vec<PathBuf> {
    let mut stickers = Vec::new();
    for page in pages {
        let (width, pixels) = grey(page);
        let dots = f32::from(u16::try_from(width).unwrap()) / layout.page.width;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a place on a page is some hundred pixels from its corner"
        )]
        let at = |length: f32| (length * dots).round() as usize;
        for place in 0..layout.grid.columns * layout.grid.rows {
            let (column, row) = (place % layout.grid.columns, place / layout.grid.columns);
            let left = at(layout.grid.left + f32::from(column) * layout.grid.across);
            let top = at(layout.grid.top + f32::from(row) * layout.grid.down);
            let (across, down) = (at(layout.face.width), at(layout.face.height));
            let rows = pixels.chunks(width).skip(top).take(down);
            let rows = rows.map(|row| &row[left..left + across]);
            let sticker = page.with_extension(format!("{place}.pgm"));
            let header = format!("P5\n{across} {down}\n255\n").into_bytes();
            fs_err::write(
                &sticker,
                [header, rows.collect::<Vec<_>>().concat()].concat(),
            )
            .unwrap();
            stickers.push(sticker);
        }
    }
    // The last page is not full.
    stickers.truncate(count);
    stickers
}

/// The width of a picture in `pdftoppm`'s own format, and its pixels.
fn grey(file: &Path) -> (usize, Vec<u8>) {
    let bytes = fs_err::read(file).unwrap();
    let header = bytes.split(u8::is_ascii_whitespace).take(3);
    let [kind, width, height] = header.collect::<Vec<_>>().try_into().unwrap();
    assert_eq!(kind, b"P5");
    let number = |digits: &[u8]| str::from_utf8(digits).unwrap().parse::<usize>().unwrap();
    let (width, height) = (number(width), number(height));
    (width, bytes[bytes.len() - width * height..].to_vec())
}

/// What `zbarimg` reads on all of `pictures`.
fn read(pictures: &[PathBuf]) -> Vec<String> {
    let mut words = vec!["--quiet", "--raw", "-Sdisable", "-Sqrcode.enable"];
    words.extend(pictures.iter().map(|file| file.to_str().unwrap()));
    let read = tool("zbarimg", &words);
    read.lines().map(str::to_owned).collect()
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts
}

/// Two tables, and what has to be read of them in `layout`.
fn two_tables(shop: &Shop, layout: &Layout) -> Vec<String> {
    let mut expected = shop.addresses(|label| matches!(label, "A01" | "A02"));
    assert_eq!(expected.len(), 2);
    if layout.is_tent {
        expected.extend(expected.clone());
    }
    sorted(expected)
}

#[test]
fn every_layout_is_read_from_its_pdf_in_print_size() {
    let shop = Shop::open();
    for layout in layout::all() {
        let pdf = shop.print_two(layout, "pdf", &[]);
        let dpi = match layout.printer {
            Printer::Thermal => 203.2,
            // Half of an office printer's dots, and of a print shop's: a phone has no more.
            Printer::Office => 300.0,
            Printer::Large => 50.0,
        };
        let seen = sorted(read(&printed(&pdf, dpi)));
        assert_eq!(seen, two_tables(&shop, layout), "{}", layout.name);
    }
}

#[test]
fn every_layout_is_read_from_its_png() {
    let shop = Shop::open();
    for layout in layout::all() {
        let out = shop.print_two(layout, "png", &[]);
        let pages = if out.exists() {
            vec![out]
        } else {
            let page = |number| shop.at(&format!("{}-00{number}.png", layout.name)).into();
            vec![page(1), page(2)]
        };
        let seen = sorted(read(&pages));
        assert_eq!(seen, two_tables(&shop, layout), "{}", layout.name);
    }
}

#[test]
fn a_thousand_codes_of_one_sheet_are_read_every_one() {
    let shop = Shop::open();
    let before: BTreeSet<_> = shop.addresses(str::is_empty).into_iter().collect();
    ask(&[
        "qr",
        "mint",
        "--store-dir",
        &shop.store(),
        "--blank",
        &(1_000 - before.len()).to_string(),
    ]);
    let (store, out) = (shop.store(), shop.at("thousand.pdf"));
    let words = [
        "qr",
        "sheet",
        "--store-dir",
        &store,
        "--out",
        &out,
        "--blank",
    ];
    let words = [&words[..], &["--layout", "a4-3x8", "--format", "pdf"]].concat();
    let printing = run(&words);
    let said = String::from_utf8(printing.stderr).unwrap();
    for progress in [
        "500 of 1000 codes read again",
        "1000 of 1000 codes read again",
        "40 of 42 pages drawn",
        "1000 codes in ",
    ] {
        assert!(said.contains(progress), "{said}");
    }
    let pdf = PathBuf::from(out);
    // One at a time, as a phone sees them: zbar loses some of 24 that it sees at once.
    let stickers = cut(
        &printed(&pdf, 200.0),
        Layout::named("a4-3x8").unwrap(),
        1_000,
    );
    let seen: BTreeSet<_> = read(&stickers).into_iter().collect();
    let expected: BTreeSet<_> = shop.addresses(str::is_empty).into_iter().collect();
    assert_eq!(expected.len(), 1_000);
    assert!(
        seen == expected,
        "{} of 1,000 were read",
        seen.intersection(&expected).count()
    );
}

#[test]
fn blank_stickers_are_the_codes_without_a_place_and_no_others() {
    let shop = Shop::open();
    ask(&["qr", "mint", "--store-dir", &shop.store(), "--blank", "3"]);
    let pdf = shop.print(
        "blank.pdf",
        &[
            "sheet",
            "--blank",
            "--layout",
            "label-50x50",
            "--format",
            "pdf",
        ],
    );
    let seen = read(&printed(&pdf, 203.2));
    assert_eq!(sorted(seen), sorted(shop.addresses(str::is_empty)));
}

#[test]
fn a_wifi_with_marks_in_its_name_is_read_as_phones_expect_it() {
    let shop = Shop::open();
    fs_err::write(shop.at("password"), "2;0:19\\06\n").unwrap();
    let password = shop.at("password");
    let words = [
        "wifi",
        "--ssid",
        r"a;b\c",
        "--password-file",
        &password,
        "--layout",
        "label-60x40",
        "--format",
        "pdf",
    ];
    let closed = shop.print("closed.pdf", &words);
    let expected = r"WIFI:T:WPA;S:a\;b\\c;P:2\;0\:19\\06;;";
    assert_eq!(read(&printed(&closed, 203.2)), [expected]);
    let words = [
        "wifi", "--ssid", "Guests", "--layout", "tent-a6", "--format", "png", "--copies", "2",
    ];
    let open = shop.print("open.png", &words);
    assert_eq!(read(&[open]), ["WIFI:T:nopass;S:Guests;;"; 4]);
}

#[test]
fn a_code_with_a_logo_in_its_middle_is_read() {
    let shop = Shop::open();
    let logo = shop.at("logo.png");
    fs_err::write(&logo, red_square()).unwrap();
    for layout in layout::all().iter().filter(|layout| layout.code.takes_logo) {
        let pdf = shop.print_two(layout, "pdf", &["--logo", &logo]);
        let dpi = if layout.printer == Printer::Large {
            50.0
        } else {
            300.0
        };
        let seen = sorted(read(&printed(&pdf, dpi)));
        assert_eq!(seen, two_tables(&shop, layout), "{}", layout.name);
    }
    let tents = Layout::named("tent-a6").unwrap();
    let page = shop.print_two(tents, "png", &["--logo", &logo]);
    assert_eq!(sorted(read(&[page])), two_tables(&shop, tents));
}

#[test]
fn a_stained_sticker_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let fonts = fonts();
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
    let code = Code::of("sz01.sw.cn", &touchpoint);
    let layout = Layout::named("label-50x50").unwrap();
    let clean = compose(
        layout,
        &brand,
        Language::Chinese,
        std::slice::from_ref(&code),
    )
    .unwrap();
    // Of 29 modules a side; what tells a camera where the symbol lies is at the corners.
    for (at, centre) in [(14, 14), (11, 18), (18, 11), (14, 20), (20, 14)]
        .iter()
        .enumerate()
    {
        let (stained, part) = stained(&clean, *centre);
        assert!((0.03..0.08).contains(&part), "{part} of the symbol");
        let sticker = &stained.pages[0].stickers[0].sticker;
        assert_eq!(check(sticker), Ok(()), "our own reader, {centre:?}");
        let file = dir.path().join(format!("stained-{at}.png"));
        fs_err::write(&file, png(&stained, &stained.pages[0], &fonts).unwrap()).unwrap();
        assert_eq!(read(&[file]), [code.text.as_str()], "{centre:?}");
    }
}

#[test]
fn what_cannot_be_printed_is_named_and_nothing_is_written() {
    let shop = Shop::open();
    fs_err::write(shop.at("password"), "x".repeat(63)).unwrap();
    let (store, out, password) = (shop.store(), shop.at("out.pdf"), shop.at("password"));
    let none = shop.at("");
    for (words, code, said) in [
        (
            &[
                "wifi",
                "--ssid",
                "Guests",
                "--password-file",
                &password,
                "--layout",
                "label-40x30",
            ][..],
            1,
            "the code of Guests is too fine for label-40x30",
        ),
        (&["sheet", "--only", "A01,Z99"], 1, "has no place Z99"),
        (
            &["sheet", "--layout", "door-a4", "--kind", "tissue"],
            1,
            "hint: `maitred qr mint",
        ),
        (
            &["sheet", "--layout", "label-50x50", "--fonts", &none],
            1,
            "fonts-noto-cjk",
        ),
        (
            &["sheet", "--layout", "a4"],
            2,
            "the layouts are label-50x50, ",
        ),
        (&["sheet", "--format", "docx"], 2, "it is html, pdf or png"),
    ] {
        let mut all = vec!["qr", words[0], "--store-dir", &store, "--out", &out];
        if !words.contains(&"--format") {
            all.extend(["--format", "pdf"]);
        }
        all.extend(&words[1..]);
        let ended = run(&all);
        let error = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(code), "{words:?}: {error}");
        assert!(error.contains(said), "{words:?}: {error}");
        assert!(!Path::new(&out).exists(), "{words:?}");
    }
}

/// The same sheet with a round stain, which turns dark modules light and light ones dark, and its part of the
/// symbol.
fn stained(clean: &Sheet, (across, down): (i16, i16)) -> (Sheet, f32) {
    const RADIUS: i16 = 3;
    let mut sheet = clean.clone();
    let sticker = Arc::make_mut(&mut sheet.pages[0].stickers[0].sticker);
    let code = sticker.ops.iter_mut().find_map(|op| match op {
        Op::Code(code) => Some(code),
        Op::Patch { .. } | Op::Line(_) | Op::Picture { .. } => None,
    });
    let symbol = &mut code.unwrap().symbol;
    let is_in_stain = |x: u8, y: u8| {
        let (x, y) = (i16::from(x) - 4 - across, i16::from(y) - 4 - down);
        x * x + y * y <= RADIUS * RADIUS
    };
    let mut runs = Vec::new();
    let mut flipped = 0_u16;
    for top in 0..symbol.side {
        for left in 0..symbol.side {
            let was_dark = is_dark(symbol, left, top);
            let is_flipped = is_in_stain(left, top);
            flipped += u16::from(is_flipped);
            if was_dark != is_flipped {
                runs.push(Run {
                    left,
                    top,
                    length: 1,
                });
            }
        }
    }
    let modules = f32::from(symbol.side - 8);
    symbol.runs = runs;
    (sheet, f32::from(flipped) / (modules * modules))
}

fn is_dark(symbol: &Symbol, left: u8, top: u8) -> bool {
    symbol
        .runs
        .iter()
        .any(|run| run.top == top && (run.left..run.left + run.length).contains(&left))
}

fn fonts() -> Fonts {
    let dir = Path::new("/usr/share/fonts/opentype/noto");
    Fonts::new(FILES.map(|name| fs_err::read(dir.join(name)).unwrap())).unwrap()
}

fn red_square() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 32, 32);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().unwrap();
    writer
        .write_image_data(&[163, 35, 31].repeat(32 * 32))
        .unwrap();
    writer.finish().unwrap();
    bytes
}
