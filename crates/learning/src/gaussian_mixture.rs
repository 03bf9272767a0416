//! `gaussian_mixture`: clusters as normal distributions with full covariances (expectation maximisation).

use executor::{Failure, Function, Interface, Invocation, Limit, Output};
use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_clustering::GaussianMixtureModel;
use ndarray::Array2;
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::SeedableRng;
use serde::Serialize;

use crate::answer::{Answer, best, look};
use crate::metrics::result;
use crate::parameters::{parameters, within};
use crate::table::{Table, Wanted};
use crate::{foreign, interface};

pub(crate) struct GaussianMixture;

static INTERFACE: Interface = interface::describes(
    "gaussian_mixture",
    "finds clusters that are normally distributed",
    include_str!("schema/gaussian_mixture.json"),
);

parameters!(Parameters {
    #[serde(alias = "n_components")]
    k: usize = 1,
    #[serde(alias = "max_iter_num")]
    max_iterations: u64 = 100,
    tolerance: f64 = 1e-3,
    n_runs: u64 = 1,
    reg_covar: f64 = 1e-6,
    seed: u64 = 0,
    #[serde(alias = "input_model_columns")]
    feature_size: Option<usize> = None,
    header: Option<bool> = None,
});

#[derive(Serialize)]
struct Mixture {
    weights: Vec<f64>,
    means: Vec<Vec<f64>>,
    covariances: Vec<Vec<Vec<f64>>>,
}

impl Function for GaussianMixture {
    fn interface(&self) -> &Interface {
        &INTERFACE
    }

    fn run(&self, invocation: &mut Invocation<'_>) -> Result<String, Failure> {
        let parameters: Parameters = invocation.parameters()?;
        parameters.check()?;
        let wanted = Wanted { header: parameters.header, features: parameters.feature_size, ..Wanted::default() };
        let table = Table::read(invocation, 0..invocation.input_count(), wanted)?;
        if table.len() < parameters.k {
            return Err(Failure::payload("k", "there are not so many rows"));
        }
        let iterations = usize::try_from(parameters.max_iterations * parameters.n_runs).unwrap_or(usize::MAX);
        let what = "rows × columns² × k × max_iterations × n_runs";
        foreign::bounded(what, &[table.len(), table.columns, table.columns, parameters.k, iterations])?;
        refuse_large(invocation.memory_limit(), &table, parameters.k)?;
        let mixture = fit(&parameters, &table)?;
        answer(invocation, &table, &mixture)?;
        Ok(result(&describe(&mixture)))
    }
}

impl Parameters {
    fn check(&self) -> Result<(), Failure> {
        within("k", self.k, 1..=1000)?;
        within("max_iterations", self.max_iterations, 1..=100_000)?;
        within("tolerance", self.tolerance, 1e-12..=1e6)?;
        within("n_runs", self.n_runs, 1..=1000)?;
        within("reg_covar", self.reg_covar, 0.0..=1e6).map(drop)
    }
}

/// The library works on a few matrices of rows × k and of k × columns².
fn refuse_large(memory: u64, table: &Table, k: usize) -> Result<(), Failure> {
    let numbers = (table.len() as u128 + (table.columns as u128).pow(2)) * k as u128;
    if numbers * size_of::<f64>() as u128 > u128::from(memory) / 8 { Err(Limit::Memory(memory).into()) } else { Ok(()) }
}

fn fit(parameters: &Parameters, table: &Table) -> Result<GaussianMixtureModel<f64>, Failure> {
    foreign::call("no mixture was found: fewer clusters, more iterations or a higher reg_covar may help", || {
        let records = Array2::from_shape_vec((table.len(), table.columns), table.values.clone())
            .map_err(|error| error.to_string())?;
        let generator = Xoshiro256Plus::seed_from_u64(parameters.seed);
        GaussianMixtureModel::params_with_rng(parameters.k, generator)
            .n_runs(parameters.n_runs)
            .max_n_iterations(parameters.max_iterations)
            .tolerance(parameters.tolerance)
            .reg_covariance(parameters.reg_covar)
            .fit(&DatasetBase::from(records))
            .map_err(|error| error.to_string())
    })
}

fn describe(mixture: &GaussianMixtureModel<f64>) -> Mixture {
    let rows = |matrix: &Array2<f64>| matrix.rows().into_iter().map(|row| row.to_vec()).collect();
    Mixture {
        weights: mixture.weights().to_vec(),
        means: rows(mixture.means()),
        covariances: mixture.covariances().outer_iter().map(|matrix| rows(&matrix.to_owned())).collect(),
    }
}

fn answer(invocation: &mut Invocation<'_>, table: &Table, mixture: &GaussianMixtureModel<f64>) -> Result<(), Failure> {
    let names: Vec<String> = (0..mixture.weights().len()).map(|cluster| format!("probability_{cluster}")).collect();
    let mut rows = table.rows();
    for (file, count) in table.rows_of_files.iter().enumerate() {
        let columns = std::iter::once("cluster").chain(names.iter().map(String::as_str));
        let mut answer = Answer::create(invocation, Output::Owner(file), columns)?;
        for (number, row) in rows.by_ref().take(*count).enumerate() {
            look(invocation, number)?;
            let row = Array2::from_shape_vec((1, row.len()), row.to_vec());
            let probabilities = foreign::call("a row has no probability", || {
                row.map(|row| mixture.predict_proba(&row).into_raw_vec_and_offset().0)
            })?;
            let cluster = best(&probabilities).to_string();
            answer.row(std::iter::once(cluster).chain(probabilities.iter().map(f64::to_string)))?;
        }
        answer.finish()?;
    }
    Ok(())
}
