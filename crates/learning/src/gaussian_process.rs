//! `gaussian_process`: regression with an uncertainty for each answer (Rasmussen and Williams 2006, algorithm 2.1).
//!
//! The first file is the training table, the second the rows in question, whose owner gets mean and standard deviation
//! for each. The kernel is `variance · exp(−‖x − y‖² / (2 length_scale²))`, with `noise` added on the diagonal.

use executor::{Failure, Function, Inputs, Interface, Invocation, Limit, Output, OutputKind};
use serde::Serialize;
use smartcore::linalg::basic::arrays::Array;
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::linalg::traits::cholesky::CholeskyDecomposable;

use crate::answer::{Answer, look};
use crate::linear_regression::dot;
use crate::metrics::result;
use crate::parameters::{Column, parameters, within};
use crate::svm::squared_distance;
use crate::table::{Table, Target, Wanted};
use crate::{foreign, interface};

pub(crate) struct GaussianProcess;

static INTERFACE: Interface = interface::declare(
    "gaussian_process",
    "predicts numbers with their uncertainty (Gaussian process)",
    Inputs::exactly(2),
    &[OutputKind::Owner],
    include_str!("schema/gaussian_process.json"),
);

parameters!(Parameters {
    length_scale: f64 = 1.0,
    variance: f64 = 1.0,
    noise: f64 = 1e-6,
    #[serde(alias = "input_model_columns")]
    feature_size: Option<usize> = None,
    header: Option<bool> = None,
    label_column: Option<Column> = None,
});

#[derive(Serialize)]
struct Summary {
    rows: usize,
    log_marginal_likelihood: f64,
}

impl Function for GaussianProcess {
    fn interface(&self) -> &Interface {
        &INTERFACE
    }

    fn run(&self, invocation: &mut Invocation<'_>) -> Result<String, Failure> {
        let parameters: Parameters = invocation.parameters()?;
        within("length_scale", parameters.length_scale, 1e-9..=1e9)?;
        within("variance", parameters.variance, 1e-12..=1e12)?;
        within("noise", parameters.noise, 0.0..=1e12)?;
        let header = parameters.header;
        let wanted = Wanted {
            header,
            features: parameters.feature_size,
            label: parameters.label_column.as_ref(),
            target: Target::Number,
        };
        let training = Table::read(invocation, 0..1, wanted)?;
        let wanted = Wanted { header, features: Some(training.columns), ..Wanted::default() };
        let rows = Table::read(invocation, 1..2, wanted)?;
        let process = Process::fit(invocation, parameters, &training)?;
        process.answer(invocation, &rows)?;
        let log_marginal_likelihood = process.log_marginal_likelihood(&training.targets);
        Ok(result(&Summary { rows: rows.len(), log_marginal_likelihood }))
    }
}

/// What training leaves.
struct Process<'t> {
    parameters: Parameters,
    training: &'t Table,
    /// The lower triangle of the Cholesky decomposition of the kernel matrix, by rows.
    lower: Vec<Vec<f64>>,
    weights: Vec<f64>,
}

impl<'t> Process<'t> {
    fn fit(invocation: &Invocation<'_>, parameters: Parameters, training: &'t Table) -> Result<Self, Failure> {
        let rows = training.len();
        foreign::bounded("rows³", &[rows, rows, rows])?;
        // The library's matrix, its decomposition and ours.
        let limit = invocation.memory_limit();
        if (4 * rows * rows * size_of::<f64>()) as u64 > limit {
            return Err(Limit::Memory(limit).into());
        }
        let mut kernel = Vec::with_capacity(rows * rows);
        for (number, row) in training.rows().enumerate() {
            invocation.checkpoint()?;
            kernel.extend(training.rows().map(|other| parameters.kernel(row, other)));
            kernel[number * rows + number] += parameters.noise;
        }
        let lower = decompose(rows, kernel)?;
        let halfway = forward(&lower, &training.targets);
        let weights = backward(&lower, &halfway);
        Ok(Self { parameters, training, lower, weights })
    }

    fn answer(&self, invocation: &mut Invocation<'_>, rows: &Table) -> Result<(), Failure> {
        let mut answer = Answer::create(invocation, Output::Owner(1), ["prediction", "standard_deviation"])?;
        for row in rows.rows() {
            invocation.checkpoint()?;
            let alike: Vec<f64> = self.training.rows().map(|other| self.parameters.kernel(row, other)).collect();
            let explained = forward(&self.lower, &alike);
            let variance = self.parameters.variance - dot(&explained, &explained);
            answer.row([dot(&alike, &self.weights), variance.max(0.0).sqrt()])?;
        }
        look(invocation, 0)?;
        answer.finish()
    }

    fn log_marginal_likelihood(&self, targets: &[f64]) -> f64 {
        let determinant: f64 = self.lower.iter().enumerate().map(|(at, row)| row[at].ln()).sum();
        let rows = targets.len() as f64;
        -0.5 * dot(targets, &self.weights) - determinant - 0.5 * rows * std::f64::consts::TAU.ln()
    }
}

impl Parameters {
    fn kernel(&self, left: &[f64], right: &[f64]) -> f64 {
        self.variance * (-0.5 * squared_distance(left, right) / self.length_scale.powi(2)).exp()
    }
}

fn decompose(rows: usize, kernel: Vec<f64>) -> Result<Vec<Vec<f64>>, Failure> {
    foreign::call("rows are too much alike for so little noise", || {
        let matrix = DenseMatrix::new(rows, rows, kernel, false)?;
        let lower = matrix.cholesky()?.L();
        let part = |row: usize| (0..=row).map(|column| *lower.get((row, column))).collect::<Vec<f64>>();
        let lower: Vec<Vec<f64>> = (0..rows).map(part).collect();
        let sound = lower.iter().enumerate().all(|(at, row)| row[at] > 0.0 && row[at].is_finite());
        if sound { Ok(lower) } else { Err(smartcore::error::Failed::fit("not positive definite")) }
    })
}

/// Solves `L x = b`.
fn forward(lower: &[Vec<f64>], right: &[f64]) -> Vec<f64> {
    let mut solution: Vec<f64> = Vec::with_capacity(right.len());
    for (row, value) in lower.iter().zip(right) {
        let at = solution.len();
        solution.push((value - dot(&row[..at], &solution)) / row[at]);
    }
    solution
}

/// Solves `Lᵀ x = b`.
fn backward(lower: &[Vec<f64>], right: &[f64]) -> Vec<f64> {
    let mut solution = right.to_vec();
    for at in (0..right.len()).rev() {
        solution[at] /= lower[at][at];
        let (done, value) = (&lower[at], solution[at]);
        for (earlier, factor) in solution[..at].iter_mut().zip(done) {
            *earlier -= factor * value;
        }
    }
    solution
}
