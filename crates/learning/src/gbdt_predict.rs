//! `gbdt_predict`: applies what `gbdt_train` found.

use executor::{Failure, Function, Interface, Invocation};

use crate::gbdt::Gbdt;
use crate::{answer, interface, model};

pub(crate) struct GbdtPredict;

static INTERFACE: Interface = interface::predicts(
    "gbdt_predict",
    "applies gradient boosted decision trees to rows",
    include_str!("schema/gbdt_predict.json"),
);

impl Function for GbdtPredict {
    fn interface(&self) -> &Interface {
        &INTERFACE
    }

    fn run(&self, invocation: &mut Invocation<'_>) -> Result<String, Failure> {
        let header = answer::header(invocation)?;
        let fitted: Gbdt = model::read(invocation)?;
        if fitted.classes.is_empty() {
            return answer::numbers(invocation, header, fitted.columns, |row| fitted.value(row));
        }
        answer::classes(invocation, header, fitted.columns, &fitted.classes, |row| fitted.probabilities(row))
    }
}
