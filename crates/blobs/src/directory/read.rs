//! Reading finished ciphertext, in pieces, one ahead of the reader.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::Range;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tokio::task::{JoinHandle, spawn_blocking};

use super::Directory;
use crate::error::Reason;
use crate::{Id, Layout, PIECE_LEN, Pieces};

/// A piece, and what is left to read it from.
type Step = io::Result<(Bytes, File, u64)>;

impl Directory {
    pub(crate) async fn len(&self, id: &Id, layout: Layout) -> Result<Option<u64>, Reason> {
        whole(layout)?;
        let id = id.clone();
        self.step(move |inner| Ok(inner.home.find_file(id.as_str())?.map(|found| found.len))).await
    }

    pub(crate) async fn read(&self, id: &Id, layout: Layout, range: Range<u64>) -> Result<Pieces, Reason> {
        whole(layout)?;
        let (id, start, end) = (id.clone(), range.start, range.end);
        let file = self
            .step(move |inner| {
                let mut file = inner.home.read(id.as_str())?.ok_or(Reason::Missing)?;
                let len = file.metadata()?.len();
                if start > end || end > len {
                    return Err(Reason::OutOfRange { start, end, len });
                }
                file.seek(SeekFrom::Start(start))?;
                Ok(file)
            })
            .await?;
        Ok(pieces(file, end - start))
    }
}

fn whole(layout: Layout) -> Result<(), Reason> {
    match layout {
        Layout::Whole => Ok(()),
        Layout::Parts { .. } => Err(Reason::InParts),
    }
}

fn pieces(file: File, left: u64) -> Pieces {
    stream::try_unfold(ahead(file, left), |reading| async {
        let Some(reading) = reading else { return Ok(None) };
        let (piece, file, left) = reading.await.map_err(io::Error::other)??;
        Ok(Some((piece, ahead(file, left))))
    })
    .boxed()
}

fn ahead(file: File, left: u64) -> Option<JoinHandle<Step>> {
    (left > 0).then(|| spawn_blocking(move || step(file, left)))
}

fn step(file: File, left: u64) -> Step {
    let len = left.min(PIECE_LEN as u64);
    let mut piece = Vec::with_capacity(PIECE_LEN.min(len as usize));
    (&file).take(len).read_to_end(&mut piece)?;
    match piece.len() as u64 == len {
        true => Ok((piece.into(), file, left - len)),
        false => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was read")),
    }
}
