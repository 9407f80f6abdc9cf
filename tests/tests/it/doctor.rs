//! What `operator doctor` says of clusters in which one thing is wrong: that, and nothing else.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use operator_core::Subject;
use operator_tests::{ClosedPort, Prometheus, Script, ScriptedServer, Setup};
use operator_tikv::{TikvConfig, TikvSubject};
use serde_json::Value;
use tikv_simulator::{Config, Event, NodeId, Scenario, Server};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::program::{PATIENCE, Run, binary, operator};
use crate::promtool::Folder;

async fn healthy() -> Server {
    Server::start(Config::new(Scenario::Healthy).shown_at(Utc::now()), 1.0).await.unwrap()
}

fn pds(server: &Server) -> String {
    server.pd_urls().join(",")
}

/// What it found, and how it ended.
struct Found {
    run: Run,
    report: Value,
}

impl Found {
    async fn by(args: &[&str]) -> Self {
        // It may have to be built first.
        binary();
        let started = Instant::now();
        let run = operator([&["doctor", "-o", "json"], args].concat()).await;
        assert!(started.elapsed() < Duration::from_secs(20), "{:?}: {run:?}", started.elapsed());
        let report: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{run:?}"));
        for check in report["checks"].as_array().unwrap() {
            assert!(check["name"].is_string() && check["message"].is_string(), "{check}");
        }
        assert_eq!(run.code, Some(if report["ok"] == true { 0 } else { 1 }), "{report:#}");
        Self { run, report }
    }

    fn checks(&self, ok: bool) -> Vec<&Value> {
        self.report["checks"].as_array().unwrap().iter().filter(|check| check["ok"] == ok).collect()
    }

    /// Nothing is wrong.
    fn good(&self) {
        assert_eq!(self.run.code, Some(0), "{:#}", self.report);
        assert!(self.checks(false).is_empty() && self.run.stderr.is_empty(), "{:?}", self.run);
    }

    /// Exactly this is wrong; the message has this in it, and there is something to try.
    fn only(&self, name: &str, message: &str) {
        let failed = self.checks(false);
        let [check] = &failed[..] else { panic!("not only {name}: {:#}", self.report) };
        assert_eq!(check["name"], name, "{check:#}");
        assert!(check["message"].as_str().unwrap().contains(message), "{check:#}");
        assert!(!check["hint"].as_str().unwrap_or_default().is_empty(), "{check:#}");
    }

    fn named(&self, name: &str) -> &Value {
        let mut checks = self.report["checks"].as_array().unwrap().iter();
        checks.find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name}: {:#}", self.report))
    }
}

#[tokio::test]
async fn a_simulated_cluster_is_as_it_should_be_and_has_no_prometheus() {
    let found = Found::by(&["--simulate"]).await;
    found.good();
    assert!(found.named("prometheus")["hint"].as_str().unwrap().contains("--prometheus"));
    assert!(
        found.named("store 4")["message"].as_str().unwrap().contains("metrics from the stores themselves")
    );
    let told = operator(["doctor", "--simulate"]).await;
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(told.stdout.ends_with("\neverything is as it should be\n"), "{}", told.stdout);
}

#[tokio::test]
async fn a_pd_that_is_stopped_hangs_or_is_none_is_named_alone() {
    let server = healthy().await;
    Found::by(&["--pd", &pds(&server)]).await.good();
    let urls = server.pd_urls();
    let stopped = format!("pd {}", urls[2]);
    server.with(|simulator| simulator.apply(Event::Crash(NodeId::Pd(2))));
    Found::by(&["--pd", &pds(&server)]).await.only(&stopped, "TCP: ");

    server.with(|simulator| simulator.apply(Event::Restart(NodeId::Pd(2))));
    server.with(|simulator| simulator.apply(Event::Hang(NodeId::Pd(2))));
    Found::by(&["--pd", &pds(&server)]).await.only(&stopped, "HTTP: ");
}

#[tokio::test]
async fn an_address_that_is_not_pds_is_named_alone_and_who_is_not_named_is_noted() {
    let server = healthy().await;
    let two = server.pd_urls()[..2].join(",");
    let subject = TikvSubject::new(pds(&server).parse::<TikvConfig>().unwrap()).unwrap();
    let store = subject.stores().await.unwrap().remove(0).status_address.unwrap();
    let closed = ClosedPort::take().unwrap().url().unwrap();
    let hangs = ScriptedServer::start(|_| Script::Hang).await.unwrap();
    for (url, message) in [
        (format!("http://{store}"), "HTTP: "),
        (closed, "refused"),
        (hangs.url(), "no answer within"),
        ("http://pd.invalid:2379".to_owned(), "DNS: "),
    ] {
        let found = Found::by(&["--pd", &format!("{two},{url}")]).await;
        found.only(&format!("pd {url}"), message);
        let hint = found.named("pd members")["hint"].as_str().unwrap();
        assert!(hint.ends_with(&server.pd_urls()[2]), "{hint}");
    }
}

#[tokio::test]
async fn pds_of_two_clusters_are_told_apart() {
    let (server, mut other) = (healthy().await, Config::new(Scenario::Healthy).shown_at(Utc::now()));
    other.seed += 1;
    let other = Server::start(other, 1.0).await.unwrap();
    let found = Found::by(&["--pd", &format!("{},{}", pds(&server), pds(&other))]).await;
    assert!(found.checks(false).iter().any(|check| check["name"] == "pd cluster"), "{:#}", found.report);
    let message = found.named("pd cluster")["message"].as_str().unwrap();
    assert!(message.starts_with("different clusters answer: ") && message.contains(&other.pd_urls()[0]));
}

#[tokio::test]
async fn without_any_pd_each_is_named_and_nothing_follows() {
    let closed = [ClosedPort::take().unwrap(), ClosedPort::take().unwrap()];
    let urls = closed.each_ref().map(|port| port.url().unwrap());
    let found = Found::by(&["--pd", &urls.join(",")]).await;
    let named: Vec<_> =
        found.checks(false).into_iter().map(|check| check["name"].as_str().unwrap()).collect();
    assert_eq!(named, urls.map(|url| format!("pd {url}")));
    assert!(found.checks(true).is_empty());
}

#[tokio::test]
async fn a_certificate_of_an_authority_that_is_not_trusted_is_named() {
    let self_signed = || rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (server, other) = (self_signed(), self_signed());
    let key = PrivateKeyDer::try_from(server.signing_key.serialize_der()).unwrap();
    let tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![server.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let mut accepting = JoinSet::new();
    accepting.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = acceptor.accept(stream).await;
        }
    });
    let folder = Folder::new("doctor-tls");
    let ca = folder.write("other.pem", other.cert.pem());
    let found = Found::by(&["--pd", &url, "--cacert", &ca]).await;
    found.only(&format!("pd {url}"), "TLS: ");
    assert!(found.checks(false)[0]["hint"].as_str().unwrap().contains("--cacert"));
}

#[tokio::test]
async fn a_prometheus_that_is_named_and_does_not_answer_is_named_alone() {
    let server = healthy().await;
    let pds = pds(&server);
    let closed = ClosedPort::take().unwrap().url().unwrap();
    let hangs = ScriptedServer::start(|_| Script::Hang).await.unwrap();
    let page =
        ScriptedServer::start(|_| Script::answer("200 OK", "text/html", "<html>hello</html>")).await.unwrap();
    for (url, message) in [(closed, "refused"), (hangs.url(), "no answer within"), (page.url(), "HTTP: ")] {
        let found = Found::by(&["--pd", &pds, "--prometheus", &url]).await;
        found.only("prometheus", message);
    }
}

#[tokio::test]
async fn a_status_port_that_is_closed_is_named_alone() {
    let server = healthy().await;
    server.with(|simulator| simulator.apply(Event::Crash(NodeId::Store(4))));
    Found::by(&["--pd", &pds(&server)]).await.only("store 4", "its status port does not answer");
}

#[tokio::test]
async fn with_a_prometheus_its_jobs_are_counted_and_a_store_that_it_does_not_scrape_is_named() {
    let server = healthy().await;
    let subject = TikvSubject::new(pds(&server).parse::<TikvConfig>().unwrap()).unwrap();
    let stores = subject.stores().await.unwrap();
    let targets: Vec<_> = stores.into_iter().filter_map(|store| store.status_address).collect();
    let pds = pds(&server);
    let doctor = async |prometheus: &str| {
        Found::by(&["--pd", &pds, "--prometheus", prometheus, "--prometheus-window", "20s"]).await
    };
    let setup = Setup { targets: targets.clone(), ..Setup::default() };
    let Some(all) = Prometheus::start(setup).await.unwrap() else { return };
    let started = Instant::now();
    // Rates need two scrapes.
    let mut found = doctor(all.url()).await;
    while found.run.code != Some(0) && started.elapsed() < PATIENCE {
        found = doctor(all.url()).await;
    }
    found.good();
    let job = found.named("prometheus job tikv")["message"].as_str().unwrap();
    assert_eq!(job, format!("{0} of {0} targets of this cluster are up", targets.len()));

    server.with(|simulator| simulator.apply(Event::Crash(NodeId::Store(4))));
    doctor(all.url()).await.only("store 4", "its status port does not answer");
    server.with(|simulator| simulator.apply(Event::Restart(NodeId::Store(4))));
    drop(all);

    let setup = Setup { targets: targets[..2].to_vec(), ..Setup::default() };
    let Some(some) = Prometheus::start(setup).await.unwrap() else { return };
    let started = Instant::now();
    let mut found = doctor(some.url()).await;
    while found.checks(false).iter().any(|check| check["name"] != "store 5") && started.elapsed() < PATIENCE {
        found = doctor(some.url()).await;
    }
    found.only("store 5", "has no metrics of it");
}
