//! Machine code that was compiled here, and the crate's one `unsafe` block.

use wasmtime::Engine;
use wasmtime::component::Component;

/// Machine code whose origin is known: the compiler of this process, or a host's
/// [authenticated](super::CodeCache) copy of what such a compiler made.
pub(super) struct Compiled(Vec<u8>);

impl Compiled {
    /// Compiles a component.
    pub(super) fn compile(engine: &Engine, component: &[u8]) -> wasmtime::Result<Self> {
        engine.precompile_component(component).map(Self)
    }

    /// What a host's cache gave, which it authenticated.
    pub(super) fn from_cache(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The code of a component that is loaded, for another engine with the same settings.
    pub(super) fn again(component: &Component) -> wasmtime::Result<Self> {
        component.serialize().map(Self)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Maps it into memory. Fails if it is of another version of the engine or for another processor.
    #[allow(unsafe_code, reason = "wasmtime cannot check machine code; see the comment")]
    pub(super) fn load(&self, engine: &Engine) -> wasmtime::Result<Component> {
        // SAFETY: `deserialize` needs bytes that `precompile_component` made, unchanged; it checks version, settings and
        // processor itself. A `Compiled` is made above and nowhere else: of what `precompile_component` made, of a component
        // that was loaded here, and of what a `CodeCache` gave, whose contract is to give only what was put there,
        // authenticated. Nobody puts there but `Engine`, and only the bytes of a `Compiled`.
        unsafe { Component::deserialize(engine, &self.0) }
    }
}
