//! Where output goes: results to standard output, everything else to standard error.

use std::fmt;
use std::io::{self, IsTerminal as _, Write};
use std::path::Path;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

/// How results are printed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Output { json }
    }

    /// Whether results are for machines.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Prints a result: as JSON, or as `human` writes it.
    pub(crate) fn result(
        self,
        value: &impl Serialize,
        human: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut out = io::BufWriter::new(io::stdout().lock());
        if self.json {
            serde_json::to_writer_pretty(&mut out, value)?;
            writeln!(out)?;
        } else {
            human(&mut out)?;
        }
        out.flush()
    }

    /// Tells a person something beside the result; machines are not told.
    pub(crate) fn note(self, text: impl fmt::Display) {
        if !self.json {
            // Nobody listens on a closed standard error.
            let _ = writeln!(io::stderr(), "{text}");
        }
    }

    /// A bar that moves as bytes do, on a terminal.
    pub(crate) fn bytes_bar(self, what: &str) -> impl FnMut(u64, u64) + Send + use<> {
        moving(self.bar(BYTES, what))
    }

    /// Several such bars, below one another.
    pub(crate) fn bars(self) -> Bars {
        Bars(MultiProgress::with_draw_target(self.target()))
    }

    /// A sign of life while something takes its time, on a terminal. It ends when it is dropped.
    pub(crate) fn spinner(self, what: &str) -> Spinner {
        let bar = self.bar("{spinner} {msg} {elapsed}", what);
        bar.enable_steady_tick(Duration::from_millis(100));
        Spinner(bar)
    }

    fn bar(self, template: &str, what: &str) -> ProgressBar {
        ProgressBar::with_draw_target(None, self.target()).with_style(style(template)).with_message(what.to_owned())
    }

    fn target(self) -> ProgressDrawTarget {
        match !self.json && io::stderr().is_terminal() {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        }
    }
}

/// How bytes of a known number are shown.
const BYTES: &str = "{msg} {wide_bar} {percent:>3} %";

/// How bytes are shown while their number is not known.
const ENDLESS: &str = "{msg} {spinner} {bytes}";

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates here are well-formed")
}

fn moving(bar: ProgressBar) -> impl FnMut(u64, u64) + Send + use<> {
    move |done, total| {
        if total == 0 && bar.position() == 0 {
            bar.set_style(style(ENDLESS));
        }
        bar.set_length(total);
        bar.set_position(done);
        if done >= total && total > 0 {
            bar.finish_and_clear();
        }
    }
}

/// The file that is meant; `-` is standard output, as everywhere.
pub(crate) fn named(path: Option<&Path>) -> Option<&Path> {
    path.filter(|path| *path != Path::new("-"))
}

/// See [`Output::bars`]. A bar ends when it is dropped.
pub(crate) struct Bars(MultiProgress);

impl Bars {
    /// Adds a bar that moves as bytes do.
    pub(crate) fn bytes(&self, what: &str) -> impl FnMut(u64, u64) + Send + use<> {
        let bar = ProgressBar::new(0).with_style(style(BYTES)).with_message(what.to_owned());
        moving(self.0.add(bar))
    }

    /// Prints beside the bars.
    pub(crate) fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.0.suspend(print)
    }
}

/// See [`Output::spinner`].
pub(crate) struct Spinner(ProgressBar);

impl Drop for Spinner {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// A line of a person's file in JSON: text as a string, other bytes as `{"hex": "…"}`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a>(pub(crate) &'a [u8]);

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("hex", &crypto::hash::hex(self.0))?;
                map.end()
            }
        }
    }
}

/// Writes lines of a person's file as they are.
pub(crate) fn write_lines(out: &mut dyn Write, lines: &[&[u8]]) -> io::Result<()> {
    for line in lines {
        out.write_all(line)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_text_where_they_can_be() {
        let check = |line: &[u8], json: &str| assert_eq!(serde_json::to_string(&Line(line)).unwrap(), json);
        check(b"", r#""""#);
        check("grün".as_bytes(), r#""grün""#);
        check(b"a\0\r", r#""a\u0000\r""#);
        check(b"\xff\n", r#"{"hex":"ff0a"}"#);
    }

    #[test]
    fn lines_are_written_byte_for_byte() {
        let mut out = Vec::new();
        write_lines(&mut out, &[b"a", b"", b"\xff\r"]).unwrap();
        assert_eq!(out, b"a\n\n\xff\r\n");
    }
}
