//! `gbdt_train`: gradient boosted decision trees (Friedman 2001, "Greedy function approximation").
//!
//! The trees are smartcore's; boosting is a loop around them, so that a run can be stopped between two trees.

mod loss;
mod sample;
mod tree;

use executor::{Failure, Function, Interface, Invocation, Limit};
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::SeedableRng;

use self::loss::{Loss, LossName};
use self::sample::sample;
use crate::answer::best;
use crate::gbdt::{Gbdt, Node, Sum, Tree};
use crate::metrics::{Classification, Regression, result};
use crate::parameters::{parameters, within};
use crate::table::{Table, Target};
use crate::{classes, foreign, interface, model};

pub(crate) struct GbdtTrain;

static INTERFACE: Interface = interface::trains(
    "gbdt_train",
    "learns numbers or classes (gradient boosted decision trees)",
    include_str!("schema/gbdt_train.json"),
);

parameters!(labelled Parameters {
    loss: LossName = LossName::SquaredError,
    #[serde(alias = "iterations")]
    n_estimators: usize = 100,
    #[serde(alias = "shrinkage")]
    learning_rate: f64 = 0.1,
    max_depth: u16 = 3,
    #[serde(alias = "min_leaf_size")]
    min_samples_leaf: usize = 1,
    #[serde(alias = "data_sample_ratio")]
    subsample: f64 = 1.0,
    #[serde(alias = "feature_sample_ratio")]
    max_features: f64 = 1.0,
    seed: u64 = 0,
});

impl Function for GbdtTrain {
    fn interface(&self) -> &Interface {
        &INTERFACE
    }

    fn run(&self, invocation: &mut Invocation<'_>) -> Result<String, Failure> {
        let parameters: Parameters = invocation.parameters()?;
        parameters.check()?;
        let classify = parameters.loss == LossName::LogLoss;
        let target = if classify { Target::Class } else { Target::Number };
        let table = Table::read(invocation, 0..invocation.input_count(), parameters.wanted(target))?;
        if classify {
            classes::at_least_two(&table.names)?;
        }
        let what = "rows × columns × max_depth";
        foreign::bounded(what, &[table.len(), table.columns, usize::from(parameters.max_depth)])?;
        let fitted = boost(invocation, &parameters, &table)?;
        model::write(invocation, &fitted)?;
        Ok(summarise(&fitted, &table))
    }
}

impl Parameters {
    fn check(&self) -> Result<(), Failure> {
        within("n_estimators", self.n_estimators, 1..=10_000)?;
        within("learning_rate", self.learning_rate, 1e-6..=10.0)?;
        within("max_depth", self.max_depth, 1..=32)?;
        within("min_samples_leaf", self.min_samples_leaf, 1..=1_000_000_000)?;
        within("subsample", self.subsample, 0.001..=1.0)?;
        within("max_features", self.max_features, 0.001..=1.0).map(drop)
    }
}

/// Bytes of a node in memory, and of its text in the model.
const NODE_BYTES: usize = 200;

fn boost(invocation: &Invocation<'_>, parameters: &Parameters, table: &Table) -> Result<Gbdt, Failure> {
    let loss = Loss::new(parameters.loss, table);
    let initial = loss.initial();
    let mut scores: Vec<Vec<f64>> = initial.iter().map(|initial| vec![*initial; table.len()]).collect();
    let mut sums: Vec<Sum> = initial.iter().map(|initial| Sum { initial: *initial, trees: Vec::new() }).collect();
    let mut generator = Xoshiro256Plus::seed_from_u64(parameters.seed);
    let mut nodes = 0;
    for _ in 0..parameters.n_estimators {
        let residuals = loss.residuals(&scores);
        for ((sum, scores), residuals) in sums.iter_mut().zip(&mut scores).zip(&residuals) {
            invocation.checkpoint()?;
            let rows = sample(&mut generator, table.len(), parameters.subsample);
            let columns = sample(&mut generator, table.columns, parameters.max_features);
            let goals: Vec<f64> = residuals.iter().map(|residual| loss.direction(*residual)).collect();
            let mut tree = tree::grow(parameters, table, &goals, &rows, &columns)?;
            replace_leaves(&mut tree, parameters.learning_rate, &loss, table, &rows, residuals);
            table.rows().zip(scores).for_each(|(row, score)| *score += tree.value(row));
            nodes += tree.nodes.len();
            sum.trees.push(tree);
        }
        if (nodes * NODE_BYTES) as u64 > invocation.memory_limit() / 2 {
            return Err(Limit::Memory(invocation.memory_limit()).into());
        }
    }
    Ok(Gbdt { columns: table.columns, classes: table.names.clone(), sums })
}

/// Gives each leaf the value that lowers the loss most, by the learning rate.
fn replace_leaves(tree: &mut Tree, rate: f64, loss: &Loss<'_>, table: &Table, rows: &[usize], residuals: &[f64]) {
    let mut of_leaves: Vec<Vec<f64>> = vec![Vec::new(); tree.nodes.len()];
    for row in rows {
        let values = &table.values[row * table.columns..(row + 1) * table.columns];
        of_leaves[tree.leaf(values)].push(residuals[*row]);
    }
    for (node, residuals) in tree.nodes.iter_mut().zip(&mut of_leaves) {
        if let Node::Leaf { value } = node {
            *value = rate * loss.leaf(residuals);
        }
    }
}

fn summarise(fitted: &Gbdt, table: &Table) -> String {
    if fitted.classes.is_empty() {
        let found: Vec<f64> = table.rows().map(|row| fitted.value(row)).collect();
        return result(&Regression::of(&table.targets, &found));
    }
    let found: Vec<u32> = table.rows().map(|row| best(&fitted.probabilities(row)) as u32).collect();
    result(&Classification::of(&table.classes, &found))
}
