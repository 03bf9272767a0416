//! The command line.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::bail;

const HELP: &str = "\
Measures what the platform promises, against services that it starts itself.

Usage: bench NAME… [--json]

Names:
    echo         create + invoke + get of a task over kept connections, 1 client and 64
    kms          durable key creations over mutually verified TLS, 64 clients
    handshake    attested handshakes beside plain rustls ones
    attestation  appraisals, attested connections beside plain rustls ones, requests on kept connections
    flood        kept connections before and while thousands of hostile ones come every second
    files        put and get of 1 MiB and 256 MiB beside AEAD, SHA-256 and the disk
    seal         1 GiB in chunks, sealed and opened, beside AEAD, SHA-256, rage and openssl
    transfer     1 GiB over the network beside a bare rustls stream, memory, 100,000 small files
    list         one page of a user's list, with a thousand and --tasks tasks in the store
    consent      a task with signed approval and receipt beside a plain one, 1 client and 64; verifying
    log          appending, checkpoint and proofs of a log of a thousand and --entries entries
    store        opening a store of --records records after SIGKILL
    footprint    the release binary's size and an idle server's memory
    wasm         users' functions beside echo; compiling once
    psi          psi of 2^20 and 2^24 records from sealed files to sealed answers, beside the floor
    join         the join of three files of 10,000,000 lines beside DuckDB and Polars, if they are there
    all          all of them

Options:
    --json           figures as one JSON document
    --tasks N        for `list` (default 1000000)
    --records N      for `store` (default 1000000)
    --entries N      for `log` (default 10000000)
    --help
";

/// One benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Echo,
    Kms,
    Handshake,
    Attestation,
    Flood,
    Files,
    Seal,
    Transfer,
    List,
    Consent,
    Log,
    Store,
    Footprint,
    Wasm,
    Psi,
    Join,
}

impl Name {
    const ALL: [Name; 16] = [
        Name::Echo,
        Name::Kms,
        Name::Handshake,
        Name::Attestation,
        Name::Flood,
        Name::Files,
        Name::Seal,
        Name::Transfer,
        Name::List,
        Name::Consent,
        Name::Log,
        Name::Store,
        Name::Footprint,
        Name::Wasm,
        Name::Psi,
        Name::Join,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Name::Echo => "echo",
            Name::Kms => "kms",
            Name::Handshake => "handshake",
            Name::Attestation => "attestation",
            Name::Flood => "flood",
            Name::Files => "files",
            Name::Seal => "seal",
            Name::Transfer => "transfer",
            Name::List => "list",
            Name::Consent => "consent",
            Name::Log => "log",
            Name::Store => "store",
            Name::Footprint => "footprint",
            Name::Wasm => "wasm",
            Name::Psi => "psi",
            Name::Join => "join",
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Name {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match Name::ALL.into_iter().find(|name| name.as_str() == text) {
            Some(name) => Ok(name),
            None => bail!("there is no benchmark `{text}`; --help lists them"),
        }
    }
}

/// What is to be measured, and how large.
pub(crate) struct Options {
    pub(crate) names: Vec<Name>,
    pub(crate) json: bool,
    pub(crate) tasks: u64,
    pub(crate) records: u64,
    pub(crate) entries: u64,
    /// Set in the process that `store` starts in order to kill it: where to make a store.
    pub(crate) fill: Option<PathBuf>,
    /// Set in the processes that `psi` starts: their case.
    pub(crate) psi: Option<String>,
}

impl Options {
    /// `None` when the arguments only asked for help, which is printed.
    pub(crate) fn from_arguments() -> anyhow::Result<Option<Self>> {
        use lexopt::Arg::{Long, Value};
        use lexopt::ValueExt as _;
        const MILLION: u64 = 1_000_000;
        let mut options = Options {
            names: Vec::new(),
            json: false,
            tasks: MILLION,
            records: MILLION,
            entries: 10 * MILLION,
            fill: None,
            psi: None,
        };
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Value(name) if name == "all" => options.names.extend(Name::ALL),
                Value(name) => options.names.push(name.parse()?),
                Long("json") => options.json = true,
                Long("tasks") => options.tasks = parser.value()?.parse()?,
                Long("entries") => options.entries = parser.value()?.parse()?,
                Long("records") => options.records = parser.value()?.parse()?,
                Long("fill") => options.fill = Some(parser.value()?.into()),
                Long("psi") => options.psi = Some(parser.value()?.parse()?),
                Long("help") => options.names.clear(),
                other => return Err(other.unexpected().into()),
            }
        }
        if options.names.is_empty() && options.fill.is_none() && options.psi.is_none() {
            print!("{HELP}");
            return Ok(None);
        }
        Ok(Some(options))
    }
}
