//! Tables as Parquet: their columns are in the footer, and nothing else is read.

use std::fs::File;
use std::io;

use parquet::basic::{ConvertedType, LogicalType, Repetition, Type as Physical};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::reader::ChunkReader;
use parquet::schema::types::Type as Field;

use super::Mismatch;
use super::columns::{Column, Columns, Type};
use super::value::{Kind, Shown};

/// What a Parquet file begins and ends with.
pub(super) const MAGIC: &[u8; 4] = b"PAR1";

/// Checks a table against its columns; how many rows it has.
pub(super) fn check(file: &str, from: &File, columns: &Columns) -> Result<u64, Mismatch> {
    check_footer(file, &read(file, from)?, columns)
}

/// The columns that a table has.
pub(super) fn columns(file: &str, from: &File) -> Result<Columns, Mismatch> {
    let footer = read(file, from)?;
    let column = |(at, field): (usize, &Field)| {
        let found = Found::new(&footer, at, field);
        match found.kind {
            Ok(kind) => Ok(Column { name: field.name().to_owned(), r#type: Type { kind, nullable: found.nullable } }),
            Err(what) => {
                let found = format!("{what}, which no check knows");
                Err(Mismatch::Unknown { file: file.to_owned(), column: at + 1, name: field.name().to_owned(), found })
            }
        }
    };
    let columns = fields(&footer).enumerate().map(column).collect::<Result<_, _>>()?;
    Columns::new(columns).map_err(|source| Mismatch::Model { file: file.to_owned(), source })
}

fn read(file: &str, from: &impl ChunkReader) -> Result<ParquetMetaData, Mismatch> {
    let reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Skip);
    reader.parse_and_finish(from).map_err(|source| Mismatch::Footer { file: file.to_owned(), source })
}

fn fields(footer: &ParquetMetaData) -> impl ExactSizeIterator<Item = &Field> {
    footer.file_metadata().schema().get_fields().iter().map(AsRef::as_ref)
}

fn check_footer(file: &str, footer: &ParquetMetaData, columns: &Columns) -> Result<u64, Mismatch> {
    let (expected, fields) = (columns.as_slice(), fields(footer));
    let count = fields.len();
    for (at, (field, column)) in fields.zip(expected).enumerate() {
        let (file, name) = (file.to_owned(), column.name.clone());
        if field.name() != name {
            let found = Shown(field.name()).to_string();
            return Err(Mismatch::Name { file, place: "", column: at + 1, expected: name, found });
        }
        let found = Found::new(footer, at, field);
        if found.kind != Ok(column.r#type.kind) || found.nullable && !column.r#type.nullable {
            let found = found.to_string();
            return Err(Mismatch::Column { file, column: at + 1, name, expected: column.r#type, found });
        }
    }
    match count == expected.len() {
        true => Ok(u64::try_from(footer.file_metadata().num_rows()).unwrap_or(0)),
        false => Err(Mismatch::Count { file: file.to_owned(), expected: expected.len(), found: count }),
    }
}

/// What a column is: a kind, or the name of something that is none.
struct Found {
    kind: Result<Kind, &'static str>,
    /// Whether values may be missing: the column is optional, and the footer does not say that none are.
    nullable: bool,
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.kind {
            Ok(kind) => write!(f, "{}", Type { kind, nullable: self.nullable }),
            Err(what) => f.write_str(what),
        }
    }
}

impl Found {
    fn new(footer: &ParquetMetaData, at: usize, field: &Field) -> Self {
        let repetition = field.get_basic_info().has_repetition().then(|| field.get_basic_info().repetition());
        let kind = match repetition {
            Some(Repetition::REPEATED) => Err("a list"),
            _ if field.is_group() => Err("nested"),
            _ => kind(field),
        };
        Found { kind, nullable: repetition == Some(Repetition::OPTIONAL) && !is_full(footer, at) }
    }
}

/// Whether the statistics of every part say that no value of a column is missing.
fn is_full(footer: &ParquetMetaData, at: usize) -> bool {
    // Statistics are of leaves: where nothing is nested, these are the columns.
    let is_flat = fields(footer).all(Field::is_primitive);
    is_flat
        && footer.row_groups().iter().all(|group| {
            let statistics = group.columns().get(at).and_then(|column| column.statistics());
            statistics.and_then(|statistics| statistics.null_count_opt()) == Some(0)
        })
}

fn kind(field: &Field) -> Result<Kind, &'static str> {
    let info = field.get_basic_info();
    match (info.logical_type_ref(), info.converted_type()) {
        (Some(LogicalType::String | LogicalType::Enum | LogicalType::Json), _) => Ok(Kind::Text),
        (Some(LogicalType::Date), _) => Ok(Kind::Date),
        (Some(LogicalType::Timestamp(_)), _) => Ok(Kind::Timestamp),
        (Some(LogicalType::Integer(int)), _) if int.is_signed || int.bit_width < 64 => Ok(Kind::Int),
        (Some(LogicalType::Integer(_)), _) => Err("an integer of 64 bits without sign"),
        (Some(LogicalType::Float16), _) => Ok(Kind::Float),
        (Some(LogicalType::Decimal(_)), _) => Err("a decimal"),
        (Some(LogicalType::Time(_)), _) => Err("a time of day"),
        (Some(LogicalType::Uuid), _) => Err("a UUID"),
        (Some(_), _) => Err("of a kind that tables of text have not"),
        (None, converted) => of_converted(converted, field.get_physical_type()),
    }
}

/// As writers of before 2019 say it.
fn of_converted(converted: ConvertedType, physical: Physical) -> Result<Kind, &'static str> {
    match (converted, physical) {
        (ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON, _) => Ok(Kind::Text),
        (ConvertedType::DATE, _) => Ok(Kind::Date),
        (ConvertedType::TIMESTAMP_MILLIS | ConvertedType::TIMESTAMP_MICROS, _) => Ok(Kind::Timestamp),
        (ConvertedType::UINT_64, _) => Err("an integer of 64 bits without sign"),
        (ConvertedType::DECIMAL, _) => Err("a decimal"),
        (ConvertedType::TIME_MILLIS | ConvertedType::TIME_MICROS, _) => Err("a time of day"),
        (ConvertedType::INTERVAL, _) => Err("an interval"),
        (_, Physical::BOOLEAN) => Ok(Kind::Bool),
        (_, Physical::INT32 | Physical::INT64) => Ok(Kind::Int),
        (_, Physical::FLOAT | Physical::DOUBLE) => Ok(Kind::Float),
        // What Spark and Impala used for points in time.
        (_, Physical::INT96) => Ok(Kind::Timestamp),
        (_, Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY) => Err("bytes"),
    }
}

/// Whether a file's start and end are those of Parquet. One with an encrypted footer is not: nothing can be checked.
pub(super) fn is_parquet(mut from: &File) -> io::Result<bool> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let mut start = Vec::new();
    from.take(MAGIC.len() as u64).read_to_end(&mut start)?;
    from.seek(SeekFrom::Start(0))?;
    Ok(start == MAGIC)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;

    use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    use super::*;

    const SCHEMA: &str = "message table {
        required int64 id;
        optional binary name (UTF8);
        optional double amount;
        required int32 day (DATE);
    }";

    /// Two rows; the second has no amount.
    fn table(dir: &Path) -> PathBuf {
        let path = dir.join("t.parquet");
        let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
        let properties = Arc::new(WriterProperties::builder().build());
        let mut writer = SerializedFileWriter::new(File::create(&path).unwrap(), schema, properties).unwrap();
        let mut group = writer.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(&[1, 2], None, None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        let names = [ByteArray::from("a"), ByteArray::from("b")];
        column.typed::<ByteArrayType>().write_batch(&names, Some(&[1, 1]), None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<DoubleType>().write_batch(&[1.5], Some(&[1, 0]), None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int32Type>().write_batch(&[19_000, 19_001], None, None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
        writer.close().unwrap();
        path
    }

    fn check_file(path: &Path, columns: &str) -> Result<u64, String> {
        check("t.parquet", &File::open(path).unwrap(), &columns.parse().unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn columns_are_compared_with_the_footer() {
        let dir = tempfile::tempdir().unwrap();
        let path = table(dir.path());
        assert!(is_parquet(&File::open(&path).unwrap()).unwrap());
        // No name is missing, though the column is optional.
        assert_eq!(check_file(&path, "id:int,name:text,amount:float?,day:date"), Ok(2));
        assert_eq!(check_file(&path, "id:int?,name:text?,amount:float?,day:date?"), Ok(2));
        let check = |columns: &str, error: &str| {
            assert_eq!(check_file(&path, columns), Err(format!("t.parquet{error}")), "{columns}");
        };
        check("id:float,name:text,amount:float?,day:date", ", column 1 (id): expected float, found int");
        check("id:int,name:text,amount:float,day:date", ", column 3 (amount): expected float, found float?");
        check("id:int,amount:float?,name:text,day:date", r#", column 2: expected a column `amount`, found "name""#);
        check("id:int,name:text,amount:float?", " has 4 columns, expected 3");
        let found = columns("t.parquet", &File::open(&path).unwrap()).unwrap();
        assert_eq!(found.to_string(), "id:int,name:text,amount:float?,day:date");
    }

    #[test]
    fn kinds_are_told_apart() {
        let check = |field: &str, expected: Result<Kind, &str>| {
            let schema = parse_message_type(&format!("message t {{ {field}; }}")).unwrap();
            assert_eq!(kind(&schema.get_fields()[0]), expected, "{field}");
        };
        check("required boolean a", Ok(Kind::Bool));
        check("required int32 a", Ok(Kind::Int));
        check("required int64 a (INTEGER(64,true))", Ok(Kind::Int));
        check("required int32 a (INTEGER(32,false))", Ok(Kind::Int));
        check("required int64 a (INTEGER(64,false))", Err("an integer of 64 bits without sign"));
        check("required int64 a (UINT_64)", Err("an integer of 64 bits without sign"));
        check("required float a", Ok(Kind::Float));
        check("required binary a (STRING)", Ok(Kind::Text));
        check("required binary a", Err("bytes"));
        check("required int32 a (DATE)", Ok(Kind::Date));
        check("required int64 a (TIMESTAMP(MICROS,false))", Ok(Kind::Timestamp));
        check("required int64 a (TIMESTAMP_MILLIS)", Ok(Kind::Timestamp));
        check("required int96 a", Ok(Kind::Timestamp));
        check("required int64 a (DECIMAL(10,2))", Err("a decimal"));
        check("required int32 a (TIME(MILLIS,true))", Err("a time of day"));
    }

    #[test]
    fn no_changed_or_missing_byte_panics() {
        let dir = tempfile::tempdir().unwrap();
        let whole = fs::read(table(dir.path())).unwrap();
        let columns: Columns = "id:int,name:text,amount:float?,day:date".parse().unwrap();
        let try_bytes = |bytes: Vec<u8>| {
            if let Ok(footer) = read("t", &bytes::Bytes::from(bytes)) {
                let _ = check_footer("t", &footer, &columns);
            }
        };
        for position in 0..whole.len() {
            for flip in [1, 0x10, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[position] ^= flip;
                try_bytes(bytes);
            }
            try_bytes(whole[..position].to_vec());
        }
    }
}
