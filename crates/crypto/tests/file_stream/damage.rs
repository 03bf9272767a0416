//! Every way to damage a stored file, and every chunk that is right somewhere else.

use crypto::file::stream::{BadHeader, ChunkLen, Error, HEADER_LEN, Layout, Opener, Position, Sealer};

use crate::{counting, header, key, read, seal};

const SIZE: usize = 3 * 4096 + 100;
const SEALED_CHUNK: usize = 4096 + 16;

/// A first, a middle and a last chunk, for what is tried at every byte.
const SMALL: usize = 2 * 4096 + 100;

fn small() -> Vec<u8> {
    seal(header(12, 1), &counting(SMALL))
}

fn file() -> (Vec<u8>, Vec<u8>) {
    let plaintext = counting(SIZE);
    let stored = seal(header(12, 1), &plaintext);
    (plaintext, stored)
}

/// What came out before the error is a part of what was sealed, by whole chunks; gives the error.
fn refused(stored: &[u8], size: usize) -> Error {
    let (opened, result) = read(stored, size);
    assert!(opened.len().is_multiple_of(4096), "a part of a chunk came out");
    assert!(counting(SIZE).starts_with(&opened), "other bytes than the sealed ones came out");
    result.expect_err("a damaged file was opened")
}

/// The chunks, sealed.
fn chunks(stored: &[u8]) -> Vec<&[u8]> {
    stored[HEADER_LEN..].chunks(SEALED_CHUNK).collect()
}

fn joined(stored: &[u8], chunks: &[&[u8]]) -> Vec<u8> {
    [&stored[..HEADER_LEN], &chunks.concat()].concat()
}

#[test]
fn every_changed_byte_is_refused() {
    let stored = small();
    for at in 0..stored.len() {
        let mut changed = stored.clone();
        changed[at] ^= 1 << (at % 8);
        let error = refused(&changed, SMALL);
        match at {
            0..8 => assert!(matches!(error, Error::Header(BadHeader::NoMark))),
            8 => assert!(matches!(error, Error::Header(BadHeader::Version { .. }))),
            9 => {}
            10..32 => assert!(matches!(error, Error::Header(BadHeader::Reserved))),
            32..64 => assert!(matches!(error, Error::Refused { index: 0 })),
            _ => {
                let of = ((at - HEADER_LEN) / SEALED_CHUNK) as u64;
                assert!(matches!(error, Error::Refused { index } if index == of), "byte {at}: {error}");
            }
        }
    }
}

#[test]
fn every_changed_bit_of_header_and_tags_is_refused() {
    let stored = small();
    let mut bytes: Vec<usize> = (0..HEADER_LEN).collect();
    for chunk in 0..3 {
        let end = (HEADER_LEN + (chunk + 1) * SEALED_CHUNK).min(stored.len());
        bytes.extend(end - 16..end);
    }
    for at in bytes {
        for bit in 0..8 {
            let mut changed = stored.clone();
            changed[at] ^= 1 << bit;
            refused(&changed, SMALL);
        }
    }
}

/// The declared size says which chunk must be the last one, so a file that is cut anywhere is a cut file.
#[test]
fn every_truncation_is_refused() {
    let stored = small();
    for len in 0..stored.len() {
        assert!(matches!(refused(&stored[..len], SMALL), Error::Truncated), "{len}");
    }
    let small = seal(header(12, 1), &counting(100));
    for len in 0..small.len() {
        assert!(matches!(refused(&small[..len], 100), Error::Truncated), "{len}");
    }
    let empty = seal(header(12, 1), b"");
    for len in 0..empty.len() {
        assert!(matches!(refused(&empty[..len], 0), Error::Truncated), "{len}");
    }
}

/// Even when the size that is declared fits what is left: an inner chunk is no last chunk.
#[test]
fn a_file_cut_at_a_chunks_end_is_refused_under_the_fitting_size() {
    let (_, stored) = file();
    for left in 1..=3 {
        let cut = &stored[..HEADER_LEN + left * SEALED_CHUNK];
        let error = refused(cut, left * 4096);
        assert!(matches!(error, Error::Refused { index } if index == left as u64 - 1), "{left}: {error}");
    }
    assert!(matches!(refused(&stored[..HEADER_LEN], 0), Error::Truncated));
    assert!(matches!(refused(&stored[..HEADER_LEN + 16], 0), Error::Refused { index: 0 }));
}

#[test]
fn every_other_declared_size_is_refused() {
    let (_, stored) = file();
    for size in (0..2 * SIZE).step_by(61).chain([SIZE - 1, SIZE + 1, 3 * 4096, 4 * 4096]).filter(|size| *size != SIZE) {
        refused(&stored, size);
    }
    let (_, result) = read(&stored, usize::MAX);
    assert!(matches!(result, Err(Error::TooLong(_))));
}

#[test]
fn bytes_after_the_end_are_refused() {
    let (_, stored) = file();
    let (_, result) = read(&[&stored[..], &[0]].concat(), SIZE);
    assert!(matches!(result, Err(Error::TrailingBytes)));
    assert!(matches!(refused(&[&stored[..], &stored[..]].concat(), SIZE), Error::TrailingBytes));
    let empty = seal(header(12, 1), b"");
    assert!(matches!(refused(&[&empty[..], &[0; 16]].concat(), 0), Error::TrailingBytes));
    // A whole last chunk more, sealed under the right key at the next position.
    let sealer = Sealer::new(&key(), header(12, 1));
    let mut more = counting(9);
    let tag = sealer.seal(Position { index: 4, last: true }, &mut more).unwrap();
    let longer = [&stored[..], &more, &tag].concat();
    refused(&longer, SIZE);
    refused(&longer, 4 * 4096 + 9);
}

#[test]
fn chunks_out_of_place_are_refused() {
    let (_, stored) = file();
    let c = chunks(&stored);
    let check = |order: &[&[u8]], at: u64, size: usize| {
        let error = refused(&joined(&stored, order), size);
        assert!(matches!(error, Error::Refused { index } if index == at), "{error}");
    };
    check(&[c[1], c[0], c[2], c[3]], 0, SIZE);
    check(&[c[0], c[2], c[1], c[3]], 1, SIZE);
    // repeated
    check(&[c[0], c[0], c[1], c[2], c[3]], 1, SIZE + 4096);
    check(&[c[0], c[0], c[2], c[3]], 1, SIZE);
    // dropped
    check(&[c[1], c[2], c[3]], 0, SIZE - 4096);
    check(&[c[0], c[2], c[3]], 1, SIZE - 4096);
    check(&[c[0], c[1], c[3]], 2, SIZE - 4096);
    check(&[c[3]], 0, 100);
    // the whole file twice, and the last chunk twice
    check(&[c[0], c[1], c[2], c[3], c[0], c[1], c[2], c[3]], 3, 7 * 4096 + 84);
}

#[test]
fn chunks_of_another_file_or_an_older_version_are_refused() {
    let (plaintext, stored) = file();
    let older = seal(header(12, 2), &plaintext);
    let other_key = crypto::FileKey::generate();
    let mut writer = crypto::file::stream::Writer::new(Vec::new(), &other_key, header(12, 1)).unwrap();
    std::io::Write::write_all(&mut writer, &plaintext).unwrap();
    let other = writer.finish().unwrap();
    for foreign in [older, other] {
        for at in 0..4 {
            let mut mixed = chunks(&stored);
            mixed[at] = chunks(&foreign)[at];
            let error = refused(&joined(&stored, &mixed), SIZE);
            assert!(matches!(error, Error::Refused { index } if index == at as u64), "{error}");
        }
        let error = refused(&joined(&stored, &chunks(&foreign)), SIZE);
        assert!(matches!(error, Error::Refused { index: 0 }));
    }
}

#[test]
fn a_last_chunk_is_no_inner_one_and_the_other_way_round() {
    let (sealer, opener) = (Sealer::new(&key(), header(12, 1)), Opener::new(&key(), header(12, 1)));
    let seal = |at: Position| {
        let mut chunk = counting(4096);
        let tag = sealer.seal(at, &mut chunk).unwrap();
        [chunk, tag.to_vec()].concat()
    };
    for index in [0, 1, u32::MAX] {
        for last in [false, true] {
            let at = Position { index, last };
            assert!(*opener.open(at, &mut seal(at)).unwrap() == *counting(4096));
            let wrong = Position { index, last: !last };
            let error = opener.open(wrong, &mut seal(at)).unwrap_err();
            assert!(matches!(error, Error::Refused { index: found } if found == index.into()));
        }
    }
    // In a file: its last chunk is full, and is followed by one more.
    let first = [seal(Position { index: 0, last: true }), seal(Position { index: 1, last: true })].concat();
    let stored = [&header(12, 1).encode()[..], &first].concat();
    assert!(matches!(refused(&stored, 2 * 4096), Error::Refused { index: 0 }));
}

#[test]
fn lengths_that_no_chunk_has_are_refused() {
    let (sealer, opener) = (Sealer::new(&key(), header(12, 1)), Opener::new(&key(), header(12, 1)));
    let check = |index: u32, last: bool, len: usize| {
        let at = Position { index, last };
        assert!(matches!(sealer.seal(at, &mut vec![0; len]), Err(Error::ChunkLength { .. })));
        assert!(matches!(opener.open(at, &mut vec![0; len + 16]), Err(Error::ChunkLength { .. })));
    };
    check(0, false, 4095);
    check(0, false, 4097);
    check(1, true, 0);
    check(1, true, 4097);
    let at = Position { index: 0, last: true };
    assert!(matches!(opener.open(at, &mut [0; 15]), Err(Error::ChunkLength { len: 0, .. })));
}

/// A header that names other chunks than those that follow opens none of them.
#[test]
fn another_chunk_length_in_the_header_opens_nothing() {
    for log2 in 12..=24 {
        let (_, mut stored) = file();
        stored[9] = log2;
        let (opened, result) = read(&stored, SIZE);
        assert_eq!(result.is_ok(), log2 == 12, "{log2}");
        assert_eq!(opened.len(), if log2 == 12 { SIZE } else { 0 });
        let layout = Layout::new(ChunkLen::from_log2(log2).unwrap(), SIZE as u64).unwrap();
        assert_eq!(layout.sealed_len() == stored.len() as u64, log2 == 12);
    }
}
