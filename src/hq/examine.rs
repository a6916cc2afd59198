//! What a line of a batch says: its events, what they add to the figures, and what cannot be counted.
//!
//! No content is ever refused: a frame that does not read, an event of an unknown kind and a store that the
//! gateway does not serve are put aside with a reason, kept byte for byte, and acknowledged. Otherwise one
//! bad frame would block its gateway for ever.

use crate::domain::event::{Event, Occurrence};
use crate::domain::ids::{CampaignId, CouponId, FrameId, Vid};
use crate::domain::uptake::fold;
use crate::wire::batch::{Line, What};
use crate::wire::frame::{self, Decoded};
use crate::wire::link::Serves;

use super::db::{EventRow, Frame, PutAside};

/// Reads the lines that a gateway serving `serves` has sent.
pub fn examine(serves: &Serves, lines: Vec<Line>) -> Vec<Frame> {
    let frames = lines.into_iter().filter_map(|line| match line.what {
        What::Frame { id, body, .. } => Some(frame(serves, line.seq, id, body)),
        What::Gap(_) => None,
    });
    frames.collect()
}

fn frame(serves: &Serves, seq: u64, id: FrameId, body: Vec<u8>) -> Frame {
    let mut frame = Frame {
        seq,
        id,
        store: None,
        body,
        events: Vec::new(),
        facts: Vec::new(),
        put_aside: Vec::new(),
    };
    match frame::decode(&frame.body) {
        Ok(decoded) => take(&mut frame, serves, decoded),
        Err(bad) => frame.put_aside.push(PutAside {
            kind: None,
            code: "unreadable",
            reason: bad.to_string(),
        }),
    }
    frame
}

fn take(frame: &mut Frame, serves: &Serves, decoded: Decoded) {
    if let Serves::Store(own) = serves
        && *own != decoded.store
    {
        frame.put_aside.push(PutAside {
            kind: None,
            code: "foreign_store",
            reason: format!("a frame of {} from a gateway of {own}", decoded.store),
        });
        return;
    }
    frame.events = decoded.occurrences.iter().map(row).collect();
    frame.facts = decoded.occurrences.iter().flat_map(fold).collect();
    frame.put_aside = decoded
        .undecoded
        .into_iter()
        .map(|event| PutAside {
            kind: Some(event.kind),
            code: "unknown_event",
            reason: event.reason,
        })
        .collect();
    frame.store = Some(decoded.store);
}

fn row(occurrence: &Occurrence) -> EventRow {
    let (campaign, coupon, vid) = keys(&occurrence.event);
    EventRow {
        kind: occurrence.event.kind() as u16,
        at: occurrence.moment.at,
        campaign: campaign.cloned(),
        coupon,
        vid,
    }
}

fn keys(event: &Event) -> (Option<&CampaignId>, Option<CouponId>, Option<Vid>) {
    match event {
        Event::Claim(x) => (Some(&x.campaign), Some(x.coupon), Some(x.vid)),
        Event::ConsentGiven(x) | Event::ConsentWithdrawn(x) => (None, Some(x.coupon), Some(x.vid)),
        Event::Redeem(x) => (Some(&x.campaign), Some(x.coupon), x.vid),
        Event::RedeemUndone(x) => (Some(&x.campaign), Some(x.coupon), None),
        Event::RedeemRefused(x) => (None, x.coupon, None),
        Event::TouchpointView(x) | Event::PortalView(x) => (x.campaign.as_ref(), None, x.vid),
        Event::Admitted(x) => (None, None, x.vid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hq::testing::{at_store, line, now, store, view};

    #[test]
    fn the_street_speaks_for_every_store_and_a_store_for_itself() {
        let sent = || vec![line(1, &store("SZ02"), now(), view(None))];
        for (serves, counted) in [
            (Serves::Street, true),
            (at_store("SZ02"), true),
            (at_store("SZ01"), false),
        ] {
            let frames = examine(&serves, sent());
            assert_eq!(!frames[0].facts.is_empty(), counted, "{serves:?}");
            assert_eq!(frames[0].put_aside.is_empty(), counted, "{serves:?}");
        }
    }
}
