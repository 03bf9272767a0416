//! psi beside its definition: for any number of files, in memory and out of it, whole and broken.

use std::num::NonZeroUsize;

use executor::memory::MemoryFiles;
use executor::{Limits, StopSignal};
use proptest::prelude::*;

use super::plan::Windows;
use super::*;
use crate::check::{check, check_failures_and_stops, check_group, fails, refused};

/// A file of one record per number.
fn file(records: &[u16]) -> Vec<u8> {
    records.iter().flat_map(|record| record.to_be_bytes().repeat(RECORD_LEN / 2)).collect()
}

fn bytes(records: &[u8]) -> Vec<u16> {
    records.iter().map(|record| u16::from(*record)).collect()
}

fn naive(files: &[Vec<u16>]) -> Vec<Vec<u8>> {
    let sets: Vec<std::collections::HashSet<u16>> = files.iter().map(|file| file.iter().copied().collect()).collect();
    let answer = |record: &u16| sets.iter().all(|set| set.contains(record)).into();
    files.iter().map(|file| file.iter().map(answer).collect()).collect()
}

fn check_files(files: &[&[u8]], answers: &[&[u8]]) {
    let inputs: Vec<_> = files.iter().map(|records| file(&bytes(records))).collect();
    let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
    let outputs: Vec<_> = answers.iter().enumerate().map(|(input, answer)| (Output::Owner(input), *answer)).collect();
    check(&Psi, None, &inputs, Ok("Finished"), &outputs);
}

#[test]
fn the_example_of_the_reference() {
    check_files(&[b"abcd", b"bxc"], &[&[0, 1, 1, 0], &[1, 0, 1]]);
}

#[test]
fn each_record_of_each_file_is_answered() {
    check_files(&[b"", b""], &[&[], &[]]);
    check_files(&[b"", b"a"], &[&[], &[0]]);
    check_files(&[b"a", b""], &[&[0], &[]]);
    check_files(&[b"a", b"a"], &[&[1], &[1]]);
    check_files(&[b"a", b"b"], &[&[0], &[0]]);
    check_files(&[b"abc", b"cba"], &[&[1, 1, 1], &[1, 1, 1]]);
    check_files(&[b"\0\xff", b"\xff"], &[&[0, 1], &[1]]);
}

#[test]
fn a_record_counts_that_every_file_has() {
    check_files(&[b"abc", b"bcd", b"cbe"], &[&[0, 1, 1], &[1, 1, 0], &[1, 1, 0]]);
    check_files(&[b"ab", b"ab", b"b", b"abc", b"b"], &[&[0, 1], &[0, 1], &[1], &[0, 1, 0], &[1]]);
    check_files(&[b"a", b"a", b""], &[&[0], &[0], &[]]);
}

#[test]
fn repeats_are_answered_like_their_first_occurrence() {
    check_files(&[b"aabab", b"a"], &[&[1, 1, 0, 1, 0], &[1]]);
    check_files(&[b"aa", b"aaa"], &[&[1, 1], &[1, 1, 1]]);
    check_files(&[b"bb", b"aaa"], &[&[0, 0], &[0, 0, 0]]);
    check_files(&[b"aaa", b"bab"], &[&[1, 1, 1], &[0, 1, 0]]);
    check_files(&[b"aaa", b"bab", b"aac"], &[&[1, 1, 1], &[0, 1, 0], &[1, 1, 0]]);
}

#[test]
fn records_are_compared_whole() {
    for byte in 0..RECORD_LEN {
        let (left, mut right) = (file(&[7]), file(&[7]));
        right[byte] ^= 1;
        let outputs = [(Output::Owner(0), &[0][..]), (Output::Owner(1), &[0])];
        check(&Psi, None, &[&left, &right], Ok("Finished"), &outputs);
    }
}

#[test]
fn distinct_common_records_are_counted() {
    let cases: [(&[&[u8]], u64); 6] = [
        (&[b"", b""], 0),
        (&[b"abc", b"def"], 0),
        (&[b"abcd", b"bxc"], 2),
        (&[b"aaaab", b"aaacc"], 1),
        (&[b"abc", b"bcd", b"cbe"], 2),
        (&[b"ab", b"ab", b"c"], 0),
    ];
    for (files, common) in cases {
        let inputs: Vec<_> = files.iter().map(|records| file(&bytes(records))).collect();
        let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
        check_group(&Psi, None, &inputs, common);
    }
}

#[test]
fn files_of_broken_records_are_refused() {
    let whole = file(&[1, 2]);
    for length in [1, 31, 33, 63] {
        let broken = &whole[..length];
        fails(&Psi, &[broken, &whole], "input 1: the length is no multiple of 32 bytes");
        fails(&Psi, &[&whole, broken], "input 2: the length is no multiple of 32 bytes");
        fails(&Psi, &[b"", &whole, broken], "input 3: the length is no multiple of 32 bytes");
    }
}

#[test]
fn another_shape_is_refused() {
    refused(&Psi, None, &[b""], "the function takes 2 or more input files, not 1");
    refused(&Psi, Some("p"), &[b"", b""], "the function takes no payload");
}

/// How a test divides a run.
fn limits(memory: u64, threads: usize) -> Limits {
    Limits { memory, threads: NonZeroUsize::new(threads).unwrap(), ..Limits::default() }
}

/// Outcome and answers under limits, with inputs in pieces that cut records.
fn outcome(files: &[Vec<u16>], limits: &Limits, stop: &StopSignal) -> Result<Vec<Vec<u8>>, Failure> {
    let mut lent = MemoryFiles::new(files.iter().map(|records| file(records))).in_chunks_of(5000);
    executor::run(&Psi, None, &mut lent, limits, stop)?;
    Ok((0..files.len()).map(|input| lent.output(Output::Owner(input)).unwrap()).collect())
}

proptest! {
    #[test]
    fn as_the_naive_definition(
        files in prop::collection::vec(prop::collection::vec(0..40u16, 0..60), 2..6),
        threads in 1..5usize,
    ) {
        prop_assert_eq!(outcome(&files, &limits(1 << 20, threads), &StopSignal::new()).unwrap(), naive(&files));
    }

    #[test]
    fn as_the_naive_definition_with_many_repeats(
        left in prop::collection::vec(0..4u16, 0..5000),
        right in prop::collection::vec(2..6u16, 0..50),
    ) {
        let files = [left, right];
        prop_assert_eq!(outcome(&files, &limits(1 << 20, 2), &StopSignal::new()).unwrap(), naive(&files));
    }
}

/// Runs as a test planned it; gives the answers and how many bytes the run counted at most.
fn planned(files: &[Vec<u16>], plan: &Plan, group: Option<u64>) -> Result<(Vec<Vec<u8>>, u64), Failure> {
    let peak = std::sync::Mutex::new(0);
    let planned = Planned(&Psi, |invocation: &mut Invocation<'_>| {
        *peak.lock().unwrap() = run(invocation, &records(invocation)?, plan)?.peak();
        Ok(String::new())
    });
    let mut lent = MemoryFiles::new(files.iter().map(|records| file(records))).in_chunks_of(5000);
    let limits = Limits { group, ..limits(1 << 20, 3) };
    executor::run(&planned, None, &mut lent, &limits, &StopSignal::new())?;
    let answers = (0..files.len()).map(|input| lent.output(Output::Owner(input)).unwrap()).collect();
    Ok((answers, peak.into_inner().unwrap()))
}

fn common(files: &[Vec<u16>]) -> u64 {
    let has_all = |record: &&u16| files.iter().all(|file| file.contains(record));
    files[0].iter().filter(has_all).collect::<std::collections::HashSet<_>>().len() as u64
}

/// psi with another way to run.
struct Planned<F>(&'static Psi, F);

impl<F: Fn(&mut Invocation<'_>) -> Result<String, Failure> + Send + Sync> Function for Planned<F> {
    fn interface(&self) -> &Interface {
        self.0.interface()
    }

    fn run(&self, invocation: &mut Invocation<'_>) -> Result<String, Failure> {
        self.1(invocation)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Everything spills, tables hold few tags, and answers are collected in windows.
    #[test]
    fn as_the_naive_definition_out_of_memory(
        files in prop::collection::vec(prop::collection::vec(0..500u16, 0..700), 2..6),
        partition_bits in 0..4u32,
        tags in 1..400usize,
        room in prop_oneof![Just(0), Just(20_000u64)],
        window_bits in prop_oneof![Just(None), (0..12u32).prop_map(Some)],
    ) {
        let windows = window_bits.map_or(Windows::One, |bits| Windows::Many { bits, chunk_len: 5 });
        let plan = Plan { partition_bits, chunk_len: 128, room, tags, joiners: 3, windows, spills: true };
        prop_assert_eq!(planned(&files, &plan, Some(common(&files))).unwrap().0, naive(&files));
        let refused = planned(&files, &plan, Some(common(&files) + 1));
        prop_assert!(matches!(refused, Err(Failure::Limit(executor::Limit::Group(_)))));
    }
}

/// All records of both files are the same, or all are distinct: neither takes more than the limit.
#[test]
fn memory_is_bounded_whatever_is_repeated() {
    const MEMORY: u64 = 1 << 20;
    let count = 1 << 18;
    let same = vec![7; count];
    let few: Vec<u16> = (0..count).map(|at| (at % 3) as u16).collect();
    let distinct: Vec<u16> = (0..1 << 16).map(|at| at as u16).collect();
    for files in
        [[&same, &same], [&same, &distinct], [&few, &distinct], [&distinct, &distinct]].map(|f| f.map(Clone::clone))
    {
        let sizes = [files[0].len() as u64, files[1].len() as u64];
        let plan = Plan::new(MEMORY, 2, &sizes).unwrap();
        let (answers, peak) = planned(&files, &plan, None).unwrap();
        assert_eq!(answers, naive(&files));
        assert!(peak <= MEMORY, "{peak}");
    }
}

#[test]
fn too_little_memory_is_said() {
    let failed = outcome(&[vec![1], vec![1]], &limits(1000, 1), &StopSignal::new()).unwrap_err();
    assert_eq!(failed.to_string(), "the function needs more memory than the limit of 1000 bytes");
}

#[test]
fn a_full_scratch_space_is_named() {
    let files = [(0..60_000).collect(), (0..60_000).collect::<Vec<u16>>()];
    let small = Limits { scratch: 10_000, ..limits(1 << 20, 2) };
    let failed = outcome(&files, &small, &StopSignal::new()).unwrap_err();
    assert_eq!(failed.to_string(), "the function needs more scratch space than the limit of 10000 bytes");
}

/// In every phase of a run that spills: a failure of the scratch space comes out as it is, a stop signal stops it.
#[test]
fn failures_and_stops_end_every_phase() {
    let files: [Vec<u16>; 2] = [(0..25_000).collect(), (10_000..35_000).collect()];
    let inputs = files.map(|records| file(&records));
    check_failures_and_stops(&Psi, &inputs, &limits(1 << 19, 2));
}

#[test]
fn time_ends_a_run() {
    let files = [(0..60_000).collect(), (0..60_000).collect::<Vec<u16>>()];
    let late = Limits { wall: std::time::Duration::from_millis(5), ..limits(1 << 20, 2) };
    assert!(matches!(outcome(&files, &late, &StopSignal::new()), Err(Failure::Stopped(_))));
}

#[test]
fn a_plan_follows_memory_and_sizes() {
    let plan = |memory_mib: u64, records: &[u64]| Plan::new(memory_mib << 20, 2, records).unwrap();
    let large = plan(512, &[1 << 24, 1 << 24]);
    assert_eq!((large.partition_bits, large.chunk_len, large.joiners), (11, 1024, 2));
    assert_eq!((large.windows, large.spills), (Windows::One, true));
    assert!(!plan(1024, &[1 << 24, 1 << 24]).spills);
    assert_eq!(plan(256, &[1 << 24, 1 << 24]).partition_bits, 11);
    assert_eq!(plan(512, &[4, 1 << 24]).partition_bits, 0);
    assert!(matches!(plan(512, &[1 << 33, 1 << 33]), Plan { partition_bits: 12, windows: Windows::Many { .. }, .. }));
    assert!(Plan::new(100_000, 1, &[1, 1]).is_none());
}
