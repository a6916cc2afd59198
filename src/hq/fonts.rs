//! Reads the fonts of printed codes from the machine's own.

use std::path::Path;

use anyhow::Context;

use crate::sheet::fonts::{FILES, Fonts};

/// Where Debian has them.
pub const FOLDER: &str = "/usr/share/fonts/opentype/noto";

pub fn read(folder: &Path) -> anyhow::Result<Fonts> {
    let read = |name| {
        fs_err::read(folder.join(name)).with_context(|| {
            "reading the fonts\nhint: Debian has them in fonts-noto-cjk, and --fonts says where they are elsewhere"
        })
    };
    let [regular, bold, title] = FILES;
    Ok(Fonts::new([read(regular)?, read(bold)?, read(title)?])?)
}
