//! `naive_bayes_predict`: applies what `naive_bayes_train` found.

use executor::{Failure, Function, Interface, Invocation};

use crate::naive_bayes::NaiveBayes;
use crate::{answer, interface, model};

pub(crate) struct NaiveBayesPredict;

static INTERFACE: Interface = interface::predicts(
    "naive_bayes_predict",
    "tells the classes of rows by Gaussian naive Bayes",
    include_str!("schema/naive_bayes_predict.json"),
);

impl Function for NaiveBayesPredict {
    fn interface(&self) -> &Interface {
        &INTERFACE
    }

    fn run(&self, invocation: &mut Invocation<'_>) -> Result<String, Failure> {
        let header = answer::header(invocation)?;
        let fitted: NaiveBayes = model::read(invocation)?;
        answer::classes(invocation, header, fitted.columns(), &fitted.classes, |row| fitted.probabilities(row))
    }
}
