//! The built-in functions that learn from tables, apply models and read images; one file each, pure over the
//! executor's [`Invocation`](executor::Invocation).
//!
//! ```text
//! CSV or Parquet ─▶ table ─▶ X_train ─▶ model (JSON of ours, versioned) ─▶ X_predict ─▶ CSV
//! ```
//!
//! The mathematics is linfa's and smartcore's; what is ours is what strangers' files go through before and after it:
//! tables and models are read within [`Limits::memory`](executor::Limits::memory), work that can't be interrupted is
//! bounded before it starts, and equal inputs and parameters give equal outputs.

mod answer;
mod classes;
mod dbscan;
mod foreign;
mod gaussian_mixture;
mod gaussian_process;
mod gbdt;
mod gbdt_predict;
mod gbdt_train;
mod image_resize;
mod interface;
mod kmeans;
mod linear_regression;
mod linear_regression_predict;
mod linear_regression_train;
mod logistic_regression;
mod logistic_regression_predict;
mod logistic_regression_train;
mod metrics;
mod model;
mod naive_bayes;
mod naive_bayes_predict;
mod naive_bayes_train;
mod neural_net;
mod neural_net_predict;
mod neural_net_train;
mod onnx_predict;
mod parameters;
mod pca;
mod pixels;
mod svm;
mod svm_predict;
mod svm_train;
mod table;

use std::sync::Arc;

use executor::Function;

/// Every built-in function of this crate, by name.
pub fn builtins() -> Vec<Arc<dyn Function>> {
    vec![
        Arc::new(dbscan::Dbscan),
        Arc::new(gaussian_mixture::GaussianMixture),
        Arc::new(gaussian_process::GaussianProcess),
        Arc::new(gbdt_predict::GbdtPredict),
        Arc::new(gbdt_train::GbdtTrain),
        Arc::new(image_resize::ImageResize),
        Arc::new(kmeans::Kmeans),
        Arc::new(linear_regression_predict::LinearRegressionPredict),
        Arc::new(linear_regression_train::LinearRegressionTrain),
        Arc::new(logistic_regression_predict::LogisticRegressionPredict),
        Arc::new(logistic_regression_train::LogisticRegressionTrain),
        Arc::new(naive_bayes_predict::NaiveBayesPredict),
        Arc::new(naive_bayes_train::NaiveBayesTrain),
        Arc::new(neural_net_predict::NeuralNetPredict),
        Arc::new(neural_net_train::NeuralNetTrain),
        Arc::new(onnx_predict::OnnxPredict),
        Arc::new(pca::Pca),
        Arc::new(svm_predict::SvmPredict),
        Arc::new(svm_train::SvmTrain),
    ]
}
