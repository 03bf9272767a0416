//! Both formats against an independent reading of `docs/file-format.md`: a page of Python that uses no library.
//!
//! `tests/decode.py` made the vectors in `tests/vectors/file-format.txt`, and opens what this crate seals. These tests
//! need `python3` and fail without it.

use std::{
    collections::HashMap,
    io::Write,
    process::{Command, Output, Stdio},
};

use crypto::{
    FileKey,
    file::{
        self,
        stream::{ChunkLen, Header, Salt, Writer},
    },
    hash::{Sha256, hex, parse_hex},
};

use crate::{counting, header, key, seal};

const VECTORS: &str = include_str!("../vectors/file-format.txt");

#[test]
fn files_are_what_the_vectors_say() {
    let mut parts = HashMap::new();
    let mut checked = 0;
    for line in VECTORS.lines().filter(|line| !line.starts_with('#')) {
        match line.split(' ').collect::<Vec<_>>()[..] {
            [name, value] => drop(parts.insert(name, value)),
            [kind, log2, size, stored] => {
                check_vector(&parts, kind, log2.parse().unwrap(), size.parse().unwrap(), stored);
                checked += 1;
            }
            _ => assert_eq!(line, ""),
        }
    }
    assert_eq!(checked, 14);
}

fn check_vector(parts: &HashMap<&str, &str>, kind: &str, log2: u8, size: usize, expected: &str) {
    let nonce: [u8; 12] = parse_hex(parts["nonce"]).unwrap();
    let ad: [u8; 5] = parse_hex(parts["ad"]).unwrap();
    let key = FileKey::new(&parse_hex::<32>(parts["key"]).unwrap(), &nonce, &ad).unwrap();
    let stored = match kind {
        "message" => file::seal(counting(size), key).unwrap(),
        _ => {
            let salt = Salt::danger_again(parse_hex(parts["salt"]).unwrap());
            let header = Header::new(ChunkLen::from_log2(log2).unwrap(), salt);
            let mut writer = Writer::new(Vec::new(), &key, header).unwrap();
            writer.write_all(&counting(size)).unwrap();
            writer.finish().unwrap()
        }
    };
    match expected.strip_prefix("sha256:") {
        Some(digest) => assert_eq!(hex(&Sha256::digest(&stored)), digest, "{kind} {log2} {size}"),
        None => assert_eq!(hex(&stored), expected, "{kind} {log2} {size}"),
    }
}

#[test]
fn the_vectors_are_what_the_page_makes() {
    let output = python(&["vectors"], &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), VECTORS);
}

#[test]
fn the_page_opens_what_is_sealed_now() {
    for len in [0, 1, 4095, 4096, 4097, 10_000] {
        let plaintext = counting(len);
        check_opens("chunks", &seal(Header::new(ChunkLen::MIN, Salt::generate()), &plaintext), &plaintext);
        check_opens("message", &file::seal(plaintext.clone(), key()).unwrap(), &plaintext);
    }
    check_opens("chunks", &seal(Header::for_size(10_000), &counting(10_000)), &counting(10_000));
}

fn check_opens(kind: &str, stored: &[u8], plaintext: &[u8]) {
    let output = open(kind, stored, plaintext.len());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout == plaintext, "{kind} {}", plaintext.len());
}

#[test]
fn the_page_refuses_what_was_changed() {
    let stored = seal(header(12, 1), &counting(5000));
    for at in [0, 8, 9, 10, 32, 63, 64, 64 + 4112, stored.len() - 1] {
        let mut changed = stored.clone();
        changed[at] ^= 1;
        let output = open("chunks", &changed, 5000);
        assert!(!output.status.success() && output.stdout.is_empty(), "byte {at}");
    }
}

fn open(kind: &str, stored: &[u8], size: usize) -> Output {
    let (key, size) = (key(), size.to_string());
    let arguments = ["open", kind, &hex(key.key()), &hex(key.nonce()), &hex(key.ad()), &size];
    python(&arguments, stored)
}

fn python(arguments: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new("python3");
    command.arg("-B").arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/decode.py")).args(arguments);
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("this test needs python3");
    // One that refuses early reads no more.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}
