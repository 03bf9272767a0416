//! `concat`: the text of all files, in the task's order.

use std::borrow::Cow;
use std::io;

use executor::{Failure, Function, Inputs, Interface, Invocation, PayloadRule, ResultRule};
use types::function::FunctionType;

pub(crate) struct Concat;

static INTERFACE: Interface = Interface {
    name: Cow::Borrowed("concat"),
    version: 1,
    summary: Cow::Borrowed("answers with the text of all files, in order"),
    function_type: FunctionType::Multiparty,
    inputs: Inputs::at_least(2).from_every_party(),
    payload: PayloadRule::Refused,
    outputs: Cow::Borrowed(&[]),
    result: ResultRule::Text,
    schema: Cow::Borrowed(include_str!("schema/concat.json")),
    counts: false,
};

impl Function for Concat {
    fn interface(&self) -> &Interface {
        &INTERFACE
    }

    fn run(&self, invocation: &mut Invocation<'_>) -> Result<String, Failure> {
        let mut text = invocation.result();
        for input in 0..invocation.input_count() {
            io::copy(&mut invocation.input(input)?, &mut text)?;
        }
        Ok(text.into_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{check, refused};

    #[test]
    fn the_texts_come_in_order() {
        check(&Concat, None, &[b"one\n", b"two"], Ok("one\ntwo"), &[]);
        check(&Concat, None, &[b"c", b"", b"a", b"b"], Ok("cab"), &[]);
        check(&Concat, None, &[b"", b""], Ok(""), &[]);
        check(&Concat, None, &[b"a\xff", b"b"], Ok("a\u{fffd}b"), &[]);
    }

    #[test]
    fn another_shape_is_refused() {
        refused(&Concat, None, &[b"a"], "the function takes 2 or more input files, not 1");
        refused(&Concat, Some("p"), &[b"a", b"b"], "the function takes no payload");
    }
}
