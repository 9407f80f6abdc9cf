//! What can happen to the cluster: the same events serve scenarios and tests.

use std::fmt;

/// A process of the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeId {
    /// A PD member, by its index from 0: `Pd(0)` is `pd0`.
    Pd(usize),
    /// A TiKV store, by its id.
    Store(u64),
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pd(index) => write!(f, "pd{index}"),
            Self::Store(id) => write!(f, "store {id}"),
        }
    }
}

/// Something that happens at one moment. Events that do not apply (a store that does not exist, a crash of what is
/// dead, a split of a region that nobody leads or while PD has no leader) change nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The process dies: connections are refused; its regions elect other leaders after 10 to 20 s if they can.
    Crash(NodeId),
    /// The process stops without dying (SIGSTOP): connections are accepted and never answered.
    Hang(NodeId),
    /// A dead or hung process runs again.
    Restart(NodeId),
    /// Every PD dies and is back after a second: what PD knew only in memory is gone.
    RestartAllPds,
    /// The disk of a store becomes slow: answers are late and its slow score climbs to 80 within about 100 s.
    Slow(u64),
    /// A slow store recovers.
    Fast(u64),
    /// The disk of a store fills: 1 % is left after this many seconds.
    Fill {
        /// The store.
        store: u64,
        /// Seconds until 1 % is left.
        seconds: u64,
    },
    /// What filled the disk of a store is gone.
    Empty(u64),
    /// The store is taken offline (`DELETE /store/{id}`): its regions move away, then it is a tombstone.
    TakeOffline(u64),
    /// A store joins; PD moves regions to it.
    AddStore,
    /// One region receives most of the load.
    Heat {
        /// The region.
        region: u64,
        /// Bytes written to it a second.
        written_bytes_per_second: u64,
        /// Bytes read from it a second.
        read_bytes_per_second: u64,
    },
    /// A region splits in its middle.
    Split(u64),
    /// A region takes over its right neighbour, if both have their peers on the same stores.
    MergeWithNext(u64),
    /// A region's leadership moves to its peer on this store.
    TransferLeader {
        /// The region.
        region: u64,
        /// The store whose peer becomes leader.
        to_store: u64,
    },
    /// The PD leader hands over to another member, as `leader/resign` makes it.
    ResignPdLeader,
    /// Changes PD's `max-store-down-time`, in seconds (30 min at first).
    SetMaxStoreDownTime(u64),
    /// The operator that runs on the region, or else its next one, changes nothing more and comes to this end.
    Doom {
        /// The region.
        region: u64,
        /// How it ends.
        end: OperatorEnd,
    },
}

/// How an operator of PD ends that does not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OperatorEnd {
    /// The stores never do what it asks, and it runs until its time is over: a minute to transfer a leader, at least ten
    /// to move a peer.
    TimesOut,
    /// Half a second later another takes its place.
    Replaced,
    /// Half a second later PD gives it up, as it does when a region changes under it.
    Canceled,
}

/// What a node does to a request instead of what it should, to see how a client takes it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Fault {
    /// The node, or every node.
    pub node: Option<NodeId>,
    /// The method, or any.
    pub method: Option<String>,
    /// Paths that begin with this.
    pub path_prefix: String,
    /// How many requests it strikes before it is used up.
    pub times: u64,
    /// What comes back: an answer of your own, [`Reply::Refused`](crate::Reply::Refused) for a connection that is closed,
    /// [`Reply::Silent`](crate::Reply::Silent) for one on which nothing ever comes.
    pub reply: crate::Reply,
    /// Whether the node first does what was asked: then only its answer is lost.
    pub done: bool,
}

impl Fault {
    /// The next request to a path that begins so, whoever is asked, is not carried out and gets this reply.
    pub fn new(path_prefix: impl Into<String>, reply: crate::Reply) -> Self {
        Self { node: None, method: None, path_prefix: path_prefix.into(), times: 1, reply, done: false }
    }

    /// Strikes only at this node.
    #[must_use]
    pub fn at(mut self, node: NodeId) -> Self {
        self.node = Some(node);
        self
    }

    /// Strikes only requests of this method, in upper case.
    #[must_use]
    pub fn method(mut self, method: impl Into<String>) -> Self {
        self.method = Some(method.into());
        self
    }

    /// Strikes so many requests.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = times;
        self
    }

    /// The request is carried out before the reply is lost.
    #[must_use]
    pub fn after_it_was_done(mut self) -> Self {
        self.done = true;
        self
    }

    /// 429, as PD's rate limiter says it.
    pub fn too_many_requests() -> crate::Reply {
        crate::Reply::new(429, Some("text/plain; charset=utf-8"), "Too Many Requests\n")
    }

    /// 503, as PD says it when a service is not allowed at the moment.
    pub fn no_service() -> crate::Reply {
        crate::Reply::new(503, Some("text/plain; charset=utf-8"), "no service\n")
    }

    /// 412, as PD says it of placement rules that are switched off.
    pub fn placement_rules_disabled() -> crate::Reply {
        crate::Reply::new(
            412,
            Some("application/json; charset=UTF-8"),
            "\"placement rules feature is disabled\"\n",
        )
    }
}
