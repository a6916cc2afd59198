//! Which offer a diner sees, here and now.

use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Timestamp};

use super::calendar::business_day;
use super::campaign::{Audience, Campaign};
use super::store::{Store, TouchpointKind};

/// What is known of a diner when the offer is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Diner {
    /// Coupons this gateway has issued to the diner.
    pub claimed: usize,
    /// Of these, redeemed.
    pub redeemed: usize,
    pub standing: Standing,
    pub occasion: Occasion,
}

/// What a diner gets something for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Occasion {
    /// Their own tap on a page's offer.
    #[default]
    Offered,
    /// Staff are seating them at what they booked.
    Seated,
    /// Somebody was brought, or has brought them.
    Referral,
    /// They sit at a table with others.
    Together,
}

/// What the shop itself knows of a diner, beside their coupons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// One of its VIPs, as its own members say.
    pub is_vip: bool,
    /// The month of the birthday that they told.
    pub born_in: Option<i8>,
}

impl Diner {
    fn belongs_to(self, audience: Audience, today: Date) -> bool {
        match self.occasion {
            Occasion::Offered | Occasion::Seated => {}
            Occasion::Referral => return audience == Audience::Referral,
            // One of them holds the coupon, and who that is must not matter.
            Occasion::Together => return audience == Audience::Everyone,
        }
        match audience {
            Audience::Everyone => true,
            Audience::FirstVisit => self.claimed == 0,
            Audience::Returning => self.redeemed > 0,
            Audience::Vip => self.standing.is_vip,
            Audience::Birthday => self.standing.born_in == Some(today.month()),
            Audience::Booked => self.occasion == Occasion::Seated,
            Audience::Referral => false,
        }
    }
}

/// A table's page that is opened again is the same visit, and a meal takes less than this.
const A_VISIT: SignedDuration = SignedDuration::from_hours(3);

/// Whether somebody who was `last_heard_of` then has gone and come again.
pub fn is_back(last_heard_of: Option<Timestamp>, now: Timestamp) -> bool {
    last_heard_of.is_some_and(|then| now.duration_since(then) >= A_VISIT)
}

/// Where and when an offer is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    pub store: &'a Store,
    pub kind: TouchpointKind,
    pub local: DateTime,
}

/// Whether `campaign` is for this place, now, and this diner. What a page shows and what a tap may claim
/// are both asked here, so a form that was made up claims nothing that no page would have shown.
pub fn is_open_to(campaign: &Campaign, place: Place<'_>, diner: Diner) -> bool {
    let today = business_day(place.local);
    let is_here = match diner.occasion {
        Occasion::Offered | Occasion::Seated | Occasion::Together => {
            campaign.group.is_some() == (diner.occasion == Occasion::Together)
                && campaign.touchpoints.contains(&place.kind)
                && campaign.is_open(place.local, &place.store.holidays)
        }
        // Between two people: wherever the code was shown, and whenever the friend comes.
        Occasion::Referral => campaign.runs_on(today),
    };
    campaign.reaches(place.store) && is_here && diner.belongs_to(campaign.audience, today)
}

/// The best offer at `place` for `diner` among those that `has_stock`.
///
/// The narrower offer wins: one for certain hours over one for all day, one for certain people over one
/// for everyone; then the one that is worth most to the diner; then the first by name, so that the same
/// moment always shows the same offer.
pub fn best<'a>(
    campaigns: impl IntoIterator<Item = &'a Campaign>,
    place: Place<'_>,
    diner: Diner,
    has_stock: impl Fn(&Campaign) -> bool,
) -> Option<&'a Campaign> {
    campaigns
        .into_iter()
        .filter(|campaign| is_open_to(campaign, place, diner))
        .filter(|campaign| has_stock(campaign))
        .min_by_key(|campaign| {
            (
                campaign.windows.is_empty(),
                campaign.audience == Audience::Everyone,
                std::cmp::Reverse(campaign.offer.cost_fen),
                &campaign.id,
            )
        })
}

#[cfg(test)]
mod tests {
    use jiff::civil::datetime;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::ids::CampaignId;
    use crate::domain::together::Group;
    use crate::domain::written::read_strictly;

    fn store() -> Store {
        toml::from_str(include_str!(
            "../../tests/fixtures/chain/stores/SZ01/store.toml"
        ))
        .unwrap()
    }

    fn quiet_hours() -> Campaign {
        read_strictly(
            "quiet-hours.toml",
            include_str!("../../tests/fixtures/chain/campaigns/quiet-hours.toml"),
        )
        .unwrap()
    }

    fn all_day() -> Campaign {
        let mut campaign = quiet_hours();
        campaign.id = CampaignId::parse("all-day").unwrap();
        campaign.windows.clear();
        campaign.offer.cost_fen = 900;
        campaign
    }

    #[test]
    fn a_page_that_is_opened_again_is_no_new_visit() {
        let came = Timestamp::from_second(1_796_110_200).unwrap();
        let hours = |hours| came + SignedDuration::from_hours(hours);
        assert!(!is_back(None, came), "a stranger");
        assert!(!is_back(Some(came), hours(2)));
        assert!(is_back(Some(came), hours(3)));
        assert!(!is_back(Some(hours(5)), came), "the clock was put back");
    }

    fn best_at(local: DateTime, kind: TouchpointKind, diner: Diner) -> Option<String> {
        let store = store();
        let place = Place {
            store: &store,
            kind,
            local,
        };
        best(&[all_day(), quiet_hours()], place, diner, |_| true).map(|c| c.id.to_string())
    }

    #[test]
    fn in_the_quiet_hours_the_quiet_offer_wins_even_if_it_is_worth_less() {
        let afternoon = datetime(2026, 12, 1, 15, 0, 0, 0);
        let evening = datetime(2026, 12, 1, 19, 0, 0, 0);
        let table = TouchpointKind::Table;
        assert_eq!(
            best_at(afternoon, table, Diner::default()).as_deref(),
            Some("quiet-hours")
        );
        assert_eq!(
            best_at(evening, table, Diner::default()).as_deref(),
            Some("all-day")
        );
    }

    #[test]
    fn a_place_the_campaigns_do_not_name_has_no_offer() {
        let afternoon = datetime(2026, 12, 1, 15, 0, 0, 0);
        assert_eq!(
            best_at(afternoon, TouchpointKind::Receipt, Diner::default()),
            None
        );
    }

    #[test]
    fn an_offer_without_stock_gives_way_to_the_next() {
        let store = store();
        let place = Place {
            store: &store,
            kind: TouchpointKind::Table,
            local: datetime(2026, 12, 1, 15, 0, 0, 0),
        };
        let campaigns = [all_day(), quiet_hours()];
        let left = best(&campaigns, place, Diner::default(), |c| !c.is_off_peak()).unwrap();
        assert_eq!(left.id.as_str(), "all-day");
    }

    #[test]
    fn an_offer_for_first_visits_is_not_shown_to_a_regular() {
        let mut first = all_day();
        first.audience = Audience::FirstVisit;
        let store = store();
        let place = Place {
            store: &store,
            kind: TouchpointKind::Table,
            local: datetime(2026, 12, 1, 19, 0, 0, 0),
        };
        let regular = Diner {
            claimed: 2,
            redeemed: 1,
            ..Diner::default()
        };
        assert!(best([&first], place, Diner::default(), |_| true).is_some());
        assert!(best([&first], place, regular, |_| true).is_none());
    }

    #[test]
    fn a_birthdays_offer_is_for_its_month_by_the_shops_own_day_and_a_bookings_is_on_no_page() {
        let store = store();
        let is_for = |audience, (standing, occasion), local| {
            let mut campaign = all_day();
            campaign.audience = audience;
            let place = Place {
                store: &store,
                kind: TouchpointKind::Table,
                local,
            };
            let diner = Diner {
                standing,
                occasion,
                ..Diner::default()
            };
            best([&campaign], place, diner, |_| true).is_some()
        };
        let born_in = |month| {
            let standing = Standing {
                born_in: Some(month),
                ..Standing::default()
            };
            (standing, Occasion::Offered)
        };
        let december = datetime(2026, 12, 1, 19, 0, 0, 0);
        assert!(is_for(Audience::Birthday, born_in(12), december));
        assert!(!is_for(Audience::Birthday, born_in(11), december));
        assert!(!is_for(Audience::Birthday, Default::default(), december));
        let after_midnight = datetime(2027, 1, 1, 1, 0, 0, 0);
        assert!(is_for(Audience::Birthday, born_in(12), after_midnight));
        let seated = (Standing::default(), Occasion::Seated);
        assert!(is_for(Audience::Booked, seated, december));
        assert!(!is_for(Audience::Booked, born_in(12), december));
    }

    #[test]
    fn a_gift_between_friends_or_for_a_table_is_nobodys_alone() {
        let mut gift = quiet_hours();
        gift.audience = Audience::Referral;
        let store = store();
        let place = Place {
            store: &store,
            kind: TouchpointKind::Receipt,
            local: datetime(2026, 12, 1, 21, 0, 0, 0),
        };
        let diner = |occasion| Diner {
            occasion,
            ..Diner::default()
        };
        assert!(!is_open_to(&gift, place, diner(Occasion::Offered)));
        assert!(is_open_to(&gift, place, diner(Occasion::Referral)));
        let over = Place {
            local: datetime(2027, 12, 1, 21, 0, 0, 0),
            ..place
        };
        assert!(!is_open_to(&gift, over, diner(Occasion::Referral)));
        let mut tables = all_day();
        tables.group = Some(Group {
            guests: 3,
            within_minutes: 30,
            sitting_minutes: 120,
        });
        let at_table = Place {
            kind: TouchpointKind::Table,
            ..place
        };
        assert!(!is_open_to(&tables, at_table, diner(Occasion::Offered)));
        assert!(is_open_to(&tables, at_table, diner(Occasion::Together)));
        let everybodys = all_day();
        assert!(!is_open_to(
            &everybodys,
            at_table,
            diner(Occasion::Together)
        ));
        let asked = is_open_to(&everybodys, place, diner(Occasion::Referral));
        assert!(!asked, "an offer of a page is no gift between friends");
    }

    const AUDIENCES: [Audience; 4] = [
        Audience::Everyone,
        Audience::FirstVisit,
        Audience::Returning,
        Audience::Vip,
    ];

    proptest! {
        #[test]
        fn an_offer_for_vips_is_for_vips_alone_and_before_everybodys(
            offers in proptest::collection::vec((0..4_usize, 0..900_u32), 1..6),
            (claimed, redeemed, is_vip) in (0..4_usize, 0..4_usize, any::<bool>()),
            hour in 4..24_i8,
        ) {
            let campaigns: Vec<Campaign> = offers.iter().enumerate().map(|(n, (audience, cost))| {
                let mut campaign = all_day();
                campaign.id = CampaignId::parse(&format!("offer-{n}")).unwrap();
                campaign.audience = AUDIENCES[*audience];
                campaign.offer.cost_fen = *cost;
                campaign
            }).collect();
            let standing = Standing { is_vip, ..Standing::default() };
            let diner = Diner { claimed, redeemed: redeemed.min(claimed), standing, ..Diner::default() };
            let store = store();
            let local = datetime(2026, 12, 1, hour, 0, 0, 0);
            let place = Place { store: &store, kind: TouchpointKind::Table, local };
            let best = best(&campaigns, place, diner, |_| true).map(|best| best.audience);
            let has = |audience| campaigns.iter().any(|one| one.audience == audience);
            prop_assert!(is_vip || best != Some(Audience::Vip));
            if is_vip && has(Audience::Vip) {
                prop_assert!(best.is_some_and(|audience| audience != Audience::Everyone));
            }
            if is_vip && has(Audience::Vip) && redeemed.min(claimed) == 0 && claimed > 0 {
                prop_assert_eq!(best, Some(Audience::Vip));
            }
        }
    }
}
