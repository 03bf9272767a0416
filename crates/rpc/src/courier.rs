//! Carries ciphertext to and from URLs: a tdfs's own, over its attested TLS, or an object store's.
//!
//! Connections are kept and used again. Whatever arrives or is sent is bounded by one frame in memory; what an object
//! store answers is believed by nobody before the file's own seal was checked.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_LENGTH, HOST, RANGE, USER_AGENT};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep, timeout};
use tokio_rustls::TlsConnector;
use types::error::{ErrorCode, ErrorReply};

use crate::attestation::over_http;
use crate::bodies::ByteStream;
use crate::tls::{Connector, TlsError, web_config, web_roots};

/// How long connecting may take, and each piece of a body.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long connecting alone may take.
const CONNECT: Duration = Duration::from_secs(10);

/// What is read of the body of an answer that says no.
const REFUSAL_BYTES: usize = 64 << 10;

/// Idle connections that are kept to one server.
const KEPT: usize = 16;

/// An idle connection is not used again after so long.
const IDLE: Duration = Duration::from_secs(30);

/// The buffer of a connection: one piece of a body.
const BUFFER_BYTES: usize = 256 << 10;

/// Where a URL leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Carrier {
    /// The file service, whatever host the URL names: it is attested, and reached where it is known to be.
    Service,
    /// Whoever the URL names, as on the web.
    Store,
}

/// Carries bodies.
pub struct Courier {
    service: Option<(Connector, String)>,
    web: Arc<ClientConfig>,
    idle: Mutex<HashMap<Origin, Vec<Kept>>>,
}

type Origin = (Carrier, String);

struct Kept {
    sender: SendRequest<Outgoing>,
    since: Instant,
    opened: Instant,
}

/// Why something was not carried.
#[derive(Debug, thiserror::Error)]
pub enum CourierError {
    /// The URL leads nowhere.
    #[error("the server gave a URL that is none")]
    Url,
    /// The connection fails.
    #[error("the connection")]
    Connection(#[source] io::Error),
    /// HTTP fails, or the connection breaks on the way.
    #[error("the transfer broke")]
    Http(#[from] hyper::Error),
    /// What was to be sent can't be read.
    #[error("what is to be sent")]
    Source(#[source] io::Error),
    /// Nothing moves.
    #[error("nothing moved for {} s", PATIENCE.as_secs())]
    Slow,
    /// The server says no.
    #[error("{message} (status {status})")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Its words, as far as they are words.
        message: String,
    },
    /// A quota or a disk is full, which does not pass by itself.
    #[error("{message}")]
    Full {
        /// The server's words.
        message: String,
    },
}

impl CourierError {
    /// Whether the same may succeed a moment later.
    pub fn is_passing(&self) -> bool {
        match self {
            CourierError::Connection(_) | CourierError::Http(_) | CourierError::Slow => true,
            CourierError::Refused { status, .. } => *status >= 500 || matches!(status, 408 | 429),
            CourierError::Url | CourierError::Source(_) | CourierError::Full { .. } => false,
        }
    }

    /// Whether the URL's time is over, so that another one may do.
    pub fn is_expired(&self) -> bool {
        matches!(self, CourierError::Refused { status: 401 | 403, .. })
    }

    /// Whether the file is there already.
    pub fn is_conflict(&self) -> bool {
        matches!(self, CourierError::Refused { status: 409, .. })
    }

    /// Whether there is no such file.
    pub fn is_missing(&self) -> bool {
        matches!(self, CourierError::Refused { status: 404, .. })
    }
}

impl Courier {
    /// Reaches the file service where `connector` and `target` say, and object stores whose certificates the public
    /// web's roots vouch for, or those in a file (PEM).
    ///
    /// # Errors
    /// When the file can't be read, or has no certificate.
    pub fn new(connector: Connector, target: String, ca_file: Option<&Path>) -> Result<Self, TlsError> {
        Ok(Courier { service: Some((connector, target)), ..Self::for_stores(ca_file)? })
    }

    /// Reaches object stores alone, with certificates as for [`new`](Self::new); no URL leads to the file service.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn for_stores(ca_file: Option<&Path>) -> Result<Self, TlsError> {
        let web = Arc::new(web_config(web_roots(ca_file)?)?);
        Ok(Courier { service: None, web, idle: Mutex::default() })
    }

    /// Sends `length` bytes to a URL.
    ///
    /// # Errors
    /// See [`CourierError`].
    pub async fn put(&self, carrier: Carrier, url: &str, length: u64, body: ByteStream) -> Result<(), CourierError> {
        let uri = parse(url)?;
        let watch = Watch::default();
        let outgoing = Outgoing { bytes: Some(body), left: length, watch: watch.clone() };
        let request = request(Method::PUT, &uri)?.header(CONTENT_LENGTH, length);
        let request = request.body(outgoing).map_err(|_| CourierError::Url)?;
        let sent = watch.while_it_moves(self.exchange(carrier, &uri, request)).await;
        let source = watch.lock().broken.take();
        match source {
            Some(error) => Err(CourierError::Source(error)),
            None => {
                let (origin, kept, answer) = sent?;
                // Read to its end, so that the connection can be used again.
                let _ = Limited::new(answer.into_body(), REFUSAL_BYTES).collect().await;
                self.keep(origin, kept);
                Ok(())
            }
        }
    }

    /// Gets the bytes at a URL, all or a range of them. What arrives may be less than what was asked for: count it.
    ///
    /// # Errors
    /// See [`CourierError`].
    pub async fn get(
        self: &Arc<Self>,
        carrier: Carrier,
        url: &str,
        range: Option<Range<u64>>,
    ) -> Result<Arriving, CourierError> {
        let uri = parse(url)?;
        let mut request = request(Method::GET, &uri)?;
        if let Some(Range { start, end }) = range {
            request = request.header(RANGE, format!("bytes={start}-{}", end.saturating_sub(1)));
        }
        let request = request.body(Outgoing::empty()).map_err(|_| CourierError::Url)?;
        let exchange = self.exchange(carrier, &uri, request);
        let (origin, kept, answer) = Watch::default().while_it_moves(exchange).await?;
        Ok(Arriving { body: answer.into_body(), end: None, back: Some((self.clone(), origin, kept)) })
    }

    async fn exchange(
        &self,
        carrier: Carrier,
        uri: &Uri,
        request: Request<Outgoing>,
    ) -> Result<(Origin, Kept, Response<Incoming>), CourierError> {
        let authority = uri.authority().ok_or(CourierError::Url)?.to_string();
        let origin = (carrier, format!("{}://{authority}", uri.scheme_str().unwrap_or_default()));
        let mut kept = self.connection(&origin, uri).await?;
        let answer = kept.sender.send_request(request).await?;
        if answer.status().is_success() {
            return Ok((origin, kept, answer));
        }
        let (status, body) = (answer.status(), Limited::new(answer.into_body(), REFUSAL_BYTES));
        let body = match timeout(PATIENCE, body.collect()).await {
            Ok(Ok(body)) => body.to_bytes(),
            _ => Bytes::new(),
        };
        Err(refused(status, &body))
    }

    async fn connection(&self, origin: &Origin, uri: &Uri) -> Result<Kept, CourierError> {
        while let Some(mut kept) = self.take(origin) {
            if timeout(CONNECT, kept.sender.ready()).await.is_ok_and(|ready| ready.is_ok()) {
                return Ok(kept);
            }
        }
        let sender = timeout(CONNECT, self.connect(origin.0, uri)).await.map_err(|_| CourierError::Slow)??;
        Ok(Kept { sender, since: Instant::now(), opened: Instant::now() })
    }

    fn take(&self, origin: &Origin) -> Option<Kept> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let age = self.service.as_ref().map_or(Duration::MAX, |(connector, _)| connector.evidence_age());
        let all = idle.get_mut(origin)?;
        while let Some(kept) = all.pop() {
            if kept.since.elapsed() < IDLE && kept.opened.elapsed() < age && !kept.sender.is_closed() {
                return Some(kept);
            }
        }
        None
    }

    fn keep(&self, origin: Origin, kept: Kept) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let all = idle.entry(origin).or_default();
        if all.len() < KEPT {
            all.push(Kept { since: Instant::now(), ..kept });
        }
    }

    async fn connect(&self, carrier: Carrier, uri: &Uri) -> Result<SendRequest<Outgoing>, CourierError> {
        let host = uri.host().ok_or(CourierError::Url)?.trim_start_matches('[').trim_end_matches(']');
        match (carrier, uri.scheme_str()) {
            (Carrier::Service, Some("https")) => self.connect_service().await,
            (Carrier::Store, Some("http")) => {
                let stream = TcpStream::connect((host, uri.port_u16().unwrap_or(80))).await;
                handshake(stream.map_err(CourierError::Connection)?).await
            }
            (Carrier::Store, Some("https")) => {
                let name = ServerName::try_from(host.to_owned()).map_err(|_| CourierError::Url)?;
                let stream = TcpStream::connect((host, uri.port_u16().unwrap_or(443))).await;
                let stream = stream.map_err(CourierError::Connection)?;
                let stream = TlsConnector::from(self.web.clone()).connect(name, stream).await;
                handshake(stream.map_err(CourierError::Connection)?).await
            }
            _ => Err(CourierError::Url),
        }
    }

    /// Connects to the file service and has its session attested before anything else is said.
    async fn connect_service(&self) -> Result<SendRequest<Outgoing>, CourierError> {
        let (connector, target) = self.service.as_ref().ok_or(CourierError::Url)?;
        let connected = connector.connect_unattested(target, &[b"http/1.1"]).await;
        let connected = connected.map_err(CourierError::Connection)?;
        let mut sender = handshake(connected.stream).await?;
        over_http::attest(&connected.challenger, &mut sender, target).await.map_err(CourierError::Connection)?;
        Ok(sender)
    }
}

fn parse(url: &str) -> Result<Uri, CourierError> {
    url.parse().map_err(|_| CourierError::Url)
}

fn request(method: Method, uri: &Uri) -> Result<hyper::http::request::Builder, CourierError> {
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let host = uri.authority().ok_or(CourierError::Url)?;
    let agent = concat!("teehouse/", env!("CARGO_PKG_VERSION"));
    Ok(Request::builder().method(method).uri(target).header(HOST, host.as_str()).header(USER_AGENT, agent))
}

async fn handshake<S>(stream: S) -> Result<SendRequest<Outgoing>, CourierError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let builder = http1::Builder::new().max_buf_size(BUFFER_BYTES).handshake(TokioIo::new(stream)).await;
    let (sender, connection) = builder?;
    tokio::spawn(connection);
    Ok(sender)
}

/// What a refusal says: this system's own message, or the start of an XML document's.
/// What an answer means that is no success. Of our own services, those that are busy for a moment say when to come back.
fn refused(status: StatusCode, body: &[u8]) -> CourierError {
    let message = words(status, body);
    match serde_json::from_slice::<ErrorReply>(body) {
        Ok(ErrorReply { code: ErrorCode::ResourceExhausted, retry_after_ms: None, .. }) => {
            CourierError::Full { message }
        }
        _ => CourierError::Refused { status: status.as_u16(), message },
    }
}

fn words(status: StatusCode, body: &[u8]) -> String {
    /// An object store explains itself at length.
    const WORDS: usize = 200;
    if let Ok(reply) = serde_json::from_slice::<ErrorReply>(body) {
        return reply.message;
    }
    let text: String = String::from_utf8_lossy(body).chars().filter(|c| !c.is_control()).take(WORDS).collect();
    match text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")) {
        Some((code, _)) => format!("the object store says {code}"),
        None => format!("the server says {}", status.canonical_reason().unwrap_or("no")),
    }
}

/// A body that is sent: exactly so many bytes.
pub struct Outgoing {
    bytes: Option<ByteStream>,
    left: u64,
    watch: Watch,
}

/// What is seen of a body from outside of the request in which it travels.
#[derive(Clone, Default)]
struct Watch(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    /// Why it could not be read.
    broken: Option<io::Error>,
    /// How many pieces of it have left.
    pieces: u64,
}

impl Watch {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for an exchange for as long as something of its body leaves, and a while after the last of it.
    async fn while_it_moves<T>(
        &self,
        exchange: impl Future<Output = Result<T, CourierError>>,
    ) -> Result<T, CourierError> {
        let (mut exchange, mut seen) = (pin!(exchange), 0);
        loop {
            match timeout(PATIENCE, exchange.as_mut()).await {
                Ok(done) => return done,
                Err(_) => match self.lock().pieces {
                    pieces if pieces == seen => return Err(CourierError::Slow),
                    pieces => seen = pieces,
                },
            }
        }
    }
}

impl Outgoing {
    pub(crate) fn empty() -> Self {
        Outgoing { bytes: None, left: 0, watch: Watch::default() }
    }

    /// A body that is in memory.
    pub(crate) fn of(bytes: Bytes) -> Self {
        let left = bytes.len() as u64;
        Outgoing { bytes: Some(Box::pin(Once(Some(bytes)))), left, watch: Watch::default() }
    }

    fn fail(&self, error: io::Error) -> io::Error {
        let kind = error.kind();
        self.watch.lock().broken = Some(error);
        kind.into()
    }
}

/// One piece.
struct Once(Option<Bytes>);

impl Stream for Once {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.take().map(Ok))
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let left = self.left;
        let Some(bytes) = self.bytes.as_mut().filter(|_| left > 0) else { return Poll::Ready(None) };
        Poll::Ready(match ready!(bytes.as_mut().poll_next(cx)) {
            Some(Ok(data)) if data.len() as u64 <= left => {
                self.left -= data.len() as u64;
                self.watch.lock().pieces += 1;
                Some(Ok(Frame::data(data)))
            }
            Some(Ok(_)) => Some(Err(self.fail(io::ErrorKind::InvalidData.into()))),
            Some(Err(error)) => Some(Err(self.fail(error))),
            None => Some(Err(self.fail(io::ErrorKind::UnexpectedEof.into()))),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// Bytes that arrive; each piece in time.
pub struct Arriving {
    body: Incoming,
    /// Set while the server is waited for; the time that this side takes is not the server's.
    end: Option<Pin<Box<Sleep>>>,
    back: Option<(Arc<Courier>, Origin, Kept)>,
}

impl Stream for Arriving {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.end = None;
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(io::Error::other(error)))),
                Poll::Ready(None) => {
                    if let Some((courier, origin, kept)) = self.back.take() {
                        courier.keep(origin, kept);
                    }
                    return Poll::Ready(None);
                }
                Poll::Pending => {
                    ready!(self.end.get_or_insert_with(|| Box::pin(sleep(PATIENCE))).as_mut().poll(cx));
                    return Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_in_words() {
        let own = br#"{"type":"Error","code":"conflict","message":"file a is complete","request_id":"r"}"#;
        assert_eq!(words(StatusCode::CONFLICT, own), "file a is complete");
        let xml = b"<?xml version=\"1.0\"?><Error><Code>SlowDown</Code><Message>x</Message></Error>";
        assert_eq!(words(StatusCode::SERVICE_UNAVAILABLE, xml), "the object store says SlowDown");
        assert_eq!(words(StatusCode::BAD_GATEWAY, b"<html>"), "the server says Bad Gateway");
        assert_eq!(words(StatusCode::FORBIDDEN, &[0xff; 99]), "the server says Forbidden");
    }

    #[test]
    fn what_may_pass_is_told_from_what_will_not() {
        let refused = |status| CourierError::Refused { status, message: String::new() };
        for (status, passing, expired) in [
            (400, false, false),
            (403, false, true),
            (404, false, false),
            (409, false, false),
            (429, true, false),
            (500, true, false),
            (503, true, false),
        ] {
            assert_eq!((refused(status).is_passing(), refused(status).is_expired()), (passing, expired), "{status}");
        }
        let full = |wait: &str| {
            let body =
                format!(r#"{{"type":"Error","code":"resource_exhausted","message":"m","request_id":"7"{wait}}}"#);
            super::refused(StatusCode::TOO_MANY_REQUESTS, body.as_bytes())
        };
        assert!(full(r#","retry_after_ms":1000"#).is_passing());
        assert!(!full("").is_passing() && full("").to_string() == "m");
        assert!(CourierError::Slow.is_passing() && !CourierError::Url.is_passing());
    }

    /// A server that takes a request and never answers is given up, and one that takes its time is not, as long as it
    /// takes something.
    #[tokio::test(start_paused = true)]
    async fn what_does_not_move_is_given_up() {
        let watch = Watch::default();
        let silent = watch.while_it_moves(std::future::pending::<Result<(), _>>()).await;
        assert!(matches!(silent, Err(CourierError::Slow)));
        let slow = async {
            for _ in 0..5 {
                sleep(PATIENCE - Duration::from_secs(1)).await;
                watch.lock().pieces += 1;
            }
            Ok(7)
        };
        assert_eq!(watch.while_it_moves(slow).await.ok(), Some(7));
    }
}
