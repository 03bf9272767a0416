//! Every length at which something begins or ends, written and read in any pieces.

use std::io::{BufRead, Read, Write};

use crypto::{
    FileKey,
    file::stream::{ChunkLen, Error, Header, Layout, Reader, Salt, Writer},
    hash::Sha256,
};

use crate::{Dribble, FailsAfter, counting, edges, header, key, read, seal, unwrapped};

#[test]
fn what_went_in_comes_out_at_every_edge() {
    for log2 in [12, 13, 16, 17] {
        for len in edges(log2) {
            let plaintext = counting(len);
            let stored = seal(header(log2, 1), &plaintext);
            let layout = Layout::new(ChunkLen::from_log2(log2).unwrap(), len as u64).unwrap();
            assert_eq!(stored.len() as u64, layout.sealed_len());
            let (opened, result) = read(&stored, len);
            result.unwrap();
            assert!(opened == plaintext, "{log2} {len}");
        }
    }
}

#[test]
fn the_pieces_change_nothing() {
    for len in edges(12) {
        let plaintext = counting(len);
        let whole = seal(header(12, 1), &plaintext);
        let mut writer = Writer::new(Dribble(Vec::new(), 0), &key(), header(12, 1)).unwrap();
        std::io::copy(&mut Dribble(&plaintext[..], 0), &mut writer).unwrap();
        assert!(writer.finish().unwrap().0 == whole, "{len}");
        let mut opened = Vec::new();
        let mut reader = Reader::new(Dribble(&whole[..], 0), &key(), len as u64).unwrap();
        while !reader.fill_buf().unwrap().is_empty() {
            opened.push(reader.fill_buf().unwrap()[0]);
            reader.consume(1);
        }
        assert!(opened == plaintext, "{len}");
    }
}

#[test]
fn two_sealings_of_one_plaintext_have_nothing_in_common() {
    let plaintext = counting(10_000);
    let (a, b) = (seal(Header::for_size(10_000), &plaintext), seal(Header::for_size(10_000), &plaintext));
    assert_eq!(a.len(), b.len());
    let same = a[64..].iter().zip(&b[64..]).filter(|(a, b)| a == b).count();
    assert!(same < 200, "{same} of 10,016 bytes are equal; 39 are by chance");
}

#[test]
fn every_part_of_the_file_key_counts() {
    let stored = seal(header(12, 1), b"hello");
    let check = |key: &[u8], nonce: &[u8], ad: &[u8]| {
        let other = FileKey::new(key, nonce, ad).unwrap();
        let error = Reader::new(&stored[..], &other, 5).unwrap().read(&mut [0; 5]).unwrap_err();
        assert!(matches!(unwrapped(error), Error::Refused { index: 0 }));
    };
    check(&[9; 32], key().nonce(), key().ad());
    check(key().key(), &[9; 12], key().ad());
    check(key().key(), key().nonce(), &[9; 5]);
}

#[test]
fn an_expected_digest_is_compared_before_the_last_chunk_is_given_out() {
    let plaintext = counting(10_000);
    let stored = seal(header(12, 1), &plaintext);
    let reader = || Reader::new(&stored[..], &key(), 10_000).unwrap();
    let mut opened = Vec::new();
    reader().expect_sha256(Sha256::digest(&plaintext)).read_to_end(&mut opened).unwrap();
    assert!(opened == plaintext);
    opened.clear();
    let error = reader().expect_sha256([0; 32]).read_to_end(&mut opened).unwrap_err();
    assert!(matches!(unwrapped(error), Error::DigestDiffers));
    assert!(opened == plaintext[..8192]);
    let empty = seal(header(12, 1), b"");
    let error = Reader::new(&empty[..], &key(), 0).unwrap().expect_sha256([0; 32]).read(&mut [0]).unwrap_err();
    assert!(matches!(unwrapped(error), Error::DigestDiffers));
}

#[test]
fn a_writer_that_failed_or_was_dropped_makes_no_file() {
    let plaintext = counting(10_000);
    for len in [0, 4096, 8192, 10_000] {
        let mut stored = Vec::new();
        let mut writer = Writer::new(&mut stored, &key(), header(12, 1)).unwrap();
        writer.write_all(&plaintext[..len]).unwrap();
        drop(writer);
        let (_, result) = read(&stored, len);
        assert!(matches!(result, Err(Error::Truncated)), "{len}");
    }
    for room in [64, 65, 4175, 4176, 8000] {
        let mut writer = Writer::new(FailsAfter(room), &key(), header(12, 1)).unwrap();
        assert_eq!(writer.write_all(&plaintext).unwrap_err().kind(), std::io::ErrorKind::PermissionDenied, "{room}");
        assert!(matches!(unwrapped(writer.write_all(b"more").unwrap_err()), Error::Failed));
        assert!(matches!(writer.finish(), Err(Error::Failed)));
    }
    assert!(matches!(Writer::new(FailsAfter(63), &key(), header(12, 1)), Err(Error::Write(_))));
}

#[test]
fn after_an_error_a_reader_gives_only_errors() {
    let mut stored = seal(header(12, 1), &counting(10_000));
    stored[64 + 4112] ^= 1;
    let mut reader = Reader::new(&stored[..], &key(), 10_000).unwrap();
    let mut opened = Vec::new();
    assert!(matches!(unwrapped(reader.read_to_end(&mut opened).unwrap_err()), Error::Refused { index: 1 }));
    assert_eq!(opened.len(), 4096);
    for _ in 0..3 {
        assert!(matches!(unwrapped(reader.read(&mut [0; 10]).unwrap_err()), Error::Failed));
    }
}

#[test]
fn the_end_stays_the_end() {
    let stored = seal(header(12, 1), b"hello");
    let mut reader = Reader::new(&stored[..], &key(), 5).unwrap();
    assert_eq!(reader.read(&mut [0; 9]).unwrap(), 5);
    for _ in 0..3 {
        assert_eq!(reader.read(&mut [0; 9]).unwrap(), 0);
    }
}

#[test]
fn nothing_secret_is_printed() {
    let writer = Writer::new(Vec::new(), &key(), Header::new(ChunkLen::MIN, Salt::generate())).unwrap();
    assert!(!format!("{writer:?}").contains("0, 1, 2, 3"), "{writer:?}");
    let stored = seal(header(12, 1), b"ABCD");
    let mut reader = Reader::new(&stored[..], &key(), 4).unwrap();
    reader.fill_buf().unwrap();
    assert!(!format!("{reader:?}").contains("65"), "{reader:?}");
}
