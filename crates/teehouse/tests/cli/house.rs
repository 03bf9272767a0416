//! Runs the binary: alone, or against a server on free ports that dies with its test.

use std::io::{BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The binary, with none of the caller's settings.
pub(crate) fn teehouse() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_teehouse"));
    for variable in ["SERVER", "TMS", "TDFS", "USER", "TOKEN", "TRUST", "DATA_DIR", "CLIENT_CONFIG"] {
        command.env_remove(format!("TEEHOUSE_{variable}"));
    }
    command.env("XDG_CONFIG_HOME", "/nowhere").env_remove("RUST_LOG");
    command
}

/// What a finished command left.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl Ended {
    /// Standard output as text, without the newline at its end.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.out).expect("text").trim_end_matches('\n')
    }

    /// Standard output as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Fails the test unless the command succeeded.
    pub(crate) fn good(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let err = String::from_utf8(output.stderr).expect("standard error is text");
        Ended { code: output.status.code(), out: output.stdout, err }
    }
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command, arguments: &[&str]) -> Ended {
    command.args(arguments).stdin(Stdio::null()).output().expect("the binary runs").into()
}

/// A `serve --dev` on free ports, in a folder of its own.
pub(crate) struct House {
    dir: TempDir,
    server: Child,
    // Held open, so that the server can write to it.
    _out: BufReader<ChildStdout>,
    /// What the server said when it was ready.
    pub(crate) ready: serde_json::Value,
}

impl House {
    pub(crate) fn open() -> Self {
        Self::open_with(&[])
    }

    pub(crate) fn open_with(arguments: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let (server, _out, ready) = serve(&dir.path().join("data"), arguments);
        House { dir, server, _out, ready }
    }

    /// Serves the same data directory, after the server that did has ended.
    pub(crate) fn serve_again(&mut self) {
        let (server, out, ready) = serve(&self.data_dir(), &[]);
        (self.server, self._out, self.ready) = (server, out, ready);
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// A file of the test's own, beside the data directory.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.path(name);
        std::fs::File::create(&path).and_then(|mut file| file.write_all(bytes)).expect("a file");
        path.to_str().expect("text").to_owned()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The server's process.
    pub(crate) fn server(&mut self) -> &mut Child {
        &mut self.server
    }

    /// How the server ended, once it has.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        // Far beyond what draining idle connections takes.
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            match self.server.try_wait().expect("a child") {
                Some(status) => return status,
                None if Instant::now() > end => panic!("the server does not end"),
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    /// Runs a verb that needs no user.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        run(teehouse().env("TEEHOUSE_DATA_DIR", self.data_dir()), arguments)
    }

    /// Makes a user.
    pub(crate) fn user(&self, name: &'static str) -> User<'_> {
        let token = self.run(&["user", "add", name]).good().text().to_owned();
        assert!(token.len() >= 43, "256 random bits need at least 43 characters, not {}", token.len());
        User { house: self, name, token }
    }

    /// A user who was made before.
    pub(crate) fn user_with(&self, name: &'static str, token: String) -> User<'_> {
        User { house: self, name, token }
    }
}

/// Starts a server; returns when it is ready.
fn serve(data_dir: &Path, arguments: &[&str]) -> (Child, BufReader<ChildStdout>, serde_json::Value) {
    let mut command = teehouse();
    command.args(["serve", "--dev", "--json", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data_dir);
    command.args(arguments).env("RUST_LOG", "error").stdin(Stdio::null()).stdout(Stdio::piped());
    let mut server = command.spawn().expect("the server starts");
    let mut out = BufReader::new(server.stdout.take().expect("is piped"));
    let ready = read_document(&mut out);
    (server, out, ready)
}

/// The server prints its document, laid out over lines, and then no more.
fn read_document(out: &mut impl std::io::BufRead) -> serde_json::Value {
    let mut text = String::new();
    while out.read_line(&mut text).expect("the server's output") > 0 {
        if let Ok(document) = serde_json::from_str(&text) {
            return document;
        }
    }
    panic!("the server ended before it was ready: {text}");
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Somebody with a token.
pub(crate) struct User<'h> {
    house: &'h House,
    name: &'static str,
    pub(crate) token: String,
}

impl User<'_> {
    /// Runs a verb as this user.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        run(&mut self.command(), arguments)
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = teehouse();
        command.env("TEEHOUSE_DATA_DIR", self.house.data_dir()).env("XDG_STATE_HOME", self.house.path("state"));
        command.env("TEEHOUSE_USER", self.name).env("TEEHOUSE_TOKEN", &self.token);
        command
    }

    /// Runs a verb that succeeds and returns what it prints.
    pub(crate) fn get(&self, arguments: &[&str]) -> String {
        self.run(arguments).good().text().to_owned()
    }
}

/// Whether a folder holds nothing.
pub(crate) fn is_empty(dir: &Path) -> bool {
    std::fs::read_dir(dir).expect("a folder").next().is_none()
}
