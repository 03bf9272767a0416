//! `kmeans`: clusters around k centres (Lloyd's algorithm, k-means++), the best of several starts.

use executor::{Failure, Function, Interface, Invocation, Output};
use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_clustering::{KMeans, KMeansInit};
use ndarray::Array2;
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::SeedableRng;
use serde::Serialize;

use crate::answer::{Answer, look};
use crate::metrics::result;
use crate::parameters::{parameters, within};
use crate::svm::squared_distance;
use crate::table::{Table, Wanted};
use crate::{foreign, interface};

pub(crate) struct Kmeans;

static INTERFACE: Interface =
    interface::describes("kmeans", "finds clusters around k centres", include_str!("schema/kmeans.json"));

parameters!(Parameters {
    #[serde(alias = "n_clusters")]
    k: usize = 8,
    max_iterations: u64 = 300,
    tolerance: f64 = 1e-6,
    n_runs: u64 = 10,
    seed: u64 = 0,
    #[serde(alias = "feature_num")]
    feature_size: Option<usize> = None,
    header: Option<bool> = None,
});

#[derive(Serialize)]
struct Clusters {
    centers: Vec<Vec<f64>>,
    sizes: Vec<usize>,
    inertia: f64,
}

impl Function for Kmeans {
    fn interface(&self) -> &Interface {
        &INTERFACE
    }

    fn run(&self, invocation: &mut Invocation<'_>) -> Result<String, Failure> {
        let parameters: Parameters = invocation.parameters()?;
        within("k", parameters.k, 1..=10_000)?;
        within("max_iterations", parameters.max_iterations, 1..=100_000)?;
        within("tolerance", parameters.tolerance, 1e-12..=1e6)?;
        within("n_runs", parameters.n_runs, 1..=1000)?;
        let wanted = Wanted { header: parameters.header, features: parameters.feature_size, ..Wanted::default() };
        let table = Table::read(invocation, 0..invocation.input_count(), wanted)?;
        if table.len() < parameters.k {
            return Err(Failure::payload("k", "there are not so many rows"));
        }
        foreign::bounded("rows × columns × k", &[table.len(), table.columns, parameters.k])?;
        let clusters = fit(invocation, &parameters, &table)?;
        answer(invocation, &table, &clusters.centers)?;
        Ok(result(&clusters))
    }
}

type Dataset = DatasetBase<Array2<f64>, ndarray::Array1<()>>;

/// The start with the lowest inertia.
fn fit(invocation: &Invocation<'_>, parameters: &Parameters, table: &Table) -> Result<Clusters, Failure> {
    let records = Array2::from_shape_vec((table.len(), table.columns), table.values.clone());
    let records = records.map_err(|_| Failure::function("the table is not a matrix"))?;
    let dataset: Dataset = DatasetBase::from(records);
    let mut generator = Xoshiro256Plus::seed_from_u64(parameters.seed);
    let mut best: Option<Clusters> = None;
    for _ in 0..parameters.n_runs {
        let centers = settle(invocation, parameters, &dataset, generator.clone())?;
        generator.jump();
        let clusters = describe(table, centers);
        if best.as_ref().is_none_or(|best| clusters.inertia < best.inertia) {
            best = Some(clusters);
        }
    }
    best.ok_or_else(|| Failure::payload("n_runs", "must be from 1 to 1000"))
}

/// One step of the library at a time, so that the run can be stopped.
fn settle(
    invocation: &Invocation<'_>,
    parameters: &Parameters,
    dataset: &Dataset,
    generator: Xoshiro256Plus,
) -> Result<Array2<f64>, Failure> {
    let mut start = KMeansInit::KMeansPlusPlus;
    let mut before: Option<Array2<f64>> = None;
    for _ in 0..parameters.max_iterations {
        invocation.checkpoint()?;
        let step = KMeans::params_with_rng(parameters.k, generator.clone())
            .n_runs(1)
            .max_n_iterations(1)
            .tolerance(parameters.tolerance)
            .init_method(start);
        let found = foreign::call("no clusters were found", || step.fit(dataset))?;
        let centers = found.centroids().clone();
        let moved = before.as_ref().map_or(f64::INFINITY, |before| (before - &centers).mapv(|by| by * by).sum());
        if moved.sqrt() < parameters.tolerance {
            return Ok(centers);
        }
        before = Some(centers.clone());
        start = KMeansInit::Precomputed(centers);
    }
    before.ok_or_else(|| Failure::payload("max_iterations", "must be from 1 to 100000"))
}

fn describe(table: &Table, centers: Array2<f64>) -> Clusters {
    let mut centers: Vec<Vec<f64>> = centers.rows().into_iter().map(|row| row.to_vec()).collect();
    centers.sort_by(|left, right| left.partial_cmp(right).unwrap_or(std::cmp::Ordering::Equal));
    let (mut sizes, mut inertia) = (vec![0; centers.len()], 0.0);
    for row in table.rows() {
        let (nearest, distance) = nearest(&centers, row);
        sizes[nearest] += 1;
        inertia += distance;
    }
    Clusters { centers, sizes, inertia }
}

/// The nearest centre and the square of its distance.
fn nearest(centers: &[Vec<f64>], row: &[f64]) -> (usize, f64) {
    let distances = centers.iter().map(|center| squared_distance(center, row)).enumerate();
    distances.fold((0, f64::INFINITY), |best, (at, distance)| if distance < best.1 { (at, distance) } else { best })
}

fn answer(invocation: &mut Invocation<'_>, table: &Table, centers: &[Vec<f64>]) -> Result<(), Failure> {
    let mut rows = table.rows();
    for (file, count) in table.rows_of_files.iter().enumerate() {
        let mut answer = Answer::create(invocation, Output::Owner(file), ["cluster"])?;
        for (number, row) in rows.by_ref().take(*count).enumerate() {
            look(invocation, number)?;
            answer.row([nearest(centers, row).0])?;
        }
        answer.finish()?;
    }
    Ok(())
}
