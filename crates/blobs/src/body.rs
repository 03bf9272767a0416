//! Bodies of uploads, gathered into batches that are worth a trip to the disk.

use std::io;
use std::pin::{Pin, pin};

use bytes::Bytes;
use futures_util::future::{self, Either};
use futures_util::{Stream, StreamExt as _};

use crate::error::Reason;

/// Bytes of a batch, about.
const BATCH_BYTES: usize = 256 << 10;

/// Most pieces in a batch: a TLS record has 16 KiB, and a small piece may keep a whole record's buffer alive.
const BATCH_PIECES: usize = 64;

/// A body that may have so many bytes.
pub(crate) struct Body<'a, S> {
    stream: Pin<&'a mut S>,
    max: u64,
    received: u64,
    /// What [`take`](Body::take) left.
    rest: Bytes,
}

impl<'a, S: Stream<Item = io::Result<Bytes>>> Body<'a, S> {
    pub(crate) fn new(stream: Pin<&'a mut S>, max: u64) -> Self {
        Body { stream, max, received: 0, rest: Bytes::new() }
    }

    /// Bytes so far.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// The next batch; an empty one is the end.
    pub(crate) async fn batch(&mut self) -> Result<Vec<Bytes>, Reason> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while bytes < BATCH_BYTES && batch.len() < BATCH_PIECES {
            let Some(piece) = self.piece().await? else { break };
            bytes += piece.len();
            batch.push(piece);
        }
        Ok(batch)
    }

    /// The next batch, gathered while the one before is written. A failed write ends this at once; a body that breaks
    /// off ends it when the write is over, so that nothing happens after the error was told.
    pub(crate) async fn batch_during(
        &mut self,
        write: impl Future<Output = Result<(), Reason>>,
    ) -> Result<Vec<Bytes>, Reason> {
        match future::select(pin!(write), pin!(self.batch())).await {
            Either::Left((written, next)) => {
                written?;
                next.await
            }
            Either::Right((next, write)) => {
                write.await?;
                next
            }
        }
    }

    /// At most `bytes` of what comes next; nothing is the end.
    pub(crate) async fn take(&mut self, bytes: usize) -> Result<Bytes, Reason> {
        if self.rest.is_empty() {
            self.rest = self.piece().await?.unwrap_or_default();
        }
        Ok(self.rest.split_to(bytes.min(self.rest.len())))
    }

    /// The next piece that has any bytes.
    async fn piece(&mut self) -> Result<Option<Bytes>, Reason> {
        while let Some(piece) = self.stream.next().await {
            let piece = piece.map_err(Reason::Body)?;
            self.received = self.received.saturating_add(piece.len() as u64);
            if self.received > self.max {
                return Err(Reason::TooLong { max: self.max });
            }
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    async fn batches(pieces: Vec<&'static [u8]>, max: u64) -> Result<Vec<usize>, Reason> {
        let mut stream = stream::iter(pieces.into_iter().map(|piece| Ok(Bytes::from_static(piece))));
        let mut body = Body::new(Pin::new(&mut stream), max);
        let mut sizes = Vec::new();
        loop {
            let batch = body.batch().await?;
            if batch.is_empty() {
                return Ok(sizes);
            }
            sizes.push(batch.iter().map(Bytes::len).sum());
        }
    }

    #[tokio::test]
    async fn small_pieces_travel_together() {
        assert_eq!(batches(vec![b"ab", b"", b"c"], 3).await.unwrap(), [3]);
        assert_eq!(batches(vec![b"x"; 100], 100).await.unwrap(), [64, 36]);
        assert_eq!(batches(vec![&[0; 200 << 10]; 3], 1 << 20).await.unwrap(), [400 << 10, 200 << 10]);
        assert_eq!(batches(vec![], 0).await.unwrap(), [0; 0]);
        assert!(matches!(batches(vec![b"ab", b"c"], 2).await, Err(Reason::TooLong { max: 2 })));
    }
}
