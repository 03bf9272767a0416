//! The model of `logistic_regression_train`.

use serde::{Deserialize, Serialize};

use crate::classes;
use crate::linear_regression::{MAX_COLUMNS, dot};
use crate::model::{self, Model};

/// One row of coefficients for each class and the softmax of their scores; for two classes one row, for the second.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogisticRegression {
    pub(crate) classes: Vec<String>,
    pub(crate) coefficients: Vec<Vec<f64>>,
    pub(crate) intercepts: Vec<f64>,
}

impl Model for LogisticRegression {
    const FORMAT: &'static str = "teehouse/logistic_regression/1";

    fn check(&self) -> Result<(), &'static str> {
        classes::check(&self.classes)?;
        let scores = if self.classes.len() == 2 { 1 } else { self.classes.len() };
        if !(1..=MAX_COLUMNS).contains(&self.columns()) || self.intercepts.len() != scores {
            return Err("its parts do not fit together");
        }
        model::rows_of(&self.coefficients, scores, self.columns())?;
        model::finite(&self.intercepts)
    }
}

impl LogisticRegression {
    pub(crate) fn columns(&self) -> usize {
        self.coefficients.first().map_or(0, Vec::len)
    }

    /// One for each class; they add up to 1.
    pub(crate) fn probabilities(&self, row: &[f64]) -> Vec<f64> {
        let scores = self.coefficients.iter().zip(&self.intercepts).map(|(of, intercept)| dot(of, row) + intercept);
        let mut scores: Vec<f64> = scores.collect();
        if self.classes.len() == 2 {
            scores.insert(0, 0.0);
        }
        softmax(&mut scores);
        scores
    }
}

/// Turns scores into probabilities, whatever their size.
pub(crate) fn softmax(scores: &mut [f64]) {
    let highest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    scores.iter_mut().for_each(|score| *score = (*score - highest).exp());
    let sum: f64 = scores.iter().sum();
    scores.iter_mut().for_each(|score| *score /= sum);
}
