//! One input as a guest reads it: from any place, fast where it goes forwards.

use std::io::BufRead;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use super::door::Door;
use super::fault::StreamFault;
use crate::{Failure, InputStream};

/// The most that one call gives: larger reads go round again.
const MOST: usize = 1 << 20;

/// An input and how far it has been read. It is opened at the first read; going backwards opens it again.
pub(super) struct Reader {
    input: usize,
    open: Option<Open>,
}

struct Open {
    stream: InputStream,
    position: u64,
}

impl Reader {
    pub(super) fn new(input: usize) -> Self {
        Self { input, open: None }
    }

    /// Up to `most` bytes from `position` on; none at the end.
    pub(super) async fn read(&mut self, position: u64, most: u64, door: &Door) -> Result<Vec<u8>, StreamFault> {
        let open = self.at(position, door).await?;
        let there = open.stream.fill_buf()?;
        let take = there.len().min(MOST).min(usize::try_from(most).unwrap_or(MOST));
        let bytes = there[..take].to_vec();
        open.consume(take);
        Ok(bytes)
    }

    /// The stream, moved to `position` or to its end.
    async fn at(&mut self, position: u64, door: &Door) -> Result<&mut Open, StreamFault> {
        if self.open.as_ref().is_none_or(|open| open.position > position) {
            // The old stream goes first: two of one input would be two of the host's buffers.
            self.open = None;
            self.open = Some(Open { stream: door.input(self.input).await?, position: 0 });
        }
        let open = self.open.as_mut().ok_or(StreamFault::Closed)?;
        open.skip_to(position)?;
        Ok(open)
    }
}

impl Open {
    fn skip_to(&mut self, position: u64) -> Result<(), Failure> {
        while self.position < position {
            let there = self.stream.fill_buf()?.len() as u64;
            if there == 0 {
                break;
            }
            let step = there.min(position - self.position);
            self.consume(usize::try_from(step).expect("no more than the buffer holds"));
        }
        Ok(())
    }

    fn consume(&mut self, bytes: usize) {
        self.stream.consume(bytes);
        self.position += bytes as u64;
    }
}

/// One reader for a descriptor and all its streams, so that a stream which goes on where another stopped costs nothing.
#[derive(Clone)]
pub(super) struct SharedReader(Arc<Mutex<Reader>>);

impl SharedReader {
    pub(super) fn new(input: usize) -> Self {
        Self(Arc::new(Mutex::new(Reader::new(input))))
    }

    /// See [`Reader::read`].
    pub(super) async fn read(&self, position: u64, most: u64, door: &Door) -> Result<Vec<u8>, StreamFault> {
        // Taken out rather than locked for the while: one guest runs on one thread, so nobody misses it.
        let mut reader = self.replace(None);
        let read = reader.read(position, most, door).await;
        self.replace(Some(reader));
        read
    }

    /// Moves to `position`, for [`copy`](SharedReader::copy).
    pub(super) async fn seek(&self, position: u64, door: &Door) -> Result<(), StreamFault> {
        let mut reader = self.replace(None);
        let moved = reader.at(position, door).await.map(drop);
        self.replace(Some(reader));
        moved
    }

    /// Fills `into` from where the reader is, as far as the input goes.
    pub(super) fn copy(&self, into: &mut [u8]) -> Result<usize, StreamFault> {
        let mut reader = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let open = reader.open.as_mut().ok_or(StreamFault::Closed)?;
        let mut copied = 0;
        while copied < into.len() {
            let there = open.stream.fill_buf()?;
            let bytes = there.len().min(into.len() - copied);
            if bytes == 0 {
                break;
            }
            into[copied..copied + bytes].copy_from_slice(&there[..bytes]);
            copied += bytes;
            open.consume(bytes);
        }
        Ok(copied)
    }

    fn replace(&self, reader: Option<Reader>) -> Reader {
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let reader = reader.unwrap_or_else(|| Reader::new(place.input));
        mem::replace(&mut place, reader)
    }
}

/// Up to `most` bytes of `content` from `position` on; none at the end.
pub(super) fn slice(content: &[u8], position: u64, most: u64) -> Vec<u8> {
    let start = usize::try_from(position).unwrap_or(usize::MAX).min(content.len());
    let rest = &content[start..];
    rest[..rest.len().min(MOST).min(usize::try_from(most).unwrap_or(MOST))].to_vec()
}
