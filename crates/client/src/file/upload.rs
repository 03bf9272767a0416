//! Ciphertext on its way to the server: in parts, several at once, each sent again until it arrived.

use std::io::{self, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use rpc::bodies::ByteStream;
use rpc::courier::{Carrier, CourierError};
use rpc::patience::Patience;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use types::digest::Digest;
use types::file::PART_BYTES;
use types::id::FileId;
use types::wire::tdfs_external::{CompleteUpload, ContinueUpload, ReceivedPart, Response, UploadState};

use super::FileError;
use crate::{RequestError, Teehouse};

/// Parts that are on their way at once. Each is in memory until it arrived.
const PARALLEL: usize = 2;

/// Bytes of a part that are handed to the connection at once.
const PIECE: usize = 256 << 10;

/// One part of a ciphertext.
#[derive(Debug)]
pub(super) struct Part {
    number: u32,
    bytes: Bytes,
}

/// Buffers of parts that arrived, to be filled again: memory that is given back and asked for anew is not soon the
/// system's again.
type Spare = Arc<Mutex<Vec<BytesMut>>>;

fn spare(buffers: &Spare) -> MutexGuard<'_, Vec<BytesMut>> {
    buffers.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Cuts what is written to it into parts, and waits while too many are on their way. Parts that the server has are left
/// out.
pub(super) struct PartWriter {
    buffer: BytesMut,
    next: u32,
    received: Vec<u64>,
    to: mpsc::Sender<Part>,
    skipped: Progress,
    buffers: Spare,
}

/// Tells how many bytes arrived.
#[derive(Clone)]
pub(super) struct Progress(pub(super) Arc<Mutex<dyn FnMut(u64) + Send>>);

impl Progress {
    pub(super) fn add(&self, bytes: u64) {
        (self.0.lock().unwrap_or_else(PoisonError::into_inner))(bytes);
    }
}

impl PartWriter {
    /// Sends the last part.
    pub(super) fn finish(mut self) -> io::Result<()> {
        if self.buffer.is_empty() && self.next > 0 {
            return Ok(());
        }
        self.send()
    }

    fn send(&mut self) -> io::Result<()> {
        let next = spare(&self.buffers).pop().unwrap_or_default();
        let part = Part { number: self.next, bytes: std::mem::replace(&mut self.buffer, next).freeze() };
        self.next += 1;
        let arrived = self.received.get(part.number as usize).copied().unwrap_or(0);
        if arrived > 0 && arrived == part.bytes.len() as u64 {
            self.skipped.add(arrived);
            keep(&self.buffers, part.bytes);
            return Ok(());
        }
        // Whoever receives has failed, and says why.
        self.to.blocking_send(part).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for PartWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let full = PART_BYTES as usize;
        if self.buffer.len() == full {
            self.send()?;
        }
        let taken = bytes.len().min(full - self.buffer.len());
        if self.buffer.capacity() < self.buffer.len() + taken {
            self.buffer.reserve(if self.next == 0 { taken } else { full - self.buffer.len() });
        }
        self.buffer.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Keeps the buffer of a part that nobody needs any more.
fn keep(buffers: &Spare, bytes: Bytes) {
    if let Ok(mut buffer) = bytes.try_into_mut() {
        buffer.clear();
        spare(buffers).push(buffer);
    }
}

/// Parts on their way to one file.
pub(super) struct Upload {
    user: Teehouse,
    file: FileId,
    carrier: Carrier,
    progress: Progress,
    buffers: Spare,
}

impl Upload {
    /// Begins, or continues, an upload, and returns what its ciphertext is to be written to.
    pub(super) async fn begin(
        user: &Teehouse,
        file: &FileId,
        progress: Progress,
        resumed: bool,
    ) -> Result<(Self, PartWriter, mpsc::Receiver<Part>), FileError> {
        let state = state(user, file, Vec::new(), resumed).await?;
        let (to, parts) = mpsc::channel(1);
        let buffers = Spare::default();
        let writer = PartWriter {
            buffer: BytesMut::new(),
            next: 0,
            received: lengths(&state.received),
            to,
            skipped: progress.clone(),
            buffers: buffers.clone(),
        };
        let carrier = carrier(state.attested);
        Ok((Upload { user: user.clone(), file: file.clone(), carrier, progress, buffers }, writer, parts))
    }

    /// Sends what is written, until the writer is gone.
    pub(super) async fn run(self, mut parts: mpsc::Receiver<Part>) -> Result<(), FileError> {
        let (this, places, mut all) = (Arc::new(self), Arc::new(Semaphore::new(PARALLEL)), JoinSet::new());
        loop {
            let place = places.clone().acquire_owned().await.expect("it is never closed");
            let part = tokio::select! {
                part = parts.recv() => part,
                Some(sent) = all.join_next() => {
                    joined(sent)?;
                    continue;
                }
            };
            let Some(part) = part else { break };
            let this = this.clone();
            all.spawn(async move {
                let sent = this.send(part).await;
                drop(place);
                sent
            });
        }
        while let Some(sent) = all.join_next().await {
            joined(sent)?;
        }
        Ok(())
    }

    async fn send(&self, part: Part) -> Result<(), FileError> {
        let mut patience = Patience::default();
        loop {
            let error = match self.try_send(&part).await {
                Ok(()) => {
                    self.progress.add(part.bytes.len() as u64);
                    keep(&self.buffers, part.bytes);
                    return Ok(());
                }
                Err(error) => error,
            };
            after(&mut patience, error).await?;
        }
    }

    async fn try_send(&self, part: &Part) -> Result<(), FileError> {
        let url = self.url(part.number).await?;
        let sent = self.user.courier.put(self.carrier, &url, part.bytes.len() as u64, pieces(part.bytes.clone())).await;
        sent.map_err(|source| FileError::Send { file: self.file.clone(), source })
    }

    async fn url(&self, number: u32) -> Result<String, FileError> {
        let state = state(&self.user, &self.file, vec![number], false).await?;
        let found = state.urls.into_iter().find(|part| part.part == number);
        let none = || FileError::Send { file: self.file.clone(), source: CourierError::Url };
        found.map(|part| part.url).ok_or_else(none)
    }
}

/// Waits before another attempt, if one may help.
///
/// # Errors
/// The failure itself, when nothing will, or enough was tried.
async fn after(patience: &mut Patience, error: FileError) -> Result<(), FileError> {
    let helps = match &error {
        FileError::Send { source, .. } => source.is_passing() || source.is_expired(),
        error => error.is_passing(),
    };
    if helps && patience.again().await { Ok(()) } else { Err(error) }
}

fn carrier(attested: bool) -> Carrier {
    if attested { Carrier::Service } else { Carrier::Store }
}

/// Sends a short ciphertext whole, to the URL that came with its declaration.
pub(super) async fn send_whole(
    user: &Teehouse,
    file: &FileId,
    (url, attested): (&str, bool),
    bytes: Bytes,
) -> Result<(), FileError> {
    let mut patience = Patience::default();
    loop {
        let sent = user.courier.put(carrier(attested), url, bytes.len() as u64, pieces(bytes.clone())).await;
        let error = match sent {
            // What was sent before had arrived, and only its answer was lost.
            Err(error) if error.is_conflict() && patience.was_tried() => return Ok(()),
            Err(error) => FileError::Send { file: file.clone(), source: error },
            Ok(()) => return Ok(()),
        };
        after(&mut patience, error).await?;
    }
}

/// How far an upload is.
async fn state(user: &Teehouse, file: &FileId, parts: Vec<u32>, received: bool) -> Result<UploadState, FileError> {
    let request = ContinueUpload {
        file_id: file.clone(),
        parts,
        received,
        user_id: user.user.clone(),
        user_token: user.token.clone(),
    };
    match user.tdfs.call(request).await {
        Ok(Response::Upload(state)) => Ok(state),
        other => Err(FileError::Show { file: file.clone(), source: RequestError::of(other) }),
    }
}

/// Says that everything was sent, and what it holds where that was not said before.
pub(super) async fn complete(user: &Teehouse, file: &FileId, content: Option<(u64, Digest)>) -> Result<(), FileError> {
    let mut patience = Patience::default();
    loop {
        let request = CompleteUpload {
            file_id: file.clone(),
            sha256: content.map(|(_, sha256)| sha256),
            file_size: content.map(|(size, _)| size),
            user_id: user.user.clone(),
            user_token: user.token.clone(),
        };
        let source = match user.tdfs.call(request).await {
            Ok(Response::CompleteUpload(_)) => return Ok(()),
            other => RequestError::of(other),
        };
        after(&mut patience, FileError::Complete { file: file.clone(), source }).await?;
    }
}

fn joined(sent: Result<Result<(), FileError>, tokio::task::JoinError>) -> Result<(), FileError> {
    match sent {
        Ok(sent) => sent,
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}

/// The lengths of the parts that arrived, by number; 0 for those that did not.
fn lengths(received: &[ReceivedPart]) -> Vec<u64> {
    let count = received.iter().map(|part| part.part as usize + 1).max().unwrap_or(0);
    let mut lengths = vec![0; count.min(types::file::MAX_PARTS as usize)];
    for part in received {
        if let Some(length) = lengths.get_mut(part.part as usize) {
            *length = part.size;
        }
    }
    lengths
}

/// A body of bytes that are in memory.
fn pieces(bytes: Bytes) -> ByteStream {
    Box::pin(Pieces(bytes))
}

struct Pieces(Bytes);

impl Stream for Pieces {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let length = self.0.len().min(PIECE);
        let piece = self.0.split_to(length);
        Poll::Ready((!piece.is_empty()).then_some(Ok(piece)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn written(length: usize, received: Vec<u64>) -> (Vec<(u32, usize)>, u64) {
        let (to, mut parts) = mpsc::channel(1);
        let counted = Arc::new(Mutex::new(0));
        let count = counted.clone();
        let skipped = Progress(Arc::new(Mutex::new(move |bytes| *count.lock().unwrap() += bytes)));
        let mut writer =
            PartWriter { buffer: BytesMut::new(), next: 0, received, to, skipped, buffers: Spare::default() };
        let writing = tokio::task::spawn_blocking(move || {
            writer.write_all(&vec![1; length])?;
            writer.finish()
        });
        let mut all = Vec::new();
        while let Some(part) = parts.recv().await {
            all.push((part.number, part.bytes.len()));
        }
        writing.await.unwrap().unwrap();
        let counted = *counted.lock().unwrap();
        (all, counted)
    }

    #[tokio::test]
    async fn parts_are_full_but_the_last_and_what_arrived_is_left_out() {
        let full = PART_BYTES as usize;
        assert_eq!(written(0, vec![]).await, (vec![(0, 0)], 0));
        assert_eq!(written(1, vec![]).await, (vec![(0, 1)], 0));
        assert_eq!(written(full, vec![]).await, (vec![(0, full)], 0));
        assert_eq!(written(full + 1, vec![]).await, (vec![(0, full), (1, 1)], 0));
        assert_eq!(written(2 * full + 5, vec![PART_BYTES]).await, (vec![(1, full), (2, 5)], PART_BYTES));
        assert_eq!(written(2 * full + 5, vec![7, 0, 5]).await, (vec![(0, full), (1, full)], 5));
    }

    #[test]
    fn a_list_of_received_parts_is_not_believed_to_be_sorted_or_short() {
        let part = |part, size| ReceivedPart { part, size };
        assert!(lengths(&[]).is_empty());
        assert_eq!(lengths(&[part(2, 9), part(0, 7)]), [7, 0, 9]);
        assert!(lengths(&[part(u32::MAX, 1)]).len() <= types::file::MAX_PARTS as usize);
    }
}
