//! How scripts fail, in words for their authors, and which are refused.

use executor::memory::MemoryFiles;
use executor::wasm::Refused;
use executor::{Limits, StopSignal, run};

use crate::support::{check, check_words, load, python, run_body, run_script};

#[test]
fn exceptions_are_told_with_the_scripts_own_lines() {
    let Some(python) = python() else { return };
    let fails = |script: &str| run_script(python, script, None, &Limits::default());
    check_words(
        fails(
            "import json\n\ndef parse(text):\n    return json.loads(text)\n\ndef main(payload, inputs, outputs):\n    return parse('{')\n",
        ),
        "the function exited with status 1:\n\
         Traceback (most recent call last):\n  \
         File \"/code/main.py\", line 7, in main\n    return parse('{')\n  \
         File \"/code/main.py\", line 4, in parse\n    return json.loads(text)\n           ~~~~~~~~~~^^^^^^\n\
         json.decoder.JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
    );
    check_words(
        fails("print('lost')\nraise ValueError('no')"),
        "the function exited with status 1:\nTraceback (most recent call last):\n  \
         File \"/code/main.py\", line 2, in <module>\n    raise ValueError('no')\nValueError: no",
    );
    check_words(
        fails("try:\n    1/0\nexcept ZeroDivisionError as error:\n    raise KeyError('a') from error"),
        "the function exited with status 1:\nTraceback (most recent call last):\n  File \"/code/main.py\", line 2, in <module>\n    \
         1/0\n    ~^~\nZeroDivisionError: division by zero\n\n\
         The above exception was the direct cause of the following exception:\n\n\
         Traceback (most recent call last):\n  File \"/code/main.py\", line 4, in <module>\n    \
         raise KeyError('a') from error\nKeyError: 'a'",
    );
    check_words(
        fails("def main(payload, inputs, outputs): return 1"),
        "the function exited with status 1:\nTypeError: main must return str, bytes or None, not int",
    );
}

#[test]
fn exit_statuses_are_honoured() {
    let Some(python) = python() else { return };
    for (exit, words) in [
        ("sys.exit(3)", "the function exited with status 3"),
        ("sys.exit(256)", "the function exited with status 1"),
        ("sys.exit(-1)", "the function exited with status 255"),
        ("sys.exit('I give up')", "the function exited with status 1:\nI give up"),
        ("print('oh', file=sys.stderr)\nraise SystemExit(2)", "the function exited with status 2:\noh"),
    ] {
        check_words(run_body(python, &format!("import sys\n{exit}"), &Limits::default()), words);
    }
}

#[test]
fn undeclared_outputs_and_foreign_files_are_refused() {
    let Some(python) = python() else { return };
    let body = |body: &str| {
        run_body(python, &format!("try:\n  {body}\nexcept OSError as error: return error.strerror"), &Limits::default())
    };
    check(body("open('/inputs/0', 'wb')"), "Read-only file system");
    check(body("open('/etc/passwd')"), "No such file or directory");
    check(body("open('/code/x', 'w')"), "Operation not permitted");
    check(body("open('/outputs/other', 'w')"), "Operation not permitted");
}

#[test]
fn a_script_is_checked_without_running_it() {
    let Some(python) = python() else { return };
    let refused = |script: &str| match python.check(script.as_bytes()) {
        Err(Refused::Script(words)) => words,
        other => panic!("{other:?}"),
    };
    python.check(b"raise SystemExit(1)").expect("it compiles");
    python.check(b"import numpy\ndef main(payload, inputs, outputs): pass").expect("it compiles");
    python.check("\u{feff}# -*- coding: latin-1 -*-\nprint('ü')".as_bytes()).expect("it compiles");
    python.check(b"def main(): pass").expect("it compiles");
    python.check(b"def main(*everything): pass").expect("it compiles");
    let words = "it does not compile:\n  File \"/code/main.py\", line 2\n    return 1\n    ^^^^^^^^\n\
                 SyntaxError: 'return' outside function";
    assert_eq!(refused("a = 1\nreturn 1"), words);
    let words = refused("x = 1\n\ndef main(payload):\n    pass");
    assert!(words.contains("line 3") && words.ends_with("or nothing and be called by the script itself"), "{words}");
    assert!(refused("def f(:").contains("line 1"));
    for hostile in [
        "(".repeat(100_000),
        "-".repeat(200_000) + "1",
        "a.".repeat(200_000) + "a",
        "f".to_owned() + &"()".repeat(200_000),
    ] {
        let words = refused(&hostile);
        assert!(words.len() < 500, "{words}");
    }
}

#[test]
fn a_script_that_does_not_compile_fails_its_runs() {
    let Some(python) = python() else { return };
    let program = load(python, "a = = 1").expect("a program");
    let mut files = MemoryFiles::new::<&[u8]>([]);
    let ran = run(&program, None, &mut files, &Limits::default(), &StopSignal::new());
    check_words(
        ran,
        "the function exited with status 1:\n  File \"/code/main.py\", line 1\n    a = = 1\n        ^\nSyntaxError: invalid syntax",
    );
}
