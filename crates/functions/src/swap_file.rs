//! `swap_file`: two owners each get the other's file, and all participants get both.

use std::borrow::Cow;
use std::io::Write;

use executor::{Failure, Function, Inputs, Interface, Invocation, Output, OutputKind, PayloadRule, ResultRule};
use types::function::FunctionType;

use crate::{FINISHED, blocks};

pub(crate) struct SwapFile;

static INTERFACE: Interface = Interface {
    name: Cow::Borrowed("swap_file"),
    version: 1,
    summary: Cow::Borrowed("gives each of two owners the other's file, and all participants both"),
    function_type: FunctionType::Multiparty,
    inputs: Inputs::exactly(2).from_every_party(),
    payload: PayloadRule::Refused,
    outputs: Cow::Borrowed(&[OutputKind::Owner, OutputKind::Shared]),
    result: ResultRule::SharedFile,
    schema: Cow::Borrowed(include_str!("schema/swap_file.json")),
    counts: false,
};

impl Function for SwapFile {
    fn interface(&self) -> &Interface {
        &INTERFACE
    }

    fn run(&self, invocation: &mut Invocation<'_>) -> Result<String, Failure> {
        let mut shared = invocation.output(Output::Shared)?;
        for (from, to) in [(0, 1), (1, 0)] {
            let mut private = invocation.output(Output::Owner(to))?;
            blocks::for_each(&mut invocation.input(from)?, |block| {
                private.write_all(block)?;
                Ok(shared.write_all(block)?)
            })?;
            private.finish()?;
        }
        shared.finish()?;
        Ok(FINISHED.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{check, refused};

    fn check_swap(left: &[u8], right: &[u8]) {
        let outputs = [(Output::Owner(0), right), (Output::Owner(1), left), (Output::Shared, &[left, right].concat())];
        check(&SwapFile, None, &[left, right], Ok("Finished"), &outputs);
    }

    #[test]
    fn owners_swap_and_all_see_both() {
        check_swap(b"left", b"right");
        check_swap(b"", b"\xff\0");
        check_swap(b"", b"");
        check_swap(&vec![1; blocks::BLOCK_BYTES], &vec![2; blocks::BLOCK_BYTES + 1]);
    }

    #[test]
    fn another_shape_is_refused() {
        refused(&SwapFile, None, &[b"a"], "the function takes exactly 2 input files, not 1");
        refused(&SwapFile, None, &[b"a", b"b", b"c"], "the function takes exactly 2 input files, not 3");
        refused(&SwapFile, Some("p"), &[b"a", b"b"], "the function takes no payload");
    }
}
