//! The engine's two ways to give a guest memory, with the same settings otherwise, so that compiled code fits both.

use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::bindings::{Function as Bindings, FunctionPre};
use super::host::Host;
use super::{EngineOptions, sockets};

/// Bytes of stack for a guest's calls: what programs have by default on Linux, halved.
pub(super) const GUEST_STACK: usize = 4 << 20;
/// The host functions' share of the stack: they decrypt and write there.
const HOST_STACK: usize = 2 << 20;

/// What a component may have in the pool; one with more gets its memory anew for each run. Python has about 40 instances.
const INSTANCES: u32 = 64;
const MEMORIES: u32 = 2;
const TABLES: u32 = 8;
const TABLE_ELEMENTS: usize = 1 << 16;
/// Bytes of a memory that the pool clears and keeps instead of giving them back: an empty C or Rust program's.
const KEPT_BYTES: usize = 256 << 10;

/// A wasmtime engine and what guests are linked with.
pub(super) struct Flavour {
    pub(super) engine: Engine,
    linker: Linker<Host>,
}

impl Flavour {
    /// Guests get memory of their own from the system.
    pub(super) fn plain(options: &EngineOptions) -> wasmtime::Result<Self> {
        Self::with(&config(options))
    }

    /// Up to `slots` guests at a time get memory that was set aside.
    pub(super) fn pooled(options: &EngineOptions, slots: u32) -> wasmtime::Result<Self> {
        let mut config = config(options);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(slots)));
        Self::with(&config)
    }

    fn with(config: &Config) -> wasmtime::Result<Self> {
        let engine = Engine::new(config)?;
        let mut linker = Linker::new(&engine);
        Bindings::add_to_linker::<_, HasSelf<_>>(&mut linker, |host: &mut Host| host)?;
        Ok(Self { engine, linker })
    }

    /// Links a component; fails if it imports what isn't there.
    pub(super) fn link(&self, component: &Component) -> wasmtime::Result<FunctionPre<Host>> {
        let mut linker = self.linker.clone();
        sockets::deny(component, &self.engine, &mut linker)?;
        FunctionPre::new(linker.instantiate_pre(component)?)
    }
}

/// Deterministic, interruptible, and nothing of WebAssembly that [`inspect`](super::inspect) does not know.
fn config(options: &EngineOptions) -> Config {
    let mut config = Config::new();
    config
        .consume_fuel(options.fuel)
        .epoch_interruption(true)
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .wasm_multi_memory(true)
        .wasm_memory64(false)
        .wasm_wide_arithmetic(false)
        .wasm_custom_page_sizes(false)
        .max_wasm_stack(GUEST_STACK)
        .async_stack_size(GUEST_STACK + HOST_STACK)
        .wasm_backtrace_max_frames(None);
    config
}

fn pool(slots: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_stacks(slots)
        .total_core_instances(slots.saturating_mul(INSTANCES))
        .max_core_instances_per_component(INSTANCES)
        .total_memories(slots.saturating_mul(MEMORIES))
        .max_memories_per_component(MEMORIES)
        .total_tables(slots.saturating_mul(TABLES))
        .max_tables_per_component(TABLES)
        .table_elements(TABLE_ELEMENTS)
        .linear_memory_keep_resident(KEPT_BYTES)
        .table_keep_resident(64 << 10);
    pool
}
