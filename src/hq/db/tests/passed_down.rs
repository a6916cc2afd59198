//! What the boxes of a store are told of coupons that the street has issued, and of such as are void.

use super::*;
use crate::hq::db::notice::Notice;

of_every_ledger! {
    a_claim_on_the_street_goes_down_to_each_box_of_its_store_once,
    a_claim_at_a_store_goes_to_the_street_that_is_there,
    a_box_that_is_enrolled_later_is_told_what_still_matters,
    a_box_that_is_enrolled_again_is_told_what_it_has_missed,
    many_claims_of_one_batch_are_numbered_one_after_the_other,
}

/// What the street sends, numbered from `first`.
fn on_the_street(first: u64, at: &StoreId, events: Vec<Event>) -> Vec<Entry> {
    let numbered = (first..).zip(events);
    let lines = numbered.map(|(seq, event)| line(seq, at, now(), event));
    examine(&Serves::Street, lines.collect())
}

/// The coupons that a gateway has been told of, under the numbers of the commands.
async fn told(hq: &Scratch, gateway: GatewayId) -> Vec<(u64, String, Option<CouponId>)> {
    let items = hq.ledger.commands_after(gateway, None, now()).await;
    let items = items.unwrap().into_iter();
    let seen = items.map(|item| {
        assert!(item.command().is_some(), "{item:?}");
        (item.cursor.number, item.kind, item.coupon)
    });
    seen.collect()
}

fn coupon(number: u8) -> CouponId {
    CouponId::from_entropy([number; 16])
}

fn know(number: u64, of: u8) -> (u64, String, Option<CouponId>) {
    (number, "know_coupon".to_owned(), Some(coupon(of)))
}

async fn a_claim_on_the_street_goes_down_to_each_box_of_its_store_once(hq: &Scratch) {
    let (street, _) = hq.enrol(Serves::Street).await;
    let (one, _) = hq.enrol(at_store("SZ01")).await;
    let (sister, _) = hq.enrol(at_store("SZ02")).await;
    let (other, _) = hq.enrol(at_store("SZ01")).await;
    let (gone, _) = hq.enrol(at_store("SZ01")).await;
    hq.ledger.revoke(gone, now()).await.unwrap();
    let batch = || {
        on_the_street(
            1,
            &store("SZ01"),
            vec![view(None), claim(1, 1), claim(2, 2)],
        )
    };
    for _ in 0..2 {
        send(hq, street, batch()).await;
    }
    // A copy of the street gateway brings the same coupon in a frame of its own.
    let again = of_its_own(9, on_the_street(4, &store("SZ01"), vec![claim(2, 2)]));
    send(hq, street, again).await;
    for gateway in [one, other] {
        assert_eq!(told(hq, gateway).await, [know(1, 1), know(2, 2)]);
    }
    for gateway in [sister, gone] {
        assert_eq!(told(hq, gateway).await, []);
    }
    // It issued them, and there may be a second one.
    assert_eq!(told(hq, street).await, [know(1, 1), know(2, 2)]);
    let items = hq.ledger.commands_after(one, None, now()).await.unwrap();
    let Event::Claim(claimed) = claim(1, 1) else {
        panic!("it is a claim");
    };
    let Some(Command::KnowCoupon(known)) = items[0].command() else {
        panic!("{items:?}");
    };
    assert_eq!((known.claim, known.claimed_at), (claimed, now()));
    assert_eq!(known.day, date(2026, 12, 1));
    let gateways = hq.ledger.gateways().await.unwrap();
    assert_eq!(gateways[1].commands, Row { given: 2, done: 0 });
    assert_eq!(give(hq, one, 7, Command::Renew).await, Some(3));
}

async fn a_claim_at_a_store_goes_to_the_street_that_is_there(hq: &Scratch) {
    let (one, _) = hq.enrol(at_store("SZ01")).await;
    let (other, _) = hq.enrol(at_store("SZ01")).await;
    send(hq, one, frames(1, vec![claim(1, 1)])).await;
    let (street, _) = hq.enrol(Serves::Street).await;
    assert_eq!(told(hq, street).await, [], "nothing was kept for nobody");
    send(hq, one, frames(2, vec![claim(2, 2)])).await;
    assert_eq!(told(hq, street).await, [know(1, 2)]);
    let items = hq.ledger.commands_after(street, None, now()).await.unwrap();
    let Some(Command::KnowCoupon(known)) = items[0].command() else {
        panic!("{items:?}");
    };
    assert_eq!(known.store, Some(store("SZ01")), "whose coupon it is");
    let (second, _) = hq.enrol(Serves::Street).await;
    assert_eq!(told(hq, second).await, [know(1, 2)]);
    assert_eq!(told(hq, other).await, []);
}

async fn a_box_that_is_enrolled_later_is_told_what_still_matters(hq: &Scratch) {
    let (street, _) = hq.enrol(Serves::Street).await;
    let mut over = claim(2, 2);
    if let Event::Claim(claim) = &mut over {
        claim.not_after = now() - SignedDuration::from_mins(1);
    }
    let claims = vec![claim(1, 1), over];
    send(hq, street, on_the_street(1, &store("SZ01"), claims)).await;
    for (to, of) in [
        (Some(at_store("SZ01")), 3),
        (Some(Serves::Street), 3),
        (None, 4),
    ] {
        let notice = Notice {
            to,
            command: Command::VoidCoupon(coupon(of)),
            until: now() + SignedDuration::from_hours(24),
        };
        for _ in 0..2 {
            hq.ledger.keep_notice(notice.clone()).await.unwrap();
        }
    }
    let (late, _) = hq.enrol(at_store("SZ01")).await;
    let (sister, _) = hq.enrol(at_store("SZ02")).await;
    let void = |number, of| (number, "void_coupon".to_owned(), Some(coupon(of)));
    assert_eq!(told(hq, late).await, [know(1, 1), void(2, 3), void(3, 4)]);
    assert_eq!(told(hq, sister).await, [void(1, 4)]);
    let own = [know(1, 1), know(2, 2)];
    assert_eq!(told(hq, street).await, own, "it was here before the others");
    // What comes now goes on behind it.
    let next = on_the_street(3, &store("SZ01"), vec![claim(5, 5)]);
    send(hq, street, next).await;
    assert_eq!(told(hq, late).await[3], know(4, 5));
}

async fn a_box_that_is_enrolled_again_is_told_what_it_has_missed(hq: &Scratch) {
    let (street, _) = hq.enrol(Serves::Street).await;
    let key = coupon_key();
    let enrol = || enrol_by_key(hq.ledger.as_ref(), at_store("SZ01"), key);
    let (gateway, _) = enrol().await;
    let heard = on_the_street(1, &store("SZ01"), vec![claim(1, 1)]);
    send(hq, street, heard).await;
    hq.ledger.revoke(gateway, now()).await.unwrap();
    let missed = on_the_street(2, &store("SZ01"), vec![claim(2, 2)]);
    send(hq, street, missed).await;
    assert_eq!(told(hq, gateway).await, [know(1, 1)]);
    for _ in 0..2 {
        let (again, _) = enrol().await;
        assert_eq!(again, gateway);
        assert_eq!(told(hq, gateway).await, [know(1, 1), know(2, 2)]);
    }
}

async fn many_claims_of_one_batch_are_numbered_one_after_the_other(hq: &Scratch) {
    let (street, _) = hq.enrol(Serves::Street).await;
    let (gateway, _) = hq.enrol(at_store("SZ01")).await;
    let claims = (1..=60).map(|number| claim(number, number)).collect();
    send(hq, street, on_the_street(1, &store("SZ01"), claims)).await;
    let expected: Vec<_> = (1..=60)
        .map(|number| know(u64::from(number), number))
        .collect();
    assert_eq!(told(hq, gateway).await, expected);
}
