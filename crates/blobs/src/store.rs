//! The store as its users see it: one set of operations, whichever place the ciphertext lies in.

use std::io;
use std::ops::Range;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt as _};
use url::Url;

use crate::bucket::Bucket;
use crate::directory::Directory;
use crate::error::{Error, OpenError, Reason};
use crate::options::{Address, Options};
use crate::{Entry, Id, Layout, MAX_PARTS, PART_SIZE, Pieces};

/// A store of ciphertext. Clones are the same store.
#[derive(Clone)]
pub struct Blobs(Backend);

#[derive(Clone)]
enum Backend {
    Directory(Directory),
    Bucket(Bucket),
}

/// Where one run of a ciphertext's bytes can be fetched by whoever has the address, for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DownloadUrl {
    /// The signed address. Whoever has it can fetch these bytes until it expires.
    pub url: Url,
    /// Where these bytes begin in the ciphertext.
    pub offset: u64,
    /// How many they are.
    pub len: u64,
}

impl Blobs {
    /// Opens the store at an address: `/folder`, `file:///folder` or `s3://bucket/prefix`. A folder is made when there
    /// is none; a bucket must be there, and is not asked for anything yet.
    pub fn open(address: &str, options: &Options) -> Result<Self, OpenError> {
        match Address::parse(address)? {
            Address::Folder(path) => Ok(Blobs(Backend::Directory(Directory::open(&path)?))),
            Address::Bucket { bucket, prefix } => Ok(Blobs(Backend::Bucket(Bucket::open(&bucket, &prefix, options)?))),
        }
    }

    /// What the store is, for people: `folder /srv/files`.
    pub fn describe(&self) -> String {
        match &self.0 {
            Backend::Directory(directory) => format!("folder {}", directory.path()),
            Backend::Bucket(bucket) => format!("bucket {}", bucket.address()),
        }
    }

    /// Where a ciphertext lies once it is finished: an absolute path, or `s3://bucket/prefix/ID`.
    pub fn access_path(&self, id: &Id) -> String {
        match &self.0 {
            Backend::Directory(directory) => format!("{}/{id}", directory.path()),
            Backend::Bucket(bucket) => format!("{}/{id}", bucket.address()),
        }
    }

    /// A folder's own name: 32 hexadecimal digits in its file `.volume`, which everybody who sees this folder can
    /// compare. `None` for S3.
    pub fn volume(&self) -> Option<&str> {
        match &self.0 {
            Backend::Directory(directory) => Some(directory.volume()),
            Backend::Bucket(_) => None,
        }
    }

    /// Stores a ciphertext of exactly `expected_len` bytes in one piece. When this returns, it is durable and finished;
    /// on any error nothing is stored. Sending the same bytes again is fine, others are [`Reason::Exists`].
    pub async fn write_whole(
        &self,
        id: &Id,
        expected_len: u64,
        body: impl Stream<Item = io::Result<Bytes>> + Send,
    ) -> Result<(), Error> {
        let result = match &self.0 {
            Backend::Directory(directory) => directory.write_whole(id, expected_len, body).await,
            Backend::Bucket(bucket) => bucket.write_whole(id, expected_len, body).await,
        };
        result.map_err(about("storing", id))
    }

    /// Stores one part of 1 to `max_len` bytes (and at most [`PART_SIZE`](crate::PART_SIZE)), and returns how many it
    /// was. When this returns, the part is durable and [`received`](Self::received); on any error it is not.
    ///
    /// Parts may come in any order, at once, and again: a newer request for a part stops an older one. From the first
    /// byte of the newer body the older bytes count no more; a body that ends before its first byte changes nothing.
    pub async fn write_part(
        &self,
        id: &Id,
        part: u32,
        max_len: u64,
        body: impl Stream<Item = io::Result<Bytes>> + Send,
    ) -> Result<u64, Error> {
        let result = match &self.0 {
            _ if part >= MAX_PARTS => Err(Reason::TooLarge),
            Backend::Directory(directory) => directory.write_part(id, part, max_len.min(PART_SIZE), body).await,
            Backend::Bucket(bucket) => bucket.write_part(id, part, max_len.min(PART_SIZE), body).await,
        };
        result.map_err(about("storing a part", id))
    }

    /// The parts of an upload that are durable, ascending, each with its bytes. Nothing for a finished file in one piece.
    pub async fn received(&self, id: &Id) -> Result<Vec<(u32, u64)>, Error> {
        let result = match &self.0 {
            Backend::Directory(directory) => directory.received(id).await,
            Backend::Bucket(bucket) => bucket.received(id).await,
        };
        result.map_err(about("looking for parts", id))
    }

    /// Makes an upload a finished ciphertext of exactly `stored_len` bytes, durably, and says how it lies. Parts must
    /// cover that length exactly. Doing it again is fine; a finished file is never replaced.
    pub async fn complete(&self, id: &Id, stored_len: u64) -> Result<Layout, Error> {
        let result = match &self.0 {
            Backend::Directory(directory) => directory.complete(id, stored_len).await,
            Backend::Bucket(bucket) => bucket.complete(id, stored_len).await,
        };
        result.map_err(about("completing the upload", id))
    }

    /// Bytes of a finished ciphertext, and `None` when there is none.
    pub async fn len(&self, id: &Id, layout: Layout) -> Result<Option<u64>, Error> {
        let result = match &self.0 {
            Backend::Directory(directory) => directory.len(id, layout).await,
            Backend::Bucket(bucket) => bucket.len(id, layout).await,
        };
        result.map_err(about("looking for the ciphertext", id))
    }

    /// Bytes of a finished ciphertext. The range must lie within it.
    pub async fn read(&self, id: &Id, layout: Layout, range: Range<u64>) -> Result<Pieces, Error> {
        let result = match &self.0 {
            Backend::Directory(directory) => directory.read(id, layout, range).await,
            Backend::Bucket(bucket) => bucket.read(id, layout, range).await,
        };
        result.map_err(about("reading the ciphertext", id))
    }

    /// Where a client can `PUT` the whole ciphertext or one part itself, until the address expires. `None` for folders,
    /// whose server hands out addresses of its own.
    pub async fn upload_url(&self, id: &Id, part: Option<u32>, expires: Duration) -> Result<Option<Url>, Error> {
        let Backend::Bucket(bucket) = &self.0 else { return Ok(None) };
        bucket.upload_url(id, part, expires).await.map(Some).map_err(about("signing an address", id))
    }

    /// Where a client can `GET` a finished ciphertext itself, in order, until the addresses expire. `None` for folders.
    pub async fn download_urls(
        &self,
        id: &Id,
        layout: Layout,
        stored_len: u64,
        expires: Duration,
    ) -> Result<Option<Vec<DownloadUrl>>, Error> {
        let Backend::Bucket(bucket) = &self.0 else { return Ok(None) };
        let urls = bucket.download_urls(id, layout, stored_len, expires).await;
        urls.map(Some).map_err(about("signing addresses", id))
    }

    /// Removes a ciphertext with whatever belongs to it: parts, uploads, drafts. That there is nothing is fine; requests
    /// that are writing it fail. When this returns, it is gone durably.
    pub async fn delete(&self, id: &Id) -> Result<(), Error> {
        let result = match &self.0 {
            Backend::Directory(directory) => directory.delete(id).await,
            Backend::Bucket(bucket) => bucket.delete(id).await,
        };
        result.map_err(about("deleting the ciphertext", id))
    }

    /// Everything that lies in the store, in no order, with bounded memory. What changes meanwhile may be seen or not.
    pub fn list(&self) -> BoxStream<'static, Result<Entry, Error>> {
        let entries = match &self.0 {
            Backend::Directory(directory) => directory.list(),
            Backend::Bucket(bucket) => bucket.list(),
        };
        entries.map(|entry| entry.map_err(|reason| Error::new("listing the store", None, reason))).boxed()
    }

    /// Removes uploads and drafts whose last activity was before `older_than`, and says whose they were.
    ///
    /// In S3 the parts of a finished ciphertext look like an upload, so `is_finished` is asked about each: it answers
    /// from the records, and an error keeps the parts. Whoever answers `false` must not let that upload be completed
    /// afterwards.
    pub async fn sweep<F: Future<Output = io::Result<bool>> + Send>(
        &self,
        older_than: SystemTime,
        is_finished: impl Fn(Id) -> F + Send + Sync,
    ) -> Result<Vec<Id>, Error> {
        let result = match &self.0 {
            Backend::Directory(directory) => directory.sweep(older_than).await,
            Backend::Bucket(bucket) => bucket.sweep(older_than, is_finished).await,
        };
        result.map_err(|reason| Error::new("sweeping the store", None, reason))
    }
}

fn about(operation: &'static str, id: &Id) -> impl FnOnce(Reason) -> Error {
    let id = id.clone();
    move |reason| Error::new(operation, Some(&id), reason)
}
