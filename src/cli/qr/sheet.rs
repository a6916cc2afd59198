//! `maitred qr sheet`: a store's codes on paper, in a layout and a format.
//!
//! Every code is read again before anything is written; a file is written whole or not at all.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};

use super::super::print;
use super::super::syntax::{Command, Given, Word};
use super::{STORE_DIR, kind, read_store, read_touchpoints, touchpoints_file};
use crate::domain::store::{Store, Touchpoint, TouchpointKind};
use crate::domain::text::Language;
use crate::hq::fonts;
use crate::sheet::check::compose_checked;
use crate::sheet::choice::Choice;
use crate::sheet::code::Code;
use crate::sheet::compose::Brand;
use crate::sheet::drawing::Sheet;
use crate::sheet::files::{self, Format};
use crate::sheet::layout::{self, Layout};
use crate::sheet::picture;

pub(super) const LAYOUT: Word = Word::option(
    "layout",
    "LAYOUT",
    "What to print: `maitred qr layouts` lists them",
)
.or("a4-2x4");
pub(super) const FORMAT: Word =
    Word::option("format", "FORMAT", "html, pdf, or png with a file a page").or("html");
pub(super) const OUT: Word = Word::option(
    "out",
    "FILE",
    "Where to write it; HTML is printed to stdout without this",
);
pub(super) const LANGUAGE: Word = Word::option(
    "language",
    "LANGUAGE",
    "The language that comes first: zh or en",
)
.or("zh");
pub(super) const LOGO: Word = Word::option(
    "logo",
    "PNG",
    "A picture for the middle of the codes, where the layout has room",
);
pub(super) const FONTS: Word = Word::option(
    "fonts",
    "DIR",
    "Where the Noto CJK fonts are, for PDF and PNG",
)
.or(fonts::FOLDER);
const KIND: Word = Word::option(
    "kind",
    "KIND",
    "Only codes of this kind; otherwise those that the layout is for",
);
const ONLY: Word = Word::option("only", "LABELS", "Only these places: A1,A2,A3");
const BLANK: Word = Word::flag(
    "blank",
    "The codes without a place, with a line to write it on",
);

pub(super) const COMMAND: Command = Command::new(
    "sheet",
    "Print a store's codes: stickers, table tents, posters or slips\n\n\
     Print it at 100 %, without fitting it to the page. Each code is read again before the file is written.",
    &[
        STORE_DIR, LAYOUT, FORMAT, OUT, LANGUAGE, KIND, ONLY, BLANK, LOGO, FONTS,
    ],
    |given| {
        let store_dir = given.path(&STORE_DIR)?;
        let order = Order::read(given)?;
        let wanted = Wanted {
            kind: given.optional_by(&KIND, kind)?,
            only: given.optional(&ONLY)?,
            is_blank: given.has(&BLANK),
        };
        let store = read_store(&store_dir)?;
        let codes = wanted.codes(&store_dir, &store, order.layout)?;
        order.print(&store, &codes)
    },
);

pub(super) const LAYOUTS: Command = Command::new("layouts", "List the layouts", &[], |_| {
    for layout in layout::all() {
        print::line(format_args!("{:<12} {}", layout.name, layout.about.en));
    }
    Ok(())
});

/// Writes a store's codes to `file`, as HTML for an office printer.
#[cfg(feature = "gateway")]
pub(in crate::cli) fn write_sheet(store_dir: &Path, file: &Path) -> anyhow::Result<()> {
    let store = read_store(store_dir)?;
    let order = Order {
        layout: Layout::named("a4-2x4").context("the layout for an office printer")?,
        format: Format::Html,
        out: Some(file.to_owned()),
        language: Language::Chinese,
        logo: None,
        fonts: PathBuf::new(),
    };
    let codes = Wanted::default().codes(store_dir, &store, order.layout)?;
    let sheet = order.checked(&store, &codes)?;
    let html = order.files(&store, &sheet)?;
    fs_err::write(file, html.concat())?;
    Ok(())
}

/// Which of a store's codes.
#[derive(Default)]
struct Wanted {
    kind: Option<TouchpointKind>,
    only: Option<String>,
    is_blank: bool,
}

impl Wanted {
    fn codes(&self, store_dir: &Path, store: &Store, layout: &Layout) -> anyhow::Result<Vec<Code>> {
        let all = read_touchpoints(store_dir)?;
        let codes = self
            .choice(store_dir, &all)?
            .codes(store, all.iter(), layout);
        if codes.is_empty() {
            return Err(self.none(store_dir, layout));
        }
        Ok(codes)
    }

    fn choice(&self, store_dir: &Path, all: &[Touchpoint]) -> anyhow::Result<Choice> {
        if self.is_blank {
            return Ok(Choice::Blank);
        }
        let Some(only) = &self.only else {
            return Ok(self.kind.map_or(Choice::Meant, Choice::Kind));
        };
        let labels: Vec<String> = only.split(',').map(|it| it.trim().to_owned()).collect();
        let is_there = |label: &str| {
            let mut places = all.iter().filter(|place| place.is_bound());
            places.any(|place| place.label == label)
        };
        if let Some(label) = labels.iter().find(|label| !is_there(label)) {
            bail!(
                "{} has no place {label}",
                touchpoints_file(store_dir).display()
            );
        }
        Ok(Choice::Labels(labels))
    }

    fn none(&self, store_dir: &Path, layout: &Layout) -> anyhow::Error {
        let what = if self.is_blank {
            "--blank 24"
        } else if layout.meant_for == [TouchpointKind::Door] {
            "--kind door --labels Door"
        } else if layout.meant_for == [TouchpointKind::Receipt] {
            "--kind receipt --labels Receipts"
        } else {
            "--labels A1,A2"
        };
        anyhow::anyhow!(
            "{} has no such code yet\nhint: `maitred qr mint --store-dir {} {what}` makes some",
            touchpoints_file(store_dir).display(),
            store_dir.display()
        )
    }
}

fn format(text: &str) -> Result<Format, &'static str> {
    Format::named(text).ok_or("it is html, pdf or png")
}

fn layout(text: &str) -> Result<&'static Layout, String> {
    Layout::named(text).ok_or_else(|| {
        let names: Vec<_> = layout::all().iter().map(|layout| layout.name).collect();
        format!("the layouts are {}", names.join(", "))
    })
}

fn language(text: &str) -> Result<Language, &'static str> {
    Language::from_tag(text).ok_or("it is zh, zh-Hant or en")
}

/// How codes are to be printed, whatever they are.
pub(super) struct Order {
    pub(super) layout: &'static Layout,
    format: Format,
    /// None is stdout.
    out: Option<PathBuf>,
    language: Language,
    logo: Option<PathBuf>,
    fonts: PathBuf,
}

impl Order {
    pub(super) fn read(given: &Given) -> anyhow::Result<Self> {
        let order = Self {
            layout: given.value_by(&LAYOUT, layout)?,
            format: given.value_by(&FORMAT, format)?,
            out: given.optional_path(&OUT),
            language: given.value_by(&LANGUAGE, language)?,
            logo: given.optional_path(&LOGO),
            fonts: given.path(&FONTS)?,
        };
        if order.out.is_none() && order.format != Format::Html {
            return Err(given
                .misuse("--out <FILE> is missing: only HTML goes to stdout")
                .into());
        }
        Ok(order)
    }

    pub(super) fn print(&self, store: &Store, codes: &[Code]) -> anyhow::Result<()> {
        let sheet = self.checked(store, codes)?;
        let files = self.files(store, &sheet)?;
        let Some(out) = &self.out else {
            for html in files {
                print::line(String::from_utf8_lossy(&html));
            }
            return Ok(());
        };
        let count = files.len();
        let name = |number| match count {
            1 => out.clone(),
            _ => numbered(out, number),
        };
        for (number, bytes) in (1..).zip(&files) {
            fs_err::write(name(number), bytes)?;
        }
        let more = if count > 1 {
            format!(" and {} more", count - 1)
        } else {
            String::new()
        };
        print::aside(format_args!(
            "{} in {}{more}; print at 100 %",
            counted(codes.len()),
            name(1).display()
        ));
        Ok(())
    }

    /// Draws the codes and reads each one again.
    fn checked(&self, store: &Store, codes: &[Code]) -> anyhow::Result<Sheet> {
        let logo = match &self.logo {
            Some(file) => Some(Arc::new(
                picture::read(fs_err::read(file)?).with_context(|| file.display().to_string())?,
            )),
            None => None,
        };
        let brand = Brand {
            store: store.name.clone(),
            colour: store.brand.colour.clone(),
            logo,
        };
        let mut progress = Progress::new("codes read again", 100, codes.len());
        let read_again = || progress.one_more();
        let sheet = compose_checked(self.layout, &brand, self.language, codes, read_again)?;
        Ok(sheet)
    }

    /// Numbered pages, where it is PNG.
    fn files(&self, store: &Store, sheet: &Sheet) -> anyhow::Result<Vec<Vec<u8>>> {
        let mut progress = Progress::new("pages drawn", 10, sheet.pages.len());
        let title = (store.name.of(self.language), self.language);
        let fonts = || fonts::read(&self.fonts);
        files::files(self.format, title, sheet, fonts, || progress.one_more())
    }
}

fn counted(codes: usize) -> String {
    match codes {
        1 => "1 code".to_owned(),
        more => format!("{more} codes"),
    }
}

/// `sheet.png` is `sheet-007.png`.
fn numbered(out: &Path, number: usize) -> PathBuf {
    let stem = out.file_stem().unwrap_or_default().to_string_lossy();
    let extension = out
        .extension()
        .map(|ext| format!(".{}", ext.to_string_lossy()));
    out.with_file_name(format!(
        "{stem}-{number:03}{}",
        extension.unwrap_or_default()
    ))
}

/// Says how far a long job is.
struct Progress {
    what: &'static str,
    every: usize,
    all: usize,
    done: usize,
}

impl Progress {
    fn new(what: &'static str, every: usize, all: usize) -> Self {
        Self {
            what,
            every,
            all,
            done: 0,
        }
    }

    fn one_more(&mut self) {
        let Self {
            what, every, all, ..
        } = *self;
        self.done += 1;
        let done = self.done;
        if all > every && (done.is_multiple_of(every) || done == all) {
            print::aside(format_args!("{done} of {all} {what}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_numbered_before_the_extension() {
        let named = numbered(Path::new("/tmp/a.b/sheet.png"), 7);
        assert_eq!(named, Path::new("/tmp/a.b/sheet-007.png"));
        assert_eq!(numbered(Path::new("sheet"), 12), Path::new("sheet-012"));
    }
}
