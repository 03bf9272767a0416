//! Ciphertext in an S3 bucket: one object for each, or one for each part.
//!
//! ```text
//! PREFIX/ID                  a finished ciphertext in one piece
//! PREFIX/ID/00000000, …      its parts, 16 MiB each but the last; of an upload, or of a finished ciphertext
//! ```
//!
//! Clients put and get objects themselves, with signed addresses. An object appears whole or not at all, so there is no
//! journal: the parts that are listed are those that were received.
//!
//! The crate is `object_store` with its feature `aws`: maintained by the Arrow project, one trait, its requests signed
//! with aws-lc-rs and sent by `reqwest` over rustls with the same provider, so that no second TLS library is linked.
//! Servers are believed by the system's certificates. `opendal` does the same jobs with more layers and its own signer.
//!
//! **Time.** A request that gets no answer is given up after [`QUIET`] and tried again, at most [`RETRIES`] times
//! within [`RETRY_FOR`]; any one step, retries included, ends within [`STEP`].

mod list;
mod read;
mod write;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path;
use object_store::signer::{Method, Signer as _};
use object_store::{BackoffConfig, ClientConfigKey, RetryConfig};
use url::Url;

use crate::error::{OpenError, Reason, StoreFault};
use crate::layout::part_len;
use crate::{DownloadUrl, Id, Layout, Options, PART_SIZE};

/// Longest silence of the store, in seconds.
const QUIET: &str = "10 seconds";

/// Longest wait for a connection.
const CONNECT: &str = "5 seconds";

/// Longest request: a whole ciphertext that a slow client reads. What bounds a stuck one is the silence and the step.
const REQUEST: &str = "1 day";

/// Tries after the first one.
const RETRIES: usize = 3;

/// Time after which there is no further try.
const RETRY_FOR: Duration = Duration::from_secs(15);

/// Longest step: one request with its retries, or one piece of a body.
const STEP: Duration = Duration::from_secs(30);

/// Longest life of a signed address that S3 accepts.
const MAX_EXPIRY: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Digits of a part's number in its key.
const PART_DIGITS: usize = 8;

/// A bucket, or a prefix in one.
#[derive(Clone)]
pub(crate) struct Bucket(Arc<Inner>);

struct Inner {
    s3: AmazonS3,
    bucket: String,
    /// Without slashes at its ends.
    prefix: String,
}

impl Bucket {
    pub(crate) fn open(bucket: &str, prefix: &str, options: &Options) -> Result<Self, OpenError> {
        let fault = |source| OpenError::Bucket { bucket: bucket.to_owned(), source: StoreFault::new(&source) };
        let s3 = builder(bucket, options).build().map_err(fault)?;
        Ok(Bucket(Arc::new(Inner { s3, bucket: bucket.to_owned(), prefix: prefix.to_owned() })))
    }

    /// `s3://bucket/prefix`.
    pub(crate) fn address(&self) -> String {
        format!("s3://{}/{}", self.0.bucket, self.0.prefix).trim_end_matches('/').to_owned()
    }

    fn s3(&self) -> &AmazonS3 {
        &self.0.s3
    }

    /// A key under the prefix.
    fn key(&self, name: &str) -> Path {
        Path::from(format!("{}/{name}", self.0.prefix))
    }

    fn whole(&self, id: &Id) -> Path {
        self.key(id.as_str())
    }

    fn part(&self, id: &Id, part: u32) -> Path {
        self.key(&format!("{id}/{part:0PART_DIGITS$}"))
    }

    pub(crate) async fn upload_url(&self, id: &Id, part: Option<u32>, expires: Duration) -> Result<Url, Reason> {
        let key = part.map_or_else(|| self.whole(id), |part| self.part(id, part));
        self.sign(Method::PUT, &key, expires).await
    }

    pub(crate) async fn download_urls(
        &self,
        id: &Id,
        layout: Layout,
        stored_len: u64,
        expires: Duration,
    ) -> Result<Vec<DownloadUrl>, Reason> {
        let Layout::Parts { count } = layout else {
            let url = self.sign(Method::GET, &self.whole(id), expires).await?;
            return Ok(vec![DownloadUrl { url, offset: 0, len: stored_len }]);
        };
        let mut urls = Vec::new();
        for part in 0..count {
            let url = self.sign(Method::GET, &self.part(id, part), expires).await?;
            urls.push(DownloadUrl { url, offset: u64::from(part) * PART_SIZE, len: part_len(stored_len, part) });
        }
        Ok(urls)
    }

    async fn sign(&self, method: Method, key: &Path, expires: Duration) -> Result<Url, Reason> {
        within(self.s3().signed_url(method, key, expires.min(MAX_EXPIRY))).await
    }
}

fn builder(bucket: &str, options: &Options) -> AmazonS3Builder {
    let client = |key| AmazonS3ConfigKey::Client(key);
    let given = [
        (AmazonS3ConfigKey::Endpoint, options.endpoint.clone()),
        (AmazonS3ConfigKey::Region, options.region.clone()),
        (AmazonS3ConfigKey::AccessKeyId, options.access_key_id.clone()),
        (AmazonS3ConfigKey::SecretAccessKey, options.secret_access_key.clone()),
        (client(ClientConfigKey::AllowHttp), options.allow_http.map(|allow| allow.to_string())),
        (client(ClientConfigKey::ReadTimeout), Some(QUIET.to_owned())),
        (client(ClientConfigKey::ConnectTimeout), Some(CONNECT.to_owned())),
        (client(ClientConfigKey::Timeout), Some(REQUEST.to_owned())),
    ];
    let builder = AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(retries());
    given
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)))
        .fold(builder, |builder, (key, value)| builder.with_config(key, value))
}

fn retries() -> RetryConfig {
    let (init_backoff, max_backoff) = (Duration::from_millis(200), Duration::from_secs(2));
    let backoff = BackoffConfig { init_backoff, max_backoff, base: 2.0 };
    RetryConfig { backoff, max_retries: RETRIES, retry_timeout: RETRY_FOR }
}

/// One step of the store, in bounded time.
async fn within<T>(step: impl Future<Output = object_store::Result<T>>) -> Result<T, Reason> {
    match tokio::time::timeout(STEP, step).await {
        Ok(result) => result.map_err(Reason::from),
        Err(_) => Err(Reason::Unavailable(StoreFault::slow(STEP))),
    }
}

/// As [`within`], where that there is no such object is an answer.
async fn within_if_any<T>(step: impl Future<Output = object_store::Result<T>>) -> Result<Option<T>, Reason> {
    match within(step).await {
        Ok(found) => Ok(Some(found)),
        Err(Reason::Missing) => Ok(None),
        Err(reason) => Err(reason),
    }
}
