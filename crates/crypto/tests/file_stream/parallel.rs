//! Several threads make the same file as one, open it alike, and fail alike.

use std::{
    io::{Read, Write},
    num::NonZeroUsize,
};

use crypto::{
    file::stream::{Error, HEADER_LEN, open_parallel, open_parallel_unhashed, seal_parallel, seal_parallel_unhashed},
    hash::Sha256,
};

use crate::{Dribble, FailsAfter, counting, edges, header, key, seal};

/// More than a batch of 256 KiB.
const LONG: usize = 3 * 256 * 1024 + 5000;

fn threads(many: usize) -> NonZeroUsize {
    NonZeroUsize::new(many).unwrap()
}

fn open(stored: &[u8], size: usize, many: usize) -> (Vec<u8>, Result<(), Error>) {
    let mut opened = Vec::new();
    let result = open_parallel_unhashed(&key(), size as u64, threads(many), stored, &mut opened);
    (opened, result)
}

#[test]
fn any_number_of_threads_makes_the_same_file_and_opens_it() {
    for log2 in [12, 16, 19] {
        for len in edges(log2).into_iter().chain([LONG, 4 * 256 * 1024]) {
            let plaintext = counting(len);
            let serial = seal(header(log2, 1), &plaintext);
            for many in [1, 2, 3, 8] {
                let mut stored = Vec::new();
                let digest =
                    seal_parallel(&key(), header(log2, 1), len as u64, threads(many), &plaintext[..], &mut stored)
                        .unwrap();
                assert_eq!(digest, Sha256::digest(&plaintext));
                assert!(stored == serial, "{log2} {len} {many}");
                let mut opened = Vec::new();
                open_parallel(&key(), len as u64, digest, threads(many), &stored[..], &mut opened).unwrap();
                assert!(opened == plaintext, "{log2} {len} {many}");
            }
        }
    }
}

#[test]
fn the_pieces_change_nothing() {
    let plaintext = counting(LONG);
    let mut stored = Dribble(Vec::new(), 0);
    let from = Dribble(&plaintext[..], 0);
    seal_parallel_unhashed(&key(), header(12, 1), LONG as u64, threads(3), from, &mut stored).unwrap();
    assert!(stored.0 == seal(header(12, 1), &plaintext));
    let mut opened = Dribble(Vec::new(), 0);
    let from = Dribble(&stored.0[..], 0);
    open_parallel(&key(), LONG as u64, Sha256::digest(&plaintext), threads(3), from, &mut opened).unwrap();
    assert!(opened.0 == plaintext);
}

/// However the threads run: all that comes before the first damage is written, and the first damage is what is named.
#[test]
fn the_first_damage_is_named_and_nothing_after_it_is_written() {
    let plaintext = counting(LONG);
    let stored = seal(header(12, 1), &plaintext);
    for many in [1, 2, 3, 8] {
        for first in [0, 63, 64, 100, 190, 193] {
            let mut changed = stored.clone();
            for index in first..=193 {
                changed[HEADER_LEN + index * 4112 + 5] ^= 1;
            }
            let (opened, result) = open(&changed, LONG, many);
            assert!(matches!(result, Err(Error::Refused { index }) if index == first as u64), "{result:?}");
            assert!(opened.len() <= first * 4096 && plaintext.starts_with(&opened));
        }
    }
}

#[test]
fn every_way_to_be_wrong_has_its_error() {
    let plaintext = counting(LONG);
    let stored = seal(header(12, 1), &plaintext);
    for many in [1, 2, 8] {
        let check = |stored: &[u8], size: usize| open(stored, size, many).1.unwrap_err();
        assert!(matches!(check(&stored[..stored.len() - 1], LONG), Error::Truncated));
        assert!(matches!(check(&stored[..64], LONG), Error::Truncated));
        assert!(matches!(check(&stored[..9], LONG), Error::Truncated));
        assert!(matches!(check(&[&stored[..], &[0]].concat(), LONG), Error::TrailingBytes));
        assert!(matches!(check(&[0; 100], LONG), Error::Header(_)));
        assert!(matches!(check(&stored, usize::MAX), Error::TooLong(_)));
        let result = open_parallel(&key(), LONG as u64, [0; 32], threads(many), &stored[..], std::io::sink());
        assert!(matches!(result, Err(Error::DigestDiffers)));

        let check = |size: usize| {
            let to = std::io::sink();
            seal_parallel(&key(), header(12, 1), size as u64, threads(many), &plaintext[..], to).unwrap_err()
        };
        assert!(matches!(check(LONG - 1), Error::WrongLength { size } if size == LONG as u64 - 1));
        assert!(matches!(check(LONG + 1), Error::WrongLength { size } if size == LONG as u64 + 1));
        assert!(matches!(check(0), Error::WrongLength { size: 0 }));
    }
}

#[test]
fn streams_that_fail_end_every_thread() {
    let plaintext = counting(LONG);
    let size = LONG as u64;
    for many in [1, 2, 8] {
        for after in [63, 64, 5000, 300_000, 600_000] {
            let to = FailsAfter(after);
            let result = seal_parallel(&key(), header(12, 1), size, threads(many), &plaintext[..], to);
            assert!(matches!(result, Err(Error::Write(_))), "{result:?}");
            let result = seal_parallel(&key(), header(12, 1), size, threads(many), FailsAfter(after), std::io::sink());
            assert!(matches!(result, Err(Error::Read(_))), "{result:?}");
        }
    }
}

/// Whoever waits for a thread that panicked would wait for ever.
#[test]
fn a_reader_that_panics_hangs_nobody() {
    struct Panics(usize);
    impl Read for Panics {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            self.0 = self.0.checked_sub(1).expect("so many times");
            out.fill(0);
            Ok(out.len())
        }
    }
    struct PanicsToo;
    impl Write for PanicsToo {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            panic!("a full disk, say");
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    for many in [1, 2, 8] {
        let result = std::panic::catch_unwind(|| {
            seal_parallel(&key(), header(12, 1), 1 << 22, threads(many), Panics(300), std::io::sink())
        });
        assert!(result.is_err());
        let stored = seal(header(12, 1), &counting(LONG));
        let result = std::panic::catch_unwind(|| {
            open_parallel_unhashed(&key(), LONG as u64, threads(many), &stored[..], PanicsToo)
        });
        assert!(result.is_err());
    }
}
