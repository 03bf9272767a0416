//! Files of chunks: what goes in comes out from anywhere and by any number of threads, and nothing else ever does.

#![allow(clippy::unwrap_used, reason = "a failing test panics")]

mod damage;
mod parallel;
mod random_access;
mod round_trip;
mod vectors;

use std::io::{self, Read, Write};

use crypto::{
    FileKey,
    file::stream::{ChunkLen, Error, Header, Reader, Salt, Writer},
};

/// The same key every time: what a real caller must never do.
fn key() -> FileKey {
    let key: Vec<u8> = (0..32).collect();
    FileKey::new(&key, b"\xca\xfe\xba\xbe\xfa\xce\xdb\xad\xde\xca\xf8\x88", b"\x57\xf8\x19\x8d\x96").unwrap()
}

fn header(log2: u8, salt: u8) -> Header {
    Header::new(ChunkLen::from_log2(log2).unwrap(), Salt::danger_again([salt; Salt::LEN]))
}

fn counting(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8).collect()
}

fn seal(header: Header, plaintext: &[u8]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), &key(), header).unwrap();
    writer.write_all(plaintext).unwrap();
    writer.finish().unwrap()
}

/// What comes out before the end or the error.
fn read(stored: &[u8], size: usize) -> (Vec<u8>, Result<(), Error>) {
    let mut reader = match Reader::new(stored, &key(), size as u64) {
        Ok(reader) => reader,
        Err(error) => return (Vec::new(), Err(error)),
    };
    let mut opened = Vec::new();
    let result = reader.read_to_end(&mut opened);
    (opened, result.map(drop).map_err(unwrapped))
}

/// The stream's error inside `std::io`'s.
fn unwrapped(error: io::Error) -> Error {
    *error.into_inner().unwrap().downcast().unwrap()
}

/// The lengths at which something begins or ends, for chunks of 2 to the power of `log2` bytes.
fn edges(log2: u8) -> Vec<usize> {
    let chunk = 1 << log2;
    vec![
        0,
        1,
        15,
        16,
        17,
        chunk - 1,
        chunk,
        chunk + 1,
        2 * chunk - 1,
        2 * chunk,
        2 * chunk + 1,
        5 * chunk,
        5 * chunk + 77,
    ]
}

/// Gives or takes one byte, then is interrupted, and so on for a while; then pieces of odd lengths.
struct Dribble<T>(T, usize);

impl<T> Dribble<T> {
    fn piece(&mut self, len: usize) -> io::Result<usize> {
        self.1 += 1;
        match self.1 {
            1..20 if self.1.is_multiple_of(2) => Err(io::ErrorKind::Interrupted.into()),
            1..20 => Ok(1.min(len)),
            calls => Ok(len.min(1 + calls * 37 % 9000)),
        }
    }
}

impl<R: Read> Read for Dribble<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let len = self.piece(out.len())?;
        self.0.read(&mut out[..len])
    }
}

impl<W: Write> Write for Dribble<W> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let len = self.piece(piece.len())?;
        self.0.write(&piece[..len])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Works for so many bytes, and then never again.
struct FailsAfter(usize);

impl FailsAfter {
    fn spend(&mut self, len: usize) -> io::Result<usize> {
        if self.0 == 0 && len > 0 {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let len = len.min(self.0);
        self.0 -= len;
        Ok(len)
    }
}

impl Read for FailsAfter {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let len = self.spend(out.len())?;
        out[..len].fill(7);
        Ok(len)
    }
}

impl Write for FailsAfter {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.spend(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
