//! The lines of an input, numbered and bounded, with messages that point at a line without quoting it.

use std::io::{BufRead, Read};

use executor::{Failure, InputStream, Invocation};

/// A line without an end must not fill memory; a thousand times the identities people join on.
pub(crate) const LINE_BYTES: usize = 64 << 10;

/// Reads one input line by line. Lines end with `\n` or `\r\n`; the last may end without. A byte order mark at the start
/// belongs to no line.
pub(crate) struct Lines {
    stream: InputStream,
    input: usize,
    line: u64,
    buffer: Vec<u8>,
}

impl Lines {
    pub(crate) fn open(invocation: &mut Invocation<'_>, input: usize) -> Result<Self, Failure> {
        let stream = invocation.input(input)?;
        Ok(Self { stream, input, line: 0, buffer: Vec::new() })
    }

    /// The next line without its end, or `None` after the last.
    pub(crate) fn next(&mut self) -> Result<Option<&[u8]>, Failure> {
        const LONGEST: usize = LINE_BYTES + b"\r\n".len();
        self.buffer.clear();
        self.line += 1;
        let bytes = self.stream.by_ref().take(LONGEST as u64).read_until(b'\n', &mut self.buffer)?;
        if bytes == 0 {
            return Ok(None);
        }
        let mut line = without_end(&self.buffer);
        if line.len() > LINE_BYTES {
            return Err(self.failure(&format!("the line is longer than {LINE_BYTES} bytes")));
        }
        if self.line == 1 {
            line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
        }
        Ok(Some(line))
    }

    /// A failure at the line that was read last.
    pub(crate) fn failure(&self, problem: &str) -> Failure {
        Failure::function(format!("input {}, line {}: {problem}", self.input + 1, self.line))
    }
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}
