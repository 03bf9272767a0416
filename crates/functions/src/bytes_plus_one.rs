//! `bytes_plus_one`: every byte of the payload plus one.

use std::borrow::Cow;
use std::io::Write;

use executor::{Failure, Function, Inputs, Interface, Invocation, Mismatch, PayloadRule, ResultRule};
use types::function::FunctionType;

pub(crate) struct BytesPlusOne;

static INTERFACE: Interface = Interface {
    name: Cow::Borrowed("bytes_plus_one"),
    version: 1,
    summary: Cow::Borrowed("answers with the payload, every byte plus one"),
    function_type: FunctionType::Single,
    inputs: Inputs::NONE,
    payload: PayloadRule::Required,
    outputs: Cow::Borrowed(&[]),
    result: ResultRule::Text,
    schema: Cow::Borrowed(""),
    counts: false,
};

impl Function for BytesPlusOne {
    fn interface(&self) -> &Interface {
        &INTERFACE
    }

    fn run(&self, invocation: &mut Invocation<'_>) -> Result<String, Failure> {
        let mut bytes = invocation.payload().ok_or(Mismatch::PayloadMissing)?.as_bytes().to_vec();
        plus_one(&mut bytes);
        let mut text = invocation.result();
        text.write_all(&bytes)?;
        Ok(text.into_string())
    }
}

/// Adds one to every byte; 255 becomes 0.
pub(crate) fn plus_one(bytes: &mut [u8]) {
    for byte in bytes {
        *byte = byte.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{check, refused};

    #[test]
    fn every_byte_is_one_more() {
        check(&BytesPlusOne, Some("HAL 9"), &[], Ok("IBM!:"), &[]);
        check(&BytesPlusOne, Some(""), &[], Ok(""), &[]);
    }

    #[test]
    fn what_is_no_text_any_more_is_replaced() {
        // 0x7f becomes 0x80, which continues nothing.
        check(&BytesPlusOne, Some("a\u{7f}b"), &[], Ok("b\u{fffd}c"), &[]);
    }

    #[test]
    fn bytes_wrap() {
        let mut bytes = [0, 254, 255];
        plus_one(&mut bytes);
        assert_eq!(bytes, [1, 255, 0]);
    }

    #[test]
    fn another_shape_is_refused() {
        refused(&BytesPlusOne, None, &[], "the function needs a payload");
    }
}
