//! Who is asked.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use reqwest::header::HeaderValue;
use url::Url;

use super::base64;
use super::text::printable;
use crate::Error;

/// The base URL of a server: `http://pd0:2379`, `https://gateway/pd-of-tenant-7`, or `pd0:2379`.
///
/// Without a scheme it means `http`, or `https` where TLS is configured. A user and password in it become basic
/// authentication and are never shown.
#[derive(Clone)]
pub struct Endpoint(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    /// Without user, password, query, fragment and a `/` at the end of the path.
    url: Url,
    scheme_given: bool,
    authorization: Option<HeaderValue>,
}

impl Endpoint {
    /// Endpoints separated by commas; blanks around them and empty ones between two commas are ignored.
    ///
    /// # Errors
    /// The first that is none.
    pub fn list(text: &str) -> Result<Vec<Self>, ParseEndpointError> {
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::parse).collect()
    }

    /// `https` instead of `http` if no scheme was given.
    #[must_use]
    pub fn prefer_https(mut self) -> Self {
        if !self.0.scheme_given {
            let inner = Arc::make_mut(&mut self.0);
            inner.scheme_given = inner.url.set_scheme("https").is_ok();
        }
        self
    }

    /// Whether requests are encrypted.
    pub fn is_https(&self) -> bool {
        self.0.url.scheme() == "https"
    }

    /// `host:port`, the port as given or the scheme's.
    pub fn authority(&self) -> String {
        let host = self.0.url.host_str().unwrap_or_default();
        match self.0.url.port_or_known_default() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// The URL of `path_and_query` at this endpoint, without user and password.
    ///
    /// # Errors
    /// [`Error::Config`] if `path_and_query` does not start with `/`.
    pub fn url(&self, path_and_query: &str) -> Result<Url, Error> {
        let invalid = |message: String| Error::Config { field: "path", message };
        if !path_and_query.starts_with('/') {
            return Err(invalid(format!("{:?} does not start with \"/\"", printable(path_and_query))));
        }
        Url::parse(&format!("{self}{path_and_query}")).map_err(|error| invalid(error.to_string()))
    }

    /// Whether both have the same scheme, host and port, and so may see the same secrets.
    pub(crate) fn same_origin(&self, other: &Self) -> bool {
        self.0.url.origin() == other.0.url.origin()
    }

    /// The header for the user and password that were in the URL.
    pub(crate) fn authorization(&self) -> Option<&HeaderValue> {
        self.0.authorization.as_ref()
    }
}

/// Equal if requests go to the same place as the same user.
impl PartialEq for Endpoint {
    fn eq(&self, other: &Self) -> bool {
        self.0.url == other.0.url && self.0.authorization == other.0.authorization
    }
}

impl Eq for Endpoint {}

impl FromStr for Endpoint {
    type Err = ParseEndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fail = |reason: &'static str| ParseEndpointError { text: redacted(text), reason };
        let trimmed = text.trim();
        let scheme_given = trimmed.contains("://");
        let full = if scheme_given { trimmed.to_owned() } else { format!("http://{trimmed}") };
        let mut url = Url::parse(&full).map_err(|error| match error {
            url::ParseError::EmptyHost => fail("it names no host"),
            url::ParseError::InvalidPort => fail("the port is not a number up to 65535"),
            _ => fail("it is not a URL"),
        })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(fail("only http and https are known"));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(fail("it names no host"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(fail("a base URL has no \"?\" and no \"#\""));
        }
        let authorization = basic(&url);
        // Neither fails for a URL with a host.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self(Arc::new(Inner { url, scheme_given, authorization })))
    }
}

impl TryFrom<&str> for Endpoint {
    type Error = ParseEndpointError;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.url.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with = if self.0.authorization.is_some() { " with a password" } else { "" };
        write!(f, "Endpoint({self}{with})")
    }
}

/// The text is no [`Endpoint`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not the address of a server: {reason}; write http://host:port or host:port")]
pub struct ParseEndpointError {
    text: String,
    reason: &'static str,
}

/// Basic authentication from the user and password of `url`.
fn basic(url: &Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let mut pair = percent_decoded(url.username());
    pair.push(b':');
    pair.extend(percent_decoded(url.password().unwrap_or_default()));
    // Base64 has only characters that a header may have.
    let mut value = HeaderValue::from_str(&format!("Basic {}", base64::encode(&pair))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        decoded.extend(before.as_bytes());
        match after.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                decoded.push(b'%');
                rest = after;
            }
        }
    }
    decoded.extend(rest.as_bytes());
    decoded
}

/// What can be shown of a text that may hold a password, whether or not it is a URL.
fn redacted(text: &str) -> String {
    let (scheme, rest) = text.split_once("://").map_or(("", text), |(scheme, rest)| (scheme, rest));
    let shown = match rest.rsplit_once('@') {
        Some((_, rest)) => format!("***@{rest}"),
        None => rest.to_owned(),
    };
    let separator = if scheme.is_empty() { "" } else { "://" };
    printable(&format!("{scheme}{separator}{shown}")).into_owned()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("pd0:2379", "http://pd0:2379")]
    #[case(" pd0 ", "http://pd0")]
    #[case("127.0.0.1:2379/", "http://127.0.0.1:2379")]
    #[case("[::1]:2379", "http://[::1]:2379")]
    #[case("HTTPS://PD0:2379/a/b//", "https://pd0:2379/a/b")]
    #[case("http://u:p@pd0:2379/x", "http://pd0:2379/x")]
    #[case("u:p%40ss@pd0:2379", "http://pd0:2379")]
    fn reads(#[case] text: &str, #[case] shown: &str) {
        assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), shown);
    }

    #[rstest]
    #[case("")]
    #[case("http://")]
    #[case("unix:///run/pd")]
    #[case("pd0:99999")]
    #[case("pd0:2379?x=1")]
    #[case("http://pd0/#a")]
    #[case("a b")]
    #[case("http://user:hunter2@pd0:99999")]
    #[case("user:hunter2@")]
    #[case("user:hunter2@pd0:x")]
    fn refuses_and_hides_the_password(#[case] text: &str) {
        let error = text.parse::<Endpoint>().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }

    #[test]
    fn a_bare_address_becomes_https_where_tls_is_configured() {
        let https = |text: &str| text.parse::<Endpoint>().unwrap().prefer_https().to_string();
        assert_eq!(https("pd0:2379"), "https://pd0:2379");
        assert_eq!(https("http://pd0:2379"), "http://pd0:2379");
    }

    #[test]
    fn a_path_is_put_after_the_prefix_and_keeps_its_escapes() {
        let endpoint: Endpoint = "http://u:p@gateway/tenant/7".parse().unwrap();
        let url = endpoint.url("/pd/api/v1/regions/key?key=%7A&limit=3").unwrap();
        assert_eq!(url.as_str(), "http://gateway/tenant/7/pd/api/v1/regions/key?key=%7A&limit=3");
        assert!(endpoint.url("pd/api").is_err());
    }

    #[test]
    fn a_password_is_sent_and_never_shown() {
        let endpoint: Endpoint = "http://us%65r:hunter2%2F%+@pd0:2379".parse().unwrap();
        assert_eq!(
            endpoint.authorization().unwrap().to_str().unwrap(),
            format!("Basic {}", base64::encode(b"user:hunter2/%+"))
        );
        let url = endpoint.url("/x").unwrap();
        let shown = format!("{endpoint} {endpoint:?} {endpoint:#?} {url}");
        assert!(!shown.contains("hunter2") && !shown.contains("aHVudGVyMg") && !shown.contains("Basic"));
    }

    #[test]
    fn a_list_is_separated_by_commas() {
        let shown: Vec<_> = Endpoint::list("a:1, b:2,,").unwrap().iter().map(Endpoint::to_string).collect();
        assert_eq!(shown, ["http://a:1", "http://b:2"]);
        assert!(Endpoint::list("a:1,b c").is_err());
    }
}
