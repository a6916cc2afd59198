//! Two hundred phones claim at once, and the box is killed three times on the way: its slice of the campaign is
//! given out to the last coupon and not exceeded, and every coupon that a phone was shown is there afterwards.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::http::StatusCode;
use tokio::sync::{Barrier, watch};
use tokio::task::JoinSet;

use crate::support::{
    Phone, Sending, Tasks, TestChain, claim_fields, edit_campaign, eventually, table,
};

const PHONES: usize = 200;
const SLICE: usize = 120;

/// A guest who has the page open and taps when everybody does, again and again until there is an answer.
struct Guest {
    table: String,
    door: watch::Receiver<SocketAddr>,
    start: Arc<Barrier>,
    answered: watch::Sender<usize>,
}

impl Guest {
    /// The path of the coupon; none where there was none left.
    async fn visit(self) -> Option<String> {
        let fields = eventually("the page of a table", || self.land()).await;
        self.start.wait().await;
        let path = eventually("an answer to a tap", || self.tap(&fields)).await;
        self.answered.send_modify(|count| *count += 1);
        path
    }

    async fn phone(&self) -> Option<Phone> {
        let portal = *self.door.borrow();
        Phone::open(portal, &Tasks::new()).await.ok()
    }

    async fn land(&self) -> Option<[(&'static str, String); 3]> {
        let page = format!("/t/{}", self.table);
        let landing = self.phone().await?.get(&page).await.ok()?;
        (landing.status == StatusCode::OK).then(|| claim_fields(&landing))
    }

    async fn tap(&self, fields: &[(&'static str, String); 3]) -> Option<Option<String>> {
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let answer = self.phone().await?.post("/claim", &fields).await.ok()?;
        match answer.status {
            StatusCode::SEE_OTHER => Some(answer.location),
            StatusCode::CONFLICT => Some(None),
            // Nothing was kept.
            StatusCode::SERVICE_UNAVAILABLE => None,
            other => panic!("a tap was answered with {other}: {}", answer.html),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slice_is_held_while_two_hundred_phones_claim_and_the_box_is_killed_three_times() {
    let chain = TestChain::start_edited(|folder| {
        edit_campaign(folder, "total = 5000000", &format!("total = {SLICE}"));
    });
    let mut store = chain.open_store().await;
    let door = watch::Sender::new(store.portal());
    let answered = watch::Sender::new(0);
    let start = Arc::new(Barrier::new(PHONES));
    let mut guests = JoinSet::new();
    for number in 0..PHONES {
        let guest = Guest {
            table: table(1 + number % 7),
            door: door.subscribe(),
            start: Arc::clone(&start),
            answered: answered.clone(),
        };
        guests.spawn(guest.visit());
    }
    for part in 1..=3 {
        let enough = part * SLICE / 4;
        let mut seen = answered.subscribe();
        seen.wait_for(|count| *count >= enough).await.unwrap();
        store.process.kill();
        store = chain.start_store(Sending::AtOnce).await;
        door.send_replace(store.portal());
    }
    let shown: Vec<String> = guests.join_all().await.into_iter().flatten().collect();
    assert_eq!(shown.len(), SLICE, "each that was there, and no other");
    let different: BTreeSet<&String> = shown.iter().collect();
    assert_eq!(different.len(), SLICE);
    for path in &shown {
        let mut phone = Phone::open(store.portal(), &Tasks::new()).await.unwrap();
        let page = phone.get(path).await.unwrap();
        assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.html);
    }
    store.wait_until_sent().await;
    let totals = chain.totals().await;
    assert_eq!(
        (totals.claims, totals.coupons),
        (SLICE as u64, SLICE as u64)
    );
    assert_eq!(totals.frames_twice, 0);
}
