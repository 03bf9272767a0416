//! Arguments, time, random numbers, the exit status, and the sockets that there are not.

use super::super::bindings::wasi::filesystem::types::ErrorCode;
use super::super::cli::Exit;
use super::super::host::Host;
use super::super::poll::Pollable;
use super::abi::{Guest, Refusal, u32_of, u64_of};
use crate::Failure;

type Done = Result<(), Refusal>;

/// Bytes of the records `subscription` and `event`.
const SUBSCRIPTION: u32 = 48;
const EVENT: usize = 32;
/// Subscriptions in one call: more than can be open.
const MOST_WAITS: u32 = 1024;

/// Ends the guest.
pub(super) fn exit(status: u32) -> wasmtime::Result<()> {
    Err(if status == 0 { Exit::Well } else { Exit::Status(status) }.into())
}

impl Host {
    pub(super) fn args_sizes_get(&mut self, guest: &mut Guest<'_>, count: u32, bytes: u32) -> Done {
        let total: usize = self.arguments.iter().map(|argument| argument.len() + 1).sum();
        guest.put_u32(count, u32::try_from(self.arguments.len()).unwrap_or(u32::MAX))?;
        guest.put_u32(bytes, u32::try_from(total).map_err(|_| ErrorCode::Overflow)?)
    }

    pub(super) fn args_get(&mut self, guest: &mut Guest<'_>, mut pointers: u32, mut text: u32) -> Done {
        for argument in &self.arguments {
            guest.put_u32(pointers, text)?;
            guest.put(text, argument.as_bytes())?;
            text = text.saturating_add(u32::try_from(argument.len()).unwrap_or(u32::MAX));
            guest.put(text, &[0])?;
            text = text.saturating_add(1);
            pointers = pointers.saturating_add(4);
        }
        Ok(())
    }

    pub(super) fn environ_sizes_get(&mut self, guest: &mut Guest<'_>, count: u32, bytes: u32) -> Done {
        guest.put_u32(count, 0)?;
        guest.put_u32(bytes, 0)
    }

    pub(super) fn environ_get(&mut self, _: &mut Guest<'_>, _: u32, _: u32) -> Done {
        Ok(())
    }

    pub(super) fn clock_res_get(&mut self, guest: &mut Guest<'_>, clock: u32, at: u32) -> Done {
        check_clock(clock)?;
        guest.put_u64(at, self.clock.resolution())
    }

    pub(super) fn clock_time_get(&mut self, guest: &mut Guest<'_>, clock: u32, _: u64, at: u32) -> Done {
        let now = self.time(clock)?;
        guest.put_u64(at, now)
    }

    /// Nanoseconds: since 1970 for clock 0, since some moment for the others.
    fn time(&mut self, clock: u32) -> Result<u64, Refusal> {
        check_clock(clock)?;
        if clock != 0 {
            return Ok(self.clock.now());
        }
        let (seconds, nanos) = self.clock.wall();
        Ok(seconds.saturating_mul(1_000_000_000).saturating_add(u64::from(nanos)))
    }

    pub(super) fn random_get(&mut self, guest: &mut Guest<'_>, buffer: u32, length: u32) -> Done {
        let bytes = guest.bytes_mut(buffer, length)?;
        Ok(self.random.fill(bytes).map_err(Failure::from)?)
    }

    pub(super) fn sched_yield(&mut self, _: &mut Guest<'_>) -> Done {
        Ok(self.meter.check()?)
    }

    pub(super) fn poll_oneoff(
        &mut self,
        guest: &mut Guest<'_>,
        subscriptions: u32,
        events: u32,
        count: u32,
        at: u32,
    ) -> Done {
        if !(1..=MOST_WAITS).contains(&count) {
            return Err(ErrorCode::Invalid.into());
        }
        let mut waits = Vec::new();
        for index in 0..count {
            let record: [u8; SUBSCRIPTION as usize] =
                guest.array(subscriptions, index, SUBSCRIPTION)?.try_into().map_err(|_| ErrorCode::Invalid)?;
            waits.push((u64_of(&record, 0), record[8], self.subscribed(&record)?));
        }
        let pollables: Vec<Pollable> = waits.iter().map(|(_, _, pollable)| *pollable).collect();
        self.wait(&pollables)?;
        let ready = waits.iter().filter(|(_, _, pollable)| self.is_ready(*pollable));
        let records: Vec<u8> = ready.flat_map(|(userdata, kind, _)| event(*userdata, *kind)).collect();
        guest.put(events, &records)?;
        guest.put_u32(at, u32::try_from(records.len() / EVENT).unwrap_or(u32::MAX))
    }

    fn subscribed(&mut self, record: &[u8]) -> Result<Pollable, Refusal> {
        if record[8] != 0 {
            return Ok(Pollable::Ready);
        }
        let (clock, timeout, absolute) = (u32_of(record, 16), u64_of(record, 24), record[40] & 1 == 1);
        let wait = if absolute { timeout.saturating_sub(self.time(clock)?) } else { timeout };
        Ok(Pollable::At(self.clock.now().saturating_add(wait)))
    }
}

fn check_clock(clock: u32) -> Done {
    if clock < 4 { Ok(()) } else { Err(ErrorCode::Invalid.into()) }
}

fn event(userdata: u64, kind: u8) -> [u8; EVENT] {
    let mut record = [0; EVENT];
    record[..8].copy_from_slice(&userdata.to_le_bytes());
    record[10] = kind;
    record
}
