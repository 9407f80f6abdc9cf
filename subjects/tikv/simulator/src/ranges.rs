//! Regions split and merge.

use crate::pd::REGION_BEAT;
use crate::simulator::{Simulator, Task};

impl Simulator {
    /// Whether a region can change its range: somebody leads it and can commit, and PD, which gives new ids and
    /// orders merges, is there.
    fn can_change_range(&mut self, id: u64) -> bool {
        self.touch(id)
            && self.pd.memory.is_some()
            && self.cluster.regions.get(id).is_some_and(|region| {
                let alive = |store| self.cluster.is_alive(store);
                region.leader.is_some_and(|leader| alive(leader.store)) && region.has_quorum(alive)
            })
    }

    /// A region splits at each of these keys that is inside of it, or in its middle where none is given. It keeps what is
    /// right of the last.
    pub(crate) fn split_at(&mut self, id: u64, keys: &[Vec<u8>]) {
        if !self.can_change_range(id) {
            return;
        }
        let mut keys: Vec<_> = keys.iter().map(|key| Some(key.as_slice())).collect();
        keys.sort_unstable();
        if keys.is_empty() {
            keys.push(None);
        }
        for key in keys {
            if let Some(left) = self.cluster.regions.split(id, key) {
                self.pd.inherit(left, id);
                self.lead_first(left);
                self.report(left, false);
                self.report(id, false);
                self.later(REGION_BEAT, Task::RegionBeat(left));
            }
        }
    }

    pub(crate) fn merge_with_next(&mut self, id: u64) {
        if let Some(next) = self.cluster.regions.right_of(id).map(|region| region.id) {
            self.merge_into(next, id);
        }
    }

    /// A region is taken over by one of its neighbours. Whether it was.
    pub(crate) fn merge_into(&mut self, source: u64, target: u64) -> bool {
        if self.can_change_range(source)
            && self.can_change_range(target)
            && let Some(gone) = self.cluster.regions.merge_into(source, target)
        {
            self.pd.forget_region(gone);
            self.report(target, false);
            return true;
        }
        false
    }
}
