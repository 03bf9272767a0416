//! `logistic_regression_predict`: applies what `logistic_regression_train` found.

use executor::{Failure, Function, Interface, Invocation};

use crate::logistic_regression::LogisticRegression;
use crate::{answer, interface, model};

pub(crate) struct LogisticRegressionPredict;

static INTERFACE: Interface = interface::predicts(
    "logistic_regression_predict",
    "tells the classes of rows by a logistic regression",
    include_str!("schema/logistic_regression_predict.json"),
);

impl Function for LogisticRegressionPredict {
    fn interface(&self) -> &Interface {
        &INTERFACE
    }

    fn run(&self, invocation: &mut Invocation<'_>) -> Result<String, Failure> {
        let header = answer::header(invocation)?;
        let fitted: LogisticRegression = model::read(invocation)?;
        answer::classes(invocation, header, fitted.columns(), &fitted.classes, |row| fitted.probabilities(row))
    }
}
