//! Reading a logo, at headquarters, where it is drawn into PDF and PNG.

use std::io::Cursor;

use png::{ColorType, Decoder, Limits, Transformations};

use super::CannotPrint;
use super::drawing::Picture;

/// A logo is printed some centimetres wide: more pixels than this only make the file larger.
const MOST_PIXELS: u32 = 2048;

/// Reads a PNG.
pub fn read(png: Vec<u8>) -> Result<Picture, CannotPrint> {
    let bad = |why: String| CannotPrint::BadPicture { why };
    let bytes = usize::try_from(MOST_PIXELS * MOST_PIXELS * 4).unwrap_or(usize::MAX);
    let mut decoder = Decoder::new_with_limits(Cursor::new(&png), Limits { bytes });
    decoder.set_transformations(Transformations::normalize_to_color8() | Transformations::ALPHA);
    let mut reader = decoder
        .read_info()
        .map_err(|error| bad(error.to_string()))?;
    let (width, height) = (reader.info().width, reader.info().height);
    let too_large = || {
        bad(format!(
            "{width} x {height} are more than {MOST_PIXELS} pixels a side"
        ))
    };
    if width.max(height) > MOST_PIXELS {
        return Err(too_large());
    }
    let mut pixels = vec![0; reader.output_buffer_size().ok_or_else(too_large)?];
    reader
        .next_frame(&mut pixels)
        .map_err(|error| bad(error.to_string()))?;
    let rgba = match reader.output_color_type().0 {
        ColorType::Rgba => pixels,
        ColorType::GrayscaleAlpha => {
            let pairs = pixels.chunks_exact(2);
            pairs
                .flat_map(|pair| [pair[0], pair[0], pair[0], pair[1]])
                .collect()
        }
        ColorType::Grayscale | ColorType::Rgb | ColorType::Indexed => {
            return Err(bad("its colours are of a kind that is not known".to_owned()));
        }
    };
    Ok(Picture {
        width: u16::try_from(width).map_err(|_| too_large())?,
        height: u16::try_from(height).map_err(|_| too_large())?,
        rgba,
        png,
    })
}
