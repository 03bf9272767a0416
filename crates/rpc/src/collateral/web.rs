//! One `GET` over HTTP/1.1, plain or over TLS, with an answer that is bounded in size and time.
//!
//! It follows no redirects and keeps no connections. TLS has its own roots here, those of the public web and a
//! configured file's: what it brings is checked by verifiers, so TLS only keeps curious and idle hands off.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper::header::{HOST, USER_AGENT};
use hyper::{HeaderMap, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::tls::{TlsError, web_config, web_roots};

/// What an answer's header may have: issuers' chains have about 5 KiB.
const HEADER_BYTES: usize = 64 << 10;

/// What one answer may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AnswerLimits {
    /// From looking the name up to the last byte.
    pub(crate) time: Duration,
    /// The longest body.
    pub(crate) bytes: usize,
}

impl Default for AnswerLimits {
    /// Half a minute, and what a verifier reads at most.
    fn default() -> Self {
        AnswerLimits { time: Duration::from_secs(30), bytes: attest::collateral::MAX_COLLATERAL_BYTES }
    }
}

/// Asks web servers.
pub(crate) struct Web {
    tls: Arc<ClientConfig>,
    limits: AnswerLimits,
}

/// An answer with status 200.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WebError {
    /// Not `http://` or `https://` with a host.
    #[error("the address is no web address")]
    Address,
    /// The connection fails.
    #[error("connection")]
    Connection(#[from] io::Error),
    /// HTTP fails.
    #[error("HTTP")]
    Http(#[from] hyper::Error),
    /// The server answers something else than 200.
    #[error("the answer is {0}")]
    Status(StatusCode),
    /// The body is cut.
    #[error("the answer is cut or longer than {limit} bytes")]
    Body {
        /// The limit.
        limit: usize,
        /// What hyper says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It takes too long.
    #[error("there is no whole answer after {} s", .0.as_secs_f64())]
    Slow(Duration),
}

impl Web {
    /// Believes the public web's roots, and the certificates in a file (PEM).
    ///
    /// # Errors
    /// When the file can't be read, or has no certificate.
    pub(crate) fn new(ca_file: Option<&Path>, limits: AnswerLimits) -> Result<Self, TlsError> {
        Ok(Web { tls: Arc::new(web_config(web_roots(ca_file)?)?), limits })
    }

    /// Asks.
    ///
    /// # Errors
    /// See [`WebError`].
    pub(crate) async fn get(&self, address: &str) -> Result<Answer, WebError> {
        let address: Uri = address.parse().map_err(|_| WebError::Address)?;
        let asked = tokio::time::timeout(self.limits.time, self.ask(&address));
        asked.await.map_err(|_| WebError::Slow(self.limits.time))?
    }

    async fn ask(&self, address: &Uri) -> Result<Answer, WebError> {
        let host = address.host().ok_or(WebError::Address)?;
        // An IPv6 address has brackets in a URL, and none anywhere else.
        let host = host.trim_start_matches('[').trim_end_matches(']');
        match address.scheme_str() {
            Some("http") => {
                let stream = TcpStream::connect((host, address.port_u16().unwrap_or(80))).await?;
                self.exchange(stream, address).await
            }
            Some("https") => {
                let name = ServerName::try_from(host.to_owned()).map_err(|_| WebError::Address)?;
                let stream = TcpStream::connect((host, address.port_u16().unwrap_or(443))).await?;
                let stream = TlsConnector::from(self.tls.clone()).connect(name, stream).await?;
                self.exchange(stream, address).await
            }
            _ => Err(WebError::Address),
        }
    }

    async fn exchange<S>(&self, stream: S, address: &Uri) -> Result<Answer, WebError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (mut sender, connection) =
            http1::Builder::new().max_buf_size(HEADER_BYTES).handshake(TokioIo::new(stream)).await?;
        let request = request(address)?;
        let answer = async move {
            let (head, body) = sender.send_request(request).await?.into_parts();
            if head.status != StatusCode::OK {
                return Err(WebError::Status(head.status));
            }
            let limit = self.limits.bytes;
            let body = Limited::new(body, limit).collect().await;
            let body = body.map_err(|source| WebError::Body { limit, source })?.to_bytes();
            Ok(Answer { headers: head.headers, body })
        };
        // The connection works for as long as the exchange needs it, and ends with it.
        tokio::pin!(connection);
        tokio::pin!(answer);
        tokio::select! {
            answer = &mut answer => answer,
            _ = &mut connection => answer.await,
        }
    }
}

fn request(address: &Uri) -> Result<Request<Empty<Bytes>>, WebError> {
    let target = address.path_and_query().map_or("/", |target| target.as_str());
    let host = address.authority().ok_or(WebError::Address)?;
    Request::get(target)
        .header(HOST, host.as_str())
        .header(USER_AGENT, concat!("teehouse/", env!("CARGO_PKG_VERSION")))
        .body(Empty::new())
        .map_err(|_| WebError::Address)
}
