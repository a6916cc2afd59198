//! The captures that are measured: bodies of a claim's size, and a book that keeps a coupon for each.

use std::path::Path;
use std::sync::Arc;

use maitred::domain::ids::FramePlace;
use maitred::journal::{Book, Change, Journal, OpenError, Options};
use maitred::ops::clock::SystemClock;

/// A claim's frame with all its fields, as it is stored.
pub(crate) const FRAME_BYTES: usize = 400;
/// What the journal adds to a body: its head and its checksum.
const OVERHEAD_BYTES: usize = 39;
/// A coupon's entry in the checkpoint.
const COUPON_BYTES: usize = 250;

/// A body that no other task and no earlier capture had.
pub(crate) fn body(task: usize, count: u64) -> Vec<u8> {
    let mut body = vec![b'x'; FRAME_BYTES - OVERHEAD_BYTES];
    body[..8].copy_from_slice(&(task as u64).to_be_bytes());
    body[8..16].copy_from_slice(&count.to_be_bytes());
    body
}

/// Changes one entry for each capture, as the wallet does. Remembers none: its memory is not measured.
#[derive(Default)]
pub(crate) struct Coupons {
    changes: Vec<Change>,
}

impl Book for Coupons {
    fn reset(&mut self) {
        self.changes.clear();
    }

    fn restore(&mut self, _key: &[u8], _value: &[u8]) {}

    fn apply(&mut self, _: FramePlace, frame_body: &[u8]) {
        self.changes.push(Change::Put {
            key: frame_body[..16].to_vec(),
            value: vec![b'y'; COUPON_BYTES],
        });
    }

    fn take_changes(&mut self, take: &mut dyn FnMut(Change)) {
        self.changes.drain(..).for_each(take);
    }
}

/// Opens a journal as the gateway does, but for the bound on how much may wait: nobody drains it here.
pub(crate) fn open(dir: &Path) -> Result<Journal<Coupons>, OpenError> {
    let options = Options {
        max_p0_frames: u64::MAX,
        ..Options::default()
    };
    Journal::open(dir, options, Arc::new(SystemClock), Coupons::default())
}
