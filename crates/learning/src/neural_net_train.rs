//! `neural_net_train`: a multilayer perceptron for numbers or classes, by Adam (Kingma and Ba 2015).
//!
//! Columns, and a regression's targets, are brought to mean 0 and deviation 1 first. The network itself is ours, on
//! ndarray's matrices: the libraries for it are frameworks many times the size of everything else here.

mod network;

use executor::{Failure, Function, Interface, Invocation, Limit};
use ndarray::{Array2, Axis};
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};
use serde::Deserialize;

use self::network::Network;
use crate::answer::best;
use crate::metrics::{Classification, Regression, result};
use crate::neural_net::{Activation, NeuralNet};
use crate::parameters::{parameters, within};
use crate::table::{Table, Target};
use crate::{classes, foreign, interface, model};

pub(crate) struct NeuralNetTrain;

static INTERFACE: Interface = interface::trains(
    "neural_net_train",
    "learns numbers or classes (multilayer perceptron)",
    include_str!("schema/neural_net_train.json"),
);

parameters!(labelled Parameters {
    task: Task = Task::Classification,
    hidden_layers: Vec<usize> = vec![32],
    activation: Activation = Activation::Relu,
    learning_rate: f64 = 1e-3,
    epochs: usize = 200,
    batch_size: usize = 32,
    alpha: f64 = 1e-4,
    seed: u64 = 0,
});

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Task {
    Classification,
    Regression,
}

impl Function for NeuralNetTrain {
    fn interface(&self) -> &Interface {
        &INTERFACE
    }

    fn run(&self, invocation: &mut Invocation<'_>) -> Result<String, Failure> {
        let parameters: Parameters = invocation.parameters()?;
        parameters.check()?;
        let classify = parameters.task == Task::Classification;
        let target = if classify { Target::Class } else { Target::Number };
        let table = Table::read(invocation, 0..invocation.input_count(), parameters.wanted(target))?;
        if classify {
            classes::at_least_two(&table.names)?;
        }
        let fitted = fit(invocation, &parameters, &table)?;
        model::write(invocation, &fitted)?;
        summarise(invocation, &fitted, &table)
    }
}

impl Parameters {
    fn check(&self) -> Result<(), Failure> {
        within("hidden_layers", self.hidden_layers.len(), 0..=16)?;
        self.hidden_layers.iter().try_for_each(|units| within("hidden_layers", *units, 1..=65_536).map(drop))?;
        within("learning_rate", self.learning_rate, 1e-9..=10.0)?;
        within("epochs", self.epochs, 1..=100_000)?;
        within("batch_size", self.batch_size, 1..=65_536)?;
        within("alpha", self.alpha, 0.0..=1e6).map(drop)
    }
}

fn fit(invocation: &Invocation<'_>, parameters: &Parameters, table: &Table) -> Result<NeuralNet, Failure> {
    let widths = widths(invocation, parameters, table)?;
    let (mean, scale) =
        (0..table.columns).map(|column| scale_of(table.values.iter().skip(column).step_by(table.columns))).unzip();
    let (target_mean, target_scale) = if table.names.is_empty() { scale_of(table.targets.iter()) } else { (0.0, 1.0) };
    let mut generator = Xoshiro256Plus::seed_from_u64(parameters.seed);
    let mut network = Network::new(&widths, parameters.activation, table.names.is_empty(), &mut generator);
    let mut fitted = NeuralNet {
        classes: table.names.clone(),
        activation: parameters.activation,
        mean,
        scale,
        target_mean,
        target_scale,
        layers: Vec::new(),
    };
    let (inputs, goals) = matrices(&fitted, table)?;
    let mut order: Vec<usize> = (0..table.len()).collect();
    for _ in 0..parameters.epochs {
        shuffle(&mut generator, &mut order);
        for batch in order.chunks(parameters.batch_size) {
            invocation.checkpoint()?;
            let (inputs, goals) = (inputs.select(Axis(0), batch), goals.select(Axis(0), batch));
            network.step(inputs, &goals, parameters.learning_rate, parameters.alpha);
        }
    }
    fitted.layers = network.into_layers();
    Ok(fitted)
}

/// Units of every layer, from the columns to the answers; what they take in memory is bounded.
fn widths(invocation: &Invocation<'_>, parameters: &Parameters, table: &Table) -> Result<Vec<usize>, Failure> {
    let outputs = table.names.len().max(1);
    let hidden = parameters.hidden_layers.iter().copied();
    let widths: Vec<usize> = std::iter::once(table.columns).chain(hidden).chain([outputs]).collect();
    let weights: usize = widths.windows(2).map(|pair| (pair[0] + 1).saturating_mul(pair[1])).sum();
    let signals = parameters.batch_size * widths.iter().sum::<usize>();
    let limit = invocation.memory_limit();
    // Weights, two moments, gradients and the model's text of them; signals and their gradients.
    if (weights.saturating_mul(12).saturating_add(signals * 3)).saturating_mul(size_of::<f64>()) as u64 > limit {
        return Err(Limit::Memory(limit).into());
    }
    foreign::bounded("batch_size × weights", &[parameters.batch_size, weights])?;
    Ok(widths)
}

/// Mean and deviation; the deviation of what is all the same is 1.
fn scale_of<'a>(values: impl Iterator<Item = &'a f64> + Clone) -> (f64, f64) {
    let count = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / count;
    let deviation = (values.map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
    (mean, if deviation > 0.0 && deviation.is_finite() { deviation } else { 1.0 })
}

/// What goes in, and what should come out: scaled numbers, or 1 for the right class.
fn matrices(fitted: &NeuralNet, table: &Table) -> Result<(Array2<f64>, Array2<f64>), Failure> {
    let scales = fitted.mean.iter().zip(&fitted.scale).cycle();
    let inputs = table.values.iter().zip(scales).map(|(value, (mean, scale))| (value - mean) / scale).collect();
    let inputs = Array2::from_shape_vec((table.len(), table.columns), inputs);
    let inputs = inputs.map_err(|_| Failure::function("the table is not a matrix"))?;
    let goals =
        Array2::from_shape_fn((table.len(), table.names.len().max(1)), |(row, column)| match table.classes.get(row) {
            Some(class) => f64::from(u8::from(*class as usize == column)),
            None => (table.targets[row] - fitted.target_mean) / fitted.target_scale,
        });
    Ok((inputs, goals))
}

fn shuffle(generator: &mut impl RngCore, order: &mut [usize]) {
    for at in (1..order.len()).rev() {
        let other = generator.next_u64() % (at as u64 + 1);
        order.swap(at, usize::try_from(other).expect("at most a position"));
    }
}

fn summarise(invocation: &Invocation<'_>, fitted: &NeuralNet, table: &Table) -> Result<String, Failure> {
    let mut values = Vec::new();
    let mut found = Vec::new();
    for row in table.rows() {
        invocation.checkpoint()?;
        if fitted.classes.is_empty() {
            values.push(fitted.value(row));
        } else {
            found.push(best(&fitted.probabilities(row)) as u32);
        }
    }
    Ok(match fitted.classes.is_empty() {
        true => result(&Regression::of(&table.targets, &values)),
        false => result(&Classification::of(&table.classes, &found)),
    })
}
