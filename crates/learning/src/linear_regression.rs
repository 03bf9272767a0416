//! The model of `linear_regression_train`.

use serde::{Deserialize, Serialize};

use crate::model::{self, Model};

/// The most columns of any model.
pub(crate) const MAX_COLUMNS: usize = 1 << 20;

/// `y = coefficients · x + intercept`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinearRegression {
    pub(crate) coefficients: Vec<f64>,
    pub(crate) intercept: f64,
}

impl Model for LinearRegression {
    const FORMAT: &'static str = "teehouse/linear_regression/1";

    fn check(&self) -> Result<(), &'static str> {
        if self.coefficients.is_empty() || self.coefficients.len() > MAX_COLUMNS {
            return Err("it has no coefficients, or too many");
        }
        model::finite(self.coefficients.iter().chain([&self.intercept]))
    }
}

impl LinearRegression {
    pub(crate) fn predict(&self, row: &[f64]) -> f64 {
        dot(&self.coefficients, row) + self.intercept
    }
}

/// The inner product of two vectors of one length.
pub(crate) fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(left, right)| left * right).sum()
}
