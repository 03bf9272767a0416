//! What the functions here have in common in their declarations.

use std::borrow::Cow;

use executor::{Inputs, Interface, OutputKind, PayloadRule, ResultRule};
use types::function::FunctionType;

const NO_PAYLOAD_NEEDED: PayloadRule = PayloadRule::Optional;

/// Learns a model from tables, which several parties may bring; the task's creator gets the model.
pub(crate) const fn trains(name: &'static str, summary: &'static str, schema: &'static str) -> Interface {
    declare(name, summary, Inputs::at_least(1), &[OutputKind::Creator], schema)
}

/// Applies a model (the first file) to a table (the second), whose owner gets the answers.
pub(crate) const fn predicts(name: &'static str, summary: &'static str, schema: &'static str) -> Interface {
    declare(name, summary, Inputs::exactly(2), &[OutputKind::Owner], schema)
}

/// Answers the owner of each table about each of its rows, from all tables together.
pub(crate) const fn describes(name: &'static str, summary: &'static str, schema: &'static str) -> Interface {
    declare(name, summary, Inputs::at_least(1), &[OutputKind::Owner], schema)
}

pub(crate) const fn declare(
    name: &'static str,
    summary: &'static str,
    inputs: Inputs,
    outputs: &'static [OutputKind],
    schema: &'static str,
) -> Interface {
    Interface {
        name: Cow::Borrowed(name),
        version: 1,
        summary: Cow::Borrowed(summary),
        function_type: FunctionType::Either,
        inputs,
        payload: NO_PAYLOAD_NEEDED,
        outputs: Cow::Borrowed(outputs),
        result: ResultRule::Text,
        schema: Cow::Borrowed(schema),
        counts: false,
    }
}
