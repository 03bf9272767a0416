//! From a body to an answer: decode, call, reply, for any service behind one erased type.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use bytes::Bytes;
use types::error::ErrorReply;
use types::service::Api;
use types::wire::Request as _;

use crate::bodies::Bodies;
use crate::reply::{WireFault, describe};
use crate::{Ctx, Peer, Protocol, Reply, Service};

/// A service as connections see it: bytes in, an answer out.
pub(crate) trait Handler: Send + Sync + 'static {
    /// Which API it answers, for limits, documents and metrics.
    fn api(&self) -> Api;

    /// What it does with files on their way.
    fn bodies(&self) -> Option<&dyn Bodies>;

    /// Answers one request body.
    fn handle(&self, peer: Peer, body: Bytes) -> Pin<Box<dyn Future<Output = Reply> + Send + '_>>;
}

/// Makes a [`Handler`] of a service.
pub(crate) struct Serve<S>(pub(crate) Arc<S>);

impl<S: Service> Handler for Serve<S> {
    fn api(&self) -> Api {
        S::Protocol::API
    }

    fn bodies(&self) -> Option<&dyn Bodies> {
        self.0.bodies()
    }

    fn handle(&self, peer: Peer, body: Bytes) -> Pin<Box<dyn Future<Output = Reply> + Send + '_>> {
        Box::pin(answer(&*self.0, peer, body))
    }
}

async fn answer<S: Service>(service: &S, peer: Peer, body: Bytes) -> Reply {
    let (started, ctx) = (Instant::now(), Ctx::receive(peer));
    let request_id = ctx.request_id.clone();
    let (kind, outcome) = match <S::Protocol as Protocol>::Request::from_json(&body) {
        Err(error) => ("undecodable", Err(describe(&WireFault::Decode(error), &request_id))),
        Ok(request) => {
            drop(body);
            (request.kind(), call(service, ctx, request).await)
        }
    };
    let reply = match &outcome {
        Ok(response) => Reply::success(response, &request_id),
        Err(error) => Reply::failure(error),
    };
    record(S::Protocol::API, kind, &reply, started);
    reply
}

/// Calls a service; a panic becomes an internal failure of this request alone.
pub(crate) async fn call<S: Service>(
    service: &S,
    ctx: Ctx,
    request: <S::Protocol as Protocol>::Request,
) -> Result<<S::Protocol as Protocol>::Response, ErrorReply> {
    let request_id = ctx.request_id.clone();
    match catch_panic(service.call(ctx, request)).await {
        Some(Ok(response)) => Ok(response),
        Some(Err(fault)) => Err(describe(&fault, &request_id)),
        None => Err(describe(&WireFault::Panicked, &request_id)),
    }
}

/// `None` when the future panics.
async fn catch_panic<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Some),
        Err(_) => Poll::Ready(None),
    })
    .await
}

fn record(api: Api, kind: &'static str, reply: &Reply, started: Instant) {
    let code = reply.code().map_or("ok", |code| code.as_str());
    metrics::counter!("teehouse_requests_total", "api" => api.as_str(), "kind" => kind, "code" => code).increment(1);
    metrics::histogram!("teehouse_request_seconds", "api" => api.as_str(), "kind" => kind).record(started.elapsed());
}
