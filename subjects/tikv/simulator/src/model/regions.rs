//! All regions: most are computed when asked for, those that something happened to are held.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::key::{ends_after, middle};
use super::layout::{Layout, Sketch};
use super::region::{Load, Peer, Region};

/// Up to this many regions are all held, so that each lives: its size grows, it splits, its flow is reported.
const HELD_AT_THE_START: u64 = 4_096;

/// A slot is the range of one region at the start. It is *calm* until something happens to it, then its regions are
/// held: one, more after a split, none after a merge into the slot before.
#[derive(Debug)]
pub(crate) struct Regions {
    layout: Layout,
    slots: BTreeMap<u64, Vec<u64>>,
    held: BTreeMap<u64, Region>,
    calm: BTreeMap<u64, CalmStore>,
    next_id: u64,
}

/// What the calm regions sum up to on one store.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CalmStore {
    pub(crate) leaders: u64,
    pub(crate) leader_bytes: f64,
    pub(crate) peers: u64,
    pub(crate) peer_bytes: f64,
    pub(crate) leader_load: Load,
    pub(crate) peer_load: Load,
}

impl CalmStore {
    fn add(&mut self, sketch: &Sketch, is_leader: bool, sign: f64) {
        let step = if sign > 0.0 { u64::wrapping_add } else { u64::wrapping_sub };
        self.peers = step(self.peers, 1);
        self.peer_bytes += sign * sketch.size_bytes;
        self.peer_load = self.peer_load.plus(sketch.load.scaled(sign));
        if is_leader {
            self.leaders = step(self.leaders, 1);
            self.leader_bytes += sign * sketch.size_bytes;
            self.leader_load = self.leader_load.plus(sketch.load.scaled(sign));
        }
    }
}

impl Regions {
    pub(crate) fn new(layout: Layout) -> Self {
        let mut regions = Self {
            next_id: layout.next_id(),
            layout,
            slots: BTreeMap::new(),
            held: BTreeMap::new(),
            calm: BTreeMap::new(),
        };
        let count = regions.layout.regions();
        for slot in 0..count {
            let sketch = regions.layout.sketch(slot);
            regions.count_calm(&sketch, 1.0);
        }
        if count <= HELD_AT_THE_START {
            for slot in 0..count {
                regions.hold_slot(slot);
            }
        }
        regions
    }

    fn count_calm(&mut self, sketch: &Sketch, sign: f64) {
        for (index, store) in sketch.stores().iter().enumerate() {
            self.calm.entry(*store).or_default().add(sketch, index == 0, sign);
        }
    }

    /// How many regions there are.
    pub(crate) fn count(&self) -> u64 {
        self.calm_count() + self.held.len() as u64
    }

    /// How many of them nothing ever happened to.
    pub(crate) fn calm_count(&self) -> u64 {
        self.layout.regions() - self.slots.len() as u64
    }

    pub(crate) fn calm_on(&self, store: u64) -> CalmStore {
        self.calm.get(&store).copied().unwrap_or_default()
    }

    pub(crate) fn new_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    /// The ids that come next, without taking them.
    pub(crate) fn next_id(&self) -> u64 {
        self.next_id
    }

    /// Takes so many ids.
    pub(crate) fn skip_ids(&mut self, count: u64) {
        self.next_id += count;
    }

    pub(crate) fn get(&self, id: u64) -> Option<Cow<'_, Region>> {
        if let Some(region) = self.held.get(&id) {
            return Some(Cow::Borrowed(region));
        }
        let slot = self.layout.slot_of_id(id)?;
        (!self.slots.contains_key(&slot)).then(|| Cow::Owned(self.layout.region(slot)))
    }

    pub(crate) fn is_held(&self, id: u64) -> bool {
        self.held.contains_key(&id)
    }

    pub(crate) fn held(&self) -> impl Iterator<Item = &Region> {
        self.held.values()
    }

    /// The region to change; it is held from now on.
    pub(crate) fn get_mut(&mut self, id: u64) -> Option<&mut Region> {
        if !self.held.contains_key(&id) {
            let slot = self.layout.slot_of_id(id)?;
            self.hold_slot(slot);
        }
        self.held.get_mut(&id)
    }

    /// Holds every region with a peer on this store and returns those that were not held before.
    pub(crate) fn hold_on_store(&mut self, store: u64) -> Vec<u64> {
        if self.calm_on(store).peers == 0 {
            return Vec::new();
        }
        let slots: Vec<_> = (0..self.layout.regions())
            .filter(|slot| {
                !self.slots.contains_key(slot) && self.layout.sketch(*slot).stores().contains(&store)
            })
            .collect();
        slots.into_iter().filter_map(|slot| self.hold_slot(slot)).collect()
    }

    fn hold_slot(&mut self, slot: u64) -> Option<u64> {
        if self.slots.contains_key(&slot) {
            return None;
        }
        let sketch = self.layout.sketch(slot);
        self.count_calm(&sketch, -1.0);
        let region = self.layout.region(slot);
        let id = region.id;
        self.slots.insert(slot, vec![id]);
        self.held.insert(id, region);
        Some(id)
    }

    /// Regions in the order of their keys, from the one that holds `key`.
    pub(crate) fn starting_at<'a>(&'a self, key: &'a [u8]) -> impl Iterator<Item = Cow<'a, Region>> + 'a {
        let mut slot = self.layout.slot_of_key(key);
        // Slots that were merged away are covered by an earlier one.
        while slot > 0 && self.slots.get(&slot).is_some_and(|ids| !self.covers(ids, key)) {
            slot -= 1;
        }
        (slot..self.layout.regions())
            .flat_map(move |slot| self.in_slot(slot))
            .skip_while(move |region| !ends_after(&region.end, key))
    }

    /// The region that ends where this key begins.
    pub(crate) fn left_of(&self, start: &[u8]) -> Option<Cow<'_, Region>> {
        let mut slot = self.layout.slot_of_key(start);
        loop {
            if let Some(left) = self.in_slot(slot).into_iter().find(|region| region.end == start) {
                return (!start.is_empty()).then_some(left);
            }
            slot = slot.checked_sub(1)?;
        }
    }

    /// The region that begins where this one ends.
    pub(crate) fn right_of(&self, id: u64) -> Option<Region> {
        let end = self.get(id)?.end.clone();
        if end.is_empty() {
            return None;
        }
        self.starting_at(&end).next().map(Cow::into_owned)
    }

    fn covers(&self, ids: &[u64], key: &[u8]) -> bool {
        ids.first().and_then(|id| self.held.get(id)).is_some_and(|region| region.start.as_slice() <= key)
    }

    fn in_slot(&self, slot: u64) -> Vec<Cow<'_, Region>> {
        match self.slots.get(&slot) {
            None => vec![Cow::Owned(self.layout.region(slot))],
            Some(ids) => ids.iter().filter_map(|id| self.held.get(id)).map(Cow::Borrowed).collect(),
        }
    }

    /// Splits a region in its middle, or at a key: the new region takes the left half, as TiKV does it by default.
    pub(crate) fn split(&mut self, id: u64, at: Option<&[u8]>) -> Option<u64> {
        let whole = self.get_mut(id)?;
        let key = match at {
            Some(key) if key > whole.start.as_slice() && ends_after(&whole.end, key) => key.to_vec(),
            Some(_) => return None,
            None => middle(&whole.start, &whole.end)?,
        };
        whole.version += 1;
        whole.size_bytes /= 2.0;
        whole.load = whole.load.scaled(0.5);
        let mut left = whole.clone();
        whole.start.clone_from(&key);
        left.end = key;
        left.id = self.new_id();
        let leader_store = left.leader.map(|peer| peer.store);
        let peers: Vec<_> = left.peers.iter().map(|peer| Peer { id: self.new_id(), ..*peer }).collect();
        left.leader = peers.iter().copied().find(|peer| Some(peer.store) == leader_store);
        left.voted = left.leader.map_or(0, |peer| peer.id);
        left.peers = peers;
        let (new_id, ids) = (left.id, self.slots.values_mut().find(|ids| ids.contains(&id))?);
        let at = ids.iter().position(|held| *held == id)?;
        ids.insert(at, new_id);
        self.held.insert(new_id, left);
        Some(new_id)
    }

    /// A region takes over one of its neighbours, whose id is returned.
    pub(crate) fn merge_into(&mut self, next: u64, id: u64) -> Option<u64> {
        let stores = |region: &Region| {
            let mut stores: Vec<_> = region.voters().map(|peer| peer.store).collect();
            stores.sort_unstable();
            stores
        };
        if stores(self.get(id)?.as_ref()) != stores(self.get(next)?.as_ref()) {
            return None;
        }
        self.get_mut(next)?;
        for ids in self.slots.values_mut() {
            ids.retain(|held| *held != next);
        }
        let gone = self.held.remove(&next)?;
        let region = self.get_mut(id)?;
        let is_right = gone.start == region.end;
        if is_right {
            region.end = gone.end;
        } else {
            region.start = gone.start;
        }
        region.version = region.version.max(gone.version) + 1;
        region.size_bytes += gone.size_bytes;
        region.load = region.load.plus(gone.load);
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regions(count: u64, stores: u64) -> Regions {
        Regions::new(Layout::new(3, count, (1..=stores).collect()))
    }

    fn assert_covers(regions: &Regions) {
        let all: Vec<_> = regions.starting_at(b"").collect();
        assert_eq!(all.len() as u64, regions.count());
        assert!(all[0].start.is_empty() && all[all.len() - 1].end.is_empty());
        assert!(all.windows(2).all(|pair| pair[0].end == pair[1].start));
    }

    #[test]
    fn splits_and_merges_leave_no_gap() {
        let mut regions = regions(10, 3);
        let first = regions.starting_at(b"").next().expect("one").id;
        let left = regions.split(first, None).expect("splits");
        assert_eq!(regions.starting_at(b"").next().map(|region| region.id), Some(left));
        assert_covers(&regions);
        for _ in 0..5 {
            let next = regions.right_of(left).expect("has a neighbour").id;
            assert_eq!(regions.merge_into(next, left), Some(next));
            assert_covers(&regions);
        }
        // A region to the left is taken over as well.
        let first_of_the_rest = regions.right_of(left).expect("there are more").id;
        let second = regions.right_of(first_of_the_rest).expect("there are more").id;
        assert_eq!(regions.merge_into(first_of_the_rest, second), Some(first_of_the_rest));
        assert_covers(&regions);
        let merged = regions.get(left).expect("is there").into_owned();
        assert_eq!(regions.starting_at(b"usertable:user3").next().map(|region| region.id), Some(left));
        assert_eq!(
            regions.starting_at(&merged.end).next().map(|region| region.start.clone()),
            Some(merged.end.clone())
        );
    }

    #[test]
    fn holding_the_regions_of_a_store_moves_their_counts() {
        let mut regions = regions(50_000, 100);
        assert_eq!(regions.held().count(), 0);
        let peers = regions.calm_on(7).peers;
        assert_eq!(regions.hold_on_store(7).len() as u64, peers);
        assert_eq!(regions.calm_on(7).peers, 0);
        assert_eq!(regions.calm_on(7).leaders, 0);
        assert_eq!(regions.count(), 50_000);
        assert_covers(&regions);
    }
}
