//! The ledger counts once, whatever comes again, overlaps or is missing.

use jiff::SignedDuration;
use jiff::civil::date;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::domain::event::Event;
use crate::domain::uptake::{Fact, Step, fold};
use crate::hq::db::{IngestOutcome, Ledger, Taken};
use crate::hq::examine::examine;
use crate::hq::testing::{
    TestLedger, at_store, claim, coupon_key, delivery, frames, line, now, redeem, store, stream,
    undo, view,
};
use crate::wire::batch::Line;
use crate::wire::frame;
use crate::wire::link::StreamOffer;

async fn send(hq: &TestLedger, gateway: GatewayId, sent: Vec<Frame>) -> IngestOutcome {
    hq.ledger
        .ingest(delivery(gateway, stream(1), sent))
        .await
        .unwrap()
}

/// A hello with streams as (number, floor, next).
async fn greet(ledger: &dyn Ledger, gateway: GatewayId, streams: &[(u8, u64, u64)]) -> Marks {
    let offer = |(number, floor, next): &(u8, u64, u64)| StreamOffer {
        id: stream(*number),
        cls: 0,
        floor: *floor,
        next: *next,
        last: None,
    };
    let greeting = Greeting {
        gateway,
        offers: streams.iter().map(offer).collect(),
        now: now(),
    };
    ledger.greet(greeting).await.unwrap()
}

async fn figures_of_the_first(hq: &TestLedger) -> Figures {
    let asked = vec![(store("SZ01"), date(2026, 12, 1))];
    hq.ledger.figures(asked).await.unwrap().remove(0)
}

#[tokio::test]
async fn a_batch_that_comes_again_is_counted_once_and_acknowledged_again() {
    let hq = TestLedger::new();
    let (gateway, _) = hq.enrol(at_store("SZ01")).await;
    let batch = || frames(1, vec![view(None), claim(1, 1), redeem(1, 1)]);
    for (fresh, resent) in [(3, 0), (0, 3), (0, 3)] {
        let expected = IngestOutcome::Taken(Taken {
            acked: 3,
            fresh,
            resent,
            put_aside: Vec::new(),
        });
        assert_eq!(send(&hq, gateway, batch()).await, expected);
    }
    let figures = figures_of_the_first(&hq).await;
    assert_eq!(
        (
            figures.came,
            figures.claimed,
            figures.redeemed,
            figures.people
        ),
        (1, 1, 1, 1)
    );
    let totals = hq.ledger.totals().await.unwrap();
    assert_eq!((totals.frames, totals.frames_resent), (3, 6));
    assert_eq!(totals.frames_twice, 0);
}

#[tokio::test]
async fn a_frame_that_came_on_two_streams_is_a_frame_stored_twice() {
    let hq = TestLedger::new();
    let (gateway, _) = hq.enrol(at_store("SZ01")).await;
    for number in [1, 2] {
        let sent = delivery(gateway, stream(number), frames(1, vec![view(None)]));
        hq.ledger.ingest(sent).await.unwrap();
    }
    let totals = hq.ledger.totals().await.unwrap();
    assert_eq!((totals.frames, totals.frames_twice), (2, 1));
}

#[tokio::test]
async fn a_batch_with_a_hole_before_it_is_told_where_to_go_on() {
    let hq = TestLedger::new();
    let (gateway, _) = hq.enrol(at_store("SZ01")).await;
    send(&hq, gateway, frames(1, vec![view(None)])).await;
    assert_eq!(
        send(&hq, gateway, frames(3, vec![view(None)])).await,
        IngestOutcome::Expected { acked: 1 }
    );
    assert_eq!(hq.ledger.totals().await.unwrap().frames, 1);
}

#[tokio::test]
async fn a_stream_belongs_to_the_gateway_that_began_it() {
    let hq = TestLedger::new();
    let (owner, _) = hq.enrol(at_store("SZ01")).await;
    let (stranger, _) = hq.enrol(at_store("SZ01")).await;
    send(&hq, owner, frames(1, vec![view(None)])).await;
    assert_eq!(
        send(&hq, stranger, frames(2, vec![view(None)])).await,
        IngestOutcome::ForeignStream
    );
    let marks = greet(hq.ledger.as_ref(), stranger, &[(1, 1, 2)]).await;
    assert_eq!(marks, Marks::ForeignStream(stream(1)));
    let audit = hq.ledger.audit(1).await.unwrap();
    assert_eq!(audit[0].action, "stream_foreign");
    assert_eq!(audit[0].object, stranger.to_string());
}

#[tokio::test]
async fn a_gateway_that_went_back_in_time_is_refused_and_stays_so() {
    let hq = TestLedger::new();
    let (gateway, _) = hq.enrol(at_store("SZ01")).await;
    let ledger = hq.ledger.as_ref();
    send(&hq, gateway, frames(1, vec![view(None); 3])).await;
    assert_eq!(
        greet(ledger, gateway, &[(1, 1, 4)]).await,
        Marks::At(vec![3])
    );
    // Its image was restored from before its last frame; later it has written on past the mark.
    for next in [3, 9] {
        let marks = greet(ledger, gateway, &[(2, 1, 1), (1, 1, next)]).await;
        assert_eq!(marks, Marks::RolledBack(stream(1)));
    }
    assert_eq!(hq.ledger.gateways().await.unwrap()[0].waiting, Some(8));
    let audit = hq.ledger.audit(10).await.unwrap();
    let noted = audit
        .iter()
        .filter(|entry| entry.action == "stream_rolled_back");
    assert_eq!(noted.count(), 1);
}

#[tokio::test]
async fn a_ledger_from_a_backup_that_lacks_frames_is_noted_once_for_each_stream() {
    let hq = TestLedger::new();
    let (gateway, _) = hq.enrol(at_store("SZ01")).await;
    send(&hq, gateway, frames(1, vec![view(None)])).await;
    for _ in 0..2 {
        let marks = greet(hq.ledger.as_ref(), gateway, &[(1, 5, 9), (2, 7, 7)]).await;
        assert_eq!(marks, Marks::At(vec![1, 0]));
    }
    let audit = hq.ledger.audit(10).await.unwrap();
    let noted = audit.iter().filter(|entry| entry.action == "stream_behind");
    assert_eq!(noted.count(), 2);
}

#[tokio::test]
async fn what_cannot_be_read_is_put_aside_and_acknowledged() {
    let hq = TestLedger::new();
    let (gateway, _) = hq.enrol(at_store("SZ01")).await;
    let plain = |seq, body: &[u8]| {
        let id = FrameId::from_time_and_entropy(seq, [7; 10]);
        Line::frame(seq, id, body.to_vec())
    };
    let lines = vec![
        plain(1, b"{\"not\":\"a frame\"}"),
        plain(
            2,
            br#"{"st":"SZ01","b":1,"m":2,"w":0,"z":480,"e":[{"k":999,"x":{}},{"k":103,"x":{}}]}"#,
        ),
        line(3, &store("SZ02"), now(), view(None)),
        line(4, &store("SZ01"), now(), view(None)),
    ];
    let outcome = send(&hq, gateway, examine(&at_store("SZ01"), lines)).await;
    let IngestOutcome::Taken(taken) = outcome else {
        panic!("content is never refused: {outcome:?}");
    };
    assert_eq!(taken.acked, 4);
    assert_eq!(
        taken.put_aside,
        [
            (1, "unreadable"),
            (2, "unknown_event"),
            (3, "foreign_store")
        ]
    );
    let totals = hq.ledger.totals().await.unwrap();
    assert_eq!(
        (totals.frames, totals.events, totals.quarantined),
        (4, 2, 3)
    );
    assert_eq!(figures_of_the_first(&hq).await.came, 1);
}

#[tokio::test]
async fn a_diner_came_back_whatever_the_order_the_days_arrive_in() {
    let hq = TestLedger::new();
    let (gateway, _) = hq.enrol(at_store("SZ01")).await;
    let day_before = now() - SignedDuration::from_hours(24);
    let lines = vec![
        line(1, &store("SZ01"), now(), claim(1, 1)),
        line(2, &store("SZ01"), now(), claim(2, 2)),
        // An hour of the shop that was offline arrives late.
        line(3, &store("SZ01"), day_before, view(Some(1))),
    ];
    send(&hq, gateway, examine(&at_store("SZ01"), lines)).await;
    let figures = figures_of_the_first(&hq).await;
    assert_eq!((figures.people, figures.came_back), (2, 1));
}

#[tokio::test]
async fn a_business_day_ends_at_four_in_the_morning() {
    let hq = TestLedger::new();
    let (gateway, _) = hq.enrol(at_store("SZ01")).await;
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let times = [
        "2026-12-01T03:59:59+08:00",
        "2026-12-01T04:00:00+08:00",
        "2026-12-02T03:59:59+08:00",
        "2026-12-02T04:00:00+08:00",
    ];
    let lines = (1..)
        .zip(times)
        .map(|(seq, time)| line(seq, &store("SZ01"), at(time), view(None)))
        .collect();
    send(&hq, gateway, examine(&at_store("SZ01"), lines)).await;
    assert_eq!(figures_of_the_first(&hq).await.came, 2);
}

#[tokio::test]
async fn an_undone_redemption_leaves_the_net_figure() {
    let hq = TestLedger::new();
    let (gateway, _) = hq.enrol(at_store("SZ01")).await;
    let events = vec![redeem(1, 1), redeem(2, 2), undo(1)];
    send(&hq, gateway, frames(1, events)).await;
    let figures = figures_of_the_first(&hq).await;
    assert_eq!((figures.redeemed, figures.off_peak_redeemed), (1, 1));
    assert_eq!(hq.ledger.totals().await.unwrap().redemptions_net(), 1);
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let hq = TestLedger::new();
    let (gateway, _) = hq.enrol(at_store("SZ01")).await;
    send(&hq, gateway, frames(1, vec![view(None), claim(1, 1)])).await;
    let again = Embedded::open(&hq.dir.path().join("ledger.db")).unwrap();
    let marks = greet(&again, gateway, &[(1, 1, 3), (2, 1, 1)]).await;
    assert_eq!(marks, Marks::At(vec![2, 0]));
}

#[tokio::test]
async fn a_renewed_certificate_retires_the_old_one_at_its_first_use() {
    let hq = TestLedger::new();
    let (gateway, old) = hq.enrol(at_store("SZ01")).await;
    let later = now() + SignedDuration::from_hours(1);
    hq.ledger
        .record_certificate(Certificate {
            serial: "new".to_owned(),
            gateway,
            issued: later,
            not_after: later + SignedDuration::from_hours(24),
        })
        .await
        .unwrap();
    // A second apart: being seen is written down less often than that.
    let knock = async |serial: &str, seconds: i64| {
        let caller = Caller {
            gateway,
            serial: serial.to_owned(),
            now: later + SignedDuration::from_secs(seconds),
        };
        hq.ledger
            .recognise(caller)
            .await
            .unwrap()
            .map(|found| found.id)
    };
    assert_eq!(knock(&old, 1).await, Ok(gateway));
    assert_eq!(knock("new", 2).await, Ok(gateway));
    assert_eq!(knock(&old, 3).await, Err(Denied::Retired));
    assert_eq!(knock("never issued", 4).await, Err(Denied::Unknown));
    let revoke = async |id| hq.ledger.revoke(id, later).await.unwrap();
    assert_eq!(revoke(gateway).await, Revoked::Now);
    assert_eq!(knock("new", 5).await, Err(Denied::Revoked));
    assert_eq!(revoke(gateway).await, Revoked::Before);
    assert_eq!(revoke(GatewayId(99)).await, Revoked::Unknown);
    let audit = hq.ledger.audit(10).await.unwrap();
    let noted = audit
        .iter()
        .filter(|entry| entry.action == "gateway_revoked");
    assert_eq!(noted.count(), 1);
}

#[tokio::test]
async fn a_token_enrols_one_gateway() {
    let hq = TestLedger::new();
    let token = NewToken {
        hash: [7; 32],
        serves: Serves::Street,
        made: now(),
        expires: now() + SignedDuration::from_hours(24),
    };
    hq.ledger.keep_token(token).await.unwrap();
    let enrol = async |serial: &str, hours: i64| {
        let enrolment = Enrolment {
            token: [7; 32],
            coupon_key: coupon_key(),
            software: String::new(),
            serial: serial.to_owned(),
            now: now() + SignedDuration::from_hours(hours),
            not_after: now(),
        };
        hq.ledger.enrol(enrolment).await.unwrap()
    };
    assert_eq!(enrol("a", 24).await, Err(TokenRefusal::Expired));
    assert_eq!(enrol("b", 23).await, Ok(GatewayId(1)));
    assert_eq!(enrol("c", 23).await, Err(TokenRefusal::Used));
    assert_eq!(hq.ledger.gateways().await.unwrap().len(), 1);
}

/// What one gateway's stream of 40 frames must come to.
fn story() -> Vec<Event> {
    (0..40)
        .map(|number| match number % 4 {
            0 => view(None),
            1 => claim(number, number % 8),
            2 => redeem(number - 1, number % 8),
            _ => view(Some(number % 8)),
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Retries in any order and of any part: whatever the gateway sends, each frame counts once.
    #[test]
    fn frames_count_once_under_overlaps_gaps_and_permuted_retries(
        slices in proptest::collection::vec((any::<Index>(), 1_usize..12), 0..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let hq = TestLedger::new();
            let (gateway, _) = hq.enrol(at_store("SZ01")).await;
            let all = frames(1, story());
            let mut acked = 0;
            for (start, length) in slices {
                let start = start.index(all.len());
                let part = &all[start..(start + length).min(all.len())];
                match send(&hq, gateway, part.to_vec()).await {
                    IngestOutcome::Taken(taken) => {
                        assert!(taken.acked >= acked, "a mark never goes back");
                        assert_eq!(taken.fresh, taken.acked - acked);
                        acked = taken.acked;
                    }
                    IngestOutcome::Expected { acked: told } => {
                        assert_eq!(told, acked);
                        assert!(start as u64 > acked);
                    }
                    IngestOutcome::ForeignStream => panic!("it is its own stream"),
                }
            }
            // The gateway at last sends what is missing, as it does.
            let rest = usize::try_from(acked).unwrap();
            send(&hq, gateway, all[rest..].to_vec()).await;
            let totals = hq.ledger.totals().await.unwrap();
            assert_eq!((totals.frames, totals.frames_twice), (40, 0));
            assert_eq!((totals.claims, totals.coupons, totals.redemptions), (10, 10, 10));
            let figures = figures_of_the_first(&hq).await;
            assert_eq!(
                (figures.came, figures.claimed, figures.redeemed),
                (20, 10, 10)
            );
            assert_eq!((figures.off_peak_came, figures.off_peak_claimed), (20, 10));
        });
    }
}

/// What an auditor does: fold the stored bytes again and hold the sums against the figures.
#[tokio::test]
async fn the_figures_are_what_the_stored_bytes_say() {
    let hq = TestLedger::new();
    let (gateway, _) = hq.enrol(at_store("SZ01")).await;
    let all = frames(1, story());
    for part in [&all[..17], &all[5..30], &all[..40]] {
        send(&hq, gateway, part.to_vec()).await;
    }
    let file = Connection::open(hq.dir.path().join("ledger.db")).unwrap();
    let mut bodies = file.prepare("select body from frame").unwrap();
    let bodies = bodies
        .query_map([], |row| row.get::<_, Vec<u8>>(0))
        .unwrap();
    let mut sums = std::collections::BTreeMap::new();
    for body in bodies {
        for occurrence in frame::decode(&body.unwrap()).unwrap().occurrences {
            for fact in fold(&occurrence) {
                if let Fact::Add { step, by, .. } = fact {
                    *sums.entry(step).or_insert(0) += by;
                }
            }
        }
    }
    let figures = figures_of_the_first(&hq).await;
    let counted = [
        (Step::Came, figures.came),
        (Step::Claimed, figures.claimed),
        (Step::Redeemed, figures.redeemed),
        (Step::OffPeakCame, figures.off_peak_came),
        (Step::OffPeakClaimed, figures.off_peak_claimed),
        (Step::OffPeakRedeemed, figures.off_peak_redeemed),
    ];
    assert_eq!(sums, counted.into());
}
