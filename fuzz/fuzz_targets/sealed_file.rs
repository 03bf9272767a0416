//! A stored file as a hostile disk gives it back, against what was declared: exactly the declared bytes, or an error.
#![no_main]

use std::io::{self, Read};

use crypto::file::{Reader, seal};
use crypto::hash::Sha256;
use crypto::{FileKey, hash};
use libfuzzer_sys::fuzz_target;

/// Which size is declared, where one byte is changed and how, how much is cut off, how it arrives, the plaintext.
type Input<'a> = (u64, u16, u8, u8, u8, &'a [u8]);

/// A file that a task may bring here.
const LIMIT: u64 = 4096;

fuzz_target!(|input: Input<'_>| {
    let (size, at, change, cut, piece, content) = input;
    let digest = Sha256::digest(content);

    // Bytes that nobody sealed, under any declared size.
    assert!(Reader::new(&key(), size, digest).limit(LIMIT).read(content).is_err(), "a file was forged");

    let mut stored = seal(content.to_vec(), key()).expect("short");
    stored.truncate(stored.len() - usize::from(cut).min(stored.len()));
    let hit = stored.get_mut(usize::from(at)).map(|byte| *byte ^= change).is_some();
    let size = if size % 4 == 0 { size / 4 } else { content.len() as u64 };
    let right = cut == 0 && !(hit && change != 0) && size == content.len() as u64 && size <= LIMIT;

    let pieces = Pieces { rest: &stored, most: usize::from(piece) + 1 };
    check(Reader::new(&key(), size, digest).limit(LIMIT).read(pieces), content, right);
    check(
        Reader::new(&key(), size, digest).limit(LIMIT).known_len(stored.len() as u64).read(&stored[..]),
        content,
        right,
    );
    check(Reader::new(&key(), size, digest).limit(LIMIT).open(stored.clone()), content, right);
    let other = [digest[0] ^ 1].iter().chain(&digest[1..]).copied().collect::<Vec<u8>>();
    let other: [u8; hash::DIGEST_LEN] = other.try_into().expect("as long");
    check(Reader::new(&key(), size, other).limit(LIMIT).open(stored), content, false);
});

fn check(opened: Result<crypto::file::Plaintext, crypto::file::OpenError>, content: &[u8], right: bool) {
    match opened {
        Ok(plaintext) => assert!(right && *plaintext == *content, "other bytes than the declared ones came out"),
        Err(error) => assert!(!right, "the declared file was refused: {error}"),
    }
}

fn key() -> FileKey {
    FileKey::new(&[7; 32], &[5; 12], &[3; 5]).expect("right lengths")
}

/// A disk that gives a little at a time.
struct Pieces<'a> {
    rest: &'a [u8],
    most: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = out.len().min(self.most);
        self.rest.read(&mut out[..count])
    }
}
