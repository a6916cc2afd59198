//! How decisions become durable, and what a caller hears when they do not.

use std::sync::mpsc;

use super::*;

/// Occupies the owner inside a commit until the sender is dropped, so that more decisions can queue up.
fn hold_owner(
    journal: &Journal<Shelf>,
) -> (
    mpsc::Sender<()>,
    impl Future<Output = Result<(), CommitError>>,
) {
    let (release, held) = mpsc::channel::<()>();
    let journal = journal.clone();
    let commit = async move {
        let decide = move |_: &mut Shelf| {
            held.recv().unwrap_err();
            Verdict {
                body: Some(b"first=1".to_vec()),
                answer: (),
            }
        };
        journal.commit(decide).await
    };
    (release, commit)
}

/// Polls a future up to its first wait: a commit is in the owner's queue by then.
async fn start<F: Future + Unpin>(future: &mut F) {
    let polled = std::future::poll_fn(|context| {
        let pending = std::pin::Pin::new(&mut *future).poll(context).is_pending();
        std::task::Poll::Ready(pending)
    });
    assert!(polled.await, "it is answered before it could be");
}

#[tokio::test]
async fn decisions_of_the_same_commit_see_each_other() {
    let shop = Shop::new();
    let journal = shop.open();
    let (release, first) = hold_owner(&journal);
    let mut first = Box::pin(first);
    start(&mut first).await;
    let mut second = Box::pin(journal.commit(|shelf| {
        let seen = shelf.values.get("first").cloned();
        let body = Some(b"second=2".to_vec());
        Verdict { body, answer: seen }
    }));
    start(&mut second).await;
    let mut third = Box::pin(journal.commit(|shelf| Verdict {
        body: None,
        answer: shelf.values.len(),
    }));
    start(&mut third).await;
    // One sync serves all three: if there were a second one, the third would be answered well.
    database::faults::fail_next_sync(&shop.path(&format!("p0/{}", generation(1))));
    drop(release);

    assert_eq!(first.await.unwrap_err().code(), "journal_storage");
    assert_eq!(second.await.unwrap_err().code(), "journal_storage");
    assert_eq!(third.await.unwrap_err().code(), "journal_storage");

    let seen = journal.commit(|shelf| Verdict {
        body: Some(b"first=3".to_vec()),
        answer: shelf.values.len(),
    });
    assert_eq!(seen.await.unwrap(), 2, "rebuilt from what the file held");
}

#[tokio::test]
async fn a_later_decision_sees_an_earlier_one_that_is_not_durable_yet() {
    let shop = Shop::new();
    let journal = shop.open();
    let (release, first) = hold_owner(&journal);
    let mut first = Box::pin(first);
    start(&mut first).await;
    let mut second = Box::pin(journal.commit(|shelf| Verdict {
        body: None,
        answer: shelf.values.get("first").cloned(),
    }));
    start(&mut second).await;
    drop(release);
    first.await.unwrap();
    assert_eq!(second.await.unwrap().as_deref(), Some("1"));
}

#[tokio::test]
async fn after_a_failed_commit_the_book_is_what_the_journal_holds() {
    let shop = Shop::new();
    let journal = shop.open();
    capture_numbers(&journal, 1..4).await;
    let log = shop.path(&format!("p0/{}/db", generation(1)));
    let before = inode(&log);
    database::faults::fail_next_sync(&shop.path(&format!("p0/{}", generation(1))));
    let refused = capture(&journal, "key4=value4").await;
    assert_eq!(refused.unwrap_err().code(), "journal_storage");

    let shelf = look(&journal).await;
    let held = peek_front(&journal, Spool::P0).await;
    assert_eq!(shelf.values.len(), held.len());
    assert_ne!(inode(&log), before, "its pages are in doubt");
    capture(&journal, "after=1").await.unwrap();
    drop(journal);

    let journal = shop.open();
    let taken = drain(&journal, Spool::P0).await;
    let sequences: Vec<u64> = taken.iter().map(|(seq, _)| *seq).collect();
    let dense: Vec<u64> = (1..=taken.len() as u64).collect();
    assert_eq!(sequences, dense);
    assert_eq!(&taken[..3], numbered(1..4));
    assert_eq!(taken.last().unwrap().1, "after=1");
}

#[tokio::test]
async fn a_journal_that_could_not_reopen_tries_again_with_the_next_request() {
    let shop = Shop::new();
    let journal = shop.open();
    capture_numbers(&journal, 1..4).await;
    // The first fails the commit, the second to open again, the third the next request's try.
    for fault in [
        format!("p0/{}", generation(1)),
        format!("views/{}", checkpoint(1)),
        format!("p1/{}", generation(1)),
    ] {
        database::faults::fail_next_sync(&shop.path(&fault));
    }
    for number in 4..6 {
        let refused = capture(&journal, &format!("key{number}=1")).await;
        assert_eq!(refused.unwrap_err().code(), "journal_storage");
    }

    capture(&journal, "after=1").await.unwrap();
    let taken = drain(&journal, Spool::P0).await;
    assert_eq!(&taken[..3], numbered(1..4));
    assert_eq!(taken.last().unwrap().1, "after=1");
}

#[tokio::test]
async fn views_that_cannot_be_written_do_not_take_a_capture_with_them() {
    let shop = Shop::with(|options| options.p1_delay = std::time::Duration::from_hours(1));
    let journal = shop.open();
    let (release, first) = hold_owner(&journal);
    let mut first = Box::pin(first);
    start(&mut first).await;
    // More than one sync may cover, met while a commit is being gathered.
    for _ in 0..60 {
        journal.note(b"view".to_vec());
    }
    let mut second = Box::pin(journal.commit(|shelf| Verdict {
        body: Some(b"second=2".to_vec()),
        answer: shelf.values.get("first").cloned(),
    }));
    start(&mut second).await;
    database::faults::fail_next_sync(&shop.path(&format!("p1/{}", generation(1))));
    drop(release);

    first.await.unwrap();
    assert_eq!(second.await.unwrap().as_deref(), Some("1"));
    let shelf = look(&journal).await;
    assert_eq!(shelf.values.len(), 2, "rebuilt after the failed view");
    drop(journal);
    assert_eq!(look(&shop.open()).await.values, shelf.values);
}

#[tokio::test]
async fn an_event_over_the_limit_is_refused_and_the_others_are_not() {
    let shop = Shop::new();
    let journal = shop.open();
    let limit = shop.options.profile.max_body_bytes();
    let longest = format!("k={}", "v".repeat(limit - 2));
    capture(&journal, &longest).await.unwrap();
    let refused = capture(&journal, &format!("{longest}v")).await.unwrap_err();
    assert_eq!(refused.code(), "journal_event_too_large");
    assert_eq!(look(&journal).await.applied, 1);
    assert_eq!(drain(&journal, Spool::P0).await, [(1, longest)]);
}

#[tokio::test]
async fn a_full_journal_refuses_until_headquarters_takes_something() {
    let shop = Shop::with(|options| options.max_p0_frames = 3);
    let journal = shop.open();
    capture_numbers(&journal, 1..4).await;
    let refused = capture(&journal, "key4=value4").await.unwrap_err();
    assert_eq!(refused.code(), "journal_full");
    assert_eq!(look(&journal).await.values.len(), 3, "looking still works");

    let stream = journal.outbox().depths().borrow().p0.written().stream;
    journal
        .outbox()
        .acknowledge(Spool::P0, stream, 1)
        .await
        .unwrap();
    capture_numbers(&journal, 4..5).await;
    assert_eq!(drain(&journal, Spool::P0).await, numbered(2..5));
}

#[tokio::test]
async fn a_view_rides_on_the_next_capture_and_survives_a_crash() {
    let shop = Shop::with(|options| options.p1_delay = std::time::Duration::from_hours(1));
    let journal = shop.open();
    journal.note(b"view".to_vec());
    capture(&journal, "a=1").await.unwrap();
    let mut depths = journal.outbox().depths();
    depths
        .wait_for(|depths| depths.p1.frames == 1)
        .await
        .unwrap();
    drop((journal, depths));

    let journal = shop.open();
    assert_eq!(drain(&journal, Spool::P1).await, [(1, "view".to_owned())]);
}

#[tokio::test]
async fn the_book_is_shown_each_frame_at_the_same_place_live_and_after_a_crash() {
    let shop = Shop::with(|options| options.p1_delay = std::time::Duration::ZERO);
    let journal = shop.open();
    capture_numbers(&journal, 1..3).await;
    journal.note(b"view".to_vec());
    let mut depths = journal.outbox().depths();
    depths
        .wait_for(|depths| depths.p1.frames == 1)
        .await
        .unwrap();
    // Several decisions in one commit, and a generation that ends.
    let mut many = tokio::task::JoinSet::new();
    for number in 3..20 {
        let journal = journal.clone();
        many.spawn(async move { capture(&journal, &format!("key{number}=x")).await });
    }
    assert!(many.join_all().await.iter().all(Result::is_ok));
    let of_p0 = depths.borrow().p0.written().stream;
    let of_p1 = depths.borrow().p1.written().stream;
    let live = look(&journal).await.shown;
    drop((journal, depths));

    let is_view = |shown: &(FramePlace, String)| shown.1 == "view";
    let (views, captures): (Vec<_>, Vec<_>) = live.into_iter().partition(is_view);
    let seqs = captures.iter().map(|(at, _)| (at.stream, at.seq));
    assert!(seqs.eq((1..20).map(|seq| (of_p0, seq))), "{captures:?}");
    let [(at, _)] = views.as_slice() else {
        panic!("one view, not {views:?}");
    };
    assert_eq!((at.stream, at.seq), (of_p1, 1));
    let journal = shop.open();
    assert_eq!(look(&journal).await.shown, [captures, views].concat());
    journal.close().await.unwrap();

    let journal = shop.open();
    assert_eq!(look(&journal).await.shown, []);
}

#[tokio::test]
async fn a_view_without_a_capture_is_written_after_the_delay() {
    let shop = Shop::with(|options| options.p1_delay = std::time::Duration::ZERO);
    let journal = shop.open();
    journal.note(b"view".to_vec());
    let mut depths = journal.outbox().depths();
    depths
        .wait_for(|depths| depths.p1.frames == 1)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_checkpoint_that_is_due_is_made_in_a_quiet_moment() {
    let shop = Shop::with(|options| {
        options.checkpoint_frames = 3;
        options.p1_delay = std::time::Duration::from_hours(1);
    });
    let journal = shop.open();
    capture_numbers(&journal, 0..3).await;
    // It takes the same moment, and is seen when that is over.
    journal.note(b"view".to_vec());
    let mut depths = journal.outbox().depths();
    depths
        .wait_for(|depths| depths.p1.frames == 1)
        .await
        .unwrap();
    drop((journal, depths));

    let shelf = look(&shop.open()).await;
    assert_eq!((shelf.applied, shelf.values.len()), (0, 3));
}

/// Whether any file of the checkpoint has these bytes.
fn checkpoint_holds(shop: &Shop, text: &str) -> bool {
    let files = crate::ops::files::read_tree(&shop.path("views")).unwrap();
    let holds = |bytes: &Vec<u8>| bytes.windows(text.len()).any(|at| at == text.as_bytes());
    files.values().any(holds)
}

/// A shop with a guest in its checkpoint.
async fn shop_of_a_guest(forget_within: std::time::Duration) -> Shop {
    let shop = Shop::with(|options| options.forget_within = forget_within);
    let journal = shop.open();
    capture(&journal, "guest=somebody").await.unwrap();
    capture(&journal, "till=open").await.unwrap();
    journal.close().await.unwrap();
    assert!(checkpoint_holds(&shop, "somebody"));
    shop
}

#[tokio::test]
async fn a_guest_leaves_the_checkpoint_of_a_shop_where_nothing_else_happens() {
    let shop = shop_of_a_guest(std::time::Duration::ZERO).await;
    let journal = shop.open();
    capture(&journal, "guest=").await.unwrap();
    // Whoever is answered now came after it.
    assert_eq!(look(&journal).await.values.len(), 1);
    assert!(!checkpoint_holds(&shop, "somebody"));
    drop(journal);
    assert_eq!(look(&shop.open()).await.values.len(), 1);
}

#[tokio::test]
async fn a_guest_leaves_the_checkpoint_after_a_power_cut_came_before_it() {
    let mut shop = shop_of_a_guest(std::time::Duration::from_hours(1)).await;
    let journal = shop.open();
    capture(&journal, "guest=").await.unwrap();
    look(&journal).await;
    drop(journal);
    assert!(
        checkpoint_holds(&shop, "somebody"),
        "the plug was pulled first"
    );

    shop.options.forget_within = std::time::Duration::ZERO;
    shop.options.p1_delay = std::time::Duration::ZERO;
    let journal = shop.open();
    // Nobody asks for anything: the view is written in the same quiet moment.
    journal.note(b"view".to_vec());
    let mut depths = journal.outbox().depths();
    depths
        .wait_for(|depths| depths.p1.frames == 1)
        .await
        .unwrap();
    look(&journal).await;
    assert!(!checkpoint_holds(&shop, "somebody"));
    assert_eq!(look(&journal).await.values.len(), 1);
}

#[tokio::test]
async fn a_rush_that_does_not_end_gets_its_checkpoint_in_between() {
    let shop = Shop::with(|options| options.checkpoint_frames = 3);
    let journal = shop.open();
    capture_numbers(&journal, 0..12).await;
    drop(journal);

    let shelf = look(&shop.open()).await;
    assert!(
        shelf.applied < 12,
        "all {} are applied again",
        shelf.applied
    );
    assert_eq!(shelf.values.len(), 12);
}

#[tokio::test]
async fn views_past_their_limit_push_out_the_oldest_generation() {
    let shop = Shop::with(|options| options.max_p1_frames = 10);
    let journal = shop.open();
    journal.note(vec![b'v'; shop.options.profile.max_body_bytes() + 1]);
    for view in 1..=11 {
        journal.note(format!("view{view}").into_bytes());
        // Each by itself, so that generations are as small as they are told to be.
        capture(&journal, "a=1").await.unwrap();
    }
    look(&journal).await;
    let stream = *journal.outbox().depths().borrow().p1.written();
    journal.close().await.unwrap();

    let journal = shop.open();
    let kept = drain(&journal, Spool::P1).await;
    let expected: Vec<_> = (9..=11).map(|n| (n, format!("view{n}"))).collect();
    assert_eq!(kept, expected, "the frame that was too long got no number");
    assert_eq!((stream.floor, stream.next), (9, 12));
}

#[tokio::test]
async fn callers_are_told_when_the_owner_has_ended() {
    let shop = Shop::new();
    let journal = shop.open();
    let outbox = journal.outbox();
    let (release, first) = hold_owner(&journal);
    let mut first = Box::pin(first);
    start(&mut first).await;
    let mut broken = Box::pin(journal.commit(|shelf| {
        assert!(shelf.values.is_empty(), "the caller's own mistake");
        Verdict {
            body: None,
            answer: (),
        }
    }));
    start(&mut broken).await;
    let mut queued = Box::pin(outbox.peek(Spool::P0, 1, 1));
    start(&mut queued).await;
    drop(release);

    assert_eq!(first.await.unwrap_err().code(), "journal_ended");
    assert_eq!(broken.await.unwrap_err().code(), "journal_ended");
    assert_eq!(queued.await.unwrap_err().code(), "journal_ended");
    let later = capture(&journal, "a=1").await;
    assert_eq!(later.unwrap_err().code(), "journal_ended");
    assert!(journal.close().await.is_err());
    journal.note(b"view".to_vec());

    let journal = shop.open();
    capture(&journal, "a=1").await.unwrap();
}

#[tokio::test]
async fn more_callers_than_places_are_all_served() {
    let shop = Shop::with(|options| options.rotation.full_frames = 500);
    let journal = shop.open();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..600 {
        let journal = journal.clone();
        tasks.spawn(async move { capture(&journal, &format!("key{number}=1")).await });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap().unwrap();
    }
    assert_eq!(look(&journal).await.values.len(), 600);
    let sequences = drain(&journal, Spool::P0).await;
    assert!(
        (1..)
            .zip(&sequences)
            .all(|(wanted, (seq, _))| wanted == *seq)
    );
    assert_eq!(sequences.len(), 600);
}

#[tokio::test]
async fn a_second_owner_is_kept_out() {
    let shop = Shop::new();
    let _journal = shop.open();
    assert_eq!(shop.try_open().unwrap_err().code(), "journal_in_use");
}
