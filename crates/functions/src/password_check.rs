//! `password_check`: whether a password is in a list of exposed ones, with neither shown to the other side.
//!
//! The first file is the password: its first line. The second is the list, one to a line. White space around either is
//! no part of it. The result is `true` or `false`; the whole list is read either way.

use std::borrow::Cow;

use executor::{Failure, Function, Inputs, Interface, Invocation, PayloadRule, ResultRule};
use types::function::FunctionType;

use crate::lines::Lines;

pub(crate) struct PasswordCheck;

static INTERFACE: Interface = Interface {
    name: Cow::Borrowed("password_check"),
    version: 1,
    summary: Cow::Borrowed("tells whether a password is in a list of exposed ones"),
    function_type: FunctionType::Either,
    inputs: Inputs::exactly(2),
    payload: PayloadRule::Refused,
    outputs: Cow::Borrowed(&[]),
    result: ResultRule::Text,
    schema: Cow::Borrowed(include_str!("schema/password_check.json")),
    counts: false,
};

impl Function for PasswordCheck {
    fn interface(&self) -> &Interface {
        &INTERFACE
    }

    fn run(&self, invocation: &mut Invocation<'_>) -> Result<String, Failure> {
        let mut file = Lines::open(invocation, 0)?;
        let password = file.next()?.unwrap_or_default().trim_ascii();
        if password.is_empty() {
            return Err(Failure::function("input 1: the first line is no password"));
        }
        let mut exposed = false;
        let mut list = Lines::open(invocation, 1)?;
        while let Some(line) = list.next()? {
            exposed |= line.trim_ascii() == password;
        }
        Ok(exposed.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::check;

    fn check_password(password: &str, list: &str, expected: &str) {
        check(&PasswordCheck, None, &[password.as_bytes(), list.as_bytes()], Ok(expected), &[]);
    }

    #[test]
    fn a_password_is_in_the_list_or_not() {
        let list = "123456\nqwerty\r\n hunter2 \nlast";
        for exposed in ["123456", "qwerty\n", " hunter2\r\nsecond line", "last"] {
            check_password(exposed, list, "true");
        }
        for other in ["hunter", "hunter22", "HUNTER2", "1234567"] {
            check_password(other, list, "false");
        }
        check_password("qwerty", "", "false");
    }

    #[test]
    fn nothing_is_no_password() {
        for password in [&b""[..], b"\nqwerty", b" \n"] {
            check(&PasswordCheck, None, &[password, b"\n"], Err("input 1: the first line is no password"), &[]);
        }
    }
}
