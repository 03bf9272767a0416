//! `naive_bayes_train`: Gaussian naive Bayes.

use executor::{Failure, Function, Interface, Invocation};
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::naive_bayes::gaussian::GaussianNB;

use crate::answer::best;
use crate::metrics::{Classification, result};
use crate::naive_bayes::NaiveBayes;
use crate::parameters::{parameters, within};
use crate::table::{Table, Target};
use crate::{classes, foreign, interface, model};

pub(crate) struct NaiveBayesTrain;

static INTERFACE: Interface = interface::trains(
    "naive_bayes_train",
    "learns to tell classes apart (Gaussian naive Bayes)",
    include_str!("schema/naive_bayes_train.json"),
);

parameters!(labelled Parameters {
    var_smoothing: f64 = 1e-9,
});

impl Function for NaiveBayesTrain {
    fn interface(&self) -> &Interface {
        &INTERFACE
    }

    fn run(&self, invocation: &mut Invocation<'_>) -> Result<String, Failure> {
        let parameters: Parameters = invocation.parameters()?;
        within("var_smoothing", parameters.var_smoothing, 1e-300..=1e9)?;
        let table = Table::read(invocation, 0..invocation.input_count(), parameters.wanted(Target::Class))?;
        classes::at_least_two(&table.names)?;
        let fitted = fit(parameters.var_smoothing, &table)?;
        model::write(invocation, &fitted)?;
        let found: Vec<u32> = table.rows().map(|row| best(&fitted.probabilities(row)) as u32).collect();
        Ok(result(&Classification::of(&table.classes, &found)))
    }
}

fn fit(smoothing: f64, table: &Table) -> Result<NaiveBayes, Failure> {
    foreign::bounded("rows × columns", &[table.len(), table.columns])?;
    let floor = smoothing * highest_variance(table);
    if floor <= 0.0 {
        return Err(Failure::function("all rows are the same"));
    }
    foreign::call("the table has no naive Bayes model", || {
        let matrix = DenseMatrix::new(table.len(), table.columns, table.values.clone(), false)?;
        let fitted = GaussianNB::fit(&matrix, &table.classes, Default::default())?;
        let smooth = |of: &Vec<f64>| of.iter().map(|variance| variance + floor).collect();
        Ok::<_, smartcore::error::Failed>(NaiveBayes {
            classes: fitted.classes().iter().map(|class| table.names[*class as usize].clone()).collect(),
            priors: fitted.class_priors().clone(),
            means: fitted.theta().clone(),
            variances: fitted.var().iter().map(smooth).collect(),
        })
    })
}

/// Of all columns over all rows: what makes the smoothing independent of units.
fn highest_variance(table: &Table) -> f64 {
    let rows = table.len() as f64;
    let variance = |column: usize| {
        let values = || table.values.iter().skip(column).step_by(table.columns);
        let mean = values().sum::<f64>() / rows;
        values().map(|value| (value - mean).powi(2)).sum::<f64>() / rows
    };
    (0..table.columns).map(variance).fold(0.0, f64::max)
}
