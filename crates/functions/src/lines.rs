//! The lines of an input, numbered and bounded, with messages that point at a line without quoting it.

use std::io::{BufRead, Read as _};

use executor::{Failure, InputStream, Invocation};
use memchr::memchr;

/// A line without an end must not fill memory; a thousand times the identities people join on.
pub(crate) const LINE_BYTES: usize = 64 << 10;

/// Bytes that are looked at between two checkpoints.
const PIECE_BYTES: usize = 64 << 10;

/// Reads one input line by line. Lines end with `\n` or `\r\n`; the last may end without. A byte order mark at the start
/// belongs to no line.
pub(crate) struct Lines {
    stream: InputStream,
    input: usize,
    line: u64,
    /// The beginning of a line whose end has not arrived.
    begun: Vec<u8>,
}

/// What is wrong with a line, or why the run ends.
pub(crate) enum Problem {
    Line(&'static str),
    Run(Failure),
}

impl From<&'static str> for Problem {
    fn from(problem: &'static str) -> Self {
        Self::Line(problem)
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self::Run(failure)
    }
}

impl Lines {
    pub(crate) fn open(invocation: &mut Invocation<'_>, input: usize) -> Result<Self, Failure> {
        let stream = invocation.input(input)?;
        Ok(Self { stream, input, line: 0, begun: Vec::new() })
    }

    /// The next line without its end, or `None` after the last.
    pub(crate) fn next(&mut self) -> Result<Option<&[u8]>, Failure> {
        const LONGEST: usize = LINE_BYTES + b"\r\n".len();
        self.begun.clear();
        self.line += 1;
        if self.stream.by_ref().take(LONGEST as u64).read_until(b'\n', &mut self.begun)? == 0 {
            return Ok(None);
        }
        let line = stripped(self.line, &self.begun).map_err(|problem| failure(self.input, self.line, problem))?;
        Ok(Some(line))
    }

    /// A failure at the line that [`next`](Self::next) read last.
    pub(crate) fn failure(&self, problem: &'static str) -> Failure {
        failure(self.input, self.line, problem.into())
    }

    /// Calls `act` with every line's number, from 1, and the line without its end.
    pub(crate) fn for_each(mut self, mut act: impl FnMut(u64, &[u8]) -> Result<(), Problem>) -> Result<(), Failure> {
        loop {
            let piece = self.stream.fill_buf()?;
            let piece = &piece[..piece.len().min(PIECE_BYTES)];
            let (taken, mut rest) = (piece.len(), piece);
            while let Some(end) = memchr(b'\n', rest) {
                let (line, further) = rest.split_at(end + 1);
                rest = further;
                self.line += 1;
                let done = if self.begun.is_empty() {
                    use_line(self.line, line, &mut act)
                } else {
                    self.begun.extend_from_slice(line);
                    use_line(self.line, &self.begun, &mut act)
                };
                self.begun.clear();
                done.map_err(|problem| failure(self.input, self.line, problem))?;
            }
            self.begun.extend_from_slice(rest);
            // One more than a line may have: that may be `\r`.
            let last = taken == 0;
            if (last && !self.begun.is_empty()) || self.begun.len() > LINE_BYTES + 1 {
                self.line += 1;
                let done = use_line(self.line, &self.begun, &mut act);
                self.begun.clear();
                done.map_err(|problem| failure(self.input, self.line, problem))?;
            }
            if last {
                return Ok(());
            }
            self.stream.consume(taken);
        }
    }
}

fn use_line(number: u64, line: &[u8], act: &mut impl FnMut(u64, &[u8]) -> Result<(), Problem>) -> Result<(), Problem> {
    act(number, stripped(number, line)?)
}

/// A line without its end, and without the byte order mark of the first.
fn stripped(number: u64, line: &[u8]) -> Result<&[u8], Problem> {
    let line = without_end(line);
    if line.len() > LINE_BYTES {
        return Err(Problem::Line("the line is longer than 65536 bytes"));
    }
    Ok(if number == 1 { line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line) } else { line })
}

fn failure(input: usize, line: u64, problem: Problem) -> Failure {
    match problem {
        Problem::Line(problem) => Failure::function(format!("input {}, line {line}: {problem}", input + 1)),
        Problem::Run(failure) => failure,
    }
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}
