//! The join beside its definition: in memory and out of it, whole and broken.

use std::collections::BTreeMap;

use executor::memory::MemoryFiles;
use executor::{Limits, StopSignal};
use proptest::prelude::*;

use super::parse::parse;
use super::*;
use crate::blocks::BLOCK_BYTES;
use crate::check::{check, check_failures_and_stops, check_group, fails, refused};
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
fn the_fewest_lines_of_one_file_in_one_sum_are_counted() {
    let cases: [(&[&[u8]], u64); 7] = [
        (&[b"", b""], 0),
        (&[b"a : 1", b"b : 1"], 0),
        (&[b"a:1", b"a:1", b"b:1"], 0),
        (&[b"a : 1\nb : 2\n", b"b : 3\nc : 4\n"], 1),
        (&[b"a : 1\na : 2\na : 3\nc : 1", b"a : 10\nb : 1\na : 20"], 2),
        (&[b"a : 1\na : 2\nb : 3\nb : 3", b"a : 1\na : 2\na : 3\nb : 1"], 1),
        // Whoever adds lines of its own makes nobody else's group larger.
        (&[b"a : 0\na : 0\na : 0\na : 0\na : 0", b"a : 7", b"a : 1\na : 2"], 1),
    ];
    for (inputs, lines) in cases {
        check_group(&PrivateJoinAndCompute, None, inputs, lines);
    }
}

/// Which line overflows tells of what is common: not as long as that may be too little.
#[test]
fn a_group_is_counted_before_sums_are_spoken_of() {
    let most = format!("a : {}\n", i128::MAX);
    let limits = Limits { group: Some(2), ..Limits::default() };
    let mut files = MemoryFiles::new([most.as_bytes(), most.as_bytes()]);
    let ran = executor::run(&PrivateJoinAndCompute, None, &mut files, &limits, &StopSignal::new());
    assert!(matches!(ran, Err(Failure::Limit(executor::Limit::Group(2)))), "{ran:?}");
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
    for line in ["a:1", "a : 1", " \ta\t: 1 ", "a : +1", "a : 001", "a : 1\r\n", "\n\r\n \na : 1\n\n", "\u{feff}a : 1"]
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

/// The fewest lines of one file in one sum.
fn naive_lines(files: &[Records]) -> u64 {
    let lines = |file: &Records, identity: &char| file.iter().filter(|(own, _)| own == identity).count() as u64;
    let fewest = |(identity, _): &(char, i64)| files.iter().map(|file| lines(file, identity)).min();
    files[0].iter().filter_map(fewest).filter(|lines| *lines > 0).min().unwrap_or(0)
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

/// The join with a test's own plan.
struct Planned(Plan, std::sync::Mutex<u64>);

impl Function for Planned {
    fn interface(&self) -> &Interface {
        PrivateJoinAndCompute.interface()
    }

    fn run(&self, invocation: &mut Invocation<'_>) -> Result<String, Failure> {
        *self.1.lock().unwrap() = run(invocation, &self.0)?.peak();
        Ok(String::new())
    }
}

/// The first owner's lines, and how many bytes the run counted at most.
fn planned(inputs: &[String], plan: Plan, group: Option<u64>) -> Result<(String, u64), Failure> {
    let mut files = MemoryFiles::new(inputs.iter().map(|input| input.as_bytes().to_vec())).in_chunks_of(300);
    let function = Planned(plan, std::sync::Mutex::default());
    let limits = Limits { group, ..Limits::default() };
    executor::run(&function, None, &mut files, &limits, &StopSignal::new())?;
    let lines = files.output(Output::Owner(0)).unwrap();
    assert!((1..inputs.len()).all(|input| files.output(Output::Owner(input)).unwrap() == lines));
    Ok((String::from_utf8(lines).unwrap(), function.1.into_inner().unwrap()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Everything spills, sums are made in parts, and runs are merged again and again.
    #[test]
    fn as_the_naive_definition_out_of_memory(
        files in prop::collection::vec(prop::collection::vec((0..150u32, any::<i64>()), 0..400), 2..5),
        partition_bits in 0..3u32,
        chunk_bytes in 16..200usize,
        sums_bytes in 400..3000usize,
        room in prop_oneof![Just(0), Just(2000u64)],
    ) {
        let plan = || Plan { partition_bits, chunk_bytes, room, sums_bytes, joiners: 3, fan_in: 2, spills: true };
        let files: Vec<Records> = files
            .into_iter()
            .map(|file| file.into_iter().map(|(i, amount)| (char::from_u32('a' as u32 + i).unwrap(), amount)).collect())
            .collect();
        let inputs: Vec<String> = files
            .iter()
            .map(|file| file.iter().map(|(identity, amount)| format!("{identity}:{amount}\n")).collect())
            .collect();
        let fewest = naive_lines(&files);
        prop_assert_eq!(planned(&inputs, plan(), Some(fewest)).unwrap().0, naive(&files));
        let refused = planned(&inputs, plan(), Some(fewest + 1));
        prop_assert!(matches!(refused, Err(Failure::Limit(executor::Limit::Group(_)))));
    }
}

/// Long identities, one identity again and again, and many: none takes more than the limit.
#[test]
fn memory_is_bounded_whatever_is_repeated() {
    const MEMORY: u64 = 4 << 20;
    let same = "the same : 1\n".repeat(1 << 18);
    let many: String = (0..1 << 17).map(|at| format!("identity {at} : {at}\n")).collect();
    let long: String = (0..100).map(|at| format!("{at}{} : 1\n", "x".repeat(60_000))).collect();
    for (inputs, lines) in [([&same, &same], 1), ([&same, &many], 0), ([&many, &many], 1 << 17), ([&long, &long], 100)]
    {
        let inputs = inputs.map(Clone::clone);
        let plan = Plan::new(MEMORY, 2, &inputs.each_ref().map(|input| input.len() as u64)).unwrap();
        let (written, peak) = planned(&inputs, plan, None).unwrap();
        assert_eq!(written.lines().count(), lines);
        assert!(written.lines().is_sorted_by_key(|line| line.rsplit_once(" : ").unwrap().0));
        assert!(peak <= MEMORY, "{peak}");
    }
}

#[test]
fn the_first_reason_in_the_order_of_files_is_said() {
    let overflow = format!("a : {}\na : 1\n", i128::MAX);
    // The smallest file's sums count, whoever has the identity.
    fails(
        &PrivateJoinAndCompute,
        &[&b"b : 1\n".repeat(20), overflow.as_bytes()],
        "input 2, line 2: the sum leaves 128 bits",
    );
    let broken = [&b"x : 1\n".repeat(20)[..], b"?"].concat();
    fails(&PrivateJoinAndCompute, &[&broken, overflow.as_bytes()], "input 1, line 21: expected `identity : amount`");
    let more = [&broken[..], b"\n\n"].concat();
    fails(&PrivateJoinAndCompute, &[&more, &broken], "input 2, line 21: expected `identity : amount`");
}

#[test]
fn too_little_memory_and_full_scratch_are_said() {
    let many: String = (0..60_000).map(|at| format!("identity {at} : {at}\n")).collect();
    let run = |limits: &Limits| {
        let mut files = MemoryFiles::new([many.as_bytes(), many.as_bytes()]);
        executor::run(&PrivateJoinAndCompute, None, &mut files, limits, &StopSignal::new()).unwrap_err().to_string()
    };
    let tiny = Limits { memory: 1000, ..Limits::default() };
    assert_eq!(run(&tiny), "the function needs more memory than the limit of 1000 bytes");
    let narrow = Limits { memory: 2 << 20, scratch: 1000, ..Limits::default() };
    assert_eq!(run(&narrow), "the function needs more scratch space than the limit of 1000 bytes");
}

/// Two files that have half of their identities in common.
fn large() -> [Vec<u8>; 2] {
    [0..40_000, 20_000..60_000].map(|range: std::ops::Range<u32>| {
        range.map(|at| format!("identity {at} : {at}\n")).collect::<String>().into_bytes()
    })
}

/// Under 2 MiB, everything spills: lines, sums and merged runs.
fn spilling() -> Limits {
    Limits { memory: 2 << 20, threads: std::num::NonZeroUsize::new(2).unwrap(), ..Limits::default() }
}

#[test]
fn failures_and_stops_end_every_phase() {
    check_failures_and_stops(&PrivateJoinAndCompute, &large(), &spilling());
}

#[test]
fn time_ends_a_run() {
    let late = Limits { wall: std::time::Duration::from_millis(5), ..spilling() };
    let mut files = MemoryFiles::new(large());
    let ran = executor::run(&PrivateJoinAndCompute, None, &mut files, &late, &StopSignal::new());
    assert!(matches!(ran, Err(Failure::Stopped(_))), "{ran:?}");
    assert!(files.into_outputs().is_empty());
}
