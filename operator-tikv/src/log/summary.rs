//! Leadership over a span of time: how often it moved in each region, between whom, and for how long nobody led.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use operator_core::{LeadershipChange, LeadershipChangeKind as Kind, PeerId, RegionId};
use serde::Serialize;

/// How many moments of all regions are kept to be drawn, and of how many regions if there are more.
const MOST_MOMENTS: usize = 25_000;
const MOST_DRAWN: usize = 250;

/// What some logs tell of leadership, added up in the order of time. Takes memory by the number of regions, not of
/// changes.
#[derive(Debug, Default)]
pub struct Summary {
    regions: BTreeMap<RegionId, State>,
    places: Vec<String>,
    moments: usize,
    first: Option<DateTime<Utc>>,
    last: Option<DateTime<Utc>>,
}

/// Of one region.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RegionSummary {
    /// The region.
    pub region_id: RegionId,
    /// How often it got a leader.
    pub new_leaders: u64,
    /// How often a leader handed over.
    pub transfers: u64,
    /// How often a peer started an election.
    pub elections: u64,
    /// The longest time without a leader that the logs show, in seconds; `null` if they show none. It begins with the
    /// leader's own word that it leads no more or, of one that died, with the first election: then it lasted longer.
    pub longest_leaderless_seconds: Option<f64>,
    /// Since when nobody leads, if nobody does in the end.
    pub leaderless_since: Option<DateTime<Utc>>,
    /// From whom to whom leadership moved, the most frequent first.
    pub moves: Vec<Move>,
}

/// Leadership went from one log to another, which is from one store to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Move {
    /// The name of the log whose peer led.
    pub from: String,
    /// The name of the log whose peer led next.
    pub to: String,
    /// How often.
    pub count: u64,
}

#[derive(Debug, Default)]
struct State {
    new_leaders: u64,
    transfers: u64,
    elections: u64,
    longest: Option<f64>,
    leader: Option<(Option<PeerId>, usize)>,
    last_place: Option<usize>,
    /// When the leader said that it leads no more.
    lost: Option<DateTime<Utc>>,
    /// When a peer first doubted that there is one, and which.
    doubted: Option<(DateTime<Utc>, Option<PeerId>)>,
    moves: BTreeMap<(usize, usize), u64>,
    moments: Vec<Moment>,
}

/// From then on this one led; or nobody.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Moment {
    pub(super) at: DateTime<Utc>,
    pub(super) place: Option<usize>,
}

impl Summary {
    /// Adds the next change in the order of time. What names no region says nothing here.
    pub fn add(&mut self, change: &LeadershipChange) {
        let Some(region) = change.region_id else { return };
        let at = change.at;
        self.first = Some(self.first.map_or(at, |first| first.min(at)));
        self.last = Some(self.last.map_or(at, |last| last.max(at)));
        let place = self.place(&change.file);
        let state = self.regions.entry(region).or_default();
        let moments = state.moments.len();
        match change.kind {
            Kind::BecameLeader => state.led_by(change.peer_id, place, at),
            Kind::BecameFollower if change.from_role.as_deref() == Some("Leader") => {
                state.lost_by(change.peer_id, at)
            }
            // It has heard from a leader. One that follows from another role has heard from another candidate.
            Kind::BecameFollower if change.from_role.as_deref() == Some("PreCandidate") => {
                state.doubted = state.doubted.filter(|(_, peer)| *peer != change.peer_id);
            }
            Kind::QuorumLost => state.lost_by(change.peer_id, at),
            Kind::TransferStarted => state.transfers += 1,
            Kind::ElectionStarted => {
                state.elections += 1;
                state.doubted = state.doubted.or(Some((at, change.peer_id)));
            }
            _ => {}
        }
        self.moments += state.moments.len() - moments;
        if self.moments > MOST_MOMENTS {
            self.forget();
        }
    }

    /// Leaves out what will not be drawn: the moments of regions in which leadership moved least; then the earliest.
    fn forget(&mut self) {
        let states = self.regions.values_mut().filter(|state| !state.moments.is_empty());
        let mut states: Vec<_> = states.collect();
        states.sort_by_key(|state| state.order());
        for state in states.iter_mut().skip(MOST_DRAWN) {
            state.moments = Vec::new();
        }
        let kept = |states: &[&mut State]| states.iter().map(|state| state.moments.len()).sum();
        self.moments = kept(&states);
        if self.moments > MOST_MOMENTS / 2 {
            for state in &mut states {
                state.moments = state.moments.split_off(state.moments.len() / 2);
            }
            self.moments = kept(&states);
        }
    }

    fn place(&mut self, file: &str) -> usize {
        let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
        self.places.iter().position(|place| place == name).unwrap_or_else(|| {
            self.places.push(name.to_owned());
            self.places.len() - 1
        })
    }

    /// The first and the last change.
    pub fn span(&self) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        Some((self.first?, self.last?))
    }

    /// Every region, the ones first in which leadership moved most.
    pub fn regions(&self) -> Vec<RegionSummary> {
        let name = |place: usize| self.places.get(place).cloned().unwrap_or_default();
        let summary = |(id, state): (&RegionId, &State)| {
            let moves = state.moves.iter();
            let mut moves: Vec<_> = moves
                .map(|((from, to), count)| Move { from: name(*from), to: name(*to), count: *count })
                .collect();
            moves.sort_by_key(|moved| Reverse(moved.count));
            RegionSummary {
                region_id: *id,
                new_leaders: state.new_leaders,
                transfers: state.transfers,
                elections: state.elections,
                longest_leaderless_seconds: state.longest,
                leaderless_since: state.lost,
                moves,
            }
        };
        let mut regions: Vec<_> = self.regions.iter().collect();
        regions.sort_by_key(|(_, state)| state.order());
        regions.into_iter().map(summary).collect()
    }

    pub(super) fn places(&self) -> &[String] {
        &self.places
    }

    /// Who led a region when, as far as it is kept.
    pub(super) fn moments(&self, region: RegionId) -> &[Moment] {
        self.regions.get(&region).map_or(&[], |state| &state.moments)
    }
}

impl State {
    /// Those first in which leadership moved most.
    fn order(&self) -> impl Ord + use<> {
        Reverse((self.new_leaders, self.elections))
    }

    fn led_by(&mut self, peer: Option<PeerId>, place: usize, at: DateTime<Utc>) {
        self.new_leaders += 1;
        let since = self.lost.take().or(self.doubted.filter(|_| self.leader.is_some()).map(|(at, _)| at));
        if let Some(since) = since {
            let seconds = (at - since).as_seconds_f64().max(0.0);
            self.longest = Some(self.longest.map_or(seconds, |longest| longest.max(seconds)));
            if self.leader.is_some() {
                // The one that led has died: nobody did since it was doubted.
                self.moments.push(Moment { at: since, place: None });
            }
        }
        self.doubted = None;
        if let Some(last) = self.last_place.filter(|last| *last != place) {
            *self.moves.entry((last, place)).or_default() += 1;
        }
        (self.leader, self.last_place) = (Some((peer, place)), Some(place));
        self.moments.push(Moment { at, place: Some(place) });
    }

    fn lost_by(&mut self, peer: Option<PeerId>, at: DateTime<Utc>) {
        // One that hears late that another leads has lost nothing.
        if self.leader.is_some_and(|(leader, _)| leader == peer) {
            self.leader = None;
            self.lost = self.lost.or(Some(at));
            self.moments.push(Moment { at, place: None });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + chrono::TimeDelta::seconds(seconds)
    }

    fn change(seconds: i64, kind: Kind, peer: u64, file: &str) -> LeadershipChange {
        let mut change = LeadershipChange::new(at(seconds), kind, "raft.rs:1", format!("/logs/{file}"), 1);
        (change.region_id, change.peer_id) = (Some(RegionId(7)), Some(PeerId(peer)));
        change
    }

    fn step_down(seconds: i64, peer: u64, file: &str) -> LeadershipChange {
        let mut change = change(seconds, Kind::BecameFollower, peer, file);
        change.from_role = Some("Leader".to_owned());
        change
    }

    fn answered(seconds: i64, peer: u64, file: &str) -> LeadershipChange {
        let mut change = change(seconds, Kind::BecameFollower, peer, file);
        change.from_role = Some("PreCandidate".to_owned());
        change
    }

    fn summary(changes: &[LeadershipChange]) -> RegionSummary {
        let mut summary = Summary::default();
        changes.iter().for_each(|change| summary.add(change));
        summary.regions().remove(0)
    }

    #[test]
    fn moves_and_the_time_between_are_counted() {
        let told = summary(&[
            change(0, Kind::BecameLeader, 1, "a"),
            change(10, Kind::TransferStarted, 1, "a"),
            change(10, Kind::ElectionStarted, 2, "b"),
            step_down(11, 1, "a"),
            change(13, Kind::BecameLeader, 2, "b"),
            step_down(14, 1, "a"),
            step_down(20, 2, "b"),
            change(21, Kind::BecameLeader, 1, "a"),
        ]);
        assert_eq!((told.new_leaders, told.transfers, told.elections), (3, 1, 1));
        assert_eq!((told.longest_leaderless_seconds, told.leaderless_since), (Some(2.0), None));
        let moves: Vec<_> = told.moves.iter().map(|moved| (&*moved.from, &*moved.to, moved.count)).collect();
        assert_eq!(moves, [("a", "b", 1), ("b", "a", 1)]);
    }

    #[test]
    fn one_that_died_without_a_word_is_missed_from_the_first_doubt() {
        let told = summary(&[
            change(0, Kind::BecameLeader, 1, "a"),
            // Doubted for nothing: its leader answered.
            change(50, Kind::ElectionStarted, 3, "c"),
            answered(51, 3, "c"),
            change(100, Kind::ElectionStarted, 2, "b"),
            // The other votes for it, and loses its own.
            change(100, Kind::BecameFollower, 3, "c"),
            change(107, Kind::ElectionStarted, 3, "c"),
            change(109, Kind::BecameLeader, 2, "b"),
        ]);
        assert_eq!((told.longest_leaderless_seconds, told.elections), (Some(9.0), 3));
    }

    #[test]
    fn what_never_got_a_leader_again_says_since_when() {
        let told = summary(&[
            change(0, Kind::BecameLeader, 1, "a"),
            change(5, Kind::QuorumLost, 1, "a"),
            step_down(5, 1, "a"),
        ]);
        assert_eq!((told.longest_leaderless_seconds, told.leaderless_since), (None, Some(at(5))));
    }

    #[test]
    fn what_is_kept_to_be_drawn_is_bounded() {
        let mut summary = Summary::default();
        for second in 0..300_000 {
            let mut change = change(second, Kind::BecameLeader, 1, "a");
            change.region_id = Some(RegionId(u64::try_from(second % 1_000).unwrap()));
            summary.add(&change);
        }
        assert!(summary.moments <= MOST_MOMENTS);
        assert_eq!(summary.regions().iter().map(|region| region.new_leaders).sum::<u64>(), 300_000);

        // What is drawn is whole, however many regions have a leader besides.
        let mut summary = Summary::default();
        for second in 0..100_000 {
            let mut change = change(second, Kind::BecameLeader, 1, "a");
            change.region_id =
                Some(RegionId(u64::try_from(if second < 300 { second % 30 } else { second }).unwrap()));
            summary.add(&change);
        }
        assert!((0..30).all(|region| summary.moments(RegionId(region)).len() == 10));
    }
}
