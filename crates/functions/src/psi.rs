//! `psi`: which records of two files occur in both (private set intersection).
//!
//! Each file is a sequence of 32-byte records, hashed identifiers, in any order, repeats allowed. Each owner learns
//! one byte per record of its own file, in its own order: 1 where the other file has the record too, else 0.
//!
//! The smaller file is indexed in place and the larger one streamed past the index. Beside the smaller file itself
//! this takes 17 to 33 bytes for each of its records.

mod index;

use std::borrow::Cow;
use std::hash::RandomState;
use std::io::Write;

use executor::{Failure, Function, Inputs, Interface, Invocation, Output, OutputKind, PayloadRule, ResultRule};
use types::function::FunctionType;

use self::index::{Index, Record};
use crate::{FINISHED, blocks};

pub(crate) struct Psi;

static INTERFACE: Interface = Interface {
    name: Cow::Borrowed("psi"),
    version: 1,
    summary: Cow::Borrowed("tells two owners which of their 32-byte records the other has too"),
    function_type: FunctionType::Multiparty,
    inputs: Inputs::exactly(2).from_every_party(),
    payload: PayloadRule::Refused,
    outputs: Cow::Borrowed(&[OutputKind::Owner]),
    result: ResultRule::Text,
    schema: Cow::Borrowed(""),
};

/// The bytes of an answer: numbers, not digits. (The SHA-256 of `00 01 01 00` and `01 00 01` are those of the
/// reference's example outputs, `d5e2d2ac…` and `85f90dfe…`.)
const ALONE: u8 = 0;
const COMMON: u8 = 1;
/// Not an answer yet: the same as for the record's first occurrence.
const REPEAT: u8 = 2;

impl Function for Psi {
    fn interface(&self) -> &Interface {
        &INTERFACE
    }

    fn run(&self, invocation: &mut Invocation<'_>) -> Result<String, Failure> {
        let (small, large) = by_size(invocation);
        let mut stream = invocation.input(small)?;
        let records = whole_records(small, stream.rest()?)?;
        let mut answers = vec![ALONE; records.len()];
        let index =
            Index::build(RandomState::new(), records, |repeat| answers[repeat] = REPEAT, || invocation.checkpoint())?;
        answer_large(invocation, large, &index, &mut answers)?;
        answer_small(invocation, small, &index, &mut answers)?;
        Ok(FINISHED.to_owned())
    }
}

fn by_size(invocation: &Invocation<'_>) -> (usize, usize) {
    if invocation.input_size(0) <= invocation.input_size(1) { (0, 1) } else { (1, 0) }
}

fn whole_records(input: usize, bytes: &[u8]) -> Result<&[Record], Failure> {
    match bytes.as_chunks() {
        (records, []) => Ok(records),
        _ => Err(Failure::function(format!("input {}: the length is no multiple of 32 bytes", input + 1))),
    }
}

/// Streams the larger file past the index, answers its owner, and marks what was found in the smaller file.
fn answer_large(
    invocation: &mut Invocation<'_>,
    input: usize,
    index: &Index<'_, RandomState>,
    small_answers: &mut [u8],
) -> Result<(), Failure> {
    let mut output = invocation.output(Output::Owner(input))?;
    let mut answers = Vec::with_capacity(index::BATCH);
    blocks::for_each(&mut invocation.input(input)?, |block| {
        answers.clear();
        index.find_all(whole_records(input, block)?, |found| {
            answers.push(if found.is_some() { COMMON } else { ALONE });
            if let Some(record) = found {
                small_answers[record] = COMMON;
            }
        });
        Ok(output.write_all(&answers)?)
    })?;
    output.finish()
}

/// Gives repeats their first occurrence's answer and answers the smaller file's owner.
fn answer_small(
    invocation: &mut Invocation<'_>,
    input: usize,
    index: &Index<'_, RandomState>,
    answers: &mut [u8],
) -> Result<(), Failure> {
    for start in (0..answers.len()).step_by(index::BATCH) {
        invocation.checkpoint()?;
        for record in start..answers.len().min(start + index::BATCH) {
            if answers[record] == REPEAT {
                answers[record] = answers[index.first_occurrence(record)];
            }
        }
    }
    let mut output = invocation.output(Output::Owner(input))?;
    output.write_all(answers)?;
    output.finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::check::{check, fails, refused};

    /// A file of one record per byte.
    fn file(records: &[u8]) -> Vec<u8> {
        records.iter().flat_map(|&record| [record; index::RECORD_BYTES]).collect()
    }

    fn check_psi(left: &[u8], right: &[u8], left_answer: &[u8], right_answer: &[u8]) {
        let outputs = [(Output::Owner(0), left_answer), (Output::Owner(1), right_answer)];
        check(&Psi, None, &[&file(left), &file(right)], Ok("Finished"), &outputs);
    }

    #[test]
    fn the_example_of_the_reference() {
        check_psi(b"abcd", b"bxc", &[0, 1, 1, 0], &[1, 0, 1]);
    }

    #[test]
    fn each_record_of_each_file_is_answered() {
        check_psi(b"", b"", &[], &[]);
        check_psi(b"", b"a", &[], &[0]);
        check_psi(b"a", b"", &[0], &[]);
        check_psi(b"a", b"a", &[1], &[1]);
        check_psi(b"a", b"b", &[0], &[0]);
        check_psi(b"abc", b"cba", &[1, 1, 1], &[1, 1, 1]);
        check_psi(b"\0\xff", b"\xff", &[0, 1], &[1]);
    }

    #[test]
    fn repeats_are_answered_like_their_first_occurrence() {
        check_psi(b"aabab", b"a", &[1, 1, 0, 1, 0], &[1]);
        check_psi(b"aa", b"aaa", &[1, 1], &[1, 1, 1]);
        check_psi(b"bb", b"aaa", &[0, 0], &[0, 0, 0]);
        check_psi(b"aaa", b"bab", &[1, 1, 1], &[0, 1, 0]);
    }

    #[test]
    fn records_are_compared_whole() {
        for byte in 0..index::RECORD_BYTES {
            let (left, mut right) = (file(b"a"), file(b"a"));
            right[byte] ^= 1;
            let outputs = [(Output::Owner(0), &[0][..]), (Output::Owner(1), &[0])];
            check(&Psi, None, &[&left, &right], Ok("Finished"), &outputs);
        }
    }

    #[test]
    fn files_of_broken_records_are_refused() {
        let whole = file(b"ab");
        for length in [1, 31, 33, 63] {
            let broken = &whole[..length];
            fails(&Psi, &[broken, &whole], "input 1: the length is no multiple of 32 bytes");
            fails(&Psi, &[&whole, broken], "input 2: the length is no multiple of 32 bytes");
            fails(&Psi, &[b"", broken], "input 2: the length is no multiple of 32 bytes");
        }
    }

    #[test]
    fn another_shape_is_refused() {
        refused(&Psi, None, &[b""], "the function takes exactly 2 input files, not 1");
        refused(&Psi, None, &[b"", b"", b""], "the function takes exactly 2 input files, not 3");
        refused(&Psi, Some("p"), &[b"", b""], "the function takes no payload");
    }

    fn naive(own: &[u8], other: &[u8]) -> Vec<u8> {
        own.iter().map(|record| other.contains(record).into()).collect()
    }

    proptest! {
        #[test]
        fn as_the_naive_definition(left: Vec<u8>, right: Vec<u8>) {
            check_psi(&left, &right, &naive(&left, &right), &naive(&right, &left));
        }

        #[test]
        fn as_the_naive_definition_with_many_repeats(
            left in prop::collection::vec(0..4u8, 0..5000),
            right in prop::collection::vec(2..6u8, 0..50),
        ) {
            check_psi(&left, &right, &naive(&left, &right), &naive(&right, &left));
        }
    }
}
