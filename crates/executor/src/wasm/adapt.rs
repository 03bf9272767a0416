//! Turns a WASI preview 1 command into a component.

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as PREVIEW_1, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER as ADAPTER,
};
use wit_component::ComponentEncoder;

use super::Refused;
use crate::Failure;
use crate::panics::contain;

/// The component that is `module` with wasmtime's adapter below it.
pub(super) fn adapt(module: &[u8]) -> Result<Vec<u8>, Refused> {
    // A module brings metadata of its own, which the encoder reads and which nobody checked: no panic of it gets out.
    contain(|| encode(module).map_err(Failure::function)).map_err(|failure| Refused::Unloadable(failure.to_string()))
}

fn encode(module: &[u8]) -> Result<Vec<u8>, String> {
    let encoder = ComponentEncoder::default().module(module).map_err(|error| format!("{error:#}"))?;
    let mut encoder = encoder.adapter(PREVIEW_1, ADAPTER).map_err(|error| format!("{error:#}"))?;
    encoder.encode().map_err(|error| format!("{error:#}"))
}
