//! An invocation: check, wait for a place, run in a session that outlives nobody's interest in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use executor::StopSignal;
use rpc::Ctx;
use tokio::sync::watch;
use types::wire::fns::Request;

use crate::Error;
use crate::node::Fns;
use crate::session::{CALLER_GONE, Session};

impl Fns {
    /// Runs a task for whoever shows its token. When this is dropped, the run is stopped and the task fails.
    pub(crate) async fn invoke(self: &Arc<Self>, ctx: Ctx, request: Request) -> Result<String, Error> {
        let plan = self.check(request).await?;
        let slot = self.places.take(plan.memory(&self.settings)).await?;
        let stop = StopOnDrop::default();
        let caller_gone = stop.notify.subscribe();
        let lease = Session::lease(self.clone(), plan, ctx.request_id, stop.signal.clone(), slot);
        // In a task of its own from the first moment, so that a lease that was taken is always given back.
        let session = tokio::spawn(async move { lease.await?.run(caller_gone).await });
        let result = session.await.unwrap_or_else(|error| Err(Error::Cancelled(error.to_string())));
        stop.disarm();
        result
    }
}

/// Stops a session when the caller who waits for it is gone.
#[derive(Default)]
struct StopOnDrop {
    signal: StopSignal,
    notify: watch::Sender<bool>,
    done: AtomicBool,
}

impl StopOnDrop {
    fn disarm(&self) {
        self.done.store(true, Ordering::Release);
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        if !self.done.load(Ordering::Acquire) {
            self.signal.stop(CALLER_GONE);
            self.notify.send_replace(true);
        }
    }
}
