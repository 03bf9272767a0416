//! Answers: CSV with a header, one line for each row of the question.

use std::fmt::Display;
use std::io::{self, BufWriter, Write};

use csv::Writer;
use executor::{Failure, Invocation, Output, OutputStream};
use serde::Serialize;

use crate::metrics::result;
use crate::parameters::parameters;
use crate::table::{Table, Wanted};

/// A CSV output.
pub(crate) struct Answer {
    writer: Writer<BufWriter<OutputStream>>,
}

impl Answer {
    /// Starts one with the names of its columns.
    pub(crate) fn create<N: AsRef<[u8]>>(
        invocation: &mut Invocation<'_>,
        output: Output,
        names: impl IntoIterator<Item = N>,
    ) -> Result<Self, Failure> {
        let mut writer = Writer::from_writer(BufWriter::new(invocation.output(output)?));
        writer.write_record(names).map_err(into_failure)?;
        Ok(Self { writer })
    }

    /// Writes one line.
    pub(crate) fn row<D: Display>(&mut self, fields: impl IntoIterator<Item = D>) -> Result<(), Failure> {
        for field in fields {
            self.writer.write_field(field.to_string()).map_err(into_failure)?;
        }
        self.writer.write_record(None::<&[u8]>).map_err(into_failure)
    }

    /// Everything has been written.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        let mut buffered = self.writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
        buffered.flush()?;
        buffered.into_inner().map_err(io::IntoInnerError::into_error)?.finish()
    }
}

fn into_failure(error: csv::Error) -> Failure {
    io::Error::from(error).into()
}

parameters!(
    /// The payload of functions that apply models.
    Parameters { header: Option<bool> = None, }
);

/// Whether the rows' file starts with names, from the payload of a function that applies a model.
pub(crate) fn header(invocation: &Invocation<'_>) -> Result<Option<bool>, Failure> {
    Ok(invocation.parameters::<Parameters>()?.header)
}

/// What the owner of the rows gets a file for: the second input.
const ROWS: usize = 1;

/// How many rows go by between two looks at the clock.
pub(crate) const ROWS_AT_ONCE: usize = 256;

/// Answers with one number for each row of the second file.
pub(crate) fn numbers(
    invocation: &mut Invocation<'_>,
    header: Option<bool>,
    features: usize,
    predict: impl Fn(&[f64]) -> f64,
) -> Result<String, Failure> {
    let table = rows(invocation, header, features)?;
    let mut answer = Answer::create(invocation, Output::Owner(ROWS), ["prediction"])?;
    for (number, row) in table.rows().enumerate() {
        look(invocation, number)?;
        answer.row([predict(row)])?;
    }
    answer.finish()?;
    Ok(result(&Answered { rows: table.len() }))
}

/// Answers with a class for each row of the second file, and with a score for each class.
pub(crate) fn classes(
    invocation: &mut Invocation<'_>,
    header: Option<bool>,
    features: usize,
    names: &[String],
    scores: impl Fn(&[f64]) -> Vec<f64>,
) -> Result<String, Failure> {
    let table = rows(invocation, header, features)?;
    let columns = std::iter::once("prediction".to_owned()).chain(names.iter().map(|name| format!("score_{name}")));
    let mut answer = Answer::create(invocation, Output::Owner(ROWS), columns)?;
    for (number, row) in table.rows().enumerate() {
        look(invocation, number)?;
        let scores = scores(row);
        let class = names.get(best(&scores)).cloned().unwrap_or_default();
        answer.row(std::iter::once(class).chain(scores.iter().map(f64::to_string)))?;
    }
    answer.finish()?;
    Ok(result(&Answered { rows: table.len() }))
}

/// Which score is the highest; the first of several.
pub(crate) fn best(scores: &[f64]) -> usize {
    let mut best = 0;
    for (at, score) in scores.iter().enumerate() {
        if *score > scores[best] {
            best = at;
        }
    }
    best
}

/// Stops where the run must stop, now and then.
pub(crate) fn look(invocation: &Invocation<'_>, row: usize) -> Result<(), Failure> {
    if row.is_multiple_of(ROWS_AT_ONCE) { invocation.checkpoint() } else { Ok(()) }
}

#[derive(Serialize)]
struct Answered {
    rows: usize,
}

fn rows(invocation: &mut Invocation<'_>, header: Option<bool>, features: usize) -> Result<Table, Failure> {
    let wanted = Wanted { header, features: Some(features), ..Wanted::default() };
    Table::read(invocation, ROWS..ROWS + 1, wanted)
}
