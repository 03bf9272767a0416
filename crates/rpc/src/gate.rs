//! What the connections of a listener share: its limits, and what each of them holds of what is limited.
//!
//! Memory is bounded by three numbers: connections (past the limit the longest idle one makes room, so that idle
//! connections never keep anyone out), requests in flight, and request bytes buffered over all connections.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::config::Limits;
use crate::dispatch::{Handler, Serve};
use crate::shutdown::Shutdown;
use crate::{Protocol, Service, openapi};

/// How long each part of a connection's life may take.
pub(crate) struct Times {
    pub(crate) handshake: Duration,
    pub(crate) header: Duration,
    pub(crate) request: Duration,
    pub(crate) idle: Duration,
    pub(crate) drain: Duration,
}

/// What every connection of a listener shares.
pub(crate) struct Gate {
    pub(crate) handler: Arc<dyn Handler>,
    pub(crate) request_bytes: usize,
    pub(crate) times: Times,
    pub(crate) health: Bytes,
    pub(crate) openapi: Bytes,
    shutdown: Shutdown,
    requests: Budget,
    buffered: Budget,
    transfers: Budget,
}

impl Gate {
    pub(crate) fn new<S: Service>(service: Arc<S>, limits: &Limits, health: Bytes, shutdown: Shutdown) -> Self {
        let seconds = Duration::from_secs;
        let times = Times {
            handshake: seconds(limits.handshake_seconds),
            header: seconds(limits.header_seconds),
            request: seconds(limits.request_seconds),
            idle: seconds(limits.idle_seconds),
            drain: limits.drain(),
        };
        Gate {
            handler: Arc::new(Serve(service)),
            request_bytes: limits.request_bytes(S::Protocol::API),
            times,
            health,
            openapi: openapi::json::<S::Protocol>().into(),
            shutdown,
            requests: Budget::new(limits.requests),
            buffered: Budget::new(limits.buffered_bytes),
            transfers: Budget::new(limits.transfers),
        }
    }

    /// Returns once the listener is to stop.
    pub(crate) async fn stopping(&self) {
        self.shutdown.begun().await;
    }

    /// A place among the transfers, if one is free.
    pub(crate) fn transfer(self: &Arc<Self>, slot: Arc<Slot>) -> Option<Transfer> {
        self.transfers.take(1).then(|| {
            slot.transfers.fetch_add(1, Ordering::AcqRel);
            Transfer { gate: self.clone(), slot }
        })
    }

    /// Whether the listener is to stop.
    pub(crate) fn is_stopping(&self) -> bool {
        self.shutdown.has_begun()
    }
}

/// A number of things of which only so many may be out at once.
struct Budget {
    free: AtomicUsize,
}

impl Budget {
    fn new(limit: usize) -> Self {
        Budget { free: AtomicUsize::new(limit) }
    }

    fn take(&self, count: usize) -> bool {
        self.free.fetch_update(Ordering::AcqRel, Ordering::Acquire, |free| free.checked_sub(count)).is_ok()
    }

    fn give_back(&self, count: usize) {
        self.free.fetch_add(count, Ordering::AcqRel);
    }
}

/// A file on its way; dropping it makes room for another.
pub(crate) struct Transfer {
    gate: Arc<Gate>,
    slot: Arc<Slot>,
}

impl Transfer {
    /// Something of it moved.
    pub(crate) fn touch(&self) {
        self.slot.touch();
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        self.slot.transfers.fetch_sub(1, Ordering::AcqRel);
        self.gate.transfers.give_back(1);
    }
}

/// What one request in progress holds; dropping it gives all of it back.
pub(crate) struct Busy {
    gate: Arc<Gate>,
    slot: Arc<Slot>,
    unreserved: usize,
    reserved: usize,
    entered: bool,
}

/// Request bytes that a connection needs no reservation for: what the connection limit alone bounds.
pub(crate) const UNRESERVED_BYTES: usize = 64 << 10;

impl Busy {
    /// A request that begins, and may have so many bytes without a reservation.
    pub(crate) fn new(gate: Arc<Gate>, slot: Arc<Slot>, unreserved: usize) -> Self {
        slot.touch();
        slot.begun.fetch_add(1, Ordering::AcqRel);
        Busy { gate, slot, unreserved, reserved: 0, entered: false }
    }

    /// The connection that it came on.
    pub(crate) fn slot(&self) -> Arc<Slot> {
        self.slot.clone()
    }

    /// Makes room for a request of so many bytes so far.
    pub(crate) fn reserve(&mut self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.unreserved).saturating_sub(self.reserved);
        let taken = more == 0 || self.gate.buffered.take(more);
        if taken {
            self.reserved += more;
        }
        taken
    }

    /// Takes a place among the requests in flight.
    pub(crate) fn enter(&mut self) -> bool {
        self.entered = self.gate.requests.take(1);
        if self.entered {
            self.slot.in_flight.fetch_add(1, Ordering::AcqRel);
        }
        self.entered
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.gate.buffered.give_back(self.reserved);
        self.slot.touch();
        if self.entered {
            self.gate.requests.give_back(1);
            self.slot.in_flight.fetch_sub(1, Ordering::AcqRel);
        }
        self.slot.begun.fetch_sub(1, Ordering::AcqRel);
    }
}

/// One connection's place in its listener.
pub(crate) struct Slot {
    /// Requests of which something arrived and whose answer is not made yet.
    begun: AtomicUsize,
    /// Those of them that arrived whole and are worked on.
    in_flight: AtomicUsize,
    /// Files on their way.
    transfers: AtomicUsize,
    opened: Instant,
    /// When a request last began or ended, in milliseconds after `opened`.
    last_used: AtomicU64,
    evicted: AtomicBool,
    evict: Notify,
}

impl Slot {
    pub(crate) fn new() -> Self {
        Slot {
            begun: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            transfers: AtomicUsize::new(0),
            opened: Instant::now(),
            last_used: AtomicU64::new(0),
            evicted: AtomicBool::new(false),
            evict: Notify::new(),
        }
    }

    pub(crate) fn touch(&self) {
        self.last_used.store(self.opened.elapsed().as_millis() as u64, Ordering::Release);
    }

    /// Returns when the connection is to make room for another.
    pub(crate) async fn evicted(&self) {
        self.evict.notified().await;
    }

    /// How long no request was worked on; `None` while one is. Such a connection makes room for others.
    fn idle_for(&self) -> Option<Duration> {
        (self.in_flight.load(Ordering::Acquire) == 0).then(|| self.since_used())
    }

    /// How long nothing of a request arrived, nor was it worked on; `None` while that is so.
    pub(crate) fn quiet_for(&self) -> Option<Duration> {
        (self.begun.load(Ordering::Acquire) == 0).then(|| self.since_used())
    }

    /// For how long nothing moved of files that are on their way; `None` when there are none.
    pub(crate) fn stalled_for(&self) -> Option<Duration> {
        (self.transfers.load(Ordering::Acquire) > 0).then(|| self.since_used())
    }

    fn since_used(&self) -> Duration {
        self.opened.elapsed().saturating_sub(Duration::from_millis(self.last_used.load(Ordering::Acquire)))
    }
}

/// The connections of one listener.
pub(crate) struct Slots {
    limit: usize,
    next: AtomicU64,
    open: Mutex<HashMap<u64, Arc<Slot>>>,
}

impl Slots {
    /// So many places, all free.
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Slots { limit, next: AtomicU64::new(0), open: Mutex::default() })
    }

    /// Takes a place, for which the longest idle connection makes room if need be.
    pub(crate) fn take(self: &Arc<Self>) -> Option<Place> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= self.limit {
            let candidates = open.values().filter(|slot| !slot.evicted.load(Ordering::Acquire));
            let longest = candidates.filter_map(|slot| Some((slot.idle_for()?, slot))).max_by_key(|(idle, _)| *idle)?.1;
            longest.evicted.store(true, Ordering::Release);
            longest.evict.notify_one();
        }
        let (id, slot) = (self.next.fetch_add(1, Ordering::Relaxed), Arc::new(Slot::new()));
        open.insert(id, slot.clone());
        Some(Place { id, slot, slots: self.clone() })
    }
}

/// A taken place; dropping it frees it.
pub(crate) struct Place {
    id: u64,
    pub(crate) slot: Arc<Slot>,
    slots: Arc<Slots>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.slots.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_listener_evicts_the_longest_idle_connection() {
        let slots = Slots::new(2);
        let (old, young) = (slots.take().expect("free"), slots.take().expect("free"));
        old.slot.last_used.store(0, Ordering::Release);
        std::thread::sleep(Duration::from_millis(5));
        young.slot.touch();
        assert!(slots.take().is_some());
        assert!(old.slot.evicted.load(Ordering::Acquire) && !young.slot.evicted.load(Ordering::Acquire));
    }

    #[test]
    fn a_listener_full_of_requests_evicts_nobody() {
        let slots = Slots::new(1);
        let busy = slots.take().expect("free");
        busy.slot.in_flight.store(1, Ordering::Release);
        assert!(slots.take().is_none());
    }

    #[test]
    fn a_budget_is_never_overdrawn() {
        let budget = Budget::new(3);
        assert!(budget.take(2) && !budget.take(2) && budget.take(1) && !budget.take(1));
        budget.give_back(3);
        assert!(budget.take(3));
    }
}
