//! Kept connections to one target: each carries one request at a time and is used again.

use std::io;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead as _, ReadBuf};
use types::time::UnixMillis;

use crate::frame;
use crate::tls::{Connected, Connection, Connector};

/// Idle connections that are kept; more are closed when they come back.
const KEPT: usize = 64;

/// A connection that was idle for longer is not used again: servers close idle ones after a while.
const IDLE: Duration = Duration::from_secs(60);

/// Largest answer: a function's result travels in one.
const ANSWER_BYTES: usize = 256 << 20;

/// No connection is kept for longer, whatever its certificates say: half a year, which every clock can count.
const FOREVER: Duration = Duration::from_secs(180 * 24 * 3600);

/// Connections to one target.
pub(crate) struct Pool {
    connector: Connector,
    target: String,
    idle: Mutex<Vec<Kept>>,
}

/// A connection that waits to be used again.
struct Kept {
    link: Link,
    since: Instant,
}

/// An attested connection.
struct Link {
    connected: Connected,
    attested: Instant,
    /// When its certificates' time is over.
    ends: Instant,
}

impl Link {
    fn new(connected: Connected) -> Self {
        let attested = Instant::now();
        let lifetime = connected.challenger.lifetime(UnixMillis::now()).min(FOREVER);
        Link { connected, attested, ends: attested + lifetime }
    }

    /// Has the session attested anew when its evidence is too old.
    async fn refresh(&mut self, evidence_age: Duration) -> io::Result<()> {
        if self.attested.elapsed() >= evidence_age {
            let Connected { stream, challenger } = &mut self.connected;
            challenger.challenge(stream).await?;
            self.attested = Instant::now();
        }
        Ok(())
    }
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
        let mut link = self.link().await?;
        let stream = &mut link.connected.stream;
        frame::write(stream, request).await?;
        let mut buffer = BytesMut::new();
        let answer = frame::read(stream, &mut buffer, ANSWER_BYTES).await?;
        if buffer.is_empty() {
            self.keep(link);
        }
        Ok(answer)
    }

    /// A connection whose session was attested not too long ago.
    async fn link(&self) -> io::Result<Link> {
        while let Some(mut link) = self.take_idle() {
            if Instant::now() < link.ends && link.refresh(self.connector.evidence_age()).await.is_ok() {
                return Ok(link);
            }
        }
        let (connected, _) = self.connector.connect(&self.target).await?;
        Ok(Link::new(connected))
    }

    fn take_idle(&self) -> Option<Link> {
        loop {
            let Kept { mut link, since } = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            if since.elapsed() < IDLE && is_open(&mut link.connected.stream) {
                return Some(link);
            }
        }
    }

    fn keep(&self, link: Link) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT {
            idle.push(Kept { link, since: Instant::now() });
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
