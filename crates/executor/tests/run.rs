//! Runs of small functions under every limit, at it and past it, and with every way to misbehave.

use std::borrow::Cow;
use std::io::{self, BufRead, Read, Write};
use std::thread;
use std::time::Duration;

use executor::memory::MemoryFiles;
use executor::{
    Failure, Files, Function, Inputs, Interface, Invocation, Limit, Limits, Mismatch, Output, OutputKind, OutputStream,
    PayloadRule, ResultRule, Sink, StopSignal, Stopped, run,
};
use types::function::FunctionType;

type Ran = Result<String, Failure>;

/// A function that takes any inputs and does what the test says.
struct Sample<F>(Interface, F);

impl<F: Fn(&mut Invocation<'_>) -> Ran + Send + Sync> Function for Sample<F> {
    fn interface(&self) -> &Interface {
        &self.0
    }

    fn run(&self, invocation: &mut Invocation<'_>) -> Ran {
        self.1(invocation)
    }
}

fn sample<F: Fn(&mut Invocation<'_>) -> Ran + Send + Sync>(body: F) -> Sample<F> {
    let interface = Interface {
        name: "sample".into(),
        version: 1,
        summary: "does what a test says".into(),
        function_type: FunctionType::Single,
        inputs: Inputs::at_least(0),
        payload: PayloadRule::Optional,
        outputs: Cow::Borrowed(&[OutputKind::Creator, OutputKind::Owner]),
        result: ResultRule::Text,
        schema: Cow::Borrowed(""),
        counts: false,
    };
    Sample(interface, body)
}

fn run_with(limits: Limits, stop: &StopSignal, body: impl Fn(&mut Invocation<'_>) -> Ran + Send + Sync) -> Ran {
    let mut files = MemoryFiles::new([&b"left"[..], b"right"]);
    run(&sample(body), None, &mut files, &limits, stop).map(|outcome| outcome.result)
}

fn run_under(limits: Limits, body: impl Fn(&mut Invocation<'_>) -> Ran + Send + Sync) -> Ran {
    run_with(limits, &StopSignal::new(), body)
}

fn run_freely(body: impl Fn(&mut Invocation<'_>) -> Ran + Send + Sync) -> Ran {
    run_under(Limits::default(), body)
}

fn done() -> Ran {
    Ok("done".into())
}

#[track_caller]
fn check_done(ran: Ran) {
    assert_eq!(ran.expect("a finished run"), "done");
}

#[track_caller]
fn check_limit(ran: Ran, limit: Limit) {
    assert!(matches!(&ran, Err(Failure::Limit(past)) if *past == limit), "{ran:?}");
}

#[track_caller]
fn check_words(ran: Ran, words: &str) {
    assert!(matches!(&ran, Err(Failure::Function(said)) if said == words), "{ran:?}");
}

#[test]
fn streams_can_all_be_open_at_once() {
    let function = sample(|invocation| {
        let (mut left, mut right) = (invocation.input(0)?, invocation.input(1)?);
        let mut outputs = [Output::Creator, Output::Owner(0), Output::Owner(1)]
            .map(|output| invocation.output(output).expect("an output"));
        let (mut two, mut all) = ([0; 2], Vec::new());
        left.read_exact(&mut two)?;
        right.read_to_end(&mut all)?;
        for output in &mut outputs {
            output.write_all(&two)?;
            output.write_all(&all)?;
        }
        outputs.into_iter().try_for_each(OutputStream::finish)?;
        Ok(invocation.payload().unwrap_or_default().to_owned())
    });
    let mut files = MemoryFiles::new([&b"left"[..], b"right"]);
    let outcome = run(&function, Some("p"), &mut files, &Limits::default(), &StopSignal::new()).expect("an outcome");
    assert_eq!((outcome.result.as_str(), outcome.output_bytes), ("p", 21));
    let outputs = [Output::Creator, Output::Owner(0), Output::Owner(1)].map(|output| (output, b"leright".to_vec()));
    assert_eq!(files.into_outputs(), outputs.into());
}

#[test]
fn an_input_can_be_read_again_from_its_start() {
    check_done(run_freely(|invocation| {
        for _ in 0..2 {
            assert_eq!(io::read_to_string(invocation.input(0)?)?, "left");
        }
        done()
    }));
}

#[test]
fn the_shape_is_checked_before_the_function_starts() {
    let mut function = sample(|_| panic!("started"));
    function.0.inputs = Inputs::exactly(1);
    for inputs in [vec![], vec!["a", "b"]] {
        let mut files = MemoryFiles::new(inputs.iter().map(|input| input.as_bytes()));
        let ran = run(&function, None, &mut files, &Limits::default(), &StopSignal::new());
        let given = inputs.len();
        assert!(matches!(ran, Err(Failure::Mismatch(Mismatch::Inputs { given: n, .. })) if n == given), "{ran:?}");
    }
}

fn write(bytes: usize) -> impl Fn(&mut Invocation<'_>) -> Ran + Send + Sync {
    move |invocation| {
        for output in [Output::Creator, Output::Owner(0)] {
            let mut stream = invocation.output(output)?;
            stream.write_all(&vec![0; bytes])?;
            stream.finish()?;
        }
        done()
    }
}

#[test]
fn output_bytes_of_all_outputs_are_limited() {
    let limits = Limits { output_bytes: 20, ..Limits::default() };
    check_done(run_under(limits.clone(), write(10)));
    check_limit(run_under(limits.clone(), write(11)), Limit::OutputBytes(20));
    let message = run_under(limits, write(11)).expect_err("a failure").to_string();
    assert_eq!(message, "the function's outputs are larger than the limit of 20 bytes");
}

#[test]
fn the_number_of_outputs_is_limited() {
    check_done(run_under(Limits { outputs: 2, ..Limits::default() }, write(1)));
    check_limit(run_under(Limits { outputs: 1, ..Limits::default() }, write(1)), Limit::Outputs(1));
    check_limit(run_under(Limits { outputs: 0, ..Limits::default() }, write(1)), Limit::Outputs(0));
}

#[test]
fn the_result_is_limited() {
    let limits = Limits { result_bytes: 4, ..Limits::default() };
    check_done(run_under(limits.clone(), |_| done()));
    check_limit(run_under(limits.clone(), |_| Ok("done!".into())), Limit::ResultBytes(4));

    let collect = |bytes: &'static [u8]| {
        move |invocation: &mut Invocation<'_>| {
            let mut text = invocation.result();
            for byte in bytes {
                text.write_all(&[*byte])?;
            }
            Ok(text.into_string())
        }
    };
    check_done(run_under(limits.clone(), collect(b"done")));
    check_limit(run_under(limits.clone(), collect(b"done!")), Limit::ResultBytes(4));
    // Each byte that is not UTF-8 becomes three.
    check_limit(run_under(limits, collect(b"\xff\xff")), Limit::ResultBytes(4));
}

fn run_counted(group: Option<u64>, body: impl Fn(&mut Invocation<'_>) -> Ran + Send + Sync) -> Ran {
    let Sample(interface, body) = sample(body);
    let counted = Sample(Interface { counts: true, ..interface }, body);
    let limits = Limits { group, ..Limits::default() };
    run(&counted, None, &mut MemoryFiles::new([[0_u8; 0]; 0]), &limits, &StopSignal::new())
        .map(|outcome| outcome.result)
}

#[test]
fn a_result_is_about_as_many_records_as_it_must_be() {
    let about = |records: u64| {
        move |invocation: &mut Invocation<'_>| {
            invocation.check_group(records)?;
            done()
        }
    };
    for (records, group, refused) in [
        (0, None, false),
        (0, Some(1), true),
        (1, Some(1), false),
        (9, Some(10), true),
        (10, Some(10), false),
        (u64::MAX, Some(u64::MAX), false),
    ] {
        match run_counted(group, about(records)) {
            ran if refused => check_limit(ran, Limit::Group(group.expect("a minimum"))),
            ran => check_done(ran),
        }
    }
    // The same words for none, for few, and for nearly enough.
    let said = |records| run_counted(Some(10), about(records)).expect_err("a failure").to_string();
    assert_eq!(said(0), "the result would be about fewer records than the task's minimum group of 10");
    assert_eq!((said(1), said(9)), (said(0), said(0)));
}

#[test]
fn who_does_not_count_keeps_to_no_minimum() {
    let ran = run_under(Limits { group: Some(1), ..Limits::default() }, |_| panic!("started"));
    assert!(matches!(ran, Err(Failure::Mismatch(Mismatch::Uncounted))), "{ran:?}");
    check_done(run_counted(None, |_| done()));
    let forgot = run_counted(Some(1), |_| done()).expect_err("a failure");
    assert_eq!(forgot.to_string(), "the function did not count what its result is about");
}

#[test]
fn time_is_limited() {
    let late = Limits { wall: Duration::from_millis(20), ..Limits::default() };
    let forever = |invocation: &mut Invocation<'_>| {
        loop {
            invocation.checkpoint()?;
        }
    };
    let ran = run_under(late, forever);
    assert_eq!(ran.expect_err("a failure").to_string(), "the time limit of 20ms passed");

    let none = Limits { wall: Duration::ZERO, ..Limits::default() };
    let ran = run_under(none, |_| panic!("started"));
    assert!(matches!(ran, Err(Failure::Stopped(Stopped::Deadline(_)))), "{ran:?}");

    check_done(run_under(Limits { wall: Duration::MAX, ..Limits::default() }, |_| done()));
}

#[test]
fn whatever_a_function_does_next_stops_it() {
    type Step = fn(&mut Invocation<'_>, &StopSignal) -> Result<(), Failure>;
    let steps: [Step; 8] = [
        |invocation, stop| {
            stop.stop("enough");
            invocation.checkpoint()
        },
        |invocation, stop| {
            stop.stop("enough");
            invocation.input(0).map(drop)
        },
        |invocation, stop| {
            stop.stop("enough");
            invocation.output(Output::Creator).map(drop)
        },
        |invocation, stop| {
            let mut input = invocation.input(0)?;
            stop.stop("enough");
            Ok(input.read_exact(&mut [0])?)
        },
        |invocation, stop| {
            let mut input = invocation.input(0)?;
            stop.stop("enough");
            Ok(input.fill_buf().map(drop)?)
        },
        |invocation, stop| {
            let mut input = invocation.input(0)?;
            stop.stop("enough");
            input.rest().map(drop)
        },
        |invocation, stop| {
            let mut output = invocation.output(Output::Creator)?;
            stop.stop("enough");
            Ok(output.write_all(b"x")?)
        },
        |invocation, stop| {
            let output = invocation.output(Output::Creator)?;
            stop.stop("enough");
            output.finish()
        },
    ];
    for (number, step) in steps.iter().enumerate() {
        let stop = StopSignal::new();
        let ran = run_with(Limits::default(), &stop, |invocation| {
            step(invocation, &stop)?;
            done()
        });
        let stopped = matches!(&ran, Err(Failure::Stopped(Stopped::Cancelled(reason))) if reason == "enough");
        assert!(stopped, "step {number}: {ran:?}");
    }
}

#[test]
fn a_function_stops_from_another_thread_or_before_it_starts() {
    let stop = StopSignal::new();
    let later = stop.clone();
    let host = thread::spawn(move || {
        thread::sleep(Duration::from_millis(10));
        later.stop("the client left");
    });
    let ran = run_with(Limits::default(), &stop, |invocation| {
        loop {
            invocation.checkpoint()?;
        }
    });
    host.join().expect("the host's thread");
    assert_eq!(ran.expect_err("a failure").to_string(), "stopped: the client left");
    assert!(matches!(run_with(Limits::default(), &stop, |_| panic!("started")), Err(Failure::Stopped(_))));
}

#[test]
fn misbehaviour_is_named() {
    let undeclared = "the function wrote an output that it does not declare";
    check_words(run_freely(|i| i.output(Output::Shared).and_then(|_| done())), undeclared);
    let absent = "the function named an input that is not there";
    check_words(run_freely(|i| i.input(2).and_then(|_| done())), absent);
    check_words(run_freely(|i| i.output(Output::Owner(2)).and_then(|_| done())), absent);
    let twice = |invocation: &mut Invocation<'_>| {
        invocation.output(Output::Creator)?.finish()?;
        invocation.output(Output::Creator)?.finish()?;
        done()
    };
    check_words(run_freely(twice), "the function created the same output twice");
    let unfinished = "the function left an output unfinished";
    check_words(run_freely(|i| i.output(Output::Creator).and_then(|_| done())), unfinished);
}

#[test]
fn a_failed_write_cannot_be_ignored() {
    let limits = Limits { output_bytes: 1, ..Limits::default() };
    let ran = run_under(limits.clone(), |invocation| {
        let mut output = invocation.output(Output::Creator)?;
        let _ = output.write_all(b"too much");
        let _ = output.finish();
        done()
    });
    check_words(ran, "the function left an output unfinished");
    let ran = run_under(limits, |invocation| {
        let mut output = invocation.output(Output::Creator)?;
        let _ = output.write_all(b"too much");
        output.finish()?;
        done()
    });
    assert!(matches!(ran, Err(Failure::Stream(_))), "{ran:?}");
}

#[test]
fn a_panic_is_a_failure_with_a_fixed_message() {
    let mut files = MemoryFiles::new([&b"secret"[..]]);
    let function = sample(|invocation| {
        let mut output = invocation.output(Output::Creator)?;
        output.write_all(b"half")?;
        let text = io::read_to_string(invocation.input(0)?)?;
        panic!("cannot bear {text}");
    });
    let failure = run(&function, None, &mut files, &Limits::default(), &StopSignal::new()).expect_err("a failure");
    assert!(matches!(&failure, Failure::Panicked { place: Some(place) } if place.contains("tests/run.rs:")));
    assert_eq!(failure.to_string(), "the function panicked");
    assert!(!format!("{failure:?}").contains("secret"));
    assert!(files.into_outputs().is_empty());
    check_done(run_freely(|_| done()));
}

/// Files of which everything breaks from some point on.
struct Broken {
    at: Point,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Point {
    Open,
    Read,
    Create,
    Write,
    Finish,
}

struct BrokenStream(Point);

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "tag mismatch")
}

impl Files for Broken {
    fn count(&self) -> usize {
        1
    }

    fn size(&self, _: usize) -> u64 {
        1
    }

    fn open(&mut self, _: usize) -> io::Result<Box<dyn BufRead + Send>> {
        if self.at == Point::Open { Err(broken()) } else { Ok(Box::new(io::BufReader::new(BrokenStream(self.at)))) }
    }

    fn create(&mut self, _: Output) -> io::Result<Box<dyn Sink>> {
        if self.at == Point::Create { Err(broken()) } else { Ok(Box::new(BrokenStream(self.at))) }
    }
}

impl Read for BrokenStream {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        if self.0 == Point::Read { Err(broken()) } else { Ok(0) }
    }
}

impl Write for BrokenStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0 == Point::Write { Err(broken()) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink for BrokenStream {
    fn finish(self: Box<Self>) -> io::Result<()> {
        if self.0 == Point::Finish { Err(broken()) } else { Ok(()) }
    }
}

#[test]
fn the_hosts_own_errors_reach_the_host() {
    let copy = sample(|invocation| {
        let (mut input, mut output) = (invocation.input(0)?, invocation.output(Output::Creator)?);
        io::copy(&mut input, &mut output)?;
        output.write_all(b"x")?;
        output.finish()?;
        done()
    });
    for at in [Point::Open, Point::Read, Point::Create, Point::Write, Point::Finish] {
        let ran = run(&copy, None, &mut Broken { at }, &Limits::default(), &StopSignal::new());
        let host_error = matches!(&ran, Err(Failure::Stream(error)) if error.kind() == io::ErrorKind::InvalidData);
        assert!(host_error, "{at:?}: {ran:?}");
        assert_eq!(ran.expect_err("a failure").to_string(), "a file could not be read or written");
    }
}

#[test]
fn nothing_secret_can_be_printed() {
    check_done(run_freely(|invocation| {
        let input = invocation.input(0)?;
        let mut text = invocation.result();
        text.write_all(b"left")?;
        assert!(!format!("{invocation:?} {input:?} {text:?}").contains("left"));
        done()
    }));
    let mut files = MemoryFiles::new([&b"left"[..]]);
    let echo = sample(|invocation| {
        assert!(!format!("{invocation:?}").contains("left"));
        Ok(invocation.payload().unwrap_or_default().to_owned())
    });
    let outcome = run(&echo, Some("left"), &mut files, &Limits::default(), &StopSignal::new()).expect("an outcome");
    assert!(!format!("{outcome:?} {files:?}").contains("left"));
}
