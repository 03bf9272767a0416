//! Everything that lies in the folder, a batch at a time.

use std::io;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use rustix::fs::Dir;

use super::folder::{Folder, Found};
use super::{DRAFT, Directory, Inner, PARTS, UPLOADS, VOLUME, blocking, journal_name};
use crate::error::Reason;
use crate::{Entry, Id, Kind};

/// Entries looked at in one step on a blocking thread.
const BATCH: usize = 256;

/// What a name in the folder of uploads says.
pub(super) enum Name {
    Upload(Id),
    Journal(Id),
    /// With the name.
    Draft(Id, String),
    Stray,
}

/// Which of the two folders is being read.
#[derive(Clone, Copy)]
enum Place {
    Home,
    Uploads,
}

impl Directory {
    pub(crate) fn list(&self) -> stream::BoxStream<'static, Result<Entry, Reason>> {
        let uploads = self.clone().list_place(Place::Uploads);
        // Uploads first: one that is completed meanwhile is then seen twice rather than not at all.
        uploads.chain(self.clone().list_place(Place::Home)).boxed()
    }

    fn list_place(self, place: Place) -> stream::BoxStream<'static, Result<Entry, Reason>> {
        stream::try_unfold((self, None), move |(directory, names)| async move {
            let inner = directory.0.clone();
            let batch = blocking(move || inner.batch(place, names)).await?;
            Ok::<_, Reason>(batch.map(|(entries, names)| (stream::iter(entries).map(Ok), (directory, Some(names)))))
        })
        .try_flatten()
        .boxed()
    }
}

impl Inner {
    fn batch(&self, place: Place, names: Option<Dir>) -> Result<Option<(Vec<Entry>, Dir)>, Reason> {
        let mut names = match (names, place) {
            (Some(names), _) => names,
            (None, Place::Home) => self.home.names()?,
            (None, Place::Uploads) => self.uploads.names()?,
        };
        let (mut entries, mut seen) = (Vec::new(), 0);
        while seen < BATCH
            && let Some(name) = next_name(&mut names)?
        {
            seen += 1;
            entries.extend(match place {
                Place::Home => self.at_home(&name)?,
                Place::Uploads => self.among_uploads(&name)?,
            });
        }
        Ok((seen > 0).then_some((entries, names)))
    }

    fn at_home(&self, name: &str) -> Result<Option<Entry>, Reason> {
        if [UPLOADS, VOLUME].contains(&name) {
            return Ok(None);
        }
        let Some(found) = self.home.find(name)? else { return Ok(None) };
        let id = name.parse().ok().filter(|_| found.regular);
        let kind = if id.is_some() { Kind::Finished } else { Kind::Stray };
        Ok(Some(entry(id, name.to_owned(), kind, found)))
    }

    fn among_uploads(&self, name: &str) -> Result<Option<Entry>, Reason> {
        let Some(found) = self.uploads.find(name)? else { return Ok(None) };
        let path = format!("{UPLOADS}/{name}");
        Ok(match parse_upload(name) {
            Name::Upload(id) => {
                let last = self.uploads.find(&journal_name(&id))?.map(|journal| journal.modified);
                let modified = last.max(Some(found.modified)).unwrap_or(found.modified);
                Some(entry(Some(id), path, Kind::Upload, Found { modified, ..found }))
            }
            // Its data speaks for it; one without data is what a crash left.
            Name::Journal(id) if self.uploads.find(id.as_str())?.is_some() => None,
            Name::Journal(id) => Some(entry(Some(id), path, Kind::Upload, found)),
            Name::Draft(id, _) => Some(entry(Some(id), path, Kind::Draft, found)),
            Name::Stray => Some(entry(None, path, Kind::Stray, found)),
        })
    }
}

fn entry(id: Option<Id>, name: String, kind: Kind, found: Found) -> Entry {
    Entry { id, name, kind, bytes: found.len, modified: found.modified }
}

/// Every name in a folder. Names that are not UTF-8 are shown with replacement characters: nothing of ours has one.
pub(super) fn names(folder: &Folder) -> io::Result<impl Iterator<Item = io::Result<String>>> {
    let mut names = folder.names()?;
    Ok(std::iter::from_fn(move || next_name(&mut names).transpose()))
}

fn next_name(names: &mut Dir) -> io::Result<Option<String>> {
    loop {
        let Some(entry) = names.read().transpose()? else { return Ok(None) };
        let name = entry.file_name().to_string_lossy().into_owned();
        if name != "." && name != ".." {
            return Ok(Some(name));
        }
    }
}

pub(super) fn parse_upload(name: &str) -> Name {
    if let Some(id) = name.strip_suffix(PARTS) {
        return id.parse().map_or(Name::Stray, Name::Journal);
    }
    if let Some(stem) = name.strip_suffix(DRAFT) {
        let id = stem.split_once('.').map_or(stem, |(id, _)| id);
        return id.parse().map_or(Name::Stray, |id| Name::Draft(id, name.to_owned()));
    }
    name.parse().map_or(Name::Stray, Name::Upload)
}
