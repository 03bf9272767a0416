//! `teehouse function test`: code run on this machine's files, by the engine that a function node runs it by.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use executor::wasm::{Engine, Program, Sandbox};
use executor::{Failure, Files, Interface, Outcome, Sink, StopSignal};
use serde::Serialize;
use types::digest::Digest;
use types::function::{Declaration, FunctionRef, Language, PayloadUse};
use types::secret::Secret;

use super::code::{Limits, Runtime, Shape, Source};
use super::engine::engine;
use crate::exit::Complaint;
use crate::output::Output;

const EXAMPLES: &str = "\
Examples:
  teehouse function test count.wasm --input letter.txt
  teehouse function test join.py --input left.csv --input right.csv -o results/
  teehouse function test greet.wasm --payload world --cpu 100 --memory 1048576

Its result is printed; outputs are written to the folder of -o, or only counted.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The code: WebAssembly, or a Python script (.py)
    file: PathBuf,
    /// A file that it reads; may be said more than once, and the order matters
    #[arg(long, value_name = "PATH")]
    input: Vec<PathBuf>,
    /// What it is given beside its files: a text, or @FILE that holds it
    #[arg(long, value_name = "TEXT|@FILE", value_parser = crate::settings::secret)]
    payload: Option<Secret>,
    /// A folder for its outputs
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    #[command(flatten)]
    runtime: Runtime,
    #[command(flatten)]
    shape: Shape,
    #[command(flatten)]
    limits: Limits,
}

/// What `test` answers.
#[derive(Serialize)]
struct Tested {
    result: String,
    outputs: BTreeMap<String, u64>,
    milliseconds: f64,
    cpu_milliseconds: Option<f64>,
    memory_bytes: Option<u64>,
    fuel: Option<u64>,
}

pub(super) async fn run(args: Args, output: &Output) -> anyhow::Result<()> {
    let payload = args.payload.clone().map(crate::task::read_payload).transpose()?;
    let prepared = tokio::task::spawn_blocking(move || prepare(args, payload));
    let tested = prepared.await.context("the run")??;
    for (name, bytes) in &tested.outputs {
        output.note(format_args!("output {name}: {bytes} bytes"));
    }
    output.note(tested.cost());
    output.result(&tested, |out| {
        out.write_all(tested.result.as_bytes())?;
        if tested.result.ends_with('\n') || tested.result.is_empty() { Ok(()) } else { writeln!(out) }
    })?;
    Ok(())
}

/// Loads and runs it, on a thread that may block.
fn prepare(args: Args, payload: Option<Secret>) -> anyhow::Result<Tested> {
    let source = Source::read(&args.file, None)?;
    let engine = engine(true)?;
    let imports = source.imports(&engine)?;
    let inputs = args.input.iter().map(|path| Input::open(path)).collect::<anyhow::Result<Vec<_>>>()?;
    let declaration = args.shape.declaration((source.language, imports), PayloadUse::Optional, args.limits);
    let limits = executor::Limits::default().lowered(&declaration.limits);
    let program = load(&engine, &source, &args.runtime, &declaration)?;
    let mut files = DiskFiles { inputs, folder: args.output, written: Arc::default() };
    let payload = payload.as_ref().map(Secret::expose);
    let ran = executor::run(&program, payload, &mut files, &limits, &StopSignal::new());
    let outputs = files.written.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(Tested::new(ran.map_err(failed)?, outputs))
}

fn failed(failure: Failure) -> anyhow::Error {
    match failure {
        Failure::Stream(source) => anyhow::Error::new(source).context("a file could not be read or written"),
        other => Complaint::new(other.to_string()).into(),
    }
}

fn load(engine: &Engine, source: &Source, runtime: &Runtime, declaration: &Declaration) -> anyhow::Result<Program> {
    let digest = Digest::new(crypto::hash::Sha256::digest(&source.bytes));
    let interface = Interface::declared(&FunctionRef { name: "test".to_owned(), version: 1, digest }, declaration);
    let sandbox = Sandbox::declared(declaration);
    let program = match source.language {
        Language::Wasm => engine.load(&source.bytes, digest, interface, sandbox),
        Language::Python => match runtime.load(engine)? {
            Some(python) => {
                python.check(&source.bytes).and_then(|()| python.program(&source.bytes, interface, sandbox))
            }
            None => {
                let complaint = Complaint::usage("no interpreter for Python is named");
                return Err(complaint
                    .help("make one with runtimes/python/build.sh, and say --python-runtime FILE")
                    .into());
            }
        },
    };
    Ok(program.map_err(|refused| Complaint::new(refused.to_string()))?)
}

impl Tested {
    fn new(ran: Outcome, outputs: BTreeMap<String, u64>) -> Self {
        const PER_SECOND: f64 = 1000.0;
        Tested {
            outputs,
            milliseconds: ran.wall.as_secs_f64() * PER_SECOND,
            cpu_milliseconds: ran.usage.map(|usage| usage.cpu.as_secs_f64() * PER_SECOND),
            memory_bytes: ran.usage.map(|usage| usage.memory),
            fuel: ran.usage.and_then(|usage| usage.fuel),
            result: ran.result,
        }
    }

    fn cost(&self) -> String {
        let fuel = self.fuel.map(|fuel| format!(", fuel {fuel}")).unwrap_or_default();
        let memory = self.memory_bytes.map(|bytes| format!(", {} of memory", indicatif::HumanBytes(bytes)));
        let cpu = self.cpu_milliseconds.map(|cpu| format!(" ({cpu:.1} ms computing)")).unwrap_or_default();
        format!("{:.1} ms{cpu}{}{fuel}", self.milliseconds, memory.unwrap_or_default())
    }
}

/// A file of this machine as an input.
struct Input {
    path: PathBuf,
    size: u64,
}

impl Input {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let facts = fs::metadata(path).with_context(|| format!("{} can't be read", path.display()))?;
        Ok(Input { path: path.to_owned(), size: facts.len() })
    }
}

/// The files of a test run.
struct DiskFiles {
    inputs: Vec<Input>,
    folder: Option<PathBuf>,
    written: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl Files for DiskFiles {
    fn count(&self) -> usize {
        self.inputs.len()
    }

    fn size(&self, input: usize) -> u64 {
        self.inputs[input].size
    }

    fn open(&mut self, input: usize) -> io::Result<Box<dyn BufRead + Send>> {
        Ok(Box::new(BufReader::with_capacity(64 << 10, File::open(&self.inputs[input].path)?)))
    }

    fn create(&mut self, output: executor::Output) -> io::Result<Box<dyn Sink>> {
        let name = match output {
            executor::Output::Creator => "creator".to_owned(),
            executor::Output::Shared => "shared".to_owned(),
            executor::Output::Owner(input) => format!("owner-{input}"),
        };
        let file = match &self.folder {
            None => None,
            Some(folder) => {
                fs::create_dir_all(folder)?;
                Some(File::create(folder.join(&name))?)
            }
        };
        Ok(Box::new(DiskSink { name, file, bytes: 0, written: self.written.clone() }))
    }
}

struct DiskSink {
    name: String,
    file: Option<File>,
    bytes: u64,
    written: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl Write for DiskSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match &mut self.file {
            Some(file) => file.write(bytes)?,
            None => bytes.len(),
        };
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Sink for DiskSink {
    fn finish(self: Box<Self>) -> io::Result<()> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).insert(self.name, self.bytes);
        Ok(())
    }
}
