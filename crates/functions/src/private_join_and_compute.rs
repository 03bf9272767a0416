//! `private_join_and_compute`: sums per identity, for the identities that occur in every file.
//!
//! A line is `identity : amount`. The identity is what stands before the last `:`, without the white space around it,
//! UTF-8 and not empty; the amount is a decimal integer of at most 128 bits with an optional sign. Blank lines and a
//! byte order mark at the start are ignored. An identity's amounts are added up within and across files.
//!
//! The smallest file is read first and every further one only narrows down what it left, so that memory grows with
//! the smallest file.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;
use std::num::IntErrorKind;

use executor::{
    Failure, Function, Inputs, Interface, Invocation, Output, OutputKind, OutputStream, PayloadRule, ResultRule,
};
use types::function::FunctionType;

use crate::FINISHED;
use crate::blocks::BLOCK_BYTES;
use crate::lines::Lines;

pub(crate) struct PrivateJoinAndCompute;

static INTERFACE: Interface = Interface {
    name: Cow::Borrowed("private_join_and_compute"),
    version: 1,
    summary: Cow::Borrowed("adds up amounts per identity, for identities that occur in every file"),
    function_type: FunctionType::Multiparty,
    inputs: Inputs::at_least(2).from_every_party(),
    payload: PayloadRule::Refused,
    outputs: Cow::Borrowed(&[OutputKind::Owner]),
    result: ResultRule::Text,
    schema: Cow::Borrowed(""),
};

impl Function for PrivateJoinAndCompute {
    fn interface(&self) -> &Interface {
        &INTERFACE
    }

    fn run(&self, invocation: &mut Invocation<'_>) -> Result<String, Failure> {
        let mut sums = Sums::new();
        for (round, input) in smallest_first(invocation).into_iter().enumerate() {
            add_file(&mut sums, round, &mut Lines::open(invocation, input)?)?;
            sums.retain(|_, sum| sum.round == round);
        }
        let mut sums: Vec<_> = sums.into_iter().collect();
        sums.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
        answer(invocation, &sums)?;
        Ok(FINISHED.to_owned())
    }
}

type Sums = HashMap<Box<str>, Sum>;

struct Sum {
    total: i128,
    /// The last round, counting files from 0, in which the identity occurred.
    round: usize,
}

fn smallest_first(invocation: &Invocation<'_>) -> Vec<usize> {
    let mut inputs: Vec<usize> = (0..invocation.input_count()).collect();
    inputs.sort_by_key(|&input| invocation.input_size(input));
    inputs
}

/// Adds the file's amounts: the first file's for every identity, later ones' for those that all before had.
fn add_file(sums: &mut Sums, round: usize, lines: &mut Lines) -> Result<(), Failure> {
    while let Some(line) = lines.next()? {
        match parse(line).and_then(|record| add(sums, round, record)) {
            Ok(()) => {}
            Err(problem) => return Err(lines.failure(problem)),
        }
    }
    Ok(())
}

fn add(sums: &mut Sums, round: usize, record: Option<(&str, i128)>) -> Result<(), &'static str> {
    let Some((identity, amount)) = record else {
        return Ok(());
    };
    match sums.get_mut(identity) {
        Some(sum) => {
            let total = sum.total.checked_add(amount).ok_or("the sum leaves 128 bits")?;
            *sum = Sum { total, round };
        }
        None if round == 0 => {
            sums.insert(identity.into(), Sum { total: amount, round });
        }
        None => {}
    }
    Ok(())
}

/// A line's identity and amount, `None` if it is blank, or what is wrong with it.
fn parse(line: &[u8]) -> Result<Option<(&str, i128)>, &'static str> {
    if line.trim_ascii().is_empty() {
        return Ok(None);
    }
    let colon = line.iter().rposition(|&byte| byte == b':').ok_or("expected `identity : amount`")?;
    let identity = str::from_utf8(&line[..colon]).map_err(|_| "the identity is not UTF-8")?.trim_ascii();
    if identity.is_empty() {
        return Err("the identity is empty");
    }
    Ok(Some((identity, parse_amount(&line[colon + 1..])?)))
}

fn parse_amount(text: &[u8]) -> Result<i128, &'static str> {
    const NOT_DECIMAL: &str = "the amount is not a decimal integer";
    let text = str::from_utf8(text.trim_ascii()).map_err(|_| NOT_DECIMAL)?;
    text.parse::<i128>().map_err(|error| match error.kind() {
        IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => "the amount leaves 128 bits",
        _ => NOT_DECIMAL,
    })
}

/// Writes the same lines to every owner.
fn answer(invocation: &mut Invocation<'_>, sums: &[(Box<str>, Sum)]) -> Result<(), Failure> {
    let mut outputs = (0..invocation.input_count())
        .map(|input| invocation.output(Output::Owner(input)))
        .collect::<Result<Vec<_>, _>>()?;
    let mut block = Vec::with_capacity(BLOCK_BYTES);
    for (identity, Sum { total, .. }) in sums {
        writeln!(block, "{identity} : {total}")?;
        if block.len() >= BLOCK_BYTES {
            write_to_all(&mut outputs, &mut block)?;
        }
    }
    write_to_all(&mut outputs, &mut block)?;
    outputs.into_iter().try_for_each(OutputStream::finish)
}

fn write_to_all(outputs: &mut [OutputStream], block: &mut Vec<u8>) -> Result<(), Failure> {
    for output in outputs {
        output.write_all(block)?;
    }
    block.clear();
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::check::{check, fails, refused};
    use crate::lines::LINE_BYTES;

    fn check_join(inputs: &[&[u8]], lines: &str) {
        let outputs: Vec<_> = (0..inputs.len()).map(|input| (Output::Owner(input), lines.as_bytes())).collect();
        check(&PrivateJoinAndCompute, None, inputs, Ok("Finished"), &outputs);
    }

    fn fails_in_second(line: &[u8], message: &str) {
        fails(&PrivateJoinAndCompute, &[b"", &[b"a : 1\n", line].concat()], message);
    }

    #[test]
    fn identities_of_every_file_are_summed() {
        check_join(&[b"a : 1\nb : 2\n", b"b : 3\nc : 4\n"], "b : 5\n");
        check_join(&[b"a : 1\nb : 2\n", b"b : 3\na : 4\n", b"a : 5\nb : 6\nc : 7"], "a : 10\nb : 11\n");
        check_join(&[b"a : 1", b"b : 1"], "");
        check_join(&[b"", b"a : 1"], "");
        check_join(&[b"a:1", b"a:1", b"b:1"], "");
    }

    #[test]
    fn an_identity_may_occur_several_times_in_a_file() {
        check_join(&[b"a : 1\na : 2\na : 3", b"a : 10\na : 20"], "a : 36\n");
        check_join(&[b"a : 1\na : 2\na : 3\na : 4", b"b : 10"], "");
    }

    #[test]
    fn lines_are_sorted_by_the_bytes_of_the_identity() {
        let file = "é : 1\nb : 1\nB : 1\naa : 1\na : 1\n10 : 1\n9 : 1";
        check_join(&[file.as_bytes(), file.as_bytes()], "10 : 2\n9 : 2\nB : 2\na : 2\naa : 2\nb : 2\né : 2\n");
    }

    #[test]
    fn an_answer_may_be_longer_than_a_block() {
        let lines: String = (0..BLOCK_BYTES / 8).map(|number| format!("{number:08} : 1\n")).collect();
        check_join(&[lines.as_bytes(), lines.as_bytes()], &lines.replace(": 1", ": 2"));
    }

    #[test]
    fn what_a_line_may_look_like() {
        for line in
            ["a:1", "a : 1", " \ta\t: 1 ", "a : +1", "a : 001", "a : 1\r\n", "\n\r\n \na : 1\n\n", "\u{feff}a : 1"]
        {
            check_join(&[line.as_bytes(), b"a : 0"], "a : 1\n");
        }
        check_join(&[b"a:b : 1", b"a:b:2"], "a:b : 3\n");
        check_join(&[b": : 1", b"::2"], ": : 3\n");
        check_join(&[b"a b : 1", b"a b : -2"], "a b : -1\n");
        check_join(&[b"a : -0", b"a : 0"], "a : 0\n");
    }

    #[test]
    fn malformed_lines_are_named_and_not_quoted() {
        for (line, problem) in [
            (&b"secret"[..], "expected `identity : amount`"),
            (b" : 1", "the identity is empty"),
            (b":1", "the identity is empty"),
            (b"\xff : 1", "the identity is not UTF-8"),
            (b"b : ", "the amount is not a decimal integer"),
            (b"b : 1.5", "the amount is not a decimal integer"),
            (b"b : 1 2", "the amount is not a decimal integer"),
            (b"b : +-1", "the amount is not a decimal integer"),
            (b"b : -", "the amount is not a decimal integer"),
            (b"b : 0x1", "the amount is not a decimal integer"),
            (b"b : \xff", "the amount is not a decimal integer"),
            (b"b : 170141183460469231731687303715884105728", "the amount leaves 128 bits"),
            (b"b : -170141183460469231731687303715884105729", "the amount leaves 128 bits"),
        ] {
            fails_in_second(line, &format!("input 2, line 2: {problem}"));
        }
        fails_in_second(b"\n\r\nsecret", "input 2, line 4: expected `identity : amount`");
        fails(&PrivateJoinAndCompute, &[b"\n?", b"a : 1"], "input 1, line 2: expected `identity : amount`");
    }

    #[test]
    fn sums_fill_128_bits_and_no_more() {
        let (max, min) = (format!("a : {}", i128::MAX), format!("a : {}", i128::MIN));
        check_join(&[max.as_bytes(), b"a : 0"], &format!("{max}\n"));
        check_join(&[min.as_bytes(), b"a : 0"], &format!("{min}\n"));
        check_join(&[max.as_bytes(), min.as_bytes()], "a : -1\n");
        fails(&PrivateJoinAndCompute, &[b"a : 1", max.as_bytes()], "input 2, line 1: the sum leaves 128 bits");
        fails(&PrivateJoinAndCompute, &[b"\n\na : -1", min.as_bytes()], "input 2, line 1: the sum leaves 128 bits");
    }

    #[test]
    fn a_line_may_have_64_kib_and_no_more() {
        let long = format!("{} : 1", "x".repeat(LINE_BYTES - 4));
        for end in ["", "\n", "\r\n"] {
            check_join(&[format!("{long}{end}").as_bytes(), b"a : 1"], "");
            let past = format!("y{long}{end}");
            fails_in_second(past.as_bytes(), "input 2, line 2: the line is longer than 65536 bytes");
        }
        fails_in_second(format!("{long}\r\nb").as_bytes(), "input 2, line 3: expected `identity : amount`");
    }

    #[test]
    fn another_shape_is_refused() {
        refused(&PrivateJoinAndCompute, None, &[b""], "the function takes 2 or more input files, not 1");
        refused(&PrivateJoinAndCompute, Some("p"), &[b"", b""], "the function takes no payload");
    }

    type Records = Vec<(char, i64)>;

    fn naive(files: &[Records]) -> String {
        let mut sums = BTreeMap::<char, i128>::new();
        for (identity, amount) in files.iter().flatten() {
            *sums.entry(*identity).or_default() += i128::from(*amount);
        }
        let everywhere = |identity: &char| files.iter().all(|file| file.iter().any(|(own, _)| own == identity));
        sums.iter().filter(|(identity, _)| everywhere(identity)).map(|(i, sum)| format!("{i} : {sum}\n")).collect()
    }

    proptest! {
        #[test]
        fn as_the_naive_definition(
            files in prop::collection::vec(prop::collection::vec(("[a-h]", any::<i64>()), 0..40), 2..5),
        ) {
            let files: Vec<Records> = files
                .into_iter()
                .map(|file| file.into_iter().map(|(i, amount)| (i.chars().next().unwrap(), amount)).collect())
                .collect();
            let inputs: Vec<String> = files
                .iter()
                .map(|file| file.iter().map(|(identity, amount)| format!("{identity}:{amount}\n")).collect())
                .collect();
            let inputs: Vec<&[u8]> = inputs.iter().map(String::as_bytes).collect();
            check_join(&inputs, &naive(&files));
        }

        #[test]
        fn no_line_panics(line: Vec<u8>) {
            let _ = parse(&line);
        }
    }
}
