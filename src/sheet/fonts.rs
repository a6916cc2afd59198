//! The fonts of PDF and PNG: which glyph a character is, how wide it is, and its outline.
//!
//! Debian's `fonts-noto-cjk` has every character that a shop's name may have, with the shapes of mainland China
//! among those of its neighbours. Characters are set one beside the other: nothing that is printed here needs
//! more shaping. Only what is used goes into a PDF.

use krilla::Data;
use skrifa::instance::{LocationRef, Size};
use skrifa::outline::{DrawSettings, OutlinePen};
use skrifa::string::StringId;
use skrifa::{FontRef, GlyphId, MetadataProvider};

use super::CannotPrint;
use super::layout::Face;

/// The files of the faces, in a folder such as Debian's `/usr/share/fonts/opentype/noto`.
pub const FILES: [&str; 3] = [
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJK-Bold.ttc",
    "NotoSerifCJK-Bold.ttc",
];

/// How the name of the face for mainland China ends, in a file with several.
const REGION: &str = " SC";

pub struct Fonts {
    regular: Font,
    bold: Font,
    title: Font,
}

impl Fonts {
    /// From the contents of [`FILES`], in their order.
    pub fn new(files: [Vec<u8>; 3]) -> Result<Self, CannotPrint> {
        let [regular, bold, title] = files;
        Ok(Self {
            regular: Font::new(regular, FILES[0])?,
            bold: Font::new(bold, FILES[1])?,
            title: Font::new(title, FILES[2])?,
        })
    }

    pub(super) fn all(&self) -> [(Face, &Font); 3] {
        [Face::Regular, Face::Bold, Face::Title].map(|face| (face, self.of(face)))
    }

    pub(super) fn of(&self, face: Face) -> &Font {
        match face {
            Face::Regular => &self.regular,
            Face::Bold => &self.bold,
            Face::Title => &self.title,
        }
    }
}

pub(super) struct Font {
    pub(super) bytes: Data,
    pub(super) index: u32,
    what: &'static str,
}

/// A glyph and how wide it is, in sizes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Glyph {
    pub(super) id: u32,
    pub(super) advance: f32,
}

impl Font {
    fn new(bytes: Vec<u8>, what: &'static str) -> Result<Self, CannotPrint> {
        let faces: Vec<_> = FontRef::fonts(&bytes)
            .collect::<Result<_, _>>()
            .unwrap_or_default();
        let is_ours = |face: &FontRef<'_>| {
            let names = face.localized_strings(StringId::FAMILY_NAME);
            let name = names.english_or_first().map(|name| name.to_string());
            name.is_some_and(|name| name.ends_with(REGION))
        };
        let index = faces.iter().position(is_ours).unwrap_or(0);
        let index = u32::try_from(index).unwrap_or(0);
        if faces.is_empty() {
            return Err(CannotPrint::BadFont {
                what: what.to_owned(),
            });
        }
        let bytes = Data::from(bytes);
        Ok(Self { bytes, index, what })
    }

    fn face(&self) -> Result<FontRef<'_>, CannotPrint> {
        FontRef::from_index(self.bytes.as_ref(), self.index).map_err(|_| self.bad())
    }

    pub(super) fn bad(&self) -> CannotPrint {
        CannotPrint::BadFont {
            what: self.what.to_owned(),
        }
    }

    pub(super) fn glyphs(&self, text: &str) -> Result<Vec<Glyph>, CannotPrint> {
        let face = self.face()?;
        let (map, metrics) = (
            face.charmap(),
            face.glyph_metrics(Size::new(1.0), LocationRef::default()),
        );
        let glyph = |character: char| {
            let id = map.map(character)?;
            let advance = metrics.advance_width(id)?;
            Some(Glyph {
                id: id.to_u32(),
                advance,
            })
        };
        text.chars()
            .map(|character| {
                glyph(character).ok_or_else(|| CannotPrint::NoGlyph {
                    character,
                    text: text.to_owned(),
                })
            })
            .collect()
    }

    /// Hands the outline of a glyph of `size` to `pen`, with the y axis upwards.
    pub(super) fn outline(
        &self,
        id: u32,
        size: f32,
        pen: &mut impl OutlinePen,
    ) -> Result<(), CannotPrint> {
        let face = self.face()?;
        // A space has none.
        let Some(glyph) = face.outline_glyphs().get(GlyphId::new(id)) else {
            return Ok(());
        };
        let settings = DrawSettings::unhinted(Size::new(size), LocationRef::default());
        glyph.draw(settings, pen).map_err(|_| self.bad())?;
        Ok(())
    }
}
