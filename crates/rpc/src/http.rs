//! HTTP/1.1 and HTTP/2: `POST /` carries a request; `GET /healthz` and `GET /openapi.json` need none.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::time::{Instant, timeout_at};
use types::error::ErrorCode;
use types::id::RequestId;

use crate::connection::Stream;
use crate::listener::{Busy, Gate, Slot};
use crate::reply::{WireFault, describe};
use crate::{Peer, Reply};

/// Requests that one HTTP/2 connection may have in flight.
const HTTP2_STREAMS: u32 = 128;

/// Header bytes that one request may have. hyper's smallest buffer for HTTP/1.1 is 8 KiB.
const HEADER_BYTES: usize = 16 << 10;

/// Up to how many times the limit a refused body is read to its end, so that its connection stays usable.
const SKIP_FACTOR: usize = 4;

pub(crate) async fn serve_http1(io: impl Stream, peer: Peer, gate: Arc<Gate>, slot: Arc<Slot>) {
    let service = service_fn(|request| respond(request, peer.clone(), gate.clone(), slot.clone()));
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(gate.times.header)
        .max_buf_size(HEADER_BYTES)
        .serve_connection(TokioIo::new(io), service);
    let mut connection = pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = idle(&gate, &slot) => {}
        () = gate.stopping() => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

pub(crate) async fn serve_http2(io: impl Stream, peer: Peer, gate: Arc<Gate>, slot: Arc<Slot>) {
    let service = service_fn(|request| respond(request, peer.clone(), gate.clone(), slot.clone()));
    let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(HTTP2_STREAMS)
        .max_header_list_size(HEADER_BYTES as u32)
        .keep_alive_interval(Some(gate.times.idle))
        .keep_alive_timeout(gate.times.header)
        .serve_connection(TokioIo::new(io), service);
    let mut connection = pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = idle(&gate, &slot) => {}
        () = gate.stopping() => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

/// Returns when the connection has been without a request for the idle time.
async fn idle(gate: &Gate, slot: &Slot) {
    loop {
        match slot.idle_for() {
            Some(so_far) if so_far >= gate.times.idle => return,
            so_far => tokio::time::sleep(gate.times.idle - so_far.unwrap_or(Duration::ZERO)).await,
        }
    }
}

async fn respond(
    request: Request<Incoming>,
    peer: Peer,
    gate: Arc<Gate>,
    slot: Arc<Slot>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut busy = Busy::new(gate.clone(), slot);
    let reply = match (request.method(), request.uri().path()) {
        (&Method::POST, "/") if !busy.enter() => refusal(&WireFault::Busy),
        (&Method::POST, "/") => match receive(request.into_body(), &gate, &mut busy).await {
            Ok(body) => gate.handler.handle(peer, body).await,
            Err(fault) => refusal(&fault),
        },
        (&Method::GET | &Method::HEAD, "/healthz") => return Ok(document(gate.health.clone())),
        (&Method::GET | &Method::HEAD, "/openapi.json") => return Ok(document(gate.openapi.clone())),
        _ => refusal(&WireFault::NoSuchPath),
    };
    Ok(response(reply))
}

fn refusal(fault: &WireFault) -> Reply {
    Reply::failure(&describe(fault, &RequestId::fresh()))
}

/// Reads a body to its end, within the limits of size, time and memory.
async fn receive(body: Incoming, gate: &Gate, busy: &mut Busy) -> Result<Bytes, WireFault> {
    let (end, limit) = (Instant::now() + gate.times.request, gate.request_bytes);
    let too_large = || WireFault::TooLarge { limit };
    if body.size_hint().lower() > (limit * SKIP_FACTOR) as u64 {
        return Err(too_large());
    }
    let mut body = pin!(body);
    let (mut read, mut buffer) = (0, BytesMut::new());
    while let Some(frame) = within(end, body.frame()).await? {
        let Some(data) = frame.ok().and_then(|frame| frame.into_data().ok()) else { continue };
        read += data.len();
        match read {
            _ if read > limit * SKIP_FACTOR => return Err(too_large()),
            _ if read > limit => buffer.clear(),
            _ if !busy.reserve(read) => return Err(WireFault::Busy),
            _ => buffer.extend_from_slice(&data),
        }
    }
    if read > limit { Err(too_large()) } else { Ok(buffer.freeze()) }
}

async fn within<F: Future>(end: Instant, future: F) -> Result<F::Output, WireFault> {
    timeout_at(end, future).await.map_err(|_| WireFault::TooSlow)
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");

fn response(reply: Reply) -> Response<Full<Bytes>> {
    let status = StatusCode::from_u16(reply.status()).expect("every code has a status");
    let busy = reply.code() == Some(ErrorCode::ResourceExhausted);
    let mut response = Response::new(Full::new(reply.into_body()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    if busy {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

fn document(body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}
