//! Certificates that are trusted and ones that are not.

use std::sync::Arc;
use std::time::Duration;

use operator_core::ErrorKind;
use operator_tikv::http::{Endpoint, HttpClient, ReqwestTransport, TlsConfig, TransportErrorKind};
use operator_tikv::{Error, TikvConfig, TimeoutPhase};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use crate::server::{Server, answer, patient, read_head};

struct Ca(CertifiedIssuer<'static, KeyPair>);

impl Ca {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        // OpenSSL takes a certificate whose issuer has the name of its subject for self-signed.
        params.distinguished_name.push(DnType::CommonName, "a private CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A certificate for `name`, and its key.
    fn issue(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap(), key)
    }

    fn der(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    fn tls(&self) -> TlsConfig {
        TlsConfig::new().with_ca_pem(self.0.pem())
    }

    /// Adds a client certificate of this CA.
    fn with_client(&self, tls: TlsConfig) -> TlsConfig {
        let (certificate, key) = self.issue("operator");
        tls.with_client_pem(certificate.pem(), key.serialize_pem())
    }
}

/// Answers 200 over TLS as `name`; with `clients`, only to those with a certificate of that CA.
async fn server(ca: &Ca, name: &str, clients: Option<&Ca>) -> Server {
    let (certificate, key) = ca.issue(name);
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        Some(clients) => {
            let mut roots = RootCertStore::empty();
            roots.add(clients.der()).unwrap();
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        }
        None => builder.with_no_client_auth(),
    };
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    Server::start(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                read_head(&mut stream).await;
                let _ = stream.write_all(&answer(200, "", "[]")).await;
                let _ = stream.shutdown().await;
            }
        }
    })
    .await
}

async fn ask(server: &Server, tls: &TlsConfig) -> Result<(), Error> {
    let config = TikvConfig::new([https(server)]).with_tls(tls.clone()).with_limits(patient());
    config.client()?.get("/pd/api/v1/stores").await.map(drop)
}

fn https(server: &Server) -> Endpoint {
    // The scheme follows from there being TLS.
    server.address.to_string().parse::<Endpoint>().unwrap().prefer_https()
}

#[track_caller]
fn assert_tls(result: Result<(), Error>) -> String {
    let error = result.unwrap_err();
    assert!(
        matches!(&error, Error::Unreachable { source, .. } if source.kind == TransportErrorKind::Tls),
        "{error:?}"
    );
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    let message = error.to_string();
    assert!(message.contains("--cacert"), "{message}");
    message
}

#[tokio::test]
async fn a_private_ca_is_trusted_when_named() {
    let ca = Ca::new();
    let server = server(&ca, "127.0.0.1", None).await;
    ask(&server, &ca.tls()).await.unwrap();
    // A client certificate that nobody asks for does no harm.
    ask(&server, &ca.with_client(ca.tls())).await.unwrap();
}

#[tokio::test]
async fn a_private_ca_is_not_trusted_otherwise() {
    let server = server(&Ca::new(), "127.0.0.1", None).await;
    assert_tls(ask(&server, &Ca::new().tls()).await);
    assert_tls(ask(&server, &TlsConfig::new()).await);
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let ca = Ca::new();
    let server = server(&ca, "pd0.example", None).await;
    assert_tls(ask(&server, &ca.tls()).await);
}

#[tokio::test]
async fn a_client_certificate_is_presented_when_asked_for() {
    let (ca, clients) = (Ca::new(), Ca::new());
    let server = server(&ca, "127.0.0.1", Some(&clients)).await;
    ask(&server, &clients.with_client(ca.tls())).await.unwrap();
    assert_tls(ask(&server, &ca.tls()).await);
    assert_tls(ask(&server, &Ca::new().with_client(ca.tls())).await);
}

#[tokio::test]
async fn tls_to_a_plain_port_is_told() {
    // A server that does not know the first line at once says so, and closes.
    let server = Server::start(|mut stream| async move {
        let _ = stream.read(&mut [0; 64]).await;
        let _ = stream.write_all(&answer(400, "", "Bad Request")).await;
        let _ = stream.shutdown().await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let message = assert_tls(ask(&server, &Ca::new().tls()).await);
    assert!(message.contains("check that the port speaks TLS"), "{message}");
}

#[tokio::test]
async fn tls_to_a_plain_port_that_waits_for_a_line_is_told() {
    let server = Server::canned("never").await;
    let config = TikvConfig::new([https(&server)])
        .with_tls(TlsConfig::new())
        .with_limits(patient().with_connect_timeout(Duration::from_millis(200)));
    let error = config.client().unwrap().get("/pd/api/v1/stores").await.unwrap_err();
    assert!(matches!(error, Error::Timeout { phase: TimeoutPhase::Connect, .. }), "{error:?}");
    assert!(error.to_string().contains("that the port speaks TLS"), "{error}");
}

#[tokio::test]
async fn a_plain_request_to_a_tls_port_is_told() {
    let server = server(&Ca::new(), "127.0.0.1", None).await;
    let error =
        crate::server::client([server.endpoint()], patient()).get("/pd/api/v1/stores").await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains("if the server speaks TLS, write https://"), "{error}");
}

#[tokio::test]
async fn a_callers_own_client_is_used() {
    let ca = Ca::new();
    let server = server(&ca, "127.0.0.1", None).await;
    #[expect(clippy::disallowed_methods, reason = "it is the caller's own")]
    let own = reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(ca.0.pem().as_bytes()).unwrap()])
        .build()
        .unwrap();
    let client = HttpClient::new(ReqwestTransport::with_client(own), [https(&server)], patient()).unwrap();
    client.get("/pd/api/v1/stores").await.unwrap();
}

#[test]
fn what_cannot_be_used_is_named_by_its_field() {
    let field = |tls: TlsConfig| match TikvConfig::new(["pd0".parse().unwrap()]).with_tls(tls).client() {
        Err(Error::Config { field, message }) => (field, message),
        other => panic!("{other:?}"),
    };
    assert_eq!(field(TlsConfig::new().with_ca_pem("nothing")).0, "tls.ca");
    assert_eq!(field(TlsConfig::new().with_client_pem("no", "pem")).0, "tls.cert");
    let key = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n";
    let (name, message) = field(TlsConfig::new().with_client_pem("", key));
    assert!(name == "tls.key" && message.contains("decrypt it first"), "{name} {message}");
    let (one, other) = (Ca::new().issue("a"), Ca::new().issue("b"));
    let mixed = TlsConfig::new().with_client_pem(one.0.pem(), other.1.serialize_pem());
    assert!(field(mixed).0.starts_with("tls"));
}

#[test]
fn files_are_read_and_missing_ones_are_named() {
    let nowhere = std::path::Path::new("/nonexistent/ca.pem");
    let error = TlsConfig::from_files(Some(nowhere), None, None).unwrap_err().to_string();
    assert!(error.starts_with("tls.ca: /nonexistent/ca.pem: "), "{error}");
    let error = TlsConfig::from_files(None, Some(nowhere), None).unwrap_err().to_string();
    assert!(error.starts_with("tls."), "{error}");
}

/// A small container has no CA certificates, and PD without TLS needs none.
#[cfg(all(unix, not(target_vendor = "apple")))]
#[test]
fn plain_http_works_on_a_machine_without_ca_certificates() {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "failover::one_of_three_dead_costs_nothing"])
        .envs([("SSL_CERT_FILE", "/dev/null"), ("SSL_CERT_DIR", "/dev/null")])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}
