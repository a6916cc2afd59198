//! The inbox: one phone cannot flood it, nothing is counted twice, and it lets go in time.

use jiff::tz::Offset;

use super::*;
use crate::domain::event::Moment;

/// A shop with an inbox, and a clock that goes on by hand.
struct Shop {
    inbox: Inbox,
    store: StoreId,
    now: Timestamp,
    next: u8,
}

fn table(number: u64) -> TouchpointCode {
    TouchpointCode::from_entropy(number)
}

fn diner(number: u8) -> Vid {
    Vid::from_entropy([number; 16])
}

impl Shop {
    fn open() -> Self {
        Self {
            inbox: Inbox::default(),
            store: StoreId::parse("SZ01").unwrap(),
            now: "2026-12-01T12:00:00Z".parse().unwrap(),
            next: 0,
        }
    }

    fn after(&mut self, seconds: i64) -> &mut Self {
        self.now += SignedDuration::from_secs(seconds);
        self
    }

    fn happens(&mut self, event: Event) {
        let occurrence = Occurrence {
            store: self.store.clone(),
            moment: Moment {
                at: self.now,
                offset: Offset::constant(8),
            },
            event,
        };
        self.inbox.apply(&occurrence);
        let after_once = format!("{:?}", self.inbox.requests);
        self.inbox.apply(&occurrence);
        assert_eq!(
            after_once,
            format!("{:?}", self.inbox.requests),
            "twice is once"
        );
    }

    /// Who asks next.
    fn asking(&mut self, place: u64, vid: u8) -> Asking<'_> {
        self.next += 1;
        Asking {
            store: &self.store,
            place: Some(table(place)),
            vid: diner(vid),
            id: RequestId::from_entropy([self.next; 16]),
            now: self.now,
        }
    }

    fn call(&mut self, place: u64, vid: u8, call: Call) -> Result<RequestId, Enough> {
        let inbox = self.inbox.clone();
        match inbox.call(&self.asking(place, vid), table(place), call)? {
            Asked::AsBefore(id) => Ok(id),
            Asked::New(called) => {
                let id = called.id;
                self.happens(Event::StaffCalled(called));
                Ok(id)
            }
        }
    }

    fn rate(&mut self, place: u64, vid: u8, stars: u8) -> Result<RequestId, Enough> {
        let rating = Rating::try_from(stars).ok();
        assert!(rating.is_some());
        let inbox = self.inbox.clone();
        match inbox.feedback(&self.asking(place, vid), rating, None)? {
            Asked::AsBefore(id) => Ok(id),
            Asked::New(feedback) => {
                let id = feedback.id;
                self.happens(Event::Feedback(feedback));
                Ok(id)
            }
        }
    }

    fn answer(&mut self, of: RequestId, standing: Standing) {
        self.happens(Event::GuestAnswered(GuestAnswered {
            of,
            staff: StaffName::parse("lin").unwrap(),
            standing,
            words: None,
            on_street: false,
        }));
    }

    fn times(&self, id: RequestId) -> u32 {
        self.inbox.get(id).unwrap().times()
    }
}

#[test]
fn a_call_that_waits_is_one_call_however_often_it_is_repeated() {
    let mut shop = Shop::open();
    let call = shop.call(1, 1, Call::Waiter).unwrap();
    assert_eq!(shop.after(20).call(1, 2, Call::Waiter), Ok(call), "an echo");
    assert_eq!(shop.times(call), 1);
    assert_eq!(shop.after(60).call(1, 1, Call::Waiter), Ok(call));
    assert_eq!(shop.times(call), 2, "they have been waiting");
    assert_ne!(shop.call(1, 1, Call::Bill), Ok(call), "something else");
    assert_ne!(shop.call(2, 2, Call::Waiter), Ok(call), "somewhere else");
    shop.answer(call, Standing::Done);
    assert_ne!(shop.call(1, 1, Call::Waiter), Ok(call), "it was seen to");
}

#[test]
fn one_diner_cannot_flood_the_counter() {
    let mut shop = Shop::open();
    for place in 1..=4 {
        shop.call(place, 1, Call::Waiter).unwrap();
    }
    assert_eq!(shop.call(5, 1, Call::Waiter), Err(Enough));
    assert!(shop.call(5, 2, Call::Waiter).is_ok(), "another diner may");
    for _ in 0..3 {
        shop.rate(1, 1, 5).unwrap();
    }
    assert_eq!(shop.rate(1, 1, 5), Err(Enough));
    for vid in 11..=19 {
        shop.rate(1, vid, 5).unwrap();
    }
    assert_eq!(shop.rate(1, 20, 5), Err(Enough), "one place, many cookies");
    assert!(shop.rate(2, 20, 5).is_ok());
    assert!(shop.after(3_600).rate(1, 1, 5).is_ok(), "an hour later");
}

#[test]
fn a_bad_rating_is_an_alert_until_somebody_has_seen_to_it() {
    let mut shop = Shop::open();
    let (bad, fair) = (shop.rate(1, 1, 2).unwrap(), shop.rate(1, 2, 3).unwrap());
    let is_alert = |shop: &Shop, id| shop.inbox.get(id).unwrap().is_alert();
    assert!(is_alert(&shop, bad) && !is_alert(&shop, fair));
    shop.answer(bad, Standing::Done);
    assert!(!is_alert(&shop, bad));
    shop.after(5).answer(bad, Standing::Open);
    assert!(is_alert(&shop, bad), "done was a mistake");
}

#[test]
fn a_checkpoint_holds_what_changed_and_lets_go_of_what_is_a_week_old() {
    let mut shop = Shop::open();
    let first = shop.call(1, 1, Call::Water).unwrap();
    let written = |shop: &mut Shop| -> Vec<(RequestId, Option<Request>)> {
        let now = shop.now;
        let changes = shop.inbox.take_changes(now).into_iter();
        changes
            .map(|(id, request)| (id, request.cloned()))
            .collect()
    };
    let changes = written(&mut shop);
    let [(_, Some(kept))] = changes.as_slice() else {
        panic!("one call, not {changes:?}");
    };
    let text = serde_json::to_string(kept).unwrap();
    let mut again = Inbox::default();
    again.restore(serde_json::from_str(&text).unwrap());
    assert_eq!(again.get(first), shop.inbox.get(first));
    assert_eq!(written(&mut shop), []);

    let week = 7 * 24 * 3_600;
    let second = shop.after(week).call(2, 2, Call::Bill).unwrap();
    let ids = |shop: &mut Shop| -> Vec<(RequestId, bool)> {
        let changes = written(shop).into_iter();
        changes
            .map(|(id, request)| (id, request.is_some()))
            .collect()
    };
    assert_eq!(ids(&mut shop), [(second, true)]);
    shop.after(1);
    assert_eq!(ids(&mut shop), [(first, false)]);
    assert_eq!(shop.inbox.get(first), None);
}

#[test]
fn the_inbox_is_bounded_and_what_is_done_goes_before_what_is_open() {
    let mut shop = Shop::open();
    let first = shop.call(1, 1, Call::Waiter).unwrap();
    let second = shop.rate(1, 1, 4).unwrap();
    shop.answer(second, Standing::Done);
    for number in 0..u8::try_from(MOST - 1).unwrap() {
        let id = RequestId::from_entropy(std::array::from_fn(
            |byte| if byte == 0 { number } else { 99 },
        ));
        shop.after(1).happens(Event::Feedback(Feedback {
            id,
            touchpoint: None,
            vid: diner(9),
            rating: None,
            words: None,
            of: None,
        }));
    }
    assert_eq!(shop.inbox.requests.len(), MOST);
    assert!(shop.inbox.get(first).is_some());
    assert!(shop.inbox.get(second).is_none());
}

#[test]
fn a_guest_writes_back_to_an_answer_in_words_once_and_it_is_open_again() {
    let mut shop = Shop::open();
    let id = shop.rate(1, 1, 4).unwrap();
    let words = || Words::typed("It was the soup.").unwrap().unwrap();
    let back = |shop: &Shop, guest| {
        let store = shop.store.clone();
        let asking = Asking {
            store: &store,
            place: None,
            vid: diner(guest),
            id: RequestId::from_entropy([77; 16]),
            now: shop.now,
        };
        shop.inbox.write_back(&asking, id, words())
    };
    shop.answer(id, Standing::Done);
    assert_eq!(
        back(&shop, 1),
        None,
        "nothing was said that could be answered"
    );
    shop.inbox.requests[0].answers[0].words = Some(words());
    assert_eq!(back(&shop, 2), None, "somebody else's");
    let Some(Asked::New(feedback)) = back(&shop, 1) else {
        panic!("the shop has answered");
    };
    for _ in 0..2 {
        shop.after(1).happens(Event::Feedback(feedback.clone()));
    }
    let request = shop.inbox.get(id).unwrap();
    assert!(request.is_open() && !request.takes_words_back());
    assert_eq!(shop.inbox.requests.len(), 1, "it is the same request");
    assert_eq!(back(&shop, 1), Some(Asked::AsBefore(id)), "sent twice");
    shop.after(1).answer(id, Standing::Done);
    assert!(!shop.inbox.get(id).unwrap().is_open());
}
