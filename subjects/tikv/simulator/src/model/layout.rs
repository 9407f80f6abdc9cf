//! Where the regions lie at the start: computed from their index, so that a million of them cost nothing.

use super::key;
use super::region::{Load, Peer, Region, Role};
use crate::random::{fraction, hash};

const REPLICAS: usize = 3;

#[derive(Debug, Clone)]
pub(crate) struct Layout {
    seed: u64,
    regions: u64,
    stores: Vec<u64>,
    /// The first id of region and peers that follows the stores' ids.
    first_id: u64,
}

/// What is needed to count a region without building it.
pub(crate) struct Sketch {
    stores: [u64; REPLICAS],
    replicas: usize,
    pub(crate) size_bytes: f64,
    pub(crate) load: Load,
}

impl Sketch {
    /// The stores of its peers, the leader's first.
    pub(crate) fn stores(&self) -> &[u64] {
        self.stores.get(..self.replicas).unwrap_or(&self.stores)
    }
}

impl Layout {
    pub(crate) fn new(seed: u64, regions: u64, stores: Vec<u64>) -> Self {
        let first_id = stores.iter().copied().max().unwrap_or(0) + 1;
        Self { seed, regions, stores, first_id: first_id.max(4) }
    }

    pub(crate) fn regions(&self) -> u64 {
        self.regions
    }

    /// The first id that nothing has at the start.
    pub(crate) fn next_id(&self) -> u64 {
        self.first_id + self.regions * 4
    }

    /// The region in which every cluster begins has id 2 and stays the last one, as each split gives the left half to
    /// the new region.
    pub(crate) fn id(&self, slot: u64) -> u64 {
        if slot + 1 == self.regions { 2 } else { self.first_id + slot * 4 }
    }

    pub(crate) fn slot_of_id(&self, id: u64) -> Option<u64> {
        if id == 2 {
            return self.regions.checked_sub(1);
        }
        let offset = id.checked_sub(self.first_id)?;
        (offset % 4 == 0 && offset / 4 + 1 < self.regions).then_some(offset / 4)
    }

    /// The slot whose range holds the key.
    pub(crate) fn slot_of_key(&self, key: &[u8]) -> u64 {
        let (mut low, mut high) = (0, self.regions.saturating_sub(1));
        while low < high {
            let probe = low + (high - low).div_ceil(2);
            if key::boundary(probe, self.regions).as_slice() <= key {
                low = probe;
            } else {
                high = probe - 1;
            }
        }
        low
    }

    pub(crate) fn sketch(&self, slot: u64) -> Sketch {
        let count = self.stores.len().max(1) as u64;
        let replicas = REPLICAS.min(self.stores.len()) as u64;
        // Blocks of `count` regions go around the stores once, each block from another start: even, and not regular.
        let first = (slot + hash(self.seed, slot / count, 1)) % count;
        let gap = 1 + hash(self.seed, slot, 2) % (count / replicas.max(1)).max(1);
        let mut stores = [0; REPLICAS];
        for (n, store) in (0..replicas).zip(&mut stores) {
            let index = usize::try_from((first + n * gap) % count).unwrap_or(0);
            *store = self.stores.get(index).copied().unwrap_or(0);
        }
        // A few regions are busy, most are nearly idle.
        let heat = fraction(self.seed, slot, 3).powi(6);
        let written = if self.regions > 2 && slot == 0 { 0.0 } else { heat * 600.0 * 1_024.0 };
        Sketch {
            stores,
            replicas: REPLICAS.min(self.stores.len()),
            // Between what PD calls undersized and what TiKV splits.
            size_bytes: (56.0 + 40.0 * fraction(self.seed, slot, 4)) * f64::from(1 << 20),
            load: Load {
                written_bytes_per_second: written,
                read_bytes_per_second: written * (1.0 + 2.0 * fraction(self.seed, slot, 5)),
            },
        }
    }

    pub(crate) fn region(&self, slot: u64) -> Region {
        let id = self.id(slot);
        let sketch = self.sketch(slot);
        let first_peer = self.first_id + slot * 4 + 1;
        let peers: Vec<_> = (0..)
            .zip(sketch.stores())
            .map(|(n, store)| Peer {
                id: if id == 2 && n == 0 { 3 } else { first_peer + n },
                store: *store,
                role: Role::Voter,
            })
            .collect();
        let leader = peers.first().copied();
        let mut sorted = peers;
        sorted.sort_by_key(|peer| peer.id);
        Region {
            id,
            start: key::boundary(slot, self.regions),
            end: if slot + 1 == self.regions { Vec::new() } else { key::boundary(slot + 1, self.regions) },
            conf_ver: 5,
            version: 5 + hash(self.seed, slot, 6) % 24,
            leader,
            voted: leader.map_or(0, |peer| peer.id),
            term: 6 + hash(self.seed, slot, 7) % 3,
            peers: sorted,
            arriving: None,
            size_bytes: sketch.size_bytes,
            load: sketch.load,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ranges_touch_and_cover_everything() {
        let layout = Layout::new(7, 100, vec![1, 4, 5]);
        let regions: Vec<_> = (0..100).map(|slot| layout.region(slot)).collect();
        assert!(regions[0].start.is_empty() && regions[99].end.is_empty());
        assert!(regions.windows(2).all(|pair| pair[0].end == pair[1].start && !pair[0].end.is_empty()));
    }

    #[test]
    fn ids_and_keys_find_their_slot_again() {
        let layout = Layout::new(7, 1_000, (1..=50).collect());
        for slot in 0..1_000 {
            let region = layout.region(slot);
            assert_eq!(layout.slot_of_id(region.id), Some(slot));
            assert_eq!(layout.slot_of_key(&region.start), slot);
            for peer in &region.peers {
                assert_eq!(layout.slot_of_id(peer.id), None, "a peer's id is no region's");
            }
        }
        assert_eq!(layout.slot_of_id(layout.next_id()), None);
    }

    #[test]
    fn peers_are_on_three_stores_and_spread_evenly() {
        let layout = Layout::new(7, 10_000, (1..=100).collect());
        let mut leaders = [0_u32; 101];
        for slot in 0..10_000 {
            let sketch = layout.sketch(slot);
            let stores = sketch.stores();
            assert!(
                stores.len() == 3
                    && stores[0] != stores[1]
                    && stores[1] != stores[2]
                    && stores[0] != stores[2]
            );
            leaders[usize::try_from(stores[0]).expect("small")] += 1;
        }
        assert!(leaders[1..].iter().all(|count| *count == 100), "{leaders:?}");
    }
}
