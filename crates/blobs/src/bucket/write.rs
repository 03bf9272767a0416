//! Storing objects from the server's side: for tests and repairs, since clients put objects themselves.
//!
//! S3 wants at least 5 MiB in each part of an object that is put together, so [`PUT_BYTES`] are in memory at a time.
//! An upload that is dropped half-way leaves parts that no listing shows; a lifecycle rule of the bucket removes them.

use std::io;
use std::pin::pin;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore as _, ObjectStoreExt as _, PutPayload};

use super::{Bucket, within, within_if_any};
use crate::body::Body;
use crate::error::Reason;
use crate::layout::check_cover;
use crate::{Id, Layout};

/// Bytes sent at a time.
const PUT_BYTES: usize = 8 << 20;

/// Most bytes of an object that is put together: S3 takes 10,000 parts.
const MAX_WHOLE: u64 = 10_000 * PUT_BYTES as u64;

impl Bucket {
    pub(crate) async fn write_whole(
        &self,
        id: &Id,
        expected_len: u64,
        body: impl Stream<Item = io::Result<Bytes>> + Send,
    ) -> Result<(), Reason> {
        if expected_len > MAX_WHOLE {
            return Err(Reason::TooLarge);
        }
        if self.len(id, Layout::Whole).await?.is_some() {
            return Err(Reason::Exists);
        }
        let body = pin!(body);
        self.put(&self.whole(id), Body::new(body, expected_len), expected_len).await.map(drop)
    }

    pub(crate) async fn write_part(
        &self,
        id: &Id,
        part: u32,
        max_len: u64,
        body: impl Stream<Item = io::Result<Bytes>> + Send,
    ) -> Result<u64, Reason> {
        let body = pin!(body);
        self.put(&self.part(id, part), Body::new(body, max_len), 1).await
    }

    pub(crate) async fn complete(&self, id: &Id, stored_len: u64) -> Result<Layout, Reason> {
        let parts = self.received(id).await?;
        if !parts.is_empty() {
            return Ok(Layout::Parts { count: check_cover(stored_len, &parts)? });
        }
        match self.len(id, Layout::Whole).await? {
            Some(len) if len == stored_len => Ok(Layout::Whole),
            Some(received) => Err(Reason::OtherLength { expected: stored_len, received }),
            None => Err(Reason::Missing),
        }
    }

    pub(crate) async fn delete(&self, id: &Id) -> Result<(), Reason> {
        // Some stores fail, and do not shrug, when what is to be deleted isn't there.
        if self.len(id, Layout::Whole).await?.is_some() {
            within_if_any(self.s3().delete(&self.whole(id))).await?;
        }
        self.delete_parts(id).await
    }

    pub(super) async fn delete_parts(&self, id: &Id) -> Result<(), Reason> {
        let (bucket, id, parts) = (self.clone(), id.clone(), self.received(id).await?);
        let keys = stream::iter(parts).map(move |(part, _)| Ok(bucket.part(&id, part))).boxed();
        // A thousand go in one request.
        let mut deleted = self.s3().delete_stream(keys);
        loop {
            match within(deleted.try_next()).await {
                Ok(Some(_)) | Err(Reason::Missing) => {}
                Ok(None) => return Ok(()),
                Err(reason) => return Err(reason),
            }
        }
    }

    /// Puts one object of `min` or more bytes, and nothing when the body isn't good.
    async fn put(
        &self,
        key: &Path,
        mut body: Body<'_, impl Stream<Item = io::Result<Bytes>>>,
        min: u64,
    ) -> Result<u64, Reason> {
        let first = gather(&mut body).await?;
        if first.content_length() == PUT_BYTES {
            let mut upload = within(self.s3().put_multipart(key)).await?;
            let result = put_rest(upload.as_mut(), first, &mut body, min).await;
            if result.is_err() {
                // The body's error is what the caller wants to know.
                let _ = within(upload.abort()).await;
            }
            return result;
        }
        check_enough(body.received(), min)?;
        within(self.s3().put(key, first)).await?;
        Ok(body.received())
    }
}

async fn put_rest(
    upload: &mut dyn MultipartUpload,
    mut payload: PutPayload,
    body: &mut Body<'_, impl Stream<Item = io::Result<Bytes>>>,
    min: u64,
) -> Result<u64, Reason> {
    while payload.content_length() > 0 {
        within(upload.put_part(payload)).await?;
        payload = gather(body).await?;
    }
    check_enough(body.received(), min)?;
    within(upload.complete()).await?;
    Ok(body.received())
}

fn check_enough(received: u64, expected: u64) -> Result<(), Reason> {
    match received >= expected {
        true => Ok(()),
        false => Err(Reason::TooShort { expected, received }),
    }
}

/// The next [`PUT_BYTES`], or what is left.
async fn gather(body: &mut Body<'_, impl Stream<Item = io::Result<Bytes>>>) -> Result<PutPayload, Reason> {
    let (mut pieces, mut bytes) = (Vec::new(), 0);
    while bytes < PUT_BYTES {
        let piece = body.take(PUT_BYTES - bytes).await?;
        if piece.is_empty() {
            break;
        }
        bytes += piece.len();
        pieces.push(piece);
    }
    Ok(pieces.into_iter().collect())
}
