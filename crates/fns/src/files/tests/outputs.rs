//! Outputs: small ones in memory, large ones sealed in the spool, all of them whole in their place or not at all.

use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Mutex;

use crypto::file::stream;

use super::*;

const MIB: usize = 1 << 20;

/// A spool in memory that a test can look into, with room for so many bytes.
#[derive(Clone)]
pub(super) struct Shelf {
    pub(super) bytes: Arc<Mutex<Vec<u8>>>,
    room: usize,
}

impl Shelf {
    pub(super) fn with_room(room: usize) -> Self {
        Shelf { bytes: Arc::default(), room }
    }

    fn len(&self) -> usize {
        self.bytes.lock().unwrap().len()
    }
}

impl Spool for Shelf {
    fn create(&self) -> io::Result<Box<dyn super::super::spool::Storage>> {
        Ok(Box::new(OnShelf { shelf: self.clone(), at: 0 }))
    }
}

struct OnShelf {
    shelf: Shelf,
    at: u64,
}

impl OnShelf {
    fn with<T>(&mut self, act: impl FnOnce(&mut Cursor<&mut Vec<u8>>) -> io::Result<T>) -> io::Result<T> {
        let mut bytes = self.shelf.bytes.lock().unwrap();
        let mut cursor = Cursor::new(&mut *bytes);
        cursor.set_position(self.at);
        let result = act(&mut cursor);
        self.at = cursor.position();
        result
    }
}

impl Read for OnShelf {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.with(|cursor| cursor.read(out))
    }
}

impl Write for OnShelf {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.shelf.len() + bytes.len() > self.shelf.room {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.with(|cursor| cursor.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for OnShelf {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.with(|cursor| cursor.seek(to))
    }
}

fn write(invocation: &mut Invocation<'_>, output: Output, content: &[u8]) -> Result<(), Failure> {
    let mut stream = invocation.output(output)?;
    for piece in content.chunks(100_000) {
        stream.write_all(piece)?;
    }
    stream.finish()
}

/// The one output of a function that writes this.
fn output_of(content: &[u8], spool: Arc<dyn Spool>) -> Content {
    let settled = run_on(vec![], spool, |invocation| {
        write(invocation, Output::Creator, content)?;
        Ok(String::new())
    });
    settled.unwrap().1.remove(&Output::Creator).unwrap()
}

/// Seals an output to a path and opens it as its owner would.
fn check_stored(output: Content, format: Format, plaintext: &[u8]) {
    let dir = tempfile::tempdir().unwrap();
    let (path, (config, key)) = (dir.path().join("id"), keys());
    assert_eq!((output.size(), output.sha256()), (plaintext.len() as u64, digest(plaintext)));
    Sealing::new(output, format, config).store(&path).unwrap();
    assert_eq!(names(dir.path()), ["id"]);
    let (stored, size) = (fs::read(&path).unwrap(), plaintext.len() as u64);
    let mut opened = Vec::new();
    match format {
        Format::Single => {
            let reader = crypto::file::Reader::new(&key, size, Sha256::digest(plaintext));
            opened.extend_from_slice(&reader.open(stored).unwrap());
        }
        Format::Chunked => {
            stream::Reader::new(&stored[..], &key, size).unwrap().read_to_end(&mut opened).unwrap();
        }
    }
    assert!(opened == plaintext);
}

fn names(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn outputs_of_every_size_are_stored_in_both_formats() {
    for length in [0, 1, BLOCK, 8 * MIB, 8 * MIB + 1, 9 * MIB + 12345] {
        let plaintext = content(length);
        for format in [Format::Single, Format::Chunked] {
            let (spool, dir) = spool();
            let output = output_of(&plaintext, spool);
            assert_eq!(matches!(output, Content::Spooled(_)), length > 8 * MIB, "{length}");
            // Whatever is in the spool has no name that would outlive the process.
            assert!(length <= 8 * MIB || names(&dir.path().join("spool")).is_empty());
            check_stored(output, format, &plaintext);
        }
    }
}

#[test]
fn what_all_outputs_hold_in_memory_is_bounded() {
    let piece = content(7 * MIB);
    let (spool, _dir) = spool();
    let stored: Vec<_> = (0..6).map(|_| Stored::new(&[1])).collect();
    let inputs = stored.iter().map(Stored::stream).collect();
    let (ran, outputs) = run_on(inputs, spool, |invocation| {
        for owner in 0..6 {
            write(invocation, Output::Owner(owner), &piece)?;
        }
        Ok(String::new())
    })
    .unwrap();
    ran.unwrap();
    let in_memory = outputs.values().filter(|content| matches!(content, Content::Memory(_))).count();
    assert_eq!((outputs.len(), in_memory), (6, 4));
    assert!(outputs.into_values().all(|content| content.sha256() == digest(&piece)));
}

/// What is dropped or spooled makes room for others.
#[test]
fn memory_that_is_given_up_is_there_for_others() {
    let (spool, _dir) = spool();
    let stored: Vec<_> = (0..9).map(|_| Stored::new(&[1])).collect();
    let inputs = stored.iter().map(Stored::stream).collect();
    let (_, outputs) = run_on(inputs, spool, |invocation| {
        for owner in 0..8 {
            let _ = invocation.output(Output::Owner(owner))?.write_all(&vec![0; 7 * MIB]);
        }
        write(invocation, Output::Owner(8), &vec![0; 8 * MIB])?;
        Ok(String::new())
    })
    .unwrap();
    assert_eq!(outputs.len(), 1);
    assert!(outputs.into_values().all(|content| matches!(content, Content::Memory(_))));
}

#[test]
fn nothing_unsealed_is_in_the_spool() {
    const KNOWN: &[u8] = b"plaintext that nobody may see on a disk, ";
    let shelf = Shelf::with_room(usize::MAX);
    let plaintext = KNOWN.repeat(9 * MIB / KNOWN.len());
    let output = output_of(&plaintext, Arc::new(shelf.clone()));
    {
        let spooled = shelf.bytes.lock().unwrap();
        assert!(spooled.len() > plaintext.len());
        assert!(!spooled.windows(16).any(|window| window == &KNOWN[..16]));
    }
    check_stored(output, Format::Chunked, &plaintext);
}

#[test]
fn a_spool_that_was_tampered_with_gives_no_file() {
    let plaintext = content(9 * MIB);
    for format in [Format::Single, Format::Chunked] {
        for at in [70, 5 * MIB, 9 * MIB] {
            let shelf = Shelf::with_room(usize::MAX);
            let output = output_of(&plaintext, Arc::new(shelf.clone()));
            shelf.bytes.lock().unwrap()[at] ^= 1;
            let dir = tempfile::tempdir().unwrap();
            Sealing::new(output, format, keys().0).store(&dir.path().join("id")).unwrap_err();
            assert!(names(dir.path()).is_empty());
        }
    }
}

/// A full disk is said to be full, whatever the function makes of it.
#[test]
fn a_full_spool_is_the_runs_failure() {
    let plaintext = content(9 * MIB);
    for room in [0, 64, 65_000, 8 * MIB, 9 * MIB] {
        let shelf: Arc<dyn Spool> = Arc::new(Shelf::with_room(room));
        let swallows = |invocation: &mut Invocation<'_>| {
            let _ = write(invocation, Output::Creator, &plaintext);
            Ok(String::new())
        };
        for settled in [
            run_on(vec![], shelf.clone(), swallows),
            run_on(vec![], shelf.clone(), |invocation| {
                write(invocation, Output::Creator, &plaintext)?;
                Ok(String::new())
            }),
        ] {
            match settled {
                Err(Unsettled::Spool(error)) => assert_eq!(error.kind(), io::ErrorKind::StorageFull, "{room}"),
                other => panic!("{room}: {:?}", other.map(|(ran, _)| ran)),
            }
        }
    }
    let error = crate::Error::io("spool an output")(io::ErrorKind::StorageFull.into());
    assert_eq!(error.to_string(), "the function node's disk has no room for the task's outputs");
}

#[test]
fn a_spool_that_cannot_be_had_is_no_panic() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("spool"), "a file in its place").unwrap();
    let settled = run_on(vec![], Arc::new(Folder::of(dir.path())), |invocation| {
        write(invocation, Output::Creator, &content(9 * MIB))?;
        Ok(String::new())
    });
    assert!(matches!(settled, Err(Unsettled::Spool(_))));
}

#[test]
fn what_a_killed_process_left_is_cleared() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::of(dir.path());
    folder.clear();
    folder.create().unwrap();
    fs::write(dir.path().join("spool/left"), "").unwrap();
    folder.clear();
    assert!(names(&dir.path().join("spool")).is_empty());
}
