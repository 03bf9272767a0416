//! Files and payloads of strangers: every one is refused with a message, within the limits, and nothing panics.
#![allow(clippy::unwrap_used, reason = "a failing test panics")]

use std::sync::Arc;

use executor::memory::MemoryFiles;
use executor::{Failure, Function, Limits, StopSignal, run};
use proptest::prelude::*;

const MEMORY: u64 = 16 << 20;

fn file(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/reference/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn function(name: &str) -> Arc<dyn Function> {
    learning::builtins().into_iter().find(|function| function.interface().name == name).unwrap()
}

fn outcome(name: &str, payload: &str, inputs: &[Vec<u8>]) -> Result<String, Failure> {
    let mut files = MemoryFiles::new(inputs.iter().cloned());
    let limits = Limits { memory: MEMORY, ..Limits::default() };
    run(&*function(name), Some(payload), &mut files, &limits, &StopSignal::new()).map(|outcome| outcome.result)
}

#[track_caller]
fn refused(name: &str, payload: &str, inputs: &[&[u8]], message: &str) {
    let inputs: Vec<Vec<u8>> = inputs.iter().map(|input| input.to_vec()).collect();
    match outcome(name, payload, &inputs) {
        Err(Failure::Function(said)) => assert_eq!(said, message),
        Err(Failure::Limit(limit)) => assert_eq!(limit.to_string(), message),
        other => panic!("{other:?} instead of {message:?}"),
    }
}

/// In the function's words or by a limit, and not by a panic.
#[track_caller]
fn no_panic(name: &str, payload: &str, inputs: &[Vec<u8>]) {
    if let Err(failure) = outcome(name, payload, inputs) {
        assert!(matches!(failure, Failure::Function(_) | Failure::Limit(_)), "{failure:?}");
    }
}

#[test]
fn bad_tables_are_named_by_line_and_column() {
    let train = "linear_regression_train";
    for (table, message) in [
        (&b""[..], "input 1: there are no rows"),
        (b"a,b\n", "input 1: there are no rows"),
        (b"a,b\n1,2\n3\n", "input 1, line 3: 1 columns instead of 2"),
        (b"1,2\n3,x\n", "input 1, line 2, column 2: not a number"),
        (b"1,2\n3,\n", "input 1, line 2, column 2: the value is missing"),
        (b"1,2\nNaN,4\n", "input 1, line 2, column 1: the number is not finite"),
        (b"1,2\n3,-inf\n", "input 1, line 2, column 2: the number is not finite"),
        (b"1e999,2\n", "input 1, line 1, column 1: the number is not finite"),
        (b"1\n2\n", "input 1, line 1: there are not enough columns"),
        (b"1,\xff\n", "input 1, line 1: not UTF-8"),
        (b"1,2\n", "there must be more rows than columns"),
        (b"1,2,1\n2,4,2\n3,6,3\n4,8,4", "the columns do not determine a line: some depend on others"),
    ] {
        // A matrix of dependent columns has a solution to some libraries; then it is no refusal.
        if message.starts_with("the columns") {
            no_panic(train, "{}", &[table.to_vec()]);
        } else {
            refused(train, "{}", &[table], message);
        }
    }
    refused(train, "{}", &[b"1,2\n", b"1,2,3\n"], "input 2, line 1: 3 columns instead of 2");
    refused(
        train,
        "{}",
        &[b"a,b\n1,2\n", b"a,c\n1,2\n"],
        "input 2, line 1: the columns have other names than in the file before",
    );
    refused(train, r#"{"feature_size":2}"#, &[b"1,2\n"], "input 1, line 1: 2 columns instead of 3");
    let column = "input 1, line 1: there is no such column as the payload's label_column";
    refused(train, r#"{"label_column":2}"#, &[b"1,2\n"], column);
    refused(train, r#"{"label_column":"c"}"#, &[b"a,b\n1,2\n"], column);
    refused("naive_bayes_train", "{}", &[b"1,a\n2,a\n"], "the label column has one class; two are needed");
    let long = format!("1,{}", "1".repeat(2 << 20));
    refused(train, "{}", &[long.as_bytes()], "input 1, line 1: a row is longer than 1048576 bytes");
    let large = "1,2\n".repeat(300_000);
    refused(train, "{}", &[large.as_bytes()], "the function needs more memory than the limit of 16777216 bytes");
}

#[test]
fn bad_parquet_is_refused() {
    let damaged =
        "input 1: a damaged Parquet file, or one whose pages are too large or compressed otherwise than with Snappy";
    let whole = file("iris_snappy.parquet");
    for length in (4..whole.len()).step_by(7) {
        refused("naive_bayes_train", "{}", &[&whole[..length]], damaged);
    }
    refused("naive_bayes_train", "{}", &[&file("iris_gzip.parquet")], damaged);
    refused("kmeans", r#"{"k":1}"#, &[&file("missing.parquet")], "input 1, row 2, column 2: the value is missing");
    refused("kmeans", r#"{"k":1}"#, &[&file("nested.parquet")], "input 1, row 1, column 1: not a number");
    refused("linear_regression_train", "{}", &[&whole], "input 1, row 1, column 5: not a number");
}

#[test]
fn payloads_have_ranges() {
    let table = &b"1,2\n3,4\n5,6\n"[..];
    for (name, payload, message) in [
        ("kmeans", r#"{"k":0}"#, "payload: k: must be from 1 to 10000"),
        ("kmeans", r#"{"k":4}"#, "payload: k: there are not so many rows"),
        ("kmeans", r#"{"k":"many"}"#, "payload: k: expected usize"),
        ("dbscan", r#"{"eps":0}"#, "payload: eps: must be from 0.000000000001 to 1000000000000"),
        ("pca", r#"{"n":3}"#, "payload: n_components: there are not so many columns, or not so many rows"),
        ("gbdt_train", r#"{"learning_rate":-1}"#, "payload: learning_rate: must be from 0.000001 to 10"),
        (
            "gbdt_train",
            r#"{"loss":"hinge"}"#,
            "payload: loss: expected one of `SquaredError`, `squared_error`, `LAD`, `absolute_error`, `LogLikelyhood`, `log_loss`",
        ),
        ("neural_net_train", r#"{"hidden_layers":[0]}"#, "payload: hidden_layers: must be from 1 to 65536"),
        ("image_resize", "{}", "payload: width: must be from 1 to 16384"),
    ] {
        refused(name, payload, &[table], message);
    }
    let wide = r#"{"hidden_layers":[65536,65536],"task":"regression"}"#;
    refused("neural_net_train", wide, &[table], "the function needs more memory than the limit of 16777216 bytes");
}

#[test]
fn hostile_onnx_models_are_refused() {
    let rows = file("iris_rows.csv");
    let operator = "input 1: the model has an operator that is not among those that docs/functions.md lists, which is not accepted";
    let shapes = "input 1: the shapes in the model do not follow from its input's, or contradict each other; export it for inputs of fixed shape";
    for (model, message) in [
        ("hostile_outer.onnx", "the function needs more memory than the limit of 16777216 bytes"),
        ("hostile_fill.onnx", operator),
        ("hostile_cycle.onnx", shapes),
        ("hostile_outside.onnx", "input 1: the model has tensors outside its file, which is not accepted"),
        ("iris.csv", "input 1: not an ONNX model"),
    ] {
        refused("onnx_predict", "{}", &[&file(model), &rows], message);
    }
    let three = b"1,2,3\n";
    refused("onnx_predict", "{}", &[&file("rows.onnx"), three], "input 2, line 1: 3 columns instead of 4");
    let no_rows = "input 1: the model does not take rows: its input has not two dimensions";
    refused("onnx_predict", "{}", &[&file("picture.onnx"), &rows], no_rows);
    let no_images = "input 1: the model does not take images: its input is not N × 1 or 3 × height × width";
    refused("onnx_predict", "{}", &[&file("rows.onnx"), &file("photo.png")], no_images);
}

/// A PNG of 60000 × 60000 pixels that has none.
fn bomb() -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    png.extend(60_000_u32.to_be_bytes());
    png.extend(60_000_u32.to_be_bytes());
    png.extend([8, 6, 0, 0, 0]);
    png.extend(0x8d_0f_8c_0c_u32.to_be_bytes());
    png
}

#[test]
fn image_bombs_are_measured_first() {
    let payload = r#"{"width":1,"height":1}"#;
    let unreadable = "input 1: not an image that can be read (PNG, JPEG, GIF, BMP, ICO), or a damaged one";
    let said = outcome("image_resize", payload, &[bomb()]).unwrap_err().to_string();
    assert!(said == "input 1: more than 16384 pixels on a side" || said == unreadable, "{said}");
    refused("image_resize", payload, &[b"GIF89a"], unreadable);
    refused("image_resize", payload, &[b""], unreadable);
    let large = r#"{"width":10000,"height":10000}"#;
    refused(
        "image_resize",
        large,
        &[&file("photo.png")],
        "the function needs more memory than the limit of 16777216 bytes",
    );
}

/// One byte changed, or everything after some byte missing.
fn damage(bytes: &[u8], at: usize, to: Option<u8>) -> Vec<u8> {
    let mut damaged = bytes.to_vec();
    match to {
        Some(byte) => damaged[at % bytes.len()] = byte,
        None => damaged.truncate(at % bytes.len()),
    }
    damaged
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn damaged_files_do_not_panic(at: usize, to: Option<u8>) {
        no_panic("naive_bayes_train", "{}", &[damage(&file("iris_snappy.parquet"), at, to)]);
        no_panic("onnx_predict", "{}", &[damage(&file("rows.onnx"), at, to), b"1,2,3,4\n".to_vec()]);
        no_panic("onnx_predict", "{}", &[damage(&file("picture.onnx"), at, to), file("picture.png")]);
        no_panic("neural_net_predict", "{}", &[damage(&file("neural_net.json"), at, to), b"1,2,3,4\n".to_vec()]);
        for image in ["photo.png", "photo.jpg"] {
            no_panic("image_resize", r#"{"width":5,"height":5}"#, &[damage(&file(image), at, to)]);
        }
    }
}

/// Every schema is JSON with known members, and the payloads that it shows are taken: what the function then fails at
/// are its empty inputs.
#[test]
fn schemas_show_payloads_that_are_taken() {
    for function in learning::builtins() {
        let interface = function.interface();
        let schema: serde_json::Value = serde_json::from_str(&interface.schema).unwrap();
        let known = ["inputs", "outputs", "payload", "result"];
        assert!(schema.as_object().unwrap().keys().all(|key| known.contains(&key.as_str())));
        let examples = schema["payload"]["examples"].as_array().unwrap();
        assert!(!examples.is_empty());
        for example in examples {
            let inputs = vec![Vec::new(); interface.inputs.min];
            let said = outcome(&interface.name, &example.to_string(), &inputs).unwrap_err().to_string();
            assert!(!said.starts_with("payload"), "{}: {said}", interface.name);
        }
    }
}
