//! How a store of ciphertext is reached, beyond its address.

use std::fmt;
use std::path::PathBuf;

use url::Url;

use crate::error::OpenError;

/// What S3 needs to know. A folder needs none of it. What is `None` is taken from the environment (`AWS_ENDPOINT_URL`,
/// `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_ALLOW_HTTP`, …).
#[derive(Clone, Default)]
pub struct Options {
    /// The server, for stores other than Amazon's: `https://s3.example.org`.
    pub endpoint: Option<String>,
    /// The region that requests are signed for.
    pub region: Option<String>,
    /// The name of the key that requests are signed with.
    pub access_key_id: Option<String>,
    /// The key that requests are signed with.
    pub secret_access_key: Option<String>,
    /// Whether plain HTTP will do: ciphertext needs no TLS, but requests can then be replayed and denied by anyone
    /// on the way.
    pub allow_http: Option<bool>,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .field("access_key_id", &self.access_key_id)
            .field("secret_access_key", &self.secret_access_key.as_ref().map(|_| "[redacted]"))
            .field("allow_http", &self.allow_http)
            .finish()
    }
}

/// A store's address.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Folder(PathBuf),
    Bucket {
        bucket: String,
        /// Without slashes at its ends.
        prefix: String,
    },
}

impl Address {
    pub(crate) fn parse(text: &str) -> Result<Self, OpenError> {
        let wrong = || OpenError::Address(text.to_owned());
        match text.split_once("://") {
            None if text.is_empty() => Err(wrong()),
            None => Ok(Address::Folder(text.into())),
            Some(("file", _)) => {
                let url = Url::parse(text).map_err(|_| wrong())?;
                url.to_file_path().map(Address::Folder).map_err(|()| wrong())
            }
            Some(("s3", rest)) => bucket(rest).ok_or_else(wrong),
            Some(_) => Err(wrong()),
        }
    }
}

fn bucket(rest: &str) -> Option<Address> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = prefix.trim_matches('/');
    let plain = |text: &str, more: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c));
    let good = !bucket.is_empty() && plain(bucket, "-._") && plain(prefix, "-._/=") && !prefix.contains("//");
    let dots = |part: &str| part == "." || part == "..";
    (good && !prefix.split('/').any(dots)).then(|| Address::Bucket { bucket: bucket.into(), prefix: prefix.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let folder = |path: &str| Some(Address::Folder(path.into()));
        let s3 = |bucket: &str, prefix: &str| Some(Address::Bucket { bucket: bucket.into(), prefix: prefix.into() });
        for (text, expected) in [
            ("/srv/files", folder("/srv/files")),
            ("files", folder("files")),
            ("file:///srv/my%20files", folder("/srv/my files")),
            ("s3://bucket", s3("bucket", "")),
            ("s3://bucket/", s3("bucket", "")),
            ("s3://bucket/a/b/", s3("bucket", "a/b")),
            ("file://host/srv", None),
            ("s3://", None),
            ("s3:///a", None),
            ("s3://b/a//c", None),
            ("s3://b/../c", None),
            ("s3://key:secret@bucket/a", None),
            ("s3://b/a?region=x", None),
            ("https://b/a", None),
            ("", None),
        ] {
            assert_eq!(Address::parse(text).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn secrets_are_not_printed() {
        let options = Options { secret_access_key: Some("hush".into()), ..Options::default() };
        assert!(!format!("{options:?}").contains("hush"));
    }
}
