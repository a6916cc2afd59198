//! QR symbols as inline SVG: one path of horizontal runs, a third of the size of one square a module.

use qrcode::types::Color;
use qrcode::{EcLevel, QrCode};

/// How much of a symbol may be unreadable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Correction {
    /// 15 %: for a screen.
    Medium,
    /// 25 %: for a sticker on a table, which gets soup on it.
    Quartile,
}

/// ISO/IEC 18004 asks for four light modules on every side.
const QUIET_ZONE: usize = 4;

/// The text does not fit into any QR symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text is too long for a QR symbol")]
pub struct TooLong;

/// A symbol: its side in modules, quiet zone included, and the path that is dark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    pub side: usize,
    pub path: String,
}

impl Symbol {
    pub fn of(text: &str, correction: Correction) -> Result<Self, TooLong> {
        let level = match correction {
            Correction::Medium => EcLevel::M,
            Correction::Quartile => EcLevel::Q,
        };
        let code = QrCode::with_error_correction_level(text, level).map_err(|_| TooLong)?;
        let width = code.width();
        let mut path = String::new();
        for (y, row) in code.to_colors().chunks(width).enumerate() {
            let mut x = 0;
            for run in row.chunk_by(|a, b| a == b) {
                if run[0] == Color::Dark {
                    let (left, top, length) = (x + QUIET_ZONE, y + QUIET_ZONE, run.len());
                    path.push_str(&format!("M{left} {top}h{length}v1h-{length}z"));
                }
                x += run.len();
            }
        }
        Ok(Self {
            side: width + 2 * QUIET_ZONE,
            path,
        })
    }

    /// The whole SVG element. `label` is read out by a screen reader and must be free of markup.
    pub fn svg(&self, label: &str) -> String {
        let Self { side, path } = self;
        let label = label.replace(['<', '>', '&', '"'], " ");
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" role=\"img\" \
             aria-label=\"{label}\" shape-rendering=\"crispEdges\"><path fill=\"#fff\" d=\"M0 0h{side}v{side}H0z\"/>\
             <path d=\"{path}\"/></svg>"
        )
    }
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
