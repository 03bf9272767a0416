//! The model of `naive_bayes_train`.

use serde::{Deserialize, Serialize};

use crate::classes;
use crate::linear_regression::MAX_COLUMNS;
use crate::logistic_regression::softmax;
use crate::model::{self, Model};

/// In each class every column is normally distributed, on its own.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NaiveBayes {
    pub(crate) classes: Vec<String>,
    pub(crate) priors: Vec<f64>,
    pub(crate) means: Vec<Vec<f64>>,
    pub(crate) variances: Vec<Vec<f64>>,
}

impl Model for NaiveBayes {
    const FORMAT: &'static str = "teehouse/naive_bayes/1";

    fn check(&self) -> Result<(), &'static str> {
        classes::check(&self.classes)?;
        if !(1..=MAX_COLUMNS).contains(&self.columns()) || self.priors.len() != self.classes.len() {
            return Err("its parts do not fit together");
        }
        model::rows_of(&self.means, self.classes.len(), self.columns())?;
        model::rows_of(&self.variances, self.classes.len(), self.columns())?;
        model::finite(&self.priors)?;
        let positive = |numbers: &[f64]| numbers.iter().all(|number| *number > 0.0);
        if !positive(&self.priors) || !self.variances.iter().all(|of| positive(of)) {
            return Err("a prior or a variance is not positive");
        }
        Ok(())
    }
}

impl NaiveBayes {
    pub(crate) fn columns(&self) -> usize {
        self.means.first().map_or(0, Vec::len)
    }

    /// One for each class; they add up to 1.
    pub(crate) fn probabilities(&self, row: &[f64]) -> Vec<f64> {
        let parts = self.priors.iter().zip(&self.means).zip(&self.variances);
        let mut scores: Vec<f64> =
            parts.map(|((prior, means), variances)| prior.ln() + log_likelihood(row, means, variances)).collect();
        softmax(&mut scores);
        scores
    }
}

fn log_likelihood(row: &[f64], means: &[f64], variances: &[f64]) -> f64 {
    let columns = row.iter().zip(means).zip(variances);
    columns
        .map(|((value, mean), variance)| {
            -0.5 * ((std::f64::consts::TAU * variance).ln() + (value - mean).powi(2) / variance)
        })
        .sum()
}
