//! The streams that a function holds; each read and write checks the run's limits.

use std::fmt;
use std::io::{self, BufRead, Read, Write};
use std::mem;
use std::sync::Arc;

use crate::meter::Meter;
use crate::{Failure, Limit, Sink};

/// An open input.
pub struct InputStream {
    stream: Box<dyn BufRead + Send>,
    size: u64,
    gathered: Vec<u8>,
    meter: Arc<Meter>,
}

impl InputStream {
    pub(crate) fn new(stream: Box<dyn BufRead + Send>, size: u64, meter: Arc<Meter>) -> Self {
        Self { stream, size, gathered: Vec::new(), meter }
    }

    /// All that has not been read yet, as one slice: the host's own buffer where it has the whole file in one, else
    /// gathered here, up to [`Limits::whole_bytes`](crate::Limits::whole_bytes).
    pub fn rest(&mut self) -> Result<&[u8], Failure> {
        if self.fill_buf()?.len() as u64 == self.size {
            return Ok(self.fill_buf()?);
        }
        let limit = self.meter.whole_bytes();
        if self.size > limit {
            return Err(Limit::WholeBytes(limit).into());
        }
        let mut gathered = mem::take(&mut self.gathered);
        let room = limit.saturating_sub(gathered.len() as u64);
        let read = self.take(room.saturating_add(1)).read_to_end(&mut gathered)?;
        if read as u64 > room {
            return Err(Limit::WholeBytes(limit).into());
        }
        self.gathered = gathered;
        Ok(&self.gathered)
    }
}

impl Read for InputStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.meter.check()?;
        self.stream.read(buffer)
    }
}

impl BufRead for InputStream {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.meter.check()?;
        self.stream.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.stream.consume(amount);
    }
}

/// An output being written. It counts only once it is [finished](OutputStream::finish); a run that leaves one
/// unfinished fails.
pub struct OutputStream {
    /// `None` after a write failed: what is there then is not what the function meant.
    sink: Option<Box<dyn Sink>>,
    meter: Arc<Meter>,
}

impl OutputStream {
    pub(crate) fn new(sink: Box<dyn Sink>, meter: Arc<Meter>) -> Self {
        Self { sink: Some(sink), meter }
    }

    /// Everything has been written.
    pub fn finish(self) -> Result<(), Failure> {
        self.meter.check()?;
        self.sink.ok_or_else(broken)?.finish()?;
        self.meter.count_finished();
        Ok(())
    }

    fn admit(&self, bytes: usize) -> Result<(), Failure> {
        self.meter.check()?;
        Ok(self.meter.count_written(bytes)?)
    }
}

impl Write for OutputStream {
    /// Writes all of `bytes` or fails.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut sink = self.sink.take().ok_or_else(broken)?;
        self.admit(bytes.len())?;
        sink.write_all(bytes)?;
        self.sink = Some(sink);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.as_mut().ok_or_else(broken)?.flush()
    }
}

fn broken() -> io::Error {
    io::Error::other("an earlier write of this output failed")
}

/// A result that is collected as bytes.
pub struct ResultText {
    bytes: Vec<u8>,
    meter: Arc<Meter>,
}

impl ResultText {
    pub(crate) fn new(meter: Arc<Meter>) -> Self {
        Self { bytes: Vec::new(), meter }
    }

    /// The bytes as text; what is not UTF-8 becomes U+FFFD.
    pub fn into_string(self) -> String {
        String::from_utf8(self.bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }
}

impl Write for ResultText {
    /// Takes all of `bytes` or fails.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.meter.check_result(self.bytes.len() + bytes.len()).map_err(Failure::from)?;
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

macro_rules! redacted {
    ($($stream:ident)*) => {$(
        impl fmt::Debug for $stream {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($stream), " [redacted]"))
            }
        }
    )*};
}

redacted!(InputStream OutputStream ResultText);

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor};

    use super::*;
    use crate::{Limits, StopSignal};

    fn stream(bytes: impl BufRead + Send + 'static, size: u64) -> InputStream {
        InputStream::new(Box::new(bytes), size, Arc::new(Meter::start(Limits::default(), StopSignal::new())))
    }

    #[test]
    fn a_file_in_memory_is_not_copied() {
        let file: Arc<[u8]> = Arc::from(*b"content");
        let mut stream = stream(Cursor::new(file.clone()), 7);
        assert_eq!(stream.rest().unwrap().as_ptr(), file.as_ptr());
        assert!(stream.gathered.is_empty());
    }

    #[test]
    fn a_file_in_pieces_is_gathered() {
        for piece in 1..9 {
            let mut stream = stream(BufReader::with_capacity(piece, &b"content"[..]), 7);
            assert_eq!(stream.rest().unwrap(), b"content");
            assert_eq!(stream.rest().unwrap(), b"content");
        }
    }

    #[test]
    fn what_was_read_before_is_left_out() {
        let mut stream = stream(&b"content"[..], 7);
        stream.read_exact(&mut [0; 3]).unwrap();
        assert_eq!(stream.rest().unwrap(), b"tent");
    }

    #[test]
    fn the_end_of_the_stream_counts_and_not_the_size() {
        for size in [0, 3, 8, 1 << 30] {
            assert_eq!(stream(&b"content"[..], size).rest().unwrap(), b"content");
        }
    }

    #[test]
    fn what_is_too_large_is_not_gathered() {
        let gather = |size: u64, whole_bytes: u64| {
            let meter = Meter::start(Limits { whole_bytes, ..Limits::default() }, StopSignal::new());
            let pieces = BufReader::with_capacity(3, &b"content"[..]);
            let mut stream = InputStream::new(Box::new(pieces), size, Arc::new(meter));
            (stream.rest().map(<[u8]>::to_vec), stream.stream.fill_buf().unwrap().len())
        };
        assert!(matches!(gather(7, 7), (Ok(content), 0) if content == b"content"));
        // By its size, before more is read, and by what comes, whatever the size says.
        assert!(matches!(gather(7, 6), (Err(Failure::Limit(Limit::WholeBytes(6))), 3)));
        assert!(matches!(gather(5, 6), (Err(Failure::Limit(Limit::WholeBytes(6))), 0)));
        assert!(matches!(gather(u64::MAX, 6), (Err(Failure::Limit(Limit::WholeBytes(6))), 3)));
    }
}
