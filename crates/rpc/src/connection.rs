//! One connection's life after its handshake: find the protocol, then requests until either side ends.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout, timeout_at};
use types::id::RequestId;

use crate::caller::Caller;
use crate::frame::{self, HEADER_BYTES, Parsed};
use crate::gate::{Busy, Gate, Slot, UNRESERVED_BYTES};
use crate::reply::{WireFault, describe};
use crate::stream::{Replay, Stream};
use crate::tls::{Accepted, Negotiated};
use crate::{Fault, Reply, http};

/// Serves a connection until it ends.
pub(crate) async fn serve(accepted: Accepted, gate: Arc<Gate>, slot: Arc<Slot>) {
    let Accepted { negotiated, stream: mut io, peer, session } = accepted;
    let caller = Caller { peer, session, gate: gate.clone(), slot };
    if negotiated == Negotiated::Http2 {
        return http::serve_http2(io, caller).await;
    }
    let mut first = [0];
    let patience = if caller.session.is_open() { gate.times.idle } else { gate.times.handshake };
    let waited = timeout(patience, io.read(&mut first));
    let arrived = tokio::select! {
        arrived = waited => matches!(arrived, Ok(Ok(1))),
        () = gate.stopping() => false,
    };
    match first {
        _ if !arrived => drop(io.shutdown().await),
        // Not even the start of an HTTP request: if it is a length, it gets its answer in a frame.
        [0 | 0x80..] => Framed { io, buffer: BytesMut::from(&first[..]), caller, gate }.serve().await,
        _ => http::serve_http1(Replay { io, first: Some(first[0]) }, caller).await,
    }
}

/// A connection that speaks frames.
struct Framed<T> {
    io: T,
    buffer: BytesMut,
    caller: Caller,
    gate: Arc<Gate>,
}

/// What came in.
enum Received {
    /// A request.
    Request(Bytes, Busy),
    /// A failure to answer; the connection can go on after so many bytes are skipped.
    Refused(WireFault, u64),
    /// A failure to answer before closing.
    Hopeless(WireFault),
    /// The peer ended, was silent for too long, or the listener stops.
    End,
}

/// How long a peer that ended its own side is still given its answer.
const HALF_CLOSED: Duration = Duration::from_secs(1);

/// Up to how many bytes of a request over the limit are skipped so that its connection stays usable.
const SKIP_BYTES: u64 = 64 << 20;

impl<T: Stream> Framed<T> {
    async fn serve(mut self) {
        loop {
            let keep = match self.receive().await {
                Received::Request(body, busy) => self.answer(body, busy).await,
                Received::Refused(fault, skip) => self.refuse(&fault).await && self.skip(skip).await,
                Received::Hopeless(fault) => self.refuse(&fault).await && self.linger().await,
                Received::End => false,
            };
            if !keep {
                break;
            }
        }
        let _ = timeout(HALF_CLOSED, self.io.shutdown()).await;
    }

    async fn receive(&mut self) -> Received {
        if self.buffer.is_empty() && !self.wait_for_first_byte().await {
            return Received::End;
        }
        let (start, limit) = (Instant::now(), self.gate.request_bytes);
        let mut busy = Busy::new(self.gate.clone(), self.caller.slot.clone(), UNRESERVED_BYTES);
        loop {
            match frame::parse(&mut self.buffer, limit) {
                Parsed::Frame(body) => return Received::Request(body, busy),
                Parsed::TooLarge { claimed } => return self.too_large(claimed, limit),
                Parsed::Partial => {}
            }
            if !busy.reserve(self.buffer.len()) {
                return Received::Refused(WireFault::Busy, frame::length(&self.buffer));
            }
            let header = self.buffer.len() < HEADER_BYTES;
            let allowed = if header { self.gate.times.header } else { self.gate.times.request };
            match timeout_at(start + allowed, frame::fill(&mut self.io, &mut self.buffer)).await {
                Ok(Ok(1..)) => {}
                Ok(Ok(0) | Err(_)) => return Received::End,
                Err(_) => return Received::Hopeless(WireFault::TooSlow),
            }
        }
    }

    async fn wait_for_first_byte(&mut self) -> bool {
        // An idle connection keeps no large buffer.
        self.buffer = BytesMut::new();
        let patience = if self.caller.session.is_open() { self.gate.times.idle } else { self.gate.times.handshake };
        let arrived = timeout(patience, frame::fill(&mut self.io, &mut self.buffer));
        tokio::select! {
            arrived = arrived => matches!(arrived, Ok(Ok(1..))),
            () = self.gate.stopping() => false,
        }
    }

    fn too_large(&mut self, claimed: u64, limit: usize) -> Received {
        let fault = WireFault::TooLarge { limit };
        if claimed > SKIP_BYTES {
            return Received::Hopeless(fault);
        }
        Received::Refused(fault, frame::length(&self.buffer))
    }

    /// Answers a request. `false` when the connection can't go on.
    async fn answer(&mut self, body: Bytes, mut busy: Busy) -> bool {
        if !busy.enter() {
            return self.refuse(&WireFault::Busy).await;
        }
        if let Some(reply) = self.caller.session.answer(&body).await {
            drop(busy);
            return self.send(reply).await;
        }
        if let Err(fault) = self.caller.session.check() {
            return self.refuse(&fault).await && self.linger().await;
        }
        let gate = self.gate.clone();
        let reply = tokio::select! {
            biased;
            reply = gate.handler.handle(self.caller.peer.clone(), body) => reply,
            () = caller_gone(&mut self.io, &mut self.buffer) => return false,
        };
        // A caller who does not read his answer must not keep a place that others need.
        drop(busy);
        self.send(reply).await && !gate.is_stopping()
    }

    async fn refuse(&mut self, fault: &dyn Fault) -> bool {
        self.send(Reply::failure(&describe(fault, &RequestId::fresh()))).await
    }

    async fn send(&mut self, reply: Reply) -> bool {
        let body = reply.into_body();
        matches!(timeout(self.gate.times.request, frame::write(&mut self.io, &body)).await, Ok(Ok(())))
    }

    /// Skips a refused request.
    async fn skip(&mut self, mut bytes: u64) -> bool {
        let end = Instant::now() + self.gate.times.request;
        loop {
            let here = self.buffer.len().min(usize::try_from(bytes).unwrap_or(usize::MAX));
            self.buffer.advance(here);
            bytes -= here as u64;
            if bytes == 0 {
                return true;
            }
            // A new one, because what was refused may have made it large.
            self.buffer = BytesMut::new();
            match timeout_at(end, frame::fill(&mut self.io, &mut self.buffer)).await {
                Ok(Ok(1..)) => {}
                _ => return false,
            }
        }
    }

    /// Reads on for a moment before closing, so that the answer is not lost to a reset. Always ends the connection.
    async fn linger(&mut self) -> bool {
        let end = Instant::now() + HALF_CLOSED;
        let _ = self.io.shutdown().await;
        loop {
            self.buffer.clear();
            match timeout_at(end, frame::fill(&mut self.io, &mut self.buffer)).await {
                Ok(Ok(1..)) => {}
                _ => return false,
            }
        }
    }
}

/// Returns when the caller is gone. Requests that arrive meanwhile stay in the buffer, up to a bound.
async fn caller_gone(io: &mut (impl AsyncRead + Unpin), buffer: &mut BytesMut) {
    /// Pipelined bytes that are read ahead.
    const AHEAD_BYTES: usize = 64 << 10;
    while buffer.len() < AHEAD_BYTES {
        match frame::fill(io, buffer).await {
            Ok(1..) => {}
            // An orderly end of the caller's side: it may still want this answer, but won't wait for long.
            Ok(0) => return tokio::time::sleep(HALF_CLOSED).await,
            Err(_) => return,
        }
    }
    std::future::pending().await
}
