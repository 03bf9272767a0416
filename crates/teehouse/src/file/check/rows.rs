//! Tables as CSV (RFC 4180): every row is read and checked, one in memory at a time.

use std::cell::Cell;
use std::io::{self, Read};

use csv::{ByteRecord, ErrorKind, ReaderBuilder};

use super::Mismatch;
use super::columns::{Column, Columns, Type};
use super::value::{KINDS, Kind, Shown, found};

/// How long a row may be, in bytes: a quote that is never closed would else take the rest of the file into memory.
const MAX_ROW_LEN: u64 = 16 << 20;

/// Bytes read at once.
const BUFFER_LEN: usize = 256 << 10;

/// Checks a table against its columns; how many rows it has.
pub(super) fn check(file: &str, from: impl Read, columns: &Columns) -> Result<u64, Mismatch> {
    let expected = columns.as_slice();
    let width = expected.len();
    let mut rows = 0;
    each(file, from, |line, row| {
        if line == Line::Header {
            return check_header(file, row, expected);
        }
        let line = line.number();
        if row.len() != width {
            return Err(Mismatch::Width { file: file.to_owned(), line, expected: width, found: row.len() });
        }
        rows += 1;
        match row.iter().zip(expected).position(|(value, column)| !fits(value, column.r#type)) {
            None => Ok(()),
            Some(at) => Err(Mismatch::Value {
                file: file.to_owned(),
                line,
                column: at + 1,
                name: expected[at].name.clone(),
                expected: expected[at].r#type,
                found: found(&row[at]),
            }),
        }
    })?;
    Ok(rows)
}

fn fits(value: &[u8], expected: Type) -> bool {
    match value {
        [] => expected.nullable,
        value => std::str::from_utf8(value).is_ok_and(|value| expected.kind.holds(value)),
    }
}

fn check_header(file: &str, row: &ByteRecord, expected: &[Column]) -> Result<(), Mismatch> {
    let file = || file.to_owned();
    for (at, (name, column)) in row.iter().zip(expected).enumerate() {
        if name != column.name.as_bytes() {
            let found = Shown(&String::from_utf8_lossy(name)).to_string();
            let expected = column.name.clone();
            return Err(Mismatch::Name { file: file(), place: "line 1, ", column: at + 1, expected, found });
        }
    }
    match row.len() == expected.len() {
        true => Ok(()),
        false => Err(Mismatch::Count { file: file(), expected: expected.len(), found: row.len() }),
    }
}

/// The columns that a table has: each of the narrowest kind that holds all its values.
pub(super) fn columns(file: &str, from: impl Read) -> Result<Columns, Mismatch> {
    let mut guesses: Vec<Guess> = Vec::new();
    each(file, from, |line, row| {
        if line == Line::Header {
            guesses = row.iter().map(Guess::new).collect();
            return Ok(());
        }
        let (expected, line) = (guesses.len(), line.number());
        if row.len() != expected {
            return Err(Mismatch::Width { file: file.to_owned(), line, expected, found: row.len() });
        }
        guesses.iter_mut().zip(row).for_each(|(guess, value)| guess.see(value));
        Ok(())
    })?;
    let columns = Columns::new(guesses.into_iter().map(Guess::column).collect());
    columns.map_err(|source| Mismatch::Model { file: file.to_owned(), source })
}

/// What a column may be, after the values seen so far.
struct Guess {
    name: String,
    /// Kinds that hold every value, from narrow to wide.
    kinds: Vec<Kind>,
    nullable: bool,
    any: bool,
}

impl Guess {
    fn new(name: &[u8]) -> Self {
        let name = String::from_utf8_lossy(name).into_owned();
        Guess { name, kinds: KINDS.to_vec(), nullable: false, any: false }
    }

    fn see(&mut self, value: &[u8]) {
        match std::str::from_utf8(value) {
            Ok("") => self.nullable = true,
            Ok(value) => {
                self.any = true;
                self.kinds.retain(|kind| kind.holds(value));
            }
            Err(_) => self.kinds.clear(),
        }
    }

    fn column(self) -> Column {
        let narrowest = self.kinds.first().copied().filter(|_| self.any);
        Column { name: self.name, r#type: Type { kind: narrowest.unwrap_or(Kind::Text), nullable: self.nullable } }
    }
}

/// Which row it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Header,
    Row(u64),
}

impl Line {
    /// The line that it begins on.
    fn number(self) -> u64 {
        match self {
            Line::Header => 1,
            Line::Row(line) => line,
        }
    }
}

fn each(
    file: &str,
    from: impl Read,
    mut see: impl FnMut(Line, &ByteRecord) -> Result<(), Mismatch>,
) -> Result<(), Mismatch> {
    let from = Limited { from, left: Cell::new(MAX_ROW_LEN) };
    let mut reader = ReaderBuilder::new();
    let mut reader = reader.has_headers(false).flexible(true).buffer_capacity(BUFFER_LEN).from_reader(from);
    let (mut row, mut begun) = (ByteRecord::new(), false);
    loop {
        reader.get_ref().left.set(MAX_ROW_LEN);
        let line = reader.position().line();
        match reader.read_byte_record(&mut row) {
            Ok(true) => {
                let at = row.position().map_or(line, csv::Position::line);
                see(if begun { Line::Row(at) } else { Line::Header }, &row)?;
                begun = true;
            }
            Ok(false) if begun => return Ok(()),
            Ok(false) => return Err(Mismatch::NoHeader { file: file.to_owned() }),
            Err(error) => return Err(unreadable(file, line, error)),
        }
    }
}

fn unreadable(file: &str, line: u64, error: csv::Error) -> Mismatch {
    let file = file.to_owned();
    match error.into_kind() {
        ErrorKind::Io(source) if source.get_ref().is_some_and(|inner| inner.is::<TooLong>()) => {
            Mismatch::TooLong { file, line }
        }
        ErrorKind::Io(source) => Mismatch::Read { file, source },
        other => Mismatch::Read { file, source: io::Error::other(format!("{other:?}")) },
    }
}

/// A row is longer than any should be.
#[derive(Debug, thiserror::Error)]
#[error("a row of more than 16 MiB")]
struct TooLong;

/// A reader that gives so many bytes until somebody says that more may come.
struct Limited<R> {
    from: R,
    left: Cell<u64>,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.left.get() == 0 {
            return Err(io::Error::other(TooLong));
        }
        let read = self.from.read(out)?;
        self.left.set(self.left.get().saturating_sub(read as u64));
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &str = "id:int,name:text,amount:float?,day:date";

    fn check_text(text: &[u8]) -> Result<u64, String> {
        check("t.csv", text, &COLUMNS.parse().unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn tables_that_fit() {
        let check = |text: &str, rows: u64| assert_eq!(check_text(text.as_bytes()), Ok(rows), "{text}");
        check("id,name,amount,day\n", 0);
        check("id,name,amount,day\n1,a,1.5,2024-01-01\n2,\"b, c\nd\",,2024-01-02", 2);
        check("\u{feff}id,name,amount,day\r\n1,\"say \"\"hi\"\"\",7,2024-01-01\r\n\r\n", 1);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let check = |rows: &str, error: &str| {
            let text = format!("id,name,amount,day\n1,a,1.5,2024-01-01\n{rows}");
            assert_eq!(check_text(text.as_bytes()), Err(format!("t.csv{error}")));
        };
        check("x,a,1,2024-01-01", r#", line 3, column 1 (id): expected int, found text "x""#);
        check("1.0,a,1,2024-01-01", r#", line 3, column 1 (id): expected int, found float "1.0""#);
        check(",a,1,2024-01-01", ", line 3, column 1 (id): expected int, found nothing");
        check("1,,1,2024-01-01", ", line 3, column 2 (name): expected text, found nothing");
        check(
            "1,\"a\nb\",1,2024-01-01\n2,c,\"1,5\",x",
            r#", line 5, column 3 (amount): expected float?, found text "1,5""#,
        );
        check("1,a,1,2024-02-30", r#", line 3, column 4 (day): expected date, found text "2024-02-30""#);
        check("1,a,1", ", line 3: the row has 3 fields, the header 4");
        check("1,a,1,2024-01-01,x", ", line 3: the row has 5 fields, the header 4");
        let long = "y".repeat(50);
        let shown = "y".repeat(40);
        check(&format!("{long},a,1,x"), &format!(r#", line 3, column 1 (id): expected int, found text "{shown}"…"#));
        let error = check_text(b"id,name,amount,day\n1,\xff,,2024-01-01").unwrap_err();
        assert_eq!(error, "t.csv, line 2, column 2 (name): expected text, found bytes that are no UTF-8");
    }

    #[test]
    fn the_header_is_checked_first() {
        let check = |text: &str, error: &str| assert_eq!(check_text(text.as_bytes()), Err(format!("t.csv{error}")));
        check("", " has no header row");
        check("1,a,1,2024-01-01\n", r#", line 1, column 1: expected a column `id`, found "1""#);
        check("id,amount,name,day\n", r#", line 1, column 2: expected a column `name`, found "amount""#);
        check("id,name\n", " has 2 columns, expected 4");
        check("id,name,amount,day,x\n", " has 5 columns, expected 4");
        check("id;name;amount;day\n", r#", line 1, column 1: expected a column `id`, found "id;name;amount;day""#);
    }

    #[test]
    fn a_quote_that_is_never_closed_takes_no_memory() {
        let start: &[u8] = b"id,name,amount,day\n1,\"a";
        let error = check("t.csv", start.chain(io::repeat(b'x')), &COLUMNS.parse().unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "t.csv, line 2: the row is longer than 16 MiB");
    }

    #[test]
    fn reading_fails_with_its_reason() {
        struct Failing;
        impl Read for Failing {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("the disk is gone"))
            }
        }
        let error = check("t.csv", Failing, &COLUMNS.parse().unwrap()).unwrap_err();
        assert!(matches!(error, Mismatch::Read { source, .. } if source.to_string() == "the disk is gone"));
    }

    #[test]
    fn a_table_gives_its_columns() {
        let check = |text: &str, expected: &str| {
            assert_eq!(columns("t.csv", text.as_bytes()).unwrap().to_string(), expected, "{text}");
        };
        check("a,b,c\n1,2,x\n2,2.5,2024-01-01\n", "a:int,b:float,c:text");
        check("a,b,c,d\n,true,2024-01-01,2024-01-01T00:00:00Z\n1,,2024-01-02,\n", "a:int?,b:bool?,c:date,d:timestamp?");
        check("a,b\n,\n", "a:text?,b:text?");
        check("a,b\n", "a:text,b:text");
        assert!(columns("t.csv", &b"a,a\n"[..]).is_err());
        assert!(columns("t.csv", &b"a,b\n1\n"[..]).is_err());
        assert!(columns("t.csv", &b""[..]).is_err());
    }
}
