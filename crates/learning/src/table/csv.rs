//! Rows of CSV (RFC 4180), comma-separated. Blank lines are no rows; in messages they count as part of the next.

use std::io;

use csv::{Position, ReaderBuilder, StringRecord, Trim};
use executor::{BoundedStream, Failure, Invocation};

use super::{Builder, Cell, Place};

/// A row without an end must not fill memory; a hundred thousand columns of ten digits.
const ROW_BYTES: usize = 1 << 20;

/// Reads one file into a table.
pub(super) fn read(invocation: &mut Invocation<'_>, input: usize, builder: &mut Builder<'_>) -> Result<(), Failure> {
    let (stream, room) = BoundedStream::new(invocation.input(input)?, ROW_BYTES);
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).trim(Trim::All).from_reader(stream);
    let mut record = StringRecord::new();
    let mut first = true;
    loop {
        room.refill();
        let line = reader.position().line();
        let more = reader.read_record(&mut record).map_err(|error| explain(input, line, error))?;
        if !more {
            return Ok(());
        }
        let place = Place { input, unit: "line", row: record.position().map_or(line, Position::line) };
        if std::mem::take(&mut first) && is_header(&record, builder.wanted.header) {
            builder.names(place, record.iter().map(str::to_owned).collect())?;
        } else {
            builder.row(place, Cells(record.iter()))?;
        }
    }
}

/// A record's fields; how many there are is known.
struct Cells<'r>(csv::StringRecordIter<'r>);

impl<'r> Iterator for Cells<'r> {
    type Item = Cell<'r>;

    fn next(&mut self) -> Option<Cell<'r>> {
        self.0.next().map(Cell::Text)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Cells<'_> {}

fn is_header(record: &StringRecord, said: Option<bool>) -> bool {
    said.unwrap_or_else(|| record.iter().all(|field| field.parse::<f64>().is_err()))
}

fn explain(input: usize, line: u64, error: csv::Error) -> Failure {
    let place = Place { input, unit: "line", row: line };
    match error.into_kind() {
        csv::ErrorKind::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            place.failure(&format!("a row is longer than {ROW_BYTES} bytes"))
        }
        csv::ErrorKind::Io(error) => error.into(),
        csv::ErrorKind::Utf8 { .. } => place.failure("not UTF-8"),
        _ => place.failure("not CSV"),
    }
}
