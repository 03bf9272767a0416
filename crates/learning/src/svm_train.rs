//! `svm_train`: support vector classification (C-SVC), one machine for each pair of classes.

use executor::{Failure, Function, Interface, Invocation, Limit};
use linfa::DatasetBase;
use linfa::traits::Fit;
use ndarray::{Array1, Array2};
use serde::Deserialize;

use crate::answer::best;
use crate::metrics::{Classification, result};
use crate::parameters::{parameters, within};
use crate::svm::{Kernel, Machine, Svm};
use crate::table::{Table, Target};
use crate::{classes, foreign, interface, model};

pub(crate) struct SvmTrain;

static INTERFACE: Interface = interface::trains(
    "svm_train",
    "learns to tell classes apart (support vector machines)",
    include_str!("schema/svm_train.json"),
);

parameters!(labelled Parameters {
    #[serde(alias = "C")]
    c: f64 = 1.0,
    kernel: KernelName = KernelName::Rbf,
    gamma: Option<f64> = None,
    coef0: f64 = 1.0,
    degree: u32 = 3,
    tolerance: f64 = 1e-3,
});

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum KernelName {
    Linear,
    Rbf,
    Polynomial,
}

impl Function for SvmTrain {
    fn interface(&self) -> &Interface {
        &INTERFACE
    }

    fn run(&self, invocation: &mut Invocation<'_>) -> Result<String, Failure> {
        let parameters: Parameters = invocation.parameters()?;
        parameters.check()?;
        let table = Table::read(invocation, 0..invocation.input_count(), parameters.wanted(Target::Class))?;
        classes::at_least_two(&table.names)?;
        let fitted = fit(invocation, &parameters, &table)?;
        model::write(invocation, &fitted)?;
        let mut found = Vec::with_capacity(table.len());
        for row in table.rows() {
            invocation.checkpoint()?;
            found.push(best(&fitted.votes(row)) as u32);
        }
        Ok(result(&Classification::of(&table.classes, &found)))
    }
}

impl Parameters {
    fn check(&self) -> Result<(), Failure> {
        within("c", self.c, 1e-6..=1e6)?;
        within("gamma", self.gamma.unwrap_or(1.0), 1e-12..=1e12)?;
        within("coef0", self.coef0, -1e6..=1e6)?;
        within("degree", self.degree, 1..=10)?;
        within("tolerance", self.tolerance, 1e-9..=1.0).map(drop)
    }

    /// Without gamma it is `1 / (columns × variance of all numbers)`.
    fn kernel(&self, table: &Table) -> Kernel {
        match self.kernel {
            KernelName::Linear => Kernel::Linear {},
            KernelName::Polynomial => Kernel::Polynomial { coef0: self.coef0, degree: self.degree },
            KernelName::Rbf => Kernel::Rbf { gamma: self.gamma.unwrap_or_else(|| scaled_gamma(table)) },
        }
    }
}

fn scaled_gamma(table: &Table) -> f64 {
    let count = table.values.len() as f64;
    let mean = table.values.iter().sum::<f64>() / count;
    let variance = table.values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    if variance > 0.0 { 1.0 / (table.columns as f64 * variance) } else { 1.0 }
}

/// The most rows in two classes: the solver takes at most 10⁷ steps, each through all of them, and can't be interrupted.
const MAX_ROWS: usize = 5000;

fn fit(invocation: &Invocation<'_>, parameters: &Parameters, table: &Table) -> Result<Svm, Failure> {
    let kernel = parameters.kernel(table);
    let mut machines = Vec::new();
    for first in 0..table.names.len() {
        for second in first + 1..table.names.len() {
            invocation.checkpoint()?;
            machines.push(fit_pair(invocation.memory_limit(), parameters, kernel, table, first, second)?);
        }
    }
    Ok(Svm { classes: table.names.clone(), kernel, machines })
}

fn fit_pair(
    memory: u64,
    parameters: &Parameters,
    kernel: Kernel,
    table: &Table,
    first: usize,
    second: usize,
) -> Result<Machine, Failure> {
    let of_pair = |(_, class): &(&[f64], &u32)| [first, second].contains(&(**class as usize));
    let pairs: Vec<(&[f64], &u32)> = table.rows().zip(&table.classes).filter(of_pair).collect();
    let rows = pairs.len();
    if rows > MAX_ROWS {
        return Err(Failure::function(format!(
            "two classes have {rows} rows, and the function takes at most {MAX_ROWS}"
        )));
    }
    // The library keeps the whole kernel matrix.
    if (rows * rows * size_of::<f64>()) as u64 > memory / 2 {
        return Err(Limit::Memory(memory).into());
    }
    foreign::bounded("rows² × columns", &[rows, rows, table.columns])?;
    foreign::call("the machine could not be trained", || {
        let values: Vec<f64> = pairs.iter().flat_map(|(row, _)| row.iter().copied()).collect();
        let records = Array2::from_shape_vec((rows, table.columns), values).map_err(|error| error.to_string())?;
        let targets: Array1<bool> = pairs.iter().map(|(_, class)| **class as usize == first).collect();
        let machine = solve(parameters, kernel, records, targets)?;
        let weighted = machine.alpha.iter().zip(&pairs).filter(|(weight, _)| weight.abs() > 0.0);
        let (coefficients, vectors) = weighted.map(|(weight, (row, _))| (*weight, row.to_vec())).unzip();
        Ok::<_, String>(Machine { first, second, intercept: -machine.rho, coefficients, vectors })
    })
}

fn solve(
    parameters: &Parameters,
    kernel: Kernel,
    records: Array2<f64>,
    targets: Array1<bool>,
) -> Result<linfa_svm::Svm<f64, bool>, String> {
    // Shrinking is off: with it the library does not put the solution back into the rows' order.
    let machine = linfa_svm::Svm::<f64, bool>::params()
        .pos_neg_weights(parameters.c, parameters.c)
        .eps(parameters.tolerance)
        .shrinking(false);
    let machine = match kernel {
        Kernel::Linear {} => machine.linear_kernel(),
        Kernel::Rbf { gamma } => machine.gaussian_kernel(1.0 / gamma),
        Kernel::Polynomial { coef0, degree } => machine.polynomial_kernel(coef0, f64::from(degree)),
    };
    machine.fit(&DatasetBase::new(records, targets)).map_err(|error| error.to_string())
}
