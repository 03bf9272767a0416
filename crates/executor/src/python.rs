//! User functions in Python: a script, and the runtime that runs it in the same sandbox as all user code.
//!
//! The runtime is one component, built from `runtimes/python` of this repository: CPython as it is after it has started and
//! imported its library. It finds the script at `/code/main.py` and does the rest.
//!
//! ```text
//! Python::load(engine, runtime, digest) ─▶ Python       once: compiles the runtime, or takes it from the cache
//! Python::check(script)                 ─▶ () | Refused  at registration: does it compile? In the sandbox, like a run
//! Python::program(script, …)            ─▶ Program       cheap: all scripts share the runtime's machine code
//! ```

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use types::digest::Digest;
use types::function::FunctionType;

use crate::memory::MemoryFiles;
use crate::wasm::{Engine, Program, Refused, Sandbox};
use crate::{Failure, Inputs, Interface, Limits, PayloadRule, ResultRule, StopSignal, run};

/// The name of the script below `/code`.
const SCRIPT: &str = "main.py";
/// The name of the file whose presence tells the runtime not to run the script; `runner/script.py` knows it too.
const CHECK: &str = "check";

/// The largest script, in bytes. A script is compiled anew in every run, which takes about a second for this many.
pub const SCRIPT_BYTES: usize = 1 << 20;

/// The Python runtime, loaded; clones are the same one.
#[derive(Clone, Debug)]
pub struct Python {
    runtime: Program,
    digest: Digest,
}

impl Python {
    /// Loads the runtime, whose SHA-256 is `digest`, which the caller has verified. Takes a minute of processor time
    /// unless the engine has it in its cache.
    pub fn load(engine: &Engine, runtime: &[u8], digest: Digest) -> Result<Self, Refused> {
        let runtime = engine.load(runtime, digest, undeclared(), Sandbox::default())?;
        Ok(Self { runtime, digest })
    }

    /// The runtime that [`load`](Python::load) would make, if that needs no code: it is loaded or in the engine's cache.
    pub fn find(engine: &Engine, digest: Digest) -> Option<Self> {
        let runtime = engine.find(digest, undeclared(), Sandbox::default())?;
        Some(Self { runtime, digest })
    }

    /// The runtime's SHA-256. What a script computes is a function of both.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Makes a program of a script. Refuses what can't be one; whether it compiles, [`check`](Python::check) says.
    pub fn program(&self, script: &[u8], interface: Interface, sandbox: Sandbox) -> Result<Program, Refused> {
        look_at(script)?;
        self.runtime.clone().declared(interface, sandbox).with_files([(SCRIPT.to_owned(), script)])
    }

    /// Compiles a script without running it, in the sandbox, and refuses it with the compiler's words and line number if
    /// it does not compile. Blocks for some milliseconds, and never for more than 20 seconds.
    pub fn check(&self, script: &[u8]) -> Result<(), Refused> {
        look_at(script)?;
        let files = [(SCRIPT.to_owned(), Arc::from(script)), (CHECK.to_owned(), Arc::<[u8]>::default())];
        let program = self.runtime.clone().with_files(files)?;
        let mut none = MemoryFiles::new::<&[u8]>([]);
        match run(&program, None, &mut none, &check_limits(), &StopSignal::new()) {
            Ok(_) => Ok(()),
            Err(Failure::Function(words)) => Err(Refused::Script(of_compiler(&words))),
            Err(failure @ (Failure::Limit(_) | Failure::Stopped(_))) => Err(Refused::Script(failure.to_string())),
            Err(failure) => Err(Refused::Unloadable(failure.to_string())),
        }
    }
}

/// What compiling a script may take: ten times what the largest takes that people write.
fn check_limits() -> Limits {
    Limits { wall: Duration::from_secs(20), cpu: Duration::from_secs(10), memory: 512 << 20, ..Limits::default() }
}

/// The runtime declares nothing of its own.
fn undeclared() -> Interface {
    Interface {
        name: "python".into(),
        version: 1,
        summary: "".into(),
        function_type: FunctionType::Single,
        inputs: Inputs::at_least(0),
        payload: PayloadRule::Optional,
        outputs: Cow::Borrowed(&[]),
        result: ResultRule::Text,
        schema: "".into(),
        counts: false,
    }
}

/// Everything about a script that can be seen without Python.
fn look_at(script: &[u8]) -> Result<(), Refused> {
    if script.len() > SCRIPT_BYTES {
        return Err(Refused::TooLarge { bytes: script.len(), limit: SCRIPT_BYTES });
    }
    let refused = |what: String| Err(Refused::Script(what));
    match std::str::from_utf8(script) {
        Err(error) => refused(format!("it is not UTF-8 text (at byte {})", error.valid_up_to())),
        Ok(text) if text.trim().is_empty() => refused("it is empty".into()),
        Ok(text) => match text.find('\0') {
            Some(place) => refused(format!("it has a NUL character (at byte {place})")),
            None => Ok(()),
        },
    }
}

/// The compiler's words, without those of the engine before them.
fn of_compiler(words: &str) -> String {
    let lines = words.split_once('\n').map_or(words, |(_, lines)| lines);
    format!("it does not compile:\n{lines}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(script: &[u8], refused: Option<&str>) {
        let refusal = look_at(script).err().map(|refusal| refusal.to_string());
        assert_eq!(refusal.as_deref(), refused);
    }

    #[test]
    fn scripts_are_text() {
        check(b"print()", None);
        check("print('ü')".as_bytes(), None);
        check(b"", Some("the script is refused: it is empty"));
        check(b" \n\t", Some("the script is refused: it is empty"));
        check(b"ab\xff", Some("the script is refused: it is not UTF-8 text (at byte 2)"));
        check(b"a\0", Some("the script is refused: it has a NUL character (at byte 1)"));
        check(&[b' '; SCRIPT_BYTES + 1], Some("the code has 1048577 bytes, and the limit is 1048576"));
        let mut largest = vec![b' '; SCRIPT_BYTES];
        largest[0] = b'#';
        check(&largest, None);
    }

    #[test]
    fn the_engines_words_are_left_out() {
        let words = "the function exited with status 1:\n  File \"/code/main.py\", line 1\nSyntaxError: no";
        assert_eq!(of_compiler(words), "it does not compile:\n  File \"/code/main.py\", line 1\nSyntaxError: no");
        assert_eq!(of_compiler("the function trapped"), "it does not compile:\nthe function trapped");
    }
}
