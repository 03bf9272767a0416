//! The file format against an independent implementation, and against every way to damage a file.

#![allow(clippy::unwrap_used, reason = "a failing test panics")]

use std::{
    io::{self, Read},
    sync::LazyLock,
};

use crypto::{
    FileKey,
    file::{self, OpenError, Plaintext, Reader},
    hash::{Sha256, hex},
};

static KEY: LazyLock<FileKey> = LazyLock::new(key);

/// The same key every time: what a real caller must never do.
fn key() -> FileKey {
    let key: Vec<u8> = (0..32).collect();
    FileKey::new(&key, b"\xca\xfe\xba\xbe\xfa\xce\xdb\xad\xde\xca\xf8\x88", b"\x57\xf8\x19\x8d\x96").unwrap()
}

fn counting(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8).collect()
}

fn open(plaintext: &[u8], stored: &[u8]) -> Result<Plaintext, OpenError> {
    Reader::new(&KEY, plaintext.len() as u64, Sha256::digest(plaintext)).read(stored)
}

/// Made with Python's `cryptography` 48 (OpenSSL): `AESGCM(key).encrypt(nonce, plaintext, ad)`.
#[test]
fn what_another_implementation_seals() {
    let check = |plaintext: &[u8], sealed_hex: &str| {
        let sealed = file::seal(plaintext.to_vec(), key()).unwrap();
        assert_eq!(hex(&sealed), sealed_hex);
        assert_eq!(&*open(plaintext, &sealed).unwrap(), plaintext);
    };
    check(b"", "e6afa3308e62d1632870b51f654ff4e4");
    check(b"a", "eb4cbf22656ead87711352a79adba6b67d");
    check(
        b"the quick brown fox jumps over the lazy dog",
        concat!(
            "fecbc506db0f26782d2b3faf146ae71f6b4fb871b56c07043dff6b07dbfb458b",
            "c535e12aa0ae304242344f782094fe4e5d6ce0f350c4a9924cb63b"
        ),
    );
    let long = file::seal(counting(70_000), key()).unwrap();
    assert_eq!(hex(&Sha256::digest(&long)), "e0946ffc64fc107f55ebfc54748a789f1cbc2773e4c92c3f1ae17b1551079645");
}

#[test]
fn round_trip_at_every_size_around_a_step() {
    const STEP: usize = 1 << 20;
    for len in [0, 1, 15, 16, 17, STEP - 17, STEP - 16, STEP - 15, STEP, 2 * STEP + 7, 5 * STEP] {
        let plaintext = counting(len);
        let stored = file::seal(plaintext.clone(), key()).unwrap();
        assert_eq!(stored.len(), len + file::TAG_LEN);
        assert!(*open(&plaintext, &stored).unwrap() == *plaintext, "{len}");
        let digest = Sha256::digest(&plaintext);
        let known = Reader::new(&KEY, len as u64, digest).known_len(stored.len() as u64);
        assert!(*known.read(Dribble(&stored, 0)).unwrap() == *plaintext, "{len}");
        let in_memory = Reader::new(&KEY, len as u64, digest).open(stored);
        assert!(*in_memory.unwrap() == *plaintext, "{len}");
    }
}

#[test]
fn every_changed_bit_is_refused() {
    let plaintext = counting(40);
    let stored = file::seal(plaintext.clone(), key()).unwrap();
    for bit in 0..stored.len() * 8 {
        let mut changed = stored.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(matches!(open(&plaintext, &changed), Err(OpenError::Refused)), "bit {bit}");
    }
}

#[test]
fn every_other_length_is_a_wrong_length() {
    let plaintext = counting(40);
    let stored = file::seal(plaintext.clone(), key()).unwrap();
    let mut longer = stored.clone();
    longer.extend_from_slice(&stored);
    for len in (0..stored.len()).chain(stored.len() + 1..longer.len()) {
        let check = |result: Result<Plaintext, OpenError>| {
            assert!(matches!(result, Err(OpenError::WrongLength { size: 40 })), "{len}");
        };
        let reader = || Reader::new(&KEY, 40, Sha256::digest(&plaintext));
        check(reader().read(&longer[..len]));
        check(reader().open(longer[..len].to_vec()));
        check(reader().known_len(len as u64).read(&longer[..len]));
        check(reader().known_len(stored.len() as u64).read(&longer[..len]));
    }
}

#[test]
fn another_key_nonce_or_associated_data_is_refused() {
    let stored = file::seal(counting(40), key()).unwrap();
    let check = |key: &[u8], nonce: &[u8], ad: &[u8]| {
        let other = FileKey::new(key, nonce, ad).unwrap();
        let result = Reader::new(&other, 40, Sha256::digest(&counting(40))).read(&stored[..]);
        assert!(matches!(result, Err(OpenError::Refused)));
    };
    check(&[9; 32], KEY.nonce(), KEY.ad());
    check(KEY.key(), &[9; 12], KEY.ad());
    check(KEY.key(), KEY.nonce(), &[9; 5]);
}

#[test]
fn other_content_of_the_same_size_differs_in_its_digest() {
    let mut other = counting(40);
    other[17] ^= 1;
    let stored = file::seal(other, key()).unwrap();
    assert!(matches!(open(&counting(40), &stored), Err(OpenError::DigestDiffers)));
}

#[test]
fn the_limit_is_checked_before_anything_is_read() {
    let plaintext = counting(40);
    let digest = Sha256::digest(&plaintext);
    let stored = file::seal(plaintext, key()).unwrap();
    assert!(Reader::new(&KEY, 40, digest).limit(40).read(&stored[..]).is_ok());
    for (size, limit, shown) in [
        (40, 39, 39),
        (u64::MAX, u64::MAX, file::MAX_PLAINTEXT_LEN),
        (file::MAX_PLAINTEXT_LEN + 1, u64::MAX, file::MAX_PLAINTEXT_LEN),
    ] {
        let result = Reader::new(&KEY, size, digest).limit(limit).read(Unreadable);
        assert!(matches!(result, Err(OpenError::TooLarge { limit }) if limit == shown));
    }
}

#[test]
fn a_failing_reader_is_an_io_error() {
    let result = Reader::new(&KEY, 40, [0; 32]).read(Unreadable);
    let Err(OpenError::Read(source)) = result else {
        panic!("{result:?}");
    };
    assert_eq!(source.kind(), io::ErrorKind::PermissionDenied);
}

#[test]
fn plaintext_prints_its_length_only() {
    let plaintext = Plaintext::from(b"secret".to_vec());
    assert_eq!(format!("{plaintext:?}"), "Plaintext([redacted], 6 bytes)");
}

struct Unreadable;

impl Read for Unreadable {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
}

/// Gives one byte, then an interruption, and so on for a while; then the rest.
struct Dribble<'a>(&'a [u8], usize);

impl Read for Dribble<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.1 += 1;
        match self.1 {
            1..20 if self.1.is_multiple_of(2) => Err(io::ErrorKind::Interrupted.into()),
            1..20 => self.0.read(&mut out[..1]),
            _ => self.0.read(out),
        }
    }
}
