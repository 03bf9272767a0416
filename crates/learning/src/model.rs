//! Models as files: JSON, `{"format": "teehouse/NAME/1", "model": {…}}`.
//!
//! A model may come from a stranger. Its file is bounded, its structure is fixed, its numbers are finite (JSON has no
//! others), and [`Model::check`] refuses what prediction could trip over.

use std::io::{BufWriter, Write};

use executor::{Failure, Invocation, Limit, Output};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What can be written and read.
pub(crate) trait Model: Serialize + DeserializeOwned {
    /// Names structure and version.
    const FORMAT: &'static str;

    /// What is wrong with a model that has the right structure.
    fn check(&self) -> Result<(), &'static str>;
}

#[derive(Serialize)]
struct Written<'a, M> {
    format: &'a str,
    model: &'a M,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read<'a> {
    #[serde(borrow)]
    format: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    model: &'a RawValue,
}

/// A number takes at least two bytes of text and eight in memory, and lists may have room for twice as much.
const MEMORY_PER_BYTE: u64 = 8;

/// Reads the model in the first file.
pub(crate) fn read<M: Model>(invocation: &mut Invocation<'_>) -> Result<M, Failure> {
    let limit = invocation.memory_limit();
    if invocation.input_size(0) > limit / MEMORY_PER_BYTE {
        return Err(Limit::Memory(limit).into());
    }
    let mut stream = invocation.input(0)?;
    parse(stream.rest()?)
}

fn parse<M: Model>(file: &[u8]) -> Result<M, Failure> {
    let refuse = |problem: &str| Failure::function(format!("input 1: not a model of {}: {problem}", M::FORMAT));
    let Read { format, model } = serde_json::from_slice(file).map_err(|_| refuse("not a model at all"))?;
    if format != M::FORMAT {
        return Err(refuse("its format is another"));
    }
    let model: M = serde_json::from_str(model.get())
        .map_err(|error| refuse(&format!("line {}, column {} of its content", error.line(), error.column())))?;
    model.check().map_err(refuse)?;
    Ok(model)
}

/// Writes a model for the task's creator.
pub(crate) fn write<M: Model>(invocation: &mut Invocation<'_>, model: &M) -> Result<(), Failure> {
    if model.check().is_err() {
        return Err(Failure::function("the training did not end in a model with finite numbers"));
    }
    let mut output = BufWriter::new(invocation.output(Output::Creator)?);
    serde_json::to_writer(&mut output, &Written { format: M::FORMAT, model })
        .map_err(|error| Failure::from(std::io::Error::from(error)))?;
    output.flush()?;
    output.into_inner().map_err(std::io::IntoInnerError::into_error)?.finish()
}

/// Whether all numbers are finite.
pub(crate) fn finite<'a>(numbers: impl IntoIterator<Item = &'a f64>) -> Result<(), &'static str> {
    if numbers.into_iter().all(|number| number.is_finite()) { Ok(()) } else { Err("a number is not finite") }
}

/// Whether there are so many rows of so many finite numbers.
pub(crate) fn rows_of(rows: &[Vec<f64>], count: usize, width: usize) -> Result<(), &'static str> {
    if rows.len() != count || rows.iter().any(|row| row.len() != width) {
        return Err("its parts do not fit together");
    }
    finite(rows.iter().flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        weights: Vec<f64>,
    }

    impl Model for Sample {
        const FORMAT: &'static str = "teehouse/sample/1";

        fn check(&self) -> Result<(), &'static str> {
            if self.weights.is_empty() { Err("it has no weights") } else { finite(&self.weights) }
        }
    }

    #[test]
    fn models_are_read_or_refused_with_a_reason() {
        let refused = |problem: &str| Err(format!("input 1: not a model of teehouse/sample/1: {problem}"));
        for (file, expected) in [
            (r#"{"format":"teehouse/sample/1","model":{"weights":[1,2.5]}}"#, Ok(Sample { weights: vec![1.0, 2.5] })),
            ("", refused("not a model at all")),
            ("\u{1}PAR1", refused("not a model at all")),
            (r#"{"format":"teehouse/sample/1"}"#, refused("not a model at all")),
            (r#"{"format":"teehouse/sample/2","model":[]}"#, refused("its format is another")),
            (r#"{"format":"teehouse/sample/1","model":[]}"#, refused("line 1, column 2 of its content")),
            (r#"{"format":"teehouse/sample/1","model":{"weights":[]}}"#, refused("it has no weights")),
            (
                r#"{"format":"teehouse/sample/1","model":{"weights":[1e999]}}"#,
                refused("line 1, column 17 of its content"),
            ),
            (
                r#"{"format":"teehouse/sample/1","model":{"weights":[1],"x":1}}"#,
                refused("line 1, column 18 of its content"),
            ),
        ] {
            assert_eq!(parse::<Sample>(file.as_bytes()).map_err(|failure| failure.to_string()), expected, "{file}");
        }
    }
}
