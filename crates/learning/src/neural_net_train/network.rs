//! A network while it learns.

use ndarray::{Array1, Array2, Axis, Zip};
use rand_xoshiro::rand_core::RngCore;

use crate::neural_net::{Activation, Layer};

/// Adam's constants, as its authors set them.
const DECAYS: (f64, f64) = (0.9, 0.999);
const EPSILON: f64 = 1e-8;

pub(super) struct Network {
    activation: Activation,
    /// Whether the last sums are the answer; else their softmax is.
    regression: bool,
    layers: Vec<Trained>,
    steps: i32,
}

/// A layer's weights (inputs × units) and biases, each with Adam's two moments.
struct Trained {
    weights: [Array2<f64>; 3],
    biases: [Array1<f64>; 3],
}

impl Network {
    /// Weights are uniform within Glorot's and Bengio's bound (2010), biases 0.
    pub(super) fn new(
        widths: &[usize],
        activation: Activation,
        regression: bool,
        generator: &mut impl RngCore,
    ) -> Self {
        let layers = widths.windows(2).map(|pair| {
            let bound = (6.0 / (pair[0] + pair[1]) as f64).sqrt();
            let weights = Array2::from_shape_fn((pair[0], pair[1]), |_| bound * (2.0 * uniform(generator) - 1.0));
            let zeros = || Array2::zeros((pair[0], pair[1]));
            Trained { weights: [weights, zeros(), zeros()], biases: [0, 1, 2].map(|_| Array1::zeros(pair[1])) }
        });
        Self { activation, regression, layers: layers.collect(), steps: 0 }
    }

    /// One step down the loss of a batch: cross-entropy or half the mean squared error, and `alpha / 2 · ‖weights‖²`
    /// for each row of the batch together.
    pub(super) fn step(&mut self, inputs: Array2<f64>, goals: &Array2<f64>, rate: f64, alpha: f64) {
        let gradients = self.gradients(inputs, goals, alpha);
        self.steps = self.steps.saturating_add(1);
        let corrections = (1.0 - DECAYS.0.powi(self.steps), 1.0 - DECAYS.1.powi(self.steps));
        let rate = rate * corrections.1.sqrt() / corrections.0;
        for (layer, (weights, biases)) in self.layers.iter_mut().zip(&gradients) {
            let [values, means, squares] = &mut layer.weights;
            Zip::from(values).and(means).and(squares).and(weights).for_each(|value, mean, square, gradient| {
                adam(rate, value, mean, square, *gradient);
            });
            let [values, means, squares] = &mut layer.biases;
            Zip::from(values).and(means).and(squares).and(biases).for_each(|value, mean, square, gradient| {
                adam(rate, value, mean, square, *gradient);
            });
        }
    }

    /// Of weights and biases, layer by layer.
    fn gradients(&self, inputs: Array2<f64>, goals: &Array2<f64>, alpha: f64) -> Vec<(Array2<f64>, Array1<f64>)> {
        let rows = inputs.nrows() as f64;
        let signals = self.forward(inputs);
        let mut gradients = Vec::with_capacity(self.layers.len());
        let mut errors = (&signals[self.layers.len()] - goals) / rows;
        for (number, layer) in self.layers.iter().enumerate().rev() {
            let weights = signals[number].t().dot(&errors) + &layer.weights[0] * (alpha / rows);
            let biases = errors.sum_axis(Axis(0));
            if number > 0 {
                let slopes = signals[number].mapv(|active| self.activation.slope(active));
                errors = errors.dot(&layer.weights[0].t()) * slopes;
            }
            gradients.push((weights, biases));
        }
        gradients.reverse();
        gradients
    }

    /// What goes into each layer, and the answer.
    fn forward(&self, inputs: Array2<f64>) -> Vec<Array2<f64>> {
        let mut signals = vec![inputs];
        for (number, layer) in self.layers.iter().enumerate() {
            let mut sums = signals[number].dot(&layer.weights[0]) + &layer.biases[0];
            if number + 1 < self.layers.len() {
                sums.mapv_inplace(|sum| self.activation.of(sum));
            } else if !self.regression {
                softmax_rows(&mut sums);
            }
            signals.push(sums);
        }
        signals
    }

    pub(super) fn into_layers(self) -> Vec<Layer> {
        let layer = |layer: Trained| Layer {
            weights: layer.weights[0].columns().into_iter().map(|unit| unit.to_vec()).collect(),
            biases: layer.biases[0].to_vec(),
        };
        self.layers.into_iter().map(layer).collect()
    }
}

fn softmax_rows(sums: &mut Array2<f64>) {
    for mut row in sums.rows_mut() {
        let highest = row.fold(f64::NEG_INFINITY, |most, sum| most.max(*sum));
        row.mapv_inplace(|sum| (sum - highest).exp());
        let total = row.sum();
        row /= total;
    }
}

fn adam(rate: f64, value: &mut f64, mean: &mut f64, square: &mut f64, gradient: f64) {
    *mean = DECAYS.0 * *mean + (1.0 - DECAYS.0) * gradient;
    *square = DECAYS.1 * *square + (1.0 - DECAYS.1) * gradient * gradient;
    *value -= rate * *mean / (square.sqrt() + EPSILON);
}

/// From 0 to 1, in steps of 2⁻⁵³.
fn uniform(generator: &mut impl RngCore) -> f64 {
    (generator.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use rand_xoshiro::Xoshiro256Plus;
    use rand_xoshiro::rand_core::SeedableRng;

    use super::*;

    fn loss(network: &Network, inputs: &Array2<f64>, goals: &Array2<f64>, alpha: f64) -> f64 {
        let rows = inputs.nrows() as f64;
        let answers = network.forward(inputs.clone()).pop().unwrap();
        let of_rows: f64 = if network.regression {
            (&answers - goals).mapv(|error| 0.5 * error * error).sum()
        } else {
            -(goals * &answers.mapv(f64::ln)).sum()
        };
        let weights: f64 = network.layers.iter().map(|layer| layer.weights[0].mapv(|w| w * w).sum()).sum();
        (of_rows + 0.5 * alpha * weights) / rows
    }

    /// Gradients are those of the loss, by central differences.
    #[test]
    fn gradients_are_slopes() {
        let inputs = array![[0.5, -1.0], [1.5, 0.25], [-0.75, 2.0]];
        let goals = array![[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]];
        for (activation, regression) in
            [(Activation::Tanh, false), (Activation::Logistic, true), (Activation::Relu, false)]
        {
            let mut generator = Xoshiro256Plus::seed_from_u64(3);
            let mut network = Network::new(&[2, 3, 4, 2], activation, regression, &mut generator);
            let gradients = network.gradients(inputs.clone(), &goals, 0.1);
            const BY: f64 = 1e-6;
            for (layer, gradients) in gradients.iter().enumerate() {
                for at in network.layers[layer].weights[0].indexed_iter().map(|(at, _)| at).collect::<Vec<_>>() {
                    let mut at_offset = |by: f64| {
                        network.layers[layer].weights[0][at] += by;
                        let loss = loss(&network, &inputs, &goals, 0.1);
                        network.layers[layer].weights[0][at] -= by;
                        loss
                    };
                    let slope = (at_offset(BY) - at_offset(-BY)) / (2.0 * BY);
                    // Central differences err by BY² and by rounding over BY.
                    assert!((slope - gradients.0[at]).abs() < 1e-7, "{activation:?} {layer} {at:?}");
                }
                let mut at_offset = |by: f64| {
                    network.layers[layer].biases[0][0] += by;
                    let loss = loss(&network, &inputs, &goals, 0.1);
                    network.layers[layer].biases[0][0] -= by;
                    loss
                };
                let slope = (at_offset(BY) - at_offset(-BY)) / (2.0 * BY);
                assert!((slope - gradients.1[0]).abs() < 1e-7, "{activation:?} {layer} bias");
            }
        }
    }
}
