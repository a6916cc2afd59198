//! A page that is compressed once and still carries something new every time.
//!
//! The landing page is the same for every phone but for one number, the tap. Compressing 5 KB costs more
//! than all else a request does, so the page is cut at the number: both halves are compressed ahead, each
//! as DEFLATE blocks that refer to nothing outside themselves, and the number goes between them as a stored
//! block (RFC 1951, section 3.2.4). The gzip checksum (RFC 1952) is combined from those of the parts.

use crc32fast::Hasher;
use flate2::{Compress, Compression, FlushCompress, Status};

use crate::wire::encoding::gunzip;

/// The gzip header: DEFLATE, no name, no time, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// A page with one hole.
#[derive(Debug)]
pub(super) struct SplicedPage {
    /// Of both halves, as text.
    length: usize,
    before_deflated: Vec<u8>,
    after_deflated: Vec<u8>,
    before_crc: Hasher,
    after_crc: Hasher,
}

impl SplicedPage {
    /// Cuts `page` at the only place where `mark` stands.
    pub(super) fn cut(page: &str, mark: &str) -> Option<Self> {
        let (before, after) = page.split_once(mark)?;
        let checksum = |text: &str| {
            let mut crc = Hasher::new();
            crc.update(text.as_bytes());
            crc
        };
        Some(Self {
            before_deflated: deflate(before.as_bytes(), Position::NotLast),
            after_deflated: deflate(after.as_bytes(), Position::Last),
            before_crc: checksum(before),
            after_crc: checksum(after),
            length: before.len() + after.len(),
        })
    }

    /// The page as text. Hardly a phone asks for it, so it is unpacked and not kept a second time.
    pub(super) fn plain(&self, filling: &str) -> Vec<u8> {
        let most = self.length + filling.len();
        gunzip(&self.gzip(filling), most as u64).expect("it unpacks to the page it was made from")
    }

    /// The page as gzip. `filling` is at most 65,535 bytes, the most a stored block holds.
    pub(super) fn gzip(&self, filling: &str) -> Vec<u8> {
        let length = u16::try_from(filling.len()).expect("a filling is a short number");
        let mut crc = self.before_crc.clone();
        crc.update(filling.as_bytes());
        crc.combine(&self.after_crc);
        let plain_length = self.length + filling.len();

        let mut out = Vec::with_capacity(
            HEADER.len()
                + self.before_deflated.len()
                + filling.len()
                + self.after_deflated.len()
                + 13,
        );
        out.extend_from_slice(&HEADER);
        out.extend_from_slice(&self.before_deflated);
        out.push(0);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&(!length).to_le_bytes());
        out.extend_from_slice(filling.as_bytes());
        out.extend_from_slice(&self.after_deflated);
        out.extend_from_slice(&crc.finalize().to_le_bytes());
        // The format counts modulo 2^32, and no page is that long.
        let plain_length = u32::try_from(plain_length).unwrap_or(u32::MAX);
        out.extend_from_slice(&plain_length.to_le_bytes());
        out
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Position {
    /// Ends on a byte boundary with the stream open (a sync flush).
    NotLast,
    /// Ends the stream.
    Last,
}

fn deflate(bytes: &[u8], position: Position) -> Vec<u8> {
    let flush = match position {
        Position::NotLast => FlushCompress::Sync,
        Position::Last => FlushCompress::Finish,
    };
    let mut compress = Compress::new(Compression::best(), false);
    // Worse than any compressor does: five bytes a stored block, and the flush.
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 1000 + 64);
    let status = compress
        .compress_vec(bytes, &mut out, flush)
        .expect("compressing does not fail");
    debug_assert!(matches!(status, Status::Ok | Status::StreamEnd));
    debug_assert_eq!(compress.total_in(), bytes.len() as u64);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_fills_the_hole_the_page_unpacks_to_its_text(
            before in "[^\u{1}]{0,500}", filling in "[0-9a-f]{0,64}", after in "[^\u{1}]{0,500}",
        ) {
            let page = SplicedPage::cut(&format!("{before}\u{1}{after}"), "\u{1}").unwrap();
            let expected = format!("{before}{filling}{after}").into_bytes();
            prop_assert_eq!(page.plain(&filling), expected.as_slice());
            prop_assert_eq!(gunzip(&page.gzip(&filling), 1 << 20).unwrap(), expected);
        }
    }

    #[test]
    fn a_page_without_the_mark_has_no_hole() {
        assert!(SplicedPage::cut("a page", "\u{1}").is_none());
    }
}
