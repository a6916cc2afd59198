//! How big things are: the two profiles, and what an owner of a journal may choose.
//!
//! The caps of a profile are safety limits and not tuning knobs. More than about a quarter segment of log
//! between two fdatasyncs lost whole queues silently in simulation (reference/sled-0.34.md, 2g).

use std::time::Duration;

use super::frame::OVERHEAD_BYTES;

/// The size of the box. Fixed in a generation's READY when it is created: sled refuses another segment size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    Standard,
    Small,
}

/// The most that may be written between two fdatasyncs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cap {
    pub entries: usize,
    pub bytes: usize,
}

impl Profile {
    /// The longest body a frame takes.
    pub const fn max_body_bytes(self) -> usize {
        self.max_entry_bytes() - OVERHEAD_BYTES
    }

    /// Above this sled moves a page into a file of its own that it never syncs (2500 of 128 KiB was measured
    /// to fit, 5000 not; 9000 of 512 KiB did).
    pub(super) const fn max_entry_bytes(self) -> usize {
        match self {
            Self::Standard => 4096,
            Self::Small => 1536,
        }
    }

    pub(super) const fn segment_bytes(self) -> usize {
        match self {
            Self::Standard => 512 * 1024,
            Self::Small => 128 * 1024,
        }
    }

    pub(super) fn cap(self) -> Cap {
        #[cfg(feature = "fault")]
        if super::fault::is_asked_for(super::fault::CAP_1000) {
            return super::fault::CAP;
        }
        match self {
            Self::Standard => Cap {
                entries: 64,
                bytes: 32 * 1024,
            },
            Self::Small => Cap {
                entries: 24,
                bytes: 8 * 1024,
            },
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Small => "small",
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        [Self::Standard, Self::Small]
            .into_iter()
            .find(|profile| profile.name() == name)
    }
}

impl Cap {
    /// Whether one more entry of this size may still join what waits.
    pub(super) const fn has_room(self, entries: usize, bytes: usize, more: usize) -> bool {
        entries < self.entries && bytes + more <= self.bytes
    }
}

/// When a generation is sealed and the next one begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// After this many frames, because only a deleted generation gives its space back.
    pub full_frames: u64,
    /// Already above this many if every one of them has been acknowledged.
    pub drained_frames: u64,
}

impl Rotation {
    /// After so many frames, and after half of them where all are acknowledged.
    pub const fn after(frames: u64) -> Self {
        Self {
            full_frames: frames,
            drained_frames: frames / 2,
        }
    }
}

/// What an owner of a journal may choose.
#[derive(Debug, Clone)]
pub struct Options {
    pub profile: Profile,
    pub rotation: Rotation,
    /// Past this many unacknowledged P0 frames (about 60 MiB) a commit answers `Full`.
    pub max_p0_frames: u64,
    /// Past this many unacknowledged P1 frames the oldest are dropped.
    pub max_p1_frames: u64,
    /// How long a P1 frame waits for a P0 commit to ride on.
    pub p1_delay: Duration,
    /// After so many frames the projections are checkpointed as soon as nobody asks, and after four times as
    /// many in any case, which bounds the replay at start.
    pub checkpoint_frames: u64,
    /// How long somebody who asked to be forgotten stays in the checkpoint, with whoever else asks meanwhile: a file
    /// that is written anew for each of them would wear a router's flash out.
    pub forget_within: Duration,
    /// How long what headquarters has is kept for one that loses it.
    pub kept_for: Duration,
    /// How much of that is kept at most; the oldest goes first.
    pub kept_bytes: u64,
    /// With less free than this a commit answers `NoSpace`.
    pub free_floor_bytes: u64,
    /// What is held back to drain a full disk with.
    pub ballast_bytes: u64,
    /// Whether a directory may be used that a power cut empties.
    pub memory: Memory,
}

/// What to do with a state directory that is in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    Refuse,
    /// For the demo and for tests: nothing they promise outlives the machine.
    Allow,
}

impl Options {
    pub fn for_profile(profile: Profile) -> Self {
        let rotation = match profile {
            Profile::Standard => Rotation {
                full_frames: 10_000,
                drained_frames: 2_500,
            },
            Profile::Small => Rotation {
                full_frames: 5_000,
                drained_frames: 2_500,
            },
        };
        Self {
            profile,
            rotation,
            max_p0_frames: 100_000,
            max_p1_frames: 20_000,
            p1_delay: Duration::from_secs(5),
            // A checkpoint costs nearly as many syncs as the commits it saves from being applied again, and
            // to apply so many takes a tenth of a second.
            checkpoint_frames: 5_000,
            forget_within: Duration::from_secs(60),
            kept_for: Duration::from_hours(7 * 24),
            kept_bytes: 4 << 20,
            free_floor_bytes: 8 << 20,
            ballast_bytes: 2 << 20,
            memory: Memory::Refuse,
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::for_profile(Profile::Standard)
    }
}
