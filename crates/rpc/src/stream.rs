//! The byte streams under a connection.

use std::io;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use attest::session::NONCE_BYTES;
use rustls::{ConnectionCommon, SideData};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{client, server};

/// A stream that carries a connection.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for T {}

/// What only the two ends of a TLS connection can compute (RFC 8446, section 7.5).
pub(crate) trait Exporter: Send + Sync {
    /// Keying material for a label and a context.
    ///
    /// # Errors
    /// Before the handshake has ended.
    fn export(&self, label: &[u8], context: &[u8]) -> io::Result<[u8; NONCE_BYTES]>;
}

/// One TLS stream in two hands: whoever reads and writes, and whoever exports keying material meanwhile.
///
/// The lock is held within one poll and never across an await; only an export ever meets it taken.
pub(crate) struct Shared<T>(Arc<Mutex<T>>);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Shared(self.0.clone())
    }
}

impl<T> Shared<T> {
    pub(crate) fn new(stream: T) -> Self {
        Shared(Arc::new(Mutex::new(stream)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Shared<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.lock()).poll_read(cx, out)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Shared<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.lock()).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.lock()).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.lock().is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.lock()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.lock()).poll_shutdown(cx)
    }
}

impl Exporter for Shared<server::TlsStream<TcpStream>> {
    fn export(&self, label: &[u8], context: &[u8]) -> io::Result<[u8; NONCE_BYTES]> {
        export(self.lock().get_ref().1, label, context)
    }
}

impl Exporter for Shared<client::TlsStream<TcpStream>> {
    fn export(&self, label: &[u8], context: &[u8]) -> io::Result<[u8; NONCE_BYTES]> {
        export(self.lock().get_ref().1, label, context)
    }
}

fn export<S: SideData, C: Deref<Target = ConnectionCommon<S>>>(
    connection: &C,
    label: &[u8],
    context: &[u8],
) -> io::Result<[u8; NONCE_BYTES]> {
    connection.export_keying_material([0; NONCE_BYTES], label, Some(context)).map_err(io::Error::other)
}

/// A stream whose first byte was read already and is given once more.
pub(crate) struct Replay<T> {
    pub(crate) io: T,
    pub(crate) first: Option<u8>,
}

impl<T: AsyncRead + Unpin> AsyncRead for Replay<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.first.take() {
            Some(byte) if out.remaining() > 0 => {
                out.put_slice(&[byte]);
                Poll::Ready(Ok(()))
            }
            first => {
                self.first = first;
                Pin::new(&mut self.io).poll_read(cx, out)
            }
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Replay<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
