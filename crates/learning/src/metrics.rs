//! How well a model fits the table that it was trained on, for the result.

use serde::Serialize;

/// Of a classifier.
#[derive(Debug, Serialize)]
pub(crate) struct Classification {
    /// Rows that were trained on.
    pub(crate) rows: usize,
    /// The share of them whose class the model finds.
    pub(crate) accuracy: f64,
}

impl Classification {
    pub(crate) fn of(truth: &[u32], found: &[u32]) -> Self {
        let right = truth.iter().zip(found).filter(|(truth, found)| truth == found).count();
        Self { rows: truth.len(), accuracy: right as f64 / truth.len() as f64 }
    }
}

/// Of a regression.
#[derive(Debug, Serialize)]
pub(crate) struct Regression {
    /// Rows that were trained on.
    pub(crate) rows: usize,
    /// The mean of squared errors.
    pub(crate) mean_squared_error: f64,
    /// The share of the variance that the model explains; 0 where there is none.
    pub(crate) r2: f64,
}

impl Regression {
    pub(crate) fn of(truth: &[f64], found: &[f64]) -> Self {
        let rows = truth.len() as f64;
        let mean = truth.iter().sum::<f64>() / rows;
        let variance: f64 = truth.iter().map(|value| (value - mean).powi(2)).sum();
        let error: f64 = truth.iter().zip(found).map(|(truth, found)| (truth - found).powi(2)).sum();
        let r2 = if variance > 0.0 { 1.0 - error / variance } else { 0.0 };
        Self { rows: truth.len(), mean_squared_error: error / rows, r2 }
    }
}

/// A result as JSON text.
pub(crate) fn result(summary: &impl Serialize) -> String {
    serde_json::to_string(summary).expect("numbers and text are JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_their_definitions() {
        assert_eq!(Classification::of(&[0, 1, 1, 2], &[0, 1, 2, 2]).accuracy, 0.75);
        let regression = Regression::of(&[1.0, 2.0, 3.0], &[1.0, 2.0, 4.0]);
        assert_eq!((regression.mean_squared_error, regression.r2), (1.0 / 3.0, 0.5));
        assert_eq!(Regression::of(&[1.0, 1.0], &[1.0, 2.0]).r2, 0.0);
    }
}
