//! How long to wait and how much to read.

use std::time::Duration;

use crate::Error;

/// What bounds a request. Every one has a default that suits a cluster in the same data centre.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// For the name to be resolved, the connection to be made and TLS to be agreed. 3 s.
    pub connect_timeout: Duration,
    /// For silence: from the start of a request (connecting included) to the head of its answer, and between two
    /// pieces of the body. 8 s: PD itself holds a request for up to 3 s while it has no leader.
    pub read_timeout: Duration,
    /// For one try as a whole, so that a server cannot keep it open by a byte now and then. 60 s.
    pub total_timeout: Duration,
    /// How long a request goes on over the members while one of them says that PD has no leader. 20 s: a measured
    /// election took 13. A try that began within it may run to its own end.
    pub failover_budget: Duration,
    /// The same while *no* member answers at all, or all say that the cluster is not bootstrapped, which a new leader
    /// says for a moment. 2 s; each member is tried once in any case.
    pub unreachable_budget: Duration,
    /// The longest body that is read, in decoded bytes. 64 MiB.
    pub max_body_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(3),
            read_timeout: Duration::from_secs(8),
            total_timeout: Duration::from_secs(60),
            failover_budget: Duration::from_secs(20),
            unreachable_budget: Duration::from_secs(2),
            max_body_bytes: 64 << 20,
        }
    }
}

impl Limits {
    /// The same with another [`Limits::connect_timeout`].
    #[must_use]
    pub fn with_connect_timeout(self, connect_timeout: Duration) -> Self {
        Self { connect_timeout, ..self }
    }

    /// The same with another [`Limits::read_timeout`].
    #[must_use]
    pub fn with_read_timeout(self, read_timeout: Duration) -> Self {
        Self { read_timeout, ..self }
    }

    /// The same with another [`Limits::total_timeout`].
    #[must_use]
    pub fn with_total_timeout(self, total_timeout: Duration) -> Self {
        Self { total_timeout, ..self }
    }

    /// The same with another [`Limits::failover_budget`].
    #[must_use]
    pub fn with_failover_budget(self, failover_budget: Duration) -> Self {
        Self { failover_budget, ..self }
    }

    /// The same with another [`Limits::unreachable_budget`].
    #[must_use]
    pub fn with_unreachable_budget(self, unreachable_budget: Duration) -> Self {
        Self { unreachable_budget, ..self }
    }

    /// The same with another [`Limits::max_body_bytes`].
    #[must_use]
    pub fn with_max_body_bytes(self, max_body_bytes: usize) -> Self {
        Self { max_body_bytes, ..self }
    }

    /// # Errors
    /// [`Error::Config`] naming the field: a timeout of zero would fail every request, a body limit of zero too. The
    /// budgets may be zero: then each member is asked once.
    pub fn validate(&self) -> Result<(), Error> {
        for (field, timeout) in [
            ("limits.connect_timeout", self.connect_timeout),
            ("limits.read_timeout", self.read_timeout),
            ("limits.total_timeout", self.total_timeout),
        ] {
            if timeout.is_zero() {
                return Err(Error::Config { field, message: "must be longer than zero".to_owned() });
            }
        }
        if self.max_body_bytes == 0 {
            return Err(Error::Config {
                field: "limits.max_body_bytes",
                message: "must be larger than zero".to_owned(),
            });
        }
        Ok(())
    }
}
