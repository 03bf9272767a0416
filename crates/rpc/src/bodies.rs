//! Requests and answers whose bodies stream: files on their way to and from a service, below `/files/`.
//!
//! A service that moves files implements [`Bodies`] and hands it out by [`Service::bodies`](crate::Service::bodies).
//! Memory is bounded by what one frame of a body holds, times the transfers that a listener takes at once.

use std::future::Future;
use std::io;
use std::ops::Range;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use http_body_util::{BodyExt as _, Either, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{ACCEPT_RANGES, CONTENT_RANGE, CONTENT_TYPE, HeaderValue, RANGE};
use hyper::{Method, Request, Response, StatusCode};
use tokio::time::{Instant, Sleep, sleep, timeout_at};
use types::id::RequestId;

use crate::gate::{Busy, Gate, Slot, Transfer};
use crate::http::{refusal, response};
use crate::reply::{WireFault, describe};
use crate::{Fault, Reply};

/// Where files are.
pub const PREFIX: &str = "/files/";

/// Up to how many bytes of a refused body are read, so that whoever sends it sees the refusal.
const SKIP_BYTES: u64 = 64 << 20;

/// The body of an answer.
pub(crate) type Answer = Either<Full<Bytes>, Content>;

/// A stream of bytes that may break.
pub type ByteStream = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// What a service does with bodies.
pub trait Bodies: Send + Sync + 'static {
    /// Answers one request below [`PREFIX`]. What it leaves of the body of a request that it refuses is read for it.
    fn answer<'a>(&'a self, ask: Ask, body: &'a mut Received) -> Answering<'a>;
}

/// An answer that is being made.
pub type Answering<'a> = Pin<Box<dyn Future<Output = BodyOutcome> + Send + 'a>>;

/// The answer to a request with a body, or for one.
pub type BodyOutcome = Result<BodyAnswer, Box<dyn Fault>>;

/// What is asked of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Its bytes.
    Get,
    /// Its length.
    Head,
    /// To take the body as its bytes.
    Put,
}

/// A request without its body.
#[derive(Clone, Debug)]
pub struct Ask {
    /// What is asked.
    pub verb: Verb,
    /// What follows [`PREFIX`] in the path.
    pub name: String,
    /// The query, without its question mark.
    pub query: String,
    /// The part of the file that is asked for, if it is a part.
    pub range: Option<Wanted>,
    /// The length of the body, where it was said.
    pub length: Option<u64>,
}

/// One range of bytes (RFC 9110, section 14.1.2), as far as it was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// From the first of these to the second, if it is there; both are inside.
    Between(u64, Option<u64>),
    /// So many of the last.
    Last(u64),
}

impl Wanted {
    /// The header's value; `None` for several ranges, other units and nonsense, which are ignored.
    fn parse(value: &str) -> Option<Self> {
        let (from, to) = value.strip_prefix("bytes=")?.split_once('-')?;
        match (from.parse(), to.parse()) {
            (Ok(from), Ok(to)) if from <= to => Some(Wanted::Between(from, Some(to))),
            (Ok(from), Err(_)) if to.is_empty() => Some(Wanted::Between(from, None)),
            (Err(_), Ok(last)) if from.is_empty() => Some(Wanted::Last(last)),
            _ => None,
        }
    }

    /// The bytes of a file of this length that are meant; `None` when there are none.
    pub fn within(self, length: u64) -> Option<Range<u64>> {
        let range = match self {
            Wanted::Between(from, to) => from..to.map_or(length, |to| to.saturating_add(1).min(length)),
            Wanted::Last(count) => length.saturating_sub(count)..length,
        };
        (range.start < range.end).then_some(range)
    }
}

/// What a service answers.
pub enum BodyAnswer {
    /// The body was taken.
    Stored,
    /// These bytes, of a file of this length.
    Content {
        /// Which of them.
        range: Range<u64>,
        /// The file's length.
        of: u64,
        /// The bytes; nothing when only their number was asked for.
        bytes: Option<ByteStream>,
    },
    /// The file is not long enough for what is asked for.
    NoSuchRange {
        /// The file's length.
        of: u64,
    },
}

/// A body that arrives: each frame in time, and none in memory but the last one.
pub struct Received {
    body: Incoming,
    slot: Arc<Slot>,
    patience: Duration,
    /// Set while the other side is waited for; the time that this one takes is not the other's.
    end: Option<Pin<Box<Sleep>>>,
}

impl Received {
    fn new(body: Incoming, gate: &Gate, slot: Arc<Slot>) -> Self {
        Received { body, slot, patience: gate.times.request, end: None }
    }

    /// Reads what is left of a refused body, within bounds.
    async fn skip(&mut self) {
        let (mut read, end) = (0, Instant::now() + self.patience);
        let mut body = pin!(&mut self.body);
        while let Ok(Some(Ok(frame))) = timeout_at(end, body.frame()).await {
            read += frame.data_ref().map_or(0, Bytes::len) as u64;
            if read > SKIP_BYTES {
                break;
            }
        }
    }
}

impl Stream for Received {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.slot.touch();
                    self.end = None;
                    if let Ok(data) = frame.into_data() {
                        metrics::counter!("teehouse_file_bytes_total", "direction" => "in")
                            .increment(data.len() as u64);
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(io::Error::other(error)))),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => {
                    let patience = self.patience;
                    ready!(self.end.get_or_insert_with(|| Box::pin(sleep(patience))).as_mut().poll(cx));
                    return Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())));
                }
            }
        }
    }
}

/// The bytes of an answer, which keep their place among the listener's transfers until the last one is sent.
pub(crate) struct Content {
    bytes: Option<ByteStream>,
    left: u64,
    place: Transfer,
    _busy: Busy,
}

impl Body for Content {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.place.touch();
        let left = self.left;
        let Some(bytes) = self.bytes.as_mut().filter(|_| left > 0) else { return Poll::Ready(None) };
        match ready!(bytes.as_mut().poll_next(cx)) {
            Some(Ok(data)) if data.len() as u64 <= left => {
                self.left -= data.len() as u64;
                metrics::counter!("teehouse_file_bytes_total", "direction" => "out").increment(data.len() as u64);
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            Some(Ok(_)) => Poll::Ready(Some(Err(io::ErrorKind::InvalidData.into()))),
            // The connection breaks, and the caller knows that it has not everything.
            Some(Err(error)) => {
                tracing::error!(error = format!("{:#}", anyhow::Error::from(error)), "a file can't be read to its end");
                Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())))
            }
            None => Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into()))),
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(if self.bytes.is_some() { self.left } else { 0 })
    }
}

/// Answers a request below [`PREFIX`].
pub(crate) async fn respond(
    request: Request<Incoming>,
    bodies: &dyn Bodies,
    gate: &Arc<Gate>,
    mut busy: Busy,
) -> Response<Answer> {
    let (head, body) = request.into_parts();
    let slot = busy.slot();
    let mut received = Received::new(body, gate, slot.clone());
    let refused = |fault: &dyn Fault| json(refusal(fault));
    let Some(verb) = verb(&head.method) else { return refused(&WireFault::NoSuchPath) };
    let (true, Some(place)) = (busy.enter(), gate.transfer(slot)) else {
        received.skip().await;
        return refused(&WireFault::Busy);
    };
    let ask = Ask {
        verb,
        name: head.uri.path().strip_prefix(PREFIX).unwrap_or_default().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        range: head.headers.get(RANGE).and_then(|value| Wanted::parse(value.to_str().ok()?)),
        length: received.body.size_hint().exact(),
    };
    let partial = ask.range.is_some();
    match bodies.answer(ask, &mut received).await {
        Ok(BodyAnswer::Stored) => json(Reply::success(&serde_json::json!({ "type": "Stored" }), &RequestId::fresh())),
        Ok(BodyAnswer::Content { range, of, bytes }) => content(partial, range, of, bytes, (place, busy)),
        Ok(BodyAnswer::NoSuchRange { of }) => no_such_range(of),
        Err(fault) => {
            received.skip().await;
            json(Reply::failure(&describe(&*fault, &RequestId::fresh())))
        }
    }
}

fn verb(method: &Method) -> Option<Verb> {
    match *method {
        Method::GET => Some(Verb::Get),
        Method::HEAD => Some(Verb::Head),
        Method::PUT => Some(Verb::Put),
        _ => None,
    }
}

fn json(reply: Reply) -> Response<Answer> {
    response(reply).map(Either::Left)
}

fn content(
    partial: bool,
    range: Range<u64>,
    of: u64,
    bytes: Option<ByteStream>,
    (place, busy): (Transfer, Busy),
) -> Response<Answer> {
    let (head, left) = (bytes.is_none(), range.end - range.start);
    let mut response = Response::new(Either::Right(Content { bytes, left, place, _busy: busy }));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if head {
        headers.insert(hyper::header::CONTENT_LENGTH, left.into());
    }
    if partial {
        let value = format!("bytes {}-{}/{of}", range.start, range.end - 1);
        headers.insert(CONTENT_RANGE, value.try_into().expect("numbers are ASCII"));
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    response
}

fn no_such_range(of: u64) -> Response<Answer> {
    let mut response = Response::new(Either::Left(Full::new(Bytes::new())));
    *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
    let value = format!("bytes */{of}");
    response.headers_mut().insert(CONTENT_RANGE, value.try_into().expect("numbers are ASCII"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_rfc_9110_has_them() {
        for (header, length, expected) in [
            ("bytes=0-0", 10, Some(0..1)),
            ("bytes=2-5", 10, Some(2..6)),
            ("bytes=2-", 10, Some(2..10)),
            ("bytes=2-99", 10, Some(2..10)),
            ("bytes=-3", 10, Some(7..10)),
            ("bytes=-99", 10, Some(0..10)),
            ("bytes=10-", 10, None),
            ("bytes=-0", 10, None),
            ("bytes=0-", 0, None),
            ("bytes=0-18446744073709551615", 10, Some(0..10)),
        ] {
            assert_eq!(Wanted::parse(header).expect(header).within(length), expected, "{header} of {length}");
        }
        for ignored in ["", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-2", "bytes=0-1,3-4", "lines=1-2"] {
            assert_eq!(Wanted::parse(ignored), None, "{ignored}");
        }
    }
}
