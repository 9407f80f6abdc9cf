//! `scatter_region`.

use operator_core::{Progress, RegionId};

use super::draft::{Draft, found};
use crate::Error;
use crate::pd::PdClient;

pub(super) async fn preview(draft: &mut Draft<'_>, region_id: RegionId) -> Result<(), Error> {
    let Some(region) = draft.region(region_id).await? else { return Ok(()) };
    draft.say(format!("PD chooses anew which stores hold region {region_id} and which of them leads it"));
    let whole = region.down_peers.is_empty() && region.pending_peers.is_empty();
    let message = if whole { "no peer lags behind or is down" } else { "some peer lags behind or is down" };
    draft.require("region_is_whole", whole, message);
    draft.warn("PD refuses a region that is hot, and moves nothing where it finds the region spread already");
    Ok(())
}

/// What it comes to is PD's choice, so its operator is what can be watched.
pub(super) async fn progress(pd: &PdClient, region_id: RegionId) -> Result<Progress, Error> {
    if found(pd.region(region_id).await)?.is_none() {
        return Ok(Progress::Failed(format!("region {region_id} is gone: it was merged into another")));
    }
    Ok(Progress::Running("what PD chose is not seen".to_owned()))
}
