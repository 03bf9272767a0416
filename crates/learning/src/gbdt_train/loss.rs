//! What boosting lowers: where it starts, which way is down, and how far a leaf goes.

use serde::Deserialize;

use crate::logistic_regression::softmax;
use crate::table::Table;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum LossName {
    /// Numbers; the mean.
    #[serde(alias = "SquaredError")]
    SquaredError,
    /// Numbers; the median, which outliers move less.
    #[serde(alias = "LAD")]
    AbsoluteError,
    /// Classes.
    #[serde(alias = "LogLikelyhood")]
    LogLoss,
}

pub(super) enum Loss<'t> {
    Squared(&'t [f64]),
    Absolute(&'t [f64]),
    Logistic { of_rows: &'t [u32], classes: usize },
}

impl<'t> Loss<'t> {
    pub(super) fn new(name: LossName, table: &'t Table) -> Self {
        match name {
            LossName::SquaredError => Self::Squared(&table.targets),
            LossName::AbsoluteError => Self::Absolute(&table.targets),
            LossName::LogLoss => Self::Logistic { of_rows: &table.classes, classes: table.names.len() },
        }
    }

    /// The best constant for each sum of trees.
    pub(super) fn initial(&self) -> Vec<f64> {
        match self {
            Self::Squared(targets) => vec![targets.iter().sum::<f64>() / targets.len() as f64],
            Self::Absolute(targets) => vec![median(&mut targets.to_vec())],
            Self::Logistic { of_rows, classes: 2 } => {
                let share = of_rows.iter().sum::<u32>() as f64 / of_rows.len() as f64;
                vec![(share / (1.0 - share)).ln()]
            }
            Self::Logistic { of_rows, classes } => {
                let of = |class: usize| of_rows.iter().filter(|row| **row as usize == class).count();
                (0..*classes).map(|class| (of(class) as f64 / of_rows.len() as f64).ln()).collect()
            }
        }
    }

    /// The negative gradient for each sum and row.
    pub(super) fn residuals(&self, scores: &[Vec<f64>]) -> Vec<Vec<f64>> {
        match self {
            Self::Squared(targets) => vec![differences(targets, &scores[0])],
            Self::Absolute(targets) => vec![differences(targets, &scores[0])],
            Self::Logistic { of_rows, classes: 2 } => {
                let of = |(row, score): (&u32, &f64)| f64::from(*row) - 1.0 / (1.0 + (-score).exp());
                vec![of_rows.iter().zip(&scores[0]).map(of).collect()]
            }
            Self::Logistic { of_rows, classes } => of_classes(of_rows, *classes, scores),
        }
    }

    /// What trees are grown on, of a residual: for the absolute error its sign, 1 where it is 0.
    pub(super) fn direction(&self, residual: f64) -> f64 {
        match self {
            Self::Absolute(_) => {
                if residual < 0.0 {
                    -1.0
                } else {
                    1.0
                }
            }
            _ => residual,
        }
    }

    /// A leaf's step, from the residuals of its rows: the mean, the median, or one Newton step.
    pub(super) fn leaf(&self, residuals: &mut [f64]) -> f64 {
        if residuals.is_empty() {
            return 0.0;
        }
        let sum: f64 = residuals.iter().sum();
        match self {
            Self::Squared(_) => sum / residuals.len() as f64,
            Self::Absolute(_) => lower_median(residuals),
            Self::Logistic { classes, .. } => {
                let curvature: f64 = residuals.iter().map(|residual| residual.abs() * (1.0 - residual.abs())).sum();
                let share = if *classes == 2 { 1.0 } else { (*classes as f64 - 1.0) / *classes as f64 };
                if curvature < 1e-150 { 0.0 } else { share * sum / curvature }
            }
        }
    }
}

fn differences(targets: &[f64], scores: &[f64]) -> Vec<f64> {
    targets.iter().zip(scores).map(|(target, score)| target - score).collect()
}

fn of_classes(of_rows: &[u32], classes: usize, scores: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let mut residuals = vec![vec![0.0; of_rows.len()]; classes];
    let mut of_row = vec![0.0; classes];
    for (row, class) in of_rows.iter().enumerate() {
        of_row.iter_mut().zip(scores).for_each(|(score, scores)| *score = scores[row]);
        softmax(&mut of_row);
        for (at, probability) in of_row.iter().enumerate() {
            residuals[at][row] = f64::from(u8::from(at == *class as usize)) - probability;
        }
    }
    residuals
}

/// The middle, or the mean of the two in the middle.
fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let half = values.len() / 2;
    if values.len() % 2 == 1 { values[half] } else { (values[half - 1] + values[half]) / 2.0 }
}

/// The middle, or the lower of the two in the middle: between them the absolute error is the same.
fn lower_median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[(values.len() - 1) / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(lower_median(&mut [4.0, 1.0, 2.0, 3.0]), 2.0);
    }

    #[test]
    fn the_absolute_error_grows_trees_on_signs() {
        let loss = Loss::Absolute(&[]);
        assert_eq!([2.5, 0.0, -0.1].map(|residual| loss.direction(residual)), [1.0, 1.0, -1.0]);
    }
}
