//! What the end of a guest means for its run.

use std::io;

use wasmtime::Trap;

use super::cli::Exit;
use super::flavour::GUEST_STACK;
use super::host::Host;
use crate::{Failure, Limit};

/// The result of a guest that ended well, or why there is none.
pub(super) fn conclude(ended: wasmtime::Result<Result<(), ()>>, host: Host) -> Result<String, Failure> {
    let exit = match ended {
        Ok(status) => Exit::from(status),
        Err(error) => match error.downcast::<Exit>() {
            Ok(exit) => exit,
            Err(error) => return Err(broken(error, &host)),
        },
    };
    if exit != Exit::Well {
        return Err(exited(exit, &host));
    }
    host.tree.finish()?;
    Ok(host.stdout.into_string())
}

fn exited(exit: Exit, host: &Host) -> Failure {
    let hint = match host.memory.passed() {
        Some(limit) => format!(", after it was refused more than {limit} bytes of memory"),
        None => String::new(),
    };
    said(format!("the function {exit}{hint}"), host)
}

/// A guest that did not end itself: for a reason of ours, or in a trap.
fn broken(error: wasmtime::Error, host: &Host) -> Failure {
    let error = match error.downcast::<Failure>() {
        Ok(failure) => return failure,
        Err(error) => error,
    };
    if let Some(limit) = host.memory.passed() {
        return Limit::Memory(limit).into();
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => {
            said(format!("the function's calls are nested too deeply for its stack of {GUEST_STACK} bytes"), host)
        }
        Some(trap) => said(format!("the function trapped: {}", plain(trap)), host),
        None => said(format!("the function broke: {}", error.root_cause()), host),
    }
}

fn plain(trap: &Trap) -> String {
    let text = trap.to_string();
    text.strip_prefix("wasm trap: ").unwrap_or(&text).to_owned()
}

/// With the last lines of standard error, which are the function's own words.
fn said(what: String, host: &Host) -> Failure {
    let lines = host.stderr.lines();
    Failure::Function(if lines.is_empty() { what } else { format!("{what}:\n{lines}") })
}

/// The engine could not start the guest at all.
pub(super) fn of_host(error: wasmtime::Error) -> Failure {
    Failure::Stream(io::Error::other(format!("the WebAssembly engine failed: {error:#}")))
}
