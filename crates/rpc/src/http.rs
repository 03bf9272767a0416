//! HTTP/1.1 and HTTP/2: `POST /` carries a request, `POST /.well-known/attestation` one about the session; `GET /healthz`
//! and `GET /openapi.json` need none.

use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::time::{Instant, timeout_at};
use types::id::RequestId;

use crate::bodies::{self, Answer};
use crate::caller::Caller;
use crate::gate::{Busy, Gate, Slot, UNRESERVED_BYTES};
use crate::header::{HeaderTimeout, Phase};
use crate::reply::{WireFault, describe};
use crate::stream::Stream;
use crate::{Fault, Reply};

/// Where the session is attested.
pub(crate) const ATTESTATION: &str = "/.well-known/attestation";

/// Requests that one HTTP/2 connection may have in flight.
const HTTP2_STREAMS: u32 = 128;

/// Header bytes that one request may have. hyper's smallest buffer for HTTP/1.1 is 8 KiB.
const HEADER_BYTES: usize = 16 << 10;

/// Up to how many times the limit a refused body is read to its end, so that its connection stays usable.
const SKIP_FACTOR: usize = 4;

/// Request bytes of one HTTP/2 stream that need no reservation: all streams of a connection together have what another
/// connection has for its one request.
const HTTP2_UNRESERVED_BYTES: usize = UNRESERVED_BYTES / HTTP2_STREAMS as usize;

/// How long a caller may take to read the last answers and end the connection when the listener stops.
const LAST_ANSWER: Duration = Duration::from_secs(1);

pub(crate) async fn serve_http1(io: impl Stream, caller: Caller) {
    let Caller { gate, slot, .. } = caller.clone();
    let phase = Phase::default();
    let io = HeaderTimeout::new(io, gate.times.header, phase.clone());
    let service = service_fn(|request| {
        let (in_request, caller) = (phase.enter(), caller.clone());
        async move {
            let response = respond(request, caller, UNRESERVED_BYTES).await;
            drop(in_request);
            response
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .header_read_timeout(None)
        .max_buf_size(HEADER_BYTES)
        .serve_connection(TokioIo::new(io), service);
    drive(connection, |connection| connection.graceful_shutdown(), &gate, &slot).await;
}

pub(crate) async fn serve_http2(io: impl Stream, caller: Caller) {
    let Caller { gate, slot, .. } = caller.clone();
    let service = service_fn(|request| respond(request, caller.clone(), HTTP2_UNRESERVED_BYTES));
    let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(HTTP2_STREAMS)
        .max_header_list_size(HEADER_BYTES as u32)
        .keep_alive_interval(Some(gate.times.idle))
        .keep_alive_timeout(gate.times.header)
        .serve_connection(TokioIo::new(io), service);
    drive(connection, |connection| connection.graceful_shutdown(), &gate, &slot).await;
}

/// Lets a connection run until it ends, is idle for too long, or the listener stops.
async fn drive<C: Future>(connection: C, finish: impl FnOnce(Pin<&mut C>), gate: &Gate, slot: &Slot) {
    let mut connection = pin!(connection);
    let patience = tokio::select! {
        _ = connection.as_mut() => return,
        () = quiet(slot, gate.times.idle) => gate.times.request,
        () = stalled(slot, gate.times.request) => return,
        () = gate.stopping() => LAST_ANSWER,
    };
    finish(connection.as_mut());
    // What is in progress may end, but a caller who takes no answer can't keep the connection for ever.
    tokio::select! {
        _ = connection => {}
        () = async { tokio::time::sleep(patience).await; quiet(slot, patience).await } => {}
    }
}

/// Returns when the connection has been without a request for so long.
async fn quiet(slot: &Slot, long: Duration) {
    loop {
        match slot.quiet_for() {
            Some(so_far) if so_far >= long => return,
            so_far => tokio::time::sleep(long - so_far.unwrap_or(Duration::ZERO)).await,
        }
    }
}

/// Returns when files are on their way and nothing of them moved for so long.
async fn stalled(slot: &Slot, long: Duration) {
    loop {
        match slot.stalled_for() {
            Some(so_far) if so_far >= long => return,
            so_far => tokio::time::sleep(long - so_far.unwrap_or(Duration::ZERO)).await,
        }
    }
}

async fn respond(
    request: Request<Incoming>,
    caller: Caller,
    unreserved: usize,
) -> Result<Response<Answer>, Infallible> {
    let Caller { peer, session, gate, slot } = caller;
    let mut busy = Busy::new(gate.clone(), slot, unreserved);
    if let Some(bodies) = gate.handler.bodies().filter(|_| request.uri().path().starts_with(bodies::PREFIX)) {
        return Ok(match session.check() {
            Ok(()) => bodies::respond(request, bodies, &gate, busy).await,
            Err(fault) => response(refusal(&fault)).map(Either::Left),
        });
    }
    let (head, body) = request.into_parts();
    // Whatever the answer is, the body is read to its end: a connection with a rest of one could not go on.
    let body = receive(body, &gate, &mut busy).await;
    let reply = match (head.method, head.uri.path(), body) {
        (Method::POST, "/", Err(fault)) => refusal(&fault),
        (Method::POST, "/", Ok(_)) if !busy.enter() => refusal(&WireFault::Busy),
        (Method::POST, "/", Ok(body)) => match session.check() {
            Ok(()) => gate.handler.handle(peer, body).await,
            Err(fault) => refusal(&fault),
        },
        (Method::POST, ATTESTATION, Err(fault)) => refusal(&fault),
        (Method::POST, ATTESTATION, Ok(_)) if !busy.enter() => refusal(&WireFault::Busy),
        (Method::POST, ATTESTATION, Ok(body)) => match session.answer(&body).await {
            Some(reply) => reply,
            None => refusal(&WireFault::NotAboutAttestation),
        },
        (Method::GET | Method::HEAD, "/healthz", _) => return Ok(document(gate.health.clone()).map(Either::Left)),
        (Method::GET | Method::HEAD, "/openapi.json", _) => {
            return Ok(document(gate.openapi.clone()).map(Either::Left));
        }
        _ => refusal(&WireFault::NoSuchPath),
    };
    Ok(response(reply).map(Either::Left))
}

pub(crate) fn refusal(fault: &dyn Fault) -> Reply {
    Reply::failure(&describe(fault, &RequestId::fresh()))
}

/// Reads a body to its end, within the limits of size, time and memory.
async fn receive(body: Incoming, gate: &Gate, busy: &mut Busy) -> Result<Bytes, WireFault> {
    let (end, limit) = (Instant::now() + gate.times.request, gate.request_bytes);
    let skipped = limit * SKIP_FACTOR;
    if body.size_hint().lower() > skipped as u64 {
        return Err(WireFault::TooLarge { limit });
    }
    let mut body = pin!(body);
    let (mut read, mut kept) = (0, Ok(BytesMut::new()));
    while let Some(frame) = within(end, body.frame()).await? {
        let Ok(data) = frame.map_err(|_| WireFault::BrokenBody)?.into_data() else { continue };
        read += data.len();
        match &mut kept {
            _ if read > skipped => return Err(WireFault::TooLarge { limit }),
            _ if read > limit => kept = Err(WireFault::TooLarge { limit }),
            Ok(_) if !busy.reserve(read) => kept = Err(WireFault::Busy),
            Ok(buffer) => buffer.extend_from_slice(&data),
            Err(_) => {}
        }
    }
    kept.map(BytesMut::freeze)
}

async fn within<F: Future>(end: Instant, future: F) -> Result<F::Output, WireFault> {
    timeout_at(end, future).await.map_err(|_| WireFault::TooSlow)
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");

pub(crate) fn response(reply: Reply) -> Response<Full<Bytes>> {
    let status = StatusCode::from_u16(reply.status()).expect("every code has a status");
    let retry_after = reply.retry_after_seconds();
    let mut response = Response::new(Full::new(reply.into_body()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}

fn document(body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}
