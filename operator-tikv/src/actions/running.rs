//! What became of an operator that PD made for us.

use operator_core::{Action, Preview, Progress, RegionId};

use crate::Error;
use crate::pd::{OperatorState, OperatorStatus, PdClient};

/// What PD says of the operator on `region`, where the effect of `preview` is not seen: `waiting` is what is.
///
/// PD tells of the last operator of a region only, so one that was made before the preview says nothing of ours, and
/// none at all may be one that a former leader of PD has forgotten.
pub(super) async fn progress(
    pd: &PdClient,
    preview: &Preview,
    region: RegionId,
    waiting: String,
) -> Result<Progress, Error> {
    let status = pd.operator_status(region).await?;
    let Some(status) = status.filter(|status| status.created_at.is_some_and(|at| at >= preview.at)) else {
        return Ok(Progress::Running(format!("{waiting}, and PD runs nothing on region {region}")));
    };
    let what = status.what();
    Ok(match &status.state {
        _ if !is_ours(&status, &preview.action) => Progress::Failed(format!(
            "{waiting}, and PD has done something else to region {region} since: {what}"
        )),
        OperatorState::Running => Progress::Running(format!("{waiting}; PD runs {what}")),
        OperatorState::Success => Progress::Done(format!("PD reports success of {what}")),
        OperatorState::Ended(word) => Progress::Failed(format!("PD gave it up: {word} of {what}")),
    })
}

/// Whether PD made it for `action`: by its name, and because it names the same stores and regions.
fn is_ours(status: &OperatorStatus, action: &Action) -> bool {
    let (name, ids) = match action {
        Action::TransferLeader { to_store_id, .. } => ("admin-transfer-leader", vec![to_store_id.0]),
        Action::TransferPeer { from_store_id, to_store_id, .. } => {
            ("admin-move-peer", vec![from_store_id.0, to_store_id.0])
        }
        Action::AddPeer { store_id, .. } => ("admin-add-peer", vec![store_id.0]),
        Action::RemovePeer { store_id, .. } => ("admin-remove-peer", vec![store_id.0]),
        Action::SplitRegion { .. } => ("admin-split-region", Vec::new()),
        Action::MergeRegions { .. } => ("admin-merge-region", Vec::new()),
        Action::ScatterRegion { .. } => ("scatter-region", Vec::new()),
        _ => return false,
    };
    let brief = status.brief.as_deref().unwrap_or_default();
    let named: Vec<u64> =
        brief.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect();
    // Where the newcomer is to lead, PD's operator for moving a peer names the leaders too.
    status.description == name && ids.iter().all(|id| named.contains(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_is_known_by_its_name_and_its_stores() {
        let status = |text: &str| format!("status: RUNNING, operator: {text} (kind:admin)").parse().unwrap();
        let leader = Action::TransferLeader { region_id: 192.into(), to_store_id: 4.into() };
        let ours = |text: &str| is_ours(&status(text), &leader);
        assert!(ours("admin-transfer-leader {transfer leader: store 1 to 4}"));
        assert!(!ours("admin-transfer-leader {transfer leader: store 1 to 41}"));
        assert!(!ours("balance-leader {transfer leader: store 1 to 4}"));
        let peer =
            Action::TransferPeer { region_id: 1.into(), from_store_id: 4.into(), to_store_id: 216.into() };
        assert!(is_ours(&status("admin-move-peer {mv peer: store [4] to [216]}"), &peer));
        assert!(!is_ours(&status("admin-move-peer {mv peer: store [5] to [216]}"), &peer));
    }
}
