//! What a store writes: its start, and what its peers do to lead.

use chrono::{DateTime, Utc};

use super::{Belief, Level};
use crate::event::NodeId;
use crate::model::{Peer, Region, Role, hex};
use crate::random::hash;
use crate::simulator::Simulator;

/// One thread for odd regions and one for even ones, as a store with two has them.
fn raft_thread(region: u64) -> u64 {
    82 + region % 2
}

/// A peer that writes.
#[derive(Clone, Copy)]
struct Writer {
    peer: Peer,
    region: u64,
}

/// The last entry of a region's log: something that grows.
fn log_index(seed: u64, region: &Region) -> u64 {
    5 + hash(seed, region.id, 41) % 4_000 + region.term * 7
}

impl Simulator {
    fn store_line(
        &mut self,
        store: u64,
        level: Level,
        source: &str,
        message: &str,
        fields: &[(&str, String)],
    ) {
        self.write(NodeId::Store(store), level, source, message, fields);
    }

    /// A line of the Raft layer, which ends with the peer, the region and the thread.
    fn raft_line(&mut self, writer: Writer, source: &str, message: &str, fields: &[(&str, String)]) {
        self.raft_line_at(Level::Info, writer, source, message, fields);
    }

    fn raft_line_at(
        &mut self,
        level: Level,
        Writer { peer, region }: Writer,
        source: &str,
        message: &str,
        fields: &[(&str, String)],
    ) {
        let mut all = fields.to_vec();
        all.push(("raft_id", peer.id.to_string()));
        all.push(("region_id", region.to_string()));
        all.push(("thread_id", raft_thread(region).to_string()));
        self.store_line(peer.store, level, source, message, &all);
    }

    /// A store's process starts.
    pub(crate) fn log_start(&mut self, store: u64, at: DateTime<Utc>) {
        let Some(found) = self.cluster.stores.get(&store) else { return };
        let (address, status_address) = (found.address.clone(), found.status_address.clone());
        let about = format!(
            "id: {store} address: \"{address}\" version: \"9.0.0-beta.2\" peer_address: \"{address}\" status_address: \
             \"{status_address}\" git_hash: \"Unknown git hash\" start_timestamp: {} deploy_path: \"/usr/local/bin\"",
            at.timestamp()
        );
        let thread = ("thread_id", "1".to_owned());
        for (source, message, field) in [
            ("lib.rs:84", "Welcome to TiKV", None),
            ("lib.rs:89", "Release Version:   9.0.0-beta.2", None),
            ("lib.rs:89", "Edition:           Community", None),
            ("util.rs:639", "connecting to PD endpoint", Some(("endpoints", "http://pd0:2379".to_owned()))),
            ("raft_server.rs:197", "put store to PD", Some(("store", about))),
            ("compaction_runner.rs:213", "compaction-runner started", None),
        ] {
            let fields: Vec<_> = field.into_iter().chain([thread.clone()]).collect();
            self.write_at(at, NodeId::Store(store), Level::Info, source, message, &fields);
        }
    }

    /// A store's process is there again: one that died reads its peers, one that hung hears what it missed.
    pub(crate) fn log_return(&mut self, store: u64, died: bool) {
        if !self.config.logs {
            return;
        }
        let beliefs = self.logs.beliefs.remove(&store).unwrap_or_default();
        let regions: Vec<_> = (self.cluster.regions.held())
            .filter_map(|region| Some((region.clone(), region.peer_on(store)?)))
            .collect();
        for (region, peer) in regions {
            let writer = Writer { peer, region: region.id };
            if died {
                self.log_peer(&region, peer, region.term);
                continue;
            }
            let Some(Belief { led, term }) = beliefs.get(&region.id).copied() else { continue };
            match region.leader {
                Some(leader) if region.term > term => {
                    self.log_higher_term(writer, leader, "MsgAppend", term, region.term, led);
                }
                None if led => self.log_lost_quorum(writer, term),
                _ => {}
            }
        }
    }

    /// A store stops without dying: what it believes it goes on believing.
    pub(crate) fn log_hang(&mut self, store: u64) {
        if !self.config.logs {
            return;
        }
        let held = self.cluster.regions.held().filter(|region| region.peer_on(store).is_some());
        let belief = |region: &Region| Belief {
            led: region.leader.is_some_and(|leader| leader.store == store),
            term: region.term,
        };
        let beliefs = held.map(|region| (region.id, belief(region))).collect();
        self.logs.beliefs.insert(store, beliefs);
    }

    /// A peer comes to life, as a follower.
    fn log_peer(&mut self, region: &Region, peer: Peer, term: u64) {
        let ids = |role: Role| {
            let peers = region.peers.iter().filter(|peer| peer.role == role);
            peers.map(|peer| peer.id.to_string()).collect::<Vec<_>>().join(", ")
        };
        let (voters, learners) = (ids(Role::Voter), ids(Role::Learner));
        let config = format!(
            "Configuration {{ voters: Configuration {{ incoming: Configuration {{ voters: {{{voters}}} }}, outgoing: \
             Configuration {{ voters: {{}} }} }}, learners: {{{learners}}}, learners_next: {{}}, auto_leave: false }}"
        );
        let index = log_index(self.cluster.seed, region).to_string();
        let writer = Writer { peer, region: region.id };
        let follower = ("from_role", "Follower".to_owned());
        let created = [
            ("peer_id", peer.id.to_string()),
            ("region_id", region.id.to_string()),
            ("thread_id", raft_thread(region.id).to_string()),
        ];
        self.store_line(peer.store, Level::Info, "peer.rs:281", "create peer", &created);
        self.raft_line(writer, "raft.rs:2715", "switched to configuration", &[("config", config)]);
        self.log_follower(writer, follower.1, term);
        let peers = format!(
            "Configuration {{ incoming: Configuration {{ voters: {{{voters}}} }}, outgoing: Configuration {{ voters: {{}} }} }}"
        );
        let state = [
            ("peers", peers),
            ("last term", term.to_string()),
            ("last index", index.clone()),
            ("applied", index.clone()),
            ("commit", index),
            ("term", term.to_string()),
        ];
        self.raft_line(writer, "raft.rs:391", "newRaft", &state);
        let message = format!("RawNode created with id {}.", peer.id);
        self.raft_line(writer, "raw_node.rs:316", &message, &[("id", peer.id.to_string())]);
    }

    fn log_follower(&mut self, writer: Writer, from_role: String, term: u64) {
        let message = format!("became follower at term {term}");
        self.raft_line(
            writer,
            "raft.rs:1162",
            &message,
            &[("from_role", from_role), ("term", term.to_string())],
        );
    }

    fn log_higher_term(&mut self, writer: Writer, from: Peer, kind: &str, old: u64, new: u64, led: bool) {
        let fields = [
            ("msg type", kind.to_owned()),
            ("message_term", new.to_string()),
            ("term", old.to_string()),
            ("from", from.id.to_string()),
        ];
        let message = format!("received a message with higher term from {}", from.id);
        self.raft_line(writer, "raft.rs:1399", &message, &fields);
        self.log_follower(writer, if led { "Leader" } else { "Follower" }.to_owned(), new);
    }

    /// A leader notices that too few of its peers answer.
    fn log_lost_quorum(&mut self, writer: Writer, term: u64) {
        self.raft_line_at(
            Level::Warn,
            writer,
            "raft.rs:2054",
            "stepped down to follower since quorum is not active",
            &[],
        );
        self.log_follower(writer, "Leader".to_owned(), term);
    }

    pub(crate) fn log_step_down(&mut self, region: &Region, peer: Peer) {
        self.log_lost_quorum(Writer { peer, region: region.id }, region.term);
    }

    fn log_campaign(&mut self, writer: Writer, term: u64) {
        self.raft_line(writer, "raft.rs:1569", "starting a new election", &[("term", term.to_string())]);
    }

    fn log_request(&mut self, writer: Writer, region: &Region, term: u64, kind: &str) {
        let others = region.peers.iter().filter(|peer| peer.id != writer.peer.id && peer.role == Role::Voter);
        let to = others.map(|peer| peer.id.to_string()).collect::<Vec<_>>().join(", ");
        let fields = [
            ("to", format!("[{to}]")),
            ("log_index", log_index(self.cluster.seed, region).to_string()),
            ("log_term", region.term.to_string()),
            ("term", term.to_string()),
            ("type", kind.to_owned()),
        ];
        self.raft_line(writer, "raft.rs:1333", "broadcasting vote request", &fields);
    }

    fn log_vote(&mut self, writer: Writer, region: &Region, from: Peer, term: u64, voted: u64, kind: &str) {
        let (index, last) = (log_index(self.cluster.seed, region), region.term);
        let message = format!(
            "[logterm: {last}, index: {index}, vote: {voted}] cast vote for {} [logterm: {last}, index: {index}] at term {term}",
            from.id
        );
        let fields = [
            ("msg type", kind.to_owned()),
            ("term", term.to_string()),
            ("msg_index", index.to_string()),
            ("msg_term", last.to_string()),
            ("from", from.id.to_string()),
            ("vote", voted.to_string()),
            ("log_index", index.to_string()),
            ("log_term", last.to_string()),
        ];
        self.raft_line(writer, "raft.rs:1618", &message, &fields);
    }

    fn log_approval(&mut self, writer: Writer, from: Peer, approvals: usize, term: u64, kind: &str) {
        let fields = [
            ("term", term.to_string()),
            ("type", kind.to_owned()),
            ("approvals", approvals.to_string()),
            ("rejections", "0".to_owned()),
            ("from", from.id.to_string()),
            ("vote", "true".to_owned()),
        ];
        self.raft_line(writer, "raft.rs:2257", "received votes response", &fields);
    }

    /// A peer tries to become leader and does not hear from enough others.
    pub(crate) fn log_campaign_in_vain(&mut self, region: &Region, peer: Peer) {
        let writer = Writer { peer, region: region.id };
        self.log_campaign(writer, region.term);
        let message = format!("became pre-candidate at term {}", region.term);
        self.raft_line(writer, "raft.rs:1213", &message, &[("term", region.term.to_string())]);
        self.log_request(writer, region, region.term, "MsgRequestPreVote");
    }

    /// A peer is elected, or takes over. `before` is the region as it was, with its old term and leader.
    pub(crate) fn log_election(&mut self, before: &Region, winner: Peer) {
        if !self.config.logs {
            return;
        }
        let (old, new) = (before.term, before.term + 1);
        let writer = Writer { peer: winner, region: before.id };
        let others: Vec<Peer> = (before.peers.iter().copied())
            .filter(|peer| peer.id != winner.id && self.cluster.is_alive(peer.store))
            .collect();
        let voters: Vec<Peer> = others.iter().copied().filter(|peer| peer.role == Role::Voter).collect();
        let needed = before.voters().count() / 2;
        let leader = before.leader.filter(|leader| self.cluster.is_alive(leader.store));
        match leader {
            Some(leader) => self.log_transfer(before, leader, winner),
            None => {
                self.log_campaign_in_vain(before, winner);
                for peer in &voters {
                    let voter = Writer { peer: *peer, region: before.id };
                    self.log_vote(voter, before, winner, old, before.voted, "MsgRequestPreVote");
                }
                for (n, peer) in voters.iter().take(needed).enumerate() {
                    self.log_approval(writer, *peer, n + 2, old, "MsgRequestPreVoteResponse");
                }
            }
        }
        let message = format!("became candidate at term {new}");
        self.raft_line(writer, "raft.rs:1187", &message, &[("term", new.to_string())]);
        self.log_request(writer, before, new, "MsgRequestVote");
        for peer in &others {
            let other = Writer { peer: *peer, region: before.id };
            let led = before.leader.is_some_and(|leader| leader.id == peer.id);
            if peer.role == Role::Voter {
                self.log_higher_term(other, winner, "MsgRequestVote", old, new, led);
                self.log_vote(other, before, winner, new, 0, "MsgRequestVote");
            } else {
                self.log_higher_term(other, winner, "MsgAppend", old, new, led);
            }
        }
        for (n, peer) in voters.iter().take(needed).enumerate() {
            self.log_approval(writer, *peer, n + 2, new, "MsgRequestVoteResponse");
        }
        self.raft_line(
            writer,
            "raft.rs:1271",
            &format!("became leader at term {new}"),
            &[("term", new.to_string())],
        );
    }

    /// A leader asks another peer to take over.
    fn log_transfer(&mut self, before: &Region, leader: Peer, to: Peer) {
        let term = before.term;
        let (from_writer, to_writer) =
            (Writer { peer: leader, region: before.id }, Writer { peer: to, region: before.id });
        let describe = |peer: Peer| format!("id: {} store_id: {}", peer.id, peer.store);
        let asked = [
            ("peer", describe(to)),
            ("peer_id", leader.id.to_string()),
            ("region_id", before.id.to_string()),
            ("thread_id", raft_thread(before.id).to_string()),
        ];
        self.store_line(leader.store, Level::Info, "peer.rs:4091", "transfer leader", &asked);
        let transferee = ("lead_transferee", to.id.to_string());
        let message = format!("[term {term}] starts to transfer leadership to {}", to.id);
        self.raft_line(
            from_writer,
            "raft.rs:1957",
            &message,
            &[transferee.clone(), ("term", term.to_string())],
        );
        let message =
            format!("sends MsgTimeoutNow to {} immediately as {} already has up-to-date log", to.id, to.id);
        self.raft_line(from_writer, "raft.rs:1970", &message, &[transferee]);
        let message = format!(
            "[term {term}] received MsgTimeoutNow from {} and starts an election to get leadership.",
            leader.id
        );
        let fields = [("from", leader.id.to_string()), ("term", term.to_string())];
        self.raft_line(to_writer, "raft.rs:2400", &message, &fields);
        self.log_campaign(to_writer, term);
    }

    /// A region was split off: its peers come to life where the old region's are, and the one beside the leader leads.
    pub(crate) fn log_split(&mut self, left: &Region, first_term: u64) {
        if !self.config.logs {
            return;
        }
        let text = format!(
            "id: {} start_key: {} end_key: {} region_epoch {{ conf_ver: {} version: {} }}",
            left.id,
            hex(&left.start),
            hex(&left.end),
            left.conf_ver,
            left.version
        );
        let alive: Vec<_> =
            left.peers.iter().copied().filter(|peer| self.cluster.is_alive(peer.store)).collect();
        for peer in alive {
            let fields = [
                ("store_id", peer.store.to_string()),
                ("is_uninitialized_peer_exist", "false".to_owned()),
                ("region", text.clone()),
                ("region_id", left.id.to_string()),
                ("thread_id", raft_thread(left.id).to_string()),
            ];
            self.store_line(peer.store, Level::Info, "peer.rs:4786", "insert new region", &fields);
            self.log_peer(left, peer, first_term);
        }
    }

    /// A new peer hears from its region's leader for the first time.
    pub(crate) fn log_learner(&mut self, region: &Region, peer: Peer) {
        if !self.config.logs || !self.cluster.is_alive(peer.store) {
            return;
        }
        self.log_peer(region, peer, 0);
        if let Some(leader) = region.leader {
            let writer = Writer { peer, region: region.id };
            self.log_higher_term(writer, leader, "MsgHeartbeat", 0, region.term, false);
        }
    }

    /// A heartbeat ago until now: what a slow disk, and stores that do not answer, make a store complain of.
    pub(crate) fn log_complaints(&mut self, id: u64) {
        let Some(store) = self.cluster.stores.get(&id).filter(|store| self.config.logs && store.is_alive())
        else {
            return;
        };
        let slow = store.slow;
        let silent: Vec<_> = (self.cluster.stores.values())
            .filter(|other| !other.is_alive() && other.id != id)
            .map(|other| (other.id, other.address.clone()))
            .collect();
        if slow {
            let nanos = 1_000_000_000
                + hash(self.cluster.seed, id, self.cluster.now.timestamp().unsigned_abs()) % 900_000_000;
            let message = format!(
                "[store {id}] async write too slow, write_kv: 0s, write_raft: {}.{:09}s, send: 0.000002274s, callback: \
                 0.000012686s thread: store-writer-0",
                nanos / 1_000_000_000,
                nanos % 1_000_000_000
            );
            let fields = [("takes", (nanos / 1_000_000).to_string()), ("thread_id", "80".to_owned())];
            self.store_line(id, Level::Warn, "write.rs:1011", &message, &fields);
        }
        for (other, address) in silent {
            let fields = [("addr", address), ("store_id", other.to_string()), ("thread_id", "54".to_owned())];
            self.store_line(id, Level::Warn, "raft_client.rs:887", "wait connect timeout", &fields);
        }
    }
}
