//! `pca`: rows in fewer columns, the directions in which they vary most (principal components analysis).

use executor::{Failure, Function, Interface, Invocation, Output};
use serde::Serialize;
use smartcore::decomposition::pca::{PCA, PCAParameters};
use smartcore::linalg::basic::arrays::Array;
use smartcore::linalg::basic::matrix::DenseMatrix;

use crate::answer::{Answer, look};
use crate::linear_regression::dot;
use crate::metrics::result;
use crate::parameters::{parameters, within};
use crate::table::{Table, Wanted};
use crate::{foreign, interface};

pub(crate) struct Pca;

static INTERFACE: Interface = interface::describes(
    "pca",
    "reduces rows to the directions in which they vary most",
    include_str!("schema/pca.json"),
);

parameters!(Parameters {
    #[serde(alias = "n")]
    n_components: usize = 2,
    feature_size: Option<usize> = None,
    header: Option<bool> = None,
});

/// What was found; a component's largest weight is positive, so that its direction is defined.
#[derive(Serialize)]
struct Components {
    mean: Vec<f64>,
    components: Vec<Vec<f64>>,
    explained_variance: Vec<f64>,
    explained_variance_ratio: Vec<f64>,
}

impl Function for Pca {
    fn interface(&self) -> &Interface {
        &INTERFACE
    }

    fn run(&self, invocation: &mut Invocation<'_>) -> Result<String, Failure> {
        let parameters: Parameters = invocation.parameters()?;
        within("n_components", parameters.n_components, 1..=10_000)?;
        let wanted = Wanted { header: parameters.header, features: parameters.feature_size, ..Wanted::default() };
        let table = Table::read(invocation, 0..invocation.input_count(), wanted)?;
        if parameters.n_components > table.columns.min(table.len()) {
            return Err(Failure::payload("n_components", "there are not so many columns, or not so many rows"));
        }
        if table.len() < 2 {
            return Err(Failure::function("there must be two rows or more"));
        }
        foreign::bounded("rows × columns²", &[table.len(), table.columns, table.columns])?;
        let mean = means(&table);
        let components = fit(parameters.n_components, &table)?;
        let found = describe(&table, mean, components);
        answer(invocation, &table, &found)?;
        Ok(result(&found))
    }
}

fn means(table: &Table) -> Vec<f64> {
    let mut sums = vec![0.0; table.columns];
    for row in table.rows() {
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    sums.iter().map(|sum| sum / table.len() as f64).collect()
}

fn fit(count: usize, table: &Table) -> Result<Vec<Vec<f64>>, Failure> {
    foreign::call("the components could not be found", || {
        let matrix = DenseMatrix::new(table.len(), table.columns, table.values.clone(), false)?;
        let fitted = PCA::fit(&matrix, PCAParameters::default().with_n_components(count))?;
        let (rows, columns) = fitted.components().shape();
        let weight = |row, column| *fitted.components().get((row, column));
        let components: Vec<Vec<f64>> =
            (0..columns).map(|column| directed((0..rows).map(|row| weight(row, column)).collect())).collect();
        let finite = components.iter().flatten().all(|weight: &f64| weight.is_finite());
        if finite { Ok(components) } else { Err(smartcore::error::Failed::fit("not finite")) }
    })
}

fn directed(mut component: Vec<f64>) -> Vec<f64> {
    let largest =
        component.iter().copied().fold(0.0, |most: f64, weight| if weight.abs() > most.abs() { weight } else { most });
    if largest < 0.0 {
        component.iter_mut().for_each(|weight| *weight = -*weight);
    }
    component
}

fn describe(table: &Table, mean: Vec<f64>, components: Vec<Vec<f64>>) -> Components {
    let mut explained = vec![0.0; components.len()];
    let mut total = 0.0;
    for row in table.rows() {
        let centered: Vec<f64> = row.iter().zip(&mean).map(|(value, mean)| value - mean).collect();
        total += dot(&centered, &centered);
        explained.iter_mut().zip(&components).for_each(|(sum, of)| *sum += dot(of, &centered).powi(2));
    }
    let ratio = |sum: &f64| if total > 0.0 { sum / total } else { 0.0 };
    Components {
        explained_variance_ratio: explained.iter().map(ratio).collect(),
        explained_variance: explained.iter().map(|sum| sum / (table.len() - 1) as f64).collect(),
        mean,
        components,
    }
}

fn answer(invocation: &mut Invocation<'_>, table: &Table, found: &Components) -> Result<(), Failure> {
    let names: Vec<String> = (1..=found.components.len()).map(|number| format!("component_{number}")).collect();
    let mut rows = table.rows();
    for (file, count) in table.rows_of_files.iter().enumerate() {
        let mut answer = Answer::create(invocation, Output::Owner(file), &names)?;
        for (number, row) in rows.by_ref().take(*count).enumerate() {
            look(invocation, number)?;
            let centered: Vec<f64> = row.iter().zip(&found.mean).map(|(value, mean)| value - mean).collect();
            answer.row(found.components.iter().map(|component| dot(component, &centered)))?;
        }
        answer.finish()?;
    }
    Ok(())
}
