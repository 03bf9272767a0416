//! A ciphertext in an object store, as a reader: fetched as it is read, and again where a connection breaks.

use std::future::{Future, poll_fn};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf as _, Bytes};
use executor::StopSignal;
use futures_core::Stream as _;
use rpc::courier::{Arriving, Carrier, Courier, CourierError};
use rpc::patience::Patience;
use tokio::runtime::Handle;
use types::wire::tdfs_external::DownloadPart;

use super::error::ReadError;

/// Asks for URLs anew, as theirs expire; nothing when there are none to be had.
pub(crate) type Renew = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Vec<DownloadPart>> + Send>> + Send + Sync>;

/// A ciphertext behind URLs.
pub(crate) struct Store {
    courier: Arc<Courier>,
    /// Where transfers happen while a reader's thread waits.
    runtime: Handle,
    parts: Mutex<Vec<DownloadPart>>,
    length: u64,
    renew: Renew,
    stop: StopSignal,
}

impl Store {
    /// A ciphertext in these parts, which follow each other. Must be called within the runtime.
    pub(crate) fn new(courier: Arc<Courier>, parts: Vec<DownloadPart>, renew: Renew, stop: StopSignal) -> Self {
        let length = total(&parts);
        Store { courier, runtime: Handle::current(), parts: Mutex::new(parts), length, renew, stop }
    }

    /// The URL that has the byte at a position, and which of its bytes are that one and all after it.
    fn part_at(&self, position: u64) -> Option<(String, Range<u64>)> {
        let mut start = 0;
        for part in self.parts.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            if position - start < part.size {
                return Some((part.url.clone(), position - start..part.size));
            }
            start += part.size;
        }
        None
    }

    async fn request(&self, position: u64) -> Result<Fetching, CourierError> {
        let (url, range) = self.part_at(position).ok_or(CourierError::Url)?;
        let left = range.end - range.start;
        let arriving = self.courier.get(Carrier::Store, &url, Some(range)).await?;
        Ok(Fetching { arriving, left })
    }

    async fn renew(&self) {
        let parts = (self.renew)().await;
        if total(&parts) == self.length {
            *self.parts.lock().unwrap_or_else(PoisonError::into_inner) = parts;
        }
    }
}

fn total(parts: &[DownloadPart]) -> u64 {
    parts.iter().fold(0, |total, part| total.saturating_add(part.size))
}

/// A transfer under way.
struct Fetching {
    arriving: Arriving,
    /// What of its part has not arrived.
    left: u64,
}

impl Fetching {
    async fn next(&mut self) -> Result<Bytes, CourierError> {
        loop {
            match poll_fn(|cx| Pin::new(&mut self.arriving).poll_next(cx)).await {
                Some(Ok(piece)) if piece.is_empty() => {}
                Some(Ok(mut piece)) => {
                    piece.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
                    self.left -= piece.len() as u64;
                    return Ok(piece);
                }
                Some(Err(error)) => return Err(CourierError::Connection(error)),
                None => return Err(CourierError::Connection(io::ErrorKind::UnexpectedEof.into())),
            }
        }
    }
}

/// A reader of a [`Store`]; holds one piece of what arrives. Only for threads that may wait.
pub(crate) struct Remote {
    store: Arc<Store>,
    /// Where the next byte is read.
    position: u64,
    /// Where `current` begins.
    at: u64,
    current: Bytes,
    fetching: Option<Fetching>,
}

impl Remote {
    pub(crate) fn new(store: Arc<Store>) -> Self {
        Remote { store, position: 0, at: 0, current: Bytes::new(), fetching: None }
    }

    /// Waits for bytes at the position; tries again where that may help.
    fn fetch(&mut self) -> Result<Bytes, ReadError> {
        let (runtime, mut patience) = (self.store.runtime.clone(), Patience::default());
        loop {
            self.store.stop.check().map_err(ReadError::Stopped)?;
            let error = match runtime.block_on(self.try_fetch()) {
                Ok(bytes) => return Ok(bytes),
                Err(error) => error,
            };
            self.fetching = None;
            if error.is_missing() {
                return Err(ReadError::Missing);
            }
            if !(error.is_passing() || error.is_expired()) || !runtime.block_on(patience.again()) {
                return Err(ReadError::Store(error));
            }
            tracing::debug!(%error, "an input is fetched again");
            runtime.block_on(self.store.renew());
        }
    }

    async fn try_fetch(&mut self) -> Result<Bytes, CourierError> {
        let mut fetching = match self.fetching.take() {
            Some(fetching) => fetching,
            None => self.store.request(self.position).await?,
        };
        let piece = fetching.next().await?;
        self.fetching = Some(fetching).filter(|fetching| fetching.left > 0);
        Ok(piece)
    }
}

impl Read for Remote {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at != self.position {
            (self.fetching, self.current, self.at) = (None, Bytes::new(), self.position);
        }
        if self.current.is_empty() && self.position < self.store.length && !out.is_empty() {
            self.current = self.fetch()?;
        }
        let length = out.len().min(self.current.len());
        self.current.copy_to_slice(&mut out[..length]);
        self.position += length as u64;
        self.at = self.position;
        Ok(length)
    }
}

impl Seek for Remote {
    /// Nothing is fetched before the next read, and nothing given up when that is where the last one ended.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(by) => self.store.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}
