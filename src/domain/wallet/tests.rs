//! The wallet's stories: given a store, when a diner taps or a till asks, then.

use super::*;
use crate::domain::campaign::{Audience, Begins};
use crate::domain::event::{Consent, Purpose};
use crate::domain::store::TouchpointKind;
use crate::domain::written::read_strictly;

fn store() -> Store {
    toml::from_str(include_str!(
        "../../../tests/fixtures/chain/stores/SZ01/store.toml"
    ))
    .unwrap()
}

fn quiet_hours() -> Campaign {
    read_strictly(
        "quiet-hours.toml",
        include_str!("../../../tests/fixtures/chain/campaigns/quiet-hours.toml"),
    )
    .unwrap()
}

fn table() -> Touchpoint {
    Touchpoint {
        code: TouchpointCode::from_entropy(7),
        kind: TouchpointKind::Table,
        label: "A12".to_owned(),
        cost_fen: None,
    }
}

/// Tuesday, half past three in the afternoon in Shenzhen.
fn afternoon() -> Timestamp {
    "2026-12-01T15:30:00+08:00".parse().unwrap()
}

fn fresh(seed: u8) -> Fresh {
    Fresh {
        coupon: [seed; 16],
        vid: [seed; 16],
        codes: [u64::from(seed); 8].map(|code| code * 1_000_003),
    }
}

pub(super) struct TestShop {
    pub(super) store: Store,
    pub(super) table: Touchpoint,
    pub(super) campaign: Campaign,
    pub(super) staff: StaffName,
    pub(super) wallet: Wallet,
    /// This box's share of the campaign's total.
    pub(super) slice: Option<u32>,
    pub(super) now: Timestamp,
    /// Coupons shown at the till, and what the id of the next redemption is made of.
    shown: u8,
}

impl TestShop {
    pub(super) fn open() -> Self {
        Self {
            store: store(),
            table: table(),
            campaign: quiet_hours(),
            staff: StaffName::parse("xiaochen").unwrap(),
            wallet: Wallet::default(),
            slice: None,
            now: afternoon(),
            shown: 0,
        }
    }

    pub(super) fn tap(&mut self, seed: u8, vid: Option<Vid>) -> Result<Tapped, TapRefused> {
        let asked = TapAsked {
            tap: TapId::from_entropy([seed; 16]),
            vid,
            standing: Standing::default(),
            occasion: Occasion::Offered,
            store: &self.store,
            touchpoint: &self.table,
            campaign: &self.campaign,
            slice: self.slice,
            issuer: Issuer::Store,
            now: self.now,
            fresh: fresh(seed),
        };
        let tapped = self.wallet.claim(&asked)?;
        if let Tapped::New(claim) = &tapped {
            self.happen(Event::Claim((**claim).clone()));
        }
        Ok(tapped)
    }

    pub(super) fn claim(&mut self, seed: u8) -> Claim {
        match self.tap(seed, None).unwrap() {
            Tapped::New(claim) => *claim,
            Tapped::Held(_) => panic!("a new tap found an old coupon"),
        }
    }

    pub(super) fn show(&mut self, presented: &Presented) -> Result<Redeem, TillRefused> {
        let asked = RedeemAsked {
            presented,
            store: &self.store,
            staff: &self.staff,
            device: DeviceId::from_entropy([1; 16]),
            redemption: RedemptionId::from_entropy([self.shown; 16]),
            now: self.now,
        };
        self.shown += 1;
        let redeem = self.wallet.redeem(&asked, |_| Some(&self.campaign))?;
        self.happen(Event::Redeem(redeem.clone()));
        Ok(redeem)
    }

    pub(super) fn happen(&mut self, event: Event) {
        let occurrence = Occurrence {
            store: self.store.id.clone(),
            moment: moment_at(&self.store, self.now),
            event,
        };
        self.wallet.apply(&occurrence);
    }

    /// A view every hour: the time that forgetting goes by follows.
    pub(super) fn weeks_of_ordinary_life(&mut self, weeks: i64) {
        self.hours_of_ordinary_life(weeks * 7 * 24);
    }

    pub(super) fn hours_of_ordinary_life(&mut self, hours: i64) {
        for _ in 0..hours {
            self.later(60);
            self.view();
        }
    }

    /// A page is opened: all that the wallet hears of it is the time.
    pub(super) fn view(&mut self) {
        self.wallet.keep_time(self.now);
    }

    pub(super) fn later(&mut self, minutes: i64) {
        self.now += SignedDuration::from_mins(minutes);
    }
}

#[test]
fn the_same_tap_holds_the_same_coupon() {
    let mut shop = TestShop::open();
    let first = shop.claim(1);
    assert_eq!(shop.tap(1, None), Ok(Tapped::Held(first.coupon)));
}

#[test]
fn a_diner_who_comes_back_is_shown_the_coupon_they_hold() {
    let mut shop = TestShop::open();
    let first = shop.claim(1);
    shop.later(24 * 60);
    assert_eq!(shop.tap(2, Some(first.vid)), Ok(Tapped::Held(first.coupon)));
    shop.later(7 * 24 * 60);
    assert!(matches!(shop.tap(3, Some(first.vid)), Ok(Tapped::New(_))));
}

#[test]
fn a_table_has_four_coupons_a_day_and_four_more_tomorrow() {
    let mut shop = TestShop::open();
    for seed in 1..=4 {
        shop.claim(seed);
    }
    assert_eq!(shop.tap(5, None), Err(TapRefused::TableIsDone));
    shop.later(24 * 60);
    shop.claim(6);
}

#[test]
fn a_slice_of_the_total_is_never_overspent() {
    let mut shop = TestShop::open();
    shop.campaign.limits.total = Some(2);
    shop.claim(1);
    shop.claim(2);
    assert_eq!(shop.tap(3, None), Err(TapRefused::CampaignIsDone));
}

#[test]
fn outside_the_quiet_hours_nothing_is_claimed() {
    let mut shop = TestShop::open();
    shop.later(120);
    assert_eq!(shop.tap(1, None), Err(TapRefused::Closed));
}

#[test]
fn a_coupon_is_redeemed_once() {
    let mut shop = TestShop::open();
    let code = Presented::Code(shop.claim(1).code);
    let redeemed_at = shop.now;
    assert!(shop.show(&code).is_ok());
    shop.later(1);
    assert_eq!(
        shop.show(&code),
        Err(TillRefused::AlreadyRedeemed(redeemed_at))
    );
}

#[test]
fn a_coupon_for_the_quiet_hours_is_refused_at_dinner() {
    let mut shop = TestShop::open();
    let code = Presented::Code(shop.claim(1).code);
    shop.later(180);
    assert_eq!(shop.show(&code), Err(TillRefused::OutsideHours));
}

#[test]
fn a_coupon_ends_with_its_last_day() {
    let mut shop = TestShop::open();
    let claim = shop.claim(1);
    shop.later(7 * 24 * 60 + 1);
    assert_eq!(
        shop.show(&Presented::Code(claim.code)),
        Err(TillRefused::Expired(claim.not_after))
    );
}

#[test]
fn a_street_code_that_has_not_arrived_asks_for_the_qr() {
    let mut shop = TestShop::open();
    let street = ShortCode::from_entropy(99, 4, Issuer::Street);
    assert_eq!(
        shop.show(&Presented::Code(street)),
        Err(TillRefused::AskForQr)
    );
}

#[test]
fn a_street_coupon_is_redeemed_once_by_its_token() {
    let mut shop = TestShop::open();
    let token = Presented::Token(TokenClaims {
        coupon: CouponId::from_entropy([5; 16]),
        campaign: shop.campaign.id.clone(),
        store: shop.store.id.clone(),
        not_before: shop.now,
        not_after: shop.now + SignedDuration::from_hours(48),
        cap_fen: 0,
    });
    assert!(shop.show(&token).is_ok());
    assert!(matches!(
        shop.show(&token),
        Err(TillRefused::AlreadyRedeemed(_))
    ));
}

#[test]
fn another_stores_coupon_says_which_store() {
    let mut shop = TestShop::open();
    let sister = StoreId::parse("SZ03").unwrap();
    let own = std::mem::replace(&mut shop.store.id, sister.clone());
    let claim = shop.claim(1);
    shop.store.id = own;
    assert_eq!(
        shop.show(&Presented::Code(claim.code)),
        Err(TillRefused::OtherStore(sister))
    );
}

#[test]
fn a_coupon_for_the_next_visit_begins_with_the_next_business_day_and_lasts_from_there() {
    let mut shop = TestShop::open();
    shop.campaign.validity.begins = Begins::NextVisit;
    shop.campaign.validity.windows_apply = false;
    let claim = shop.claim(1);
    let begins = "2026-12-02T04:00:00+08:00".parse().unwrap();
    let ends: Timestamp = "2026-12-09T04:00:00+08:00".parse().unwrap();
    assert_eq!((claim.not_before, claim.not_after), (begins, ends));
    let code = Presented::Code(claim.code);
    assert_eq!(shop.show(&code), Err(TillRefused::NotYet(begins)));
    shop.now = begins;
    assert!(shop.show(&code).is_ok());
}

#[test]
fn a_slip_is_undone_within_ten_minutes_and_the_coupon_lives_again() {
    let mut shop = TestShop::open();
    let code = Presented::Code(shop.claim(1).code);
    let staff = shop.staff.clone();
    let redeem = shop.show(&code).unwrap();
    shop.later(10);
    let undone = shop
        .wallet
        .undo(redeem.redemption, Undoer::Staff(&staff), shop.now)
        .unwrap();
    shop.happen(Event::RedeemUndone(undone));
    let again = shop.show(&code).unwrap();

    shop.later(11);
    assert_eq!(
        shop.wallet
            .undo(again.redemption, Undoer::Staff(&staff), shop.now),
        Err(UndoRefused::TooLate)
    );
}

#[test]
fn what_others_redeemed_or_what_is_old_takes_a_manager() {
    let mut shop = TestShop::open();
    let code = Presented::Code(shop.claim(1).code);
    let [other, manager] = ["wang", "boss"].map(|name| StaffName::parse(name).unwrap());
    let redemption = shop.show(&code).unwrap().redemption;
    assert_eq!(
        shop.wallet
            .undo(redemption, Undoer::Staff(&other), shop.now),
        Err(UndoRefused::NotTheirs)
    );
    // A week after the coupon's end it is still remembered.
    shop.weeks_of_ordinary_life(1);
    let undone = shop
        .wallet
        .undo(redemption, Undoer::Manager(&manager), shop.now)
        .unwrap();
    assert_eq!(undone.staff, manager);
    shop.happen(Event::RedeemUndone(undone));
    assert_eq!(
        shop.wallet
            .undo(redemption, Undoer::Manager(&manager), shop.now),
        Err(UndoRefused::Unknown)
    );
}

#[test]
fn wrong_pins_make_their_own_device_wait() {
    let mut shop = TestShop::open();
    let device = DeviceId::from_entropy([1; 16]);
    for _ in 0..3 {
        shop.later(1);
        shop.happen(Event::RedeemRefused(RedeemRefused {
            reason: RefusalReason::WrongPin,
            device,
            coupon: None,
        }));
    }
    assert_eq!(
        shop.wallet.pin_allowed_from(device, shop.now),
        shop.now + SignedDuration::from_secs(30)
    );
    let other = DeviceId::from_entropy([2; 16]);
    assert_eq!(
        shop.wallet.pin_allowed_from(other, shop.now),
        Timestamp::MIN
    );
}

impl TestShop {
    /// A wrong PIN, stamped as the till stamps it.
    fn slip(&mut self) {
        let device = DeviceId::from_entropy([1; 16]);
        let now = self.now;
        self.now = self.wallet.slip_stamp(device, now);
        self.happen(Event::RedeemRefused(RedeemRefused {
            reason: RefusalReason::WrongPin,
            device,
            coupon: None,
        }));
        self.now = now;
    }

    fn waits(&self) -> bool {
        let device = DeviceId::from_entropy([1; 16]);
        self.wallet.pin_allowed_from(device, self.now) > self.now
    }
}

#[test]
fn a_clock_that_steps_back_a_little_forgives_no_wrong_pin() {
    let mut shop = TestShop::open();
    shop.slip();
    shop.later(-30);
    for _ in 0..2 {
        shop.slip();
    }
    assert!(shop.waits());
}

#[test]
fn a_clock_that_was_years_ahead_locks_no_till() {
    let mut shop = TestShop::open();
    shop.later(10 * 365 * 24 * 60);
    for _ in 0..5 {
        shop.slip();
    }
    assert!(shop.waits());
    shop.later(-10 * 365 * 24 * 60);
    assert!(!shop.waits());
    for _ in 0..3 {
        shop.slip();
    }
    assert!(shop.waits(), "and counting begins anew");
}

#[test]
fn a_clock_that_was_years_ahead_for_a_moment_forgets_no_coupon() {
    let mut shop = TestShop::open();
    let mut kept = BTreeMap::new();
    let code = Presented::Code(shop.claim(1).code);
    shop.show(&code).unwrap();
    shop.wallet = restarted(&mut shop.wallet, &mut kept);
    shop.later(10 * 365 * 24 * 60);
    shop.slip();
    shop.wallet = restarted(&mut shop.wallet, &mut kept);
    shop.later(-10 * 365 * 24 * 60);
    assert!(matches!(
        shop.show(&code),
        Err(TillRefused::AlreadyRedeemed(_))
    ));
}

#[test]
fn a_clock_that_was_years_ahead_lets_no_street_coupon_be_used_twice() {
    let mut shop = TestShop::open();
    let mut kept = BTreeMap::new();
    let token = Presented::Token(TokenClaims {
        coupon: CouponId::from_entropy([7; 16]),
        campaign: shop.campaign.id.clone(),
        store: shop.store.id.clone(),
        not_before: shop.now,
        not_after: shop.now + SignedDuration::from_hours(7 * 24),
        cap_fen: 0,
    });
    shop.show(&token).unwrap();
    shop.wallet = restarted(&mut shop.wallet, &mut kept);
    assert!(shop.wallet.is_empty(), "none of its own");
    let now = shop.now;
    shop.now = "2036-01-01T00:00:00Z".parse().unwrap();
    shop.view();
    shop.wallet = restarted(&mut shop.wallet, &mut kept);
    shop.now = now;
    assert!(matches!(
        shop.show(&token),
        Err(TillRefused::AlreadyRedeemed(_))
    ));
}

#[test]
fn a_form_that_was_made_up_claims_nothing_that_no_page_shows() {
    let mut shop = TestShop::open();
    shop.campaign.audience = Audience::Vip;
    assert_eq!(shop.tap(1, None), Err(TapRefused::Closed));
    shop.campaign.audience = Audience::Everyone;
    shop.table.kind = TouchpointKind::Receipt;
    assert_eq!(shop.tap(2, None), Err(TapRefused::Closed));
    shop.table.kind = TouchpointKind::Table;
    shop.campaign.stores.clear();
    assert_eq!(shop.tap(3, None), Err(TapRefused::Closed));
}

/// Moves the wallet through its checkpoint, as a restart does.
pub(super) fn restarted(wallet: &mut Wallet, kept: &mut BTreeMap<Key, Entry>) -> Wallet {
    for key in wallet.take_changes() {
        match wallet.entry(&key) {
            Some(entry) => kept.insert(key, entry),
            None => kept.remove(&key),
        };
    }
    let mut again = Wallet::default();
    for entry in kept.values() {
        again.restore(entry.clone());
    }
    again
}

#[test]
fn a_wallet_comes_back_from_its_checkpoint_as_it_was() {
    let mut shop = TestShop::open();
    let mut kept = BTreeMap::new();
    let first = shop.claim(1);
    let second = shop.claim(2);
    shop.show(&Presented::Code(second.code)).unwrap();
    shop.wallet = restarted(&mut shop.wallet, &mut kept);

    assert_eq!(shop.tap(1, None), Ok(Tapped::Held(first.coupon)));
    assert!(matches!(
        shop.show(&Presented::Code(second.code)),
        Err(TillRefused::AlreadyRedeemed(_))
    ));
    shop.claim(3);
    shop.claim(4);
    assert_eq!(shop.tap(5, None), Err(TapRefused::TableIsDone));
}

#[test]
fn old_coupons_are_forgotten_but_their_campaign_still_counts_them() {
    let mut shop = TestShop::open();
    let mut kept = BTreeMap::new();
    shop.campaign.limits.total = Some(3);
    shop.campaign.ends = jiff::civil::date(2027, 12, 31);
    for seed in 1..=2 {
        let code = shop.claim(seed).code;
        shop.show(&Presented::Code(code)).unwrap();
    }
    shop.wallet = restarted(&mut shop.wallet, &mut kept);
    shop.weeks_of_ordinary_life(3);
    shop.claim(3);
    shop.wallet = restarted(&mut shop.wallet, &mut kept);

    assert_eq!(shop.wallet.len(), 1);
    assert!(kept.contains_key(&Key::Forgotten(shop.campaign.id.clone())));
    assert_eq!(shop.tap(4, None), Err(TapRefused::CampaignIsDone));
}

#[test]
fn a_checkpoint_writes_what_has_changed_since_the_last_and_nothing_else() {
    let mut shop = TestShop::open();
    let claim = shop.claim(1);
    let consent = Consent {
        vid: claim.vid,
        coupon: claim.coupon,
        purpose: Purpose::Marketing,
        version: 1,
        words_hash: "0123456789abcdef".to_owned(),
        words: None,
    };
    let own = Key::Coupon(claim.coupon);
    let first: Vec<_> = shop.wallet.take_changes().into_iter().collect();
    assert_eq!(first, [Key::Steady, own.clone()]);
    assert!(shop.wallet.take_changes().is_empty());

    shop.happen(Event::ConsentGiven(consent));
    assert_eq!(shop.wallet.take_changes().pop_last(), Some(own));
    assert!(shop.wallet.take_changes().is_empty());
}

#[test]
fn a_redemption_taken_back_leaves_the_checkpoint_and_may_come_again() {
    let mut shop = TestShop::open();
    let mut kept = BTreeMap::new();
    let claim = shop.claim(1);
    let code = Presented::Code(claim.code);
    let staff = shop.staff.clone();
    let redeem = shop.show(&code).unwrap();
    shop.wallet = restarted(&mut shop.wallet, &mut kept);

    let undone = shop
        .wallet
        .undo(redeem.redemption, Undoer::Staff(&staff), shop.now)
        .unwrap();
    shop.happen(Event::RedeemUndone(undone));
    shop.wallet = restarted(&mut shop.wallet, &mut kept);
    assert!(!shop.wallet.is_redeemed(claim.coupon));

    assert!(shop.show(&code).is_ok());
    shop.wallet = restarted(&mut shop.wallet, &mut kept);
    assert!(shop.wallet.is_redeemed(claim.coupon));
}

#[test]
fn the_number_of_a_redemption_stays_used_when_it_is_taken_back() {
    let mut shop = TestShop::open();
    let mut kept = BTreeMap::new();
    let code = Presented::Code(shop.claim(1).code);
    let id = shop.show(&code).unwrap().redemption;
    assert!(shop.wallet.is_used(id));
    let staff = shop.staff.clone();
    let undone = shop.wallet.undo(id, Undoer::Staff(&staff), shop.now);
    shop.happen(Event::RedeemUndone(undone.unwrap()));
    shop.wallet = restarted(&mut shop.wallet, &mut kept);
    assert!(shop.wallet.is_used(id) && shop.wallet.redemption_by_id(id).is_none());

    // Nobody can show the coupon any more.
    shop.weeks_of_ordinary_life(SHOWN_WITHIN.as_hours() / (7 * 24) + 1);
    shop.wallet = restarted(&mut shop.wallet, &mut kept);
    assert!(!shop.wallet.is_used(id) && !kept.contains_key(&Key::TakenBack(id)));
}

/// Entries that gateways in shops have on their disks.
const COUPON_ENTRY: &str = r#"{"coupon":{"claim":{"cpn":"00000000000000000000000000000001","cd":"7K3F","cmp":"quiet-hours","tp":"22222222","tap":"00000000000000000000000000000002","vid":"00000000000000000000000000000003","nb":1796110200123,"na":1796715000123,"gift":{"zh":"毛肚","en":"Tripe"},"rem":1797319800123,"off":true},"store":"SZ01","issued_at":1796110200123,"day":"2026-12-01","consented":true}}"#;
const REDEMPTION_ENTRY: &str = r#"{"redemption":{"redeem":{"red":"00000000000000000000000000000004","cpn":"00000000000000000000000000000001","cmp":"quiet-hours","stf":"xiaochen","dev":"00000000000000000000000000000005","vid":"00000000000000000000000000000003","rem":1797319800123,"off":true},"at":1796110800456}}"#;
const UNPLACED_ENTRY: &str = r#"{"redemption":{"redeem":{"red":"00000000000000000000000000000004","cpn":"00000000000000000000000000000006","cmp":"quiet-hours","stf":"xiaochen","dev":"00000000000000000000000000000005","rem":1797319800123},"at":1796110800456,"unplaced":true}}"#;

#[test]
fn what_is_packed_in_memory_is_the_same_bytes_in_the_checkpoint() {
    let mut wallet = Wallet::default();
    let [coupon, other] = [1_u128, 6].map(|n| CouponId::from_entropy(n.to_be_bytes()));
    for (key, text) in [
        (Key::Coupon(coupon), COUPON_ENTRY),
        (Key::Redemption(coupon), REDEMPTION_ENTRY),
        (Key::Redemption(other), UNPLACED_ENTRY),
    ] {
        wallet.restore(serde_json::from_str(text).unwrap());
        let entry = wallet.entry(&key).unwrap();
        assert_eq!(serde_json::to_string(&entry).unwrap(), text);
    }
}

#[test]
fn a_place_in_memory_that_was_freed_is_used_again() {
    let mut shop = TestShop::open();
    let mut kept = BTreeMap::new();
    shop.campaign.ends = jiff::civil::date(2027, 12, 31);
    let old = shop.claim(1);
    shop.wallet = restarted(&mut shop.wallet, &mut kept);
    shop.weeks_of_ordinary_life(3);
    shop.wallet.take_changes();
    assert_eq!(shop.wallet.coupon(old.coupon), None);
    assert_eq!(shop.wallet.of_tap(old.tap), None);

    let new = shop.claim(2);
    assert_eq!(shop.wallet.coupon(old.coupon), None);
    let found = shop.wallet.of_tap(new.tap).map(|coupon| coupon.claim);
    assert_eq!(found.as_ref(), Some(&new));
    assert_eq!(shop.wallet.diner(new.vid, Standing::default()).claimed, 1);
    assert_eq!(shop.wallet.diner(old.vid, Standing::default()).claimed, 0);
    assert_eq!(shop.wallet.shown(&Presented::Code(old.code)), None);
}

#[test]
fn a_void_coupon_is_refused_wherever_it_was_issued() {
    let mut shop = TestShop::open();
    let own = shop.claim(1);
    let street = TokenClaims {
        coupon: CouponId::from_entropy([5; 16]),
        campaign: shop.campaign.id.clone(),
        store: shop.store.id.clone(),
        not_before: shop.now,
        not_after: shop.now + SignedDuration::from_hours(48),
        cap_fen: 0,
    };
    for coupon in [own.coupon, street.coupon] {
        let voided = shop.wallet.void(coupon, shop.now).unwrap();
        shop.happen(Event::CouponVoided(voided));
    }
    for shown in [Presented::Code(own.code), Presented::Token(street)] {
        assert_eq!(shop.show(&shown), Err(TillRefused::Voided));
    }
    assert_eq!(shop.tap(1, None), Ok(Tapped::Held(own.coupon)));
}

#[test]
fn what_was_redeemed_is_too_late_to_be_void_until_it_is_taken_back() {
    let mut shop = TestShop::open();
    let claim = shop.claim(1);
    shop.show(&Presented::Code(claim.code)).unwrap();
    assert_eq!(shop.wallet.void(claim.coupon, shop.now), None);
    // Headquarters' word has no ten minutes.
    shop.later(24 * 60);
    let headquarters = StaffName::parse("headquarters").unwrap();
    let undone = shop.wallet.take_back(claim.coupon, &headquarters).unwrap();
    shop.happen(Event::RedeemUndone(undone));
    assert_eq!(shop.wallet.take_back(claim.coupon, &headquarters), None);
    assert!(shop.wallet.void(claim.coupon, shop.now).is_some());
}

#[test]
fn a_void_coupon_is_remembered_by_checkpoints_for_as_long_as_it_could_be_shown() {
    let mut shop = TestShop::open();
    let claim = shop.claim(1);
    let voided = shop.wallet.void(claim.coupon, shop.now).unwrap();
    shop.happen(Event::CouponVoided(voided));
    let changes = shop.wallet.take_changes();
    let mut again = Wallet::default();
    for entry in changes.iter().filter_map(|key| shop.wallet.entry(key)) {
        again.restore(entry);
    }
    assert!(again.is_voided(claim.coupon));
    shop.weeks_of_ordinary_life(3);
    assert!(shop.wallet.is_voided(claim.coupon));
    let gone = shop.wallet.take_changes();
    assert!(gone.contains(&Key::Voided(claim.coupon)));
    assert!(!shop.wallet.is_voided(claim.coupon));
}

#[test]
fn a_diner_is_heard_of_by_what_they_did_last_and_shown_what_they_can_use() {
    let mut shop = TestShop::open();
    let claim = shop.claim(1);
    let claimed_at = shop.now;
    assert_eq!(shop.wallet.last_heard_of(claim.vid), Some(claimed_at));
    let held = shop.wallet.latest_usable(claim.vid, shop.now).unwrap();
    assert_eq!(held.claim.coupon, claim.coupon);

    shop.later(20);
    shop.show(&Presented::Code(claim.code)).unwrap();
    assert_eq!(shop.wallet.last_heard_of(claim.vid), Some(shop.now));
    assert!(shop.wallet.latest_usable(claim.vid, shop.now).is_none());
    let stranger = Vid::from_entropy([9; 16]);
    assert_eq!(shop.wallet.last_heard_of(stranger), None);
}
