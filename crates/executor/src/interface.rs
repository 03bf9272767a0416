//! What a function declares about itself; nothing outside the function knows more about it than this.

use std::borrow::Cow;
use std::fmt;

use thiserror::Error;
use types::function::FunctionType;

use crate::OutputKind;

/// The declaration of one version of one function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// What tasks call it: lower-case letters, digits and `_`.
    pub name: Cow<'static, str>,
    /// Counts from 1; what a version computes never changes.
    pub version: u32,
    /// One line for people who choose a function.
    pub summary: Cow<'static, str>,
    /// Whether several parties must agree before it runs.
    pub function_type: FunctionType,
    /// How many files it reads, and whose.
    pub inputs: Inputs,
    /// Whether it takes a payload.
    pub payload: PayloadRule,
    /// The kinds of output it may write besides its result; writing any other fails the run.
    pub outputs: Cow<'static, [OutputKind]>,
    /// What the caller reads as the result.
    pub result: ResultRule,
    /// What payload, inputs, outputs and result look like, for people and their tools: a JSON object with any of the
    /// members `payload`, `inputs`, `outputs` and `result`, each a JSON Schema (draft 2020-12) or several of them by
    /// position or name. Empty where nothing is declared. Nothing here checks data against it.
    pub schema: Cow<'static, str>,
    /// Whether it counts what its results are about, and so can keep to [a minimum](crate::Limits::group). Such a function
    /// [says](crate::Invocation::check_group) how much that is before it finishes any output.
    pub counts: bool,
}

impl Interface {
    /// `name@version`, which names these exact semantics.
    pub fn reference(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }

    /// Whether an invocation has the declared shape. `payload` and `inputs` are what the function will see, so where
    /// the payload [names an input](PayloadRule::NamesInput) the host resolves it first.
    pub fn check(&self, payload: Option<&str>, inputs: usize) -> Result<(), Mismatch> {
        match (self.payload, payload) {
            (PayloadRule::Required, None) => return Err(Mismatch::PayloadMissing),
            (PayloadRule::Refused | PayloadRule::NamesInput, Some(_)) => return Err(Mismatch::PayloadRefused),
            _ => {}
        }
        if self.inputs.admits(inputs) { Ok(()) } else { Err(Mismatch::Inputs { takes: self.inputs, given: inputs }) }
    }
}

/// How many files a function reads, and from whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inputs {
    /// The fewest files it runs on.
    pub min: usize,
    /// The most; `usize::MAX` where the function sets no bound.
    pub max: usize,
    /// Whether every party must bring at least one of them.
    pub from_every_party: bool,
}

impl Inputs {
    /// No files at all.
    pub const NONE: Self = Self::exactly(0);

    /// Exactly `count` files, whoever brings them.
    pub const fn exactly(count: usize) -> Self {
        Self { min: count, max: count, from_every_party: false }
    }

    /// `count` files or more, whoever brings them.
    pub const fn at_least(count: usize) -> Self {
        Self { min: count, max: usize::MAX, from_every_party: false }
    }

    /// The same number, at least one of them from every party.
    pub const fn from_every_party(self) -> Self {
        Self { from_every_party: true, ..self }
    }

    /// Whether a function with this declaration runs on `count` files.
    pub fn admits(&self, count: usize) -> bool {
        (self.min..=self.max).contains(&count)
    }
}

impl fmt::Display for Inputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.min, self.max) {
            (_, 0) => write!(f, "no input files"),
            (1, 1) => write!(f, "exactly 1 input file"),
            (min, max) if min == max => write!(f, "exactly {min} input files"),
            (min, usize::MAX) => write!(f, "{min} or more input files"),
            (min, max) => write!(f, "{min} to {max} input files"),
        }
    }
}

/// What a function does with the payload of an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadRule {
    /// It takes none.
    Refused,
    /// It works with or without one.
    Optional,
    /// It needs one.
    Required,
    /// The payload may be the id of a file, which the host turns into an input; the function sees the input alone.
    /// A task for such a function may therefore be made with fewer files than the function reads.
    NamesInput,
}

/// What the caller of a function reads as its result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResultRule {
    /// What the function returned.
    #[default]
    Text,
    /// The id of the output for all participants, which the host knows and the function does not.
    SharedFile,
}

/// An invocation that does not have the shape its function declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Mismatch {
    /// Too few or too many files.
    #[error("the function takes {takes}, not {given}")]
    Inputs {
        /// What it declares.
        takes: Inputs,
        /// How many there were.
        given: usize,
    },
    /// The function needs a payload.
    #[error("the function needs a payload")]
    PayloadMissing,
    /// The function would ignore the payload.
    #[error("the function takes no payload")]
    PayloadRefused,
    /// The run has a minimum group, and the function does not count.
    #[error("the function does not count what its results are about, so no minimum group can be asked of it")]
    Uncounted,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(payload: PayloadRule, inputs: Inputs) -> Interface {
        Interface {
            name: "sample".into(),
            version: 3,
            summary: "".into(),
            function_type: FunctionType::Single,
            inputs,
            payload,
            outputs: Cow::Borrowed(&[]),
            result: ResultRule::Text,
            schema: Cow::Borrowed(""),
            counts: false,
        }
    }

    #[test]
    fn reference_is_name_at_version() {
        assert_eq!(interface(PayloadRule::Refused, Inputs::NONE).reference(), "sample@3");
    }

    #[test]
    fn payload_is_checked_against_its_rule() {
        use PayloadRule::*;
        for (rule, payload, expected) in [
            (Refused, None, Ok(())),
            (Refused, Some(""), Err(Mismatch::PayloadRefused)),
            (Optional, None, Ok(())),
            (Optional, Some("p"), Ok(())),
            (Required, None, Err(Mismatch::PayloadMissing)),
            (Required, Some(""), Ok(())),
            (NamesInput, None, Ok(())),
            (NamesInput, Some("id"), Err(Mismatch::PayloadRefused)),
        ] {
            assert_eq!(interface(rule, Inputs::NONE).check(payload, 0), expected, "{rule:?} {payload:?}");
        }
    }

    #[test]
    fn inputs_are_counted_and_described() {
        let one_to_three = Inputs { min: 1, max: 3, from_every_party: false };
        for (inputs, refused, admitted, text) in [
            (Inputs::NONE, vec![1], vec![0], "no input files"),
            (Inputs::exactly(1), vec![0, 2], vec![1], "exactly 1 input file"),
            (Inputs::exactly(2).from_every_party(), vec![0, 1, 3], vec![2], "exactly 2 input files"),
            (Inputs::at_least(2), vec![0, 1], vec![2, 3, usize::MAX], "2 or more input files"),
            (one_to_three, vec![0, 4], vec![1, 2, 3], "1 to 3 input files"),
        ] {
            assert_eq!(inputs.to_string(), text);
            let interface = interface(PayloadRule::Refused, inputs);
            for count in admitted {
                assert_eq!(interface.check(None, count), Ok(()), "{text}: {count}");
            }
            for given in refused {
                assert_eq!(interface.check(None, given), Err(Mismatch::Inputs { takes: inputs, given }));
            }
        }
    }
}
