//! Machine code that was compiled here, and the crate's one `unsafe` block.

use wasmtime::component::Component;
use wasmtime::{Engine, Module, Precompiled};

use super::Kind;

/// Machine code whose origin is known: the compiler of this process, or a host's
/// [authenticated](super::CodeCache) copy of what such a compiler made.
pub(super) struct Compiled(Vec<u8>);

/// Machine code in memory.
pub(super) enum Code {
    Module(Module),
    Component(Component),
}

impl Compiled {
    /// Compiles code of a kind.
    pub(super) fn compile(engine: &Engine, kind: Kind, code: &[u8]) -> wasmtime::Result<Self> {
        Ok(Self(match kind {
            Kind::Module => engine.precompile_module(code)?,
            Kind::Component => engine.precompile_component(code)?,
        }))
    }

    /// What a host's cache gave, which it authenticated.
    pub(super) fn from_cache(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The same as was loaded, for another engine with the same settings.
    pub(super) fn again(code: &Code) -> wasmtime::Result<Self> {
        Ok(Self(match code {
            Code::Module(module) => module.serialize()?,
            Code::Component(component) => component.serialize()?,
        }))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Maps it into memory. Fails if it is of another version of the engine or for another processor.
    #[allow(unsafe_code, reason = "wasmtime cannot check machine code; see the comment")]
    pub(super) fn load(&self, engine: &Engine) -> wasmtime::Result<Code> {
        let component = matches!(Engine::detect_precompiled(&self.0), Some(Precompiled::Component));
        // SAFETY: `deserialize` needs bytes that `precompile_…` or `serialize` made, unchanged; it checks version, settings
        // and processor itself. A `Compiled` is made above and nowhere else: of what `precompile_…` made, of code that was
        // loaded here, and of what a `CodeCache` gave, whose contract is to give only what was put there, authenticated.
        // Nobody puts there but `Engine`, and only the bytes of a `Compiled`.
        unsafe {
            Ok(match component {
                true => Code::Component(Component::deserialize(engine, &self.0)?),
                false => Code::Module(Module::deserialize(engine, &self.0)?),
            })
        }
    }
}
