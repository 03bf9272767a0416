//! The model of `neural_net_train`.

use serde::{Deserialize, Serialize};

use crate::classes;
use crate::linear_regression::{MAX_COLUMNS, dot};
use crate::logistic_regression::softmax;
use crate::model::{self, Model};

/// A multilayer perceptron between two changes of scale.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NeuralNet {
    /// None for a regression.
    pub(crate) classes: Vec<String>,
    pub(crate) activation: Activation,
    /// What goes in is `(x − mean) / scale`, column by column.
    pub(crate) mean: Vec<f64>,
    pub(crate) scale: Vec<f64>,
    /// What comes out of a regression is `y · target_scale + target_mean`.
    pub(crate) target_mean: f64,
    pub(crate) target_scale: f64,
    pub(crate) layers: Vec<Layer>,
}

/// For each of its units the weights of all inputs, and a bias.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Layer {
    pub(crate) weights: Vec<Vec<f64>>,
    pub(crate) biases: Vec<f64>,
}

/// What hidden units do with their sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Activation {
    Relu,
    Tanh,
    Logistic,
}

impl Activation {
    pub(crate) fn of(self, sum: f64) -> f64 {
        match self {
            Activation::Relu => sum.max(0.0),
            Activation::Tanh => sum.tanh(),
            Activation::Logistic => 1.0 / (1.0 + (-sum).exp()),
        }
    }

    /// The derivative, from the activation.
    pub(crate) fn slope(self, active: f64) -> f64 {
        match self {
            Activation::Relu => f64::from(u8::from(active > 0.0)),
            Activation::Tanh => 1.0 - active * active,
            Activation::Logistic => active * (1.0 - active),
        }
    }
}

/// The most layers of a model.
const MAX_LAYERS: usize = 32;

impl Model for NeuralNet {
    const FORMAT: &'static str = "teehouse/neural_net/1";

    fn check(&self) -> Result<(), &'static str> {
        if !self.classes.is_empty() {
            classes::check(&self.classes)?;
        }
        if !(1..=MAX_COLUMNS).contains(&self.mean.len()) || self.scale.len() != self.mean.len() {
            return Err("its parts do not fit together");
        }
        if !(1..=MAX_LAYERS).contains(&self.layers.len()) {
            return Err("it has no layers, or too many");
        }
        let mut width = self.mean.len();
        for layer in &self.layers {
            model::rows_of(&layer.weights, layer.biases.len(), width)?;
            model::finite(&layer.biases)?;
            width = layer.biases.len();
        }
        if width != self.classes.len().max(1) {
            return Err("its last layer has another width");
        }
        model::finite(self.mean.iter().chain([&self.target_mean, &self.target_scale]))?;
        if self.scale.iter().all(|scale| *scale > 0.0 && scale.is_finite()) {
            Ok(())
        } else {
            Err("a scale is not positive")
        }
    }
}

impl NeuralNet {
    pub(crate) fn columns(&self) -> usize {
        self.mean.len()
    }

    /// A regression's answer.
    pub(crate) fn value(&self, row: &[f64]) -> f64 {
        self.last_sums(row).first().map_or(0.0, |sum| sum * self.target_scale + self.target_mean)
    }

    /// One for each class; they add up to 1.
    pub(crate) fn probabilities(&self, row: &[f64]) -> Vec<f64> {
        let mut scores = self.last_sums(row);
        softmax(&mut scores);
        scores
    }

    fn last_sums(&self, row: &[f64]) -> Vec<f64> {
        let columns = row.iter().zip(&self.mean).zip(&self.scale);
        let mut signals: Vec<f64> = columns.map(|((value, mean), scale)| (value - mean) / scale).collect();
        for (number, layer) in self.layers.iter().enumerate() {
            let sums = layer.weights.iter().zip(&layer.biases).map(|(weights, bias)| dot(weights, &signals) + bias);
            let last = number + 1 == self.layers.len();
            signals = sums.map(|sum| if last { sum } else { self.activation.of(sum) }).collect();
        }
        signals
    }
}
