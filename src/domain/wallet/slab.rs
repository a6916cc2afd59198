//! Records of one size in places with numbers: an index holds four bytes where an id has sixteen.
//!
//! A place that has become free is used again, so memory follows the most records there ever were at once.

/// The number of a place.
pub(super) type Slot = u32;

#[derive(Debug)]
pub(super) struct Slab<T> {
    places: Vec<Option<T>>,
    free: Vec<Slot>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Slab<T> {
    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    pub(super) fn insert(&mut self, record: T) -> Slot {
        if let Some(slot) = self.free.pop() {
            self.places[slot as usize] = Some(record);
            return slot;
        }
        let slot = Slot::try_from(self.places.len()).expect("memory ends long before the numbers");
        self.places.push(Some(record));
        slot
    }

    /// The record in a place that is taken.
    pub(super) fn get(&self, slot: Slot) -> &T {
        let place = self.places[slot as usize].as_ref();
        place.expect("whoever keeps a slot gives it up when it is freed")
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> &mut T {
        let place = self.places[slot as usize].as_mut();
        place.expect("whoever keeps a slot gives it up when it is freed")
    }

    pub(super) fn remove(&mut self, slot: Slot) {
        if self.places[slot as usize].take().is_some() {
            self.free.push(slot);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.places.iter().flatten()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.places.iter_mut().flatten()
    }

    /// The places of the records that are so.
    pub(super) fn slots_where(&self, is_so: impl Fn(&T) -> bool) -> Vec<Slot> {
        let numbered = (0..).zip(&self.places);
        numbered
            .filter(|(_, place)| place.as_ref().is_some_and(&is_so))
            .map(|(slot, _)| slot)
            .collect()
    }
}
