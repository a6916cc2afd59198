//! Sheets of codes to print: one page of HTML with inline SVG, no font and no host from outside.
//!
//! A code is printed at error correction Q with its four modules of quiet zone; its address is at most 32
//! bytes, so that it stays a version 3 symbol that a phone reads from half a metre.

use askama::Template;

use crate::wire::qr::{Correction, Symbol};

/// The longest address that is still version 3 at Q (ISO/IEC 18004, table 7: 32 bytes).
pub const MOST_URL_BYTES: usize = 32;

/// Raised when the layout changes, so that a stale sheet shows.
const SHEET_VERSION: u32 = 1;

/// One sticker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// What people call the place.
    pub place: String,
    pub url: String,
    /// One line that says why to scan.
    pub promise: String,
}

/// A sticker cannot be printed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{url} has {length} bytes; at most {MOST_URL_BYTES} stay readable at the size of a sticker"
)]
pub struct TooLong {
    url: String,
    length: usize,
}

/// Draws a sheet.
pub fn draw(title: &str, lang: &str, labels: &[Label]) -> Result<String, TooLong> {
    let labels: Result<Vec<_>, _> = labels.iter().map(drawn).collect();
    let sheet = Sheet {
        lang,
        title,
        version: SHEET_VERSION,
        labels: labels?,
    };
    Ok(sheet.to_string())
}

fn drawn(label: &Label) -> Result<Drawn<'_>, TooLong> {
    let too_long = || TooLong {
        url: label.url.clone(),
        length: label.url.len(),
    };
    if label.url.len() > MOST_URL_BYTES {
        return Err(too_long());
    }
    let symbol = Symbol::of(&label.url, Correction::Quartile).map_err(|_| too_long())?;
    Ok(Drawn {
        place: &label.place,
        promise: &label.promise,
        url: label.url.trim_start_matches("https://"),
        symbol: symbol.svg(&label.place),
    })
}

#[derive(Template)]
#[template(path = "sheet/sheet.html")]
struct Sheet<'a> {
    lang: &'a str,
    title: &'a str,
    version: u32,
    labels: Vec<Drawn<'a>>,
}

struct Drawn<'a> {
    place: &'a str,
    promise: &'a str,
    url: &'a str,
    symbol: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(url: &str) -> Label {
        Label {
            place: "A12 <b>".to_owned(),
            url: url.to_owned(),
            promise: "扫码领小菜".to_owned(),
        }
    }

    #[test]
    fn a_sheet_escapes_what_people_wrote() {
        let html = draw("SZ01", "zh-CN", &[label("https://sz01.sw.cn/t/7K3F9Q2B")]).unwrap();
        assert!(html.contains("A12 &#60;b&#62;"));
        assert!(!html.contains("<b>"));
        assert!(html.contains("sz01.sw.cn/t/7K3F9Q2B · v1"));
    }

    #[test]
    fn an_address_that_makes_the_code_too_fine_is_refused() {
        let long = label("https://stores.example.com/t/7K3F9Q2B");
        assert!(draw("SZ01", "zh-CN", &[long]).is_err());
    }
}
