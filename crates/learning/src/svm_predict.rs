//! `svm_predict`: applies what `svm_train` found.

use executor::{Failure, Function, Interface, Invocation};

use crate::svm::Svm;
use crate::{answer, interface, model};

pub(crate) struct SvmPredict;

static INTERFACE: Interface = interface::predicts(
    "svm_predict",
    "tells the classes of rows by support vector machines",
    include_str!("schema/svm_predict.json"),
);

impl Function for SvmPredict {
    fn interface(&self) -> &Interface {
        &INTERFACE
    }

    fn run(&self, invocation: &mut Invocation<'_>) -> Result<String, Failure> {
        let header = answer::header(invocation)?;
        let fitted: Svm = model::read(invocation)?;
        answer::classes(invocation, header, fitted.columns(), &fitted.classes, |row| fitted.votes(row))
    }
}
