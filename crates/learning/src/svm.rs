//! The model of `svm_train`.

use serde::{Deserialize, Serialize};

use crate::classes;
use crate::linear_regression::{MAX_COLUMNS, dot};
use crate::model::{self, Model};

/// One machine for each pair of classes; the class that wins most pairs is the answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Svm {
    pub(crate) classes: Vec<String>,
    pub(crate) kernel: Kernel,
    pub(crate) machines: Vec<Machine>,
}

/// How alike two rows are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
pub(crate) enum Kernel {
    /// `x · y`.
    Linear {},
    /// `exp(−gamma ‖x − y‖²)`.
    Rbf { gamma: f64 },
    /// `(x · y + coef0)^degree`.
    Polynomial { coef0: f64, degree: u32 },
}

/// Tells two classes apart: the first where the score is positive.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Machine {
    pub(crate) first: usize,
    pub(crate) second: usize,
    pub(crate) intercept: f64,
    pub(crate) coefficients: Vec<f64>,
    pub(crate) vectors: Vec<Vec<f64>>,
}

impl Model for Svm {
    const FORMAT: &'static str = "teehouse/svm/1";

    fn check(&self) -> Result<(), &'static str> {
        classes::check(&self.classes)?;
        self.kernel.check()?;
        let pairs = self.classes.len() * (self.classes.len() - 1) / 2;
        if !(1..=MAX_COLUMNS).contains(&self.columns()) || self.machines.len() != pairs {
            return Err("its parts do not fit together");
        }
        self.machines.iter().try_for_each(|machine| machine.check(self.classes.len(), self.columns()))
    }
}

impl Svm {
    pub(crate) fn columns(&self) -> usize {
        self.machines.first().and_then(|machine| machine.vectors.first()).map_or(0, Vec::len)
    }

    /// For each class how many others it wins against, and a fraction below 1/3 that orders equals by how clearly.
    pub(crate) fn votes(&self, row: &[f64]) -> Vec<f64> {
        let mut votes = vec![0.0; self.classes.len()];
        let mut clear = vec![0.0; self.classes.len()];
        for machine in &self.machines {
            let score = machine.score(&self.kernel, row);
            votes[if score > 0.0 { machine.first } else { machine.second }] += 1.0;
            clear[machine.first] += score;
            clear[machine.second] -= score;
        }
        let fraction = |clear: f64| clear / (3.0 * (clear.abs() + 1.0));
        votes.iter().zip(clear).map(|(votes, clear)| votes + fraction(clear)).collect()
    }
}

impl Kernel {
    fn check(&self) -> Result<(), &'static str> {
        let fine = match self {
            Kernel::Linear {} => true,
            Kernel::Rbf { gamma } => *gamma > 0.0 && gamma.is_finite(),
            Kernel::Polynomial { coef0, degree } => coef0.is_finite() && (1..=10).contains(degree),
        };
        if fine { Ok(()) } else { Err("its kernel has impossible numbers") }
    }

    pub(crate) fn of(&self, left: &[f64], right: &[f64]) -> f64 {
        match self {
            Kernel::Linear {} => dot(left, right),
            Kernel::Rbf { gamma } => (-gamma * squared_distance(left, right)).exp(),
            Kernel::Polynomial { coef0, degree } => (dot(left, right) + coef0).powi(degree.cast_signed()),
        }
    }
}

impl Machine {
    fn check(&self, classes: usize, columns: usize) -> Result<(), &'static str> {
        if self.first >= classes || self.second >= classes || self.first == self.second {
            return Err("a machine names a class that is not there");
        }
        model::rows_of(&self.vectors, self.coefficients.len(), columns)?;
        model::finite(self.coefficients.iter().chain([&self.intercept]))
    }

    /// The decision function.
    pub(crate) fn score(&self, kernel: &Kernel, row: &[f64]) -> f64 {
        let parts = self.coefficients.iter().zip(&self.vectors);
        parts.map(|(coefficient, vector)| coefficient * kernel.of(vector, row)).sum::<f64>() + self.intercept
    }
}

/// `‖left − right‖²`.
pub(crate) fn squared_distance(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(left, right)| (left - right).powi(2)).sum()
}
