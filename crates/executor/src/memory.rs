//! Files in memory, for tests, fuzz targets and trying a function on a laptop.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufRead, BufReader, Cursor, Write};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Files, Output, Sink};

type Outputs = BTreeMap<Output, Vec<u8>>;

/// Inputs given as bytes, outputs collected as bytes.
///
/// ```
/// # use executor::{Files, Output, memory::MemoryFiles};
/// # use std::io::Write;
/// let mut files = MemoryFiles::new([&b"left"[..], b"right"]);
/// let mut sink = files.create(Output::Shared)?;
/// sink.write_all(b"both")?;
/// assert_eq!(files.output(Output::Shared), None);
/// sink.finish()?;
/// assert_eq!(files.output(Output::Shared).as_deref(), Some(&b"both"[..]));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct MemoryFiles {
    inputs: Vec<Arc<[u8]>>,
    outputs: Arc<Mutex<Outputs>>,
    chunk: Option<usize>,
}

impl MemoryFiles {
    /// Files with these inputs and no outputs yet.
    pub fn new<I: Into<Arc<[u8]>>>(inputs: impl IntoIterator<Item = I>) -> Self {
        let inputs = inputs.into_iter().map(Into::into).collect();
        Self { inputs, outputs: Arc::default(), chunk: None }
    }

    /// Makes inputs arrive in pieces of at most `bytes`, as they do from a network, instead of as one slice.
    pub fn in_chunks_of(self, bytes: usize) -> Self {
        Self { chunk: Some(bytes), ..self }
    }

    /// A finished output's content.
    pub fn output(&self, output: Output) -> Option<Vec<u8>> {
        lock(&self.outputs).get(&output).cloned()
    }

    /// All finished outputs.
    pub fn into_outputs(self) -> BTreeMap<Output, Vec<u8>> {
        mem::take(&mut lock(&self.outputs))
    }
}

impl Files for MemoryFiles {
    fn count(&self) -> usize {
        self.inputs.len()
    }

    fn size(&self, input: usize) -> u64 {
        self.inputs[input].len() as u64
    }

    fn open(&mut self, input: usize) -> io::Result<Box<dyn BufRead + Send>> {
        let whole = Cursor::new(self.inputs[input].clone());
        Ok(match self.chunk {
            None => Box::new(whole),
            Some(bytes) => Box::new(BufReader::with_capacity(bytes, whole)),
        })
    }

    fn create(&mut self, output: Output) -> io::Result<Box<dyn Sink>> {
        Ok(Box::new(MemorySink { output, content: Vec::new(), outputs: self.outputs.clone() }))
    }
}

struct MemorySink {
    output: Output,
    content: Vec<u8>,
    outputs: Arc<Mutex<Outputs>>,
}

impl Write for MemorySink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.content.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink for MemorySink {
    fn finish(self: Box<Self>) -> io::Result<()> {
        lock(&self.outputs).insert(self.output, self.content);
        Ok(())
    }
}

/// A map of finished outputs is whole even if another thread panicked beside it.
fn lock(outputs: &Mutex<Outputs>) -> MutexGuard<'_, Outputs> {
    outputs.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for MemoryFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryFiles").field("inputs", &self.inputs.len()).finish_non_exhaustive()
    }
}
