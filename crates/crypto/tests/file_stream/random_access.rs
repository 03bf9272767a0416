//! Any part of a file equals the same part of its plaintext, and only the chunks that hold it are opened.

use std::io::{Cursor, Read, Seek, SeekFrom};

use crypto::file::stream::{Error, Opener, Position, SeekReader};

use crate::{counting, edges, header, key, seal, unwrapped};

#[test]
fn every_part_equals_the_plaintexts() {
    for len in edges(12) {
        let plaintext = counting(len);
        let mut reader = SeekReader::new(Cursor::new(seal(header(12, 1), &plaintext)), &key(), len as u64).unwrap();
        let places = [0, 1, 4095, 4096, 4097, 8191, 8192, len / 2, len.saturating_sub(1), len, len + 1, usize::MAX / 2];
        for start in places {
            for many in [0, 1, 2, 4096, 5000, 3 * 4096] {
                let mut part = Vec::new();
                reader.seek(SeekFrom::Start(start as u64)).unwrap();
                reader.by_ref().take(many as u64).read_to_end(&mut part).unwrap();
                let expected = plaintext.get(start..start.saturating_add(many).min(len)).unwrap_or_default();
                assert!(part == expected, "{len}: {many} from {start}");
            }
        }
    }
}

#[test]
fn places_are_counted_as_std_counts_them() {
    let plaintext = counting(10_000);
    let mut reader = SeekReader::new(Cursor::new(seal(header(12, 1), &plaintext)), &key(), 10_000).unwrap();
    let mut like = Cursor::new(plaintext);
    for to in
        [SeekFrom::End(-1), SeekFrom::Current(-5000), SeekFrom::Current(i64::MIN), SeekFrom::End(7), SeekFrom::Start(3)]
    {
        assert_eq!(reader.seek(to).ok(), like.seek(to).ok());
        assert_eq!(reader.stream_position().unwrap(), like.stream_position().unwrap());
        let (mut a, mut b) = ([0; 100], [0; 100]);
        assert_eq!(reader.read(&mut a).unwrap(), like.read(&mut b).unwrap());
        assert_eq!(a, b);
    }
}

#[test]
fn a_damaged_chunk_spoils_no_other_one() {
    let plaintext = counting(5 * 4096);
    let mut stored = seal(header(12, 1), &plaintext);
    stored[64 + 2 * 4112 + 9] ^= 4;
    let mut reader = SeekReader::new(Cursor::new(stored), &key(), 5 * 4096).unwrap();
    for index in [0, 1, 2, 3, 4, 2, 0] {
        let mut part = [0; 4096];
        reader.seek(SeekFrom::Start(index * 4096)).unwrap();
        match (index, reader.read_exact(&mut part)) {
            (2, Err(error)) => assert!(matches!(unwrapped(error), Error::Refused { index: 2 })),
            (2, Ok(())) => panic!("a damaged chunk was opened"),
            (_, result) => {
                result.unwrap();
                assert!(part == plaintext[index as usize * 4096..][..4096]);
            }
        }
    }
}

#[test]
fn another_length_than_the_declared_sizes_is_refused() {
    let stored = seal(header(12, 1), &counting(10_000));
    let check = |stored: Vec<u8>, size: u64| {
        let result = SeekReader::new(Cursor::new(stored), &key(), size);
        assert!(matches!(result, Err(Error::WrongLength { size: named }) if named == size));
    };
    check(stored.clone(), 9_999);
    check(stored.clone(), 10_001);
    check(stored[..stored.len() - 1].to_vec(), 10_000);
    check([&stored[..], &[0]].concat(), 10_000);
    let result = SeekReader::new(Cursor::new(stored[..63].to_vec()), &key(), 10_000);
    assert!(matches!(result, Err(Error::Truncated)));
}

#[test]
fn one_chunk_is_opened_with_nothing_of_the_others() {
    let plaintext = counting(10_000);
    let stored = seal(header(12, 1), &plaintext);
    let opener = Opener::new(&key(), header(12, 1));
    let layout = opener.layout(10_000).unwrap();
    for index in [2, 0, 1] {
        let chunk = layout.chunk(index).unwrap();
        let mut sealed = stored[chunk.sealed_start as usize..][..chunk.sealed_len()].to_vec();
        let opened = opener.open(Position::from(&chunk), &mut sealed).unwrap();
        assert!(*opened == plaintext[chunk.start as usize..][..chunk.len]);
    }
}
