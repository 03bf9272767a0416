//! A run's scratch space: blocks in a spool file without a name, each sealed at its place under a key of the run's own.

use std::io::{self, Read as _, SeekFrom, Write as _};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use crypto::ephemeral::{EphemeralKey, TAG_LEN};
use executor::Scratch;
use zeroize::Zeroizing;

use super::output::Collected;
use super::spool::Storage;

/// Blocks that were sealed one after the other; see [`crypto::ephemeral`].
pub(super) struct SealedScratch {
    key: EphemeralKey,
    storage: Mutex<Box<dyn Storage>>,
    /// Where the next block will be: taken before it is sealed, so that no two are sealed for one place.
    end: AtomicU64,
    /// What no thread uses just now. Wiped in the end: opened blocks were in them.
    buffers: Mutex<Vec<Buffer>>,
    /// Hears of what goes wrong.
    run: Arc<Collected>,
}

type Buffer = Zeroizing<Vec<u8>>;

impl SealedScratch {
    pub(super) fn new(storage: Box<dyn Storage>, run: Arc<Collected>) -> Self {
        let (key, storage) = (EphemeralKey::generate(), Mutex::new(storage));
        SealedScratch { key, storage, end: AtomicU64::new(0), buffers: Mutex::default(), run }
    }

    fn with_buffer<T>(&self, work: impl FnOnce(&mut Buffer) -> io::Result<T>) -> io::Result<T> {
        let mut buffer = lock(&self.buffers).pop().unwrap_or_default();
        let done = work(&mut buffer);
        lock(&self.buffers).push(buffer);
        done.map_err(|problem| self.run.failed(problem))
    }

    fn seal_into(&self, buffer: &mut Buffer, block: &[u8]) -> io::Result<u64> {
        let sealed_len = (block.len() + TAG_LEN) as u64;
        let position = self.end.fetch_add(sealed_len, Relaxed);
        buffer.clear();
        buffer.extend_from_slice(block);
        let tag = self.key.seal(position, buffer).map_err(io::Error::other)?;
        buffer.extend_from_slice(&tag);
        let mut storage = lock(&self.storage);
        storage.seek(SeekFrom::Start(position))?;
        storage.write_all(buffer)?;
        Ok(position)
    }

    fn open_from(&self, buffer: &mut Buffer, position: u64, block: &mut [u8]) -> io::Result<()> {
        buffer.resize(block.len() + TAG_LEN, 0);
        {
            let mut storage = lock(&self.storage);
            storage.seek(SeekFrom::Start(position))?;
            storage.read_exact(buffer)?;
        }
        block.copy_from_slice(self.key.open(position, buffer).map_err(io::Error::other)?);
        Ok(())
    }
}

impl Scratch for SealedScratch {
    fn append(&self, block: &[u8]) -> io::Result<u64> {
        self.with_buffer(|buffer| self.seal_into(buffer, block))
    }

    fn read(&self, position: u64, block: &mut [u8]) -> io::Result<()> {
        self.with_buffer(|buffer| self.open_from(buffer, position, block))
    }
}

/// A thread that panicked left a buffer or a storage that the next use begins anew.
fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
