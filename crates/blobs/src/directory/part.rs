//! One part of an upload: data at its place, made durable, and only then a slot in the journal.
//!
//! From the first byte of a part that was received before, the older one counts no more: its slot is cleared before its
//! data is touched. A body that ends before its first byte changes nothing.

use std::io;
use std::os::unix::fs::FileExt as _;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;

use super::begin::Upload;
use super::claims::Claim;
use super::{Directory, blocking};
use crate::body::Body;
use crate::error::Reason;
use crate::{Id, PART_SIZE};

/// A part that is being written.
struct Writer {
    claim: Claim,
    upload: Upload,
    part: u32,
}

impl Directory {
    pub(crate) async fn write_part(
        &self,
        id: &Id,
        part: u32,
        max_len: u64,
        body: impl Stream<Item = io::Result<Bytes>> + Send,
    ) -> Result<u64, Reason> {
        let writer = self.open_part(id.clone(), part).await?;
        let body = pin!(body);
        let mut body = Body::new(body, max_len);
        let mut at = 0;
        let mut batch = body.batch().await?;
        while !batch.is_empty() {
            // The next batch is gathered while this one is written.
            let writing = blocking({
                let writer = writer.clone();
                move || writer.write(at, &batch)
            });
            at = body.received();
            batch = body.batch_during(writing).await?;
        }
        match at {
            0 => Err(Reason::TooShort { expected: 1, received: 0 }),
            len => blocking(move || writer.finish(len)).await,
        }
    }

    async fn open_part(&self, id: Id, part: u32) -> Result<Arc<Writer>, Reason> {
        self.step(move |inner| {
            let claim = inner.claims.part(&id, part);
            let upload = inner.begin(&id)?;
            Ok(Arc::new(Writer { claim, upload, part }))
        })
        .await
    }

    pub(crate) async fn received(&self, id: &Id) -> Result<Vec<(u32, u64)>, Reason> {
        let id = id.clone();
        self.step(move |inner| match inner.upload(&id)? {
            Some(upload) => Ok(upload.journal.received()?),
            None => Ok(Vec::new()),
        })
        .await
    }
}

impl Writer {
    /// Writes a batch that begins `at` bytes into the part.
    fn write(&self, at: u64, batch: &[Bytes]) -> Result<(), Reason> {
        self.claim.act(|| {
            if at == 0 {
                self.upload.journal.forget(self.part)?;
            }
            let mut place = u64::from(self.part) * PART_SIZE + at;
            for piece in batch {
                self.upload.data.write_all_at(piece, place)?;
                place += piece.len() as u64;
            }
            Ok(())
        })
    }

    fn finish(&self, len: u64) -> Result<u64, Reason> {
        self.upload.data.sync_data()?;
        self.claim.act(|| Ok(self.upload.journal.add(self.part, len)?))?;
        Ok(len)
    }
}
