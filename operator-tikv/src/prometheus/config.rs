//! Where Prometheus is and how to be let in.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::Client;
use crate::Error;
use crate::http::{
    Endpoint, HeaderMap, HeaderName, HeaderValue, HttpClient, Limits, ReqwestTransport, TlsConfig,
};
use crate::http::{Transport, base64};

/// Where a Prometheus is, or what speaks its API, and how to talk to it.
///
/// ```
/// use operator_tikv::prometheus::{PrometheusConfig, Secret};
///
/// // A tenant of Mimir, behind a path; the token is read again when the server does not accept it any more.
/// let config = PrometheusConfig::new("https://mimir.example/prometheus".parse()?)
///     .with_bearer(Secret::file("/var/run/secrets/token"))
///     .with_header("X-Scope-OrgID", "tenant-7")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PrometheusConfig {
    /// The base URL: everything before `/api/v1`. A user and password in it are sent as basic authentication.
    pub endpoint: Endpoint,
    /// The CA and the client certificate. An endpoint without a scheme is `https` if this is set.
    pub tls: Option<TlsConfig>,
    /// What bounds a request. As the defaults of [`Limits`], but 20 s of silence are allowed: a query is silent while it
    /// is evaluated.
    pub limits: Limits,
    /// All marked as sensitive.
    headers: HeaderMap,
    credentials: Option<Credentials>,
}

impl PrometheusConfig {
    /// The defaults for this endpoint.
    pub fn new(endpoint: Endpoint) -> Self {
        let limits = Limits::default().with_read_timeout(Duration::from_secs(20));
        Self { endpoint, tls: None, limits, headers: HeaderMap::new(), credentials: None }
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

    /// The same with `Authorization: Bearer`.
    #[must_use]
    pub fn with_bearer(self, token: Secret) -> Self {
        Self { credentials: Some(Credentials::Bearer(token)), ..self }
    }

    /// The same with basic authentication.
    #[must_use]
    pub fn with_basic(self, user: impl Into<String>, password: Secret) -> Self {
        Self { credentials: Some(Credentials::Basic(user.into(), password)), ..self }
    }

    /// The same with one more header on every request, such as `X-Scope-OrgID`. Its value is never shown.
    ///
    /// # Errors
    /// [`Error::Config`] if HTTP does not allow the name or the value.
    pub fn with_header(mut self, name: &str, value: &str) -> Result<Self, Error> {
        let invalid =
            |message: &str| Error::Config { field: "prometheus.headers", message: message.to_owned() };
        let name: HeaderName =
            name.parse().map_err(|_| invalid("the name of a header is not allowed in HTTP"))?;
        let mut value: HeaderValue =
            value.parse().map_err(|_| invalid("the value of a header is not allowed in HTTP"))?;
        value.set_sensitive(true);
        self.headers.insert(name, value);
        Ok(self)
    }

    /// A client over the network. Reads the secrets.
    ///
    /// # Errors
    /// [`Error::Config`] naming what cannot be used.
    pub fn client(&self) -> Result<Client, Error> {
        self.client_over(ReqwestTransport::new(self.tls.as_ref(), self.limits.connect_timeout)?)
    }

    /// A client over another transport, such as a test's. Reads the secrets.
    ///
    /// # Errors
    /// [`Error::Config`] naming what cannot be used.
    pub fn client_over(&self, transport: impl Transport) -> Result<Client, Error> {
        let endpoint = self.endpoint.clone();
        let endpoint = if self.tls.is_some() { endpoint.prefer_https() } else { endpoint };
        let http = HttpClient::new(transport, [endpoint], self.limits.clone())?.with_headers(self.headers()?);
        Ok(Client::with_config(http, self.clone()))
    }

    /// Every header, with the secrets as they are now.
    pub(super) fn headers(&self) -> Result<HeaderMap, Error> {
        let mut headers = self.headers.clone();
        if let Some(credentials) = &self.credentials {
            headers.insert("authorization", credentials.header()?);
        }
        Ok(headers)
    }

    /// Whether the secrets may be others when they are read again.
    pub(super) fn secrets_may_change(&self) -> bool {
        matches!(
            &self.credentials,
            Some(
                Credentials::Bearer(Secret(Source::File(_))) | Credentials::Basic(_, Secret(Source::File(_)))
            )
        )
    }
}

#[derive(Debug, Clone)]
enum Credentials {
    Bearer(Secret),
    Basic(String, Secret),
}

impl Credentials {
    fn header(&self) -> Result<HeaderValue, Error> {
        let (text, secret) = match self {
            Self::Bearer(token) => (format!("Bearer {}", token.read()?), token),
            Self::Basic(user, password) => {
                let pair = format!("{user}:{}", password.read()?);
                (format!("Basic {}", base64::encode(pair.as_bytes())), password)
            }
        };
        let mut header = HeaderValue::from_str(&text)
            .map_err(|_| secret.unusable("it has characters that a header cannot have"))?;
        header.set_sensitive(true);
        Ok(header)
    }
}

/// A token or a password, and where it is kept. Never shown.
#[derive(Clone)]
pub struct Secret(Source);

#[derive(Clone)]
enum Source {
    File(PathBuf),
    Env(String),
    Value(String),
}

impl Secret {
    /// The content of a file without the line's end: read at the start, and again when the server refuses it, since
    /// whoever issues such files replaces them before they expire.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Source::File(path.into()))
    }

    /// The value of an environment variable.
    pub fn env(name: impl Into<String>) -> Self {
        Self(Source::Env(name.into()))
    }

    /// The secret itself.
    pub fn value(secret: impl Into<String>) -> Self {
        Self(Source::Value(secret.into()))
    }

    fn read(&self) -> Result<String, Error> {
        let secret = match &self.0 {
            Source::File(path) => {
                std::fs::read_to_string(path).map_err(|error| self.unusable(&error.to_string()))?
            }
            Source::Env(name) => std::env::var(name).map_err(|error| match error {
                // The error for a value that is not UTF-8 shows it.
                std::env::VarError::NotUnicode(_) => self.unusable("it is not UTF-8"),
                std::env::VarError::NotPresent => self.unusable("it is not set"),
            })?,
            Source::Value(secret) => secret.clone(),
        };
        match secret.trim_end_matches(['\r', '\n']) {
            "" => Err(self.unusable("it is empty")),
            secret => Ok(secret.to_owned()),
        }
    }

    fn unusable(&self, why: &str) -> Error {
        Error::Config { field: "prometheus.secret", message: format!("{self:?} cannot be used: {why}") }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::File(path) => write!(f, "the secret in the file {}", path.display()),
            Source::Env(name) => write!(f, "the secret in the environment's {name}"),
            Source::Value(_) => f.write_str("the secret ***"),
        }
    }
}

/// The Prometheus that PD names in `pd-server.metric-storage` of its `/config`; that field is empty if there is none.
///
/// # Errors
/// [`Error::Config`] if it is not the address of a server.
pub fn endpoint_from_pd(metric_storage: &str) -> Result<Option<Endpoint>, Error> {
    match metric_storage.trim() {
        "" => Ok(None),
        address => address.parse().map(Some).map_err(|error: crate::http::ParseEndpointError| {
            Error::Config { field: "pd-server.metric-storage", message: error.to_string() }
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_read_from_where_they_are_kept_and_never_shown() {
        let path = std::env::temp_dir().join(format!("operator-secret-{}", std::process::id()));
        std::fs::write(&path, "s3cr3t\n").unwrap();
        let config = PrometheusConfig::new("http://p:9090".parse().unwrap()).with_bearer(Secret::file(&path));
        assert_eq!(config.headers().unwrap()["authorization"], "Bearer s3cr3t");
        assert!(config.secrets_may_change());
        std::fs::write(&path, "\n").unwrap();
        assert!(config.headers().unwrap_err().to_string().contains("empty"));
        std::fs::remove_file(&path).unwrap();
        assert!(config.headers().is_err());

        let config = PrometheusConfig::new("http://p:9090".parse().unwrap())
            .with_basic("user", Secret::value("s3cr3t"))
            .with_header("X-Scope-OrgID", "tenant-s3cr3t")
            .unwrap();
        assert_eq!(config.headers().unwrap()["authorization"], "Basic dXNlcjpzM2NyM3Q=");
        let client = config.client_over(NoTransport).unwrap();
        for shown in
            [format!("{config:?}"), format!("{client:?}"), format!("{:?}", config.headers().unwrap())]
        {
            assert!(!shown.contains("s3cr3t") && !shown.contains("dXNlcjpzM2NyM3Q"), "{shown}");
        }
        let broken =
            PrometheusConfig::new("http://p:9090".parse().unwrap()).with_bearer(Secret::value("s3cr\n3t"));
        let error = broken.headers().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("s3cr"), "{error:?}");
        // A variable that every test has, and one that none has.
        assert!(Secret::env("PATH").read().is_ok());
        assert!(Secret::env("OPERATOR_NO_SUCH_VARIABLE").read().is_err());
    }

    #[test]
    fn pd_names_a_prometheus_or_none() {
        assert_eq!(endpoint_from_pd("").unwrap(), None);
        assert_eq!(
            endpoint_from_pd("http://10.0.0.1:9090").unwrap().unwrap().to_string(),
            "http://10.0.0.1:9090"
        );
        assert!(endpoint_from_pd("mysql://x").is_err());
    }

    #[derive(Debug)]
    struct NoTransport;

    #[async_trait::async_trait]
    impl Transport for NoTransport {
        async fn send(
            &self,
            _: crate::http::HttpRequest,
        ) -> Result<crate::http::HttpResponse, crate::http::TransportError> {
            Err(crate::http::TransportError::new(crate::http::TransportErrorKind::Other, "no network"))
        }
    }
}
