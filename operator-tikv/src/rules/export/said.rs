//! What each invariant is in PromQL, or why it is nothing.
//!
//! Of PD's metrics only the leader's count: followers lack them or have zeros. PD before and after 9 has one series of
//! `pd_cluster_status` a type or one a store, hence the sums.

use operator_core::Severity;

use crate::invariants::Thresholds;
use crate::prometheus::{StoreMetric, StoreQueries};

/// An invariant in PromQL.
pub(super) enum Said {
    As(Promql),
    /// Not at all, because of this.
    Not(&'static str),
}

pub(super) struct Promql {
    pub(super) expr: String,
    /// A template.
    pub(super) summary: &'static str,
    /// In what it is not the invariant.
    pub(super) differs: Option<&'static str>,
}

const PD: &str = r#"job=~"(.*-)?pd""#;
const TIKV: &str = r#"job=~"(.*-)?tikv""#;
/// Whether PD schedules nothing, as far as its counters tell.
const IDLE: &str = r#"unless on () sum(increase(pd_schedule_operators_count{event="create"}[5m])) > 0"#;
const AS_PD_BEGINS: &str =
    "That PD schedules nothing is taken from what it begins: for five minutes it began nothing.";

/// How many stores PD's leader finds in one of these states.
fn stores(states: &str) -> String {
    let is = if states.contains('|') {
        format!(r#"=~"store_({states})_count""#)
    } else {
        format!(r#"="store_{states}_count""#)
    };
    format!("max(sum by (instance) (pd_cluster_status{{type{is}}}))")
}

fn regions(count: &str) -> String {
    format!(r#"max(pd_regions_status{{type="{count}-region-count"}}) > 0"#)
}

/// The invariant `id` at `severity`.
pub(super) fn said(id: &str, severity: Severity, thresholds: &Thresholds) -> Said {
    let is = |expr: String, summary| Said::As(Promql { expr, summary, differs: None });
    let nearly = |expr: String, summary, differs| Said::As(Promql { expr, summary, differs: Some(differs) });
    let gone = stores("disconnected|unhealth|down");
    match (id, severity) {
        ("store_down", Severity::Critical) => nearly(
            format!("up{{{TIKV}}} == 0\n  and on () {gone} > 0\nor {} > 0", stores("down")),
            "{{ if $labels.instance }}store {{ $labels.instance }} does not answer, and PD misses a store\
             {{ else }}PD has missed {{ $value }} stores for so long that it takes them for down{{ end }}",
            "Lost is a store that neither PD hears nor Prometheus can scrape. PD's metrics do not say which of its \
             stores it misses.",
        ),
        ("store_down", _) => nearly(
            format!(
                "{gone} > 0\n  and on () max(min_over_time(etcd_server_is_leader{{{PD}}}[1m])\n    \
                 and time() - process_start_time_seconds{{{PD}}} > 60) == 1"
            ),
            "PD misses {{ $value }} stores",
            "Not within a minute of a new leader of PD, which takes stores for disconnected that it has not heard yet: \
             no metric tells whether they live. Stores that are being removed do not count.",
        ),
        ("high_latency", _) => is(
            format!(
                "{}\n  > {}",
                StoreQueries::default().query(StoreMetric::LatencyP99),
                thresholds.latency_p99_seconds
            ),
            "store {{ $labels.instance }}: p99 is {{ $value | humanizeDuration }}",
        ),
        ("low_disk_space", severity) => {
            let most = match severity {
                Severity::Critical => thresholds.disk_used_critical_ratio,
                _ => thresholds.disk_used_warning_ratio,
            };
            let size = |of| format!(r#"sum by (instance) (tikv_store_size_bytes{{type="{of}"}})"#);
            let (capacity, available, used) = (size("capacity"), size("available"), size("used"));
            is(
                format!("1 - {available}\n  / {capacity} > {most}\nor {used}\n  / {capacity} > {most}"),
                "store {{ $labels.instance }}: {{ $value | humanizePercentage }} of its disk is taken",
            )
        }
        ("miss_peer", _) => is(
            format!(
                "{}\n  and on () (\n    {}\n      >= max(pd_config_status{{type=\"max-replicas\"}})\n    or {} > 0)",
                regions("miss-peer"),
                stores("up|disconnected|unhealth|down|offline"),
                stores("tombstone"),
            ),
            "{{ $value }} regions have too few replicas",
        ),
        ("down_peer", _) => is(regions("down-peer"), "{{ $value }} regions have a replica that is down"),
        ("pending_peer", _) => {
            is(regions("pending-peer"), "{{ $value }} regions have a replica that lags far behind")
        }
        ("offline_peer", _) => is(
            regions("offline-peer"),
            "{{ $value }} regions have a replica on a store that is being removed",
        ),
        ("extra_peer", _) => is(regions("extra-peer"), "{{ $value }} regions have too many replicas"),
        ("learner_peer", _) => nearly(
            regions("learner-peer"),
            "{{ $value }} regions have a replica that does not vote",
            "Leave it out where there is TiFlash: no metric of PD 8.5 tells which stores are.",
        ),
        ("no_leader", _) => nearly(
            "sum by (instance) (tikv_raftstore_leader_missing) > 0".to_owned(),
            "store {{ $labels.instance }} misses the leader of {{ $value }} regions",
            "Stores count a region only after ten minutes. That a region's leader is on a lost store no metric tells.",
        ),
        ("quorum_lost", _) => Said::Not(
            "where most voters of a region are lost, no metric tells: PD goes on showing leaders, and all of \
             pd_regions_status stays 0. TikvStoreDown fires for each lost store.",
        ),
        ("pd_member_unhealthy", _) => nearly(
            format!("up{{{PD}}} == 0"),
            "the member {{ $labels.instance }} of PD does not answer",
            "Prometheus asks the members, not PD's leader.",
        ),
        ("pd_no_leader", _) => nearly(
            format!("max(etcd_server_is_leader{{{PD}}}) == 0\nor max(up{{{PD}}}) == 0"),
            "no member of PD leads",
            "By the leader of its etcd, which every member tells.",
        ),
        ("store_unobserved", _) => nearly(
            format!("{}\n  > (count(up{{{TIKV}}} == 1) or vector(0))", stores("up")),
            "PD hears {{ $value }} stores, and Prometheus can scrape fewer",
            "PD's metrics do not say which store. TiFlash counts as a store: add its job where there is some.",
        ),
        ("store_busy", _) => nearly(
            format!(
                "sum by (instance) (rate(tikv_scheduler_too_busy_total[1m])) > {most}\n\
                 or sum by (instance) (rate(tikv_channel_full_total[1m])) > {most}\n\
                 or max by (instance) (tikv_engine_write_stall{{db=\"kv\",type=\"write_stall_percentile99\"}}) > 0",
                most = thresholds.busy_per_second,
            ),
            "store {{ $labels.instance }} is too busy: it refuses requests, has full channels or stalls writes",
            "What a store says of itself to PD is in no metric. The first two series begin with the first refusal.",
        ),
        ("store_slow", _) => is(
            format!(
                "max by (instance) (tikv_raftstore_slow_score{{type!=\"network\"}}) >= {}",
                thresholds.slow_score
            ),
            "store {{ $labels.instance }}: its slow score is {{ $value }}",
        ),
        ("leader_imbalance", _) => imbalance("leader", thresholds),
        ("region_imbalance", _) => imbalance("region", thresholds),
        ("version_mismatch", _) => is(
            "count(count by (version) (tikv_server_info)) > 1".to_owned(),
            "stores run {{ $value }} different versions",
        ),
        ("clock_skew", _) => Said::Not(
            "no metric is a clock: pd_cluster_tso may run ahead of PD's on purpose. A node exporter has \
             node_timex_offset_seconds.",
        ),
        ("forgotten", _) => Said::Not(
            "no metric tells what is paused or evicted: a scheduler with nothing to do looks alike.",
        ),
        ("stuck_offline", _) => nearly(
            format!("{} > 0\n  {IDLE}", stores("offline")),
            "{{ $value }} stores are being removed, and PD moves nothing",
            AS_PD_BEGINS,
        ),
        _ => Said::Not("nobody has said it in PromQL yet."),
    }
}

fn imbalance(what: &str, thresholds: &Thresholds) -> Said {
    let of = |kind: &str| format!(r#"pd_scheduler_store_status{{type="{what}_{kind}"}}"#);
    let summary = match what {
        "leader" => "store {{ $labels.store }} ({{ $labels.address }}) leads far more than the others",
        _ => "store {{ $labels.store }} ({{ $labels.address }}) holds far more than the others",
    };
    Said::As(Promql {
        expr: format!(
            "max by (store, address) ({score})\n    > {} * scalar(avg({score}))\n  and on () avg({}) >= {}\n  {IDLE}",
            thresholds.imbalance_ratio,
            of("count"),
            thresholds.imbalance_least_per_store,
            score = of("score"),
        ),
        summary,
        differs: Some(AS_PD_BEGINS),
    })
}
