//! Files from and to pipes, and several at once.

use std::fs;
use std::io::{Read as _, Write as _};
use std::process::{Child, Stdio};

use crate::house::{Ended, House, User};

fn piped(alice: &User<'_>, arguments: &[&str]) -> Child {
    let mut command = alice.command();
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the binary runs")
}

fn put(alice: &User<'_>, bytes: &[u8], arguments: &[&str]) -> String {
    let mut child = piped(alice, &[&["file", "put", "-"], arguments].concat());
    child.stdin.take().expect("is piped").write_all(bytes).expect("it reads");
    let ended: Ended = child.wait_with_output().expect("it ends").into();
    ended.good().text().to_owned()
}

#[test]
fn input_of_any_size_is_put() {
    let house = House::open();
    let alice = house.user("alice");
    for size in [0, 1, 8 << 20, (8 << 20) + 1, 20 << 20] {
        let bytes: Vec<u8> = (0..size).map(|n: u32| (n % 251) as u8).collect();
        let id = put(&alice, &bytes, &["--name", "piped"]);
        let info = alice.run(&["file", "info", &id, "--json"]).good().json();
        assert_eq!((&info["file_size"], &info["file_name"]), (&size.into(), &"piped".into()));
        assert!(alice.run(&["file", "get", &id]).good().out == bytes, "{size}");
        assert!(alice.run(&["file", "get", &id, "-o", "-"]).good().out == bytes, "{size}");
    }
    let id = put(&alice, b"one\ntwo\n", &["--lines"]);
    assert_eq!(alice.run(&["file", "info", &id, "--json"]).good().json()["file_size"], 64);
}

#[test]
fn input_starts_where_the_program_before_left_it() {
    let house = House::open();
    let alice = house.user("alice");
    let path = house.file("file", b"header\nrest");
    let mut file = fs::File::open(path).expect("the file");
    file.read_exact(&mut [0; 7]).expect("its start");
    let output = alice.command().args(["file", "put", "-"]).stdin(file).output().expect("the binary runs");
    let id = Ended::from(output).good().text().to_owned();
    assert_eq!(alice.get(&["file", "get", &id]), "rest");
}

#[test]
fn input_that_can_not_be_read_leaves_no_record() {
    let house = House::open();
    let alice = house.user("alice");
    let folder = fs::File::open(house.data_dir()).expect("a folder");
    let output = alice.command().args(["file", "put", "-"]).stdin(folder).output().expect("the binary runs");
    let ended = Ended::from(output);
    let expected = "error: standard input can't be read: Is a directory (os error 21)\n";
    assert_eq!((ended.code, ended.err.as_str()), (Some(1), expected));
    assert_eq!(alice.get(&["file", "list"]), "");
    assert_eq!(alice.run(&["file", "put", "-", "-"]).code, Some(2));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let house = House::open();
    let alice = house.user("alice");
    for size in [3 << 20, 20 << 20] {
        let id = put(&alice, &vec![b'x'; size], &[]);
        let mut child = piped(&alice, &["file", "get", &id]);
        let mut start = [0; 10];
        child.stdout.as_mut().expect("is piped").read_exact(&mut start).expect("it writes");
        drop(child.stdout.take());
        let ended: Ended = child.wait_with_output().expect("it ends").into();
        assert_eq!((ended.code, ended.err.as_str(), &start), (Some(0), "", b"xxxxxxxxxx"));
    }
}

#[test]
fn several_files_are_put_at_once_in_their_order() {
    let house = House::open();
    let alice = house.user("alice");
    let paths: Vec<_> =
        (0..9).map(|n| house.file(&format!("f{n}"), vec![n; 100_000 * usize::from(n % 3)].as_slice())).collect();
    let paths: Vec<_> = paths.iter().map(String::as_str).collect();
    let ended = alice.run(&[&["file", "put", "--parallel", "3"], &paths[..]].concat()).good();
    assert_eq!(ended.err, "9 files are put, 878.91 KiB together\n");
    let ids: Vec<_> = ended.text().lines().collect();
    assert_eq!(ids.len(), paths.len());
    for (id, path) in ids.iter().zip(&paths) {
        assert_eq!(alice.run(&["file", "get", id]).good().out, fs::read(path).expect("the file"));
    }
    let answer = alice.run(&[&["file", "put", "--json"], &paths[..2]].concat()).good().json();
    let told: Vec<_> = answer.as_array().expect("an array").iter().map(|one| one["path"].clone()).collect();
    assert_eq!(told, paths[..2]);
    assert_eq!(answer[1]["file_name"], "f1");
    let named = alice.run(&["file", "put", paths[0], paths[1], "--name", "x"]);
    assert_eq!(named.code, Some(2), "{named:?}");
}

#[test]
fn one_that_fails_stops_no_other() {
    let house = House::open();
    let alice = house.user("alice");
    let (good, last) = (house.file("good.csv", b"a\n1\n"), house.file("last.csv", b"a\n2\n"));
    let bad = house.file("bad one.csv", b"a\nx\n");
    let ended = alice.run(&["file", "put", &good, "/nowhere/file", &bad, &last, "--columns", "a:int"]);
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.text().lines().count(), 2);
    assert_eq!(
        ended.err,
        format!(
            "error: 2 of 4 files are not put:\n  \
             /nowhere/file can't be read: No such file or directory (os error 2)\n  \
             {bad}, line 2, column 1 (a): expected int, found text \"x\"\n    \
             nothing was sent: mend the file, or what is expected of it\n\
             help: the others are put; when that is mended, put these with the same options: /nowhere/file '{bad}'\n"
        )
    );
    let ended = alice.run(&["file", "put", &good, &bad, "--columns", "a:int", "--json"]);
    assert_eq!(ended.code, Some(1));
    let answer = ended.json();
    assert!(answer[0]["file_id"].is_string() && answer[1]["file_id"].is_null(), "{answer}");
    assert!(answer[1]["error"].as_str().expect("text").contains("line 2, column 1"), "{answer}");
    assert_eq!(answer[1]["exit"], 1);
}

#[test]
fn lists_are_sorted() {
    let house = House::open();
    let alice = house.user("alice");
    let names = [("b", 1), ("a", 3), ("c", 2)];
    let ids = names.map(|(name, size)| alice.get(&["file", "put", &house.file(name, &vec![0; size])]));
    let check = |arguments: &[&str], order: [usize; 3]| {
        let listed = alice.get(&[&["file", "list"], arguments].concat());
        assert_eq!(listed.lines().collect::<Vec<_>>(), order.map(|at| ids[at].as_str()), "{arguments:?}");
    };
    check(&[], [2, 1, 0]);
    check(&["--sort", "date"], [2, 1, 0]);
    check(&["--sort", "name"], [1, 0, 2]);
    check(&["--sort", "size"], [1, 2, 0]);
    let listed = alice.run(&["file", "list", "--long", "--json"]).good().json();
    let newest = &listed["files"][0];
    for field in ["file_id", "file_name", "file_size", "sha256", "format", "created_ms", "incomplete", "task_id"] {
        assert!(newest.get(field).is_some(), "{field}: {newest}");
    }
}
