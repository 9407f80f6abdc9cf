//! What a preview asks PD.

use operator_core::{Action, Actor, SplitPolicy};

use super::{Acting, follower, leader};

/// The paths that PD was asked for by the preview of `action`.
async fn asked(acting: &Acting, action: &Action) -> Vec<String> {
    let total = || acting.simulated.with(|simulator| simulator.requests().total());
    let before = total();
    let preview = acting.actor().preview(action).await.unwrap();
    assert!(preview.request.is_some() && preview.objections().next().is_none(), "{preview:?}");
    let count = usize::try_from(total() - before).unwrap();
    acting.simulated.with(|simulator| {
        let mut paths: Vec<_> = simulator.requests().recent().map(|request| request.path.clone()).collect();
        paths.split_off(paths.len() - count)
    })
}

#[tokio::test(start_paused = true)]
async fn whatever_is_done_to_a_region_pd_is_asked_for_its_stores_once() {
    let acting = Acting::new();
    let regions = acting.regions().await;
    let (region, neighbour) = (&regions[5], &regions[6]);
    let (region_id, to_store_id, from_store_id) = (region.id, follower(region), leader(region));
    let free = acting.store_without(region).await;

    for action in [
        Action::TransferLeader { region_id, to_store_id },
        Action::TransferPeer { region_id, from_store_id, to_store_id: free },
        Action::AddPeer { region_id, store_id: free },
        Action::RemovePeer { region_id, store_id: to_store_id },
        Action::SplitRegion { region_id, policy: SplitPolicy::Approximate, keys: Vec::new() },
        Action::MergeRegions { source_region_id: region_id, target_region_id: neighbour.id },
        Action::ScatterRegion { region_id },
    ] {
        let asked = asked(&acting, &action).await;
        let of_stores: Vec<_> = asked.iter().filter(|path| path.starts_with("/pd/api/v1/store")).collect();
        assert_eq!(of_stores, ["/pd/api/v1/stores"], "{action}: {asked:?}");
    }
}
