//! `[limits]`: bounds on what callers can make the services do.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use types::service::Api;

/// `[limits]`: sizes in bytes, times in seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Largest request, except to function nodes. The reference's requests are well under 1 KiB.
    pub request_bytes: usize,
    /// Largest request to a function node: its payload travels in it.
    pub invoke_bytes: usize,
    /// Request bytes that one listener buffers at once, over all connections.
    pub buffered_bytes: usize,
    /// Connections to one listener; past it the longest idle one makes room.
    pub connections: usize,
    /// Requests that one listener works on at once.
    pub requests: usize,
    /// Files that one listener takes or gives at once; each needs about 1 MiB of memory.
    pub transfers: usize,
    /// Connections that one listener shakes hands with in a second, so that hostile ones leave the processors to kept
    /// ones; 0 is no limit.
    pub handshakes_per_second: u32,
    /// From accepting a connection to the end of its TLS handshake.
    pub handshake_seconds: u64,
    /// From a request's first byte to the end of its header.
    pub header_seconds: u64,
    /// From a request's first byte to its last.
    pub request_seconds: u64,
    /// How long a connection may stay without a request.
    pub idle_seconds: u64,
    /// How long a task may run.
    pub task_seconds: u64,
    /// How long a function node's lease lasts without being renewed.
    pub lease_seconds: u64,
    /// How long requests in flight may take after the order to stop.
    pub drain_seconds: u64,
    /// Largest file in one message, which is held in memory whole.
    pub file_bytes: u64,
    /// Largest output of a task that is stored in one message; larger ones are in chunks.
    pub single_bytes: u64,
    /// Largest file in chunks.
    pub chunked_bytes: u64,
    /// Largest sum of one task's outputs.
    pub output_bytes: u64,
    /// Files that one party may bring to a task.
    pub files_per_party: usize,
    /// Collaborators of one task.
    pub collaborators: usize,
    /// Tasks that may wait for a free place on a function node.
    pub queue: usize,
    /// Largest code of a user's function.
    pub code_bytes: u64,
    /// Memory that one run of a function may work in: a user's code, and built-ins that write what goes beyond to disk,
    /// sealed.
    pub memory_bytes: u64,
    /// How long a user's code may compute in one run.
    pub cpu_seconds: u64,
    /// Outputs of one run.
    pub outputs: usize,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: usize = 1 << 20;
        Limits {
            request_bytes: MIB,
            invoke_bytes: 16 * MIB,
            buffered_bytes: 256 * MIB,
            connections: 4096,
            requests: 1024,
            transfers: 64,
            handshakes_per_second: 1000,
            handshake_seconds: 10,
            header_seconds: 10,
            request_seconds: 60,
            idle_seconds: 300,
            task_seconds: 300,
            lease_seconds: 15,
            drain_seconds: 30,
            file_bytes: 2 << 30,
            single_bytes: 256 << 20,
            chunked_bytes: 1 << 40,
            output_bytes: 2 << 30,
            files_per_party: 64,
            collaborators: 64,
            queue: 1024,
            code_bytes: 32 << 20,
            memory_bytes: 512 << 20,
            cpu_seconds: 300,
            outputs: 256,
        }
    }
}

impl Limits {
    /// The largest request that an API takes.
    pub fn request_bytes(&self, api: Api) -> usize {
        if api == Api::FnsExternal { self.invoke_bytes } else { self.request_bytes }
    }

    /// How long a lease lasts without being renewed.
    pub fn lease(&self) -> Duration {
        Duration::from_secs(self.lease_seconds)
    }

    /// How long a task may run.
    pub fn task(&self) -> Duration {
        Duration::from_secs(self.task_seconds)
    }

    /// How long requests in flight may take after the order to stop.
    pub fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds)
    }
}
