//! `logistic_regression_train`: logistic regression with an L2 penalty, by L-BFGS; softmax for more than two classes.

use executor::{Failure, Function, Interface, Invocation};
use linfa::DatasetBase;
use linfa::traits::Fit;
use ndarray::{Array1, Array2};

use crate::answer::best;
use crate::logistic_regression::LogisticRegression;
use crate::metrics::{Classification, result};
use crate::parameters::{parameters, within};
use crate::table::{Table, Target};
use crate::{classes, foreign, interface, model};

pub(crate) struct LogisticRegressionTrain;

static INTERFACE: Interface = interface::trains(
    "logistic_regression_train",
    "learns to tell classes apart (logistic regression)",
    include_str!("schema/logistic_regression_train.json"),
);

parameters!(labelled Parameters {
    alpha: f64 = 1.0,
    #[serde(alias = "alg_iters")]
    max_iterations: u64 = 200,
    tolerance: f64 = 1e-6,
});

impl Function for LogisticRegressionTrain {
    fn interface(&self) -> &Interface {
        &INTERFACE
    }

    fn run(&self, invocation: &mut Invocation<'_>) -> Result<String, Failure> {
        let parameters: Parameters = invocation.parameters()?;
        within("alpha", parameters.alpha, 0.0..=1e9)?;
        within("max_iterations", parameters.max_iterations, 1..=10_000)?;
        within("tolerance", parameters.tolerance, 1e-12..=1.0)?;
        let table = Table::read(invocation, 0..invocation.input_count(), parameters.wanted(Target::Class))?;
        classes::at_least_two(&table.names)?;
        let fitted = fit(&parameters, &table)?;
        model::write(invocation, &fitted)?;
        let found: Vec<u32> = table.rows().map(|row| best(&fitted.probabilities(row)) as u32).collect();
        Ok(result(&Classification::of(&table.classes, &found)))
    }
}

fn fit(parameters: &Parameters, table: &Table) -> Result<LogisticRegression, Failure> {
    let iterations = usize::try_from(parameters.max_iterations).unwrap_or(usize::MAX);
    let what = "rows × columns × classes × max_iterations";
    foreign::bounded(what, &[table.len(), table.columns, table.names.len(), iterations])?;
    foreign::call("the regression did not converge; scale the columns, or raise alpha", || {
        let records = Array2::from_shape_vec((table.len(), table.columns), table.values.clone())
            .map_err(|error| error.to_string())?;
        if table.names.len() == 2 { two(parameters, table, records) } else { several(parameters, table, records) }
    })
}

fn two(parameters: &Parameters, table: &Table, records: Array2<f64>) -> Result<LogisticRegression, String> {
    let targets: Array1<u32> = table.classes.clone().into();
    let fitted = linfa_logistic::LogisticRegression::default()
        .alpha(parameters.alpha)
        .max_iterations(parameters.max_iterations)
        .gradient_tolerance(parameters.tolerance)
        .fit(&DatasetBase::new(records, targets))
        .map_err(|error| error.to_string())?;
    // The library may count either class as the positive one.
    let sign = if fitted.labels().pos.class == 1 { 1.0 } else { -1.0 };
    Ok(LogisticRegression {
        classes: table.names.clone(),
        coefficients: vec![fitted.params().iter().map(|weight| weight * sign).collect()],
        intercepts: vec![fitted.intercept() * sign],
    })
}

fn several(parameters: &Parameters, table: &Table, records: Array2<f64>) -> Result<LogisticRegression, String> {
    let targets: Array1<u32> = table.classes.clone().into();
    let fitted = linfa_logistic::MultiLogisticRegression::default()
        .alpha(parameters.alpha)
        .max_iterations(parameters.max_iterations)
        .gradient_tolerance(parameters.tolerance)
        .fit(&DatasetBase::new(records, targets))
        .map_err(|error| error.to_string())?;
    let column_of = |class: &u32| table.names[*class as usize].clone();
    Ok(LogisticRegression {
        classes: fitted.classes().iter().map(column_of).collect(),
        coefficients: fitted.params().columns().into_iter().map(|column| column.to_vec()).collect(),
        intercepts: fitted.intercept().to_vec(),
    })
}
