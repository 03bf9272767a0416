//! `private_join_and_compute`: sums per identity, for the identities that occur in every file.
//!
//! A line is `identity : amount`. The identity is what stands before the last `:`, without the white space around it,
//! UTF-8 and not empty; the amount is a decimal integer of at most 128 bits with an optional sign. Blank lines and a
//! byte order mark at the start are ignored. An identity's amounts are added up within and across files, file by file
//! from the smallest to the largest, as long as all files before had it.
//!
//! ```text
//! each file ─▶ partitions of identities ─▶ sums, partition by partition ─▶ sorted runs ─▶ merged ─▶ every owner
//!  a thread     in memory, then scratch     all threads                                   a thread   further threads
//! ```
//!
//! Memory is bounded by [`Limits::memory`](executor::Limits::memory), whatever the sizes ([`plan`]). What fails does so
//! for the first reason in that order of files and their lines; malformed lines come before sums that leave 128 bits.

mod answer;
mod join;
mod parse;
mod plan;
mod runs;
mod scatter;
mod sums;
#[cfg(test)]
mod tests;
mod wire;

use std::borrow::Cow;
use std::hash::RandomState;

use executor::{Failure, Function, Inputs, Interface, Invocation, Output, OutputKind, PayloadRule, ResultRule};
use types::function::FunctionType;

use self::answer::answer;
use self::join::{Joiner, Partition};
use self::plan::Plan;
use self::runs::{Run, merge_to_few};
use self::scatter::{Partitioned, Scatter};
use crate::FINISHED;
use crate::crew::Crew;
use crate::lines::Lines;
use crate::spill::Pool;

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
    schema: Cow::Borrowed(include_str!("schema/private_join_and_compute.json")),
    counts: true,
};

impl Function for PrivateJoinAndCompute {
    fn interface(&self) -> &Interface {
        &INTERFACE
    }

    fn run(&self, invocation: &mut Invocation<'_>) -> Result<String, Failure> {
        let sizes: Vec<u64> = (0..invocation.input_count()).map(|input| invocation.input_size(input)).collect();
        let plan = Plan::new(invocation.memory(), invocation.threads().get(), &sizes);
        run(invocation, &plan.ok_or_else(|| invocation.too_much_memory())?)?;
        Ok(FINISHED.to_owned())
    }
}

/// Runs as planned, and gives the memory that was counted.
fn run(invocation: &mut Invocation<'_>, plan: &Plan) -> Result<Pool, Failure> {
    let scratch = if plan.spills { Some(invocation.scratch()?) } else { None };
    let pool = Pool::new(plan.room, invocation.memory(), scratch);
    let crew = Crew::new(invocation);
    let order = smallest_first(invocation);
    let partitions = scatter(invocation, plan, &order, &pool, &crew)?;
    let runs = join(invocation, plan, (&order, partitions), (&pool, &crew))?;
    let outputs = (0..order.len()).map(|input| invocation.output(Output::Owner(input)));
    answer(runs, (&pool, &crew), outputs.collect::<Result<_, _>>()?)?;
    Ok(pool)
}

fn smallest_first(invocation: &Invocation<'_>) -> Vec<usize> {
    let mut inputs: Vec<usize> = (0..invocation.input_count()).collect();
    inputs.sort_by_key(|&input| invocation.input_size(input));
    inputs
}

/// Reads all files at once, as far as there are threads, and gives their lines by partition.
fn scatter(
    invocation: &mut Invocation<'_>,
    plan: &Plan,
    order: &[usize],
    pool: &Pool,
    crew: &Crew,
) -> Result<Vec<Partition>, Failure> {
    let hasher = RandomState::new();
    let files = order.iter().enumerate().rev().map(|(round, &input)| Ok((round, Lines::open(invocation, input)?)));
    let files = files.collect::<Result<Vec<_>, Failure>>()?;
    let read = |done: &mut Vec<(usize, Result<Partitioned, Failure>)>, (round, lines)| {
        match Scatter::new(plan, &hasher, pool).read(lines) {
            // What is wrong with a file is said once it is clear that none before it has anything wrong.
            read @ (Ok(_) | Err(Failure::Function(_))) => {
                done.push((round, read));
                Ok(())
            }
            Err(failure) => Err(failure),
        }
    };
    let mut files: Vec<_> = crew.share(crew.threads(), files, || Ok(Vec::new()), read)?.into_iter().flatten().collect();
    files.sort_by_key(|(round, _)| *round);
    let files = files.into_iter().map(|(_, read)| read).collect::<Result<Vec<_>, _>>()?;
    let mut files: Vec<_> = files.into_iter().map(Vec::into_iter).collect();
    let mut next = || files.iter_mut().map(|file| file.next().unwrap_or_default()).collect();
    Ok((0..1 << plan.partition_bits).map(|_| next()).collect())
}

/// Adds up, and gives few sorted runs.
fn join(
    invocation: &Invocation<'_>,
    plan: &Plan,
    (order, partitions): (&[usize], Vec<Partition>),
    (pool, crew): (&Pool, &Crew),
) -> Result<Vec<Run>, Failure> {
    let joiners = crew.share(plan.joiners, partitions, || Ok(Joiner::new(plan, pool, crew)), Joiner::join)?;
    let ends = joiners.into_iter().map(Joiner::finish).collect::<Result<Vec<_>, _>>()?;
    // Before anything else is said of what is common.
    invocation.check_group(ends.iter().filter_map(|end| end.fewest_lines).min().unwrap_or(0).into())?;
    if let Some((round, line)) = ends.iter().filter_map(|end| end.overflow).min() {
        let input = order[round] + 1;
        return Err(Failure::function(format!("input {input}, line {line}: the sum leaves 128 bits")));
    }
    let runs = ends.into_iter().flat_map(|end| end.runs).collect();
    merge_to_few(runs, (pool, crew), plan.chunk_bytes, plan.fan_in)
}
