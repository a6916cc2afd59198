//! What a line of a batch says: its events, what they add to the figures, and what cannot be counted.
//!
//! No content is ever refused: a frame that does not read, an event of an unknown kind and a store that the
//! gateway does not serve are put aside with a reason, kept byte for byte, and acknowledged. Otherwise one
//! bad frame would block its gateway for ever.

use jiff::Timestamp;
use jiff::civil::Date;

use crate::domain::event::{AccessLogged, Event, Occurrence};
use crate::domain::ids::{CampaignId, CouponId, FrameId, Vid};
use crate::domain::stickers::read_label;
use crate::domain::uptake::{Cell, Fact, fold};
use crate::wire::batch::{Line, Time, TimeQuality, What};
use crate::wire::frame::{self, Decoded};
use crate::wire::link::Serves;

use super::db::access::Kept;
use super::db::members::MemberNews;
use super::db::notice::Notice;
use super::db::persons::PersonNews;
use super::db::phones::BookedPhone;
use super::db::sisters::Use;
use super::db::stickers::Told;
use super::db::{Entry, EventRow, Frame, PutAside};

/// The years in which an event can be counted: what any database can keep. A box without a clock says 1970.
const YEARS: std::ops::RangeInclusive<i16> = 1..=9998;

/// Reads the lines that a gateway serving `serves` has sent.
pub fn examine(serves: &Serves, lines: Vec<Line>) -> Vec<Entry> {
    let entry = |Line { seq, what }| match what {
        What::Frame { id, time, body } => Entry::Frame(examine_frame(serves, seq, id, time, body)),
        What::Gap(gap) => Entry::Gap { from: seq, gap },
    };
    lines.into_iter().map(entry).collect()
}

/// Reads one frame, when it comes and whenever it is counted again.
pub fn examine_frame(
    serves: &Serves,
    seq: u64,
    id: FrameId,
    time: Option<Time>,
    body: Vec<u8>,
) -> Frame {
    let mut frame = Frame {
        seq,
        id,
        time,
        store: None,
        body,
        events: Vec::new(),
        facts: Vec::new(),
        uncertain: Vec::new(),
        notices: Vec::new(),
        used: Vec::new(),
        commands_done: Vec::new(),
        told: Vec::new(),
        members: Vec::new(),
        persons: Vec::new(),
        access: Vec::new(),
        phones: Vec::new(),
        put_aside: Vec::new(),
    };
    match frame::decode_at(&frame.body, time.map(|time| time.unix_ms)) {
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
    let quality = frame.time.map_or(TimeQuality::Unknown, |time| time.quality);
    for occurrence in decoded.occurrences {
        let facts = fold(&occurrence);
        if !facts.iter().all(is_countable) || !YEARS.contains(&year(occurrence.moment.at)) {
            frame.put_aside.push(PutAside {
                kind: Some(occurrence.event.kind() as u16),
                code: "impossible_time",
                reason: format!("it happened at {}", occurrence.moment.at),
            });
            continue;
        }
        if quality <= TimeQuality::Bounded {
            frame.uncertain.extend(hour(&facts));
        }
        if let Event::CommandDone(done) = &occurrence.event {
            frame.commands_done.push((done.cursor.id, done.outcome));
        }
        let notices = Notice::of(serves, &occurrence).into_iter();
        frame
            .notices
            .extend(notices.chain(Notice::of_vip(&occurrence)));
        frame.used.extend(Use::of(&occurrence));
        frame.members.extend(MemberNews::of(&occurrence));
        frame.phones.extend(BookedPhone::of(&occurrence));
        frame.told.extend(told(&occurrence));
        if let Some(person) = PersonNews::of(&occurrence) {
            frame.notices.extend(person.notices());
            frame.persons.push(person);
        }
        if let Event::AccessLogged(AccessLogged {
            sealed: Some(sealed),
        }) = &occurrence.event
        {
            let sealed = sealed.clone();
            frame.access.push(Kept {
                at: occurrence.moment.at,
                sealed,
            });
        }
        frame.events.push(row(&occurrence, quality));
        frame.facts.extend(facts);
    }
    let unknown = decoded.undecoded.into_iter().map(|event| PutAside {
        kind: Some(event.kind),
        code: "unknown_event",
        reason: event.reason,
    });
    frame.put_aside.extend(unknown);
    frame.store = Some(decoded.store);
}

/// What it says of stickers. A name that no box of ours would send is kept in its frame and nowhere else.
fn told(occurrence: &Occurrence) -> Option<(Timestamp, Told)> {
    let told = if let Event::TouchpointBound(bound) = &occurrence.event {
        let is_name = bound.label.is_empty() || read_label(&bound.label).is_some();
        Told::Bound(is_name.then(|| bound.clone())?)
    } else if let Event::WalkFinished(finished) = &occurrence.event {
        Told::Walked(finished.clone())
    } else {
        return None;
    };
    Some((occurrence.moment.at, told))
}

fn year(time: Timestamp) -> i16 {
    time.to_zoned(jiff::tz::TimeZone::UTC).year()
}

fn is_countable(fact: &Fact) -> bool {
    let day: Date = match fact {
        Fact::Add { cell, .. } => cell.hour.date(),
        Fact::Visit { day, .. } | Fact::Patron { day, .. } => *day,
        Fact::Count { spot, .. } => spot.day,
    };
    YEARS.contains(&day.year())
}

/// The row of figures that an event counts in.
fn hour(facts: &[Fact]) -> Option<Cell> {
    facts.iter().find_map(|fact| match fact {
        Fact::Add { cell, .. } => Some(cell.clone()),
        Fact::Visit { .. } | Fact::Count { .. } | Fact::Patron { .. } => None,
    })
}

fn row(occurrence: &Occurrence, quality: TimeQuality) -> EventRow {
    let (campaign, coupon, vid) = keys(&occurrence.event);
    EventRow {
        kind: occurrence.event.kind() as u16,
        at: occurrence.moment.at,
        quality,
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
        Event::AccessLogged(_) => (None, None, None),
        Event::EraseRequested(x) => (None, None, Some(x.vid)),
        Event::Admitted(x) => (None, None, x.vid),
        Event::AdmissionEnded(_)
        | Event::PassUsed(_)
        | Event::CommandDone(_)
        | Event::CoversCounted(_)
        | Event::Bill(_)
        | Event::TouchpointBound(_)
        | Event::WalkFinished(_) => (None, None, None),
        Event::CouponVoided(x) => (None, Some(x.coupon), None),
        Event::RedeemedElsewhere(x) => (None, Some(x.coupon), None),
        Event::UndoneElsewhere(x) => (None, Some(x.coupon), None),
        Event::FeedbackKnown(x) => (None, None, Some(x.feedback.vid)),
        Event::CouponKnown(x) => (
            Some(&x.claim.campaign),
            Some(x.claim.coupon),
            Some(x.claim.vid),
        ),
        Event::StockChanged(x) => (Some(&x.campaign), None, None),
        Event::PromoSwitched(x) => (Some(&x.campaign), None, None),
        Event::SlipIssued(x) => (Some(&x.campaign), Some(x.coupon), None),
        Event::FollowIntent(x) | Event::ContactIntent(x) | Event::GroupIntent(x) => {
            (None, Some(x.coupon), Some(x.vid))
        }
        Event::Feedback(x) => (None, None, Some(x.vid)),
        Event::StaffCalled(x) => (None, None, Some(x.vid)),
        Event::MemberRegistered(x) | Event::VipChanged(x) | Event::GroupReported(x) => {
            (None, None, Some(x.vid))
        }
        Event::BirthdayTold(x) => (None, None, Some(x.vid)),
        Event::GuestAnswered(_) | Event::AnswerKnown(_) => (None, None, None),
        Event::BookingRequested(x)
        | Event::BookingChanged(x)
        | Event::EventRsvp(x)
        | Event::EventCheckin(x) => (None, x.gift, Some(x.vid)),
        Event::ReferralShown(x) => (None, None, Some(x.vid)),
        Event::ReferralUsed(x) => (None, Some(x.coupon), Some(x.vid)),
        Event::ReferralRewarded(x) => (None, Some(x.gift), None),
        Event::TableJoined(x) => (None, None, Some(x.vid)),
        Event::TableTreated(x) => (Some(&x.campaign), Some(x.coupon), None),
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::hq::testing::{at_store, line, now, store, view};

    fn read(serves: &Serves, line: Line) -> Frame {
        match examine(serves, vec![line]).remove(0) {
            Entry::Frame(frame) => frame,
            Entry::Gap { .. } => panic!("it was a frame"),
        }
    }

    #[test]
    fn the_street_speaks_for_every_store_and_a_store_for_itself() {
        for (serves, counted) in [
            (Serves::Street, true),
            (at_store("SZ02"), true),
            (at_store("SZ01"), false),
        ] {
            let frame = read(&serves, line(1, &store("SZ02"), now(), view(None)));
            assert_eq!(!frame.facts.is_empty(), counted, "{serves:?}");
            assert_eq!(frame.put_aside.is_empty(), counted, "{serves:?}");
        }
    }

    /// A line whose body says `now`, sent with another time.
    fn timed(unix_ms: i64, quality: TimeQuality) -> Line {
        let mut line = line(1, &store("SZ01"), now(), view(None));
        if let What::Frame { time, .. } = &mut line.what {
            *time = Some(Time { unix_ms, quality });
        }
        line
    }

    #[test]
    fn the_time_fixed_at_the_first_sending_counts_and_not_the_boxs_own() {
        let an_hour_later = now() + SignedDuration::from_hours(1);
        let line = timed(an_hour_later.as_millisecond(), TimeQuality::Anchored);
        let frame = read(&at_store("SZ01"), line);
        assert_eq!(frame.events[0].at, an_hour_later);
        assert!(frame.uncertain.is_empty());
        let cell = hour(&frame.facts).unwrap();
        assert_eq!(cell.hour.hour(), 16);
    }

    #[test]
    fn an_event_of_an_uncertain_hour_counts_and_says_so() {
        for (quality, uncertain) in [
            (TimeQuality::Unknown, 1),
            (TimeQuality::Bounded, 1),
            (TimeQuality::Anchored, 0),
        ] {
            let frame = read(&at_store("SZ01"), timed(now().as_millisecond(), quality));
            assert_eq!(frame.uncertain.len(), uncertain, "{quality:?}");
            assert_eq!(frame.facts.len(), 2);
        }
        let untimed = line(1, &store("SZ01"), now(), view(None));
        assert_eq!(read(&at_store("SZ01"), untimed).uncertain.len(), 1);
    }

    #[test]
    fn a_time_that_cannot_be_is_put_aside() {
        for unix_ms in [i64::MIN, Timestamp::MIN.as_millisecond(), i64::MAX] {
            let frame = read(&at_store("SZ01"), timed(unix_ms, TimeQuality::Anchored));
            assert!(frame.facts.is_empty() && frame.events.is_empty());
            assert_eq!(frame.put_aside.len(), 1, "{unix_ms}");
        }
    }
}
