//! `teehouse function register`: code is put as a file and named.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use client::{Contents, NewFunction, Put, Teehouse};
use serde::Serialize;
use types::file::{FileName, Format};
use types::function::{FunctionRef, Language, PayloadUse};
use types::id::FileId;
use types::user::UserId;

use super::code::{Limits, Runtime, Shape, Source, payload};
use super::engine::engine;
use crate::exit::Complaint;
use crate::output::Output;

const EXAMPLES: &str = "\
Examples:
  teehouse function register count_words --wasm count.wasm --inputs 1 --public
  teehouse function register join --python join.py --type multiparty --inputs 2 \\
      --from-every-party --payload no --outputs shared --allow bob --allow carol

A name belongs to whoever registers it first; registering it again makes its next version.
Tasks keep the version that they were created with.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Its name: 1 to 64 lower-case letters, digits and _
    name: String,
    #[command(flatten)]
    code: Code,
    #[command(flatten)]
    runtime: Runtime,
    /// Whether it takes a payload: `yes`, `no`, or `optional`
    #[arg(long, value_name = "WHETHER", default_value = "optional", value_parser = payload)]
    payload: PayloadUse,
    #[command(flatten)]
    shape: Shape,
    #[command(flatten)]
    limits: Limits,
    /// Everybody may use it
    #[arg(long)]
    public: bool,
    /// Somebody else who may use it; may be said more than once
    #[arg(long, value_name = "USER")]
    allow: Vec<UserId>,
    /// One line for people who choose a function
    #[arg(long, value_name = "TEXT", default_value = "")]
    summary: String,
    /// A JSON file with the JSON Schemas of `payload`, `inputs`, `outputs` and `result`
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Code {
    /// The code: a WASI preview 1 command, or a component with wasi:cli/run
    #[arg(long, value_name = "FILE")]
    wasm: Option<PathBuf>,
    /// The code: a Python script
    #[arg(long, value_name = "FILE")]
    python: Option<PathBuf>,
}

impl Code {
    fn read(&self) -> anyhow::Result<Source> {
        match (&self.wasm, &self.python) {
            (Some(path), _) => Source::read(path, Some(Language::Wasm)),
            (None, Some(path)) => Source::read(path, Some(Language::Python)),
            (None, None) => anyhow::bail!("--wasm or --python is needed"),
        }
    }
}

/// What `register` answers.
#[derive(Serialize)]
struct Registered {
    function: FunctionRef,
    file_id: FileId,
}

pub(super) async fn run(args: Args, user: &Teehouse, output: &Output) -> anyhow::Result<()> {
    let source = args.code.read()?;
    let engine = engine(false)?;
    let imports = source.imports(&engine)?;
    if let (Language::Python, Some(python)) = (source.language, args.runtime.load(&engine)?) {
        python.check(&source.bytes).map_err(|refused| Complaint::new(refused.to_string()))?;
    }
    let schema = match &args.schema {
        Some(path) => fs::read_to_string(path).with_context(|| format!("{} can't be read", path.display()))?,
        None => String::new(),
    };
    let declaration = args.shape.declaration((source.language, imports), args.payload, args.limits);
    let mut put = Put::named(file_name(&args.name, source.language)?);
    // In one message, as small files are: nodes read it whole.
    put.format = Some(Format::Single);
    let code = user.put_file(Contents::Bytes(source.bytes.into()), put, |_, _| {}).await?.file_id;
    let new = NewFunction {
        name: args.name,
        code: code.clone(),
        declaration,
        summary: args.summary,
        schema,
        public: args.public,
        allow: args.allow,
    };
    let function = match user.register_function(new).await {
        Ok(function) => function,
        Err(error) => {
            // Best effort: the first error is the one to tell.
            let _ = user.delete_file(&code).await;
            return Err(error.into());
        }
    };
    output.note(format_args!("use it: teehouse task create {}", function.name));
    let answer = Registered { function, file_id: code };
    output.result(&answer, |out| writeln!(out, "{}@{}", answer.function.name, answer.function.version))?;
    Ok(())
}

fn file_name(function: &str, language: Language) -> anyhow::Result<FileName> {
    let extension = match language {
        Language::Wasm => "wasm",
        Language::Python => "py",
    };
    Ok(format!("{function}.{extension}").parse()?)
}
