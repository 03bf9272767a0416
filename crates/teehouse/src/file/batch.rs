//! Several files at once: the one that fails stops no other.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;

use client::{StoredFile, Teehouse};
use futures_util::StreamExt as _;
use futures_util::stream;
use indicatif::HumanBytes;
use serde::Serialize;

use super::input::Input;
use super::put::{Answer, How};
use crate::exit::{self, Complaint, Exit, Failure};
use crate::output::{Bars, Output};

/// Paths that a command line to paste has at most.
const MAX_PASTED: usize = 20;

/// How one of them ended.
type Ended = Result<StoredFile, Failure>;

/// Puts files, so many at once, and prints their ids in the order given.
pub(super) async fn put(
    user: &Teehouse,
    inputs: &[Input],
    how: &How,
    parallel: usize,
    output: &Output,
) -> anyhow::Result<()> {
    let bars = output.bars();
    let mut ended = Ending::new(inputs.len());
    {
        let put = async |at: usize, input: &Input| {
            let bar = bars.bytes(input.name.as_str());
            let put = how.put(user, input, bar).await;
            (at, put.map(|(stored, _)| stored).map_err(|error| exit::describe(&error)))
        };
        let puts = stream::iter(inputs.iter().enumerate()).map(|(at, input)| put(at, input));
        let mut puts = std::pin::pin!(puts.buffer_unordered(parallel));
        while let Some((at, one)) = puts.next().await {
            ended.take(at, one, *output, &bars)?;
        }
    }
    let ended = ended.all();
    if output.is_json() {
        let answers: Vec<_> = inputs.iter().zip(&ended).map(|(input, one)| Line::new(input, one)).collect();
        output.result(&answers, |_| Ok(()))?;
    }
    sum_up(inputs, &ended, output)
}

/// What has ended, and how much of that is printed.
struct Ending {
    ended: Vec<Option<Ended>>,
    printed: usize,
}

impl Ending {
    fn new(count: usize) -> Self {
        Ending { ended: std::iter::repeat_with(|| None).take(count).collect(), printed: 0 }
    }

    /// Prints the ids that are known and whose turn it is.
    fn take(&mut self, at: usize, one: Ended, output: Output, bars: &Bars) -> io::Result<()> {
        self.ended[at] = Some(one);
        while let Some(Some(next)) = self.ended.get(self.printed) {
            self.printed += 1;
            if let (Ok(stored), false) = (next, output.is_json()) {
                bars.aside(|| writeln!(io::stdout(), "{}", stored.file_id))?;
            }
        }
        Ok(())
    }

    fn all(self) -> Vec<Ended> {
        self.ended.into_iter().flatten().collect()
    }
}

/// One file in the answer for machines.
#[derive(Serialize)]
struct Line<'a> {
    path: std::borrow::Cow<'a, str>,
    #[serde(flatten)]
    ended: Outcome<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Outcome<'a> {
    Put(Answer<'a>),
    Failed(&'a Failure),
}

impl<'a> Line<'a> {
    fn new(input: &'a Input, ended: &'a Ended) -> Self {
        let ended = match ended {
            Ok(stored) => Outcome::Put(Answer::new(input, stored)),
            Err(failure) => Outcome::Failed(failure),
        };
        Line { path: input.path.to_string_lossy(), ended }
    }
}

/// Says how much was put; it is an error when that is not all.
fn sum_up(inputs: &[Input], ended: &[Ended], output: &Output) -> anyhow::Result<()> {
    let failed: Vec<_> =
        inputs.iter().zip(ended).filter_map(|(input, one)| Some((input, one.as_ref().err()?))).collect();
    let size = HumanBytes(ended.iter().flatten().map(|stored| stored.file_size).sum());
    let Some((_, first)) = failed.first() else {
        output.note(format_args!("{} files are put, {size} together", ended.len()));
        return Ok(());
    };
    let exit = if failed.iter().all(|(_, failure)| failure.exit == first.exit) { first.exit } else { Exit::Failed };
    let mut what = format!("{} of {} files are not put:", failed.len(), inputs.len());
    for (input, failure) in &failed {
        write_failure(&mut what, &input.path, failure);
    }
    Err(Complaint::new(what).ends(exit).help(again(&failed)).into())
}

fn write_failure(text: &mut String, path: &Path, Failure { error, help, .. }: &Failure) {
    let path = path.display().to_string();
    let reason = match error.starts_with(&path) {
        true => format!("\n  {error}"),
        false => format!("\n  {path}: {error}"),
    };
    text.push_str(&reason);
    if let Some(help) = help {
        // Writing to a text does not fail.
        let _ = write!(text, "\n    {help}");
    }
}

/// What to do when the causes are mended.
fn again(failed: &[(&Input, &Failure)]) -> String {
    let start = "the others are put; when that is mended, put these with the same options:";
    match failed.len() {
        ..=MAX_PASTED => {
            let paths: Vec<_> = failed.iter().map(|(input, _)| quoted(&input.path.to_string_lossy())).collect();
            format!("{start} {}", paths.join(" "))
        }
        _ => start.replace("these", "the ones above").trim_end_matches(':').to_owned(),
    }
}

/// A path as a shell takes it.
fn quoted(path: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    match !path.is_empty() && path.chars().all(is_plain) {
        true => path.to_owned(),
        false => format!("'{}'", path.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_can_be_pasted() {
        for (path, expected) in [("a/b-1.csv", "a/b-1.csv"), ("a b", "'a b'"), ("it's", r"'it'\''s'"), ("", "''")] {
            assert_eq!(quoted(path), expected);
        }
    }
}
