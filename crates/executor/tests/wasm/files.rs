//! What a guest sees of the run's files, and what it does not see.

use std::io::Cursor;

use executor::memory::MemoryFiles;
use executor::{Failure, Limits, Output};

use crate::support::{PROBE, check, check_words, load, probe, probe_on, run_with, wat};

fn all(files: &mut MemoryFiles, payload: &str) -> executor::Outcome {
    probe_on(files, payload, &Limits::default()).expect("a finished run")
}

#[test]
fn the_payload_is_an_argument_and_standard_input() {
    check(probe("arguments"), "2 probe");
    check(probe("stdin"), "stdin");
    check(probe("environment"), "none");
    let mut files = MemoryFiles::new::<&[u8]>([]);
    let program = load(PROBE).expect("the probe");
    check(run_with(&program, None, &mut files, &Limits::default()), "probe without a payload");
}

#[test]
fn directories_can_be_listed() {
    check(probe("list / list /inputs list /outputs list /outputs/owner"), "inputs/ outputs/ \n0:4 1:5 \nowner/");
    let written = "put /outputs/creator abc put /outputs/owner/1 d list /outputs list /outputs/owner";
    check(probe(written), "creator:3 owner/ \n1:1");
    check(probe("list /inputs/0 list /nowhere"), "ENOTDIR\nENOENT");
    // Without a slash paths start at the root too.
    check(probe("list inputs read inputs/0"), "0:4 1:5 \nok");
}

#[test]
fn outputs_are_created_by_writing() {
    let mut files = MemoryFiles::new([&b"left"[..], b"right"]);
    let outcome =
        all(&mut files, "copy /inputs/0 /outputs/creator copy /inputs/1 /outputs/owner/0 create /outputs/owner/1");
    assert_eq!(outcome.output_bytes, 9);
    let outputs = [(Output::Creator, "left"), (Output::Owner(0), "right"), (Output::Owner(1), "")];
    assert_eq!(files.into_outputs(), outputs.map(|(output, content)| (output, content.into())).into());
}

#[test]
fn outputs_grow_at_their_end_only() {
    let mut files = MemoryFiles::new([&b"left"[..]]);
    let result = all(
        &mut files,
        "append /outputs/creator ab append /outputs/creator cd put /outputs/creator x over /outputs/creator x \
         exclusive /outputs/creator write /outputs/creator read /outputs/creator",
    );
    assert_eq!(result.result, "EPERM\nESPIPE\nEEXIST\nok\nEACCES\n");
    assert_eq!(files.output(Output::Creator).as_deref(), Some(&b"abcd"[..]));
}

#[test]
fn nothing_else_can_be_opened_or_changed() {
    for (payload, errors) in [
        ("read /etc/passwd read /proc/self/environ read /dev/urandom", "ENOENT ENOENT ENOENT"),
        ("read /../etc/passwd read ../../etc/passwd read /inputs/../../etc/passwd", "EPERM EPERM EPERM"),
        ("read /inputs/2 read /inputs/00 read /inputs/-1 read /inputs/0/..", "ENOENT ENOENT ENOENT ENOTDIR"),
        ("create /new create /inputs/2 create /outputs/else create /outputs/owner/x", "EPERM EPERM EPERM EPERM"),
        ("write /inputs/0 create /inputs/0", "EROFS EROFS"),
        ("read /outputs/creator write /outputs/creator", "ENOENT ENOENT"),
        ("unlink /inputs/0 mkdir /new rename /outputs/creator mkdir /outputs/owner", "EPERM EPERM EPERM EEXIST"),
        ("read /code read /code/main.py", "ENOENT ENOENT"),
    ] {
        let ran = probe(payload).expect("a finished run").result;
        // What leads above the root is refused by wasi-libc already, with another number.
        assert_eq!(
            ran.split_whitespace().collect::<Vec<_>>().join(" ").replace("ENOTCAPABLE", "EPERM"),
            errors,
            "{payload}"
        );
    }
}

#[test]
fn undeclared_outputs_end_the_run_with_their_reason() {
    check_words(probe("create /outputs/shared"), "the function wrote an output that it does not declare");
    check_words(probe("create /outputs/owner/2"), "the function named an input that is not there");
}

#[test]
fn inputs_can_be_read_from_any_place() {
    let content: Vec<u8> = (0..200_000_u32).map(|n| b'a' + u8::try_from(n / 7 % 26).expect("a letter")).collect();
    let piece =
        |at: usize, bytes: usize| String::from_utf8_lossy(&content[at..(at + bytes).min(content.len())]).into_owned();
    let places = [(0, 3), (150_000, 10), (3, 4), (199_995, 10), (7, 9), (70_000, 2000)];
    let words: Vec<String> = places.iter().map(|(at, bytes)| format!("{at} {bytes}")).collect();
    let expected: Vec<String> = places.iter().map(|(at, bytes)| piece(*at, *bytes) + "|").collect();
    for chunk in [1 << 20, 65_536, 1000, 7] {
        let mut files = MemoryFiles::new([content.clone()]).in_chunks_of(chunk);
        let ran = all(&mut files, &format!("pieces /inputs/0 {} {} sum /inputs/0", places.len(), words.join(" ")));
        let sum: u64 = content.iter().map(|byte| u64::from(*byte)).sum();
        assert_eq!(ran.result, format!("{}\n{sum}\n", expected.concat()), "{chunk}");
    }
}

#[test]
fn past_the_end_there_is_nothing() {
    check(probe("pieces /inputs/0 2 100 5 2 5"), "|ft|");
}

#[test]
fn many_inputs_are_there_in_order() {
    let mut files = MemoryFiles::new((0..500_u16).map(|n| n.to_string().into_bytes()));
    let words: Vec<String> = (0..500).map(|n| format!("pieces /inputs/{n} 1 0 9")).collect();
    let expected: Vec<String> = (0..500).map(|n| format!("{n}|\n")).collect();
    assert_eq!(all(&mut files, &words.join(" ")).result, expected.concat());
}

#[test]
fn a_program_has_files_of_its_own() {
    let program = load(PROBE).expect("the probe").with_files([("main.py".to_owned(), *b"print()")]).expect("a name");
    let mut files = MemoryFiles::new::<&[u8]>([]);
    let ran = run_with(
        &program,
        Some("list / list /code pieces /code/main.py 2 3 9 0 2 write /code/main.py create /code/x"),
        &mut files,
        &Limits::default(),
    );
    check(ran, "inputs/ outputs/ code/ \nmain.py:7 \nnt()|pr|\nEROFS\nEPERM");
    for names in [&["a/b"][..], &[""], &[".."], &["a", "a"], &["a\0"]] {
        let files = names.iter().map(|name| ((*name).to_owned(), *b""));
        let refused = load(PROBE).expect("the probe").with_files(files).expect_err("a refusal");
        assert!(refused.to_string().contains("can't be a file below /code"), "{refused}");
    }
}

/// Files whose streams break after some bytes.
struct Breaks;

impl executor::Files for Breaks {
    fn count(&self) -> usize {
        1
    }

    fn size(&self, _: usize) -> u64 {
        100
    }

    fn open(&mut self, _: usize) -> std::io::Result<Box<dyn std::io::BufRead + Send>> {
        struct Broken;
        impl std::io::Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
                Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "tag mismatch"))
            }
        }
        Ok(Box::new(std::io::BufReader::new(std::io::Read::chain(Cursor::new(b"half"), Broken))))
    }

    fn create(&mut self, _: Output) -> std::io::Result<Box<dyn executor::Sink>> {
        Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "disk full"))
    }
}

#[test]
fn the_hosts_own_errors_reach_the_host_and_not_the_guest() {
    let program = load(PROBE).expect("the probe");
    for payload in ["sum /inputs/0", "create /outputs/creator"] {
        let ran = executor::run(&program, Some(payload), &mut Breaks, &Limits::default(), &executor::StopSignal::new());
        assert!(
            matches!(&ran, Err(Failure::Stream(error)) if error.kind() == std::io::ErrorKind::InvalidData),
            "{ran:?}"
        );
    }
}

#[test]
fn components_see_the_same() {
    // Writes its second argument to standard output.
    let code = wat(include_str!("echo.wat"));
    let program = load(&code).expect("a component");
    let mut files = MemoryFiles::new::<&[u8]>([]);
    check(run_with(&program, Some("said by a component"), &mut files, &Limits::default()), "said by a component");
}
