//! What one run's guest can reach, all of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use wasmtime::component::ResourceTable;

use super::Sandbox;
use super::clock::Clock;
use super::door::Door;
use super::memory::Memory;
use super::preview1;
use super::random::Random;
use super::tail::Tail;
use super::tree::{Script, Tree};
use crate::meter::Meter;
use crate::{Invocation, ResultText};

/// Descriptors, streams and the like that a guest may have at a time. A large input's stream costs its host 128 KiB.
pub(super) const HANDLES: usize = 512;

/// The data of one store.
pub(super) struct Host {
    pub(super) table: ResourceTable,
    pub(super) meter: Arc<Meter>,
    pub(super) arguments: Vec<String>,
    /// How much of the payload was read as standard input.
    pub(super) stdin: u64,
    pub(super) payload: Arc<[u8]>,
    pub(super) stdout: ResultText,
    pub(super) stderr: Tail,
    pub(super) clock: Clock,
    pub(super) random: Random,
    pub(super) tree: Tree,
    pub(super) door: Door,
    /// Open files of a preview 1 command, by number.
    pub(super) fds: preview1::Table,
    pub(super) memory: Memory,
}

impl Host {
    pub(super) fn new(invocation: &Invocation<'_>, sandbox: Sandbox, scripts: Arc<[Script]>) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES);
        let payload = invocation.payload();
        let sizes = (0..invocation.input_count()).map(|input| invocation.input_size(input)).collect();
        Self {
            table,
            meter: invocation.meter().clone(),
            arguments: [Some(invocation.name()), payload].into_iter().flatten().map(str::to_owned).collect(),
            stdin: 0,
            payload: Arc::from(payload.unwrap_or_default().as_bytes()),
            stdout: invocation.result(),
            stderr: Tail::default(),
            clock: Clock::new(sandbox.clock),
            random: Random::new(sandbox.randomness),
            tree: Tree { sizes, scripts, outputs: BTreeMap::new() },
            door: Door::default(),
            fds: preview1::Table::new(),
            memory: Memory::new(invocation.meter().limits().memory),
        }
    }
}
