//! Places for runs: how many there are at once, and what memory they may take together. Who finds none waits in turn,
//! before the task is leased, so that waiting costs it nothing.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Error;
use crate::node::Settings;

/// The unit in which memory is shared out, in bytes.
const UNIT: u64 = 1 << 20;

/// A run's place. Whatever thread still works for the run keeps it.
pub(crate) type Slot = Arc<Place>;

/// A place among the runs, and the memory that goes with it.
pub(crate) struct Place {
    _slot: OwnedSemaphorePermit,
    _memory: OwnedSemaphorePermit,
}

/// The places of a node.
pub(crate) struct Places {
    slots: Arc<Semaphore>,
    slot_count: u32,
    memory: Arc<Semaphore>,
    units: u32,
    queue: usize,
    waiting: AtomicUsize,
    closed: AtomicBool,
}

impl Places {
    pub(crate) fn new(settings: &Settings) -> Self {
        let slot_count = u32::try_from(settings.concurrency).unwrap_or(u32::MAX);
        let units = units(settings.all_memory_bytes).max(1);
        Places {
            slots: Arc::new(Semaphore::new(slot_count as usize)),
            slot_count,
            memory: Arc::new(Semaphore::new(units as usize)),
            units,
            queue: settings.queue,
            waiting: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
        }
    }

    /// Waits for a place and so much memory, in bytes, behind at most so many others as may wait. Who needs more than
    /// there is gets all of it.
    ///
    /// # Errors
    /// When too many wait, or the node stops.
    pub(crate) async fn take(&self, memory: u64) -> Result<Slot, Error> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::Stopping);
        }
        let units = units(memory).min(self.units);
        if let Ok(memory) = self.memory.clone().try_acquire_many_owned(units)
            && let Ok(slot) = self.slots.clone().try_acquire_owned()
        {
            return Ok(Arc::new(Place { _slot: slot, _memory: memory }));
        }
        let waiting = Waiting::enter(&self.waiting);
        if waiting.ahead >= self.queue {
            return Err(Error::QueueFull(self.queue));
        }
        // Memory first: who waits for it takes no place from those who need little.
        let memory = self.memory.clone().acquire_many_owned(units).await.map_err(|_| Error::Stopping)?;
        let slot = self.slots.clone().acquire_owned().await.map_err(|_| Error::Stopping)?;
        Ok(Arc::new(Place { _slot: slot, _memory: memory }))
    }

    /// Gives no more places.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// Waits until every place was given back.
    pub(crate) async fn empty(&self) {
        let _ = self.slots.acquire_many(self.slot_count).await;
    }
}

/// So many bytes, rounded up.
fn units(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
}

/// One invocation that waits.
struct Waiting<'a> {
    count: &'a AtomicUsize,
    ahead: usize,
}

impl<'a> Waiting<'a> {
    fn enter(count: &'a AtomicUsize) -> Self {
        Waiting { count, ahead: count.fetch_add(1, Ordering::AcqRel) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Three quarters of the memory that this machine, or the control group that it runs in, has; no bound where neither is
/// told.
pub(crate) fn memory_of_machine() -> u64 {
    let read = |path| fs::read_to_string(path).ok();
    let machine = read("/proc/meminfo").and_then(|text| total(&text));
    // cgroup v2: a number, or `max`.
    let group = read("/sys/fs/cgroup/memory.max").and_then(|text| text.trim().parse().ok());
    machine.into_iter().chain(group).min().map_or(u64::MAX, |bytes: u64| bytes / 4 * 3)
}

/// `MemTotal` of `/proc/meminfo`, in bytes.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn places(concurrency: usize, memory: u64, queue: usize) -> Places {
        let settings = Settings::from(&rpc::config::Config::default());
        Places::new(&Settings { concurrency, all_memory_bytes: memory, queue, ..settings })
    }

    async fn is_kept_waiting(places: &Places, memory: u64) -> bool {
        tokio::time::timeout(Duration::from_millis(20), places.take(memory)).await.is_err()
    }

    #[tokio::test]
    async fn runs_take_no_more_memory_than_there_is() {
        let places = places(10, 100 * UNIT, 10);
        let most = places.take(70 * UNIT).await.expect("a place");
        let little = places.take(30 * UNIT - 1).await.expect("a place");
        let none = places.take(0).await.expect("a place");
        assert!(is_kept_waiting(&places, 1).await);
        drop((little, none));
        let again = places.take(30 * UNIT).await.expect("given back");
        drop((most, again));
        let all = places.take(u64::MAX).await.expect("all that there is");
        assert!(is_kept_waiting(&places, 1).await);
        drop(all);
    }

    #[tokio::test]
    async fn who_waits_for_memory_takes_no_place_and_counts_as_waiting() {
        let places = places(2, 100 * UNIT, 1);
        let all = places.take(100 * UNIT).await.expect("a place");
        let (waiting, others) = tokio::join!(within_a_moment(&places, UNIT), async {
            let full = places.take(UNIT).await;
            (matches!(full, Err(Error::QueueFull(1))), places.take(0).await.is_ok())
        });
        assert!(waiting.is_none());
        assert_eq!(others, (true, true));
        drop(all);
    }

    async fn within_a_moment(places: &Places, memory: u64) -> Option<Slot> {
        tokio::time::timeout(Duration::from_millis(50), places.take(memory)).await.ok().and_then(Result::ok)
    }

    #[tokio::test]
    async fn a_closed_node_gives_no_place_and_waits_for_those_it_gave() {
        let places = places(2, UNIT, 1);
        let place = places.take(UNIT).await.expect("a place");
        places.close();
        assert!(matches!(places.take(0).await, Err(Error::Stopping)));
        assert!(tokio::time::timeout(Duration::from_millis(20), places.empty()).await.is_err());
        drop(place);
        places.empty().await;
    }

    #[test]
    fn the_machine_says_what_it_has() {
        assert_eq!(total("MemTotal:       16384 kB\nMemFree: 1 kB\n"), Some(16 << 20));
        for odd in ["", "MemFree: 1 kB", "MemTotal: many kB", "MemTotal: 5", "MemTotal: 18446744073709551615 kB"] {
            assert_eq!(total(odd), None, "{odd}");
        }
        assert!(memory_of_machine() > 0);
    }
}
