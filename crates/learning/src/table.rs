//! Tables: rows of numbers, and for training a label column, from CSV or Parquet files of one or several owners.
//!
//! A file is Parquet when its first bytes are `PAR1`, else CSV. Files that are trained on together are appended and have
//! the same columns. A CSV file's first row names the columns when the payload says so or, where it says nothing, when
//! no field of it is a number.

mod csv;
mod pages;
mod parquet;

use std::io::BufRead;
use std::ops::Range;

use executor::{Failure, Invocation, Limit};

use crate::classes::Classes;
use crate::parameters::Column;

/// What is read out of files.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted<'a> {
    /// Whether CSV files start with names; `None` to find out.
    pub(crate) header: Option<bool>,
    /// How many columns are features, where the payload or a model says so.
    pub(crate) features: Option<usize>,
    /// Which column is the label; the last, when there is one and nobody says which.
    pub(crate) label: Option<&'a Column>,
    /// What the label is.
    pub(crate) target: Target,
}

/// What a label column holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Target {
    /// There is none.
    #[default]
    None,
    /// Numbers.
    Number,
    /// The names of classes, which may be numbers.
    Class,
}

/// Rows of finite numbers.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// Numbers in a row; at least one.
    pub(crate) columns: usize,
    /// All rows, one after the other.
    pub(crate) values: Vec<f64>,
    /// For each row a number, where that is the target.
    pub(crate) targets: Vec<f64>,
    /// For each row the index of its class, where that is the target.
    pub(crate) classes: Vec<u32>,
    /// The classes in order.
    pub(crate) names: Vec<String>,
    /// How many rows each file has.
    pub(crate) rows_of_files: Vec<usize>,
}

impl Table {
    /// Reads the inputs in `files` (one after the other), and at least one row in all.
    ///
    /// # Errors
    /// A failure that names input, line and column, or the limit that they go past.
    pub(crate) fn read(
        invocation: &mut Invocation<'_>,
        files: Range<usize>,
        wanted: Wanted<'_>,
    ) -> Result<Self, Failure> {
        let mut builder = Builder::new(wanted, invocation.memory_limit());
        for input in files.clone() {
            let rows_before = builder.rows;
            if is_parquet(invocation, input)? {
                parquet::read(invocation, input, &mut builder)?;
            } else {
                csv::read(invocation, input, &mut builder)?;
            }
            builder.table.rows_of_files.push(builder.rows - rows_before);
        }
        if builder.rows == 0 {
            return Err(Failure::function(format!("input {}: there are no rows", files.start + 1)));
        }
        Ok(builder.finish())
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.values.len() / self.columns
    }

    /// Row by row.
    pub(crate) fn rows(&self) -> std::slice::ChunksExact<'_, f64> {
        self.values.chunks_exact(self.columns)
    }
}

fn is_parquet(invocation: &mut Invocation<'_>, input: usize) -> Result<bool, Failure> {
    Ok(invocation.input(input)?.fill_buf()?.starts_with(b"PAR1"))
}

/// One field of a file.
#[derive(Clone, Copy, Debug)]
enum Cell<'a> {
    Text(&'a str),
    Number(f64),
    Missing,
    /// Something that is neither text nor number.
    Other,
}

impl Cell<'_> {
    fn number(self) -> Result<f64, &'static str> {
        let number = match self {
            Cell::Text("") | Cell::Missing => return Err("the value is missing"),
            Cell::Text(text) => text.parse().map_err(|_| "not a number")?,
            Cell::Number(number) => number,
            Cell::Other => return Err("not a number"),
        };
        if number.is_finite() { Ok(number) } else { Err("the number is not finite") }
    }

    /// A label: text as it is, a number as the shortest text that means it.
    fn label(self) -> Result<String, &'static str> {
        match self.number() {
            Ok(number) => Ok(number.to_string()),
            Err(problem) => match self {
                Cell::Text(text) if !text.is_empty() => Ok(text.to_owned()),
                Cell::Other => Err("neither text nor a number"),
                _ => Err(problem),
            },
        }
    }
}

/// Where something is in a file.
#[derive(Clone, Copy, Debug)]
struct Place {
    input: usize,
    /// What a row of such a file is called.
    unit: &'static str,
    row: u64,
}

impl Place {
    fn failure(self, problem: &str) -> Failure {
        Failure::function(format!("input {}, {} {}: {problem}", self.input + 1, self.unit, self.row))
    }

    fn column(self, column: usize, problem: &str) -> Failure {
        let Self { input, unit, row } = self;
        Failure::function(format!("input {}, {unit} {row}, column {}: {problem}", input + 1, column + 1))
    }
}

/// The share of the run's memory that a table may take; libraries copy it a few times.
const SHARE_OF_MEMORY: u64 = 8;

struct Builder<'a> {
    wanted: Wanted<'a>,
    memory: u64,
    /// Numbers that there is room for.
    room: usize,
    /// Columns of every file, the label included; known with the first row.
    width: Option<usize>,
    label: Option<usize>,
    names: Option<Vec<String>>,
    classes: Classes,
    rows: usize,
    table: Table,
}

impl<'a> Builder<'a> {
    fn new(wanted: Wanted<'a>, memory: u64) -> Self {
        let room = usize::try_from(memory / SHARE_OF_MEMORY).unwrap_or(usize::MAX) / size_of::<f64>();
        Self {
            wanted,
            memory,
            room,
            width: None,
            label: None,
            names: None,
            classes: Classes::default(),
            rows: 0,
            table: Table::default(),
        }
    }

    /// The names of a file's columns; the same in every file that has names.
    fn names(&mut self, place: Place, names: Vec<String>) -> Result<(), Failure> {
        self.width(place, names.len())?;
        if self.names.as_ref().is_some_and(|before| *before != names) {
            return Err(place.failure("the columns have other names than in the file before"));
        }
        self.names = Some(names);
        self.find_label(place)
    }

    fn width(&mut self, place: Place, width: usize) -> Result<(), Failure> {
        if let Some(expected) = self.width {
            let problem = format!("{width} columns instead of {expected}");
            return if width == expected { Ok(()) } else { Err(place.failure(&problem)) };
        }
        let labels = usize::from(self.wanted.target != Target::None);
        let features = width.checked_sub(labels).filter(|features| *features > 0);
        let Some(features) = features else {
            return Err(place.failure("there are not enough columns"));
        };
        if let Some(expected) = self.wanted.features.filter(|expected| *expected != features) {
            return Err(place.failure(&format!("{width} columns instead of {}", expected.saturating_add(labels))));
        }
        self.width = Some(width);
        self.table.columns = features;
        Ok(())
    }

    fn find_label(&mut self, place: Place) -> Result<(), Failure> {
        let width = self.width.unwrap_or_default();
        if self.wanted.target == Target::None {
            return Ok(());
        }
        let found = match self.wanted.label {
            None => width.checked_sub(1),
            Some(Column::Number(number)) => Some(*number).filter(|number| *number < width),
            Some(Column::Name(name)) => self.names.iter().flatten().position(|other| other == name),
        };
        self.label = Some(found.ok_or_else(|| place.failure("there is no such column as the payload's label_column"))?);
        Ok(())
    }

    fn row<'c>(&mut self, place: Place, cells: impl ExactSizeIterator<Item = Cell<'c>>) -> Result<(), Failure> {
        self.width(place, cells.len())?;
        if self.rows == 0 {
            self.find_label(place)?;
        }
        if self.table.values.len() + cells.len() > self.room {
            return Err(Limit::Memory(self.memory).into());
        }
        for (column, cell) in cells.enumerate() {
            let taken = if self.label == Some(column) { self.take_label(cell) } else { self.take_feature(cell) };
            taken.map_err(|problem| place.column(column, &problem))?;
        }
        self.rows += 1;
        Ok(())
    }

    fn take_feature(&mut self, cell: Cell<'_>) -> Result<(), String> {
        self.table.values.push(cell.number()?);
        Ok(())
    }

    fn take_label(&mut self, cell: Cell<'_>) -> Result<(), String> {
        if self.wanted.target == Target::Number {
            self.table.targets.push(cell.number()?);
        } else {
            self.table.classes.push(self.classes.index(&cell.label()?)?);
        }
        Ok(())
    }

    fn finish(mut self) -> Table {
        self.table.names = self.classes.sort(&mut self.table.classes);
        self.table
    }
}

#[cfg(test)]
mod tests;
