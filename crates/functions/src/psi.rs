//! `psi`: which records of each file occur in every other file too (private set intersection).
//!
//! Each file is a sequence of 32-byte records, hashed identifiers, in any order, repeats allowed. Each owner learns
//! one byte per record of its own file, in its own order: 1 where every other party's file has the record too, else 0.
//! With three parties or more nobody learns which of the others lacks a record.
//!
//! ```text
//! each file ─▶ tag (keyed for this run) ─▶ partitions of entries ─▶ join, partition by partition ─▶ bits ─▶ bytes
//!  a thread                                in memory, then scratch          all threads               a thread a file
//! ```
//!
//! Memory is bounded by [`Limits::memory`](executor::Limits::memory), whatever the sizes and however often a record is
//! repeated ([`plan`]). The key is drawn when all files are fixed: nobody can choose records that share a partition.
//!
//! What is compared are tags, of which 104 bits and the partition's b decide. A record of the smallest file, which has
//! m, and another of the n in all files are taken for one with a probability of at most 2⁻¹⁰⁴⁻ᵇ, so that an answer is
//! wrong with at most m · n · 2⁻¹⁰⁴⁻ᵇ + n² · 2⁻¹²⁷. There are partitions for 2¹³ to 2¹⁴ of the m each while memory
//! lasts: 2⁻⁶⁵ for two files of 2²⁴ records. With 512 MiB they are at most 2¹²: 2⁻⁴⁸ for two files of 2³³ (256 GiB).

mod answers;
mod entry;
mod join;
mod plan;
mod scatter;
mod table;

use std::borrow::Cow;

use crypto::record_tag::{RECORD_LEN, RecordTags};
use executor::{Failure, Function, Inputs, Interface, Invocation, Output, OutputKind, PayloadRule, ResultRule};
use types::function::FunctionType;

use self::answers::{Marks, write};
use self::join::{Joiner, Partition};
use self::plan::Plan;
use self::scatter::{Partitioned, Scatter};
use crate::FINISHED;
use crate::crew::Crew;
use crate::spill::Pool;

pub(crate) struct Psi;

static INTERFACE: Interface = Interface {
    name: Cow::Borrowed("psi"),
    version: 1,
    summary: Cow::Borrowed("tells owners which of their 32-byte records all the others have too"),
    function_type: FunctionType::Multiparty,
    inputs: Inputs::at_least(2).from_every_party(),
    payload: PayloadRule::Refused,
    outputs: Cow::Borrowed(&[OutputKind::Owner]),
    result: ResultRule::Text,
    schema: Cow::Borrowed(include_str!("schema/psi.json")),
    counts: true,
};

impl Function for Psi {
    fn interface(&self) -> &Interface {
        &INTERFACE
    }

    fn run(&self, invocation: &mut Invocation<'_>) -> Result<String, Failure> {
        let records = records(invocation)?;
        let plan = Plan::new(invocation.memory(), invocation.threads().get(), &records);
        run(invocation, &records, &plan.ok_or_else(|| invocation.too_much_memory())?)?;
        Ok(FINISHED.to_owned())
    }
}

/// How many records each file has.
fn records(invocation: &Invocation<'_>) -> Result<Vec<u64>, Failure> {
    let whole = |input| match (invocation.input_size(input), RECORD_LEN as u64) {
        (size, record) if size.is_multiple_of(record) => Ok(size / record),
        _ => Err(broken(input)),
    };
    (0..invocation.input_count()).map(whole).collect()
}

fn broken(input: usize) -> Failure {
    Failure::function(format!("input {}: the length is no multiple of 32 bytes", input + 1))
}

/// Runs as planned, and gives the most memory that was counted.
fn run(invocation: &mut Invocation<'_>, records: &[u64], plan: &Plan) -> Result<Pool, Failure> {
    let scratch = if plan.spills { Some(invocation.scratch()?) } else { None };
    let pool = Pool::new(plan.room, invocation.memory(), scratch);
    let crew = Crew::new(invocation);
    let partitions = scatter(invocation, records, plan, &pool, &crew)?;
    let begin = || Ok(Joiner::new(plan, &pool, &crew, Marks::new(plan.windows, &pool, records)));
    let joiners = crew.share(plan.joiners, partitions, begin, Joiner::join)?;
    invocation.check_group(joiners.iter().map(Joiner::common).sum())?;
    answer(invocation, records, plan, &pool, &crew, joiners)?;
    Ok(pool)
}

/// Reads all files at once, as far as there are threads, and gives their entries by partition.
fn scatter(
    invocation: &mut Invocation<'_>,
    records: &[u64],
    plan: &Plan,
    pool: &Pool,
    crew: &Crew,
) -> Result<Vec<Partition>, Failure> {
    let tags = RecordTags::new();
    let mut order: Vec<usize> = (0..records.len()).collect();
    order.sort_by_key(|&input| records[input]);
    let streams = order.iter().rev().map(|&input| Ok((input, invocation.input(input)?)));
    let streams = streams.collect::<Result<Vec<_>, Failure>>()?;
    let read = |files: &mut Vec<(usize, Partitioned)>, (input, mut stream)| {
        let scatter = Scatter::new(plan, &tags, pool);
        files.push((input, scatter.read(input, records[input], &mut stream)?));
        Ok(())
    };
    let files = crew.share(crew.threads(), streams, || Ok(Vec::new()), read)?;
    Ok(transpose(files.into_iter().flatten().collect(), &order, 1 << plan.partition_bits))
}

/// From files of partitions to partitions of files, in this order.
fn transpose(files: Vec<(usize, Partitioned)>, order: &[usize], partitions: usize) -> Vec<Partition> {
    let mut files: Vec<_> = files.into_iter().map(|(input, file)| (input, file.into_iter())).collect();
    files.sort_by_key(|(input, _)| order.iter().position(|other| other == input));
    let mut next =
        || Partition(files.iter_mut().map(|(input, file)| (*input, file.next().unwrap_or_default())).collect());
    (0..partitions).map(|_| next()).collect()
}

/// Writes every owner's answers.
fn answer(
    invocation: &mut Invocation<'_>,
    records: &[u64],
    plan: &Plan,
    pool: &Pool,
    crew: &Crew,
    joiners: Vec<Joiner<'_>>,
) -> Result<(), Failure> {
    let mut found: Vec<Vec<_>> = records.iter().map(|_| Vec::new()).collect();
    for joiner in joiners {
        let files = joiner.finish().by_file()?;
        found.iter_mut().zip(files).for_each(|(all, file)| all.push(file));
    }
    let jobs = found.into_iter().enumerate();
    let jobs = jobs.map(|(input, found)| Ok((found, records[input], invocation.output(Output::Owner(input))?)));
    let jobs = jobs.collect::<Result<Vec<_>, Failure>>()?;
    let write = |(): &mut (), (found, records, output)| write(found, records, plan.windows, (pool, crew), output);
    crew.share(crew.threads(), jobs, || Ok(()), write).map(drop)
}

#[cfg(test)]
mod tests;
