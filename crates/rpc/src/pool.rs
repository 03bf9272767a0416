//! Kept connections to one target: each carries one request at a time and is used again.

use std::io;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead as _, ReadBuf};

use crate::frame;
use crate::tls::{Connection, Connector};

/// Idle connections that are kept; more are closed when they come back.
const KEPT: usize = 64;

/// A connection that was idle for longer is not used again: servers close idle ones after a while.
const IDLE: Duration = Duration::from_secs(60);

/// Largest answer: a function's result travels in one.
const ANSWER_BYTES: usize = 256 << 20;

/// Connections to one target.
pub(crate) struct Pool {
    connector: Connector,
    target: String,
    idle: Mutex<Vec<(Connection, Instant)>>,
}

impl Pool {
    pub(crate) fn new(connector: Connector, target: String) -> Self {
        Pool { connector, target, idle: Mutex::default() }
    }

    pub(crate) fn target(&self) -> &str {
        &self.target
    }

    /// Sends one request and waits for its answer. A request is sent once: whether one that broke was carried out is
    /// for the caller to find out.
    pub(crate) async fn exchange(&self, request: &[u8]) -> io::Result<Bytes> {
        let mut connection = match self.take_idle() {
            Some(connection) => connection,
            None => self.connector.connect(&self.target, &[]).await?.0,
        };
        frame::write(&mut connection, request).await?;
        let mut buffer = BytesMut::new();
        let answer = frame::read(&mut connection, &mut buffer, ANSWER_BYTES).await?;
        if buffer.is_empty() {
            self.keep(connection);
        }
        Ok(answer)
    }

    fn take_idle(&self) -> Option<Connection> {
        loop {
            let (mut connection, since) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            if since.elapsed() < IDLE && is_open(&mut connection) {
                return Some(connection);
            }
        }
    }

    fn keep(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT {
            idle.push((connection, Instant::now()));
        }
    }
}

/// Whether an idle connection is silent, as it should be: an end or stray bytes make it useless.
fn is_open(connection: &mut Connection) -> bool {
    let mut byte = [0];
    let mut out = ReadBuf::new(&mut byte);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    Pin::new(connection).poll_read(&mut context, &mut out).is_pending()
}
