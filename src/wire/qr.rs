//! QR symbols: as runs of dark modules for whoever draws them, as inline SVG, and for a terminal.
//!
//! Runs make one path of an SVG, a third of the size of one square a module.

use qrcode::types::Color;
use qrcode::{EcLevel, QrCode};

/// How much of a symbol may be unreadable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Correction {
    /// 15 %: for a screen.
    Medium,
    /// 25 %: for a sticker on a table, which gets soup on it.
    Quartile,
    /// 30 %: for a symbol with a picture in its middle.
    High,
}

/// ISO/IEC 18004 asks for four light modules on every side.
const QUIET_ZONE: u8 = 4;

/// The text does not fit into any QR symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text is too long for a QR symbol")]
pub struct TooLong;

/// A symbol: its side in modules, quiet zone included, and what of it is dark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    pub side: u8,
    pub runs: Vec<Run>,
}

/// Dark modules side by side, counted from the outer corner of the quiet zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    pub left: u8,
    pub top: u8,
    pub length: u8,
}

impl Symbol {
    pub fn of(text: &str, correction: Correction) -> Result<Self, TooLong> {
        let level = match correction {
            Correction::Medium => EcLevel::M,
            Correction::Quartile => EcLevel::Q,
            Correction::High => EcLevel::H,
        };
        let code = QrCode::with_error_correction_level(text, level).map_err(|_| TooLong)?;
        let colours = code.to_colors();
        let mut runs = Vec::new();
        for (top, row) in (QUIET_ZONE..).zip(colours.chunks(code.width())) {
            let mut left = QUIET_ZONE;
            for run in row.chunk_by(|a, b| a == b) {
                let length = modules(run.len());
                if run[0] == Color::Dark {
                    runs.push(Run { left, top, length });
                }
                left += length;
            }
        }
        Ok(Self {
            side: modules(code.width()) + 2 * QUIET_ZONE,
            runs,
        })
    }

    /// The dark modules as the path of an SVG, one unit a module.
    pub fn path(&self) -> String {
        let mut path = String::new();
        for Run { left, top, length } in &self.runs {
            path.push_str(&format!("M{left} {top}h{length}v1h-{length}z"));
        }
        path
    }

    /// The whole SVG element. `label` is read out by a screen reader and must be free of markup.
    pub fn svg(&self, label: &str) -> String {
        let (side, path) = (self.side, self.path());
        let label = label.replace(['<', '>', '&', '"'], " ");
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" role=\"img\" \
             aria-label=\"{label}\" shape-rendering=\"crispEdges\"><path fill=\"#fff\" d=\"M0 0h{side}v{side}H0z\"/>\
             <path d=\"{path}\"/></svg>"
        )
    }
}

fn modules(count: usize) -> u8 {
    u8::try_from(count).expect("the largest symbol has 177 modules a side")
}

/// A symbol in half-block characters, for a terminal with a dark background.
pub fn terminal(text: &str) -> Result<String, TooLong> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).map_err(|_| TooLong)?;
    let symbol = code
        .render::<qrcode::render::unicode::Dense1x2>()
        .dark_color(qrcode::render::unicode::Dense1x2::Light)
        .light_color(qrcode::render::unicode::Dense1x2::Dark)
        .build();
    Ok(symbol)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_code_stays_a_version_3_symbol_on_a_sticker() {
        let symbol = Symbol::of("https://sz01.sw.cn/t/7K3F9Q2B", Correction::Quartile).unwrap();
        assert_eq!(symbol.side, 29 + 8);
    }

    #[test]
    fn a_text_that_fits_no_symbol_is_refused() {
        assert_eq!(
            Symbol::of(&"x".repeat(5_000), Correction::Medium),
            Err(TooLong)
        );
    }
}
