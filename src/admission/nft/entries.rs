//! Devices as elements of the table's sets: which element stands for what, and no kernel.

use std::time::Duration;

use super::super::Mac;
use super::super::firewall::{Access, Entry, Mark, Meter, Rate};
use super::super::netlink::nftables::{Batch, Element, Expression};
use super::table::{DOWN, GUESTS, PASSING, SPENT, TABLE, UP};

/// A whole packet as cards hand them to the kernel must pass at once, or at a low rate none ever would.
const BURST: u32 = 65_536;

/// An empty list of changes.
pub(super) fn batch() -> Batch {
    Batch::of(TABLE)
}

/// Puts a device in, in place of what stands under its address with the mark `before`.
pub(super) fn put(batch: &mut Batch, entry: &Entry, before: Option<Mark>) {
    take(batch, entry.mac, before);
    if before != Some(entry.mark) {
        take_mark(batch, entry.mark);
    }
    let key = entry.mark.bits().to_ne_bytes();
    let lasts = Some(entry.lasts);
    batch.put(
        GUESTS,
        &Element {
            data: Some(entry.mark.bits()),
            lasts,
            ..Element::plain(&entry.mac.0)
        },
    );
    match entry.access {
        Access::Garden => batch.put(
            PASSING,
            &Element {
                lasts,
                ..Element::plain(&key)
            },
        ),
        Access::Open(meter) => put_meter(batch, &key, entry.lasts, &meter),
    }
}

/// Takes out what stands under an address with this mark.
pub(super) fn take(batch: &mut Batch, mac: Mac, before: Option<Mark>) {
    if let Some(mark) = before {
        batch.take(GUESTS, &mac.0, Some(mark.bits()));
        take_mark(batch, mark);
    }
}

/// Takes a mark out of every set it may stand in.
pub(super) fn take_mark(batch: &mut Batch, mark: Mark) {
    for set in [UP, DOWN, SPENT, PASSING] {
        batch.take(set, &mark.bits().to_ne_bytes(), None);
    }
}

fn put_meter(batch: &mut Batch, key: &[u8], lasts: Duration, meter: &Meter) {
    let lasts = Some(lasts);
    for (set, rate) in [(UP, meter.up), (DOWN, meter.down)] {
        // The limit comes first: what it drops is not counted.
        let limited = rate.map(limit);
        let expressions = match limited {
            Some(limit) => &[limit, Expression::Counter][..],
            None => &[Expression::Counter],
        };
        let element = Element {
            lasts,
            expressions,
            ..Element::plain(key)
        };
        batch.put(set, &element);
    }
    if let Some(bytes) = meter.quota {
        let element = Element {
            lasts,
            expressions: &[Expression::Over { bytes }],
            ..Element::plain(key)
        };
        batch.put(SPENT, &element);
    }
}

fn limit(rate: Rate) -> Expression {
    Expression::Limit {
        bytes_per_second: rate.bytes_per_second,
        burst: BURST,
    }
}
