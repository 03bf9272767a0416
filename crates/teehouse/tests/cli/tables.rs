//! Tables that are checked before a byte of them is sent.

use std::fs::File;
use std::sync::Arc;

use parquet::data_type::Int64Type;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use crate::house::{House, User, run, teehouse};

const COLUMNS: &str = "id:int,name:text,amount:float?,day:date";
const GOOD: &[u8] = b"id,name,amount,day\n1,a,1.5,2024-01-01\n2,b,,2024-01-02\n";

fn check_refused(alice: &User<'_>, arguments: &[&str], error: &str) {
    let ended = alice.run(&[&["file", "put"], arguments].concat());
    assert_eq!((ended.code, ended.text()), (Some(1), ""), "{ended:?}");
    assert!(ended.err.contains(error), "{}", ended.err);
    assert!(ended.err.contains("\nhelp: nothing was sent"), "{}", ended.err);
    assert_eq!(alice.get(&["file", "list"]), "", "nothing was declared");
}

#[test]
fn a_table_of_text_is_checked_whole() {
    let house = House::open();
    let alice = house.user("alice");
    let mut bad = b"id,name,amount,day\n".to_vec();
    bad.extend((0..1000).flat_map(|n| format!("{n},a,1.5,2024-01-01\n").into_bytes()));
    bad.extend(b"1000,a,\"12,50\",2024-01-01\n");
    let bad = house.file("bad.csv", &bad);
    check_refused(
        &alice,
        &[&bad, "--columns", COLUMNS],
        &format!(r#"error: {bad}, line 1002, column 3 (amount): expected float?, found text "12,50""#),
    );
    let good = house.file("good.csv", GOOD);
    check_refused(&alice, &[&good, "--columns", "id:int,name:text,amount:float,day:date"], "found nothing");
    check_refused(&alice, &[&good, "--columns", "id:int,day:date"], "column 2: expected a column `day`");

    let schema = br#"[{"name":"id","type":"int"},{"name":"name","type":"text"},
        {"name":"amount","type":"float?"},{"name":"day","type":"date"}]"#;
    let schema = house.file("schema.json", schema);
    check_refused(&alice, &[&bad, "--schema", &schema], "line 1002");
    check_refused(&alice, &[&bad, "--like", &good], "line 1002");
    for flags in [["--columns", COLUMNS], ["--schema", &schema], ["--like", &good]] {
        let ended = alice.run(&[&["file", "put", &good], &flags[..]].concat()).good();
        assert!(ended.err.starts_with("2 rows (54 B) are checked and put, SHA-256 "), "{}", ended.err);
        assert_eq!(alice.run(&["file", "get", ended.text()]).good().out, GOOD);
    }
}

#[test]
fn parquet_is_known_by_its_content_and_checked_by_its_footer() {
    let house = House::open();
    let alice = house.user("alice");
    let path = house.path("table");
    let schema = "message t { required int64 id; optional int64 amount; }";
    let schema = Arc::new(parse_message_type(schema).expect("a schema"));
    let properties = Arc::new(WriterProperties::builder().build());
    let file = File::create(&path).expect("a file");
    let mut writer = SerializedFileWriter::new(file, schema, properties).expect("a writer");
    let mut group = writer.next_row_group().expect("a group");
    for levels in [None, Some(&[1, 0][..])] {
        let mut column = group.next_column().expect("no failure").expect("a column");
        let values = if levels.is_some() { &[7][..] } else { &[1, 2] };
        column.typed::<Int64Type>().write_batch(values, levels, None).expect("values");
        column.close().expect("a column");
    }
    group.close().expect("a group");
    writer.close().expect("a footer");

    let path = path.to_str().expect("text");
    check_refused(
        &alice,
        &[path, "--columns", "id:int,amount:int"],
        &format!("error: {path}, column 2 (amount): expected int, found int?"),
    );
    let csv = house.file("table.csv", b"id,amount\n1,\n2,x\n");
    check_refused(&alice, &[&csv, "--like", path], r#"line 3, column 2 (amount): expected int?, found text "x""#);
    let named = house.file("table.parquet", b"id,amount\n1,2\n");
    check_refused(&alice, &[&named, "--columns", "id:int,amount:int"], "is named as Parquet, but is not Parquet");
    let ended = alice.run(&["file", "put", path, "--columns", "id:int,amount:int?"]).good();
    assert!(ended.err.starts_with("2 rows ("), "{}", ended.err);
}

#[test]
fn wrong_expectations_are_wrong_usage() {
    let check = |arguments: &[&str], message: &str| {
        let ended = run(&mut teehouse(), &[&["file", "put"], arguments].concat());
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.err.contains(message), "{}", ended.err);
    };
    check(&["t.csv", "--columns", "id"], "`id` is not NAME:TYPE");
    check(&["t.csv", "--columns", "id:number"], "there are int, float, bool, date, timestamp and text");
    check(&["t.csv", "--columns", "id:int", "--like", "o.csv"], "cannot be used with");
    check(&["t.csv", "--columns", "id:int", "--lines"], "cannot be used with");
    check(&["-", "--columns", "id:int"], "standard input can't be checked before it is sent");
    let dir = tempfile::tempdir().expect("a folder");
    let schema = dir.path().join("schema.json");
    std::fs::write(&schema, r#"[{"name":"id"}]"#).expect("a file");
    check(&["t.csv", "--schema", schema.to_str().expect("text")], "schema.json names no columns: missing field `type`");
}
