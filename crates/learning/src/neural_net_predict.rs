//! `neural_net_predict`: applies what `neural_net_train` found.

use executor::{Failure, Function, Interface, Invocation};

use crate::neural_net::NeuralNet;
use crate::{answer, interface, model};

pub(crate) struct NeuralNetPredict;

static INTERFACE: Interface = interface::predicts(
    "neural_net_predict",
    "applies a neural network to rows",
    include_str!("schema/neural_net_predict.json"),
);

impl Function for NeuralNetPredict {
    fn interface(&self) -> &Interface {
        &INTERFACE
    }

    fn run(&self, invocation: &mut Invocation<'_>) -> Result<String, Failure> {
        let header = answer::header(invocation)?;
        let fitted: NeuralNet = model::read(invocation)?;
        if fitted.classes.is_empty() {
            return answer::numbers(invocation, header, fitted.columns(), |row| fitted.value(row));
        }
        answer::classes(invocation, header, fitted.columns(), &fitted.classes, |row| fitted.probabilities(row))
    }
}
