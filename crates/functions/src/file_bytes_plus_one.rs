//! `file_bytes_plus_one`: every byte of the input file plus one.

use std::borrow::Cow;
use std::io::Write;

use executor::{Failure, Function, Inputs, Interface, Invocation, PayloadRule, ResultRule};
use types::function::FunctionType;

use crate::blocks;
use crate::bytes_plus_one::plus_one;

pub(crate) struct FileBytesPlusOne;

static INTERFACE: Interface = Interface {
    name: Cow::Borrowed("file_bytes_plus_one"),
    version: 1,
    summary: Cow::Borrowed("answers with the text of the file, every byte plus one"),
    function_type: FunctionType::Single,
    inputs: Inputs::exactly(1),
    payload: PayloadRule::NamesInput,
    outputs: Cow::Borrowed(&[]),
    result: ResultRule::Text,
    schema: Cow::Borrowed(include_str!("schema/file_bytes_plus_one.json")),
    counts: false,
};

impl Function for FileBytesPlusOne {
    fn interface(&self) -> &Interface {
        &INTERFACE
    }

    fn run(&self, invocation: &mut Invocation<'_>) -> Result<String, Failure> {
        let mut text = invocation.result();
        blocks::for_each(&mut invocation.input(0)?, |block| {
            plus_one(block);
            Ok(text.write_all(block)?)
        })?;
        Ok(text.into_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{check, refused};

    #[test]
    fn every_byte_is_one_more() {
        check(&FileBytesPlusOne, None, &[b"HAL"], Ok("IBM"), &[]);
        check(&FileBytesPlusOne, None, &[b""], Ok(""), &[]);
        check(&FileBytesPlusOne, None, &[b"a\x7f\xff"], Ok("b\u{fffd}\0"), &[]);
        let long = vec![b'a'; blocks::BLOCK_BYTES + 1];
        check(&FileBytesPlusOne, None, &[&long], Ok(&"b".repeat(long.len())), &[]);
    }

    #[test]
    fn another_shape_is_refused() {
        refused(&FileBytesPlusOne, None, &[], "the function takes exactly 1 input file, not 0");
    }
}
