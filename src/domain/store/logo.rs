//! A shop's picture, small enough to travel inside every page.
//!
//! It is a PNG and nothing else. A page has one request and no outside host, so the picture is part of it; an
//! SVG can carry scripts and addresses, and telling a good one from a bad one takes a reader of XML; WebP is
//! not shown by the phones of guests who keep theirs for long. The same PNG is printed on stickers.

use std::fmt;
use std::sync::Arc;

/// With the page around it, it stays far below the page's 14 KB: 4 KiB are 5.5 kB as base64, 4.2 kB packed.
const MOST_BYTES: usize = 4 * 1024;

/// It is shown 40 px high, on screens of up to three dots a pixel.
const MOST_PIXELS: u32 = 512;

/// A logo that was looked at.
#[derive(Clone, PartialEq, Eq)]
pub struct Logo(Arc<[u8]>);

/// Why a file is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadLogo {
    #[error("{0} bytes are more than the {MOST_BYTES} that fit a page")]
    TooLarge(usize),
    #[error("it is no PNG, or only a part of one")]
    NotPng,
    #[error("{0} x {1} pixels are not from 1 to {MOST_PIXELS} a side")]
    Pixels(u32, u32),
    #[error("it moves, which makes a page hard to read")]
    Moves,
}

impl Logo {
    /// What a page calls its kind.
    pub const MEDIA_TYPE: &str = "image/png";

    /// Takes a file that is a whole, still PNG of a fitting size (PNG, third edition, sections 5 and 11.2.1).
    pub fn read(file: &[u8]) -> Result<Self, BadLogo> {
        if file.len() > MOST_BYTES {
            return Err(BadLogo::TooLarge(file.len()));
        }
        let mut rest = file
            .strip_prefix(b"\x89PNG\r\n\x1a\n")
            .ok_or(BadLogo::NotPng)?;
        let mut is_first = true;
        let mut has_picture = false;
        loop {
            let chunk = Chunk::take(&mut rest).ok_or(BadLogo::NotPng)?;
            match (&chunk.name, is_first) {
                (b"IHDR", true) => check_size(chunk.data)?,
                (_, true) => return Err(BadLogo::NotPng),
                (b"acTL", false) => return Err(BadLogo::Moves),
                (b"IDAT", false) => has_picture = true,
                // What follows the end would be sent with every page and shown by none.
                (b"IEND", false) if has_picture && rest.is_empty() => return Ok(Self(file.into())),
                (b"IEND", false) => return Err(BadLogo::NotPng),
                _ => {}
            }
            is_first = false;
        }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Width and height in pixels, which IHDR begins with; it is the first chunk (sections 5.6 and 11.2.1).
    pub fn pixels(&self) -> (u16, u16) {
        let side = |from: usize| u16::from_be_bytes([self.0[from + 2], self.0[from + 3]]);
        (side(16), side(20))
    }
}

impl fmt::Debug for Logo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Logo({} bytes)", self.0.len())
    }
}

/// A part of a PNG.
struct Chunk<'f> {
    name: [u8; 4],
    data: &'f [u8],
}

impl<'f> Chunk<'f> {
    /// Takes the first chunk off: its length, its name, its data and a checksum, which a browser checks.
    fn take(rest: &mut &'f [u8]) -> Option<Self> {
        let (length, after) = rest.split_first_chunk()?;
        let (name, after) = after.split_first_chunk()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (data, after) = after.split_at_checked(length)?;
        let (_checksum, after) = after.split_first_chunk::<4>()?;
        *rest = after;
        Some(Self { name: *name, data })
    }
}

fn check_size(header: &[u8]) -> Result<(), BadLogo> {
    let side = |from: usize| {
        let bytes = header.get(from..from + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    };
    let (Some(width), Some(height)) = (side(0), side(4)) else {
        return Err(BadLogo::NotPng);
    };
    let fits = 1..=MOST_PIXELS;
    if fits.contains(&width) && fits.contains(&height) {
        Ok(())
    } else {
        Err(BadLogo::Pixels(width, height))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DEMO: &[u8] = include_bytes!("../../../deploy/demo/chain/logo.png");

    fn chunk(name: &[u8; 4], data: &[u8]) -> Vec<u8> {
        let length = u32::try_from(data.len()).unwrap().to_be_bytes();
        [&length[..], name, data, &[0; 4]].concat()
    }

    fn png(width: u32, height: u32, chunks: &[Vec<u8>]) -> Vec<u8> {
        let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
        header.extend([8, 6, 0, 0, 0]);
        let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
        file.extend(chunk(b"IHDR", &header));
        file.extend(chunks.concat());
        file
    }

    #[test]
    fn a_small_still_png_is_taken_as_it_is() {
        let logo = Logo::read(DEMO).unwrap();
        assert_eq!((logo.bytes(), logo.pixels()), (DEMO, (128, 128)));
    }

    #[test]
    fn what_is_no_logo_is_refused_with_its_reason() {
        let (picture, end) = (chunk(b"IDAT", &[1; 9]), chunk(b"IEND", &[]));
        let whole = [picture.clone(), end.clone()];
        assert!(Logo::read(&png(80, 40, &whole)).is_ok());
        let refused = |file: &[u8]| Logo::read(file).unwrap_err();
        assert_eq!(refused(b"<svg onload=\"alert(1)\"/>"), BadLogo::NotPng);
        assert_eq!(refused(&png(80, 40, &whole[..1])), BadLogo::NotPng, "cut");
        assert_eq!(refused(&png(80, 40, &whole[1..])), BadLogo::NotPng, "empty");
        let longer = [png(80, 40, &whole), b"<script>".to_vec()].concat();
        assert_eq!(refused(&longer), BadLogo::NotPng, "more than a picture");
        assert_eq!(refused(&png(80, 513, &whole)), BadLogo::Pixels(80, 513));
        assert_eq!(refused(&png(0, 40, &whole)), BadLogo::Pixels(0, 40));
        let moving = [chunk(b"acTL", &[0; 8]), picture, end];
        assert_eq!(refused(&png(80, 40, &moving)), BadLogo::Moves);
        let large = [chunk(b"IDAT", &[1; MOST_BYTES])];
        assert!(matches!(
            refused(&png(80, 40, &large)),
            BadLogo::TooLarge(_)
        ));
    }

    proptest! {
        #[test]
        fn bytes_of_any_kind_are_read_to_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let file = [b"\x89PNG\r\n\x1a\n".as_slice(), &bytes].concat();
            prop_assert!(Logo::read(&file).is_err());
        }
    }
}
