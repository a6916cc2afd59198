//! The gateway is killed again and again, at work and while it starts: every coupon a guest was shown is at
//! headquarters, once.
//!
//! `tests/soak kill --rounds N` goes on for as long as one likes.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::http::StatusCode;
use maitred::ops::clock::{Clock, SystemClock};

use crate::powercut::ledger;
use crate::support::{
    Crowd, Dice, Held, Phone, Process, Sending, Starting, Tasks, TestChain, TestStore, Till,
    asked_for, counter_page, eventually, headquarters_tells, maitred, see, settings, tap_again,
    told,
};

const SEED: usize = 4_711;
const ROUNDS: usize = 40;
/// After so many a new shop opens: one shop has only so many coupons a day.
const ROUNDS_A_DAY: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_killed_again_and_again_loses_nothing_and_doubles_nothing() {
    let seed = asked_for("KILL_SEED", SEED);
    let rounds = asked_for("KILL_ROUNDS", ROUNDS);
    let dice = Dice::new(seed as u64);
    let (mut lost, mut doubled) = (Vec::new(), Vec::new());
    for (number, first) in (0..rounds).step_by(ROUNDS_A_DAY).enumerate() {
        let day = Day::open(dice.apart(number as u64)).await;
        let (held, chain) = day.live(ROUNDS_A_DAY.min(rounds - first)).await;
        compare(&held, &chain, &mut lost, &mut doubled).await;
        println!("seed {seed} day {number}: {} coupons", held.len());
    }
    println!("lost {} doubled {}", lost.len(), doubled.len());
    assert!(lost.is_empty(), "seed {seed}, lost: {lost:#?}");
    assert!(doubled.is_empty(), "seed {seed}, doubled: {doubled:#?}");
}

struct Day {
    chain: TestChain,
    crowd: Crowd,
    dice: Dice,
    /// The PIN of a member of staff.
    pin: String,
}

impl Day {
    async fn open(dice: Dice) -> Self {
        let chain = TestChain::start();
        chain.enroll_store();
        let pin = chain.add_staff();
        // Small, so that kills meet the beginnings and the ends of generations.
        let more = "profile = \"small\"\ngeneration_frames = 120\n";
        let written = settings("store", "store", Sending::AtOnce) + more;
        fs_err::write(chain.path("store.toml"), written).unwrap();
        let day = Self {
            chain,
            crowd: Crowd::of(8, || 0),
            dice,
            pin,
        };
        // The first start brings the bundle, without which there is nothing to tap at.
        let process = start(&day.chain).ready().unwrap();
        TestStore { process }.with_a_bundle().await.process.stop();
        day
    }

    /// Kills the gateway so many times, and lets the guests have their answers from the last one.
    async fn live(mut self, rounds: usize) -> (Vec<Held>, TestChain) {
        for _ in 0..rounds {
            let starting = start(&self.chain);
            if self.dice.one_in(4) {
                self.sleep_up_to(250).await;
                starting.kill();
                continue;
            }
            let process = starting.ready().unwrap();
            self.crowd.come_in(process.address("portal"));
            self.sleep_up_to(500).await;
            process.kill();
        }
        let process: Process = start(&self.chain).ready().unwrap();
        self.crowd.come_in(process.address("portal"));
        let store = TestStore { process };
        let held = self.crowd.go_home().await;
        eventually("everything at headquarters", || async {
            let readiness = store.ops("/readyz").await;
            readiness.contains("\"0 captures wait").then_some(())
        })
        .await;
        the_same_tap_is_the_same_coupon(&store, &held).await;
        let mut till = Till::open(&store, &self.pin).await;
        redeem(&store, &mut till, &held).await;
        store.process.kill();
        let process: Process = start(&self.chain).ready().unwrap();
        let store = TestStore { process };
        the_counter_agrees(&store, &till, &self.chain).await;
        store.process.stop();
        (held, self.chain)
    }

    /// A plug is pulled at any moment; nothing is waited for.
    async fn sleep_up_to(&mut self, most_ms: u64) {
        let millis = self.dice.between(0, most_ms);
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
}

fn start(chain: &TestChain) -> Starting {
    let file = chain.path("store.toml");
    let command = maitred(&["gateway", "--config", file.to_str().unwrap()]);
    Starting::spawn(command, &chain.path("store.log"))
}

/// Hands a few coupons over.
async fn redeem(store: &TestStore, till: &mut Till, held: &[Held]) {
    for held in held.iter().take(5) {
        let mut guest = Phone::open(store.portal(), &Tasks::new()).await.unwrap();
        let coupon = see(&mut guest, &held.path).await;
        let answer = till.redeem(&coupon.token).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.html);
    }
}

/// Every figure of the day at the counter is that of headquarters, which counts each frame once.
async fn the_counter_agrees(store: &TestStore, till: &Till, chain: &TestChain) {
    eventually("the same figures at both", || async {
        let at_the_counter = told(&counter_page(store, till).await);
        let at_headquarters = headquarters_tells(chain, SystemClock.now()).await;
        let redeemed = at_headquarters["Coupons redeemed"];
        (redeemed.0 + redeemed.1 == 5 && at_the_counter == at_headquarters).then_some(())
    })
    .await;
}

async fn the_same_tap_is_the_same_coupon(store: &TestStore, held: &[Held]) {
    // One in so many is enough: each tap that a kill left unanswered was repeated by its guest already.
    const ONE_IN: usize = 20;
    for held in held.iter().step_by(ONE_IN) {
        let mut phone = Phone::open(store.portal(), &Tasks::new()).await.unwrap();
        let again = tap_again(&mut phone, &held.tapped).await;
        assert_eq!(again, Ok(Some(held.path.clone())));
    }
}

/// Every coupon that a guest holds is at headquarters once, and headquarters has no other: each tap was
/// repeated until it had its answer, so another one would be a second coupon for a tap.
async fn compare(
    held: &[Held],
    chain: &TestChain,
    lost: &mut Vec<String>,
    doubled: &mut Vec<String>,
) {
    assert!(held.len() > 100, "a day on which {} came", held.len());
    let arrivals = ledger::arrivals(&chain.path("hq"));
    let shown: BTreeSet<&str> = held.iter().map(Held::coupon).collect();
    let missing = shown
        .iter()
        .filter(|coupon| !arrivals.claims.contains_key(**coupon));
    lost.extend(missing.map(|coupon| (*coupon).to_owned()));
    for (coupon, places) in &arrivals.claims {
        if places.len() > 1 || !shown.contains(coupon.as_str()) {
            doubled.push(format!("{coupon} at {places:?}"));
        }
    }
    let totals = chain.totals().await;
    if totals.frames_twice > 0 {
        doubled.push(format!("{} frames", totals.frames_twice));
    }
    assert_eq!(totals.quarantined, 0);
}
