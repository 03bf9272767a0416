//! The examples in `examples/`: what is committed does what its text says, and the build scripts still make the same.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use executor::memory::MemoryFiles;
use executor::wasm::{Program, Sandbox};
use executor::{Limits, Output, StopSignal, run};
use support::{ENGINE, Ran, check, check_words, digest, interface, python, run_on};

#[path = "python/support.rs"]
#[allow(dead_code, reason = "the tests of Python use the rest")]
mod support;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

fn module(path: &Path) -> Program {
    let code = fs::read(path).expect("a built module");
    ENGINE.load(&code, digest(&code), interface(), Sandbox::default()).expect("a program")
}

/// Checks the committed module, and one made anew where `toolchain`, a shell command, says that it can be.
fn check_built(name: &str, toolchain: &str, check: impl Fn(&Program)) {
    let folder = examples().join(name);
    check(&module(&folder.join(name).with_extension("wasm")));
    let there = shell(toolchain, &folder).expect("a shell");
    if !there {
        eprintln!("skipped: {name} is not built anew, since this fails: {toolchain}");
        return;
    }
    let anew = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name).with_extension("wasm");
    let built = Command::new(folder.join("build.sh")).arg(&anew).status().expect("a shell");
    assert!(built.success(), "{name}: {built}");
    check(&module(&anew));
}

fn shell(command: &str, folder: &Path) -> io::Result<bool> {
    let quiet = format!("({command}) >/dev/null 2>&1");
    Ok(Command::new("sh").arg("-c").arg(quiet).current_dir(folder).status()?.success())
}

fn run_module(program: &Program, payload: Option<&str>, inputs: &[&[u8]]) -> Ran {
    let mut files = MemoryFiles::new(inputs.iter().copied());
    run(program, payload, &mut files, &Limits::default(), &StopSignal::new())
}

#[test]
fn millionaires() {
    check_built("millionaires", "command -v wat2wasm", |program| {
        let ask = |first: &[u8], second: &[u8]| run_module(program, None, &[first, second]);
        check(ask(b"1000001\n", b" 1000000"), "The first is richer.\n");
        check(ask(b"9", b"10"), "The second is richer.\n");
        check(ask(b"007", b"7\r\n"), "They are equally rich.\n");
        check(ask(b"999999999999999999", b"999999999999999998"), "The first is richer.\n");
        let refused = "the function exited with status 1:\na file must have one whole number of at most 18 digits";
        let long = [b' '; 5000];
        for wrong in [&b""[..], b"-1", b"1.5", b"1 2", b"1234567890123456789", b"\n", &long] {
            check_words(ask(wrong, b"1"), refused);
            check_words(ask(b"1", wrong), refused);
        }
        check_words(run_module(program, None, &[b"1"]), refused);
    });
}

#[test]
fn word_count() {
    let toolchain = "command -v clang-14 && command -v wasm-ld-14 && ls /usr/include/wasm32-wasi";
    check_built("wordcount", toolchain, |program| {
        let count = |text: &[u8]| run_module(program, None, &[text]);
        check(count(b""), "0 lines, 0 words, 0 bytes\n");
        check(count(b"one two\nthree"), "1 lines, 3 words, 13 bytes\n");
        check(count(&b"word and word\n".repeat(20_000)), "20000 lines, 60000 words, 280000 bytes\n");
        check_words(run_module(program, None, &[]), "the function exited with status 1:\nthere is no input");
    });
}

#[test]
fn salaries() {
    let toolchain = "ls -d /usr/lib/rustlib/wasm32-wasi || ls $(rustc --print target-libdir --target wasm32-wasip1)";
    check_built("salaries", toolchain, |program| {
        let mean = |files: &[&[u8]]| run_module(program, None, files);
        check(mean(&[b"1000\n2000\n", b"3000", b"\x36000\r\n"]), "4 salaries with a mean of 3000\n");
        for (files, words) in [
            (&[&b"1"[..], b"2"][..], "this needs at least 3 files, or a mean would tell of one of them"),
            (&[b"1", b"2\nx\n", b"3"], "line 2 of file 2 is not a whole number"),
            (&[b"1", b"2", b"\xff"], "line 1 of file 3 is not a whole number"),
            (&[b"", b"", b""], "there are no salaries"),
        ] {
            check_words(mean(files), &format!("the function exited with status 1:\n{words}"));
        }
    });
}

#[test]
fn statistics() {
    check_built("statistics", "command -v node && ls node_modules/assemblyscript", |program| {
        let of = |payload| run_module(program, Some(payload), &[]);
        check(of("2 4 4 4 5 5 7 9"), "8 numbers, mean 5.0, deviation 2.0\n");
        check(of("-1.5"), "1 numbers, mean -1.5, deviation 0.0\n");
        check_words(of("1 two"), "the function exited with status 1:\nnumber 2 is not one");
        check(of(&"3 ".repeat(30_000)), "30000 numbers, mean 3.0, deviation 0.0\n");
    });
}

#[test]
fn election() {
    let c = "command -v clang-14 && command -v wasm-ld-14 && ls /usr/include/wasm32-wasi";
    let toolchain = format!("{c} && ls ${{CARGO_HOME:-$HOME/.cargo}}/registry/cache/*/rquickjs-sys-0.9.0.crate");
    check_built("election", &toolchain, |program| {
        let elect = |stations: &[&[u8]]| run_module(program, None, stations);
        let north = r#"[["Änne", "Bo"], ["Bo", "Cy"], ["Cy", "Bo"], ["Cy"]]"#.as_bytes();
        let south = r#"[["Bo"], ["Änne", "Cy"], ["Bo", "Änne"]]"#.as_bytes();
        let elected = "round 1: Bo 3, Cy 2, Änne 2\nround 2: Bo 4, Cy 3\nelected: Bo\n";
        check(elect(&[north, south]), elected);
        check(elect(&[south, north]), elected);
        check(elect(&[br#"[["Bo"]]"#]), "round 1: Bo 1\nelected: Bo\n");
        for (stations, words) in [
            (&[][..], "nobody stands for election"),
            (&[&b"[]"[..]], "nobody stands for election"),
            (&[north, b"{}"], "file 2 is no list of lists of names, each at most once"),
            (&[north, br#"[["Bo", "Bo"]]"#], "file 2 is no list of lists of names, each at most once"),
        ] {
            let words = format!("the function exited with status 1:\nError: {words}\n    at <eval> (election.js:");
            let failed = elect(stations).expect_err("a refusal").to_string();
            assert!(failed.starts_with(&words), "{failed}");
        }
        let failed = elect(&[b"[[\"Bo\""]).expect_err("a refusal").to_string();
        assert!(failed.starts_with("the function exited with status 1:\nSyntaxError: "), "{failed}");
    });
}

fn script(name: &str) -> String {
    fs::read_to_string(examples().join(name).join(name).with_extension("py")).expect("a script")
}

#[test]
fn join() {
    let Some(python) = python() else { return };
    let script = script("join");
    python.check(script.as_bytes()).expect("it compiles");
    let left = "id,name\n1,Änne\n2,Bo\n2,Cy\n".as_bytes();
    let right = b"amount,id\n10,2\n20,3\n30,1\n\"4,0\",2\n";
    let mut files = MemoryFiles::new([left, right]);
    check(run_on(python, &script, None, &mut files, &Limits::default()), "5 rows");
    let rows = "id,name,amount\n2,Bo,10\n2,Cy,10\n1,Änne,30\n2,Bo,\"4,0\"\n2,Cy,\"4,0\"\n";
    for owner in 0..2 {
        assert_eq!(files.output(Output::Owner(owner)).as_deref(), Some(rows.as_bytes()));
    }
    let mut files = MemoryFiles::new([left, right]);
    let words = "the function exited with status 1:\nfile 2 has no column of that name";
    check_words(run_on(python, &script, Some("name"), &mut files, &Limits::default()), words);
    assert!(files.into_outputs().is_empty());
}

/// A picture whose left half is red and whose right half is blue, with each of the five kinds of prediction, made and
/// measured by a script, since Python has what PNG needs.
const PICTURE: &str = "
import struct, zlib
def chunk(kind, body): return struct.pack('>I', len(body)) + kind + body + struct.pack('>I', zlib.crc32(kind + body))
def picture(width, height):
    row, packed, above = b'\\xff\\0\\0' * (width // 2) + b'\\0\\0\\xff' * (width - width // 2), b'', bytes(3 * width)
    def paeth(a, b, c):
        p = a + b - c
        return min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
    for n in range(height):
        kind, left, corner = n % 5, bytes(3) + row, bytes(3) + above
        guess = [lambda i: 0, lambda i: left[i], lambda i: above[i], lambda i: left[i] + above[i] >> 1,
                 lambda i: paeth(left[i], above[i], corner[i])][kind]
        packed += bytes([kind]) + bytes((row[i] - guess(i)) & 255 for i in range(3 * width))
        above = row
    head = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    return b'\\x89PNG\\r\\n\\x1a\\n' + chunk(b'IHDR', head) + chunk(b'IDAT', zlib.compress(packed)) + chunk(b'IEND', b'')
";

#[test]
fn thumbnail() {
    let Some(python) = python() else { return };
    let make = |payload, picture: &[u8]| {
        let mut files = MemoryFiles::new([picture]);
        let ran = run_on(python, &script("thumbnail"), payload, &mut files, &Limits::default());
        ran.map(|outcome| (outcome.result, files.output(Output::Creator).expect("a picture")))
    };
    let mut files = MemoryFiles::new::<&[u8]>([]);
    let source = format!("{PICTURE}\ndef main(p, i, outputs): outputs.creator.write(picture(100, 40))");
    run_on(python, &source, None, &mut files, &Limits::default()).expect("a finished run");
    let picture = files.output(Output::Creator).expect("a picture");

    let (result, small) = make(Some("10"), &picture).expect("a finished run");
    assert_eq!(result, "10 x 4");
    let mut files = MemoryFiles::new([small]);
    // Packed by the same library, so equal to the byte if the pixels are.
    let unpacked = format!(
        "{PICTURE}\ndef main(p, inputs, o):\n  data = inputs[0].read()\n  at = data.index(b'IDAT')\n  \
         size = struct.unpack('>I', data[at - 4:at])[0]\n  rows = zlib.decompress(data[at + 4:at + 4 + size])\n  \
         return str(rows == (b'\\0' + b'\\xff\\0\\0' * 5 + b'\\0\\0\\xff' * 5) * 4)"
    );
    check(run_on(python, &unpacked, None, &mut files, &Limits::default()), "True");
    assert_eq!(make(None, &picture).expect("a finished run").0, "100 x 40");

    let cut = &picture[..picture.len() / 2];
    let mut damaged = picture.clone();
    damaged[60] ^= 1;
    for (wrong, what) in [
        (&b"GIF89a"[..], "is no PNG"),
        (&picture[..8], "ends too early"),
        (cut, "is damaged"),
        (&damaged, "is damaged"),
    ] {
        let words = format!("the function exited with status 1:\nthe input {what}");
        check_words(make(None, wrong).map(|_| unreachable!("a picture")), &words);
    }
}
