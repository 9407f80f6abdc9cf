//! From the options to a subject: a real cluster, or a simulated one in this process.

use std::env::{self, VarError};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use operator_core::Clock;
use operator_tikv::http::{Endpoint, Limits, TlsConfig};
use operator_tikv::metrics::MetricsSource;
use operator_tikv::prometheus::{Client, PrometheusConfig, Secret, StoreQueries};
use operator_tikv::rules::Rules;
use operator_tikv::{TikvActor, TikvConfig, TikvSubject};
use tikv_simulator::{Config, Scenario, Server};

use crate::args::Options;
use crate::commands::RulesArgs;
use crate::error::Failure;
use crate::session::Session;

/// A session, and what it needs to go on.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) session: Session,
    /// What the session was made of.
    pub(crate) config: TikvConfig,
    /// Ends when dropped.
    _simulated: Option<Server>,
}

impl Connection {
    /// The same cluster as something that can be changed.
    ///
    /// # Errors
    /// [`Failure::Usage`] as when the connection was made.
    pub(crate) fn actor(&self, options: &Options) -> Result<TikvActor, Failure> {
        let config = self.config.clone().with_limits(limits(*options.timeout));
        Ok(TikvActor::new(TikvSubject::new(config).map_err(unusable)?))
    }
}

/// What the options and the environment name. Nobody is asked yet.
///
/// # Errors
/// [`Failure::Usage`] if they name nothing, or something that cannot be used.
pub(crate) async fn connect(options: &Options, rules: &RulesArgs) -> Result<Connection, Failure> {
    let rules = rules.read()?;
    let connection = connect_to(options, rules).await?;
    let tikv = connection.session.tikv.as_ref().filter(|tikv| tikv.rules().is_some());
    // Where it is may not be known yet: then the rules are unknown, not the command line wrong.
    if let Some(tikv) = tikv
        && let Ok(None) = tikv.metrics_source().prometheus().await
    {
        return Err(Failure::Usage(
            "--rules: rules need a Prometheus, and PD names none: name one by --prometheus http://HOST:9090 or by \
             the environment variable PROMETHEUS_URL"
                .to_owned(),
        ));
    }
    Ok(connection)
}

async fn connect_to(options: &Options, rules: Option<Rules>) -> Result<Connection, Failure> {
    let variable = |name| env::var(name);
    match endpoints(options, variable)? {
        Target::Real(endpoints) => {
            let config = real(endpoints, options, variable)?;
            Ok(Connection { session: session(config.clone(), options, rules)?, config, _simulated: None })
        }
        Target::Simulated(scenario) => {
            let server = simulated(scenario).await?;
            let mut config = TikvConfig::new(list(&server.pd_urls().join(","))?);
            // A variable means a real cluster's.
            if let Some(prometheus) = prometheus(options, |_| Err(VarError::NotPresent))? {
                config = config.with_prometheus(prometheus);
            }
            Ok(Connection {
                session: session(config.clone(), options, rules)?,
                config,
                _simulated: Some(server),
            })
        }
    }
}

/// The Prometheus that the options or the environment name, or else the one that their PD names.
///
/// # Errors
/// [`Failure::Usage`] if there is none.
pub(crate) async fn prometheus_client(options: &Options) -> Result<Arc<Client>, Failure> {
    let variable = |name| env::var(name);
    if let Some(config) = prometheus(options, variable)? {
        return config.client().map(Arc::new).map_err(unusable);
    }
    let none = |why: &str| {
        Failure::Usage(format!(
            "which Prometheus? Name one by --prometheus http://HOST:9090 or by the environment variable \
             PROMETHEUS_URL; {why}"
        ))
    };
    let endpoints = match endpoints(options, variable) {
        Ok(Target::Real(endpoints)) => endpoints,
        Ok(Target::Simulated(_)) => return Err(none("a simulated cluster has none")),
        Err(_) => return Err(none("or a PD that knows one, by --pd http://HOST:2379")),
    };
    let config = real(endpoints, options, variable)?.with_limits(limits(*options.timeout));
    let source = MetricsSource::new(&config).map_err(unusable)?;
    let found = source.prometheus().await.map_err(|error| Failure::from(error.during("query")))?;
    found.ok_or_else(|| none("PD names none in its `pd-server.metric-storage`"))
}

fn real(
    endpoints: Vec<Endpoint>,
    options: &Options,
    variable: impl Fn(&'static str) -> Result<String, VarError> + Copy,
) -> Result<TikvConfig, Failure> {
    let mut config = TikvConfig::new(endpoints);
    if let Some(tls) = tls(options, variable)? {
        config = config.with_tls(tls);
    }
    if let Some(prometheus) = prometheus(options, variable)? {
        config = config.with_prometheus(prometheus);
    }
    let queries = StoreQueries::default().with_window(*options.prometheus_window);
    Ok(config.with_store_queries(queries))
}

/// The Prometheus that is named, if one is, and how to be let in.
fn prometheus(
    options: &Options,
    variable: impl Fn(&'static str) -> Result<String, VarError>,
) -> Result<Option<PrometheusConfig>, Failure> {
    let url = match &options.prometheus {
        Some(url) => Some(url.clone()),
        None => from_environment("PROMETHEUS_URL", &variable)?,
    };
    let Some(url) = url else { return Ok(None) };
    let endpoint: Endpoint = url.parse().map_err(|error| Failure::Usage(format!("--prometheus: {error}")))?;
    let is_https = endpoint.is_https();
    let usual = limits(*options.timeout);
    // While there is time left to ask the stores.
    let patience = options.timeout.mul_f64(0.4);
    let limits = usual.clone().with_total_timeout(patience).with_read_timeout(patience);
    let mut config = PrometheusConfig::new(endpoint).with_limits(limits);
    let tls = match file(&options.prometheus_cacert, "PROMETHEUS_CACERT", &variable)? {
        Some(ca) => Some(TlsConfig::from_files(Some(&ca), None, None).map_err(unusable)?),
        None if is_https => tls(options, &variable)?,
        None => None,
    };
    if let Some(tls) = tls {
        config = config.with_tls(tls);
    }
    config = let_in(config, options, &variable)?;
    for header in &options.prometheus_header {
        let (name, value) = header.split_once(':').ok_or_else(|| {
            Failure::Usage(
                "--prometheus-header: a name, a colon and a value, such as 'X-Scope-OrgID: a'".to_owned(),
            )
        })?;
        config = config.with_header(name.trim(), value.trim()).map_err(unusable)?;
    }
    Ok(Some(config))
}

/// With a token, or with a user and a password; what the command line says goes before the environment.
fn let_in(
    config: PrometheusConfig,
    options: &Options,
    variable: impl Fn(&'static str) -> Result<String, VarError>,
) -> Result<PrometheusConfig, Failure> {
    let named = options.prometheus_user.is_some() || options.prometheus_password_file.is_some();
    if let Some(file) = &options.prometheus_token_file {
        if named {
            return Err(Failure::Usage(
                "--prometheus-token-file and --prometheus-user exclude each other: Prometheus takes one of them"
                    .to_owned(),
            ));
        }
        return Ok(config.with_bearer(Secret::file(file)));
    }
    let user = match &options.prometheus_user {
        Some(user) => Some(user.clone()),
        None => from_environment("PROMETHEUS_USER", &variable)?,
    };
    let password = match &options.prometheus_password_file {
        Some(file) => Some(Secret::file(file)),
        None => {
            from_environment("PROMETHEUS_PASSWORD", &variable)?.map(|_| Secret::env("PROMETHEUS_PASSWORD"))
        }
    };
    match (user, password) {
        (Some(user), Some(password)) => return Ok(config.with_basic(user, password)),
        (None, None) => {}
        _ => {
            return Err(Failure::Usage(
                "a user for Prometheus has a password, and a password a user: --prometheus-user NAME and \
                 --prometheus-password-file FILE, or PROMETHEUS_USER and PROMETHEUS_PASSWORD"
                    .to_owned(),
            ));
        }
    }
    Ok(match from_environment("PROMETHEUS_TOKEN", &variable)? {
        Some(_) => config.with_bearer(Secret::env("PROMETHEUS_TOKEN")),
        None => config,
    })
}

/// Whom to look at.
#[derive(Debug, PartialEq)]
enum Target {
    Real(Vec<Endpoint>),
    Simulated(Scenario),
}

/// The command line goes before the environment.
fn endpoints(
    options: &Options,
    variable: impl Fn(&'static str) -> Result<String, VarError>,
) -> Result<Target, Failure> {
    if let Some(scenario) = options.simulate {
        return Ok(Target::Simulated(scenario));
    }
    let named = if options.pd.is_empty() {
        from_environment("PD_ENDPOINT", variable)?.unwrap_or_default()
    } else {
        options.pd.join(",")
    };
    let endpoints = list(&named)?;
    if endpoints.is_empty() {
        return Err(Failure::Usage(
            "which cluster? Name one by --pd http://HOST:2379, by the environment variable PD_ENDPOINT, or take a \
             simulated one: --simulate"
                .to_owned(),
        ));
    }
    Ok(Target::Real(endpoints))
}

fn list(named: &str) -> Result<Vec<Endpoint>, Failure> {
    Endpoint::list(named).map_err(|error| Failure::Usage(error.to_string()))
}

/// The files that options or environment name, read.
fn tls(
    options: &Options,
    variable: impl Fn(&'static str) -> Result<String, VarError>,
) -> Result<Option<TlsConfig>, Failure> {
    let ca = file(&options.cacert, "PD_CACERT", &variable)?;
    let cert = file(&options.cert, "PD_CERT", &variable)?;
    let key = file(&options.key, "PD_KEY", &variable)?;
    if ca.is_none() && cert.is_none() && key.is_none() {
        return Ok(None);
    }
    TlsConfig::from_files(ca.as_deref(), cert.as_deref(), key.as_deref()).map(Some).map_err(unusable)
}

fn file(
    option: &Option<PathBuf>,
    name: &'static str,
    variable: impl Fn(&'static str) -> Result<String, VarError>,
) -> Result<Option<PathBuf>, Failure> {
    match option {
        Some(file) => Ok(Some(file.clone())),
        None => from_environment(name, variable).map(|file| file.map(PathBuf::from)),
    }
}

/// A variable that is empty is not set: compose files cannot leave one out.
fn from_environment(
    name: &'static str,
    variable: impl Fn(&'static str) -> Result<String, VarError>,
) -> Result<Option<String>, Failure> {
    match variable(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => {
            Err(Failure::Usage(format!("the environment variable {name} is not text in UTF-8")))
        }
    }
}

fn session(config: TikvConfig, options: &Options, rules: Option<Rules>) -> Result<Session, Failure> {
    let timeout = *options.timeout;
    if timeout.is_zero() {
        return Err(Failure::Usage("--timeout must be longer than zero".to_owned()));
    }
    let asked: Vec<_> = config.endpoints.iter().map(ToString::to_string).collect();
    let subject = TikvSubject::new(config.with_limits(limits(timeout))).map_err(unusable)?;
    let subject = Arc::new(match rules {
        Some(rules) => subject.with_rules(rules),
        None => subject,
    });
    Ok(Session {
        tikv: Some(Arc::clone(&subject)),
        subject,
        asked: format!("PD at {}", asked.join(", ")),
        timeout,
        clock: Clock::system(),
    })
}

/// For this deadline the usual limits are made.
const USUAL_TIMEOUT: Duration = Duration::from_secs(30);

/// The usual limits, longer with a longer deadline, but so much shorter than it that what went wrong can still be told
/// before it.
pub(crate) fn limits(timeout: Duration) -> Limits {
    let usual = Limits::default();
    let patience = timeout.div_duration_f64(USUAL_TIMEOUT).clamp(1.0, 10.0);
    let within = |usual: Duration, share: f64| usual.mul_f64(patience).min(timeout.mul_f64(share));
    usual
        .clone()
        .with_connect_timeout(within(usual.connect_timeout, 0.5))
        .with_read_timeout(within(usual.read_timeout, 0.8))
        .with_total_timeout(within(usual.total_timeout, 0.9))
        .with_failover_budget(within(usual.failover_budget, 0.7))
        .with_unreachable_budget(usual.unreachable_budget.min(timeout.mul_f64(0.4)))
}

/// What was configured cannot be used: only the command line configures anything.
pub(crate) fn unusable(error: operator_tikv::Error) -> Failure {
    Failure::Usage(error.to_string())
}

/// The scenario at the moment that shows its point, which is now: heartbeats are as old as they look.
async fn simulated(scenario: Scenario) -> Result<Server, Failure> {
    let server = Server::start(Config::new(scenario).shown_at(Utc::now()), 1.0)
        .await
        .map_err(|error| Failure::other("the simulated cluster could not be started", error))?;
    // Only now: who dies on the way has had an address, which now refuses.
    server.with(|simulator| simulator.advance(scenario.shows_after()));
    Ok(server)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(value: &'static str) -> impl Fn(&'static str) -> Result<String, VarError> {
        move |name| if name == "PD_ENDPOINT" { Ok(value.to_owned()) } else { Err(VarError::NotPresent) }
    }

    fn pd(urls: &[&str]) -> Options {
        Options { pd: urls.iter().map(|&url| url.to_owned()).collect(), ..options() }
    }

    fn options() -> Options {
        Options {
            pd: Vec::new(),
            prometheus: None,
            prometheus_token_file: None,
            prometheus_user: None,
            prometheus_password_file: None,
            prometheus_cacert: None,
            prometheus_header: Vec::new(),
            prometheus_window: Duration::from_secs(60).into(),
            cacert: None,
            cert: None,
            key: None,
            simulate: None,
            output: Default::default(),
            timeout: Duration::from_secs(30).into(),
            color: Default::default(),
            verbose: false,
        }
    }

    #[test]
    fn the_command_line_goes_before_the_environment() {
        let chosen = |options: &Options| endpoints(options, environment("http://env:2379")).unwrap();
        let real = |text: &str| Target::Real(Endpoint::list(text).unwrap());
        assert_eq!(chosen(&options()), real("http://env:2379"));
        assert_eq!(chosen(&pd(&["http://a:1", "http://b:2"])), real("http://a:1,http://b:2"));
        let simulate = Options { simulate: Some(Scenario::Big), ..options() };
        assert_eq!(chosen(&simulate), Target::Simulated(Scenario::Big));
    }

    #[test]
    fn no_cluster_is_answered_with_the_three_ways_to_name_one() {
        for value in ["", ",", " "] {
            let failure = endpoints(&options(), environment(value)).unwrap_err();
            let text = failure.to_string();
            assert!(matches!(failure, Failure::Usage(_)), "{text}");
            assert!(["--pd", "PD_ENDPOINT", "--simulate"].iter().all(|way| text.contains(way)), "{text}");
        }
    }

    #[test]
    fn half_a_client_certificate_is_a_usage_error() {
        let failure = tls(&Options { key: Some("k.pem".into()), ..options() }, environment("")).unwrap_err();
        assert!(matches!(failure, Failure::Usage(_)), "{failure}");
        assert!(tls(&options(), environment("")).unwrap().is_none());
    }

    #[test]
    fn a_user_has_a_password_and_no_token_and_the_command_line_goes_first() {
        const BOTH: &[&str] = &["PROMETHEUS_USER", "PROMETHEUS_PASSWORD"];
        let config = |options: &Options, set: &'static [&str]| {
            let variable =
                |name: &'static str| set.contains(&name).then(|| "x".to_owned()).ok_or(VarError::NotPresent);
            let options = Options { prometheus: Some("p:9090".to_owned()), ..options.clone() };
            prometheus(&options, variable).map(|config| format!("{config:?}"))
        };
        let user = || Options { prometheus_user: Some("ann".to_owned()), ..options() };
        let with_file = Options { prometheus_password_file: Some("/run/p".into()), ..user() };
        let token = Options { prometheus_token_file: Some("/run/t".into()), ..options() };
        let both = Options { prometheus_token_file: Some("/run/t".into()), ..user() };
        for (options, set, shown) in [
            (&with_file, &[][..], "the file /run/p"),
            (&with_file, BOTH, "the file /run/p"),
            (&user(), BOTH, "PROMETHEUS_PASSWORD"),
            (&options(), BOTH, "PROMETHEUS_PASSWORD"),
            (&token, BOTH, "the file /run/t"),
            (&options(), &["PROMETHEUS_TOKEN"], "PROMETHEUS_TOKEN"),
            (&options(), &[], "credentials: None"),
        ] {
            let config = config(options, set).unwrap();
            assert!(config.contains(shown), "{shown}: {config}");
        }
        for (options, set) in
            [(&user(), &[][..]), (&options(), &["PROMETHEUS_PASSWORD"][..]), (&both, &[][..])]
        {
            assert!(matches!(config(options, set), Err(Failure::Usage(_))), "{set:?}");
        }
    }

    #[test]
    fn every_limit_ends_before_the_deadline() {
        let limits = limits(Duration::from_secs(1));
        let deadline = Duration::from_secs(1);
        assert!(limits.connect_timeout < deadline && limits.read_timeout < deadline);
        assert!(limits.failover_budget < deadline && limits.unreachable_budget < deadline);
        assert!(limits.validate().is_ok());
    }

    #[test]
    fn a_longer_deadline_waits_longer() {
        let (usual, limits) = (Limits::default(), limits(Duration::from_secs(60)));
        assert_eq!(limits.read_timeout, 2 * usual.read_timeout);
        assert_eq!(limits.unreachable_budget, usual.unreachable_budget);
        assert!(super::limits(Duration::MAX).validate().is_ok());
    }
}
