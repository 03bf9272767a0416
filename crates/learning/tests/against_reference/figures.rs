//! Runs functions on the reference's files and compares numbers with its figures.

use std::collections::BTreeMap;
use std::sync::Arc;

use executor::memory::MemoryFiles;
use executor::{Function, Limits, Output, StopSignal, run};
use serde_json::Value;

/// What a run left.
pub(crate) struct Left {
    /// The result.
    pub(crate) result: Value,
    outputs: BTreeMap<Output, Vec<u8>>,
}

impl Left {
    /// An output's bytes.
    pub(crate) fn output(&self, output: Output) -> &[u8] {
        &self.outputs[&output]
    }

    /// The lines of a CSV output below its header, field by field.
    pub(crate) fn rows(&self, output: Output) -> Vec<Vec<String>> {
        let text = str::from_utf8(self.output(output)).unwrap();
        text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
    }

    /// A column of it as numbers.
    pub(crate) fn column(&self, output: Output, column: usize) -> Vec<f64> {
        self.rows(output).iter().map(|row| row[column].parse().unwrap()).collect()
    }
}

/// A file of the reference.
pub(crate) fn file(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/reference/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Runs a function; it succeeds.
pub(crate) fn call(name: &str, payload: &str, inputs: &[Vec<u8>]) -> Left {
    let function: Arc<dyn Function> =
        learning::builtins().into_iter().find(|function| function.interface().name == name).unwrap();
    let mut files = MemoryFiles::new(inputs.iter().cloned()).in_chunks_of(1000);
    let outcome = run(&*function, Some(payload), &mut files, &Limits::default(), &StopSignal::new());
    let result = outcome.unwrap_or_else(|failure| panic!("{name}: {failure}")).result;
    Left { result: serde_json::from_str(&result).unwrap(), outputs: files.into_outputs() }
}

/// Trains on one file and applies the model to another.
pub(crate) fn train_and_predict(name: &str, payload: &str, table: &str, rows: &str) -> (Left, Left) {
    let trained = call(&format!("{name}_train"), payload, &[file(table)]);
    let model = trained.output(Output::Creator).to_vec();
    let predicted = call(&format!("{name}_predict"), "{}", &[model, file(rows)]);
    (trained, predicted)
}

/// A figure of the reference.
pub(crate) fn expected(of: &str, what: &str) -> Value {
    let all: Value = serde_json::from_slice(&file("expected.json")).unwrap();
    all[of][what].clone()
}

/// All numbers in a value, in order.
pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(numbers).collect(),
        other => vec![other.as_f64().unwrap()],
    }
}

/// Every number is within a tolerance of its figure, absolutely and by the figure's size.
pub(crate) fn close(found: &[f64], figures: &[f64], tolerance: f64) {
    assert_eq!(found.len(), figures.len());
    for (at, (found, figure)) in found.iter().zip(figures).enumerate() {
        let off = (found - figure).abs();
        assert!(off <= tolerance * (1.0 + figure.abs()), "number {at}: {found} instead of {figure}");
    }
}
