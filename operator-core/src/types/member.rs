//! Members of the control plane.

use serde::{Deserialize, Serialize};

use super::MemberId;

/// A member of the control plane: for TiKV one PD. Subjects without a control plane have none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Member {
    /// Unique among the members.
    pub name: String,
    /// Unique among the members.
    pub id: MemberId,
    /// Where it answers.
    pub client_urls: Vec<String>,
    /// Whether it passes its health check; `null` if that could not be asked.
    pub healthy: Option<bool>,
    /// Whether it leads.
    pub leader: bool,
}

impl Member {
    /// A member that does not lead and of whose health nothing is known.
    pub fn new(name: impl Into<String>, id: MemberId) -> Self {
        Self { name: name.into(), id, client_urls: Vec::new(), healthy: None, leader: false }
    }
}
