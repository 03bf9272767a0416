//! The model of `gbdt_train`: sums of decision trees.

use serde::{Deserialize, Serialize};

use crate::classes;
use crate::linear_regression::MAX_COLUMNS;
use crate::logistic_regression::softmax;
use crate::model::{self, Model};

/// One sum of trees for a regression and for two classes (of which it is the second's log-odds), else one for each
/// class.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Gbdt {
    pub(crate) columns: usize,
    /// None for a regression.
    pub(crate) classes: Vec<String>,
    pub(crate) sums: Vec<Sum>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sum {
    pub(crate) initial: f64,
    pub(crate) trees: Vec<Tree>,
}

/// Nodes, the root first; a branch stands before what it branches to.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Tree {
    pub(crate) nodes: Vec<Node>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(crate) enum Node {
    /// Goes on with the node `at_most` where the column's number is at most `threshold`, else with `above`.
    Branch { column: usize, threshold: f64, at_most: usize, above: usize },
    /// Ends with this.
    Leaf { value: f64 },
}

impl Model for Gbdt {
    const FORMAT: &'static str = "teehouse/gbdt/1";

    fn check(&self) -> Result<(), &'static str> {
        if !self.classes.is_empty() {
            classes::check(&self.classes)?;
        }
        let sums = if self.classes.len() > 2 { self.classes.len() } else { 1 };
        if !(1..=MAX_COLUMNS).contains(&self.columns) || self.sums.len() != sums {
            return Err("its parts do not fit together");
        }
        model::finite(self.sums.iter().map(|sum| &sum.initial))?;
        self.sums.iter().flat_map(|sum| &sum.trees).try_for_each(|tree| tree.check(self.columns))
    }
}

impl Gbdt {
    /// A regression's answer.
    pub(crate) fn value(&self, row: &[f64]) -> f64 {
        self.sums.first().map_or(0.0, |sum| sum.of(row))
    }

    /// One for each class; they add up to 1.
    pub(crate) fn probabilities(&self, row: &[f64]) -> Vec<f64> {
        let mut scores: Vec<f64> = self.sums.iter().map(|sum| sum.of(row)).collect();
        if self.classes.len() == 2 {
            scores.insert(0, 0.0);
        }
        softmax(&mut scores);
        scores
    }
}

impl Sum {
    fn of(&self, row: &[f64]) -> f64 {
        self.initial + self.trees.iter().map(|tree| tree.value(row)).sum::<f64>()
    }
}

impl Tree {
    /// The number of the leaf where a row ends.
    pub(crate) fn leaf(&self, row: &[f64]) -> usize {
        let mut at = 0;
        while let Node::Branch { column, threshold, at_most, above } = &self.nodes[at] {
            at = if row[*column] <= *threshold { *at_most } else { *above };
        }
        at
    }

    pub(crate) fn value(&self, row: &[f64]) -> f64 {
        match &self.nodes[self.leaf(row)] {
            Node::Leaf { value } => *value,
            Node::Branch { .. } => 0.0,
        }
    }

    pub(crate) fn check(&self, columns: usize) -> Result<(), &'static str> {
        if self.nodes.is_empty() {
            return Err("a tree is empty");
        }
        for (at, node) in self.nodes.iter().enumerate() {
            let fine = match node {
                Node::Leaf { value } => value.is_finite(),
                Node::Branch { column, threshold, at_most, above } => {
                    let forward = |to: &usize| *to > at && *to < self.nodes.len();
                    *column < columns && threshold.is_finite() && forward(at_most) && forward(above)
                }
            };
            if !fine {
                return Err("a tree branches to nowhere");
            }
        }
        Ok(())
    }
}
