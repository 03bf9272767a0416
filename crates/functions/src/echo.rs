//! `echo`: the payload comes back.

use std::borrow::Cow;

use executor::{Failure, Function, Inputs, Interface, Invocation, Mismatch, PayloadRule, ResultRule};
use types::function::FunctionType;

pub(crate) struct Echo;

static INTERFACE: Interface = Interface {
    name: Cow::Borrowed("echo"),
    version: 1,
    summary: Cow::Borrowed("answers with the payload"),
    function_type: FunctionType::Single,
    inputs: Inputs::NONE,
    payload: PayloadRule::Required,
    outputs: Cow::Borrowed(&[]),
    result: ResultRule::Text,
    schema: Cow::Borrowed(""),
    counts: false,
};

impl Function for Echo {
    fn interface(&self) -> &Interface {
        &INTERFACE
    }

    fn run(&self, invocation: &mut Invocation<'_>) -> Result<String, Failure> {
        Ok(invocation.payload().ok_or(Mismatch::PayloadMissing)?.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{check, refused};

    #[test]
    fn the_payload_comes_back() {
        for payload in ["echo_payload", "", "\0\n", "茶館"] {
            check(&Echo, Some(payload), &[], Ok(payload), &[]);
        }
    }

    #[test]
    fn another_shape_is_refused() {
        refused(&Echo, None, &[], "the function needs a payload");
        refused(&Echo, Some("p"), &[b"file"], "the function takes no input files, not 1");
    }
}
