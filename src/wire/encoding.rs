//! Small encodings that several formats share: base64, hexadecimal digests, gzip with a bound.

use std::io::{Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

/// Base64 for addresses and files (RFC 4648, section 5), without padding.
pub fn to_base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// An address that holds the file itself (RFC 2397).
pub fn data_url(media_type: &str, file: &[u8]) -> String {
    format!("data:{media_type};base64,{}", STANDARD.encode(file))
}

/// The SHA-256 of `bytes` as 64 hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref())
}

pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes every write");
        text
    })
}

/// Compresses with gzip, level 6.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 3), Compression::new(6));
    encoder
        .write_all(bytes)
        .and_then(|()| encoder.finish())
        .expect("writing into memory does not fail")
}

/// The compressed bytes are no gzip, or unpack to more than was allowed.
#[derive(Debug, thiserror::Error)]
#[error("not gzip, or more than {limit} bytes when unpacked")]
pub struct NotUnpacked {
    limit: u64,
}

/// Unpacks gzip into at most `limit` bytes, so that a small request cannot fill the memory.
pub fn gunzip(bytes: &[u8], limit: u64) -> Result<Vec<u8>, NotUnpacked> {
    let mut unpacked = Vec::new();
    let read = GzDecoder::new(bytes)
        .take(limit + 1)
        .read_to_end(&mut unpacked);
    if read.is_ok() && unpacked.len() as u64 <= limit {
        Ok(unpacked)
    } else {
        Err(NotUnpacked { limit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_request_cannot_unpack_to_a_large_one() {
        let bomb = gzip(&vec![0; 1 << 20]);
        assert!(bomb.len() < 2_000);
        assert!(gunzip(&bomb, 1 << 20).is_ok());
        assert!(gunzip(&bomb, (1 << 20) - 1).is_err());
        assert!(gunzip(b"plain", 100).is_err());
    }
}
