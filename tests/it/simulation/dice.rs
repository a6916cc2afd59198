//! Chance that can be had again: everything that happens in a run follows from its seed.

use maitred::domain::ids::{FrameId, StreamId};

/// Knuth's linear generator for 64 bits; only the upper half is used.
#[derive(Debug)]
pub(super) struct Dice {
    state: u64,
    named: u64,
}

impl Dice {
    pub(super) const fn new(seed: u64) -> Self {
        Self {
            state: seed,
            named: 0,
        }
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        let mut draw = || {
            self.state = self
                .state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            self.state >> 32
        };
        (draw() << 32 | draw()) % bound
    }

    pub(super) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).expect("it is below a length")
    }

    pub(super) fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    /// From 0 to 1.
    pub(super) fn chance(&mut self) -> f64 {
        f64::from(u32::try_from(self.below(1 << 32)).expect("it is below 2^32"))
            / f64::from(u32::MAX)
    }

    /// Never the same one twice in a run.
    pub(super) fn frame(&mut self) -> FrameId {
        FrameId::from_time_and_entropy(self.name(), [7; 10])
    }

    pub(super) fn stream(&mut self) -> StreamId {
        StreamId::from_time_and_entropy(self.name(), [9; 10])
    }

    const fn name(&mut self) -> u64 {
        self.named += 1;
        self.named
    }
}
