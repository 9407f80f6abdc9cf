//! What became of an operator that PD made for us.

use operator_core::{Action, Epoch, Preview, Progress, RegionId};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Error;
use crate::pd::{OperatorState, OperatorStatus, PdClient};

/// The region that PD makes an operator on for what `preview` sends, if it does and something is sent.
pub(super) fn region(preview: &Preview) -> Option<RegionId> {
    preview.request.as_ref()?;
    match &preview.action {
        Action::TransferLeader { region_id, .. }
        | Action::TransferPeer { region_id, .. }
        | Action::AddPeer { region_id, .. }
        | Action::RemovePeer { region_id, .. }
        | Action::SplitRegion { region_id, .. }
        | Action::MergeRegions { source_region_id: region_id, .. }
        | Action::ScatterRegion { region_id } => Some(*region_id),
        _ => None,
    }
}

/// Under which the operator that PD told of before anything was sent is noted in a preview.
pub(super) fn former(region: RegionId) -> String {
    format!("region/{region} former operator")
}

/// What tells one operator from the next: not how far it is.
pub(super) fn identity(status: &OperatorStatus) -> Value {
    json!({"operator": status.what(), "created_at": status.created_at})
}

/// What PD says of the operator on `region`, where the effect of `preview` is not seen: `waiting` is what is.
///
/// The operator that PD told of before says nothing of ours, and where there is none, a former leader of PD may have
/// forgotten it. Times do not tell which is ours: PD's clock is another.
pub(super) async fn progress(
    pd: &PdClient,
    preview: &Preview,
    region: RegionId,
    waiting: &str,
) -> Result<Progress, Error> {
    let status = pd.operator_status(region).await?;
    // Without a note it could not be asked, so that nothing can be told from what was there before.
    let former = preview.notes.get(&former(region));
    let is_new = |status: &OperatorStatus| former.is_some_and(|former| *former != identity(status));
    let Some(status) = status.filter(is_new) else {
        return Ok(Progress::Running(format!(
            "{waiting}, and PD tells of no new operator on region {region}"
        )));
    };
    let what = status.what();
    if !is_ours(&status, &preview.action) {
        // PD tells of the last operator of a region only: ours ended before this one began.
        let since = format!("since then PD did {what} to region {region}");
        return Ok(match follows(&status, preview, region) {
            true => Progress::Done(format!("it was done; {since}")),
            false => Progress::Failed(format!("{waiting}; {since}, so that it will not come any more")),
        });
    }
    Ok(match &status.state {
        OperatorState::Running => Progress::Running(format!("{waiting}; PD runs {what}")),
        OperatorState::Success if matches!(preview.action, Action::ScatterRegion { .. }) => {
            Progress::Done(format!("PD reports success of {what}"))
        }
        OperatorState::Success => {
            Progress::Unseeable(format!("PD reports success of {what}, and yet {waiting}"))
        }
        OperatorState::Ended(word) => Progress::Failed(format!("PD gave it up: {word} of {what}")),
    })
}

/// Whether a later operator begins with what ours was to come to: it moves leadership away from where ours moved it, or
/// takes away the peer that ours added and made a voter.
fn follows(later: &OperatorStatus, preview: &Preview, region: RegionId) -> bool {
    let brief = later.brief.as_deref().unwrap_or_default();
    match &preview.action {
        Action::TransferLeader { to_store_id, .. } => {
            brief.starts_with(&format!("transfer leader: store {to_store_id} to "))
        }
        Action::AddPeer { store_id, .. } => {
            let changes = later
                .epoch
                .zip(epoch_at(preview, region))
                .map(|(then, before)| then.conf_ver.saturating_sub(before.conf_ver));
            // One to add it, one to make it a voter.
            changes.is_some_and(|changes| changes >= 2)
                && brief.contains(&format!("rm peer: store [{store_id}]"))
        }
        _ => false,
    }
}

/// The region's epoch when it was looked at.
pub(super) fn epoch_at(preview: &Preview, region: RegionId) -> Option<Epoch> {
    let epoch = preview.basis.get(&format!("region/{region} epoch"))?;
    Epoch::deserialize(epoch).ok()
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
        Action::SplitRegion { region_id, .. } => ("admin-split-region", vec![region_id.0]),
        Action::MergeRegions { source_region_id, target_region_id } => {
            ("admin-merge-region", vec![source_region_id.0, target_region_id.0])
        }
        Action::ScatterRegion { .. } => ("scatter-region", Vec::new()),
        _ => return false,
    };
    let brief = status.brief.as_deref().unwrap_or_default();
    let named: Vec<u64> =
        brief.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect();
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
