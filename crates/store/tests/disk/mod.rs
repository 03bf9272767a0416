//! A disk in memory that fails when it is told to, and forgets what was not flushed when the power goes.

#![allow(dead_code, reason = "not every test file uses all of it")]

use std::{
    io,
    sync::{Arc, Mutex},
};

use redb::StorageBackend;

/// What a power cut tears writes into: the unit that disks write as a whole, in bytes.
const SECTOR_LEN: usize = 512;

/// How a disk fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// One call fails; the disk works again after it.
    Once,
    /// The disk is gone from that call on.
    Gone,
    /// As gone, but the first half of a write that meets it arrives.
    Torn,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Disk(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// What a reader sees now.
    now: Vec<u8>,
    /// What was there at the last flush.
    flushed: Vec<u8>,
    /// What happened since.
    unflushed: Vec<Change>,
    calls: u64,
    flushes: u64,
    fault: Option<(u64, Fault)>,
}

#[derive(Clone)]
enum Change {
    Write(usize, Vec<u8>),
    SetLen(usize),
}

impl Disk {
    /// Fails as `fault` says when it is written to, resized or flushed for the `call`-th time from now.
    pub(crate) fn fail_at(&self, call: u64, fault: Fault) {
        let mut state = self.0.lock().unwrap();
        state.fault = Some((state.calls + call, fault));
    }

    /// How often it was written to, resized or flushed.
    pub(crate) fn calls(&self) -> u64 {
        self.0.lock().unwrap().calls
    }

    /// How often it was flushed.
    pub(crate) fn flushes(&self) -> u64 {
        self.0.lock().unwrap().flushes
    }

    /// The disk after a power cut: all that was flushed, and of the rest whatever `chance` lets through, sector by sector.
    pub(crate) fn after_power_cut(&self, mut chance: impl FnMut() -> bool) -> Self {
        let state = self.0.lock().unwrap();
        let mut left = state.flushed.clone();
        for change in &state.unflushed {
            match change {
                Change::SetLen(len) => left.resize(*len, 0),
                Change::Write(offset, data) => {
                    for (i, sector) in data.chunks(SECTOR_LEN).enumerate().filter(|_| chance()) {
                        write_at(&mut left, offset + i * SECTOR_LEN, sector);
                    }
                }
            }
        }
        let state = State { now: left.clone(), flushed: left, ..State::default() };
        Self(Arc::new(Mutex::new(state)))
    }
}

impl State {
    /// Counts a call, and says whether and how it fails.
    fn call(&mut self) -> Option<Fault> {
        self.calls += 1;
        let (at, fault) = self.fault?;
        let fails = match fault {
            Fault::Once => self.calls == at,
            Fault::Gone | Fault::Torn => self.calls >= at,
        };
        fails.then_some(if self.calls == at { fault } else { Fault::Gone })
    }

    fn apply(&mut self, change: Change) {
        match &change {
            Change::SetLen(len) => self.now.resize(*len, 0),
            Change::Write(offset, data) => write_at(&mut self.now, *offset, data),
        }
        self.unflushed.push(change);
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> Result<u64, io::Error> {
        Ok(self.0.lock().unwrap().now.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        let state = self.0.lock().unwrap();
        let start = usize::try_from(offset).unwrap();
        let found = state.now.get(start..start + out.len());
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        let mut state = self.0.lock().unwrap();
        match state.call() {
            Some(_) => Err(broken()),
            None => {
                state.apply(Change::SetLen(usize::try_from(len).unwrap()));
                Ok(())
            }
        }
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        let mut state = self.0.lock().unwrap();
        if state.call().is_some() {
            return Err(broken());
        }
        state.flushed = state.now.clone();
        state.unflushed.clear();
        state.flushes += 1;
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        let mut state = self.0.lock().unwrap();
        let offset = usize::try_from(offset).unwrap();
        match state.call() {
            None => {
                state.apply(Change::Write(offset, data.to_vec()));
                Ok(())
            }
            Some(fault) => {
                if fault == Fault::Torn {
                    state.apply(Change::Write(offset, data[..data.len() / 2].to_vec()));
                }
                Err(broken())
            }
        }
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "State({} bytes, {} calls)", self.now.len(), self.calls)
    }
}

fn broken() -> io::Error {
    io::Error::other("broken on purpose")
}

fn write_at(bytes: &mut Vec<u8>, offset: usize, data: &[u8]) {
    let end = offset + data.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[offset..end].copy_from_slice(data);
}
