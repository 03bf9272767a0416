//! One regression tree: smartcore's, in our form.

use executor::Failure;
use serde::Deserialize;
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::tree::decision_tree_regressor::{DecisionTreeRegressor, DecisionTreeRegressorParameters};

use super::Parameters;
use crate::foreign;
use crate::gbdt::{Node, Tree};
use crate::table::Table;

/// What of a serialised tree counts; the library shows it in no other way, which is why its version is exact.
#[derive(Deserialize)]
struct Serialised {
    tree_regressor: SerialisedTree,
}

#[derive(Deserialize)]
struct SerialisedTree {
    nodes: Vec<SerialisedNode>,
}

#[derive(Deserialize)]
struct SerialisedNode {
    output: f64,
    split_feature: usize,
    split_value: Option<f64>,
    true_child: Option<usize>,
    false_child: Option<usize>,
}

/// Grows a tree on these rows and columns of a table.
pub(super) fn grow(
    parameters: &Parameters,
    table: &Table,
    goals: &[f64],
    rows: &[usize],
    columns: &[usize],
) -> Result<Tree, Failure> {
    const FAILED: &str = "a tree could not be grown";
    let tree = foreign::call(FAILED, || {
        let row = |row: &usize| &table.values[row * table.columns..(row + 1) * table.columns];
        let values = rows.iter().flat_map(|at| columns.iter().map(|column| row(at)[*column])).collect();
        let matrix = DenseMatrix::new(rows.len(), columns.len(), values, false).map_err(|error| error.to_string())?;
        let goals: Vec<f64> = rows.iter().map(|row| goals[*row]).collect();
        let fitted = DecisionTreeRegressor::fit(&matrix, &goals, settings(parameters)).map_err(|error| error.to_string())?;
        let serialised = serde_json::to_value(&fitted).map_err(|error| error.to_string())?;
        let Serialised { tree_regressor } = serde_json::from_value(serialised).map_err(|error| error.to_string())?;
        Ok::<_, String>(Tree { nodes: tree_regressor.nodes.iter().map(|node| convert(node, columns)).collect() })
    })?;
    tree.check(table.columns).map_err(|_| Failure::function(FAILED))?;
    Ok(tree)
}

fn settings(parameters: &Parameters) -> DecisionTreeRegressorParameters {
    DecisionTreeRegressorParameters {
        max_depth: Some(parameters.max_depth),
        min_samples_leaf: parameters.min_samples_leaf,
        min_samples_split: 2,
        seed: Some(parameters.seed),
    }
}

fn convert(node: &SerialisedNode, columns: &[usize]) -> Node {
    match (node.split_value, node.true_child, node.false_child, columns.get(node.split_feature)) {
        (Some(threshold), Some(at_most), Some(above), Some(column)) => {
            Node::Branch { column: *column, threshold, at_most, above }
        }
        _ => Node::Leaf { value: node.output },
    }
}
