//! `wasi:io/streams`: what guests read from and write to.

use std::io::Write;
use std::sync::Arc;

use wasmtime::component::Resource;

use super::bindings::wasi::filesystem::types::ErrorCode;
use super::bindings::wasi::io::{error, streams};
use super::fault::{Reported, StreamFault};
use super::host::Host;
use super::poll::Pollable;
use super::reader::{SharedReader, slice};
use crate::{Failure, Output};

/// The most that a guest should write in one call; it has that much itself, so it costs no more than a copy.
const PERMIT: u64 = 1 << 20;

/// A stream that a guest reads.
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub enum Source {
    /// The payload, as standard input.
    Payload,
    /// An input from some place on.
    Input { reader: SharedReader, position: u64 },
    /// A file of the function's own.
    Script { content: Arc<[u8]>, position: u64 },
}

/// A stream that a guest writes.
#[derive(Clone, Copy)]
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub enum Target {
    /// Standard output: the result.
    Result,
    /// Standard error.
    Errors,
    /// An output; at this place, or wherever its end is.
    Output { output: Output, position: Option<u64> },
}

impl Host {
    async fn pull(&mut self, stream: &Resource<Source>, most: u64) -> Result<Vec<u8>, StreamFault> {
        let bytes = match self.table.get_mut(stream)? {
            Source::Payload => advance(&self.payload, &mut self.stdin, most),
            Source::Script { content, position } => advance(content, position, most),
            Source::Input { reader, position } => {
                let bytes = reader.read(*position, most, &self.door).await?;
                *position += bytes.len() as u64;
                bytes
            }
        };
        if bytes.is_empty() && most > 0 { Err(StreamFault::Closed) } else { Ok(bytes) }
    }

    fn push(&mut self, stream: &Resource<Target>, bytes: &[u8]) -> Result<(), StreamFault> {
        let target = self.write_to(*self.table.get(stream)?, bytes)?;
        *self.table.get_mut(stream)? = target;
        Ok(())
    }

    /// Writes all of `bytes`, and returns where the next ones go.
    pub(super) fn write_to(&mut self, target: Target, bytes: &[u8]) -> Result<Target, StreamFault> {
        self.meter.check()?;
        match target {
            Target::Result => self.stdout.write_all(bytes)?,
            Target::Errors => self.stderr.push(bytes),
            Target::Output { output, position } => {
                let end = self.append(output, position, bytes)?;
                return Ok(Target::Output { output, position: position.map(|_| end) });
            }
        }
        Ok(target)
    }

    /// Writes at the end of an output, where `position` must be if it is said, and returns the new end.
    pub(super) fn append(&mut self, output: Output, position: Option<u64>, bytes: &[u8]) -> Result<u64, StreamFault> {
        let written = self.tree.outputs.get_mut(&output).ok_or(ErrorCode::BadDescriptor)?;
        if position.is_some_and(|position| position != written.bytes) {
            return Err(ErrorCode::InvalidSeek.into());
        }
        written.stream.write_all(bytes)?;
        written.bytes += bytes.len() as u64;
        Ok(written.bytes)
    }

    fn ready(&mut self) -> wasmtime::Result<Resource<Pollable>> {
        Ok(self.table.push(Pollable::Ready)?)
    }

    fn zeroes(&mut self, stream: &Resource<Target>, count: u64) -> Result<(), StreamFault> {
        if count > PERMIT {
            return Err(Failure::function("the function wrote more zeroes at once than it was permitted to").into());
        }
        self.push(stream, &vec![0; usize::try_from(count).expect("at most the permit")])
    }

    async fn transfer(
        &mut self,
        to: &Resource<Target>,
        from: &Resource<Source>,
        most: u64,
    ) -> Result<u64, StreamFault> {
        let bytes = self.pull(from, most).await?;
        self.push(to, &bytes)?;
        Ok(bytes.len() as u64)
    }
}

fn advance(content: &[u8], position: &mut u64, most: u64) -> Vec<u8> {
    let bytes = slice(content, *position, most);
    *position += bytes.len() as u64;
    bytes
}

impl streams::Host for Host {
    fn convert_stream_error(&mut self, fault: StreamFault) -> wasmtime::Result<streams::StreamError> {
        match fault {
            StreamFault::Closed => Ok(streams::StreamError::Closed),
            StreamFault::Code(code) => Ok(streams::StreamError::LastOperationFailed(self.table.push(Reported(code))?)),
            StreamFault::End(error) => Err(error),
        }
    }
}

impl error::Host for Host {}

impl error::HostError for Host {
    fn to_debug_string(&mut self, error: Resource<Reported>) -> wasmtime::Result<String> {
        Ok(self.table.get(&error)?.0.to_string())
    }

    fn drop(&mut self, error: Resource<Reported>) -> wasmtime::Result<()> {
        self.table.delete(error)?;
        Ok(())
    }
}

impl streams::HostInputStream for Host {
    async fn read(&mut self, stream: Resource<Source>, most: u64) -> Result<Vec<u8>, StreamFault> {
        self.pull(&stream, most).await
    }

    async fn blocking_read(&mut self, stream: Resource<Source>, most: u64) -> Result<Vec<u8>, StreamFault> {
        self.pull(&stream, most).await
    }

    async fn skip(&mut self, stream: Resource<Source>, most: u64) -> Result<u64, StreamFault> {
        Ok(self.pull(&stream, most).await?.len() as u64)
    }

    async fn blocking_skip(&mut self, stream: Resource<Source>, most: u64) -> Result<u64, StreamFault> {
        Ok(self.pull(&stream, most).await?.len() as u64)
    }

    fn subscribe(&mut self, _: Resource<Source>) -> wasmtime::Result<Resource<Pollable>> {
        self.ready()
    }

    fn drop(&mut self, stream: Resource<Source>) -> wasmtime::Result<()> {
        self.table.delete(stream)?;
        Ok(())
    }
}

impl streams::HostOutputStream for Host {
    fn check_write(&mut self, _: Resource<Target>) -> Result<u64, StreamFault> {
        Ok(PERMIT)
    }

    fn write(&mut self, stream: Resource<Target>, bytes: Vec<u8>) -> Result<(), StreamFault> {
        self.push(&stream, &bytes)
    }

    fn blocking_write_and_flush(&mut self, stream: Resource<Target>, bytes: Vec<u8>) -> Result<(), StreamFault> {
        self.push(&stream, &bytes)
    }

    fn flush(&mut self, _: Resource<Target>) -> Result<(), StreamFault> {
        Ok(())
    }

    fn blocking_flush(&mut self, _: Resource<Target>) -> Result<(), StreamFault> {
        Ok(())
    }

    fn subscribe(&mut self, _: Resource<Target>) -> wasmtime::Result<Resource<Pollable>> {
        self.ready()
    }

    fn write_zeroes(&mut self, stream: Resource<Target>, count: u64) -> Result<(), StreamFault> {
        self.zeroes(&stream, count)
    }

    fn blocking_write_zeroes_and_flush(&mut self, stream: Resource<Target>, count: u64) -> Result<(), StreamFault> {
        self.zeroes(&stream, count)
    }

    async fn splice(&mut self, to: Resource<Target>, from: Resource<Source>, most: u64) -> Result<u64, StreamFault> {
        self.transfer(&to, &from, most).await
    }

    async fn blocking_splice(
        &mut self,
        to: Resource<Target>,
        from: Resource<Source>,
        most: u64,
    ) -> Result<u64, StreamFault> {
        self.transfer(&to, &from, most).await
    }

    fn drop(&mut self, stream: Resource<Target>) -> wasmtime::Result<()> {
        self.table.delete(stream)?;
        Ok(())
    }
}
