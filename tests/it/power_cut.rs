//! The power is cut at many moments of a shop's day: what a guest was shown is kept, and kept once.
//!
//! `tests/soak powercut` does the same with more days and thousands of moments.

use crate::powercut::{Day, Findings, Until, cut, examine, record};
use crate::support::{Dice, asked_for};

/// Any other is as good: `tests/soak powercut --seed N`.
const SEED: usize = 20_261_122;
const IMAGES: usize = 100;
/// More moments of the same day tell less than those of another one.
const IMAGES_A_DAY: usize = 500;

#[tokio::test(flavor = "multi_thread")]
async fn the_power_can_be_cut_at_any_moment_and_no_coupon_is_lost_or_doubled() {
    let seed = asked_for("POWERCUT_SEED", SEED);
    let images = asked_for("POWERCUT_IMAGES", IMAGES);
    let mut findings = Findings::default();
    for (number, first) in (0..images).step_by(IMAGES_A_DAY).enumerate() {
        let dice = Dice::new(seed as u64).apart(number as u64);
        let recording = record(Day::with(dice.clone())).await;
        let images = IMAGES_A_DAY.min(images - first);
        let found = tokio::task::block_in_place(|| {
            cut(
                &recording.tape,
                images,
                &dice,
                Until::AllAreCut,
                |left, dir, dice| examine(&recording, left, dir, dice),
            )
        });
        println!(
            "seed {seed} day {number}: {} coupons, {images} images, {} findings",
            recording.held.len(),
            found.count()
        );
        findings.add(found);
    }
    println!(
        "lost {} doubled {}",
        findings.lost.len(),
        findings.doubled.len()
    );
    assert!(findings.are_none(), "seed {seed}: {findings:#?}");
}

/// What shows that the harness can find something at all.
#[cfg(feature = "fault")]
mod with_a_fault {
    use super::*;
    use crate::powercut::fault::record_numbers;

    /// A loss must show within so many.
    const IMAGES: usize = 300;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_gateway_without_its_fdatasync_is_caught() {
        let dice = Dice::new(SEED as u64);
        let recording = record(Day::with_fault(dice.clone(), "no-fdatasync")).await;
        let findings = tokio::task::block_in_place(|| {
            cut(
                &recording.tape,
                IMAGES,
                &dice,
                Until::SomethingIsLost,
                |left, dir, dice| examine(&recording, left, dir, dice),
            )
        });
        println!("{} lost by {} images", findings.lost.len(), findings.images);
        assert!(!findings.lost.is_empty(), "{findings:#?}");
    }

    #[test]
    fn a_journal_that_commits_a_thousand_frames_at_once_is_caught() {
        let dice = Dice::new(SEED as u64);
        let numbers = record_numbers("cap-1000");
        let findings = cut(
            &numbers.tape,
            IMAGES,
            &dice,
            Until::SomethingIsLost,
            |left, dir, _| numbers.examine(left, dir),
        );
        println!("{} lost by {} images", findings.lost.len(), findings.images);
        assert!(!findings.lost.is_empty(), "{findings:#?}");
    }

    #[test]
    fn a_journal_without_a_fault_is_not_caught() {
        let dice = Dice::new(SEED as u64);
        let numbers = record_numbers("none");
        let findings = cut(
            &numbers.tape,
            IMAGES / 3,
            &dice,
            Until::SomethingIsLost,
            |left, dir, _| numbers.examine(left, dir),
        );
        assert!(findings.are_none(), "{findings:#?}");
    }
}
