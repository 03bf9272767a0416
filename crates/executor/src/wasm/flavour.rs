//! The engine's two ways to give a guest memory, with the same settings otherwise, so that compiled code fits both.

use wasmtime::component::{HasSelf, Linker};
use wasmtime::{
    Config, Engine, ExternType, InstanceAllocationStrategy, InstancePre, Module, PoolingAllocationConfig, Store,
};

use super::bindings::{Function as Bindings, FunctionPre};
use super::compiled::Code;
use super::host::Host;
use super::inspect::Kind;
use super::{EngineOptions, preview1, sockets};

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
    components: Linker<Host>,
    modules: wasmtime::Linker<Host>,
}

/// Code that is linked: instantiating it looks nothing up.
pub(super) enum Linked {
    Module(InstancePre<Host>),
    Component(FunctionPre<Host>),
}

impl Linked {
    pub(super) fn engine(&self) -> &Engine {
        match self {
            Self::Module(pre) => pre.module().engine(),
            Self::Component(pre) => pre.engine(),
        }
    }

    /// Runs it from beginning to end.
    pub(super) async fn run(&self, store: &mut Store<Host>) -> wasmtime::Result<Result<(), ()>> {
        match self {
            Self::Module(pre) => {
                let instance = pre.instantiate_async(&mut *store).await?;
                let start = instance.get_typed_func::<(), ()>(&mut *store, Kind::Module.entry())?;
                start.call_async(store, ()).await.map(Ok)
            }
            Self::Component(pre) => {
                let instance = pre.instantiate_async(&mut *store).await?;
                instance.wasi_cli_run().call_run(store).await
            }
        }
    }
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
        let mut components = Linker::new(&engine);
        Bindings::add_to_linker::<_, HasSelf<_>>(&mut components, |host: &mut Host| host)?;
        let mut modules = wasmtime::Linker::new(&engine);
        preview1::add_to_linker(&mut modules)?;
        Ok(Self { engine, components, modules })
    }

    /// Links code; fails if it imports what isn't there.
    pub(super) fn link(&self, code: &Code) -> wasmtime::Result<Linked> {
        match code {
            Code::Module(module) => {
                check_start(module)?;
                Ok(Linked::Module(self.modules.instantiate_pre(module)?))
            }
            Code::Component(component) => {
                let mut linker = self.components.clone();
                sockets::deny(component, &self.engine, &mut linker)?;
                Ok(Linked::Component(FunctionPre::new(linker.instantiate_pre(component)?)?))
            }
        }
    }
}

fn check_start(module: &Module) -> wasmtime::Result<()> {
    let start = module.get_export(Kind::Module.entry());
    match start.as_ref().and_then(ExternType::func) {
        Some(start) if start.params().len() == 0 && start.results().len() == 0 => Ok(()),
        _ => Err(wasmtime::Error::msg("`_start` is no function without parameters and results")),
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
