//! A stored file of chunks as a hostile disk gives it back: a part of what was sealed, and the whole only if it is whole.
#![no_main]

use std::io::{Cursor, Read, Seek, SeekFrom, Write};
use std::num::NonZeroUsize;

use crypto::FileKey;
use crypto::file::stream::{
    ChunkLen, HEADER_LEN, Header, Layout, Reader, Salt, SeekReader, Writer, open_parallel_unhashed, read_header,
    seal_parallel_unhashed,
};
use libfuzzer_sys::fuzz_target;

/// The plaintext's length, what is added to it when it is declared, where to read from, the changes, strange bytes.
type Input<'a> = (u16, i8, u16, Vec<Change>, &'a [u8]);

/// What is done, where, and with what.
type Change = (u8, u16, u8);

const SEALED_CHUNK: usize = 4096 + 16;

fuzz_target!(|input: Input<'_>| {
    let (len, off, place, changes, strange) = input;
    strange_bytes_are_no_file(strange, u64::from(len));

    let plaintext: Vec<u8> = (0..usize::from(len)).map(|i| (i ^ (i >> 8) * 3) as u8).collect();
    let whole = seal(1, &plaintext);
    let mut stored = whole.clone();
    changes.iter().take(8).for_each(|change| apply(change, &mut stored, &seal(2, &plaintext)));
    let size = u64::from(len).saturating_add_signed(off.into());
    let right = stored == whole && size == u64::from(len);

    let mut read = Vec::new();
    let result = Reader::new(&stored[..], &key(), size).map(|mut reader| reader.read_to_end(&mut read).is_ok());
    check(&read, result.unwrap_or(false), &plaintext, right);
    for threads in [1, 3] {
        let mut read = Vec::new();
        let threads = NonZeroUsize::new(threads).expect("not 0");
        let result = open_parallel_unhashed(&key(), size, threads, &stored[..], &mut read);
        check(&read, result.is_ok(), &plaintext, right);
    }
    parts_are_right(stored, size, place.into(), &plaintext);
});

/// Bytes that nobody sealed, alone and behind a header that is right.
fn strange_bytes_are_no_file(strange: &[u8], size: u64) {
    if let Ok(header) = read_header(&mut &strange[..]) {
        assert_eq!(header.encode(), strange[..HEADER_LEN], "a header has two forms");
    }
    let layout = Layout::of_sealed(ChunkLen::MIN, strange.len() as u64);
    assert!(layout.is_none_or(|layout| layout.sealed_len() == strange.len() as u64));
    for stored in [strange, &[&header(1).encode(), strange].concat()] {
        for size in [size, strange.len() as u64, layout.map_or(0, |layout| layout.size())] {
            let mut read = Vec::new();
            let result = Reader::new(stored, &key(), size).map(|mut reader| reader.read_to_end(&mut read).is_ok());
            assert!(read.is_empty() && !result.unwrap_or(false), "a file was forged");
        }
    }
}

fn apply((what, place, with): &Change, stored: &mut Vec<u8>, other: &[u8]) {
    let (at, with) = (usize::from(*place) % stored.len().max(1), *with);
    let mut chunks: Vec<Vec<u8>> = stored[HEADER_LEN.min(stored.len())..].chunks(SEALED_CHUNK).map(Vec::from).collect();
    let (a, b) = (at % chunks.len().max(1), usize::from(with) % chunks.len().max(1));
    match what % 8 {
        0 => stored.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= with),
        1 => stored.truncate(at),
        2 => stored.push(with),
        _ if chunks.is_empty() => {}
        3 => chunks.swap(a, b),
        4 => chunks[a] = chunks[b].clone(),
        5 => drop(chunks.remove(a)),
        6 => chunks.insert(a, chunks[b].clone()),
        _ => chunks[a] = other[HEADER_LEN..].chunks(SEALED_CHUNK).nth(a).unwrap_or_default().to_vec(),
    }
    if what % 8 > 2 {
        stored.truncate(HEADER_LEN);
        stored.extend(chunks.concat());
    }
}

fn check(read: &[u8], whole: bool, plaintext: &[u8], right: bool) {
    assert!(plaintext.starts_with(read), "other bytes than the sealed ones came out");
    assert_eq!(whole, right, "a changed file was opened, or a whole one refused");
    assert!(!whole || read.len() == plaintext.len(), "a part came out as the whole");
}

/// A seekable reader checks what it is asked for: bytes of a file of the declared size, at their place.
fn parts_are_right(stored: Vec<u8>, size: u64, place: u64, plaintext: &[u8]) {
    let Ok(mut reader) = SeekReader::new(Cursor::new(stored), &key(), size) else { return };
    let mut part = Vec::new();
    reader.seek(SeekFrom::Start(place)).expect("any place is allowed");
    let _ = reader.take(5000).read_to_end(&mut part);
    let expected = plaintext.get(usize::try_from(place).expect("small")..).unwrap_or_default();
    assert!(expected.starts_with(&part), "other bytes than the sealed ones came out of the middle");
}

/// By one writer or by two threads: the same.
fn seal(salt: u8, plaintext: &[u8]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), &key(), header(salt)).expect("memory");
    writer.write_all(plaintext).expect("memory");
    let sealed = writer.finish().expect("memory");
    let (mut other, threads) = (Vec::new(), NonZeroUsize::new(2).expect("not 0"));
    let size = plaintext.len() as u64;
    seal_parallel_unhashed(&key(), header(salt), size, threads, plaintext, &mut other).expect("memory");
    assert!(sealed == other, "two ways to seal a file differ");
    sealed
}

fn header(salt: u8) -> Header {
    Header::new(ChunkLen::MIN, Salt::danger_again([salt; Salt::LEN]))
}

fn key() -> FileKey {
    FileKey::new(&[7; 32], &[5; 12], &[3; 5]).expect("right lengths")
}
