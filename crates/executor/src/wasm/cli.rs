//! `wasi:cli` and `wasi:random`: arguments, standard streams, the exit status, random numbers.

use std::fmt;

use wasmtime::component::Resource;

use super::bindings::wasi::cli::{
    environment, exit, stderr, stdin, stdout, terminal_input, terminal_output, terminal_stderr, terminal_stdin,
    terminal_stdout,
};
use super::bindings::wasi::random::{insecure, insecure_seed, random};
use super::host::Host;
use super::streams::{Source, Target};
use crate::Limit;

/// How a guest ended itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// With status 0.
    Well,
    /// With another one, which it did not tell.
    Badly,
    /// With this one.
    Status(u32),
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Well => write!(f, "exited"),
            Self::Badly => write!(f, "exited with an error"),
            Self::Status(status) => write!(f, "exited with status {status}"),
        }
    }
}

impl std::error::Error for Exit {}

impl From<Result<(), ()>> for Exit {
    fn from(status: Result<(), ()>) -> Self {
        if status.is_ok() { Self::Well } else { Self::Badly }
    }
}

/// There is none.
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub enum Terminal {}

impl environment::Host for Host {
    fn get_environment(&mut self) -> wasmtime::Result<Vec<(String, String)>> {
        Ok(Vec::new())
    }

    fn get_arguments(&mut self) -> wasmtime::Result<Vec<String>> {
        Ok(self.arguments.clone())
    }

    fn initial_cwd(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(None)
    }
}

impl exit::Host for Host {
    fn exit(&mut self, status: Result<(), ()>) -> wasmtime::Result<()> {
        Err(Exit::from(status).into())
    }

    fn exit_with_code(&mut self, status: u8) -> wasmtime::Result<()> {
        Err(if status == 0 { Exit::Well } else { Exit::Status(u32::from(status)) }.into())
    }
}

impl stdin::Host for Host {
    fn get_stdin(&mut self) -> wasmtime::Result<Resource<Source>> {
        Ok(self.table.push(Source::Payload)?)
    }
}

impl stdout::Host for Host {
    fn get_stdout(&mut self) -> wasmtime::Result<Resource<Target>> {
        Ok(self.table.push(Target::Result)?)
    }
}

impl stderr::Host for Host {
    fn get_stderr(&mut self) -> wasmtime::Result<Resource<Target>> {
        Ok(self.table.push(Target::Errors)?)
    }
}

impl terminal_input::Host for Host {}

impl terminal_input::HostTerminalInput for Host {
    fn drop(&mut self, terminal: Resource<Terminal>) -> wasmtime::Result<()> {
        self.table.delete(terminal)?;
        Ok(())
    }
}

impl terminal_output::Host for Host {}

impl terminal_output::HostTerminalOutput for Host {
    fn drop(&mut self, terminal: Resource<Terminal>) -> wasmtime::Result<()> {
        self.table.delete(terminal)?;
        Ok(())
    }
}

impl terminal_stdin::Host for Host {
    fn get_terminal_stdin(&mut self) -> wasmtime::Result<Option<Resource<Terminal>>> {
        Ok(None)
    }
}

impl terminal_stdout::Host for Host {
    fn get_terminal_stdout(&mut self) -> wasmtime::Result<Option<Resource<Terminal>>> {
        Ok(None)
    }
}

impl terminal_stderr::Host for Host {
    fn get_terminal_stderr(&mut self) -> wasmtime::Result<Option<Resource<Terminal>>> {
        Ok(None)
    }
}

impl Host {
    /// `count` random bytes, which must fit into the guest's memory anyway.
    fn random_bytes(&mut self, count: u64) -> wasmtime::Result<Vec<u8>> {
        self.meter.check()?;
        let limit = self.meter.limits().memory;
        let count = usize::try_from(count.min(limit.saturating_add(1))).unwrap_or(usize::MAX);
        if count as u64 > limit {
            return Err(crate::Failure::from(Limit::Memory(limit)).into());
        }
        let mut bytes = vec![0; count];
        self.random.fill(&mut bytes)?;
        Ok(bytes)
    }
}

impl random::Host for Host {
    fn get_random_bytes(&mut self, count: u64) -> wasmtime::Result<Vec<u8>> {
        self.random_bytes(count)
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        Ok(self.random.next()?)
    }
}

impl insecure::Host for Host {
    fn get_insecure_random_bytes(&mut self, count: u64) -> wasmtime::Result<Vec<u8>> {
        self.random_bytes(count)
    }

    fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
        Ok(self.random.next()?)
    }
}

impl insecure_seed::Host for Host {
    fn insecure_seed(&mut self) -> wasmtime::Result<(u64, u64)> {
        Ok((self.random.next()?, self.random.next()?))
    }
}
