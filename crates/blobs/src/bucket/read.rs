//! Reading ciphertext back out of a bucket: object after object, in pieces, exactly as many bytes as were asked for.

use std::io;
use std::ops::Range;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore as _, ObjectStoreExt as _};

use super::{Bucket, STEP, within, within_if_any};
use crate::error::Reason;
use crate::layout::check_cover;
use crate::{Id, Layout, PART_SIZE, PIECE_LEN, Pieces};

/// An object's bytes that are wanted.
type Span = (Path, Range<u64>);

impl Bucket {
    pub(crate) async fn len(&self, id: &Id, layout: Layout) -> Result<Option<u64>, Reason> {
        let Layout::Parts { count } = layout else { return self.object_len(&self.whole(id)).await };
        let parts = self.received(id).await?;
        let len = parts.iter().map(|(_, len)| len).sum();
        Ok((check_cover(len, &parts).is_ok_and(|found| found == count)).then_some(len))
    }

    pub(crate) async fn read(&self, id: &Id, layout: Layout, range: Range<u64>) -> Result<Pieces, Reason> {
        let len = self.readable(id, layout).await?.ok_or(Reason::Missing)?;
        let Range { start, end } = range;
        if start > end || end > len {
            return Err(Reason::OutOfRange { start, end, len });
        }
        let bucket = self.clone();
        let spans = self.spans(id, layout, start..end);
        let objects = stream::iter(spans).then(move |span| bucket.clone().object(span));
        Ok(objects.map_err(io::Error::other).try_flatten().boxed())
    }

    /// The length by its last object alone: what else is missing shows when it is read.
    async fn readable(&self, id: &Id, layout: Layout) -> Result<Option<u64>, Reason> {
        let Layout::Parts { count } = layout else { return self.object_len(&self.whole(id)).await };
        let Some(last) = count.checked_sub(1) else { return Ok(Some(0)) };
        let len = self.object_len(&self.part(id, last)).await?;
        Ok(len.map(|len| u64::from(last) * PART_SIZE + len))
    }

    async fn object_len(&self, key: &Path) -> Result<Option<u64>, Reason> {
        Ok(within_if_any(self.s3().head(key)).await?.map(|object| object.size))
    }

    /// Made one by one while they are read.
    fn spans(&self, id: &Id, layout: Layout, range: Range<u64>) -> impl Iterator<Item = Span> + Send + use<> {
        let (bucket, id, Range { mut start, end }) = (self.clone(), id.clone(), range);
        std::iter::from_fn(move || {
            if start >= end {
                return None;
            }
            let (key, base, limit) = match layout {
                Layout::Whole => (bucket.whole(&id), 0, end),
                Layout::Parts { .. } => {
                    let part = start / PART_SIZE;
                    // A count of parts fits, and the range was checked against it.
                    let key = bucket.part(&id, u32::try_from(part).unwrap_or(u32::MAX));
                    (key, part * PART_SIZE, (part + 1) * PART_SIZE)
                }
            };
            let wanted = start - base..end.min(limit) - base;
            start = end.min(limit);
            Some((key, wanted))
        })
    }

    async fn object(self, (key, range): Span) -> Result<Pieces, Reason> {
        let len = range.end - range.start;
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        let answer = within(self.s3().get_opts(&key, options)).await?;
        let body = answer.into_stream().map_err(io::Error::other).boxed();
        Ok(exactly(body, len))
    }
}

/// So many bytes in pieces, each in bounded time, and an error when there are more or fewer.
fn exactly(body: Pieces, len: u64) -> Pieces {
    stream::try_unfold((body, Bytes::new(), len), |(mut body, mut rest, left)| async move {
        while rest.is_empty() {
            let next = tokio::time::timeout(STEP, body.next()).await.map_err(|_| too_slow())?;
            match next.transpose()? {
                Some(piece) if piece.len() as u64 > left => return Err(other_length()),
                Some(piece) => rest = piece,
                None if left > 0 => return Err(other_length()),
                None => return Ok(None),
            }
        }
        let piece = rest.split_to(rest.len().min(PIECE_LEN));
        let left = left - piece.len() as u64;
        Ok(Some((piece, (body, rest, left))))
    })
    .boxed()
}

fn too_slow() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the object store stopped sending; try again")
}

fn other_length() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the object store sent another number of bytes than it was asked for")
}
