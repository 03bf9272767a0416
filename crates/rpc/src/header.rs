//! Ends an HTTP/1.1 connection whose request header takes too long, and leaves one alone that is idle.
//!
//! ```text
//! Idle ── first byte ──▶ Header ── header complete ──▶ Request ── answer made ──▶ Idle
//!                          └── not complete in time ──▶ the read fails
//! ```
//!
//! hyper's own `header_read_timeout` counts from the end of the last request, so it would end idle connections too.
//! Bytes of a next request that arrive during a request start no clock: what bounds those is the idle time.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// How often requests began and ended on a connection: odd during a request.
#[derive(Clone, Default)]
pub(crate) struct Phase(Arc<AtomicU64>);

/// A request in progress; dropping it ends it.
pub(crate) struct InRequest(Phase);

impl Phase {
    /// A header is complete.
    pub(crate) fn enter(&self) -> InRequest {
        self.0.fetch_add(1, Ordering::AcqRel);
        InRequest(self.clone())
    }

    /// `None` during a request.
    fn between_requests(&self) -> Option<u64> {
        let phase = self.0.load(Ordering::Acquire);
        phase.is_multiple_of(2).then_some(phase)
    }
}

impl Drop for InRequest {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::AcqRel);
    }
}

/// A stream on which a header may only take so long.
pub(crate) struct HeaderTimeout<T> {
    io: T,
    allowed: Duration,
    phase: Phase,
    header: Option<Header>,
}

/// A header that has begun to arrive.
struct Header {
    phase: u64,
    end: Instant,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Header {
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let end = self.end;
        // Nearly every header arrives at once and needs no alarm.
        self.alarm.get_or_insert_with(|| Box::pin(sleep_until(end))).as_mut().poll(cx)
    }
}

impl<T> HeaderTimeout<T> {
    pub(crate) fn new(io: T, allowed: Duration, phase: Phase) -> Self {
        HeaderTimeout { io, allowed, phase, header: None }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for HeaderTimeout<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = out.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, out);
        let phase = self.phase.between_requests();
        self.header.take_if(|header| Some(header.phase) != phase);
        match (read, phase) {
            (Poll::Pending, Some(_)) => {
                let Some(header) = &mut self.header else { return Poll::Pending };
                ready!(header.poll_end(cx));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            (Poll::Ready(Ok(())), Some(phase)) if out.filled().len() > before => {
                let end = Instant::now() + self.allowed;
                self.header.get_or_insert(Header { phase, end, alarm: None });
                Poll::Ready(Ok(()))
            }
            (read, _) => read,
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for HeaderTimeout<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::time::sleep;

    use super::*;

    const ALLOWED: Duration = Duration::from_millis(100);

    fn start() -> (DuplexStream, HeaderTimeout<DuplexStream>, Phase) {
        let ((near, far), phase) = (duplex(64), Phase::default());
        (near, HeaderTimeout::new(far, ALLOWED, phase.clone()), phase)
    }

    #[tokio::test]
    async fn a_header_that_drips_is_cut_off() {
        let (mut near, mut far, _) = start();
        let drip = async {
            loop {
                let _ = near.write_all(b"x").await;
                sleep(ALLOWED / 5).await;
            }
        };
        let mut bytes = Vec::new();
        let read = tokio::select! {
            read = far.read_to_end(&mut bytes) => read,
            () = drip => unreachable!("it never ends"),
        };
        assert_eq!(read.expect_err("cut off").kind(), io::ErrorKind::TimedOut);
        assert!(bytes.len() > 2, "{bytes:?}");
    }

    #[tokio::test]
    async fn silence_before_during_and_after_a_request_is_not_cut_off() {
        let (mut near, mut far, phase) = start();
        for _ in 0..2 {
            let (_, byte) = tokio::join!(
                async {
                    sleep(ALLOWED * 2).await;
                    near.write_all(b"x").await
                },
                far.read_u8()
            );
            assert_eq!(byte.expect("it arrived"), b'x');
            let request = phase.enter();
            assert!(tokio::time::timeout(ALLOWED * 2, far.read_u8()).await.is_err());
            drop(request);
        }
    }
}
