//! Planted secrets, and everything that can be formatted.

use std::io;
use std::sync::{Arc, Mutex};

use operator_tikv::http::{
    Endpoint, HeaderMap, HeaderValue, HttpRequest, Method, ReqwestTransport, TlsConfig, Transport,
};
use operator_tikv::{Error, TikvConfig};

use crate::server::{Server, answer, closed_port, patient, read_head};

/// In a password, a token, a key. Its base64 begins with the second, at any offset one of the others is in it.
const PLANTED: [&str; 4] = ["PLANTEDPLANTED", "UExBTlRFRF", "QTEFOVEVE", "BMQU5URU"];

#[track_caller]
fn assert_clean(what: &str, shown: &str) {
    for secret in PLANTED {
        assert!(!shown.contains(secret), "{what} shows a secret: {shown}");
    }
}

fn planted_config(address: impl std::fmt::Display) -> TikvConfig {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", HeaderValue::from_static("Bearer PLANTEDPLANTED"));
    headers.insert("x-gateway-key", HeaderValue::from_static("PLANTEDPLANTED"));
    let endpoint: Endpoint = format!("http://user:PLANTEDPLANTED@{address}").parse().unwrap();
    TikvConfig::new([endpoint]).with_headers(headers).with_limits(patient())
}

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn nothing_shows_a_secret() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    // For all threads: one that is set for this thread only can be missed while other tests run beside it.
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let seen = Arc::new(Mutex::new(String::new()));
    let heard = Arc::clone(&seen);
    let listener = Server::start(move |mut stream| {
        let heard = Arc::clone(&heard);
        async move {
            let head = read_head(&mut stream).await;
            *heard.lock().unwrap() = head;
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, &answer(404, "", "\"no\"")).await;
        }
    })
    .await;

    let mut errors = Vec::new();
    for address in
        [listener.address.to_string(), closed_port().await.to_string(), "nosuch.invalid:1".to_owned()]
    {
        let config = planted_config(&address);
        assert_clean("the configuration", &format!("{config:?} {config:#?}"));
        let client = config.client().unwrap();
        assert_clean("the client", &format!("{client:?} {client:#?}"));
        errors.push(client.get("/pd/api/v1/stores").await.unwrap_err());
    }
    let sent = seen.lock().unwrap().to_ascii_lowercase();
    assert!(
        sent.contains("authorization: basic dxnlcjp") && sent.contains("x-gateway-key: planted"),
        "{sent}"
    );
    errors.push("http://user:PLANTEDPLANTED@:1".parse::<Endpoint>().map(drop).unwrap_err().into());
    errors.push("user:PLANTEDPLANTED@h:1?a".parse::<TikvConfig>().unwrap_err());

    for error in errors {
        assert_clean("an error", &format!("{error} {error:?} {error:#?}"));
        let core = error.during("stores");
        assert_clean("the core's error", &format!("{core} {core:?} {core:#?}"));
        let mut cause = std::error::Error::source(&core);
        while let Some(error) = cause {
            assert_clean("a cause", &format!("{error} {error:?}"));
            cause = error.source();
        }
    }
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let tried = format!("GET http://{}/pd/api/v1/stores", listener.address);
    assert!(logged.contains(&tried), "every try is logged: {logged}");
    assert_clean("the log", &logged);
}

#[tokio::test]
async fn a_request_shows_no_header_that_may_be_secret() {
    let mut request = HttpRequest::new(Method::Get, "http://pd0/x".parse().unwrap());
    for name in ["authorization", "cookie", "x-api-key", "proxy-authorization"] {
        request.headers.insert(name, HeaderValue::from_static("PLANTEDPLANTED"));
    }
    request.headers.insert("accept", HeaderValue::from_static("application/json"));
    request.body = Some("PLANTEDPLANTED".into());
    let shown = format!("{request:?} {request:#?}");
    assert_clean("a request", &shown);
    assert!(shown.contains("application/json") && shown.contains("x-api-key"), "{shown}");
    let transport = ReqwestTransport::new(None, std::time::Duration::from_secs(1)).unwrap();
    request.url = format!("http://{}/", closed_port().await).parse().unwrap();
    assert_clean("the transport", &format!("{transport:?}"));
    let error = transport.send(request).await.unwrap_err();
    assert_clean("the transport's error", &format!("{error} {error:?}"));
}

#[test]
fn a_client_key_is_never_shown() {
    let key = "-----BEGIN PRIVATE KEY-----\nPLANTEDPLANTED\n-----END PRIVATE KEY-----\n";
    let tls = TlsConfig::new().with_ca_pem("PLANTEDPLANTED").with_client_pem(key, key);
    assert_clean("TLS", &format!("{tls:?} {tls:#?}"));
    let config = TikvConfig::new(["pd0".parse().unwrap()]).with_tls(tls);
    assert_clean("the configuration", &format!("{config:?}"));
    for tls in [
        TlsConfig::new().with_client_pem(key, key),
        TlsConfig::new().with_client_pem("no certificate", key),
        TlsConfig::new().with_ca_pem(key),
    ] {
        let error = config.clone().with_tls(tls).client().unwrap_err();
        assert!(matches!(error, Error::Config { .. }), "{error:?}");
        assert_clean("an error", &format!("{error} {error:?}"));
    }
}

/// A store's status port is not PD: what is meant for PD's gateway does not go there.
#[tokio::test]
async fn headers_go_to_the_configured_endpoints_only() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let start = || {
        let heard = Arc::clone(&heard);
        Server::start(move |mut stream| {
            let heard = Arc::clone(&heard);
            async move {
                let head = read_head(&mut stream).await;
                heard.lock().unwrap().push(head.to_ascii_lowercase());
                let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, &answer(200, "", "")).await;
            }
        })
    };
    let (pd, store) = (start().await, start().await);
    let client = planted_config(pd.address).client().unwrap();
    client.get_from(&store.endpoint(), "/status", client.limits()).await.unwrap();
    // The same server as PD names it, without the password.
    client.get_from(&pd.endpoint(), "/pd/api/v1/health", client.limits()).await.unwrap();
    let heard = heard.lock().unwrap();
    assert!(!heard[0].contains("authorization") && !heard[0].contains("planted"), "{}", heard[0]);
    assert!(heard[1].contains("authorization: basic") && heard[1].contains("x-gateway-key"), "{}", heard[1]);
}
