//! Whom to trust and who we are.

use std::fmt;
use std::path::Path;

use bytes::Bytes;

use crate::Error;

/// A private CA, and a client certificate with its key, each as PEM. `Debug` never shows the key.
///
/// Without a CA the system's are trusted; with one, only it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct TlsConfig {
    ca: Option<Bytes>,
    client: Option<(Bytes, Bytes)>,
}

impl TlsConfig {
    /// The system's CAs, and no client certificate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads what `--cacert`, `--cert` and `--key` name.
    ///
    /// # Errors
    /// [`Error::Config`] if a file cannot be read, or only one of certificate and key is given.
    pub fn from_files(ca: Option<&Path>, cert: Option<&Path>, key: Option<&Path>) -> Result<Self, Error> {
        let mut tls = Self::new();
        if let Some(ca) = ca {
            tls = tls.with_ca_pem(read("tls.ca", ca)?);
        }
        match (cert, key) {
            (Some(cert), Some(key)) => {
                tls = tls.with_client_pem(read("tls.cert", cert)?, read("tls.key", key)?);
            }
            (None, None) => {}
            (Some(_), None) => return Err(missing("tls.key", "a client certificate needs its key")),
            (None, Some(_)) => return Err(missing("tls.cert", "a client key needs its certificate")),
        }
        Ok(tls)
    }

    /// Trusts the certificates in `pem`, and no others.
    #[must_use]
    pub fn with_ca_pem(self, pem: impl Into<Bytes>) -> Self {
        Self { ca: Some(pem.into()), ..self }
    }

    /// Presents the certificate (chain) in `cert_pem`, whose private key is `key_pem`.
    #[must_use]
    pub fn with_client_pem(self, cert_pem: impl Into<Bytes>, key_pem: impl Into<Bytes>) -> Self {
        Self { client: Some((cert_pem.into(), key_pem.into())), ..self }
    }

    /// Whether the system's CAs are not needed.
    pub(super) fn names_a_ca(&self) -> bool {
        self.ca.is_some()
    }

    /// Puts it into a client that is being built.
    #[cfg(any(feature = "rustls", feature = "native-tls"))]
    pub(super) fn apply(&self, mut builder: reqwest::ClientBuilder) -> Result<reqwest::ClientBuilder, Error> {
        if let Some(pem) = &self.ca {
            let certificates = reqwest::Certificate::from_pem_bundle(pem).unwrap_or_default();
            if certificates.is_empty() {
                return Err(missing(
                    "tls.ca",
                    "holds no certificate in PEM (\"-----BEGIN CERTIFICATE-----\")",
                ));
            }
            builder = builder.tls_certs_only(certificates);
        }
        if let Some((cert, key)) = &self.client {
            if key.windows(9).any(|window| window == b"ENCRYPTED") {
                return Err(missing(
                    "tls.key",
                    "is encrypted: decrypt it first (openssl pkey -in KEY -out PLAIN)",
                ));
            }
            builder = builder.identity(identity(cert, key)?);
        }
        Ok(builder)
    }

    /// There is no TLS in this build.
    #[cfg(not(any(feature = "rustls", feature = "native-tls")))]
    pub(super) fn apply(&self, builder: reqwest::ClientBuilder) -> Result<reqwest::ClientBuilder, Error> {
        if self.ca.is_some() || self.client.is_some() {
            return Err(missing("tls", "this build has no TLS: enable the feature rustls or native-tls"));
        }
        Ok(builder)
    }
}

/// The errors beneath are dropped: they say less than the hint, and could quote the key.
#[cfg(feature = "rustls")]
fn identity(cert: &[u8], key: &[u8]) -> Result<reqwest::Identity, Error> {
    let both = [key, b"\n", cert].concat();
    reqwest::Identity::from_pem(&both)
        .map_err(|_| missing("tls.cert", "and tls.key are not a certificate and a private key in PEM"))
}

#[cfg(all(feature = "native-tls", not(feature = "rustls")))]
fn identity(cert: &[u8], key: &[u8]) -> Result<reqwest::Identity, Error> {
    reqwest::Identity::from_pkcs8_pem(cert, key).map_err(|_| {
        missing(
            "tls.cert",
            "and tls.key are not a certificate and its PKCS#8 key in PEM (openssl pkcs8 -topk8 -nocrypt converts)",
        )
    })
}

fn read(field: &'static str, path: &Path) -> Result<Bytes, Error> {
    std::fs::read(path)
        .map(Bytes::from)
        .map_err(|error| Error::Config { field, message: format!("{}: {error}", path.display()) })
}

fn missing(field: &'static str, message: &str) -> Error {
    Error::Config { field, message: message.to_owned() }
}

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let given = |given: bool| if given { "given" } else { "none" };
        f.debug_struct("TlsConfig")
            .field("ca", &given(self.ca.is_some()))
            .field("client_certificate", &given(self.client.is_some()))
            .finish()
    }
}
