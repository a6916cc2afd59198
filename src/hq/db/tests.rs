//! What every ledger promises, asked of each kind: it counts once, whatever comes again, overlaps or is
//! missing, and nobody can tell which database it is.

use jiff::SignedDuration;
use jiff::civil::date;
use proptest::prelude::*;
use proptest::sample::Index;

use super::commands::Row;
use super::scratch::meddle;
use super::*;
use crate::domain::command::{Command, CommandDone, Outcome};
use crate::domain::event::{Event, Feedback, Origin};
use crate::domain::feedback::Rating;
use crate::domain::ids::{CommandId, RequestId, TouchpointCode};
use crate::domain::uptake::Deed;
use crate::domain::uptake::places::Patrons;
use crate::hq::examine::examine;
use crate::hq::testing::{
    Kind, Scratch, at_store, claim, coupon_key, delivery, enrol_by_key, frames, line, now, redeem,
    store, stream, undo, vid, view,
};
use crate::wire::batch::{GapReason, Line};
use crate::wire::link::StreamOffer;

/// Makes of each story a test for either ledger; one that is left out is dead code, which the compiler says.
macro_rules! of_every_ledger {
    ($($story:ident,)*) => {
        mod embedded {
            $(#[tokio::test]
            async fn $story() {
                super::$story(&super::Scratch::new(super::Kind::Embedded).await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test]
            async fn $story() {
                super::$story(&super::Scratch::new(super::Kind::Postgres).await).await;
            })*
        }
    };
}

/// Undoes what migrations from the sixth on have added.
const SINCE_V6: &str = "drop table notice; drop table redemption; drop table reservation;
     alter table command drop column details;
     drop table figure_place; drop table patron; drop table places_since;
     drop table sticker_word; drop table walk;
     drop index command_void;
     drop table member_word; drop table spending; drop table reach; drop table member_import;
     drop table consent; drop table erasure; drop table access_log;
     drop table booking_phone;";

// Below the macro, which they use.
mod chaos;
mod golden;
mod members;
mod passed_down;
mod persons;
mod sisters;
mod stickers;

of_every_ledger! {
    a_batch_that_comes_again_is_counted_once_and_acknowledged_again,
    a_frame_that_came_on_two_streams_is_a_frame_stored_twice,
    a_capture_that_was_given_a_new_number_counts_once,
    two_boxes_from_one_image_that_move_the_same_capture_bring_it_once,
    a_batch_with_a_hole_before_it_is_told_where_to_go_on,
    a_stream_belongs_to_the_gateway_that_began_it,
    a_gateway_that_went_back_in_time_has_its_stream_closed_for_ever,
    a_ledger_from_a_backup_that_lacks_frames_is_noted_once_for_each_stream,
    what_cannot_be_read_is_put_aside_and_acknowledged,
    a_diner_came_back_whatever_the_order_the_days_arrive_in,
    a_business_day_ends_at_four_in_the_morning,
    a_place_has_what_it_brought_whatever_the_order_it_is_told_in,
    an_undone_redemption_leaves_the_net_figure,
    what_was_acknowledged_is_there_after_a_restart,
    a_renewed_certificate_retires_the_old_one_at_its_first_use,
    a_token_enrols_one_gateway,
    a_gap_moves_the_mark_and_is_written_down_once,
    a_copied_box_is_found_out_by_its_chain_and_the_stream_closes,
    a_copied_box_that_is_behind_is_found_out_by_its_frames,
    a_ledger_of_an_older_version_knows_its_frames_and_diners,
    a_hello_with_another_chain_at_the_mark_closes_the_stream,
    a_chain_goes_on_behind_a_gap_that_tells_it,
    many_gateways_at_once_share_transactions_and_nothing_else,
    one_delivery_that_cannot_be_written_does_not_hold_up_the_others,
    what_no_database_can_hold_is_kept_all_the_same,
    the_figures_are_what_the_stored_bytes_say_until_somebody_changes_them,
    people_sign_in_and_out_and_the_audit_has_it,
    a_bundles_version_never_goes_back_and_a_report_is_kept,
    a_store_has_the_last_request_of_each_of_its_boxes,
    a_ledger_is_made_once_and_found_by_whoever_looks_in_the_right_place,
    coupons_are_listed_by_what_became_of_them,
    commands_are_numbered_at_each_gateway_and_given_until_it_has_dealt_with_them,
    what_became_of_a_command_is_read_from_the_gateways_journal,
    a_ledger_behind_its_gateway_gives_the_commands_that_wait_numbers_it_has_not_seen,
}

async fn send(hq: &Scratch, gateway: GatewayId, sent: Vec<Entry>) -> IngestOutcome {
    hq.ledger
        .ingest(delivery(gateway, stream(1), sent))
        .await
        .unwrap()
}

/// Frames with names that those of other streams do not have.
fn of_its_own(number: u8, mut sent: Vec<Entry>) -> Vec<Entry> {
    for entry in &mut sent {
        if let Entry::Frame(frame) = entry {
            frame.id = FrameId::from_time_and_entropy(frame.seq, [number; 10]);
        }
    }
    sent
}

/// Marks without anything closed now, as pairs of the mark and whether it is closed.
fn at(marks: Marks) -> Vec<(u64, bool)> {
    match marks {
        Marks::At { streams, .. } => streams
            .iter()
            .map(|stream| (stream.acked, stream.closed))
            .collect(),
        Marks::ForeignStream(stream) => panic!("{stream} is somebody else's"),
    }
}

/// How often something is in the audit.
async fn noted(hq: &Scratch, action: &str) -> usize {
    let audit = hq.ledger.audit(100).await.unwrap();
    audit.iter().filter(|entry| entry.action == action).count()
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

async fn figures_of_the_first(hq: &Scratch) -> Figures {
    let asked = vec![(store("SZ01"), date(2026, 12, 1))];
    hq.ledger.figures(asked).await.unwrap().remove(0)
}

async fn a_batch_that_comes_again_is_counted_once_and_acknowledged_again(hq: &Scratch) {
    let (gateway, _) = hq.enrol(at_store("SZ01")).await;
    let batch = || frames(1, vec![view(None), claim(1, 1), redeem(1, 1)]);
    for (fresh, resent) in [(3, 0), (0, 3), (0, 3)] {
        let expected = IngestOutcome::Taken(Taken {
            acked: 3,
            fresh,
            resent,
            put_aside: Vec::new(),
        });
        assert_eq!(send(hq, gateway, batch()).await, expected);
    }
    let figures = figures_of_the_first(hq).await;
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

async fn a_frame_that_came_on_two_streams_is_a_frame_stored_twice(hq: &Scratch) {
    let (gateway, _) = hq.enrol(at_store("SZ01")).await;
    for number in [1, 2] {
        let sent = delivery(gateway, stream(number), frames(1, vec![view(None)]));
        hq.ledger.ingest(sent).await.unwrap();
    }
    let totals = hq.ledger.totals().await.unwrap();
    assert_eq!((totals.frames, totals.frames_twice), (2, 1));
}

/// A gateway with a stream for views, one that it has left, and the new one: 2, 1 and 3.
async fn has_left_a_stream(hq: &Scratch) -> GatewayId {
    let (gateway, _) = hq.enrol(at_store("SZ01")).await;
    let offers = [(1, 1, 1), (2, 1, 1), (3, 1, 1)];
    greet(hq.ledger.as_ref(), gateway, &offers).await;
    gateway
}

async fn a_capture_that_was_given_a_new_number_counts_once(hq: &Scratch) {
    let gateway = has_left_a_stream(hq).await;
    send(hq, gateway, frames(1, vec![claim(1, 1), view(None)])).await;
    // The box did not hear of it, and gave both new numbers; their ids are of their first numbers.
    let moved = frames(1, vec![claim(1, 1), view(None), claim(3, 3)]);
    let outcome = hq.ledger.ingest(delivery(gateway, stream(3), moved)).await;
    let expected = IngestOutcome::Taken(Taken {
        acked: 3,
        fresh: 1,
        resent: 2,
        put_aside: Vec::new(),
    });
    assert_eq!(outcome.unwrap(), expected);
    let totals = hq.ledger.totals().await.unwrap();
    assert_eq!((totals.claims, totals.coupons, totals.views), (2, 2, 1));
    assert_eq!(totals.frames_twice, 0);
    let figures = figures_of_the_first(hq).await;
    assert_eq!((figures.came, figures.claimed), (1, 2));
    for stream in hq.ledger.audit_streams().await.unwrap() {
        assert_eq!(stream.frames + stream.lost, stream.acked, "a number each");
    }
}

async fn two_boxes_from_one_image_that_move_the_same_capture_bring_it_once(hq: &Scratch) {
    let gateway = has_left_a_stream(hq).await;
    let bring = |number| {
        let moved = frames(1, vec![claim(1, 1)]);
        hq.ledger.ingest(delivery(gateway, stream(number), moved))
    };
    let (one, other) = tokio::join!(bring(1), bring(3));
    let fresh = |outcome: IngestOutcome| match outcome {
        IngestOutcome::Taken(taken) => taken.fresh,
        other @ (IngestOutcome::Expected { .. }
        | IngestOutcome::Closed { .. }
        | IngestOutcome::ForeignStream) => panic!("{other:?}"),
    };
    assert_eq!(fresh(one.unwrap()) + fresh(other.unwrap()), 1);
    let totals = hq.ledger.totals().await.unwrap();
    assert_eq!((totals.claims, totals.frames_twice), (1, 0));
}

async fn a_batch_with_a_hole_before_it_is_told_where_to_go_on(hq: &Scratch) {
    let (gateway, _) = hq.enrol(at_store("SZ01")).await;
    send(hq, gateway, frames(1, vec![view(None)])).await;
    assert_eq!(
        send(hq, gateway, frames(3, vec![view(None)])).await,
        IngestOutcome::Expected { acked: 1 }
    );
    assert_eq!(hq.ledger.totals().await.unwrap().frames, 1);
}

async fn a_stream_belongs_to_the_gateway_that_began_it(hq: &Scratch) {
    let (owner, _) = hq.enrol(at_store("SZ01")).await;
    let (stranger, _) = hq.enrol(at_store("SZ01")).await;
    send(hq, owner, frames(1, vec![view(None)])).await;
    assert_eq!(
        send(hq, stranger, frames(2, vec![view(None)])).await,
        IngestOutcome::ForeignStream
    );
    let marks = greet(hq.ledger.as_ref(), stranger, &[(1, 1, 2)]).await;
    assert_eq!(marks, Marks::ForeignStream(stream(1)));
    let audit = hq.ledger.audit(1).await.unwrap();
    assert_eq!(audit[0].action, "stream_foreign");
    assert_eq!(audit[0].object, stranger.to_string());
}

async fn a_gateway_that_went_back_in_time_has_its_stream_closed_for_ever(hq: &Scratch) {
    let (gateway, _) = hq.enrol(at_store("SZ01")).await;
    let ledger = hq.ledger.as_ref();
    send(hq, gateway, frames(1, vec![view(None); 3])).await;
    assert_eq!(at(greet(ledger, gateway, &[(1, 1, 4)]).await), [(3, false)]);
    // Its image was restored from before its last frame; later it has written on past the mark.
    for (next, waiting) in [(3, 2), (9, 8)] {
        let marks = greet(ledger, gateway, &[(2, 1, 1), (1, 1, next)]).await;
        assert_eq!(at(marks), [(0, false), (3, true)]);
        let gateways = ledger.gateways().await.unwrap();
        assert_eq!(gateways[0].waiting, Some(waiting));
    }
    assert_eq!(noted(hq, "stream_closed").await, 1);
    // What it numbered anew is not taken for a resend.
    let mut anew = frames(2, vec![claim(9, 9), view(None)]);
    if let Entry::Frame(frame) = &mut anew[0] {
        frame.id = FrameId::from_time_and_entropy(2, [8; 10]);
    }
    assert_eq!(
        send(hq, gateway, anew).await,
        IngestOutcome::Closed {
            known: vec![3],
            now: None
        }
    );
    assert_eq!(ledger.totals().await.unwrap().claims, 0);
}

async fn a_ledger_from_a_backup_that_lacks_frames_is_noted_once_for_each_stream(hq: &Scratch) {
    let (gateway, _) = hq.enrol(at_store("SZ01")).await;
    send(hq, gateway, frames(1, vec![view(None)])).await;
    for _ in 0..2 {
        let marks = greet(hq.ledger.as_ref(), gateway, &[(1, 5, 9), (2, 7, 7)]).await;
        assert_eq!(at(marks), [(1, false), (0, false)]);
    }
    assert_eq!(noted(hq, "stream_behind").await, 2);
}

async fn what_cannot_be_read_is_put_aside_and_acknowledged(hq: &Scratch) {
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
    let outcome = send(hq, gateway, examine(&at_store("SZ01"), lines)).await;
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
    assert_eq!(figures_of_the_first(hq).await.came, 1);
}

async fn a_diner_came_back_whatever_the_order_the_days_arrive_in(hq: &Scratch) {
    let (gateway, _) = hq.enrol(at_store("SZ01")).await;
    let day_before = now() - SignedDuration::from_hours(24);
    let lines = vec![
        line(1, &store("SZ01"), now(), claim(1, 1)),
        line(2, &store("SZ01"), now(), claim(2, 2)),
        // An hour of the shop that was offline arrives late.
        line(3, &store("SZ01"), day_before, view(Some(1))),
    ];
    send(hq, gateway, examine(&at_store("SZ01"), lines)).await;
    let figures = figures_of_the_first(hq).await;
    assert_eq!((figures.people, figures.came_back), (2, 1));
}

/// Everything on the first of December but the return, which is the day after.
/// On the first of December, and nobody since.
async fn two_came_first_for(hq: &Scratch, place: TouchpointCode) {
    let new = async |from, to| {
        let days = date(2026, 12, from)..=date(2026, 12, to);
        hq.ledger.first_visits(store("SZ01"), days).await.unwrap()
    };
    assert_eq!(new(1, 2).await, [(place, 2)].into());
    assert_eq!(new(2, 9).await, [].into());
}

async fn a_place_has_what_it_brought_whatever_the_order_it_is_told_in(hq: &Scratch) {
    let (gateway, _) = hq.enrol(at_store("SZ01")).await;
    let place = TouchpointCode::from_entropy(7);
    let origin = Some(Origin {
        touchpoint: place,
        day: date(2026, 12, 1),
    });
    let seen = |diner| {
        let mut event = view(diner);
        if let Event::TouchpointView(view) = &mut event {
            view.touchpoint = Some(place);
        }
        event
    };
    let handed_over = |coupon, diner| {
        let mut event = redeem(coupon, diner);
        if let Event::Redeem(redeem) = &mut event {
            redeem.origin = origin;
        }
        event
    };
    let feedback = Event::Feedback(Feedback {
        id: RequestId::from_entropy([1; 16]),
        touchpoint: Some(place),
        vid: vid(1),
        rating: Rating::try_from(2).ok(),
        words: None,
        of: None,
    });
    let told = [
        frames(1, vec![handed_over(1, 1), redeem(9, 9), seen(Some(2))]),
        examine(
            &at_store("SZ01"),
            vec![line(
                4,
                &store("SZ01"),
                now() + SignedDuration::from_hours(24),
                seen(Some(1)),
            )],
        ),
        frames(5, vec![claim(1, 1), claim(2, 2), seen(None), feedback]),
    ];
    for sent in told.into_iter().flat_map(|sent| [sent.clone(), sent]) {
        send(hq, gateway, sent).await;
    }
    let over = async |from, to| {
        let days = date(2026, 12, from)..=date(2026, 12, to);
        hq.ledger.places(store("SZ01"), days).await.unwrap()
    };
    let first = over(1, 1).await;
    let expected = [
        ((None, Deed::Redeemed), 1),
        ((Some(place), Deed::Seen), 2),
        ((Some(place), Deed::Claimed), 2),
        ((Some(place), Deed::Redeemed), 1),
        ((Some(place), Deed::Said), 1),
        ((Some(place), Deed::Rated), 1),
        ((Some(place), Deed::Stars), 2),
    ];
    assert_eq!(first.counts, expected.into());
    let patrons = Patrons {
        people: 2,
        came_back: 1,
    };
    assert_eq!(first.patrons, [(place, patrons)].into());
    assert_eq!(over(1, 2).await.of_store(Deed::Seen), 3);
    two_came_first_for(hq, place).await;
    assert_eq!(over(2, 9).await.patrons, [].into());
    assert_eq!(hq.ledger.places_since().await.unwrap(), None);
    let audit = async || {
        let day = date(2026, 12, 1);
        hq.ledger.audit_day(store("SZ01"), day).await.unwrap()
    };
    let in_order = audit().await;
    assert_eq!(in_order.from_frames, in_order.kept);
    assert!(in_order.kept.places.is_some());
    meddle(&hq.place, "update figure_place set count = count + 1").await;
    let changed = audit().await;
    assert_ne!(changed.from_frames, changed.kept);
}

async fn a_business_day_ends_at_four_in_the_morning(hq: &Scratch) {
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
    send(hq, gateway, examine(&at_store("SZ01"), lines)).await;
    assert_eq!(figures_of_the_first(hq).await.came, 2);
}

async fn an_undone_redemption_leaves_the_net_figure(hq: &Scratch) {
    let (gateway, _) = hq.enrol(at_store("SZ01")).await;
    let events = vec![redeem(1, 1), redeem(2, 2), undo(1)];
    send(hq, gateway, frames(1, events)).await;
    let figures = figures_of_the_first(hq).await;
    assert_eq!((figures.redeemed, figures.off_peak_redeemed), (1, 1));
    assert_eq!(hq.ledger.totals().await.unwrap().redemptions_net(), 1);
}

async fn what_was_acknowledged_is_there_after_a_restart(hq: &Scratch) {
    let (gateway, _) = hq.enrol(at_store("SZ01")).await;
    send(hq, gateway, frames(1, vec![view(None), claim(1, 1)])).await;
    let again = hq.open_again().await;
    let marks = greet(again.as_ref(), gateway, &[(1, 1, 3), (2, 1, 1)]).await;
    assert_eq!(at(marks), [(2, false), (0, false)]);
}

async fn a_renewed_certificate_retires_the_old_one_at_its_first_use(hq: &Scratch) {
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

async fn a_token_enrols_one_gateway(hq: &Scratch) {
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
        kind in prop_oneof![Just(Kind::Embedded), Just(Kind::Postgres)],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(send_slices(kind, &slices));
    }
}

async fn send_slices(kind: Kind, slices: &[(Index, usize)]) {
    let hq = &Scratch::new(kind).await;
    let (gateway, _) = hq.enrol(at_store("SZ01")).await;
    let all = frames(1, story());
    let mut acked = 0;
    for (start, length) in slices {
        let start = start.index(all.len());
        let part = &all[start..(start + length).min(all.len())];
        match send(hq, gateway, part.to_vec()).await {
            IngestOutcome::Taken(taken) => {
                assert!(taken.acked >= acked, "a mark never goes back");
                assert_eq!(taken.fresh, taken.acked - acked);
                acked = taken.acked;
            }
            IngestOutcome::Expected { acked: told } => {
                assert_eq!(told, acked);
                assert!(start as u64 > acked);
            }
            other @ (IngestOutcome::Closed { .. } | IngestOutcome::ForeignStream) => {
                panic!("it is its own stream, and open: {other:?}")
            }
        }
    }
    // The gateway at last sends what is missing, as it does.
    let rest = usize::try_from(acked).unwrap();
    send(hq, gateway, all[rest..].to_vec()).await;
    let totals = hq.ledger.totals().await.unwrap();
    assert_eq!((totals.frames, totals.frames_twice), (40, 0));
    assert_eq!(
        (totals.claims, totals.coupons, totals.redemptions),
        (10, 10, 10)
    );
    let figures = figures_of_the_first(hq).await;
    assert_eq!(
        (figures.came, figures.claimed, figures.redeemed),
        (20, 10, 10)
    );
    assert_eq!((figures.off_peak_came, figures.off_peak_claimed), (20, 10));
    // These frames came without a time of the gateway's.
    assert_eq!(figures.uncertain, 40);
}

fn gap(from: u64, to: u64, chain: Option<Chain>) -> Entry {
    let why = GapReason::Evicted;
    Entry::Gap {
        from,
        gap: Gap { to, why, chain },
    }
}

/// The chain after entries that follow `before`.
fn chain_after(before: Chain, entries: &[Entry]) -> Chain {
    entries.iter().fold(before, |chain, entry| match entry {
        Entry::Frame(frame) => chain.after(frame.seq, frame.id, &frame.body),
        Entry::Gap { gap, .. } => gap.chain.unwrap(),
    })
}

async fn a_gap_moves_the_mark_and_is_written_down_once(hq: &Scratch) {
    let (gateway, _) = hq.enrol(at_store("SZ01")).await;
    let mut sent = frames(1, vec![view(None); 2]);
    sent.push(gap(3, 10, None));
    sent.extend(frames(11, vec![view(None)]));
    for (fresh, resent) in [(3, 0), (0, 3)] {
        let expected = Taken {
            acked: 11,
            fresh,
            resent,
            put_aside: Vec::new(),
        };
        let outcome = send(hq, gateway, sent.clone()).await;
        assert_eq!(outcome, IngestOutcome::Taken(expected));
    }
    // Half of it was there before: the frames up to 11 stay, 12 to 20 are gone.
    send(hq, gateway, vec![gap(5, 20, None)]).await;
    let [stream] = hq.ledger.audit_streams().await.unwrap().try_into().unwrap();
    assert_eq!((stream.acked, stream.frames, stream.lost), (20, 3, 17));
    assert!(stream.agrees());
    assert_eq!(noted(hq, "stream_gap").await, 2);
    assert_eq!(hq.ledger.totals().await.unwrap().events, 3);
}

async fn a_copied_box_is_found_out_by_its_chain_and_the_stream_closes(hq: &Scratch) {
    let (gateway, _) = hq.enrol(at_store("SZ01")).await;
    let real = frames(1, vec![view(None); 4]);
    let mut first = delivery(gateway, stream(1), real.clone());
    first.prev = Some(Chain::START);
    hq.ledger.ingest(first).await.unwrap();

    // The copy has the same first two frames and others after them.
    let mut other = frames(3, vec![claim(1, 1), claim(2, 2), claim(3, 3)]);
    for entry in &mut other {
        if let Entry::Frame(frame) = entry {
            frame.id = FrameId::from_time_and_entropy(frame.seq, [9; 10]);
        }
    }
    let mut copied = delivery(gateway, stream(1), [&real[..2], &other[..]].concat());
    copied.prev = Some(Chain::START);
    let outcome = hq.ledger.ingest(copied.clone()).await.unwrap();
    let closed = |now| IngestOutcome::Closed {
        known: vec![1, 2],
        now,
    };
    assert_eq!(outcome, closed(Some(Disagreement::Frames)));
    assert_eq!(hq.ledger.ingest(copied).await.unwrap(), closed(None));
    assert_eq!(hq.ledger.totals().await.unwrap().frames, 4);
    assert_eq!(noted(hq, "stream_closed").await, 1);
    let marks = greet(hq.ledger.as_ref(), gateway, &[(1, 1, 5)]).await;
    assert_eq!(at(marks), [(4, true)]);
}

async fn a_copied_box_that_is_behind_is_found_out_by_its_frames(hq: &Scratch) {
    let (gateway, _) = hq.enrol(at_store("SZ01")).await;
    send(hq, gateway, frames(1, vec![view(None); 5])).await;
    // All of it is below the mark, so no chain can be compared; acknowledged, it would be lost.
    let mut other = frames(2, vec![claim(1, 1), view(None)]);
    if let Entry::Frame(frame) = &mut other[0] {
        frame.id = FrameId::from_time_and_entropy(1, [9; 10]);
    }
    let outcome = send(hq, gateway, other).await;
    let why = Some(Disagreement::Frames);
    let closed = IngestOutcome::Closed {
        known: vec![3],
        now: why,
    };
    assert_eq!(outcome, closed);
}

async fn a_ledger_of_an_older_version_knows_its_frames_and_diners(hq: &Scratch) {
    let (gateway, _) = hq.enrol(at_store("SZ01")).await;
    let all = || frames(1, vec![view(Some(1)); 230]);
    for (from, to) in [(0, 150), (150, 230)] {
        send(hq, gateway, all()[from..to].to_vec()).await;
    }
    let day_before = now() - SignedDuration::from_hours(24);
    let late = vec![line(231, &store("SZ01"), day_before, view(Some(1)))];
    send(hq, gateway, examine(&at_store("SZ01"), late)).await;
    let figures = figures_of_the_first(hq).await;
    assert_eq!((figures.people, figures.came_back), (1, 1));
    // What the ledger was like before.
    let older =
        "drop table host_request; drop table run; create index frame_of on frame (stream, seq);
                 delete from refinery_schema_history where version >= 4;";
    meddle(&hq.place, &[SINCE_V6, older].concat()).await;
    if matches!(hq.place, Place::Folder(_)) {
        let older = "create table visit_day as select store, day, vid from visit;
                     create table person_first as
                         select store, vid, min(day) as day from visit group by store, vid;
                     drop table visit; drop table figure_day";
        meddle(&hq.place, older).await;
    }
    let ledger = hq.open_again().await;
    let asked = vec![(store("SZ01"), date(2026, 12, 1))];
    assert_eq!(ledger.figures(asked).await.unwrap(), [figures]);
    let since = ledger.places_since().await.unwrap();
    assert!(since.is_some(), "earlier days are not counted whole");
    // No chain proves them, so each is looked up.
    let again = ledger.ingest(delivery(gateway, stream(1), all())).await;
    let expected = IngestOutcome::Taken(Taken {
        acked: 231,
        fresh: 0,
        resent: 230,
        put_aside: Vec::new(),
    });
    assert_eq!(again.unwrap(), expected);
    let mut other = all()[90..].to_vec();
    if let Entry::Frame(frame) = &mut other[110] {
        frame.id = FrameId::from_time_and_entropy(1, [9; 10]);
    }
    let known = (91..=230).filter(|seq| *seq != 201).collect();
    let closed = IngestOutcome::Closed {
        known,
        now: Some(Disagreement::Frames),
    };
    let outcome = ledger.ingest(delivery(gateway, stream(1), other)).await;
    assert_eq!(outcome.unwrap(), closed);
}

async fn a_hello_with_another_chain_at_the_mark_closes_the_stream(hq: &Scratch) {
    let (gateway, _) = hq.enrol(at_store("SZ01")).await;
    let sent = frames(1, vec![view(None); 3]);
    send(hq, gateway, sent.clone()).await;
    let hello = async |last| {
        let offer = StreamOffer {
            id: stream(1),
            cls: 0,
            floor: 1,
            next: 4,
            last: Some(last),
        };
        let greeting = Greeting {
            gateway,
            offers: vec![offer],
            now: now(),
        };
        hq.ledger.greet(greeting).await.unwrap()
    };
    let right = chain_after(Chain::START, &sent);
    assert_eq!(at(hello(right).await), [(3, false)]);
    let Marks::At {
        streams,
        closed_now,
    } = hello(Chain::START).await
    else {
        panic!("it is its own stream");
    };
    assert!(streams[0].closed);
    assert_eq!(closed_now, [(stream(1), Disagreement::Frames)]);
    assert_eq!(at(hello(right).await), [(3, true)]);
}

async fn a_chain_goes_on_behind_a_gap_that_tells_it(hq: &Scratch) {
    let (gateway, _) = hq.enrol(at_store("SZ01")).await;
    let told = Chain::from_bytes([7; 8]);
    send(hq, gateway, vec![gap(1, 10, Some(told))]).await;
    let next = frames(11, vec![view(None)]);
    for (prev, is_taken) in [(told, true), (Chain::START, false)] {
        let mut sent = delivery(gateway, stream(1), next.clone());
        sent.prev = Some(prev);
        let outcome = hq.ledger.ingest(sent).await.unwrap();
        assert_eq!(matches!(outcome, IngestOutcome::Taken(_)), is_taken);
    }
}

async fn many_gateways_at_once_share_transactions_and_nothing_else(hq: &Scratch) {
    let (gateway, _) = hq.enrol(at_store("SZ01")).await;
    let (stranger, _) = hq.enrol(at_store("SZ01")).await;
    let tasks = crate::ops::tasks::Tasks::new();
    let (done, mut outcomes) = tokio::sync::mpsc::channel(100);
    for number in 0..40 {
        // Every fourth is somebody else's stream, and every fourth comes twice.
        let from = if number % 4 == 1 { stranger } else { gateway };
        let to = if number % 4 == 3 { number - 1 } else { number };
        let sent = frames(1, vec![view(Some(1)), claim(number, 1)]);
        let owner = delivery(gateway, stream(to), of_its_own(to, sent));
        if number % 4 == 1 {
            hq.ledger.ingest(owner.clone()).await.unwrap();
        }
        let (ledger, done) = (Arc::clone(&hq.ledger), done.clone());
        tasks.spawn_guest("a gateway", async move {
            let sent = Delivery {
                gateway: from,
                ..owner
            };
            done.send(ledger.ingest(sent).await.unwrap()).await.unwrap();
        });
    }
    drop(done);
    let (mut fresh, mut resent, mut foreign) = (0, 0, 0);
    while let Some(outcome) = outcomes.recv().await {
        match outcome {
            IngestOutcome::Taken(taken) => {
                fresh += taken.fresh;
                resent += taken.resent;
            }
            IngestOutcome::ForeignStream => foreign += 1,
            other @ (IngestOutcome::Expected { .. } | IngestOutcome::Closed { .. }) => {
                panic!("{other:?}")
            }
        }
    }
    assert_eq!((fresh, resent, foreign), (40, 20, 10));
    let figures = figures_of_the_first(hq).await;
    assert_eq!((figures.came, figures.claimed, figures.people), (30, 30, 1));
}

async fn one_delivery_that_cannot_be_written_does_not_hold_up_the_others(hq: &Scratch) {
    let (gateway, _) = hq.enrol(at_store("SZ01")).await;
    let of_store = |number, id| {
        let lines = vec![line(1, &store(id), now(), view(None))];
        let sent = of_its_own(number, examine(&Serves::Street, lines));
        delivery(gateway, stream(number), sent)
    };
    // An accident in the database: nothing of one store can be written.
    let broken = match hq.place {
        Place::Folder(_) => {
            "create trigger broken before insert on frame when new.store = 'SZ09'
             begin select raise(abort, 'broken'); end"
        }
        Place::Database(_) => "alter table frame add check (store <> 'SZ09')",
    };
    meddle(&hq.place, broken).await;
    let (bad, good, better) = tokio::join!(
        hq.ledger.ingest(of_store(1, "SZ09")),
        hq.ledger.ingest(of_store(2, "SZ01")),
        hq.ledger.ingest(of_store(3, "SZ02")),
    );
    assert!(matches!(bad, Err(LedgerError::Storage(_))), "{bad:?}");
    for outcome in [good, better] {
        assert!(
            matches!(outcome, Ok(IngestOutcome::Taken(_))),
            "{outcome:?}"
        );
    }
    assert_eq!(hq.ledger.totals().await.unwrap().frames, 2);
}

async fn what_no_database_can_hold_is_kept_all_the_same(hq: &Scratch) {
    let (gateway, _) = hq.enrol(at_store("SZ01")).await;
    let odd = |seq, body: &[u8]| {
        let id = FrameId::from_time_and_entropy(seq, [7; 10]);
        Line::frame(seq, id, body.to_vec())
    };
    let lines = vec![
        // A text with a NUL, quoted in the reason; the years -9999 and 9999; a kind past the registry.
        odd(
            1,
            b"{\"st\":\"\\u0000\",\"b\":1,\"m\":2,\"w\":0,\"z\":480,\"e\":[]}",
        ),
        odd(
            2,
            br#"{"st":"SZ01","b":1,"m":2,"w":-377705023201000,"z":480,"e":[{"k":103,"x":{}}]}"#,
        ),
        odd(
            3,
            br#"{"st":"SZ01","b":1,"m":2,"w":253402000000000,"z":0,"e":[{"k":103,"x":{}}]}"#,
        ),
        odd(
            4,
            br#"{"st":"SZ01","b":1,"m":2,"w":0,"z":480,"e":[{"k":65535,"x":{}}]}"#,
        ),
        odd(5, b"\0\xff"),
    ];
    let outcome = send(hq, gateway, examine(&at_store("SZ01"), lines)).await;
    let IngestOutcome::Taken(taken) = outcome else {
        panic!("content is never refused: {outcome:?}");
    };
    assert_eq!(taken.acked, 5);
    let codes: Vec<_> = taken.put_aside.iter().map(|(_, code)| *code).collect();
    assert_eq!(
        codes,
        [
            "unreadable",
            "impossible_time",
            "impossible_time",
            "unknown_event",
            "unreadable"
        ]
    );
}

/// What an auditor does: fold the stored bytes again and hold the sums against the figures.
async fn the_figures_are_what_the_stored_bytes_say_until_somebody_changes_them(hq: &Scratch) {
    let (gateway, _) = hq.enrol(at_store("SZ01")).await;
    let all = frames(1, story());
    for part in [&all[..17], &all[5..30], &all[..40]] {
        send(hq, gateway, part.to_vec()).await;
    }
    let day = date(2026, 12, 1);
    let audit = async || hq.ledger.audit_day(store("SZ01"), day).await.unwrap();
    let in_order = audit().await;
    assert_eq!(in_order.from_frames, in_order.kept);
    assert_eq!(in_order.frames, 40);
    assert_eq!(in_order.kept.people, 6);
    assert_eq!(in_order.kept.cells.len(), 1);

    meddle(&hq.place, "update figure_hour set claimed = claimed + 1").await;
    let changed = audit().await;
    assert_ne!(changed.from_frames, changed.kept);
    assert_eq!(changed.from_frames, in_order.from_frames);
    meddle(&hq.place, "delete from frame where seq = 7").await;
    let streams = hq.ledger.audit_streams().await.unwrap();
    assert!(!streams[0].agrees());
}

async fn people_sign_in_and_out_and_the_audit_has_it(hq: &Scratch) {
    let ledger = hq.ledger.as_ref();
    let login = "li\0n".to_owned();
    for hash in ["first", "second"] {
        ledger
            .add_admin(login.clone(), hash.to_owned())
            .await
            .unwrap();
    }
    let hash = ledger.admin_password_hash(login.clone()).await.unwrap();
    assert_eq!(hash.as_deref(), Some("second"));
    assert_eq!(
        ledger.admin_password_hash("wei".to_owned()).await.unwrap(),
        None
    );
    let session = |hash, hours| NewSession {
        hash: [hash; 32],
        login: "lin".to_owned(),
        now: now(),
        expires: now() + SignedDuration::from_hours(hours),
    };
    ledger.open_session(session(1, 1)).await.unwrap();
    ledger.open_session(session(2, 3)).await.unwrap();
    let later = now() + SignedDuration::from_hours(2);
    let whose = async |hash| ledger.session([hash; 32], later).await.unwrap();
    assert_eq!(whose(1).await, None, "it is over");
    assert_eq!(whose(2).await.as_deref(), Some("lin"));
    ledger.close_session([2; 32]).await.unwrap();
    assert_eq!(whose(2).await, None);
    let audit = ledger.audit(1).await.unwrap();
    assert_eq!(
        (audit[0].action.as_str(), audit[0].at),
        ("signed_in", now())
    );
    assert_eq!(noted(hq, "signed_in").await, 2);
}

async fn a_bundles_version_never_goes_back_and_a_report_is_kept(hq: &Scratch) {
    let (gateway, _) = hq.enrol(Serves::Street).await;
    let ledger = hq.ledger.as_ref();
    assert_eq!(ledger.published(gateway).await.unwrap(), None);
    for version in [3, 2] {
        let published = Published {
            version,
            sha256: format!("sha of {version}"),
            content: String::new(),
            made: now(),
        };
        ledger.publish(gateway, published).await.unwrap();
    }
    let published = ledger.published(gateway).await.unwrap().unwrap();
    assert_eq!((published.version, published.made), (3, now()));
    let bundle = ReportedBundle {
        version: 3,
        state: BundleState::Refused,
        why: "no\0 room".to_owned(),
    };
    let report = Report {
        gateway,
        bundle,
        software: "0.2.0".to_owned(),
        now: now(),
    };
    ledger.record_report(report).await.unwrap();
    let known = ledger.gateways().await.unwrap().remove(0);
    assert_eq!(known.serves, Serves::Street);
    assert_eq!(
        (known.software.as_str(), known.last_seen),
        ("0.2.0", Some(now()))
    );
    let reported = known.reported.unwrap();
    assert_eq!(
        (reported.version, reported.state),
        (3, BundleState::Refused)
    );
}

async fn a_store_has_the_last_request_of_each_of_its_boxes(hq: &Scratch) {
    let ledger = hq.ledger.as_ref();
    let mut boxes = Vec::new();
    for place in ["SZ01", "SZ01", "SZ01", "SZ02"] {
        boxes.push(hq.enrol(at_store(place)).await.0);
    }
    let later = now() + SignedDuration::from_hours(1);
    let ask = |gateway, csr: &str, received| {
        let csr_pem = csr.to_owned();
        ledger.keep_host_request(HostRequest {
            gateway,
            csr_pem,
            received,
        })
    };
    for gateway in &boxes {
        ask(*gateway, "first", now()).await.unwrap();
    }
    ask(boxes[0], "second", later).await.unwrap();
    ask(boxes[1], "first", later).await.unwrap();
    ledger.revoke(boxes[2], now()).await.unwrap();
    let asked = ledger.host_requests(store("SZ01")).await.unwrap();
    let asked: Vec<_> = asked
        .iter()
        .map(|one| (one.gateway, one.csr_pem.as_str(), one.received))
        .collect();
    assert_eq!(
        asked,
        [(boxes[0], "second", later), (boxes[1], "first", now())]
    );
}

async fn a_ledger_is_made_once_and_found_by_whoever_looks_in_the_right_place(hq: &Scratch) {
    hq.ledger.ping().await.unwrap();
    if let Place::Database(_) = &hq.place {
        let second = create(&hq.place).await.err().unwrap();
        assert!(matches!(second, LedgerError::Storage(_)), "{second}");
        meddle(&hq.place, "drop table refinery_schema_history").await;
    } else {
        fs_err::remove_file(file(hq.dir.path())).unwrap();
    }
    let missing = open(&hq.place).await.err().unwrap();
    assert!(matches!(missing, LedgerError::Missing(_)), "{missing}");
}

async fn coupons_are_listed_by_what_became_of_them(hq: &Scratch) {
    let (gateway, _) = hq.enrol(at_store("SZ01")).await;
    let events = vec![
        claim(1, 1),
        claim(2, 2),
        claim(3, 3),
        redeem(2, 2),
        redeem(3, 3),
        undo(3),
        redeem(4, 4),
        redeem(4, 4),
    ];
    send(hq, gateway, frames(1, events)).await;
    let id = |number: u8| CouponId::from_entropy([number; 16]);
    let coupons = hq.ledger.coupons().await.unwrap();
    assert_eq!(coupons.claimed, [1, 2, 3].map(id).into());
    assert_eq!(coupons.redeemed, [2, 4].map(id).into());
    assert_eq!(coupons.redeemed_twice, [4].map(id).into());
}

fn command_id(number: u8) -> CommandId {
    CommandId::from_entropy([number; 16])
}

/// Gives a command to `gateway`; its number.
async fn give(hq: &Scratch, gateway: GatewayId, id: u8, command: Command) -> Option<u64> {
    let order = Order {
        gateway,
        id: command_id(id),
        command,
        made: now(),
    };
    hq.ledger.give(order).await.unwrap()
}

/// What comes after the command that has this number and id, as numbers and ids.
async fn after(
    hq: &Scratch,
    gateway: GatewayId,
    cursor: Option<(u64, u8)>,
) -> Vec<(u64, CommandId)> {
    let cursor = cursor.map(|(number, id)| Cursor {
        number,
        id: command_id(id),
    });
    let items = hq.ledger.commands_after(gateway, cursor, now()).await;
    let cursors = items.unwrap().into_iter().map(|item| item.cursor);
    cursors.map(|cursor| (cursor.number, cursor.id)).collect()
}

async fn commands_are_numbered_at_each_gateway_and_given_until_it_has_dealt_with_them(
    hq: &Scratch,
) {
    let (one, _) = hq.enrol(at_store("SZ01")).await;
    let (other, _) = hq.enrol(at_store("SZ01")).await;
    let coupon = CouponId::from_entropy([9; 16]);
    assert_eq!(give(hq, one, 1, Command::Renew).await, Some(1));
    assert_eq!(give(hq, one, 2, Command::VoidCoupon(coupon)).await, Some(2));
    assert_eq!(give(hq, other, 3, Command::AskResend).await, Some(1));
    assert_eq!(give(hq, GatewayId(99), 4, Command::Renew).await, None);

    let items = hq.ledger.commands_after(one, None, now()).await.unwrap();
    let commands: Vec<_> = items.iter().map(Item::command).collect();
    let expected = [Command::Renew, Command::VoidCoupon(coupon)];
    assert_eq!(commands, expected.map(Some));
    assert_eq!(after(hq, one, Some((1, 1))).await, [(2, command_id(2))]);
    assert_eq!(after(hq, one, Some((2, 2))).await, []);
    // A box that was put back to an older state has what it lacks once more.
    assert_eq!(after(hq, one, Some((1, 1))).await, [(2, command_id(2))]);
    let gateways = hq.ledger.gateways().await.unwrap();
    assert_eq!(gateways[0].commands, Row { given: 2, done: 2 });
    assert_eq!(gateways[1].commands, Row { given: 1, done: 0 });
    assert_eq!(noted(hq, "command_given").await, 3);
    let audit = hq.ledger.audit(100).await.unwrap();
    let holds = |entry: &AuditEntry| entry.detail.contains(&coupon.to_string());
    assert!(!audit.iter().any(holds), "whoever knows a coupon holds it");
}

async fn what_became_of_a_command_is_read_from_the_gateways_journal(hq: &Scratch) {
    let (gateway, _) = hq.enrol(at_store("SZ01")).await;
    for id in 1..=3 {
        give(hq, gateway, id, Command::Renew).await;
    }
    let done = |number, id, outcome| {
        let cursor = Cursor {
            number,
            id: command_id(id),
        };
        Event::CommandDone(CommandDone::new(cursor, "renew", outcome))
    };
    let events = vec![done(1, 1, Outcome::Done), done(2, 2, Outcome::Unsupported)];
    send(hq, gateway, frames(1, events)).await;
    after(hq, gateway, Some((2, 2))).await;
    let given = hq.ledger.commands(gateway).await.unwrap();
    let became: Vec<_> = given
        .iter()
        .map(|given| (given.is_dealt_with, given.outcome))
        .collect();
    let expected = [
        (true, Some(Outcome::Done)),
        (true, Some(Outcome::Unsupported)),
        (false, None),
    ];
    assert_eq!(became, expected);
    assert_eq!(given[0].made, now());
    assert_eq!(hq.ledger.totals().await.unwrap().quarantined, 0);
}

async fn a_ledger_behind_its_gateway_gives_the_commands_that_wait_numbers_it_has_not_seen(
    hq: &Scratch,
) {
    let (gateway, _) = hq.enrol(at_store("SZ01")).await;
    for id in 1..=3 {
        give(hq, gateway, id, Command::Renew).await;
    }
    after(hq, gateway, Some((1, 1))).await;
    // It has dealt with a third command that is not the one here.
    let expected = [(4, command_id(2)), (5, command_id(3))];
    for _ in 0..2 {
        assert_eq!(after(hq, gateway, Some((3, 8))).await, expected);
    }
    assert_eq!(give(hq, gateway, 4, Command::Renew).await, Some(6));
    // And one far beyond what is known here.
    let moved = [
        (51, command_id(2)),
        (52, command_id(3)),
        (53, command_id(4)),
    ];
    assert_eq!(after(hq, gateway, Some((50, 8))).await, moved);
    assert_eq!(after(hq, gateway, Some((53, 4))).await, []);
    assert_eq!(noted(hq, "commands_behind").await, 2);
}
