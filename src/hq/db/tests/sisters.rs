//! Coupons that stores take from each other: one is told yes, and what was used twice is found.

use super::*;
use crate::domain::event::Home;
use crate::domain::ids::RedemptionId;
use crate::domain::wallet::Said;
use crate::hq::db::notice::Notice;
use crate::hq::db::sisters::Wish;
use crate::wire::link::HELD_FOR;

of_every_ledger! {
    one_store_at_a_time_is_told_that_it_may_redeem_a_sisters_coupon,
    what_was_redeemed_at_home_or_made_void_is_refused_elsewhere,
    the_own_store_hears_of_a_redemption_elsewhere_and_of_its_undoing,
    a_coupon_used_in_two_stores_is_a_double_until_one_is_taken_back,
    a_coupon_redeemed_before_the_ledger_knew_of_sisters_is_refused_elsewhere,
    a_coupon_made_void_before_there_were_notices_is_refused_elsewhere,
}

fn coupon(number: u8) -> CouponId {
    CouponId::from_entropy([number; 16])
}

fn wish(gateway: GatewayId, at: &str, redemption: u8) -> Wish {
    Wish {
        coupon: coupon(1),
        redemption: RedemptionId::from_entropy([redemption; 16]),
        nonce: u32::from(redemption),
        gateway,
        store: store(at),
        home: store("SZ01"),
        now: now(),
    }
}

async fn ask(hq: &Scratch, wish: Wish) -> Said {
    hq.ledger.reserve(wish).await.unwrap()
}

fn used(at: &str) -> Said {
    Said::Used {
        store: store(at),
        at: now(),
    }
}

/// The redemption of the first coupon in a store that is not its own.
fn abroad(redemption: u8) -> Event {
    let mut event = redeem(1, 1);
    if let Event::Redeem(redeem) = &mut event {
        redeem.redemption = RedemptionId::from_entropy([redemption; 16]);
        redeem.home = Some(Home {
            store: store("SZ01"),
            provisional: false,
        });
    }
    event
}

/// It is taken back.
fn back(redemption: u8) -> Event {
    let mut event = undo(1);
    if let Event::RedeemUndone(undone) = &mut event {
        undone.redemption = RedemptionId::from_entropy([redemption; 16]);
        undone.home = Some(store("SZ01"));
    }
    event
}

/// Has a gateway's journal say something.
async fn tell(hq: &Scratch, gateway: GatewayId, at: &str, first: u64, event: Event) {
    let lines = vec![line(first, &store(at), now(), event)];
    let number = u8::try_from(gateway.0).unwrap();
    let entries = of_its_own(number, examine(&at_store(at), lines));
    let sent = delivery(gateway, stream(number), entries);
    let outcome = hq.ledger.ingest(sent).await.unwrap();
    assert!(matches!(outcome, IngestOutcome::Taken(_)), "{outcome:?}");
}

/// A home and two sisters.
async fn three(hq: &Scratch) -> [GatewayId; 3] {
    let mut gateways = [GatewayId(0); 3];
    for (place, at) in gateways.iter_mut().zip(["SZ01", "SZ02", "SZ03"]) {
        *place = hq.enrol(at_store(at)).await.0;
    }
    gateways
}

async fn one_store_at_a_time_is_told_that_it_may_redeem_a_sisters_coupon(hq: &Scratch) {
    let [_, one, other] = three(hq).await;
    let (first, second) = tokio::join!(
        ask(hq, wish(one, "SZ02", 1)),
        ask(hq, wish(other, "SZ03", 2))
    );
    let (gateway, at, loser) = match (&first, &second) {
        (Said::Yes, no) => {
            assert_eq!(*no, used("SZ02"));
            (one, "SZ02", wish(other, "SZ03", 2))
        }
        (no, _) => {
            assert_eq!((no, &second), (&used("SZ03"), &Said::Yes));
            (other, "SZ03", wish(one, "SZ02", 1))
        }
    };
    // Whoever was told yes may ask again, the answer may have been lost.
    for redemption in [7, 7, 8] {
        assert_eq!(ask(hq, wish(gateway, at, redemption)).await, Said::Yes);
    }
    let late = Wish {
        now: now() + SignedDuration::try_from(HELD_FOR).unwrap(),
        ..loser.clone()
    };
    assert_eq!(ask(hq, loser.clone()).await, used(at));
    let release = |gateway, nonce| {
        let (coupon, redemption) = (coupon(1), RedemptionId::from_entropy([8; 16]));
        let unused = Unused {
            redemption,
            coupon,
            nonce,
        };
        hq.ledger.release(gateway, unused)
    };
    release(loser.gateway, 8).await.unwrap();
    assert_eq!(ask(hq, loser.clone()).await, used(at), "not theirs");
    let asked_again = Wish {
        nonce: 80,
        ..wish(gateway, at, 8)
    };
    assert_eq!(ask(hq, asked_again).await, Said::Yes);
    release(gateway, 8).await.unwrap();
    assert_eq!(ask(hq, loser.clone()).await, used(at), "asked again since");
    release(gateway, 80).await.unwrap();
    assert_eq!(ask(hq, loser).await, Said::Yes);
    let again = wish(gateway, at, 9);
    assert!(matches!(ask(hq, again).await, Said::Used { .. }));
    assert_eq!(ask(hq, late).await, Said::Yes);
}

async fn what_was_redeemed_at_home_or_made_void_is_refused_elsewhere(hq: &Scratch) {
    let [home, one, _] = three(hq).await;
    tell(hq, home, "SZ01", 1, redeem(1, 1)).await;
    assert_eq!(ask(hq, wish(one, "SZ02", 2)).await, used("SZ01"));
    tell(hq, home, "SZ01", 2, undo(1)).await;
    assert_eq!(ask(hq, wish(one, "SZ02", 2)).await, Said::Yes);
    let notice = Notice {
        to: Some(at_store("SZ01")),
        command: Command::VoidCoupon(coupon(1)),
        until: now() + SignedDuration::from_hours(24),
    };
    hq.ledger.keep_notice(notice).await.unwrap();
    assert_eq!(ask(hq, wish(one, "SZ02", 2)).await, Said::Voided);
}

async fn the_own_store_hears_of_a_redemption_elsewhere_and_of_its_undoing(hq: &Scratch) {
    let [home, one, other] = three(hq).await;
    assert_eq!(ask(hq, wish(one, "SZ02", 2)).await, Said::Yes);
    tell(hq, one, "SZ02", 1, abroad(2)).await;
    assert_eq!(ask(hq, wish(other, "SZ03", 3)).await, used("SZ02"));
    tell(hq, one, "SZ02", 2, back(2)).await;
    assert_eq!(ask(hq, wish(other, "SZ03", 3)).await, Said::Yes);
    let told = async |gateway| {
        let items = hq.ledger.commands_after(gateway, None, now()).await;
        let commands = items.unwrap().into_iter().map(|item| item.command());
        commands.collect::<Vec<_>>()
    };
    let heard = told(home).await;
    let [
        Some(Command::RedeemedElsewhere(redeemed)),
        Some(Command::UndoneElsewhere(undone)),
    ] = heard.as_slice()
    else {
        panic!("{heard:?}");
    };
    assert_eq!(redeemed.store, store("SZ02"));
    assert_eq!(redeemed.redemption, undone.redemption);
    for gateway in [one, other] {
        assert_eq!(told(gateway).await, []);
    }
}

async fn a_coupon_used_in_two_stores_is_a_double_until_one_is_taken_back(hq: &Scratch) {
    let [home, one, _] = three(hq).await;
    // Both were offline; the undoing comes before the redemption it is of.
    tell(hq, one, "SZ02", 1, abroad(2)).await;
    assert_eq!(hq.ledger.doubles().await.unwrap(), []);
    tell(hq, home, "SZ01", 1, redeem(1, 1)).await;
    tell(hq, home, "SZ01", 2, redeem(5, 5)).await;
    let doubles = hq.ledger.doubles().await.unwrap();
    assert_eq!(doubles.len(), 1);
    assert_eq!(doubles[0].coupon, coupon(1));
    let mut stores: Vec<_> = doubles[0]
        .uses
        .iter()
        .map(|one| one.store.as_str())
        .collect();
    stores.sort_unstable();
    assert_eq!(stores, ["SZ01", "SZ02"]);
    tell(hq, one, "SZ02", 2, back(2)).await;
    assert_eq!(hq.ledger.doubles().await.unwrap(), []);
}

async fn a_coupon_redeemed_before_the_ledger_knew_of_sisters_is_refused_elsewhere(hq: &Scratch) {
    let [home, one, _] = three(hq).await;
    tell(hq, home, "SZ01", 1, redeem(1, 1)).await;
    tell(hq, home, "SZ01", 2, redeem(2, 2)).await;
    tell(hq, home, "SZ01", 3, undo(2)).await;
    let older = "delete from refinery_schema_history where version >= 6;";
    meddle(&hq.place, &[SINCE_V6, older].concat()).await;
    let ledger = hq.open_again().await;
    let first = ledger.reserve(wish(one, "SZ02", 9)).await.unwrap();
    assert_eq!(first, used("SZ01"));
    let second = Wish {
        coupon: coupon(2),
        ..wish(one, "SZ02", 9)
    };
    assert_eq!(ledger.reserve(second).await.unwrap(), Said::Yes);
}

async fn a_coupon_made_void_before_there_were_notices_is_refused_elsewhere(hq: &Scratch) {
    let [home, one, other] = three(hq).await;
    give(hq, home, 1, Command::VoidCoupon(coupon(1))).await;
    give(hq, other, 2, Command::VoidCoupon(coupon(2))).await;
    assert_eq!(ask(hq, wish(one, "SZ02", 9)).await, Said::Voided);
    let second = Wish {
        coupon: coupon(2),
        ..wish(one, "SZ02", 9)
    };
    assert_eq!(ask(hq, second).await, Said::Yes, "of another store");
}
