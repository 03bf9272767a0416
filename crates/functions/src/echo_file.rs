//! `echo_file`: the text of the input file.

use std::borrow::Cow;
use std::io;

use executor::{Failure, Function, Inputs, Interface, Invocation, PayloadRule, ResultRule};
use types::function::FunctionType;

pub(crate) struct EchoFile;

static INTERFACE: Interface = Interface {
    name: Cow::Borrowed("echo_file"),
    version: 1,
    summary: Cow::Borrowed("answers with the text of the file"),
    function_type: FunctionType::Single,
    inputs: Inputs::exactly(1),
    payload: PayloadRule::NamesInput,
    outputs: Cow::Borrowed(&[]),
    result: ResultRule::Text,
    schema: Cow::Borrowed(include_str!("schema/echo_file.json")),
    counts: false,
};

impl Function for EchoFile {
    fn interface(&self) -> &Interface {
        &INTERFACE
    }

    fn run(&self, invocation: &mut Invocation<'_>) -> Result<String, Failure> {
        let mut text = invocation.result();
        io::copy(&mut invocation.input(0)?, &mut text)?;
        Ok(text.into_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{check, refused};

    #[test]
    fn the_text_of_the_file_comes_back() {
        check(&EchoFile, None, &[b"hello\n"], Ok("hello\n"), &[]);
        check(&EchoFile, None, &[b""], Ok(""), &[]);
        check(&EchoFile, None, &["茶館".as_bytes()], Ok("茶館"), &[]);
        check(&EchoFile, None, &[b"a\xffb"], Ok("a\u{fffd}b"), &[]);
    }

    #[test]
    fn another_shape_is_refused() {
        refused(&EchoFile, None, &[], "the function takes exactly 1 input file, not 0");
        refused(&EchoFile, None, &[b"a", b"b"], "the function takes exactly 1 input file, not 2");
    }
}
