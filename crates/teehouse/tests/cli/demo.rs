//! `teehouse demo` on small files: the same lines as `comm` prints, and a story beside them.

use std::fs;
use std::path::PathBuf;

use crate::house::{Ended, run, teehouse};

struct Lists(tempfile::TempDir);

impl Lists {
    fn new(left: &[u8], right: &[u8]) -> Self {
        let lists = Lists(tempfile::tempdir().expect("a folder"));
        fs::write(lists.path("left"), left).expect("a file");
        fs::write(lists.path("right"), right).expect("a file");
        lists
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Plays with a temporary directory of its own.
    fn demo(&self, arguments: &[&str]) -> Ended {
        let dir = self.path("tmp");
        fs::create_dir_all(&dir).expect("a folder");
        let mut command = teehouse();
        command.env("TMPDIR", &dir).arg("demo").arg(self.path("left")).arg(self.path("right"));
        let ended = run(&mut command, arguments);
        assert!(crate::house::is_empty(&dir), "the temporary directory is left behind");
        ended
    }
}

#[test]
fn common_lines_are_those_of_comm() {
    let check = |left: &[u8], right: &[u8], expected: &[u8]| {
        let ended = Lists::new(left, right).demo(&[]).good();
        assert_eq!(ended.out, expected, "{left:?} {right:?}: {ended:?}");
    };
    check(b"b\na\nc\nb\n", b"c\nx\nb", b"b\nc\n");
    check(b"a\n", b"b\n", b"");
    // Any bytes: not UTF-8, carriage returns, zeros, blanks, empty lines, repeats.
    check(b"\xff\xfe\n a\na \r\n\n\0\n\xff\xfe\n", b"\0\n\na \r\na\n\xff\xfe\n", b"\n\0\na \r\n\xff\xfe\n");
}

#[test]
fn the_story_says_who_saw_what_and_that_it_is_simulated() {
    let ended = Lists::new(b"b\na\nc\nb\n", b"c\nx\nb").demo(&[]).good();
    for part in [
        "platform  simulated: ",
        "alice     hashes each of the 4 lines of ",
        "bob       hashes each of the 3 lines of ",
        "alice     creates task ",
        "bob       sees that alice asks for psi on 127.0.0.1:",
        "the task is Ready",
        "and is told that there is none",
        "alice     runs it; the node answers: Finished",
        "(4 B): 3 of 4 lines are common",
        "(3 B): 2 of 3 lines are common",
        "both      have learned the same 2 lines",
    ] {
        assert!(ended.err.contains(part), "no {part:?} in\n{}", ended.err);
    }
}

#[test]
fn machines_get_the_whole_outcome() {
    let answer = Lists::new(b"b\n\xff\nc\nb\n", b"c\n\xff\nb").demo(&["--json"]).good().json();
    assert_eq!(answer["platform"], "simulated");
    assert_eq!(answer["common"], serde_json::json!(["b", "c", { "hex": "ff" }]));
    assert_eq!(answer["parties"][0]["user_id"], "alice");
    assert_eq!(answer["parties"][0]["common_lines"], 4);
    assert_eq!(answer["parties"][1]["lines"], 3);
}

#[test]
fn lists_that_make_no_sense_are_refused() {
    let lists = Lists::new(b"a\n", b"");
    let (left, right) = (lists.path("left"), lists.path("right"));
    let check = |left: &PathBuf, right: &PathBuf, expected: String| {
        let ended = run(teehouse().arg("demo").arg(left).arg(right), &[]);
        assert_eq!((ended.code, ended.err), (Some(2), expected));
    };
    check(
        &left,
        &right,
        format!(
            "error: {} is empty\nhelp: a list needs at least one line, else there is nothing to compare\n",
            right.display()
        ),
    );
    check(
        &left,
        &left,
        format!(
            "error: {0} and {0} are one file\nhelp: name two files, one for each party: teehouse demo LEFT RIGHT\n",
            left.display()
        ),
    );
    check(
        &PathBuf::from("/nowhere"),
        &right,
        "error: /nowhere can't be read: No such file or directory (os error 2)\n\
         help: name two text files: teehouse demo LEFT RIGHT\n"
            .to_owned(),
    );
}

#[test]
fn the_lists_that_come_with_the_program_have_common_lines() {
    let ended = run(teehouse().arg("demo"), &[]).good();
    assert_eq!(ended.text().lines().count(), 387);
    assert!(ended.text().lines().is_sorted(), "sorted");
}
