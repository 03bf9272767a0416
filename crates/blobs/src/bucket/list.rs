//! Everything under the prefix, a page at a time, and the uploads among it that nobody goes on with.

use std::io;
use std::time::SystemTime;

use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore as _};

use super::{Bucket, PART_DIGITS, STEP};
use crate::error::{Reason, StoreFault};
use crate::{Entry, Id, Kind, MAX_PARTS, PART_SIZE};

type Objects = BoxStream<'static, Result<ObjectMeta, Reason>>;

impl Bucket {
    pub(crate) async fn received(&self, id: &Id) -> Result<Vec<(u32, u64)>, Reason> {
        let objects = self.objects(Some(self.whole(id)));
        let parts = objects.try_filter_map(|object| {
            let part = object.location.filename().and_then(parse_part).map(|part| (part, object.size));
            std::future::ready(Ok(part.filter(|(_, len)| (1..=PART_SIZE).contains(len))))
        });
        let mut parts: Vec<_> = parts.try_collect().await?;
        parts.sort_unstable();
        Ok(parts)
    }

    /// Parts of one ciphertext come after each other, and are one entry.
    pub(crate) fn list(&self) -> BoxStream<'static, Result<Entry, Reason>> {
        let prefix = Some(Path::from(self.0.prefix.as_str())).filter(|prefix| !prefix.as_ref().is_empty());
        let (skip, objects) = (self.key("").as_ref().len(), self.objects(prefix));
        let entries = objects.map_ok(move |object| entry(&object, skip)).boxed();
        stream::try_unfold((entries, None::<Entry>), |(mut entries, mut held)| async move {
            while let Some(next) = entries.try_next().await? {
                held = match held {
                    None => Some(next),
                    Some(held) => match join(held, next) {
                        Ok(joined) => Some(joined),
                        Err((done, next)) => return Ok(Some((done, (entries, Some(next))))),
                    },
                };
            }
            Ok(held.map(|last| (last, (entries, None))))
        })
        .boxed()
    }

    pub(crate) async fn sweep<F: Future<Output = io::Result<bool>> + Send>(
        &self,
        older_than: SystemTime,
        is_finished: impl Fn(Id) -> F + Send + Sync,
    ) -> Result<Vec<Id>, Reason> {
        let (mut entries, mut swept) = (self.list(), Vec::new());
        while let Some(entry) = entries.try_next().await? {
            let Entry { id: Some(id), kind: Kind::Parts { .. }, .. } = entry else { continue };
            // Asked again: the listing may be old by now.
            if self.last_activity(&id).await?.is_some_and(|last| last < older_than)
                && matches!(is_finished(id.clone()).await, Ok(false))
            {
                self.delete_parts(&id).await?;
                swept.push(id);
            }
        }
        Ok(swept)
    }

    async fn last_activity(&self, id: &Id) -> Result<Option<SystemTime>, Reason> {
        let later = |last: Option<SystemTime>, object: ObjectMeta| {
            std::future::ready(Ok(last.max(Some(object.last_modified.into()))))
        };
        self.objects(Some(self.whole(id))).try_fold(None, later).await
    }

    /// Objects below a folder, each page in bounded time.
    fn objects(&self, below: Option<Path>) -> Objects {
        let objects = self.s3().list(below.as_ref());
        stream::try_unfold(objects, |mut objects| async {
            match tokio::time::timeout(STEP, objects.try_next()).await {
                Ok(next) => Ok(next?.map(|object| (object, objects))),
                Err(_) => Err(Reason::Unavailable(StoreFault::slow(STEP))),
            }
        })
        .boxed()
    }
}

/// `skip` is the length of the prefix without the slash after it.
fn entry(object: &ObjectMeta, skip: usize) -> Entry {
    let name = object.location.as_ref().get(skip..).unwrap_or_default().trim_start_matches('/');
    let (id, kind) = match name.split_once('/') {
        None => (name.parse().ok(), Kind::Finished),
        Some((id, part)) => (id.parse().ok().filter(|_| parse_part(part).is_some()), Kind::Parts { count: 1 }),
    };
    let kind = if id.is_some() { kind } else { Kind::Stray };
    // An entry of parts is named after the ciphertext.
    let name = id.as_ref().map_or_else(|| name.to_owned(), Id::to_string);
    Entry { id, name, kind, bytes: object.size, modified: object.last_modified.into() }
}

#[expect(clippy::result_large_err, reason = "both entries come back")]
fn join(held: Entry, next: Entry) -> Result<Entry, (Entry, Entry)> {
    match (held.kind, next.kind) {
        (Kind::Parts { count: before }, Kind::Parts { count }) if held.id == next.id => Ok(Entry {
            kind: Kind::Parts { count: before.saturating_add(count) },
            bytes: held.bytes.saturating_add(next.bytes),
            modified: held.modified.max(next.modified),
            ..held
        }),
        _ => Err((held, next)),
    }
}

fn parse_part(name: &str) -> Option<u32> {
    let digits = name.len() == PART_DIGITS && name.bytes().all(|byte| byte.is_ascii_digit());
    name.parse().ok().filter(|part| digits && *part < MAX_PARTS)
}
