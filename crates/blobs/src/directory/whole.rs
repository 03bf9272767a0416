//! A file that comes in one piece: a draft, made durable, and only then its name.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;

use super::claims::Claim;
use super::{Directory, Inner, blocking, draft_name};
use crate::Id;
use crate::body::Body;
use crate::error::Reason;

/// Bytes that are compared at a time.
const COMPARED: usize = 64 << 10;

/// A file without its name; it is removed unless it gets one.
struct Draft {
    inner: Arc<Inner>,
    claim: Claim,
    id: Id,
    name: String,
    file: File,
}

impl Directory {
    pub(crate) async fn write_whole(
        &self,
        id: &Id,
        expected_len: u64,
        body: impl Stream<Item = io::Result<Bytes>> + Send,
    ) -> Result<(), Reason> {
        let body = pin!(body);
        let mut body = Body::new(body, expected_len);
        let mut batch = body.batch().await?;
        let draft = self.draft(id.clone()).await?;
        let mut at = 0;
        while !batch.is_empty() {
            let writing = blocking({
                let draft = draft.clone();
                move || draft.write(at, &batch)
            });
            at = body.received();
            batch = body.batch_during(writing).await?;
        }
        match at == expected_len {
            true => blocking(move || draft.finish()).await,
            false => Err(Reason::TooShort { expected: expected_len, received: at }),
        }
    }

    async fn draft(&self, id: Id) -> Result<Arc<Draft>, Reason> {
        let inner = self.0.clone();
        blocking(move || {
            let claim = inner.claims.draft(&id);
            let name = draft_name(id.as_str());
            let file = inner.uploads.create(&name)?;
            Ok(Arc::new(Draft { inner, claim, id, name, file }))
        })
        .await
    }
}

impl Draft {
    fn write(&self, mut at: u64, batch: &[Bytes]) -> Result<(), Reason> {
        for piece in batch {
            self.file.write_all_at(piece, at)?;
            at += piece.len() as u64;
        }
        Ok(())
    }

    /// Gives the draft its name. A finished file with the very same bytes is as good, so that a client may send a file
    /// again whose acknowledgement it never got.
    fn finish(&self) -> Result<(), Reason> {
        self.file.sync_all()?;
        match self.claim.act(|| self.inner.uploads.rename(&self.name, &self.inner.home, self.id.as_str())) {
            Err(Reason::Exists) if self.is_there_already()? => {}
            result => result?,
        }
        Ok(self.inner.home.sync()?)
    }

    fn is_there_already(&self) -> Result<bool, Reason> {
        let Ok(Some(finished)) = self.inner.home.read(self.id.as_str()) else { return Ok(false) };
        if finished.metadata()?.len() != self.file.metadata()?.len() {
            return Ok(false);
        }
        let (mut ours, mut theirs, mut at) = (vec![0; COMPARED], Vec::with_capacity(COMPARED), 0);
        loop {
            theirs.clear();
            (&finished).take(COMPARED as u64).read_to_end(&mut theirs)?;
            if theirs.is_empty() {
                return Ok(at == self.file.metadata()?.len());
            }
            let ours = &mut ours[..theirs.len()];
            if self.file.read_exact_at(ours, at).is_err() || ours != &theirs[..] {
                return Ok(false);
            }
            at += theirs.len() as u64;
        }
    }
}

impl Drop for Draft {
    /// Runs on whichever thread lets go last, which may be the runtime's.
    fn drop(&mut self) {
        let (inner, name) = (self.inner.clone(), std::mem::take(&mut self.name));
        // A draft that can't be removed is swept up later; one that has its name is gone already.
        let remove = move || drop(inner.uploads.remove(&name));
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => remove(),
        }
    }
}
