//! `linear_regression_train`: ordinary least squares.

use executor::{Failure, Function, Interface, Invocation};
use smartcore::linalg::basic::arrays::Array;
use smartcore::linalg::basic::matrix::DenseMatrix;

use crate::linear_regression::LinearRegression;
use crate::metrics::{Regression, result};
use crate::parameters::parameters;
use crate::table::{Table, Target};
use crate::{foreign, interface, model};

pub(crate) struct LinearRegressionTrain;

static INTERFACE: Interface = interface::trains(
    "linear_regression_train",
    "fits a line through a table's numbers (ordinary least squares)",
    include_str!("schema/linear_regression_train.json"),
);

parameters!(labelled Parameters {});

impl Function for LinearRegressionTrain {
    fn interface(&self) -> &Interface {
        &INTERFACE
    }

    fn run(&self, invocation: &mut Invocation<'_>) -> Result<String, Failure> {
        let parameters: Parameters = invocation.parameters()?;
        let table = Table::read(invocation, 0..invocation.input_count(), parameters.wanted(Target::Number))?;
        let fitted = fit(&table)?;
        model::write(invocation, &fitted)?;
        let found: Vec<f64> = table.rows().map(|row| fitted.predict(row)).collect();
        Ok(result(&Regression::of(&table.targets, &found)))
    }
}

fn fit(table: &Table) -> Result<LinearRegression, Failure> {
    if table.len() <= table.columns {
        return Err(Failure::function("there must be more rows than columns"));
    }
    foreign::bounded("rows × columns²", &[table.len(), table.columns, table.columns])?;
    foreign::call("the columns do not determine a line: some depend on others", || {
        let matrix = DenseMatrix::new(table.len(), table.columns, table.values.clone(), false)?;
        let fitted =
            smartcore::linear::linear_regression::LinearRegression::fit(&matrix, &table.targets, Default::default())?;
        let coefficients = fitted.coefficients().iterator(0).copied().collect();
        Ok::<_, smartcore::error::Failed>(LinearRegression { coefficients, intercept: *fitted.intercept() })
    })
}
