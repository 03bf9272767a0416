//! `wasi:io/poll` and `wasi:clocks`: everything is ready but what waits for a time.

use wasmtime::component::Resource;

use super::bindings::wasi::clocks::{monotonic_clock, wall_clock};
use super::bindings::wasi::io::poll;
use super::host::Host;
use crate::Failure;

/// What a guest can wait for.
#[derive(Clone, Copy)]
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub enum Pollable {
    /// A stream: operations on it wait themselves.
    Ready,
    /// A moment of the monotonic clock, in nanoseconds.
    At(u64),
}

impl Host {
    pub(super) fn is_ready(&self, pollable: Pollable) -> bool {
        match pollable {
            Pollable::Ready => true,
            Pollable::At(instant) => self.clock.reached(instant),
        }
    }

    /// Waits until at least one of them is ready.
    pub(super) fn wait(&mut self, pollables: &[Pollable]) -> Result<(), Failure> {
        self.meter.check()?;
        let first = pollables.iter().map(|pollable| match pollable {
            Pollable::Ready => 0,
            Pollable::At(instant) => *instant,
        });
        match first.min() {
            None => Err(Failure::function("the function waits for nothing")),
            Some(0) => Ok(()),
            Some(instant) => self.clock.sleep_until(instant, &self.meter),
        }
    }

    fn wait_at(&mut self, instant: u64) -> wasmtime::Result<Resource<Pollable>> {
        Ok(self.table.push(Pollable::At(instant))?)
    }
}

impl poll::Host for Host {
    fn poll(&mut self, pollables: Vec<Resource<Pollable>>) -> wasmtime::Result<Vec<u32>> {
        let pollables: Result<Vec<Pollable>, _> = pollables.iter().map(|one| self.table.get(one).copied()).collect();
        let pollables = pollables?;
        self.wait(&pollables)?;
        Ok((0..).zip(pollables).filter(|(_, pollable)| self.is_ready(*pollable)).map(|(index, _)| index).collect())
    }
}

impl poll::HostPollable for Host {
    fn ready(&mut self, pollable: Resource<Pollable>) -> wasmtime::Result<bool> {
        Ok(self.is_ready(*self.table.get(&pollable)?))
    }

    fn block(&mut self, pollable: Resource<Pollable>) -> wasmtime::Result<()> {
        let pollable = *self.table.get(&pollable)?;
        Ok(self.wait(&[pollable])?)
    }

    fn drop(&mut self, pollable: Resource<Pollable>) -> wasmtime::Result<()> {
        self.table.delete(pollable)?;
        Ok(())
    }
}

impl monotonic_clock::Host for Host {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(self.clock.now())
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(self.clock.resolution())
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<Pollable>> {
        self.wait_at(when)
    }

    fn subscribe_duration(&mut self, duration: u64) -> wasmtime::Result<Resource<Pollable>> {
        let instant = self.clock.now().saturating_add(duration);
        self.wait_at(instant)
    }
}

impl wall_clock::Host for Host {
    fn now(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        let (seconds, nanoseconds) = self.clock.wall();
        Ok(wall_clock::Datetime { seconds, nanoseconds })
    }

    fn resolution(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        let nanoseconds = u32::try_from(self.clock.resolution()).unwrap_or(u32::MAX);
        Ok(wall_clock::Datetime { seconds: 0, nanoseconds })
    }
}
