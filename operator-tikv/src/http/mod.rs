//! The one sender: every request to PD, to a store's status port and to Prometheus leaves through here.
//!
//! [`HttpClient`] adds to a [`Transport`] (the network, or a simulator in the same process) what every request needs:
//! deadlines, a limit on the body, failover over the members while PD elects a leader, typed errors, and silence about
//! secrets. Redirects are never followed: a PD follower forwards by itself, so a redirect comes from something else.

mod text;
mod percent;
pub(crate) mod base64;
mod endpoint;
mod tls;
mod limits;
mod transport;
mod over_reqwest;
mod pd_error;
mod body;
mod client;
mod failover;
mod write;

pub use client::{Answer, HttpClient, Prefix};
pub use endpoint::{Endpoint, ParseEndpointError};
pub use limits::Limits;
pub use over_reqwest::ReqwestTransport;
pub use pd_error::{BodyShape, PdCode, PdError};
pub use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
pub use tls::TlsConfig;
pub use transport::{HttpRequest, HttpResponse, Method, Transport, TransportError, TransportErrorKind};
pub use url::Url;
pub use write::Written;

pub(crate) use percent::percent_encoded;
pub(crate) use text::{excerpt, printable};
