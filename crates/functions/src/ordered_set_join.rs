//! `ordered_set_join`: joins two CSV files that are sorted by their key columns, in one pass and constant memory.
//!
//! A key is the text of one or several columns, compared byte by byte, and occurs once in a file. For every key of both
//! files the output for all participants has the first file's record and the second's without its key.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::io;

use csv::{ByteRecord, Reader, ReaderBuilder, Writer};
use executor::{
    BoundedStream, Failure, Function, Inputs, Interface, Invocation, Output, OutputKind, OutputStream, PayloadRule,
    ResultRule, Room,
};
use serde::Deserialize;
use types::function::FunctionType;

pub(crate) struct OrderedSetJoin;

static INTERFACE: Interface = Interface {
    name: Cow::Borrowed("ordered_set_join"),
    version: 1,
    summary: Cow::Borrowed("joins two CSV files that are sorted by their key columns"),
    function_type: FunctionType::Either,
    inputs: Inputs::exactly(2),
    payload: PayloadRule::Required,
    outputs: Cow::Borrowed(&[OutputKind::Shared]),
    result: ResultRule::Text,
    schema: Cow::Borrowed(include_str!("schema/ordered_set_join.json")),
    counts: true,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Parameters {
    left_column: Columns,
    right_column: Columns,
    #[serde(default = "yes")]
    ascending: bool,
    #[serde(default)]
    drop: bool,
    #[serde(default)]
    header: bool,
}

fn yes() -> bool {
    true
}

/// A column by its number from 0, or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Columns {
    One(usize),
    Several(Vec<usize>),
}

impl Columns {
    fn as_slice(&self) -> &[usize] {
        match self {
            Columns::One(column) => std::slice::from_ref(column),
            Columns::Several(columns) => columns,
        }
    }
}

impl Function for OrderedSetJoin {
    fn interface(&self) -> &Interface {
        &INTERFACE
    }

    fn run(&self, invocation: &mut Invocation<'_>) -> Result<String, Failure> {
        let parameters: Parameters = invocation.parameters()?;
        let [left_columns, right_columns] = [parameters.left_column.as_slice(), parameters.right_column.as_slice()];
        if left_columns.is_empty() || left_columns.len() != right_columns.len() {
            return Err(Failure::payload("right_column", "as many key columns as on the left, and at least one"));
        }
        let mut left = Side::open(invocation, 0, left_columns, parameters.ascending)?;
        let mut right = Side::open(invocation, 1, right_columns, parameters.ascending)?;
        let mut joined =
            Joined { writer: Writer::from_writer(invocation.output(Output::Shared)?), drop: parameters.drop };
        if parameters.header && left.advance()? && right.advance()? {
            joined.write(&left, &right)?;
            left.forget_order();
            right.forget_order();
        }
        let records = join(&mut left, &mut right, &mut joined)?;
        if invocation.has_minimum_group() {
            // How far a file is read depends on the other; what is wrong with it must not be said or not by that.
            [left, right].iter_mut().try_for_each(Side::read_on)?;
            invocation.check_group(records)?;
        }
        joined.finish()?;
        Ok(format!("{records} records"))
    }
}

fn join(left: &mut Side<'_>, right: &mut Side<'_>, joined: &mut Joined) -> Result<u64, Failure> {
    let mut records = 0;
    let mut more = [left.advance()?, right.advance()?];
    while let [true, true] = more {
        match left.compare(right) {
            Ordering::Less => more[0] = left.advance()?,
            Ordering::Greater => more[1] = right.advance()?,
            Ordering::Equal => {
                joined.write(left, right)?;
                records += 1;
                more = [left.advance()?, right.advance()?];
            }
        }
    }
    Ok(records)
}

/// The output.
struct Joined {
    writer: Writer<OutputStream>,
    drop: bool,
}

impl Joined {
    fn write(&mut self, left: &Side<'_>, right: &Side<'_>) -> Result<(), Failure> {
        let kept = left.record.iter().enumerate().filter(|(at, _)| !self.drop || !left.columns.contains(at));
        let added = right.record.iter().enumerate().filter(|(at, _)| !right.columns.contains(at));
        let record: ByteRecord = kept.chain(added).map(|(_, field)| field).collect();
        self.writer.write_byte_record(&record).map_err(|error| io::Error::from(error).into())
    }

    fn finish(self) -> Result<(), Failure> {
        self.writer.into_inner().map_err(csv::IntoInnerError::into_error)?.finish()
    }
}

/// One file, at the record that is compared next.
struct Side<'a> {
    input: usize,
    columns: &'a [usize],
    ascending: bool,
    reader: Reader<BoundedStream>,
    room: Room,
    record: ByteRecord,
    /// The record before, while the order counts.
    last: Option<ByteRecord>,
}

impl<'a> Side<'a> {
    fn open(
        invocation: &mut Invocation<'_>,
        input: usize,
        columns: &'a [usize],
        ascending: bool,
    ) -> Result<Self, Failure> {
        let (stream, room) = BoundedStream::new(invocation.input(input)?, RECORD_BYTES);
        let reader = ReaderBuilder::new().has_headers(false).from_reader(stream);
        Ok(Self { input, columns, ascending, reader, room, record: ByteRecord::new(), last: None })
    }

    /// Goes to the next record, if there is one: it has the key, and comes after the one before.
    fn advance(&mut self) -> Result<bool, Failure> {
        let before = std::mem::take(&mut self.record);
        self.last = (!before.is_empty()).then_some(before);
        self.room.refill();
        let mut record = ByteRecord::new();
        let more = self.reader.read_byte_record(&mut record).map_err(|error| self.explain(error))?;
        self.record = record;
        if !more {
            return Ok(false);
        }
        if self.columns.iter().any(|column| *column >= self.record.len()) {
            return Err(self.failure("there is no such key column"));
        }
        match self.last.as_ref().map(|last| self.order(last, &self.record)) {
            Some(Ordering::Equal) => Err(self.failure("the key is the same as in the record before")),
            Some(Ordering::Greater) => Err(self.failure("the keys are not in the order that the payload says")),
            Some(Ordering::Less) | None => Ok(true),
        }
    }

    /// Goes to the end.
    fn read_on(&mut self) -> Result<(), Failure> {
        while self.advance()? {}
        Ok(())
    }

    /// The record at hand is no part of the order.
    fn forget_order(&mut self) {
        self.record.clear();
    }

    fn key<'r>(&'r self, record: &'r ByteRecord) -> impl Iterator<Item = &'r [u8]> {
        self.columns.iter().map(|column| record.get(*column).unwrap_or_default())
    }

    fn directed(&self, ordering: Ordering) -> Ordering {
        if self.ascending { ordering } else { ordering.reverse() }
    }

    fn order(&self, before: &ByteRecord, after: &ByteRecord) -> Ordering {
        self.directed(self.key(before).cmp(self.key(after)))
    }

    fn compare(&self, other: &Side<'_>) -> Ordering {
        self.directed(self.key(&self.record).cmp(other.key(&other.record)))
    }

    fn failure(&self, problem: &str) -> Failure {
        let line = self.record.position().map_or(1, csv::Position::line);
        Failure::function(format!("input {}, line {line}: {problem}", self.input + 1))
    }

    /// Which line is ragged, or what the stream said.
    fn explain(&self, error: csv::Error) -> Failure {
        match error.into_kind() {
            csv::ErrorKind::UnequalLengths { pos, expected_len, len } => Failure::function(format!(
                "input {}, line {}: {len} columns instead of {expected_len}",
                self.input + 1,
                pos.map_or(1, |position| position.line())
            )),
            csv::ErrorKind::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                let line = self.reader.position().line();
                Failure::function(format!(
                    "input {}, line {line}: a record is longer than {RECORD_BYTES} bytes",
                    self.input + 1
                ))
            }
            csv::ErrorKind::Io(error) => error.into(),
            _ => Failure::function(format!("input {}: not CSV", self.input + 1)),
        }
    }
}

/// A record without an end must not fill memory; sixteen times the longest line of text files here.
const RECORD_BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{check, check_group};

    fn check_join(payload: &str, files: [&str; 2], result: &str, joined: &str) {
        let outputs = [(Output::Shared, joined.as_bytes())];
        check(&OrderedSetJoin, Some(payload), &files.map(str::as_bytes), Ok(result), &outputs);
    }

    fn fails(payload: &str, files: [&str; 2], message: &str) {
        check(&OrderedSetJoin, Some(payload), &files.map(str::as_bytes), Err(message), &[]);
    }

    const FIRST: &str = r#"{"left_column":0,"right_column":0}"#;

    #[test]
    fn records_with_the_same_key_are_joined() {
        check_join(FIRST, ["a,1\nb,2\nd,3", "b,x\nc,y\nd,z\n"], "2 records", "b,2,x\nd,3,z\n");
        let dropped = r#"{"left_column":0,"right_column":1,"drop":true}"#;
        check_join(dropped, ["a,1\nb,2", "x,a\ny,b"], "2 records", "1,x\n2,y\n");
        let down = r#"{"left_column":0,"right_column":0,"ascending":false}"#;
        check_join(down, ["d,3\nb,2", "d,z\nc,y\nb,x"], "2 records", "d,3,z\nb,2,x\n");
        check_join(FIRST, ["", "a,1"], "0 records", "");
    }

    #[test]
    fn keys_may_have_several_columns_and_files_a_header() {
        let payload = r#"{"left_column":[0,1],"right_column":[1,0],"header":true}"#;
        let files = ["last,first,age\nA,B,1\nA,C,2\nB,A,3", "first,last,town\nC,A,x\nA,B,\"y, z\""];
        check_join(payload, files, "2 records", "last,first,age,town\nA,C,2,x\nB,A,3,\"y, z\"\n");
        check_join(payload, ["zz,y,age\n", "a,b,town"], "0 records", "zz,y,age,town\n");
    }

    #[test]
    fn quoted_fields_may_hold_anything() {
        check_join(FIRST, ["\"a,\"\"\n\",1", "\"a,\"\"\n\",2"], "1 records", "\"a,\"\"\n\",1,2\n");
        let all = r#"{"left_column":0,"right_column":0,"drop":true}"#;
        check_join(all, ["a,1", "a,2"], "1 records", "1,2\n");
    }

    #[test]
    fn what_is_no_sorted_table_is_named() {
        let order = "the keys are not in the order that the payload says";
        fails(FIRST, ["b,1\na,2", "c"], &format!("input 1, line 2: {order}"));
        fails(FIRST, ["a\nb\nc", "a\nc\nb"], &format!("input 2, line 3: {order}"));
        fails(FIRST, ["a,1\na,2", "b"], "input 1, line 2: the key is the same as in the record before");
        fails(FIRST, ["a,1\nb,2,3", "c"], "input 1, line 2: 3 columns instead of 2");
        let second = r#"{"left_column":0,"right_column":1}"#;
        fails(second, ["a", "a"], "input 2, line 1: there is no such key column");
        let long = format!("a,\"{}", "x".repeat(RECORD_BYTES));
        fails(FIRST, ["a", &long], &format!("input 2, line 1: a record is longer than {RECORD_BYTES} bytes"));
    }

    #[test]
    fn joined_records_are_counted_without_their_header() {
        let header = r#"{"left_column":0,"right_column":0,"header":true}"#;
        for (payload, files, records) in [
            (FIRST, ["", ""], 0),
            (FIRST, ["a,1\nb,2\nd,3", "b,x\nc,y\nd,z\n"], 2),
            (header, ["key,1\nb,2\nd,3", "key,x\nd,z\n"], 1),
            (header, ["key,1\nb,2", "key,x\nd,z\n"], 0),
        ] {
            check_group(&OrderedSetJoin, Some(payload), &files.map(str::as_bytes), records);
        }
    }

    /// A bad line must not tell whether the other file's records go on beyond it.
    #[test]
    fn with_a_minimum_a_bad_line_is_named_wherever_the_other_file_ends() {
        let limits = executor::Limits { group: Some(5), ..executor::Limits::default() };
        for other in ["a", "m", "z", ""] {
            let mut files = executor::memory::MemoryFiles::new(["m\nn\na", other].map(str::as_bytes));
            let ran = executor::run(&OrderedSetJoin, Some(FIRST), &mut files, &limits, &executor::StopSignal::new());
            let said = ran.expect_err("a bad line").to_string();
            assert_eq!(said, "input 1, line 3: the keys are not in the order that the payload says", "{other:?}");
        }
    }

    #[test]
    fn key_columns_come_in_pairs() {
        let pairs = "payload: right_column: as many key columns as on the left, and at least one";
        fails(r#"{"left_column":[],"right_column":[]}"#, ["", ""], pairs);
        fails(r#"{"left_column":[0,1],"right_column":0}"#, ["", ""], pairs);
        let number = "payload: left_column: not as the schema says";
        fails(r#"{"left_column":"name","right_column":0}"#, ["", ""], number);
        fails(r#"{"left_column":-1,"right_column":0}"#, ["", ""], number);
    }
}
