//! Ciphertext of those who do not share a disk with this service: URLs for it, uploads in parts, and the bytes
//! themselves.

use std::time::Duration;

use blobs::{DownloadUrl, Id, Layout};
use crypto::file::TAG_LEN;
use crypto::file::stream::{ChunkLen, Layout as StreamLayout};
use rpc::authn::Principal;
use rpc::bodies::{Answering, Ask, Bodies, BodyAnswer, Received, Verb};
use types::digest::Digest;
use types::file::{Format, MAX_PARTS, PART_BYTES};
use types::id::FileId;
use types::time::UnixMillis;
use types::wire::tdfs_external::{CompleteUpload, ContinueUpload, DownloadPart, ReceivedPart, UploadPart, UploadState};

use crate::db::Completed;
use crate::file::FileRow;
use crate::url::{Leave, Operation};
use crate::usage::{Limits, OverQuota, Thing};
use crate::{Error, Tdfs, authz, db, usage};

/// Parts that one request gets URLs for.
const URLS_AT_ONCE: usize = 64;

/// Clients cut parts as the wire says, and the place of ciphertext puts them where it says.
const _: () = assert!(PART_BYTES == blobs::PART_SIZE && MAX_PARTS == blobs::MAX_PARTS);

/// How much longer than a user's a service's URLs hold: a task may wait before it reads.
const SERVICE_FACTOR: u32 = 8;

/// Where a file's ciphertext can be had.
#[derive(Debug, Default)]
pub(crate) struct Downloads {
    pub(crate) url: Option<String>,
    pub(crate) parts: Vec<DownloadPart>,
}

impl Tdfs {
    /// Where a file's whole ciphertext, or one part of it, goes.
    pub(crate) async fn upload_url(&self, file: &FileId, part: Option<u32>, now: UnixMillis) -> Result<String, Error> {
        match self.blobs.upload_url(&id(file)?, part, self.urls.lifetime()).await? {
            Some(url) => Ok(url.into()),
            None => Ok(self.urls.make(Operation::Upload, file, part, now)),
        }
    }

    /// Where users get a file's ciphertext, if it is there.
    pub(crate) async fn downloads(&self, file: &FileId, row: &FileRow, now: UnixMillis) -> Result<Downloads, Error> {
        let Some(length) = self.finished_length(file, row).await? else { return Ok(Downloads::default()) };
        let mut parts = self.presigned(file, row.layout, length, self.urls.lifetime()).await?;
        Ok(match parts.len() {
            0 => Downloads { url: Some(self.urls.make(Operation::Download, file, None, now)), parts },
            1 => Downloads { url: parts.pop().map(|part| part.url), parts },
            _ => Downloads { url: None, parts },
        })
    }

    /// Where services get a file's ciphertext, when it is on no disk that they could share.
    pub(crate) async fn record_downloads(&self, file: &FileId, row: &FileRow) -> Result<Vec<DownloadPart>, Error> {
        match self.blobs.volume() {
            Some(_) => Ok(Vec::new()),
            None => match self.finished_length(file, row).await? {
                Some(length) => self.presigned(file, row.layout, length, self.urls.lifetime() * SERVICE_FACTOR).await,
                None => Ok(Vec::new()),
            },
        }
    }

    async fn presigned(
        &self,
        file: &FileId,
        layout: Layout,
        length: u64,
        lifetime: Duration,
    ) -> Result<Vec<DownloadPart>, Error> {
        let urls = self.blobs.download_urls(&id(file)?, layout, length, lifetime).await?;
        let part = |part: DownloadUrl| DownloadPart { url: part.url.into(), size: part.len };
        Ok(urls.unwrap_or_default().into_iter().map(part).collect())
    }

    pub(crate) async fn finished_length(&self, file: &FileId, row: &FileRow) -> Result<Option<u64>, Error> {
        match row.open {
            true => Ok(None),
            false => Ok(self.blobs.len(&id(file)?, row.layout).await?),
        }
    }

    /// A file of the caller's that has no ciphertext yet.
    async fn unfinished(&self, principal: &Principal, file: &FileId) -> Result<FileRow, Error> {
        let row = self.row(file).await?;
        authz::write(principal, file, &row)?;
        let row = self.released(file, row).await?;
        match self.finished_length(file, &row).await? {
            Some(_) => Err(Error::Complete(file.clone())),
            None => Ok(row),
        }
    }

    /// Tells how far an upload is and where its parts go.
    pub(crate) async fn continue_upload(
        &self,
        principal: &Principal,
        ask: ContinueUpload,
        now: UnixMillis,
    ) -> Result<UploadState, Error> {
        check_parts(&ask.parts)?;
        let row = self.unfinished(principal, &ask.file_id).await?;
        if let Some(first) = ask.parts.iter().min() {
            self.room(&row, *first, 1).await?;
        }
        let mut urls = Vec::with_capacity(ask.parts.len());
        for part in ask.parts {
            urls.push(UploadPart { part, url: self.upload_url(&ask.file_id, Some(part), now).await? });
        }
        let received = match ask.received {
            true => self.blobs.received(&id(&ask.file_id)?).await?,
            false => Vec::new(),
        };
        let received = received.into_iter().map(|(part, size)| ReceivedPart { part, size }).collect();
        Ok(UploadState { part_bytes: PART_BYTES, attested: self.blobs.volume().is_some(), urls, received })
    }

    /// Makes a file of an upload's parts; to do so twice changes nothing.
    pub(crate) async fn complete_upload(&self, principal: &Principal, complete: CompleteUpload) -> Result<(), Error> {
        let file = complete.file_id.clone();
        let row = self.row(&file).await?;
        authz::write(principal, &file, &row)?;
        let row = self.released(&file, row).await?;
        let (size, sha256) = content(&complete, &row)?;
        self.check_size(size, row.format)?;
        let layout = match self.blobs.len(&id(&file)?, row.layout).await? {
            Some(length) => {
                check_length(&file, row.format, size, length)?;
                row.layout
            }
            None => {
                let length = self.received_length(&file).await?;
                check_length(&file, row.format, size, length)?;
                self.blobs.complete(&id(&file)?, length).await?
            }
        };
        let limits = if row.open { self.limits(&row.owner).await? } else { Limits::NONE };
        db::complete(&self.store, file, Completed { sha256, size, layout }, limits).await
    }

    /// How long a part may be, in bytes, of which so many are wanted. An upload whose size was not declared must not grow
    /// over its owner's quota.
    async fn room(&self, row: &FileRow, part: u32, wanted: u64) -> Result<u64, Error> {
        if !row.open {
            return Ok(PART_BYTES);
        }
        let Some(limit) = self.limits(&row.owner).await?.bytes else { return Ok(PART_BYTES) };
        let used = usage::of(&self.store, row.owner.clone()).await?.bytes;
        let (before, most) = (u64::from(part) * PART_BYTES, longest(row.format, limit.saturating_sub(used)));
        let more = before.saturating_add(wanted);
        match more > most {
            true => Err(OverQuota { thing: Thing::Bytes, used, more, limit }.into()),
            false => Ok((most - before).min(PART_BYTES)),
        }
    }

    async fn received_length(&self, file: &FileId) -> Result<u64, Error> {
        let parts = self.blobs.received(&id(file)?).await?;
        Ok(parts.iter().map(|(_, size)| size).sum())
    }

    async fn take(&self, leave: &Leave, ask: &Ask, body: &mut Received) -> Result<BodyAnswer, Error> {
        let row = self.row(&leave.file).await?;
        if self.finished_length(&leave.file, &row).await?.is_some() {
            return Err(Error::Complete(leave.file.clone()));
        }
        let id = id(&leave.file)?;
        match (leave.part, ask.length) {
            (Some(part), _) => {
                let room = self.room(&row, part, ask.length.unwrap_or(1)).await?;
                self.blobs.write_part(&id, part, room, body).await?;
            }
            (None, _) if row.open => return Err(Error::Incomplete(leave.file.clone())),
            (None, None) => {
                return Err(Error::Field { field: "Content-Length", rule: "is missing".to_owned() });
            }
            (None, Some(length)) => {
                check_length(&leave.file, row.format, row.size, length)?;
                self.blobs.write_whole(&id, length, body).await?;
            }
        }
        Ok(BodyAnswer::Stored)
    }

    async fn give(&self, leave: &Leave, ask: &Ask) -> Result<BodyAnswer, Error> {
        let row = self.row(&leave.file).await?;
        let missing = || Error::NoSuchFile(leave.file.clone());
        let of = self.finished_length(&leave.file, &row).await?.ok_or_else(missing)?;
        let range = match ask.range {
            Some(wanted) => match wanted.within(of) {
                Some(range) => range,
                None => return Ok(BodyAnswer::NoSuchRange { of }),
            },
            None => 0..of,
        };
        let bytes = match ask.verb {
            Verb::Head => None,
            _ => Some(self.blobs.read(&id(&leave.file)?, row.layout, range.clone()).await?),
        };
        Ok(BodyAnswer::Content { range, of, bytes })
    }

    async fn serve(&self, ask: &Ask, body: &mut Received) -> Result<BodyAnswer, Error> {
        let leave = self.urls.check(&ask.name, &ask.query, UnixMillis::now())?;
        match (ask.verb, leave.operation) {
            (Verb::Put, Operation::Upload) => self.take(&leave, ask, body).await,
            (Verb::Get | Verb::Head, Operation::Download) => self.give(&leave, ask).await,
            (Verb::Put, _) => Err(Error::OtherOperation("uploads")),
            (Verb::Get | Verb::Head, _) => Err(Error::OtherOperation("downloads")),
        }
    }
}

impl Bodies for Tdfs {
    fn answer<'a>(&'a self, ask: Ask, body: &'a mut Received) -> Answering<'a> {
        Box::pin(async move { self.serve(&ask, body).await.map_err(|error| Box::new(error) as _) })
    }
}

fn check_parts(parts: &[u32]) -> Result<(), Error> {
    let all = parts.len() <= URLS_AT_ONCE && parts.iter().all(|part| *part < MAX_PARTS);
    let rule = || format!("at most {URLS_AT_ONCE} numbers below {MAX_PARTS}");
    if all { Ok(()) } else { Err(Error::Field { field: "parts", rule: rule() }) }
}

/// What an upload holds: what was declared before, or is declared now.
fn content(complete: &CompleteUpload, row: &FileRow) -> Result<(u64, Digest), Error> {
    let missing = |field| Error::Field { field, rule: "is missing".to_owned() };
    if row.open {
        let size = complete.file_size.ok_or_else(|| missing("file_size"))?;
        return Ok((size, complete.sha256.ok_or_else(|| missing("sha256"))?));
    }
    let same = complete.file_size.is_none_or(|size| size == row.size)
        && complete.sha256.is_none_or(|sha256| sha256 == row.sha256);
    if same { Ok((row.size, row.sha256)) } else { Err(Error::OtherDeclared(complete.file_id.clone())) }
}

/// A file's name where its ciphertext is. Those that this service made have one.
pub(crate) fn id(file: &FileId) -> Result<Id, Error> {
    file.as_str().parse().map_err(|_| Error::NoSuchFile(file.clone()))
}

/// Refuses a ciphertext that no plaintext of this size has.
pub(crate) fn check_length(file: &FileId, format: Format, size: u64, found: u64) -> Result<(), Error> {
    let (least, most) = (shortest(format, size), longest(format, size));
    if (least..=most).contains(&found) {
        return Ok(());
    }
    let expected = if least == most { least.to_string() } else { format!("{least} to {most}") };
    Err(Error::WrongLength { file: file.clone(), expected, found })
}

/// The shortest ciphertext of a plaintext, in bytes.
fn shortest(format: Format, size: u64) -> u64 {
    match format {
        Format::Single => size.saturating_add(TAG_LEN as u64),
        Format::Chunked => in_chunks(ChunkLen::MAX, size),
    }
}

/// The longest ciphertext of a plaintext, in bytes.
fn longest(format: Format, size: u64) -> u64 {
    match format {
        Format::Single => size.saturating_add(TAG_LEN as u64),
        Format::Chunked => in_chunks(ChunkLen::MIN, size),
    }
}

fn in_chunks(chunk: ChunkLen, size: u64) -> u64 {
    StreamLayout::new(chunk, size).map_or(u64::MAX, |layout| layout.sealed_len())
}
