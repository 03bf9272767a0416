//! Files in memory, for tests, fuzz targets and trying a function on a laptop.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufRead, BufReader, Cursor, Write};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Files, Output, Scratch, Sink};

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
    scratch: Option<Arc<dyn Scratch>>,
}

impl MemoryFiles {
    /// Files with these inputs and no outputs yet.
    pub fn new<I: Into<Arc<[u8]>>>(inputs: impl IntoIterator<Item = I>) -> Self {
        let inputs = inputs.into_iter().map(Into::into).collect();
        Self { inputs, outputs: Arc::default(), chunk: None, scratch: None }
    }

    /// Makes inputs arrive in pieces of at most `bytes`, as they do from a network, instead of as one slice.
    pub fn in_chunks_of(self, bytes: usize) -> Self {
        Self { chunk: Some(bytes), ..self }
    }

    /// Gives runs this scratch space instead of one in memory.
    pub fn with_scratch(self, scratch: Arc<dyn Scratch>) -> Self {
        Self { scratch: Some(scratch), ..self }
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

    fn scratch(&mut self) -> io::Result<Arc<dyn Scratch>> {
        Ok(self.scratch.clone().unwrap_or_else(|| Arc::new(MemoryScratch::default())))
    }
}

/// Blocks in memory, one after the other.
#[derive(Default)]
pub struct MemoryScratch(Mutex<BTreeMap<u64, Vec<u8>>>);

impl MemoryScratch {
    /// How many blocks there are.
    pub fn blocks(&self) -> usize {
        self.held().len()
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<u64, Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Scratch for MemoryScratch {
    fn append(&self, block: &[u8]) -> io::Result<u64> {
        let mut held = self.held();
        let position = held.last_key_value().map_or(0, |(last, block)| last + 1 + block.len() as u64);
        held.insert(position, block.to_vec());
        Ok(position)
    }

    fn read(&self, position: u64, block: &mut [u8]) -> io::Result<()> {
        match self.held().get(&position) {
            Some(kept) if kept.len() == block.len() => {
                block.copy_from_slice(kept);
                Ok(())
            }
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }
}

impl fmt::Debug for MemoryScratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryScratch").field("blocks", &self.blocks()).finish_non_exhaustive()
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
