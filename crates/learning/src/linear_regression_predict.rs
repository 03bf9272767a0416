//! `linear_regression_predict`: applies what `linear_regression_train` found.

use executor::{Failure, Function, Interface, Invocation};

use crate::linear_regression::LinearRegression;
use crate::{answer, interface, model};

pub(crate) struct LinearRegressionPredict;

static INTERFACE: Interface = interface::predicts(
    "linear_regression_predict",
    "applies a linear regression to rows",
    include_str!("schema/linear_regression_predict.json"),
);

impl Function for LinearRegressionPredict {
    fn interface(&self) -> &Interface {
        &INTERFACE
    }

    fn run(&self, invocation: &mut Invocation<'_>) -> Result<String, Failure> {
        let header = answer::header(invocation)?;
        let fitted: LinearRegression = model::read(invocation)?;
        answer::numbers(invocation, header, fitted.coefficients.len(), |row| fitted.predict(row))
    }
}
