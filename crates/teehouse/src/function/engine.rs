//! The engine of `test` and `register`; what it compiles is kept for the next command, as a node keeps it.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use crypto::SealingKey;
use executor::wasm::{CodeCache, Engine, EngineOptions, NoCache};
use fns::CompiledCode;

use crate::settings::own_state;

/// An engine for one run at a time.
pub(super) fn engine(fuel: bool) -> anyhow::Result<Engine> {
    let options = EngineOptions { slots: 0, fuel, ..EngineOptions::default() };
    Engine::new(options, cache()).context("the WebAssembly engine")
}

/// Compiled code in the user's own state, under a key there; without a place for it nothing is kept.
fn cache() -> Arc<dyn CodeCache> {
    let folder = own_state().map(|state| state.join("code"));
    match folder.as_deref().map(|folder| (folder, key(folder))) {
        Some((folder, Ok(key))) => Arc::new(CompiledCode::new(folder.join("compiled"), key)),
        _ => Arc::new(NoCache),
    }
}

/// The key, made the first time.
fn key(folder: &Path) -> io::Result<SealingKey> {
    let path = folder.join("key");
    match fs::read(&path) {
        Ok(bytes) => Ok(SealingKey::from_bytes(bytes.try_into().map_err(|_| io::ErrorKind::InvalidData)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(folder)?;
            let bytes = crypto::random::bytes();
            client::write_private(&path, &bytes)?;
            Ok(SealingKey::from_bytes(bytes))
        }
        Err(error) => Err(error),
    }
}
