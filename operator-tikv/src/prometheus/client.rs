//! The questions of Prometheus' HTTP API.

use std::collections::HashMap;
use std::fmt;
use std::sync::{PoisonError, RwLock};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;

use super::info::{Alerts, Rules, Targets};
use super::request::Params;
use super::wire;
use super::{
    Alert, Answer, AnswerError, BuildInfo, InstantVector, Labels, Metadata, PrometheusConfig, QueryResult,
    RangeSeries, RuleGroup, Selector, Target, TimeRange,
};
use crate::http::{self, BodyShape, Endpoint, HttpClient, Method, PdError, percent_encoded, printable};
use crate::{Call, Error};

/// Asks a Prometheus, or what speaks its API: Thanos, Mimir, VictoriaMetrics.
///
/// ```no_run
/// # async fn example() -> Result<(), operator_tikv::Error> {
/// use operator_tikv::prometheus::{PrometheusConfig, QueryResult};
///
/// let client = PrometheusConfig::new("http://127.0.0.1:9090".parse()?).client()?;
/// let answer = client.query("sum by (job) (up)").await?;
/// if let QueryResult::Vector(vector) = answer.data {
///     for series in vector.samples {
///         println!("{} {}", series.labels, series.sample.value);
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub struct Client {
    /// With the secrets as they were last read.
    http: RwLock<HttpClient>,
    config: Option<PrometheusConfig>,
}

impl Client {
    /// Asks the first endpoint of `http`, with its headers.
    pub fn new(http: HttpClient) -> Self {
        Self { http: RwLock::new(http), config: None }
    }

    pub(super) fn with_config(http: HttpClient, config: PrometheusConfig) -> Self {
        Self { http: RwLock::new(http), config: Some(config) }
    }

    /// Who is asked.
    pub fn endpoint(&self) -> Option<Endpoint> {
        self.http().endpoints().first().cloned()
    }

    /// Evaluates a query at the server's now.
    ///
    /// # Errors
    /// [`Error::Prometheus`] if the server refuses it; what [`HttpClient`] has if no answer comes; [`Error::Protocol`]
    /// if it makes no sense. So have all of this client's questions.
    pub async fn query(&self, promql: impl AsRef<str> + Send) -> Result<Answer<QueryResult>, Error> {
        self.evaluate("/api/v1/query", Params::default().and("query", promql.as_ref()))
            .await
            .map(|(data, _)| data)
    }

    /// Evaluates a query at `at`.
    ///
    /// # Errors
    /// As [`Client::query`].
    pub async fn query_at(
        &self,
        promql: impl AsRef<str> + Send,
        at: DateTime<Utc>,
    ) -> Result<Answer<QueryResult>, Error> {
        let params = Params::default().and("query", promql.as_ref()).and_time("time", at);
        self.evaluate("/api/v1/query", params).await.map(|(data, _)| data)
    }

    /// Evaluates a query whose result is a vector at the server's now.
    ///
    /// # Errors
    /// As [`Client::query`], and [`Error::Protocol`] if the result is something else.
    pub async fn vector(&self, promql: impl AsRef<str> + Send) -> Result<Answer<InstantVector>, Error> {
        let params = Params::default().and("query", promql.as_ref());
        let (result, came) = self.evaluate("/api/v1/query", params).await?;
        match result.data {
            QueryResult::Vector(data) => Ok(Answer { data, warnings: result.warnings, infos: result.infos }),
            other => Err(came.malformed(format!("the result is a {}, not a vector", other.type_name()))),
        }
    }

    /// Evaluates a query at each point of `range`: at most 11,000 points a request, as many requests one after the other
    /// as that takes, joined by their labels.
    ///
    /// # Errors
    /// As [`Client::query`], and [`Error::Config`] if the range makes no sense.
    pub async fn query_range(
        &self,
        promql: impl AsRef<str> + Send,
        range: TimeRange,
    ) -> Result<Answer<Vec<RangeSeries>>, Error> {
        let mut whole = Answer { data: Vec::new(), warnings: Vec::new(), infos: Vec::new() };
        for piece in range.pieces()? {
            let params = piece.and("query", promql.as_ref());
            let (piece, came) = self.evaluate("/api/v1/query_range", params).await?;
            let QueryResult::Matrix(series) = piece.data else {
                return Err(
                    came.malformed(format!("the result is a {}, not a matrix", piece.data.type_name()))
                );
            };
            join(&mut whole.data, series);
            add_new(&mut whole.warnings, piece.warnings);
            add_new(&mut whole.infos, piece.infos);
        }
        for series in &mut whole.data {
            series.timestamps.shrink_to_fit();
            series.values.shrink_to_fit();
        }
        Ok(whole)
    }

    /// The series that match one of `selectors`, of which there must be one.
    ///
    /// # Errors
    /// As [`Client::query`].
    pub async fn series(&self, selectors: &[Selector]) -> Result<Answer<Vec<Labels>>, Error> {
        self.ask("/api/v1/series", Params::default().and_selectors(selectors)).await
    }

    /// The names of the labels of the series that match one of `selectors`; of all series if there is none.
    ///
    /// # Errors
    /// As [`Client::query`].
    pub async fn label_names(&self, selectors: &[Selector]) -> Result<Answer<Vec<String>>, Error> {
        self.ask("/api/v1/labels", Params::default().and_selectors(selectors)).await
    }

    /// The values of a label in the series that match one of `selectors`; in all series if there is none.
    ///
    /// # Errors
    /// As [`Client::query`].
    pub async fn label_values(
        &self,
        label: &str,
        selectors: &[Selector],
    ) -> Result<Answer<Vec<String>>, Error> {
        self.get(&values_path(label), Params::default().and_selectors(selectors)).await
    }

    /// The names of the labels, or the values of `label`, of the series that match `selector`, or of all, that existed
    /// between two moments. Prometheus knows that for whole blocks of hours, and for what it has not written yet as one.
    ///
    /// # Errors
    /// As [`Client::query`].
    pub(crate) async fn names_between(
        &self,
        label: Option<&str>,
        selector: Option<&str>,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Answer<Vec<String>>, Error> {
        let params = Params::default().and_time("start", from).and_time("end", to);
        let params = selector.into_iter().fold(params, |params, selector| params.and("match[]", selector));
        match label {
            Some(label) => self.get(&values_path(label), params).await,
            None => self.ask("/api/v1/labels", params).await,
        }
    }

    /// What is scraped.
    ///
    /// # Errors
    /// As [`Client::query`]. Thanos, Mimir and VictoriaMetrics may not know this question, nor those that follow.
    pub async fn targets(&self) -> Result<Answer<Vec<Target>>, Error> {
        // Targets that were dropped by relabelling can be many times more.
        let targets: Answer<Targets> =
            self.get("/api/v1/targets", Params::default().and("state", "active")).await?;
        Ok(targets.map(|targets| targets.active_targets))
    }

    /// The rules, with the alerts that come of them.
    ///
    /// # Errors
    /// As [`Client::targets`].
    pub async fn rules(&self) -> Result<Answer<Vec<RuleGroup>>, Error> {
        let rules: Answer<Rules> = self.get("/api/v1/rules", Params::default()).await?;
        Ok(rules.map(|rules| rules.groups))
    }

    /// The alerts that are pending or firing.
    ///
    /// # Errors
    /// As [`Client::targets`].
    pub async fn alerts(&self) -> Result<Answer<Vec<Alert>>, Error> {
        let alerts: Answer<Alerts> = self.get("/api/v1/alerts", Params::default()).await?;
        Ok(alerts.map(|alerts| alerts.alerts))
    }

    /// What is said of at most `limit` metrics, or of the one named.
    ///
    /// # Errors
    /// As [`Client::targets`].
    pub async fn metadata(&self, metric: Option<&str>, limit: u32) -> Result<Answer<Metadata>, Error> {
        let params = Params::default().and("limit", &limit.to_string());
        let params = match metric {
            Some(metric) => params.and("metric", metric),
            None => params,
        };
        self.get("/api/v1/metadata", params).await
    }

    /// What program it is.
    ///
    /// # Errors
    /// As [`Client::targets`].
    pub async fn build_info(&self) -> Result<Answer<BuildInfo>, Error> {
        self.get("/api/v1/status/buildinfo", Params::default()).await
    }

    /// Whether it answers queries: `/-/ready` (Prometheus, Thanos and VictoriaMetrics have it).
    ///
    /// # Errors
    /// [`Error::Prometheus`] with 503 while it is starting; as [`Client::query`] otherwise.
    pub async fn ready(&self) -> Result<(), Error> {
        let came = self.send("/-/ready", Params::default(), Method::Get).await?;
        if came.is_success() { Ok(()) } else { Err(came.refused()) }
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, params: Params) -> Result<Answer<T>, Error> {
        let came = self.send(path, params, Method::Get).await?;
        came.open(wire::decode(&came.answer.body))
    }

    async fn ask<T: DeserializeOwned>(&self, path: &str, params: Params) -> Result<Answer<T>, Error> {
        let method = params.method();
        let came = self.send(path, params, method).await?;
        came.open(wire::decode(&came.answer.body))
    }

    async fn evaluate(&self, path: &str, params: Params) -> Result<(Answer<QueryResult>, Came), Error> {
        let method = params.method();
        let came = self.send(path, params, method).await?;
        Ok((came.open(Answer::from_json(&came.answer.body))?, came))
    }

    /// Sends it, and once more with the secrets read again if they were refused. Nothing here changes anything on the
    /// server, also not as POST.
    async fn send(&self, path: &str, params: Params, method: Method) -> Result<Came, Error> {
        let params = params.into_string();
        let (path, form) = match (method, params.is_empty()) {
            (Method::Post, _) => (path.to_owned(), Some(Bytes::from(params))),
            (_, true) => (path.to_owned(), None),
            (_, false) => (format!("{path}?{params}"), None),
        };
        let http = self.http();
        let mut answer = http.ask(&path, form.clone()).await.map_err(redirected)?;
        if matches!(answer.status, 401 | 403)
            && let Some(http) = self.read_secrets_again(&http)?
        {
            answer = http.ask(&path, form).await.map_err(redirected)?;
        }
        Ok(Came { method, answer })
    }

    fn http(&self) -> HttpClient {
        self.http.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn read_secrets_again(&self, http: &HttpClient) -> Result<Option<HttpClient>, Error> {
        let Some(config) = self.config.as_ref().filter(|config| config.secrets_may_change()) else {
            return Ok(None);
        };
        let http = http.clone().with_headers(config.headers()?);
        *self.http.write().unwrap_or_else(PoisonError::into_inner) = http.clone();
        Ok(Some(http))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("http", &self.http()).finish_non_exhaustive()
    }
}

/// The one question that cannot be a form.
fn values_path(label: &str) -> String {
    format!("/api/v1/label/{}/values", percent_encoded(label))
}

/// What to do about a redirect is another thing here than with PD.
fn redirected(error: Error) -> Error {
    match error {
        Error::Redirect { call, status, location } => Error::Prometheus {
            call,
            status,
            error_type: None,
            message: format!(
                "points to {location:?}; redirects are not followed: give the base URL that answers itself"
            ),
        },
        other => other,
    }
}

/// What came, and how it was asked for.
struct Came {
    method: Method,
    answer: http::Answer,
}

impl Came {
    fn is_success(&self) -> bool {
        (200..300).contains(&self.answer.status)
    }

    fn call(&self) -> Call {
        Call::new(self.method, self.answer.endpoint.clone(), self.answer.path.clone())
    }

    fn open<T>(&self, decoded: Result<Answer<T>, AnswerError>) -> Result<Answer<T>, Error> {
        match decoded {
            Ok(decoded) if self.is_success() => Ok(decoded),
            Err(AnswerError::Api { error_type, message }) => Err(Error::Prometheus {
                call: self.call(),
                status: self.answer.status,
                error_type: Some(shown(&error_type)),
                message: shown(&message),
            }),
            Err(AnswerError::Malformed(why)) if self.is_success() => {
                Err(self.malformed(format!("it is not as expected: {why}")))
            }
            Ok(_) | Err(AnswerError::Malformed(_)) => Err(self.refused()),
        }
    }

    /// An error that is not the API's: a proxy's, or a server's that does not know the path.
    fn refused(&self) -> Error {
        // It knows how to make a line of text, JSON of other make and web pages.
        let said = PdError::decode(&self.answer.body);
        let message = if said.shape == BodyShape::Empty { String::new() } else { said.to_string() };
        Error::Prometheus { call: self.call(), status: self.answer.status, error_type: None, message }
    }

    fn malformed(&self, message: String) -> Error {
        match self.answer.not_understood(printable(&message)) {
            Error::Protocol { status, message, body, .. } => {
                Error::Protocol { call: self.call(), status, message, body }
            }
            other => other,
        }
    }
}

/// What the server says of an error, which may list every series it stumbled over.
fn shown(text: &str) -> String {
    const MAX_CHARS: usize = 2_000;
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", printable(text.get(..end).unwrap_or(text))),
        None => printable(text).into_owned(),
    }
}

/// Appends later samples to the series they belong to.
fn join(whole: &mut Vec<RangeSeries>, later: Vec<RangeSeries>) {
    if whole.is_empty() {
        *whole = later;
        return;
    }
    let mut places: HashMap<Labels, usize> =
        whole.iter().enumerate().map(|(place, series)| (series.labels.clone(), place)).collect();
    for series in later {
        match places.get(&series.labels).and_then(|&place| whole.get_mut(place)) {
            Some(known) => {
                known.timestamps.extend(series.timestamps);
                known.values.extend(series.values);
                known.histograms.extend(series.histograms);
            }
            None => {
                places.insert(series.labels.clone(), whole.len());
                whole.push(series);
            }
        }
    }
}

fn add_new(all: &mut Vec<String>, more: Vec<String>) {
    for text in more {
        if !all.contains(&text) {
            all.push(text);
        }
    }
}

#[cfg(test)]
mod tests;
