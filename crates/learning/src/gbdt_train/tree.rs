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
        let fitted =
            DecisionTreeRegressor::fit(&matrix, &goals, settings(parameters)).map_err(|error| error.to_string())?;
        let serialised = serde_json::to_value(&fitted).map_err(|error| error.to_string())?;
        let Serialised { tree_regressor } = serde_json::from_value(serialised).map_err(|error| error.to_string())?;
        Ok::<_, String>(Tree { nodes: tree_regressor.nodes.iter().map(|node| convert(node, columns)).collect() })
    })?;
    tree.check(table.columns).map_err(|_| Failure::function(FAILED))?;
    let tree = pruned(tree);
    tree.check(table.columns).map_err(|_| Failure::function(FAILED))?;
    Ok(tree)
}

fn settings(parameters: &Parameters) -> DecisionTreeRegressorParameters {
    DecisionTreeRegressorParameters {
        // The library counts levels of nodes, the field levels of branches.
        max_depth: Some(parameters.max_depth + 1),
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

/// Without branches between leaves that say the same: the library also splits rows that are all alike.
fn pruned(mut tree: Tree) -> Tree {
    for at in (0..tree.nodes.len()).rev() {
        let Node::Branch { at_most, above, .. } = tree.nodes[at] else { continue };
        if let (Node::Leaf { value }, Node::Leaf { value: other }) = (&tree.nodes[at_most], &tree.nodes[above])
            && (value - other).abs() <= SAME * (1.0 + value.abs())
        {
            tree.nodes[at] = Node::Leaf { value: *value };
        }
    }
    let mut nodes = Vec::new();
    keep(&tree.nodes, 0, &mut nodes);
    Tree { nodes }
}

/// What rounding may leave between means of equal numbers.
const SAME: f64 = 1e-12;

/// Appends a node and all below it.
fn keep(nodes: &[Node], at: usize, kept: &mut Vec<Node>) {
    let place = kept.len();
    kept.push(nodes[at].clone());
    let Node::Branch { column, threshold, at_most, above } = nodes[at] else { return };
    keep(nodes, at_most, kept);
    let second = kept.len();
    keep(nodes, above, kept);
    kept[place] = Node::Branch { column, threshold, at_most: place + 1, above: second };
}
