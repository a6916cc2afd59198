//! A way to find records by a key that the records themselves hold: a hash table of slots and nothing else.
//!
//! Some 14 bytes a record, where a map of its own keys would take 50 and more. Slots with the same hash form a
//! chain, so one key may lead to many records, in no particular order; whoever asks compares the key.

use std::hash::{BuildHasher, Hash, RandomState};

use super::slab::Slot;

/// The end of a chain. No slab has that many places.
const END: Slot = Slot::MAX;

const FEWEST_HEADS: usize = 16;

#[derive(Debug)]
pub(super) struct Index {
    /// Drawn by std as for every `HashMap`: a phone chooses the taps it sends, and must not choose their chain.
    hasher: RandomState,
    /// The first slot of each chain: a power of two of them, and at least as many as links.
    heads: Vec<Slot>,
    /// By slot: the slot that follows in its chain.
    links: Vec<Link>,
}

#[derive(Debug, Clone, Copy)]
struct Link {
    /// Spares a look at the record where it differs, and hashing it again when the table grows.
    hash: u32,
    next: Slot,
}

impl Default for Index {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            heads: vec![END; FEWEST_HEADS],
            links: Vec::new(),
        }
    }
}

impl Index {
    /// The slots that may hold `key`.
    pub(super) fn find(&self, key: impl Copy + Hash) -> impl Iterator<Item = Slot> {
        let hash = self.hash(key);
        let mut at = self.heads[self.chain(hash)];
        let chain = std::iter::from_fn(move || {
            let slot = (at != END).then_some(at)?;
            let link = self.links[slot as usize];
            at = link.next;
            Some((link.hash, slot))
        });
        chain
            .filter(move |(found, _)| *found == hash)
            .map(|(_, slot)| slot)
    }

    /// Takes in a slot that is not here yet.
    pub(super) fn insert(&mut self, key: impl Copy + Hash, slot: Slot) {
        let hash = self.hash(key);
        self.make_room(slot as usize + 1);
        self.link(hash, slot);
    }

    /// Gives up a slot that is here.
    pub(super) fn remove(&mut self, slot: Slot) {
        let Link { hash, next } = self.links[slot as usize];
        let chain = self.chain(hash);
        let mut at = self.heads[chain];
        if at == slot {
            self.heads[chain] = next;
            return;
        }
        while at != END {
            let link = &mut self.links[at as usize];
            if link.next == slot {
                link.next = next;
                return;
            }
            at = link.next;
        }
    }

    fn hash(&self, key: impl Copy + Hash) -> u32 {
        let hash = self.hasher.hash_one(key);
        u32::try_from(hash >> 32).expect("32 of 64 bits are left")
    }

    fn chain(&self, hash: u32) -> usize {
        hash as usize & (self.heads.len() - 1)
    }

    fn link(&mut self, hash: u32, slot: Slot) {
        let chain = self.chain(hash);
        let next = std::mem::replace(&mut self.heads[chain], slot);
        self.links[slot as usize] = Link { hash, next };
    }

    fn make_room(&mut self, slots: usize) {
        if self.links.len() < slots {
            self.links.resize(slots, Link { hash: 0, next: END });
        }
        if self.heads.len() < slots {
            let heads = vec![END; slots.next_power_of_two()];
            for mut slot in std::mem::replace(&mut self.heads, heads) {
                while slot != END {
                    let Link { hash, next } = self.links[slot as usize];
                    self.link(hash, slot);
                    slot = next;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Keys so few that chains are long, over the growth of the table and back.
        #[test]
        fn an_index_finds_what_is_in_it_and_nothing_else(steps in prop::collection::vec((0_u32..90, 0_u8..7), 1..400)) {
            let mut index = Index::default();
            let mut held: [Option<u8>; 90] = [None; 90];
            for (slot, key) in steps {
                match held[slot as usize].take() {
                    Some(_) => index.remove(slot),
                    None => {
                        index.insert(key, slot);
                        held[slot as usize] = Some(key);
                    }
                }
            }
            for key in 0..7 {
                let mut found: Vec<Slot> = index.find(key).collect();
                found.sort_unstable();
                let wanted: Vec<Slot> = (0..90).filter(|slot| held[*slot as usize] == Some(key)).collect();
                prop_assert_eq!(found, wanted);
            }
        }
    }
}
