//! The host's half of WASI preview 2, generated from `wit/`.
//!
//! Whatever may have to open an input or an output is `async`: it asks whoever drives the run (see [`door`](super::door)).

#![allow(missing_docs, unreachable_pub, reason = "generated")]

wasmtime::component::bindgen!({
    path: "wit",
    world: "teehouse:executor/function",
    imports: {
        "wasi:filesystem/types.[method]descriptor.open-at": async | trappable,
        "wasi:filesystem/types.[method]descriptor.read": async | trappable,
        "wasi:io/streams.[method]input-stream.read": async | trappable,
        "wasi:io/streams.[method]input-stream.blocking-read": async | trappable,
        "wasi:io/streams.[method]input-stream.skip": async | trappable,
        "wasi:io/streams.[method]input-stream.blocking-skip": async | trappable,
        "wasi:io/streams.[method]output-stream.splice": async | trappable,
        "wasi:io/streams.[method]output-stream.blocking-splice": async | trappable,
        default: trappable,
    },
    exports: { default: async },
    trappable_error_type: {
        "wasi:io/streams.stream-error" => crate::wasm::fault::StreamFault,
        "wasi:filesystem/types.error-code" => crate::wasm::fault::FileFault,
    },
    with: {
        "wasi:io/error.error": crate::wasm::fault::Reported,
        "wasi:io/poll.pollable": crate::wasm::poll::Pollable,
        "wasi:io/streams.input-stream": crate::wasm::streams::Source,
        "wasi:io/streams.output-stream": crate::wasm::streams::Target,
        "wasi:filesystem/types.descriptor": crate::wasm::descriptor::Descriptor,
        "wasi:filesystem/types.directory-entry-stream": crate::wasm::directory::Listing,
        "wasi:cli/terminal-input.terminal-input": crate::wasm::cli::Terminal,
        "wasi:cli/terminal-output.terminal-output": crate::wasm::cli::Terminal,
    },
    require_store_data_send: true,
});
