//! Rows of Parquet, uncompressed or in Snappy.

use bytes::Bytes;
use executor::{Failure, Invocation, Limit};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;

use super::{Builder, Cell, Place, pages};
use crate::foreign;

/// The share of the run's memory that a file may have, and what its pages may unpack to, each.
const SHARE_OF_MEMORY: u64 = 8;

/// Reads one file into a table.
pub(super) fn read(invocation: &mut Invocation<'_>, input: usize, builder: &mut Builder<'_>) -> Result<(), Failure> {
    let limit = invocation.memory_limit();
    let share = limit / SHARE_OF_MEMORY;
    if invocation.input_size(input) > share {
        return Err(Limit::Memory(limit).into());
    }
    let file = Bytes::copy_from_slice(invocation.input(input)?.rest()?);
    foreign::guard(&damaged(input), || {
        let reader = open(&file, input, usize::try_from(share).unwrap_or(usize::MAX))?;
        let columns = reader.metadata().file_metadata().schema_descr().columns();
        let names = columns.iter().map(|column| column.name().to_owned()).collect();
        builder.names(Place { input, unit: "row", row: 0 }, names)?;
        read_rows(invocation, input, builder, &reader)
    })
}

fn open(file: &Bytes, input: usize, share: usize) -> Result<SerializedFileReader<Bytes>, Failure> {
    let refuse = || Failure::function(damaged(input));
    pages::check_footer(file, share).ok_or_else(refuse)?;
    let reader = SerializedFileReader::new(file.clone()).map_err(|_| refuse())?;
    let schema = reader.metadata().file_metadata().schema_descr();
    if schema.root_schema().get_fields().len() != schema.num_columns() {
        return Err(Failure::function(format!("input {}: a column is not of numbers or text", input + 1)));
    }
    for group in reader.metadata().row_groups() {
        for column in group.columns() {
            let (start, length) = column.byte_range();
            pages::check_column(file, start, length, share).ok_or_else(refuse)?;
        }
    }
    Ok(reader)
}

fn read_rows(
    invocation: &Invocation<'_>,
    input: usize,
    builder: &mut Builder<'_>,
    reader: &SerializedFileReader<Bytes>,
) -> Result<(), Failure> {
    let refuse = |_| Failure::function(damaged(input));
    for (row, number) in reader.get_row_iter(None).map_err(refuse)?.zip(1..) {
        if number % 1024 == 0 {
            invocation.checkpoint()?;
        }
        let row = row.map_err(refuse)?;
        let cells: Vec<Cell<'_>> = row.get_column_iter().map(|(_, field)| cell(field)).collect();
        builder.row(Place { input, unit: "row", row: number }, cells.into_iter())?;
    }
    Ok(())
}

fn damaged(input: usize) -> String {
    format!(
        "input {}: a damaged Parquet file, or one whose pages are too large or compressed otherwise than with Snappy",
        input + 1
    )
}

fn cell(field: &Field) -> Cell<'_> {
    match field {
        Field::Null => Cell::Missing,
        Field::Bool(value) => Cell::Number(f64::from(u8::from(*value))),
        Field::Byte(value) => Cell::Number(f64::from(*value)),
        Field::Short(value) => Cell::Number(f64::from(*value)),
        Field::Int(value) => Cell::Number(f64::from(*value)),
        // What is past 2⁵³ is rounded, as text would be.
        Field::Long(value) => Cell::Number(*value as f64),
        Field::UByte(value) => Cell::Number(f64::from(*value)),
        Field::UShort(value) => Cell::Number(f64::from(*value)),
        Field::UInt(value) => Cell::Number(f64::from(*value)),
        Field::ULong(value) => Cell::Number(*value as f64),
        Field::Float(value) => Cell::Number(f64::from(*value)),
        Field::Double(value) => Cell::Number(*value),
        Field::Str(text) => Cell::Text(text),
        _ => Cell::Other,
    }
}
