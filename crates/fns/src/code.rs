//! Users' code: fetched like any other file, compiled once, held to what its author declared.

mod cache;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::{fs, io, iter};

use crypto::SealingKey;
use crypto::hash::Sha256;
use executor::python::Python;
use executor::wasm::{Engine, EngineOptions, Program, Refused, Sandbox, Unusable};
use executor::{Function, Interface, undeclared};
use types::digest::Digest;
use types::function::{Code, Declaration, FunctionRef, Language, Runtime};

pub use self::cache::CompiledCode;

/// Codes of which it is remembered what they import.
const REMEMBERED: usize = 4096;

/// A user's function as a task pins it.
#[derive(Clone)]
pub(crate) struct Pinned {
    pub(crate) interface: Interface,
    pub(crate) code: Code,
}

/// Why a task's code can't run here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unrunnable {
    /// The code is none, or asks for what there is not.
    #[error("the function's code: {0}")]
    Refused(#[from] Refused),
    /// It imports what its author did not declare.
    #[error("the function's code imports {0}, which its registration does not declare")]
    Import(String),
}

/// Why there is no interpreter.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RuntimeError {
    /// It can't be read.
    #[error("read it")]
    Read(#[from] io::Error),
    /// It is none.
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// What runs users' code on this node.
pub(crate) struct Codes {
    engine: Engine,
    /// Set when the interpreter is loaded, where there is one.
    python: OnceLock<Python>,
    imports: Mutex<HashMap<Digest, Arc<[String]>>>,
}

impl Codes {
    /// An engine whose compiled code lies in a data directory, sealed.
    pub(crate) fn open(data_dir: &Path, sealing_key: SealingKey, code_bytes: u64) -> Result<Self, Unusable> {
        let code_bytes = usize::try_from(code_bytes).unwrap_or(usize::MAX);
        let options = EngineOptions { code_bytes, ..EngineOptions::default() };
        let engine = Engine::new(options, Arc::new(CompiledCode::new(data_dir.join("code"), sealing_key)))?;
        Ok(Codes { engine, python: OnceLock::new(), imports: Mutex::default() })
    }

    /// Loads the interpreter for Python. Compiles it where that was not done before, which takes a minute of a processor.
    pub(crate) fn load_python(&self, path: &Path) -> Result<(), RuntimeError> {
        let runtime = fs::read(path)?;
        let digest = Digest::new(Sha256::digest(&runtime));
        let python = match Python::find(&self.engine, digest) {
            Some(python) => python,
            None => Python::load(&self.engine, &runtime, digest)?,
        };
        // Loaded once, at the start: nothing was there before.
        let _ = self.python.set(python);
        Ok(())
    }

    /// What the node tells the tms that it runs.
    pub(crate) fn runtimes(&self) -> Vec<Runtime> {
        let wasm = Runtime { language: Language::Wasm, digest: None };
        let python = |python: &Python| Runtime { language: Language::Python, digest: Some(python.digest()) };
        iter::once(wasm).chain(self.python.get().map(python)).collect()
    }

    /// Whether this node has what the code needs, and the code is what the parties agreed on.
    pub(crate) fn suits(&self, function: &FunctionRef, code: &Code) -> bool {
        let runtime = code.runtime.as_ref().map(Digest::as_bytes);
        let named = crypto::code::of_user(code.file.sha256.as_bytes(), runtime);
        let runs = Runtime { language: code.declaration.language, digest: code.runtime };
        function.digest == Digest::new(named) && self.runtimes().contains(&runs)
    }

    /// The program, when its code need not be read for it.
    pub(crate) fn find(&self, pinned: &Pinned) -> Option<Result<Program, Unrunnable>> {
        let digest = pinned.code.file.sha256;
        if pinned.code.declaration.language == Language::Python {
            // Scripts are small, and read for each run.
            return None;
        }
        let imports = self.imports.lock().unwrap_or_else(PoisonError::into_inner).get(&digest).cloned()?;
        let program =
            self.engine.find(digest, pinned.interface.clone(), Sandbox::declared(&pinned.code.declaration))?;
        Some(check_imports(&imports, &pinned.code.declaration).map(|()| program))
    }

    /// Makes a program of code that was verified to be the pinned one. Compiles it where nobody did before.
    pub(crate) fn load(&self, pinned: &Pinned, code: &[u8]) -> Result<Program, Unrunnable> {
        if let (Language::Python, Some(python)) = (pinned.code.declaration.language, self.python.get()) {
            let sandbox = Sandbox::declared(&pinned.code.declaration);
            return Ok(python.program(code, pinned.interface.clone(), sandbox)?);
        }
        let imports: Arc<[String]> = self.engine.inspect(code)?.imports.into();
        check_imports(&imports, &pinned.code.declaration)?;
        let (digest, sandbox) = (pinned.code.file.sha256, Sandbox::declared(&pinned.code.declaration));
        let program = self.engine.load(code, digest, pinned.interface.clone(), sandbox)?;
        let mut all = self.imports.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= REMEMBERED {
            all.clear();
        }
        all.insert(digest, imports);
        Ok(program)
    }
}

impl Pinned {
    pub(crate) fn new(function: &FunctionRef, code: Code) -> Self {
        Pinned { interface: Interface::declared(function, &code.declaration), code }
    }
}

fn check_imports(imports: &[String], declared: &Declaration) -> Result<(), Unrunnable> {
    undeclared(imports, declared).map_or(Ok(()), |import| Err(Unrunnable::Import(import.clone())))
}

/// What a task runs.
pub(crate) enum Callee {
    /// A function that is part of the platform.
    BuiltIn(Arc<dyn Function>),
    /// A user's.
    User(Box<Pinned>),
}

impl Callee {
    pub(crate) fn interface(&self) -> &Interface {
        match self {
            Callee::BuiltIn(function) => function.interface(),
            Callee::User(pinned) => &pinned.interface,
        }
    }
}
