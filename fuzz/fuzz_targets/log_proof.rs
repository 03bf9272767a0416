//! Proofs about a log's tree: refused or right, never a panic, and never right for a tree of a few leaves unless they
//! are the proofs that the definitions give.
#![no_main]

use std::convert::Infallible;

use consent::log::tree::{self, Hash, Nodes};
use libfuzzer_sys::fuzz_target;

/// A tree whose leaves are numbers; every node is computed anew.
struct Numbers;

impl Nodes for Numbers {
    type Error = Infallible;

    fn node(&self, level: u32, index: u64) -> Result<Hash, Infallible> {
        Ok(match level {
            0 => tree::leaf(&index.to_be_bytes()),
            _ => tree::parent(&self.node(level - 1, index * 2)?, &self.node(level - 1, index * 2 + 1)?),
        })
    }
}

fn right<T>(result: Result<T, Infallible>) -> T {
    result.unwrap_or_else(|never| match never {})
}

fuzz_target!(|bytes: &[u8]| {
    let Some((head, rest)) = bytes.split_first_chunk::<8>() else { return };
    let [size, at, flip, bit, ..] = *head;
    let (hashes, _) = rest.as_chunks::<32>();
    // Anything at all.
    let number = u64::from_be_bytes(*head);
    let leaf = hashes.first().copied().unwrap_or_default();
    let _ = tree::verify_inclusion(&leaf, number >> 7, number, hashes, &leaf);
    let _ = tree::verify_consistency((number >> 3, &leaf), (number, &leaf), hashes);
    // A right proof, and the same with one bit changed.
    let size = 1 + u64::from(size) % 64;
    let at = u64::from(at) % size;
    let root = right(tree::root(&Numbers, size));
    let leaf = tree::leaf(&at.to_be_bytes());
    let mut proof = right(tree::prove_inclusion(&Numbers, at, size));
    tree::verify_inclusion(&leaf, at, size, &proof, &root).expect("as defined");
    let old = right(tree::root(&Numbers, at));
    let mut grown = right(tree::prove_consistency(&Numbers, at, size));
    tree::verify_consistency((at, &old), (size, &root), &grown).expect("as defined");
    for changed in [&mut proof, &mut grown] {
        let length = changed.len();
        if let Some(hash) = changed.get_mut(usize::from(flip) % length.max(1)) {
            hash[usize::from(bit) % 32] ^= 1 << (bit >> 5);
        }
        if length == 0 {
            changed.push(root);
        }
    }
    assert!(tree::verify_inclusion(&leaf, at, size, &proof, &root).is_err());
    assert!(tree::verify_consistency((at, &old), (size, &root), &grown).is_err());
});
