//! `ordered_set_intersect`: which records of two sorted files occur in both, in one pass and constant memory.
//!
//! A record is a line of hexadecimal digits; records are compared as the bytes that they encode. Each owner learns one
//! digit per record of its own file, in its order: `1` where the other file has the record too, else `0`.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::io::{BufWriter, Write};

use executor::{
    Failure, Function, Inputs, Interface, Invocation, Output, OutputKind, OutputStream, PayloadRule, ResultRule,
};
use serde::Deserialize;
use types::function::FunctionType;

use crate::lines::Lines;

pub(crate) struct OrderedSetIntersect;

static INTERFACE: Interface = Interface {
    name: Cow::Borrowed("ordered_set_intersect"),
    version: 1,
    summary: Cow::Borrowed("tells two owners of sorted files which of their records the other has too"),
    function_type: FunctionType::Either,
    inputs: Inputs::exactly(2),
    payload: PayloadRule::Optional,
    outputs: Cow::Borrowed(&[OutputKind::Owner]),
    result: ResultRule::Text,
    schema: Cow::Borrowed(include_str!("schema/ordered_set_intersect.json")),
    counts: true,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Parameters {
    #[serde(default)]
    order: Order,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Order {
    #[default]
    Ascending,
    /// The ancestor spelt it `desending`.
    #[serde(alias = "desending")]
    Descending,
}

impl Order {
    fn compare(self, left: &[u8], right: &[u8]) -> Ordering {
        match self {
            Order::Ascending => left.cmp(right),
            Order::Descending => right.cmp(left),
        }
    }
}

impl Function for OrderedSetIntersect {
    fn interface(&self) -> &Interface {
        &INTERFACE
    }

    fn run(&self, invocation: &mut Invocation<'_>) -> Result<String, Failure> {
        let Parameters { order } = invocation.parameters()?;
        let mut sides = [Side::open(invocation, 0, order)?, Side::open(invocation, 1, order)?];
        let mut common = Common::default();
        while let Some(turn) = whose_turn(&sides, order) {
            for side in turn {
                sides[*side].answer(&mut common, turn.len() == 2)?;
            }
        }
        invocation.check_group(common.items)?;
        sides.into_iter().try_for_each(Side::finish)?;
        Ok(format!("{} common items", common.items))
    }
}

/// The last record that both files have, and how many there were.
#[derive(Default)]
struct Common {
    last: Option<Vec<u8>>,
    items: u64,
}

/// The sides whose record comes next: both, when they have the same.
fn whose_turn(sides: &[Side; 2], order: Order) -> Option<&'static [usize]> {
    match (&sides[0].record, &sides[1].record) {
        (None, None) => None,
        (Some(_), None) => Some(&[0]),
        (None, Some(_)) => Some(&[1]),
        (Some(left), Some(right)) => Some(match order.compare(left, right) {
            Ordering::Less => &[0],
            Ordering::Greater => &[1],
            Ordering::Equal => &[0, 1],
        }),
    }
}

/// One file, at the record that was not answered yet.
struct Side {
    lines: Lines,
    order: Order,
    record: Option<Vec<u8>>,
    answers: BufWriter<OutputStream>,
}

impl Side {
    fn open(invocation: &mut Invocation<'_>, input: usize, order: Order) -> Result<Self, Failure> {
        let answers = BufWriter::new(invocation.output(Output::Owner(input))?);
        let mut side = Self { lines: Lines::open(invocation, input)?, order, record: None, answers };
        side.advance()?;
        Ok(side)
    }

    /// Answers the record at hand, which the other side has now (`both`) or may have had before.
    fn answer(&mut self, common: &mut Common, both: bool) -> Result<(), Failure> {
        let repeats = common.last.is_some() && self.record == common.last;
        self.answers.write_all(if both || repeats { b"1" } else { b"0" })?;
        if both && !repeats {
            common.last.clone_from(&self.record);
            common.items += 1;
        }
        self.advance()
    }

    fn advance(&mut self) -> Result<(), Failure> {
        let Some(line) = self.lines.next()? else {
            self.record = None;
            return Ok(());
        };
        let Some(next) = decode_hex(line) else {
            return Err(self.lines.failure("expected an even number of hexadecimal digits"));
        };
        if self.record.as_ref().is_some_and(|last| self.order.compare(last, &next) == Ordering::Greater) {
            return Err(self.lines.failure("the records are not in the order that the payload says"));
        }
        self.record = Some(next);
        Ok(())
    }

    fn finish(self) -> Result<(), Failure> {
        self.answers.into_inner().map_err(std::io::IntoInnerError::into_error)?.finish()
    }
}

fn decode_hex(line: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| (byte as char).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, odd) = line.as_chunks::<2>();
    if !odd.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::check::{check, check_group};

    fn check_intersect(payload: Option<&str>, files: [&str; 2], result: &str, answers: [&str; 2]) {
        let outputs = [(Output::Owner(0), answers[0].as_bytes()), (Output::Owner(1), answers[1].as_bytes())];
        check(&OrderedSetIntersect, payload, &files.map(str::as_bytes), Ok(result), &outputs);
    }

    fn fails(payload: Option<&str>, files: [&str; 2], message: &str) {
        check(&OrderedSetIntersect, payload, &files.map(str::as_bytes), Err(message), &[]);
    }

    const DOWN: Option<&str> = Some(r#"{"order":"descending"}"#);

    #[test]
    fn records_of_both_files_are_marked() {
        check_intersect(None, ["01\n02\n03", "02\n03\n04\n"], "2 common items", ["011", "110"]);
        check_intersect(DOWN, ["03\n02\n01", "04\n03\n02\n"], "2 common items", ["110", "011"]);
        check_intersect(Some(r#"{"order":"desending"}"#), ["02\n01", "01"], "1 common items", ["01", "1"]);
        check_intersect(None, ["", "00"], "0 common items", ["", "0"]);
        check_intersect(None, ["0A\r\nff", "0a\nFF"], "2 common items", ["11", "11"]);
        check_intersect(None, ["01\n01\n02", "01\n02\n02\n02"], "2 common items", ["111", "1111"]);
        check_intersect(None, ["01\n0100", "0100\n02"], "1 common items", ["01", "10"]);
    }

    #[test]
    fn what_is_out_of_order_is_named() {
        let order = "the records are not in the order that the payload says";
        fails(None, ["02\n01", "03"], &format!("input 1, line 2: {order}"));
        fails(DOWN, ["02\n01", "03\n\n04"], &format!("input 2, line 3: {order}"));
        let digits = "expected an even number of hexadecimal digits";
        for bad in ["0", "0g", "00 ", "\u{fffd}"] {
            fails(None, ["", bad], &format!("input 2, line 1: {digits}"));
        }
        let orders = "payload: order: expected one of `ascending`, `descending`, `desending`";
        fails(Some(r#"{"order":"up"}"#), ["", ""], orders);
    }

    #[test]
    fn distinct_records_of_both_files_are_counted() {
        for (files, records) in
            [(["", ""], 0), (["01", "02"], 0), (["01\n02\n03", "02\n03\n04"], 2), (["01\n01\n01\n02", "01\n01\n03"], 1)]
        {
            check_group(&OrderedSetIntersect, None, &files.map(str::as_bytes), records);
        }
    }

    proptest! {
        #[test]
        fn as_the_naive_definition(mut left: Vec<u8>, mut right in prop::collection::vec(0..40u8, 0..60)) {
            left.sort_unstable();
            right.sort_unstable();
            let lines = |records: &[u8]| records.iter().map(|record| format!("{record:02x}\n")).collect::<String>();
            let naive = |own: &[u8], other: &[u8]| -> String {
                own.iter().map(|record| if other.contains(record) { '1' } else { '0' }).collect()
            };
            let distinct: std::collections::BTreeSet<_> = left.iter().filter(|record| right.contains(record)).collect();
            let answers = [naive(&left, &right), naive(&right, &left)];
            check_intersect(
                None,
                [&lines(&left), &lines(&right)],
                &format!("{} common items", distinct.len()),
                [&answers[0], &answers[1]],
            );
        }
    }
}
