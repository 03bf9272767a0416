//! Functions over files of every kind, good and bad, in memory and as streams.

mod inputs;
mod outputs;
mod scratch;
mod stores;

use std::borrow::Cow;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use crypto::FileKey;
use crypto::file::stream::{ChunkLen, Header, Salt, Writer};
use crypto::hash::Sha256;
use executor::{
    Failure, Function, Inputs, Interface, Invocation, Limits, OutputKind, PayloadRule, ResultRule, StopSignal,
};
use tempfile::TempDir;
use types::digest::Digest;
use types::file::Format;
use types::function::FunctionType;
use types::key::KeyConfig;
use types::secret::SecretBytes;

use super::*;

/// Bytes of a ledger's block in these tests' files.
const BLOCK: usize = 64 << 10;

type Ran = Result<String, Failure>;

/// A function that takes any inputs and does what the test says.
struct Sample<F>(Interface, F);

impl<F: Fn(&mut Invocation<'_>) -> Ran + Send + Sync> Function for Sample<F> {
    fn interface(&self) -> &Interface {
        &self.0
    }

    fn run(&self, invocation: &mut Invocation<'_>) -> Ran {
        self.1(invocation)
    }
}

fn sample<F: Fn(&mut Invocation<'_>) -> Ran + Send + Sync>(body: F) -> Sample<F> {
    let interface = Interface {
        name: "sample".into(),
        version: 1,
        summary: "does what a test says".into(),
        function_type: FunctionType::Single,
        inputs: Inputs::at_least(0),
        payload: PayloadRule::Optional,
        outputs: Cow::Borrowed(&[OutputKind::Creator, OutputKind::Shared, OutputKind::Owner]),
        result: ResultRule::Text,
        schema: Cow::Borrowed(""),
        counts: false,
    };
    Sample(interface, body)
}

/// What came of a run: the function's own end, once the files are settled.
type Settled = (Result<(Ran, Outputs), Unsettled>, TempDir);

/// Runs a function on inputs and settles.
fn run_on(
    inputs: Vec<Input>,
    spool: Arc<dyn Spool>,
    body: impl Fn(&mut Invocation<'_>) -> Ran + Send + Sync,
) -> Result<(Ran, Outputs), Unsettled> {
    let mut files = RunFiles::new(inputs, spool);
    let ran = executor::run(&sample(body), None, &mut files, &Limits::default(), &StopSignal::new());
    let outputs = files.settle(&|| Ok(()))?;
    Ok((ran.map(|outcome| outcome.result), outputs))
}

fn spool() -> (Arc<dyn Spool>, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (Arc::new(Folder::of(dir.path())), dir)
}

/// A key twice: as it travels, and in use.
fn keys() -> (KeyConfig, FileKey) {
    let key = FileKey::generate();
    let part = |bytes: &[u8]| SecretBytes::new(bytes.to_vec());
    (KeyConfig { key: part(key.key()), nonce: part(key.nonce()), ad: part(key.ad()) }, key)
}

/// Bytes in which no two blocks are alike.
fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at ^ (at >> 8).wrapping_mul(31) ^ (at >> 16).wrapping_mul(7)).to_le_bytes()[0]).collect()
}

fn sealed(plaintext: &[u8], key: &FileKey, log2: u8) -> Vec<u8> {
    let header = Header::new(ChunkLen::from_log2(log2).unwrap(), Salt::generate());
    let mut writer = Writer::new(Vec::new(), key, header).unwrap();
    writer.write_all(plaintext).unwrap();
    writer.finish().unwrap()
}

fn digest(plaintext: &[u8]) -> Digest {
    Digest::new(Sha256::digest(plaintext))
}

/// A chunked file on a disk.
struct Stored {
    path: PathBuf,
    config: KeyConfig,
    key: FileKey,
    declared: Declared,
    dir: TempDir,
}

impl Stored {
    fn new(plaintext: &[u8]) -> Self {
        Self::in_chunks_of(plaintext, 16)
    }

    fn in_chunks_of(plaintext: &[u8], log2: u8) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (config, key) = keys();
        let path = dir.path().join("file");
        fs::write(&path, sealed(plaintext, &key, log2)).unwrap();
        let declared = Declared { size: plaintext.len() as u64, sha256: digest(plaintext), format: Format::Chunked };
        Stored { path, config, key, declared, dir }
    }

    fn try_stream(&self) -> Result<Input, ReadError> {
        let source = Source::Disk(self.path.clone());
        Input::open(source, &self.config, self.declared, &mut Room::for_streams())
    }

    fn stream(&self) -> Input {
        let input = self.try_stream().unwrap();
        assert!(matches!(input, Input::Stream(_)));
        input
    }

    /// Puts another plaintext in its place, sealed with its key.
    fn swap(&self, plaintext: &[u8], log2: u8) {
        fs::write(&self.path, sealed(plaintext, &self.key, log2)).unwrap();
    }

    /// Changes the stored bytes.
    fn damage(&self, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = fs::read(&self.path).unwrap();
        change(&mut bytes);
        fs::write(&self.path, bytes).unwrap();
    }

    fn run(&self, body: impl Fn(&mut Invocation<'_>) -> Ran + Send + Sync) -> Settled {
        let (spool, dir) = spool();
        (run_on(vec![self.stream()], spool, body), dir)
    }
}
