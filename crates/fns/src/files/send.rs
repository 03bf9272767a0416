//! Sends an output's ciphertext to an object store while it is sealed.

use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use crypto::file::stream::TooLong;
use futures_core::Stream;
use rpc::courier::{Carrier, Courier, CourierError};
use rpc::patience::Patience;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::place::Sealed;

/// Pieces of a ciphertext that wait to be sent.
const AHEAD: usize = 8;

/// Why an output was not sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    #[error("sealing")]
    Seal(#[source] io::Error),
    #[error("sending to the object store")]
    Store(#[source] CourierError),
}

impl From<TooLong> for SendError {
    fn from(error: TooLong) -> Self {
        SendError::Seal(io::Error::other(error))
    }
}

/// Sends a ciphertext to a URL with one `PUT`, and again where that may help. Whatever thread seals it keeps `hold`.
///
/// # Errors
/// [`SendError`]; what the store has then is nothing, or is taken for nothing, since no task lists it.
pub(crate) async fn send(
    courier: &Courier,
    mut sealed: Sealed,
    url: &str,
    hold: impl Clone + Send + 'static,
) -> Result<(), SendError> {
    let (length, mut patience) = (sealed.length()?, Patience::default());
    loop {
        let (mut writer, stream) = Pieces::stream();
        let held = hold.clone();
        let sealing = spawn_blocking(move || {
            let written = sealed.write(&mut writer);
            drop(held);
            (written, sealed)
        });
        // The stream goes with the request, so a request that fails ends the sealing.
        let sent = courier.put(Carrier::Store, url, length, Box::pin(stream)).await;
        let (written, again) = sealing.await.map_err(|error| SendError::Seal(io::Error::other(error)))?;
        let problem = match (sent, written) {
            (Ok(()), _) => return Ok(()),
            // The stream ended early because sealing failed.
            (Err(CourierError::Source(_)), Err(problem)) => return Err(SendError::Seal(problem)),
            (Err(problem), _) => problem,
        };
        if !problem.is_passing() || !patience.again().await {
            return Err(SendError::Store(problem));
        }
        tracing::debug!(error = %problem, "an output is sent again");
        sealed = again;
    }
}

/// The end of a stream at which ciphertext is written, on a thread that may wait.
pub(super) struct Pieces(mpsc::Sender<Bytes>);

impl Pieces {
    /// Both ends. When the writing one is gone, the stream ends.
    fn stream() -> (Self, impl Stream<Item = io::Result<Bytes>> + Send) {
        let (sender, receiver) = mpsc::channel(AHEAD);
        (Pieces(sender), Receiving(receiver))
    }

    pub(super) fn send(&mut self, piece: Bytes) -> io::Result<()> {
        self.0.blocking_send(piece).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.send(Bytes::copy_from_slice(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Receiving(mpsc::Receiver<Bytes>);

impl Stream for Receiving {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|piece| piece.map(Ok))
    }
}
