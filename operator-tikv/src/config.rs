//! How to reach a TiKV cluster.

use std::str::FromStr;

use crate::Error;
use crate::http::{Endpoint, HeaderMap, HttpClient, Limits, ReqwestTransport, TlsConfig, Transport};
use crate::prometheus::{PrometheusConfig, StoreQueries};

/// Regions asked for at once, if nothing else is said.
const DEFAULT_PAGE_SIZE: u32 = 1_024;
/// The longest page that PD gives (`limit` above it is cut silently).
const MAX_PAGE_SIZE: u32 = 10_240;

/// Where PD is and how to talk to it.
///
/// ```
/// use operator_tikv::TikvConfig;
///
/// let config: TikvConfig = "pd0:2379,pd1:2379,pd2:2379".parse()?;
/// assert_eq!(config.endpoints.len(), 3);
/// # Ok::<(), operator_tikv::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TikvConfig {
    /// The members of PD, or one address in front of them; at least one.
    pub endpoints: Vec<Endpoint>,
    /// The CA and the client certificate. Endpoints without a scheme are `https` if this is set.
    pub tls: Option<TlsConfig>,
    /// What bounds a request.
    pub limits: Limits,
    /// Sent to the endpoints, such as a gateway's token; all marked as sensitive.
    headers: HeaderMap,
    /// How many regions are asked for at once, 1 to 10,240.
    pub page_size: u32,
    /// Who is asked for the stores' metrics. Without one, who PD names (`pd-server.metric-storage`); without that, and
    /// when it does not answer, the stores themselves.
    pub prometheus: Option<PrometheusConfig>,
    /// What a Prometheus is asked.
    pub store_queries: StoreQueries,
}

impl TikvConfig {
    /// The defaults for these endpoints.
    pub fn new(endpoints: impl IntoIterator<Item = Endpoint>) -> Self {
        Self {
            endpoints: endpoints.into_iter().collect(),
            tls: None,
            limits: Limits::default(),
            headers: HeaderMap::new(),
            page_size: DEFAULT_PAGE_SIZE,
            prometheus: None,
            store_queries: StoreQueries::default(),
        }
    }

    /// The same with TLS.
    #[must_use]
    pub fn with_tls(self, tls: TlsConfig) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// The same with other limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The same with these headers on every request to the endpoints. Their values are never shown.
    #[must_use]
    pub fn with_headers(self, mut headers: HeaderMap) -> Self {
        for value in headers.values_mut() {
            value.set_sensitive(true);
        }
        Self { headers, ..self }
    }

    /// The same with another page size.
    #[must_use]
    pub fn with_page_size(self, page_size: u32) -> Self {
        Self { page_size, ..self }
    }

    /// The same with this Prometheus, or what speaks its API, for the stores' metrics.
    #[must_use]
    pub fn with_prometheus(self, prometheus: PrometheusConfig) -> Self {
        Self { prometheus: Some(prometheus), ..self }
    }

    /// The same with other queries: narrowed to a cluster, or over another window.
    #[must_use]
    pub fn with_store_queries(self, store_queries: StoreQueries) -> Self {
        Self { store_queries, ..self }
    }

    /// # Errors
    /// [`Error::Config`] naming the first field that cannot be used.
    pub fn validate(&self) -> Result<(), Error> {
        let invalid = |field, message: String| Err(Error::Config { field, message });
        if self.endpoints.is_empty() {
            return invalid("endpoints", "name at least one, such as http://127.0.0.1:2379".to_owned());
        }
        if !(1..=MAX_PAGE_SIZE).contains(&self.page_size) {
            return invalid("page_size", format!("{} is not between 1 and {MAX_PAGE_SIZE}", self.page_size));
        }
        self.limits.validate()
    }

    /// A client over the network.
    ///
    /// # Errors
    /// [`Error::Config`] naming the field that cannot be used.
    pub fn client(&self) -> Result<HttpClient, Error> {
        self.client_over(ReqwestTransport::new(self.tls.as_ref(), self.limits.connect_timeout)?)
    }

    /// A client over another transport, such as a simulator.
    ///
    /// # Errors
    /// [`Error::Config`] naming the field that cannot be used.
    pub fn client_over(&self, transport: impl Transport) -> Result<HttpClient, Error> {
        self.validate()?;
        let endpoints = self.endpoints.iter().cloned();
        let endpoints: Vec<_> = match &self.tls {
            Some(_) => endpoints.map(Endpoint::prefer_https).collect(),
            None => endpoints.collect(),
        };
        Ok(HttpClient::new(transport, endpoints, self.limits.clone())?.with_headers(self.headers.clone()))
    }
}

impl FromStr for TikvConfig {
    type Err = Error;

    /// Endpoints separated by commas.
    fn from_str(endpoints: &str) -> Result<Self, Error> {
        let config = Self::new(Endpoint::list(endpoints)?);
        config.validate()?;
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rstest::rstest;

    use super::*;

    fn config() -> TikvConfig {
        "pd0:2379".parse().unwrap()
    }

    #[rstest]
    #[case("endpoints", TikvConfig::new([]))]
    #[case("page_size", config().with_page_size(0))]
    #[case("page_size", config().with_page_size(10_241))]
    #[case("limits.connect_timeout", config().with_limits(Limits::default().with_connect_timeout(Duration::ZERO)))]
    #[case("limits.read_timeout", config().with_limits(Limits::default().with_read_timeout(Duration::ZERO)))]
    #[case("limits.total_timeout", config().with_limits(Limits::default().with_total_timeout(Duration::ZERO)))]
    #[case("limits.max_body_bytes", config().with_limits(Limits::default().with_max_body_bytes(0)))]
    fn what_cannot_be_used_is_named(#[case] named: &str, #[case] config: TikvConfig) {
        let Err(Error::Config { field, .. }) = config.client() else { panic!("{config:?} is used") };
        assert_eq!(field, named);
    }

    #[test]
    fn no_endpoint_is_no_configuration() {
        for text in ["", " , ", "pd0:x"] {
            assert!(
                matches!(text.parse::<TikvConfig>(), Err(Error::Config { field: "endpoints", .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn tls_makes_bare_addresses_https() {
        let client = config().with_tls(TlsConfig::new()).client().unwrap();
        assert_eq!(client.endpoints()[0].to_string(), "https://pd0:2379");
    }
}
