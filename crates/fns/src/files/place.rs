//! Brings an output to its place, sealed under its file's key: whole and durable, or not there at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use crypto::FileKey;
use crypto::file::stream::{Header, Layout, TooLong, Writer};
use crypto::file::{Plaintext, seal};
use types::file::Format;
use types::key::KeyConfig;
use zeroize::Zeroizing;

use super::output::Content;
use super::send::Pieces;

/// Where an output goes.
pub(crate) enum Place {
    /// To this path.
    Disk(PathBuf),
    /// To this URL, with one `PUT`.
    Store(String),
}

/// An output that is about to be sealed.
pub(crate) struct Sealing {
    content: Content,
    format: Format,
    key: KeyConfig,
}

impl Sealing {
    pub(crate) fn new(content: Content, format: Format, key: KeyConfig) -> Self {
        Sealing { content, format, key }
    }

    /// Seals to a path on a disk: whole and on the disk when this returns, or not there at all.
    ///
    /// # Errors
    /// When a disk fails or is full.
    pub(crate) fn store(self, path: &Path) -> io::Result<()> {
        let draft = path.with_extension("new");
        let stored = self.store_draft(&draft).and_then(|()| publish(&draft, path));
        if stored.is_err() {
            let _ = fs::remove_file(&draft);
        }
        stored
    }

    fn store_draft(self, draft: &Path) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).open(draft)?;
        match self.prepare()? {
            Sealed::Whole(ciphertext) => file.write_all(&ciphertext)?,
            Sealed::Chunks(mut chunks) => chunks.seal(&mut file)?,
        }
        file.sync_all()
    }

    /// Seals one message in memory; chunks are sealed as they are written.
    ///
    /// # Errors
    /// When the spool fails, or there is no memory for one message.
    pub(crate) fn prepare(self) -> io::Result<Sealed> {
        let key = FileKey::new(self.key.key.expose(), self.key.nonce.expose(), self.key.ad.expose());
        let key = key.map_err(io::Error::other)?;
        match self.format {
            Format::Single => {
                let sealed = seal(in_memory(self.content)?, key).map_err(io::Error::other)?;
                Ok(Sealed::Whole(sealed.into()))
            }
            Format::Chunked => Ok(Sealed::Chunks(Chunks { content: self.content, key })),
        }
    }
}

fn publish(draft: &Path, path: &Path) -> io::Result<()> {
    fs::rename(draft, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// Room for one message's tag, so that sealing it moves nothing.
fn in_memory(content: Content) -> io::Result<Plaintext> {
    let mut spooled = match content {
        Content::Memory(plaintext) => return Ok(plaintext),
        Content::Spooled(spooled) => spooled,
    };
    let size = usize::try_from(spooled.size()).unwrap_or(usize::MAX);
    let mut plaintext = Zeroizing::new(Vec::new());
    plaintext.try_reserve_exact(size.saturating_add(crypto::file::TAG_LEN))?;
    io::Read::read_to_end(&mut spooled.read()?, &mut plaintext)?;
    Ok(Plaintext::from(std::mem::take(&mut *plaintext)))
}

/// An output's ciphertext.
pub(crate) enum Sealed {
    /// In memory.
    Whole(Bytes),
    /// Made as it is written.
    Chunks(Chunks),
}

impl Sealed {
    /// Bytes of the ciphertext.
    pub(crate) fn length(&self) -> Result<u64, TooLong> {
        match self {
            Sealed::Whole(ciphertext) => Ok(ciphertext.len() as u64),
            Sealed::Chunks(chunks) => {
                let size = chunks.content.size();
                Ok(Layout::new(Header::for_size(size).chunk_len(), size)?.sealed_len())
            }
        }
    }

    /// Writes the ciphertext for a stream that is sent; may be done again, should sending fail.
    ///
    /// # Errors
    /// When the spool fails, and when nobody receives the stream any more.
    pub(super) fn write(&mut self, to: &mut Pieces) -> io::Result<()> {
        match self {
            Sealed::Whole(ciphertext) => to.send(ciphertext.clone()),
            Sealed::Chunks(chunks) => chunks.seal(to),
        }
    }
}

/// An output in chunks.
pub(crate) struct Chunks {
    content: Content,
    key: FileKey,
}

impl Chunks {
    /// Seals from the start, each time with a salt of its own.
    fn seal(&mut self, to: &mut dyn Write) -> io::Result<()> {
        let mut writer = Writer::new(to, &self.key, Header::for_size(self.content.size())).map_err(io::Error::other)?;
        match &mut self.content {
            Content::Memory(plaintext) => writer.write_all(plaintext)?,
            Content::Spooled(spooled) => {
                let mut from = spooled.read()?;
                loop {
                    let piece = from.fill_buf()?;
                    if piece.is_empty() {
                        break;
                    }
                    writer.write_all(piece)?;
                    let length = piece.len();
                    from.consume(length);
                }
            }
        }
        writer.finish().map_err(io::Error::other)?;
        Ok(())
    }
}
