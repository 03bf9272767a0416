//! Functions that describe rows without labels, and the Gaussian process.

use std::collections::HashMap;

use executor::Output;

use crate::figures::{call, close, expected, file, numbers};

const OWN: Output = Output::Owner(0);

/// Clusters that are well apart have one best partition; centres are means.
#[test]
fn kmeans() {
    let found = call("kmeans", r#"{"k":3}"#, &[file("blobs.csv")]);
    close(&numbers(&found.result["centers"]), &numbers(&expected("kmeans", "centers")), 1e-6);
    close(&numbers(&found.result["inertia"]), &numbers(&expected("kmeans", "inertia")), 1e-6);
    assert_eq!(found.column(OWN, 0), numbers(&expected("kmeans", "labels")));
}

/// The same partition; its numbers may be others.
fn check_partition(found: &[f64], figures: &[f64]) {
    assert_eq!(found.len(), figures.len());
    let mut names: HashMap<i64, i64> = HashMap::from([(-1, -1)]);
    for (found, figure) in found.iter().zip(figures) {
        assert_eq!(names.entry(*found as i64).or_insert(*figure as i64), &(*figure as i64));
    }
    let distinct: std::collections::HashSet<_> = names.values().collect();
    assert_eq!(distinct.len(), names.len());
}

#[test]
fn dbscan() {
    let found = call("dbscan", r#"{"eps":0.25,"min_points":5}"#, &[file("moons.csv")]);
    check_partition(&found.column(OWN, 0), &numbers(&expected("dbscan", "labels")));
    assert_eq!(found.result["clusters"], 2);
    let found = call("dbscan", r#"{"eps":0.1,"min_samples":4}"#, &[file("moons.csv")]);
    let labels = numbers(&expected("dbscan_noise", "labels"));
    check_partition(&found.column(OWN, 0), &labels);
    assert_eq!(found.result["noise"], labels.iter().filter(|label| **label < 0.0).count());
}

/// Rows exactly `eps` apart are neighbours.
#[test]
fn dbscan_takes_rows_at_its_radius() {
    let found = call("dbscan", r#"{"eps":1,"min_points":3}"#, &[b"0\n1\n2\n5\n".to_vec()]);
    assert_eq!(found.column(OWN, 0), [0.0, 0.0, 0.0, -1.0]);
}

/// Expectation maximisation from near the same start goes to the same maximum; ours stops at changes of 10⁻⁹.
#[test]
fn gaussian_mixture() {
    let payload = r#"{"k":3,"tolerance":1e-9,"max_iterations":1000}"#;
    let found = call("gaussian_mixture", payload, &[file("blobs.csv")]);
    let means = found.result["means"].as_array().unwrap();
    let mut order: Vec<usize> = (0..3).collect();
    order.sort_by(|left, right| means[*left][0].as_f64().unwrap().total_cmp(&means[*right][0].as_f64().unwrap()));
    for (what, tolerance) in [("weights", 1e-4), ("means", 1e-4), ("covariances", 1e-3)] {
        let sorted: Vec<f64> = order.iter().flat_map(|at| numbers(&found.result[what][*at])).collect();
        close(&sorted, &numbers(&expected("gaussian_mixture", what)), tolerance);
    }
    check_partition(&found.column(OWN, 0), &numbers(&expected("gaussian_mixture", "labels")));
}

/// A closed form; the kernel matrix has a condition of some 10⁴.
#[test]
fn gaussian_process() {
    let payload = r#"{"length_scale":1.2,"variance":1.5,"noise":0.001}"#;
    let found = call("gaussian_process", payload, &[file("waves.csv"), file("waves_rows.csv")]);
    close(&found.column(Output::Owner(1), 0), &numbers(&expected("gaussian_process", "mean")), 1e-8);
    close(&found.column(Output::Owner(1), 1), &numbers(&expected("gaussian_process", "deviation")), 1e-7);
    let likelihood = numbers(&found.result["log_marginal_likelihood"]);
    close(&likelihood, &numbers(&expected("gaussian_process", "log_marginal_likelihood")), 1e-8);
}

/// A closed form.
#[test]
fn pca() {
    let found = call("pca", r#"{"n":2,"feature_size":4}"#, &[file("iris_rows.csv")]);
    for what in ["components", "explained_variance", "explained_variance_ratio"] {
        close(&numbers(&found.result[what]), &numbers(&expected("pca", what)), 1e-8);
    }
    let scores: Vec<f64> = found.rows(OWN).iter().flatten().map(|score| score.parse().unwrap()).collect();
    close(&scores, &numbers(&expected("pca", "scores")), 1e-8);
}

/// Each owner learns about the own rows.
#[test]
fn every_owner_gets_answers_for_the_own_rows() {
    let whole = call("kmeans", r#"{"k":3}"#, &[file("blobs.csv")]);
    let text = String::from_utf8(file("blobs.csv")).unwrap();
    let (first, second) = text.split_at(text.match_indices('\n').nth(50).unwrap().0 + 1);
    let parts = call("kmeans", r#"{"k":3}"#, &[first.into(), second.into()]);
    assert_eq!(parts.result, whole.result);
    let together = [parts.column(OWN, 0), parts.column(Output::Owner(1), 0)].concat();
    assert_eq!(together, whole.column(OWN, 0));
    assert_eq!(parts.column(OWN, 0).len(), 51);
}
