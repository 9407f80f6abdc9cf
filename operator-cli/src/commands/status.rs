//! `operator status`: the cluster at a glance.

use operator_core::{
    Member, Observation, Part, PartError, RegionHealth, RegionProblem, Scope, Store, StoreState, SubjectExt,
    Trust, TrustCode, TrustVerdict,
};
use operator_tikv::signals;

use super::{problems, stores};
use crate::error::Failure;
use crate::output::table::{self, Cell, Column};
use crate::output::text::{self, escaped};
use crate::output::{Output, Style, Tone};
use crate::session::Session;

/// Show the cluster at a glance, and what is wrong
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  operator status
  operator --simulate=store-crash status
  operator --pd http://pd0:2379,http://pd1:2379 status -o json | jq .trust

What could not be seen is named, and does not fail the command unless nothing could be seen at all.")]
pub(crate) struct StatusArgs {}

impl StatusArgs {
    pub(crate) async fn run(self, session: &Session, output: &mut Output) -> Result<(), Failure> {
        let scope = Scope::all().part_deadline(session.timeout).clock(session.clock.clone());
        // The scope's deadlines end every part before the session's would end them all.
        let observation = crate::progress::waiting(&session.asked, session.subject.observe(&scope)).await?;
        output.show(&observation, render)
    }
}

pub(super) fn render(observation: &Observation, style: Style) -> String {
    let mut sections = vec![trust(observation, style)];
    sections.extend(observation.members.as_deref().map(|members| self::members(members, style)));
    sections.extend(observation.stores.as_deref().map(|list| store_list(list, observation, style)));
    sections.extend(regions(observation, style));
    sections.push(wrong(observation, style));
    sections.extend(super::alerts::of_prometheus(observation, style));
    sections.extend(unseen(&observation.errors, style));
    sections.join("\n")
}

fn trust(observation: &Observation, style: Style) -> String {
    let Trust { verdict, reasons, .. } = &observation.trust;
    let (tone, meaning) = meaning(*verdict);
    let mut shown =
        format!("{} ({}): {meaning}\n", style.paint(tone, verdict.as_str()), text::time(observation.at));
    // The parts that failed have a section of their own.
    for reason in reasons.iter().filter(|reason| reason.code != TrustCode::PartFailed) {
        let part = reason.part.map_or("", Part::as_str);
        let colon = if part.is_empty() { "" } else { ": " };
        shown.push_str(&format!("  {part}{colon}{}\n", escaped(&reason.message)));
    }
    shown
}

/// How a verdict looks, and what it means.
pub(super) fn meaning(verdict: TrustVerdict) -> (Tone, &'static str) {
    match verdict {
        TrustVerdict::Complete => (Tone::Good, "everything that was asked for is here"),
        TrustVerdict::Partial => (Tone::Doubtful, "something is missing; what is here is right"),
        TrustVerdict::WarmingUp => (Tone::Doubtful, "live stores may look gone, and problems absent"),
        TrustVerdict::Stale => (Tone::Bad, "this shows the past"),
        _ => (Tone::Doubtful, "see the reasons"),
    }
}

fn members(members: &[Member], style: Style) -> String {
    const COLUMNS: [Column; 4] =
        [Column::Left("MEMBER"), Column::Left("ROLE"), Column::Left("HEALTH"), Column::Left("ADDRESS")];
    let rows = members.iter().map(|member| {
        let health = match member.healthy {
            Some(true) => Cell::toned("healthy", Tone::Good),
            Some(false) => Cell::toned("unhealthy", Tone::Bad),
            None => text::UNKNOWN.into(),
        };
        let role = if member.leader { "leader" } else { "follower" };
        [(&member.name).into(), role.into(), health, member.client_urls.join(" ").into()]
    });
    table::render(COLUMNS, rows, style)
}

/// Above this many, only stores that are not `Up` are listed.
const LISTED: usize = 20;

fn store_list(all: &[Store], observation: &Observation, style: Style) -> String {
    let render = |list: &[Store]| match &observation.metrics {
        Some(metrics) => stores::render_with(list, metrics, observation.at, style),
        None => stores::render(list, observation.at, style),
    };
    if all.len() <= LISTED {
        return render(all) + &measured(observation);
    }
    let mut in_doubt: Vec<_> = all.iter().filter(|store| store.state != StoreState::Up).cloned().collect();
    in_doubt.truncate(LISTED);
    let list = if in_doubt.is_empty() { String::new() } else { render(&in_doubt) };
    let others = all.len() - in_doubt.len();
    format!(
        "{list}{others} {}stores not shown: `operator stores` lists all\n",
        if list.is_empty() { "" } else { "more " }
    ) + &measured(observation)
}

/// Who told the metrics, and what is wrong with them.
fn measured(observation: &Observation) -> String {
    let texts = |name| observation.signals_named(name).filter_map(|signal| signal.value.as_text());
    let mut shown: String = texts(signals::METRICS_SOURCE)
        .map(|source| format!("QPS and P99 are told by {}.\n", escaped(source)))
        .collect();
    for why in texts(signals::METRICS_FALLBACK) {
        shown.push_str(&format!("  not by Prometheus: {}\n", text::failure(why, None, 4)));
    }
    for warning in texts(signals::METRICS_WARNING) {
        shown.push_str(&format!("  {}\n", text::failure(warning, None, 4)));
    }
    shown
}

fn regions(observation: &Observation, style: Style) -> Option<String> {
    let cluster = observation.cluster.as_ref()?;
    let mut shown = format!("Regions: {}\n", text::known(cluster.region_count));
    match &cluster.region_health {
        Some(health) => shown.push_str(&region_health(health, style)),
        None => shown.push_str("  whether they are as they should be is not known\n"),
    }
    Some(shown)
}

/// How many regions have each problem, where that is not zero, and what is not known.
fn region_health(health: &RegionHealth, style: Style) -> String {
    const EXAMPLES: usize = 3;
    let mut shown = String::new();
    let mut unknown = Vec::new();
    for problem in RegionProblem::ALL {
        match health.count(problem) {
            None => unknown.push(problem.as_str()),
            Some(0) => {}
            Some(count) => {
                let mut line = format!("  {problem}: {count}");
                let sample = health.sample.get(&problem).map(Vec::as_slice).unwrap_or_default();
                let examples: Vec<_> = sample.iter().take(EXAMPLES).map(ToString::to_string).collect();
                if !examples.is_empty() {
                    line.push_str(&format!(" (region {})", examples.join(", ")));
                }
                shown.push_str(&style.paint(tone(problem), &line));
                shown.push('\n');
            }
        }
    }
    if shown.is_empty() && unknown.is_empty() {
        shown.push_str("  all as they should be\n");
    }
    if !unknown.is_empty() {
        shown.push_str(&format!("  not known: {}\n", most(&unknown)));
    }
    shown
}

/// The kinds, or those that are missing, whichever are fewer.
pub(super) fn most(kinds: &[&str]) -> String {
    let all = RegionProblem::ALL.map(RegionProblem::as_str);
    let others: Vec<_> = all.into_iter().filter(|kind| !kinds.contains(kind)).collect();
    match others.len() {
        0 => "any kind of problem".to_owned(),
        few if few < kinds.len() => format!("all but {}", others.join(", ")),
        _ => kinds.join(", "),
    }
}

fn tone(problem: RegionProblem) -> Tone {
    match problem {
        RegionProblem::NoLeader | RegionProblem::QuorumLost => Tone::Bad,
        _ => Tone::Doubtful,
    }
}

fn wrong(observation: &Observation, style: Style) -> String {
    let problems = problems::of(observation);
    if problems.is_empty() {
        return if observation.trust.verdict == TrustVerdict::Complete {
            "Nothing is wrong, as far as this shows.\n".to_owned()
        } else {
            "Nothing wrong was seen, as far as this can be believed.\n".to_owned()
        };
    }
    let lines = problems.iter().map(|problem| format!("  {}\n", style.paint(problem.tone, &problem.text)));
    format!("{}\n{}", style.paint(Tone::Title, "What is wrong:"), lines.collect::<String>())
}

/// The parts that failed; those that failed in the same way together.
pub(super) fn unseen(errors: &[PartError], style: Style) -> Option<String> {
    let mut lines: Vec<(String, String)> = Vec::new();
    for error in errors {
        let why = text::failure(&error.message, error.endpoint.as_deref(), 4);
        match lines.iter_mut().find(|(_, told)| *told == why) {
            Some((parts, _)) => parts.push_str(&format!(", {}", error.part)),
            None => lines.push((error.part.to_string(), why)),
        }
    }
    let lines: String = lines.iter().map(|(parts, why)| format!("  {parts}: {why}\n")).collect();
    (!lines.is_empty()).then(|| format!("{}\n{lines}", style.paint(Tone::Title, "Could not see:")))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use chrono::DateTime;
    use operator_core::{Clock, ClusterMetrics, ErrorKind, InMemorySubject, Operation, TrustReason};

    use super::*;
    use crate::output::Format;
    use crate::output::tests::Written;

    fn subject() -> InMemorySubject {
        let stores = [1_u64, 4, 5].map(|id| {
            let mut store = Store::new(id.into(), format!("tikv{id}:20160"), StoreState::Up);
            store.region_count = Some(2);
            store.last_heartbeat = Some(DateTime::UNIX_EPOCH + Duration::from_secs(995));
            store
        });
        let mut leader = Member::new("pd1", 7.into());
        leader.leader = true;
        leader.healthy = Some(true);
        leader.client_urls = vec!["http://pd1:2379".to_owned()];
        let mut cluster = ClusterMetrics::from_stores(&stores);
        cluster.region_count = Some(2);
        let mut health = RegionHealth::default();
        for problem in RegionProblem::ALL {
            health.set_count(problem, Some(0));
        }
        InMemorySubject::new("demo")
            .with_stores(stores)
            .with_members([leader, Member::new("pd2", 8.into())])
            .with_cluster_metrics(cluster)
            .with_region_health(health)
    }

    async fn shown(subject: InMemorySubject, format: Format) -> String {
        let written = Written::default();
        let mut session = Session::over(Arc::new(subject));
        session.clock = Clock::manual(DateTime::UNIX_EPOCH + Duration::from_secs(1_000));
        StatusArgs {}.run(&session, &mut written.output(format)).await.unwrap();
        written.text()
    }

    #[tokio::test]
    async fn a_healthy_cluster_at_a_glance() {
        let expected = "\
complete (1970-01-01T00:16:40Z): everything that was asked for is here

MEMBER  ROLE      HEALTH   ADDRESS
pd1     leader    healthy  http://pd1:2379
pd2     follower  -

ID  STATE  ADDRESS      LEADERS  REGIONS  DATA  FREE    SEEN
 1  Up     tikv1:20160        -        2     -     -  5s ago
 4  Up     tikv4:20160        -        2     -     -  5s ago
 5  Up     tikv5:20160        -        2     -     -  5s ago

Regions: 2
  all as they should be

Nothing is wrong, as far as this shows.
";
        assert_eq!(shown(subject(), Format::Table).await, expected);
    }

    #[tokio::test]
    async fn what_failed_is_told_and_is_not_a_zero() {
        let subject = subject();
        subject.fail(Operation::RegionHealth, ErrorKind::Unavailable);
        subject.fail(Operation::Members, ErrorKind::Unavailable);
        let text = shown(subject, Format::Table).await;
        assert!(text.starts_with("partial (1970-01-01T00:16:40Z): something is missing"), "{text}");
        assert!(!text.contains("MEMBER"), "{text}");
        assert!(text.contains("Nothing wrong was seen, as far"), "{text}");
        assert!(text.contains("Regions: 2\n  whether they are as they should be is not known\n"), "{text}");
        assert!(text.ends_with("Could not see:\n  members, region_health: made to fail\n"), "{text}");
    }

    #[tokio::test]
    async fn reasons_for_mistrust_come_first() {
        let subject = subject();
        let warming_up =
            TrustReason::new(TrustCode::WarmingUp, Some(Part::Stores), "PD has led for 12 s\u{7}");
        subject.set_trust([warming_up]);
        let text = shown(subject, Format::Table).await;
        let lines: Vec<_> = text.lines().take(2).collect();
        assert!(lines.first().unwrap().starts_with("warming_up (1970"), "{text}");
        assert_eq!(lines.get(1), Some(&"  stores: PD has led for 12 s\\u{7}"));
    }

    #[tokio::test]
    async fn problems_of_regions_are_counted_with_examples_and_unknowns_named() {
        let subject = subject();
        let mut health = RegionHealth::default();
        health.set_count(RegionProblem::MissPeer, Some(40));
        (1..=40).for_each(|id| health.add_sample(RegionProblem::MissPeer, id.into()));
        health.set_count(RegionProblem::ExtraPeer, Some(0));
        subject.set_region_health(health);
        let text = shown(subject, Format::Table).await;
        let expected = "\
Regions: 2
  miss_peer: 40 (region 1, 2, 3)
  not known: all but miss_peer, extra_peer

What is wrong:
  40 regions have too few replicas
";
        assert!(text.ends_with(expected), "{text}");
    }

    #[tokio::test]
    async fn json_is_the_observation() {
        let json = shown(subject(), Format::Json).await;
        let observation: Observation = serde_json::from_str(&json).unwrap();
        assert_eq!(observation.stores.unwrap().len(), 3);
        assert_eq!(observation.trust.verdict, TrustVerdict::Complete);
    }

    #[tokio::test]
    async fn of_many_stores_only_those_in_doubt_are_listed() {
        let subject = subject();
        let stores = (1..=1_000_u64).map(|id| {
            let state = if id == 7 { StoreState::Down } else { StoreState::Up };
            Store::new(id.into(), "tikv:20160", state)
        });
        subject.set_stores(stores);
        let text = shown(subject, Format::Table).await;
        assert!(text.contains("\n 7  Down ") && !text.contains("\n 8  Up "), "{text}");
        assert!(text.contains("\n999 more stores not shown"), "{text}");
    }
}
