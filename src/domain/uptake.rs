//! What an event adds to the figures: one pure function that every counter in the product uses.
//!
//! The gateway's counter page, headquarters' ledger and the auditor that recomputes from raw events all
//! call [`fold`], so they cannot disagree. What it returns only ever adds up: the order and the lateness of
//! events change nothing.

pub mod days;
pub mod places;
mod through;

use jiff::civil::{Date, DateTime};

use super::calendar::business_day;
use super::event::{Event, Feedback, Occurrence, Origin};
use super::ids::{CampaignId, StoreId, TouchpointCode, Vid};

/// One row of figures: a store, an hour on its wall, and a campaign or none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    pub store: StoreId,
    /// The beginning of the hour, local time.
    pub hour: DateTime,
    pub campaign: Option<CampaignId>,
}

/// A column of the row. They stand in checkpoints by their number: a new one goes to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// A landing or arrival page was opened. A page that is loaded again counts again.
    Came,
    Claimed,
    Consented,
    Redeemed,
    Refused,
    /// The same three, for campaigns about certain hours, inside those hours.
    OffPeakCame,
    OffPeakClaimed,
    OffPeakRedeemed,
}

impl Step {
    pub const COUNT: usize = Self::OffPeakRedeemed as usize + 1;
}

/// Declares what is counted by the business day, each with its name in tables and checkpoints, which is for ever.
macro_rules! deeds {
    ($($(#[$doc:meta])* $deed:ident $name:literal,)*) => {
        /// What is counted by the business day, at a place where it has one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Deed { $($(#[$doc])* $deed,)* }

        impl Deed {
            pub const ALL: &'static [Self] = &[$(Self::$deed,)*];

            pub const fn name(self) -> &'static str {
                match self { $(Self::$deed => $name,)* }
            }

            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|deed| deed.name() == name)
            }
        }
    };
}

deeds! {
    /// The place's page was opened.
    Seen "seen",
    Claimed "claimed",
    /// On the day of the claim, so that it is a part of what was claimed then.
    Redeemed "redeemed",
    FollowAsked "follow_asked",
    ContactAsked "contact_asked",
    GroupAsked "group_asked",
    StockSet "stock_set",
    Switched "switched",
    Called "called",
    /// Something was said, with a rating or without.
    Said "said",
    Rated "rated",
    /// The sum of the ratings.
    Stars "stars",
}

/// Where and when something is counted: a store, a business day, and a place or none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spot {
    pub store: StoreId,
    pub day: Date,
    pub place: Option<TouchpointCode>,
}

/// One thing an event says about the figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// Add `by` to a column of a cell.
    Add { cell: Cell, step: Step, by: i64 },
    /// This diner was in this store on this business day; a set, so saying it twice says it once.
    Visit { store: StoreId, vid: Vid, day: Date },
    /// Add `by` to what is counted of a spot.
    Count { spot: Spot, deed: Deed, by: i64 },
    /// This diner claimed at this place on this business day; a set as well.
    Patron {
        store: StoreId,
        place: TouchpointCode,
        vid: Vid,
        day: Date,
    },
}

/// What `occurrence` adds to the figures.
pub fn fold(occurrence: &Occurrence) -> Vec<Fact> {
    let local = occurrence.moment.local();
    let (mut facts, visitor) = at_hours(occurrence, local);
    facts.extend(at_places(occurrence, business_day(local)));
    facts.extend(visitor.map(|vid| Fact::Visit {
        store: occurrence.store.clone(),
        vid,
        day: business_day(local),
    }));
    facts
}

/// What `occurrence` adds to the figures of hours, and who was there.
#[expect(
    clippy::too_many_lines,
    reason = "every kind is named, so that a new one is thought of here"
)]
fn at_hours(occurrence: &Occurrence, local: DateTime) -> (Vec<Fact>, Option<Vid>) {
    let add = |campaign: Option<&CampaignId>, hour: DateTime, step: Step, by: i64| Fact::Add {
        cell: Cell {
            store: occurrence.store.clone(),
            hour: start_of_hour(hour),
            campaign: campaign.cloned(),
        },
        step,
        by,
    };
    // A step of the funnel counts once, and once more in its off-peak column.
    let funnel = |campaign: Option<&CampaignId>, off_peak: bool, steps: [Step; 2]| {
        let [step, quiet_step] = steps;
        let mut facts = vec![add(campaign, local, step, 1)];
        facts.extend(off_peak.then(|| add(campaign, local, quiet_step, 1)));
        facts
    };
    match &occurrence.event {
        Event::TouchpointView(view) | Event::PortalView(view) => {
            let steps = [Step::Came, Step::OffPeakCame];
            let facts = funnel(view.campaign.as_ref(), view.off_peak, steps);
            (facts, view.vid)
        }
        Event::Claim(claim) => {
            let steps = [Step::Claimed, Step::OffPeakClaimed];
            let facts = funnel(Some(&claim.campaign), claim.off_peak, steps);
            // Whom the shop gave it need not be there.
            (facts, (!claim.given).then_some(claim.vid))
        }
        Event::Redeem(redeem) => {
            let steps = [Step::Redeemed, Step::OffPeakRedeemed];
            let facts = funnel(Some(&redeem.campaign), redeem.off_peak, steps);
            (facts, redeem.vid)
        }
        Event::RedeemUndone(undone) => {
            let then = occurrence.moment.offset.to_datetime(undone.redeemed_at);
            let campaign = Some(&undone.campaign);
            let mut facts = vec![add(campaign, then, Step::Redeemed, -1)];
            if undone.off_peak {
                facts.push(add(campaign, then, Step::OffPeakRedeemed, -1));
            }
            (facts, None)
        }
        Event::ConsentGiven(_) => (vec![add(None, local, Step::Consented, 1)], None),
        Event::ConsentWithdrawn(_) => (vec![add(None, local, Step::Consented, -1)], None),
        Event::RedeemRefused(_) => (vec![add(None, local, Step::Refused, 1)], None),
        Event::FollowIntent(intent) | Event::ContactIntent(intent) | Event::GroupIntent(intent) => {
            (Vec::new(), Some(intent.vid))
        }
        Event::Feedback(feedback) => (Vec::new(), Some(feedback.vid)),
        Event::StaffCalled(called) => (Vec::new(), Some(called.vid)),
        Event::TableJoined(joined) => (Vec::new(), Some(joined.vid)),
        // A coupon that is void was claimed all the same; one that is passed down counted where it was issued,
        // and what another store gave on it counted there.
        Event::EraseRequested(_)
        | Event::AccessLogged(_)
        | Event::Admitted(_)
        | Event::AdmissionEnded(_)
        | Event::PassUsed(_)
        | Event::CommandDone(_)
        | Event::CouponVoided(_)
        | Event::CouponKnown(_)
        | Event::RedeemedElsewhere(_)
        | Event::UndoneElsewhere(_)
        | Event::FeedbackKnown(_)
        | Event::AnswerKnown(_)
        | Event::StockChanged(_)
        | Event::PromoSwitched(_)
        | Event::CoversCounted(_)
        | Event::Bill(_)
        | Event::TouchpointBound(_)
        | Event::WalkFinished(_)
        | Event::GuestAnswered(_)
        | Event::MemberRegistered(_)
        | Event::VipChanged(_)
        | Event::GroupReported(_)
        | Event::BirthdayTold(_)
        | Event::BookingRequested(_)
        | Event::BookingChanged(_)
        | Event::EventRsvp(_)
        | Event::EventCheckin(_)
        | Event::ReferralShown(_)
        | Event::ReferralUsed(_)
        | Event::ReferralRewarded(_)
        | Event::TableTreated(_)
        | Event::SlipIssued(_) => (Vec::new(), None),
    }
}

/// What `occurrence` adds to the figures of places, and of the store's days.
#[expect(
    clippy::too_many_lines,
    reason = "every kind is named, so that a new one is thought of here"
)]
fn at_places(occurrence: &Occurrence, today: Date) -> Vec<Fact> {
    let count = |place: Option<TouchpointCode>, day: Date, deed: Deed, by: i64| Fact::Count {
        spot: Spot {
            store: occurrence.store.clone(),
            day,
            place,
        },
        deed,
        by,
    };
    let once = |place, deed| vec![count(place, today, deed, 1)];
    let redeemed = |origin: Option<Origin>, otherwise: Date, by: i64| {
        let place = origin.map(|origin| origin.touchpoint);
        let day = origin.map_or(otherwise, |origin| origin.day);
        vec![count(place, day, Deed::Redeemed, by)]
    };
    match &occurrence.event {
        Event::TouchpointView(view) | Event::PortalView(view) => match view.touchpoint {
            Some(place) => once(Some(place), Deed::Seen),
            None => Vec::new(),
        },
        Event::Claim(claim) => {
            let patron = (!claim.given).then(|| Fact::Patron {
                store: occurrence.store.clone(),
                place: claim.touchpoint,
                vid: claim.vid,
                day: today,
            });
            let mut facts = once(Some(claim.touchpoint), Deed::Claimed);
            facts.extend(patron);
            facts
        }
        Event::Redeem(redeem) => redeemed(redeem.origin, today, 1),
        Event::RedeemUndone(undone) => {
            let then = occurrence.moment.offset.to_datetime(undone.redeemed_at);
            redeemed(undone.origin, business_day(then), -1)
        }
        Event::FollowIntent(_) => once(None, Deed::FollowAsked),
        Event::ContactIntent(_) => once(None, Deed::ContactAsked),
        Event::GroupIntent(_) => once(None, Deed::GroupAsked),
        Event::StockChanged(_) => once(None, Deed::StockSet),
        Event::PromoSwitched(_) => once(None, Deed::Switched),
        Event::StaffCalled(called) if called.again => Vec::new(),
        Event::StaffCalled(called) => once(Some(called.touchpoint), Deed::Called),
        // The same word, gone on with.
        Event::Feedback(feedback) => said(feedback)
            .map(|(deed, by)| count(feedback.touchpoint, today, deed, by))
            .collect(),
        Event::ConsentGiven(_)
        | Event::ConsentWithdrawn(_)
        | Event::RedeemRefused(_)
        | Event::EraseRequested(_)
        | Event::AccessLogged(_)
        | Event::Admitted(_)
        | Event::AdmissionEnded(_)
        | Event::PassUsed(_)
        | Event::CommandDone(_)
        | Event::CouponVoided(_)
        | Event::CouponKnown(_)
        | Event::RedeemedElsewhere(_)
        | Event::UndoneElsewhere(_)
        | Event::FeedbackKnown(_)
        | Event::AnswerKnown(_)
        | Event::CoversCounted(_)
        | Event::SlipIssued(_)
        | Event::Bill(_)
        | Event::TouchpointBound(_)
        | Event::WalkFinished(_)
        | Event::MemberRegistered(_)
        | Event::VipChanged(_)
        | Event::GroupReported(_)
        | Event::BirthdayTold(_)
        | Event::GuestAnswered(_)
        | Event::BookingRequested(_)
        | Event::BookingChanged(_)
        | Event::EventRsvp(_)
        | Event::EventCheckin(_)
        | Event::ReferralShown(_)
        | Event::ReferralUsed(_)
        | Event::ReferralRewarded(_)
        | Event::TableJoined(_)
        | Event::TableTreated(_) => Vec::new(),
    }
}

/// What feedback counts for; nothing where it goes on with what was said before.
fn said(feedback: &Feedback) -> impl Iterator<Item = (Deed, i64)> {
    let is_first = feedback.of.is_none();
    let stars = feedback.rating.map(|rating| i64::from(rating.stars()));
    let rated = stars.map(|stars| [(Deed::Rated, 1), (Deed::Stars, stars)]);
    let said = [(Deed::Said, 1)]
        .into_iter()
        .chain(rated.into_iter().flatten());
    said.filter(move |_| is_first)
}

fn start_of_hour(local: DateTime) -> DateTime {
    local.date().at(local.hour(), 0, 0, 0)
}

#[cfg(test)]
mod tests {
    use jiff::civil::datetime;
    use jiff::tz::Offset;

    use super::*;
    use crate::domain::event::{Moment, RedeemUndone, View};
    use crate::domain::ids::{CouponId, RedemptionId, StaffName};

    fn at(time: &str, event: Event) -> Occurrence {
        Occurrence {
            store: StoreId::parse("SZ01").unwrap(),
            moment: Moment {
                at: time.parse().unwrap(),
                offset: Offset::constant(8),
            },
            event,
        }
    }

    #[test]
    fn figures_go_by_the_hour_on_the_stores_wall() {
        let view = View {
            touchpoint: None,
            campaign: None,
            vid: None,
            off_peak: false,
        };
        let facts = fold(&at("2026-12-01T07:59:59Z", Event::TouchpointView(view)));
        let [Fact::Add { cell, step, by }] = facts.as_slice() else {
            panic!("a view is one fact, not {facts:?}");
        };
        assert_eq!(cell.hour, datetime(2026, 12, 1, 15, 0, 0, 0));
        assert_eq!((*step, *by), (Step::Came, 1));
    }

    #[test]
    fn an_undone_redemption_corrects_the_hour_it_was_in() {
        let undone = RedeemUndone {
            redemption: RedemptionId::from_entropy([1; 16]),
            coupon: CouponId::from_entropy([2; 16]),
            campaign: CampaignId::parse("quiet-hours").unwrap(),
            staff: StaffName::parse("lin").unwrap(),
            redeemed_at: "2026-12-01T07:55:00Z".parse().unwrap(),
            off_peak: true,
            origin: None,
            home: None,
        };
        let facts = fold(&at("2026-12-01T08:03:00Z", Event::RedeemUndone(undone)));
        let steps: Vec<_> = facts
            .iter()
            .filter_map(|fact| match fact {
                Fact::Add { cell, step, by } => Some((cell.hour.hour(), *step, *by)),
                Fact::Count { .. } => None,
                Fact::Visit { .. } | Fact::Patron { .. } => panic!("undoing is no visit"),
            })
            .collect();
        assert_eq!(
            steps,
            [(15, Step::Redeemed, -1), (15, Step::OffPeakRedeemed, -1)]
        );
    }
}
