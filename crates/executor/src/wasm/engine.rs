//! The engine: one in a process, shared by all its runs.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, OnceLock};

use types::digest::Digest;

use super::cache::{CodeCache, CodeKey};
use super::compiled::{Code, Compiled};
use super::flavour::{Flavour, Linked};
use super::inspect::{self, Inspection};
use super::kept::Kept;
use super::program::Program;
use super::ticker::Ticker;
use super::{Refused, Sandbox, Unusable};
use crate::Interface;

/// How an engine is set up.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Runs that start from memory set aside, at a time; others take theirs from the system, which costs them some ten
    /// microseconds. Each takes 8.5 GiB of address space and, once used, up to 6 MiB of memory, nearly all of it stack of
    /// programs that nest their calls deeply. 0 for none.
    pub slots: u32,
    /// The largest code, in bytes. Compiling takes about 3 s and 100 MiB for each MiB.
    pub code_bytes: usize,
    /// Bytes of compiled code that are kept loaded while nothing runs it.
    pub loaded_bytes: usize,
    /// Whether runs count their instructions, which makes them about 40 % slower.
    pub fuel: bool,
}

impl Default for EngineOptions {
    fn default() -> Self {
        // A JavaScript engine as a component has 14 MiB; compiled, Python is 41 MiB.
        Self { slots: 64, code_bytes: 32 << 20, loaded_bytes: 256 << 20, fuel: false }
    }
}

/// Loads and runs user code; clones are the same engine.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    options: EngineOptions,
    pooled: Option<Flavour>,
    plain: Flavour,
    hash: u64,
    cache: Arc<dyn CodeCache>,
    kept: Kept<Loaded>,
    ticker: Ticker,
}

/// Code that is ready to run.
pub(super) struct Loaded {
    code: Code,
    pooled: Option<Linked>,
    plain: OnceLock<Linked>,
}

impl Engine {
    /// An engine that keeps compiled code in `cache`. Where the system does not let it set memory aside, it goes without.
    pub fn new(options: EngineOptions, cache: Arc<dyn CodeCache>) -> Result<Self, Unusable> {
        let unusable = |error: wasmtime::Error| Unusable(format!("{error:#}"));
        let plain = Flavour::plain(&options).map_err(unusable)?;
        let pooled = (options.slots > 0).then(|| Flavour::pooled(&options, options.slots).ok()).flatten();
        let engines = pooled.iter().chain([&plain]).map(|flavour| flavour.engine.clone()).collect();
        let ticker = Ticker::start(engines).map_err(|error| Unusable(error.to_string()))?;
        let mut hasher = DefaultHasher::new();
        plain.engine.precompile_compatibility_hash().hash(&mut hasher);
        let (hash, kept) = (hasher.finish(), Kept::new(options.loaded_bytes));
        Ok(Self(Arc::new(Inner { options, pooled, plain, hash, cache, kept, ticker })))
    }

    /// Whether memory was set aside for runs.
    pub fn is_pooled(&self) -> bool {
        self.0.pooled.is_some()
    }

    /// Looks at code without compiling it: enough to refuse at registration nearly all that [`load`](Engine::load) would.
    pub fn inspect(&self, code: &[u8]) -> Result<Inspection, Refused> {
        inspect::inspect(code, self.0.options.code_bytes)
    }

    /// Makes a program of `code`, whose SHA-256 is `digest`, which the caller has verified. Compiles it unless it is
    /// loaded or in the cache.
    pub fn load(
        &self,
        code: &[u8],
        digest: Digest,
        interface: Interface,
        sandbox: Sandbox,
    ) -> Result<Program, Refused> {
        let loaded = self.0.kept.get_or_make(&digest, || match self.0.cached(digest) {
            None => self.0.compile(code, digest).map(Some),
            found => Ok(found),
        })?;
        let loaded = loaded.ok_or_else(|| Refused::Unloadable("nothing was compiled".into()))?;
        Ok(Program::new(self.clone(), loaded, interface, sandbox))
    }

    /// The program that [`load`](Engine::load) would make, if that needs no code: it is loaded or in the cache.
    pub fn find(&self, digest: Digest, interface: Interface, sandbox: Sandbox) -> Option<Program> {
        let loaded = self.0.kept.get_or_make(&digest, || Ok(self.0.cached(digest))).ok().flatten()?;
        Some(Program::new(self.clone(), loaded, interface, sandbox))
    }

    pub(super) fn ticker(&self) -> &Ticker {
        &self.0.ticker
    }

    /// What to start for the run that `others` run beside.
    pub(super) fn place<'a>(&self, loaded: &'a Loaded, others: usize) -> wasmtime::Result<&'a Linked> {
        let free = others < self.0.options.slots as usize;
        match &loaded.pooled {
            Some(pooled) if free => Ok(pooled),
            _ => self.0.plain(loaded),
        }
    }
}

impl Inner {
    fn key(&self, code: Digest) -> CodeKey {
        CodeKey { code, engine: self.hash }
    }

    fn cached(&self, digest: Digest) -> Option<(Loaded, usize)> {
        let compiled = Compiled::from_cache(self.cache.get(&self.key(digest))?);
        self.link(&compiled).ok()
    }

    fn compile(&self, code: &[u8], digest: Digest) -> Result<(Loaded, usize), Refused> {
        let kind = inspect::inspect(code, self.options.code_bytes)?.kind;
        let compiled = Compiled::compile(&self.plain.engine, kind, code).map_err(unloadable)?;
        let linked = self.link(&compiled).map_err(unloadable)?;
        self.cache.put(&self.key(digest), compiled.bytes());
        Ok(linked)
    }

    /// Loads it for the pool if it fits there.
    fn link(&self, compiled: &Compiled) -> wasmtime::Result<(Loaded, usize)> {
        let bytes = compiled.bytes().len();
        if let Some(flavour) = &self.pooled
            && let Ok(code) = compiled.load(&flavour.engine)
        {
            let pooled = Some(flavour.link(&code)?);
            return Ok((Loaded { code, pooled, plain: OnceLock::new() }, bytes));
        }
        let code = compiled.load(&self.plain.engine)?;
        let plain = OnceLock::from(self.plain.link(&code)?);
        Ok((Loaded { code, pooled: None, plain }, bytes))
    }

    /// The program for memory from the system; loaded a second time when all slots are first taken.
    fn plain<'a>(&self, loaded: &'a Loaded) -> wasmtime::Result<&'a Linked> {
        if let Some(plain) = loaded.plain.get() {
            return Ok(plain);
        }
        let code = Compiled::again(&loaded.code)?.load(&self.plain.engine)?;
        let linked = self.plain.link(&code)?;
        Ok(loaded.plain.get_or_init(|| linked))
    }
}

fn unloadable(error: wasmtime::Error) -> Refused {
    Refused::Unloadable(format!("{error:#}"))
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("options", &self.0.options).field("pooled", &self.is_pooled()).finish()
    }
}
