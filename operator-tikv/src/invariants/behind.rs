//! Whether what PD counts is the present.

use operator_core::common::{Sight, Unseen};
use operator_core::{SignalValue, TrustCode};

use crate::signals;

/// Why what PD counts or orders cannot be believed, if that is so.
pub(super) fn pd_is_behind(sight: &Sight<'_>) -> Option<Unseen> {
    let trusted = sight.observation.trust.reasons.iter().all(|reason| reason.code != TrustCode::WarmingUp);
    let signal = sight.of_cluster(signals::PD_WARMING_UP).ok().flatten().and_then(SignalValue::as_bool);
    (!trusted || signal == Some(true)).then(|| "PD warms up: it has not heard from everybody yet".to_owned())
}
