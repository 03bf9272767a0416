//! `dbscan`: clusters of dense rows, and rows that are noise (Ester, Kriegel, Sander and Xu 1996).

use executor::{Failure, Function, Interface, Invocation, Output};
use linfa::ParamGuard;
use linfa::traits::Transformer;
use ndarray::Array2;
use serde::Serialize;

use crate::answer::{Answer, look};
use crate::metrics::result;
use crate::parameters::{parameters, within};
use crate::table::{Table, Wanted};
use crate::{foreign, interface};

pub(crate) struct Dbscan;

static INTERFACE: Interface =
    interface::describes("dbscan", "finds clusters of dense rows, and noise", include_str!("schema/dbscan.json"));

parameters!(Parameters {
    eps: f64 = 0.5,
    #[serde(alias = "min_samples")]
    min_points: usize = 5,
    #[serde(alias = "input_model_columns")]
    feature_size: Option<usize> = None,
    header: Option<bool> = None,
});

#[derive(Serialize)]
struct Clusters {
    clusters: usize,
    noise: usize,
}

impl Function for Dbscan {
    fn interface(&self) -> &Interface {
        &INTERFACE
    }

    fn run(&self, invocation: &mut Invocation<'_>) -> Result<String, Failure> {
        let parameters: Parameters = invocation.parameters()?;
        within("eps", parameters.eps, 1e-12..=1e12)?;
        within("min_points", parameters.min_points, 2..=1_000_000)?;
        let wanted = Wanted { header: parameters.header, features: parameters.feature_size, ..Wanted::default() };
        let table = Table::read(invocation, 0..invocation.input_count(), wanted)?;
        foreign::bounded("rows² × columns", &[table.len(), table.len(), table.columns])?;
        let labels = fit(&parameters, &table)?;
        answer(invocation, &table, &labels)?;
        let clusters = labels.iter().flatten().max().map_or(0, |last| last + 1);
        Ok(result(&Clusters { clusters, noise: labels.iter().filter(|label| label.is_none()).count() }))
    }
}

/// For each row its cluster, numbered by their first row, or none.
fn fit(parameters: &Parameters, table: &Table) -> Result<Vec<Option<usize>>, Failure> {
    // The library takes rows nearer than the tolerance; by its definition, the tolerance itself is near enough.
    let tolerance = parameters.eps.next_up();
    foreign::call("no clusters were found", || {
        let records = Array2::from_shape_vec((table.len(), table.columns), table.values.clone())
            .map_err(|error| error.to_string())?;
        let dbscan = linfa_clustering::Dbscan::params(parameters.min_points).tolerance(tolerance);
        let dbscan = dbscan.check().map_err(|error| error.to_string())?;
        Ok::<_, String>(dbscan.transform(&records).to_vec())
    })
}

/// Noise is −1.
fn answer(invocation: &mut Invocation<'_>, table: &Table, labels: &[Option<usize>]) -> Result<(), Failure> {
    let mut labels = labels.iter();
    for (file, count) in table.rows_of_files.iter().enumerate() {
        let mut answer = Answer::create(invocation, Output::Owner(file), ["cluster"])?;
        for (number, label) in labels.by_ref().take(*count).enumerate() {
            look(invocation, number)?;
            answer.row([label.map_or_else(|| "-1".to_owned(), |label| label.to_string())])?;
        }
        answer.finish()?;
    }
    Ok(())
}
