//! The tree against its definitions in RFC 9162, and against the vectors of Certificate Transparency.

use std::collections::HashMap;
use std::convert::Infallible;

use crypto::hash::{hex, parse_hex};
use proptest::prelude::*;

use super::*;

/// A tree in memory.
#[derive(Default)]
struct Memory(HashMap<(u32, u64), Hash>);

impl Nodes for Memory {
    type Error = Infallible;

    fn node(&self, level: u32, index: u64) -> Result<Hash, Infallible> {
        Ok(*self.0.get(&(level, index)).expect("only complete subtrees are asked for"))
    }
}

impl Memory {
    fn of(leaves: &[Hash]) -> Self {
        let mut memory = Memory::default();
        for (size, leaf) in leaves.iter().enumerate() {
            let made = append(&memory, size as u64, *leaf).unwrap_or_else(|never| match never {});
            memory.0.extend(made.iter().map(|node| ((node.level, node.index), node.hash)));
        }
        memory
    }
}

/// Section 2.1.1, word for word.
fn defined_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Sha256::digest(b""),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(defined_split(leaves.len()));
            parent(&defined_root(left), &defined_root(right))
        }
    }
}

fn defined_split(length: usize) -> usize {
    (0..).map(|exponent| 1 << exponent).take_while(|power| *power < length).last().expect("two leaves or more")
}

/// Section 2.1.3.1, word for word.
fn defined_path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let k = defined_split(leaves.len());
    let (left, right) = leaves.split_at(k);
    let (mut path, sibling) = match index < k {
        true => (defined_path(index, left), defined_root(right)),
        false => (defined_path(index - k, right), defined_root(left)),
    };
    path.push(sibling);
    path
}

/// Section 2.1.4.1, word for word.
fn defined_subproof(from: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if from == leaves.len() {
        return if whole { Vec::new() } else { vec![defined_root(leaves)] };
    }
    let k = defined_split(leaves.len());
    let (left, right) = leaves.split_at(k);
    let (mut path, sibling) = match from <= k {
        true => (defined_subproof(from, left, whole), defined_root(right)),
        false => (defined_subproof(from - k, right, false), defined_root(left)),
    };
    path.push(sibling);
    path
}

fn leaves(count: usize) -> Vec<Hash> {
    (0..count).map(|number| leaf(&number.to_be_bytes())).collect()
}

fn infallible<T>(result: Result<T, Infallible>) -> T {
    result.unwrap_or_else(|never| match never {})
}

const SIZES: usize = 300;

#[test]
fn every_root_is_as_defined() {
    let leaves = leaves(SIZES);
    let memory = Memory::of(&leaves);
    for size in 0..=SIZES {
        let defined = defined_root(&leaves[..size]);
        assert_eq!(infallible(root(&memory, size as u64)), defined, "{size}");
        let peaks: Vec<_> = peaks(size as u64).iter().map(|at| infallible(memory.node(at.0, at.1))).collect();
        assert_eq!(root_of_peaks(&peaks), defined, "{size}");
    }
    // One more node per leaf, amortised.
    assert!(memory.0.len() < 2 * SIZES);
}

#[test]
fn every_inclusion_proof_is_as_defined_and_verifies() {
    let leaves = leaves(70);
    let memory = Memory::of(&leaves);
    for size in 1..=leaves.len() {
        let root = defined_root(&leaves[..size]);
        for index in 0..size {
            let proof = infallible(prove_inclusion(&memory, index as u64, size as u64));
            assert_eq!(proof, defined_path(index, &leaves[..size]), "{index} of {size}");
            assert_eq!(verify_inclusion(&leaves[index], index as u64, size as u64, &proof, &root), Ok(()));
        }
    }
}

#[test]
fn every_consistency_proof_is_as_defined_and_verifies() {
    let leaves = leaves(70);
    let memory = Memory::of(&leaves);
    for to in 0..=leaves.len() {
        let new = defined_root(&leaves[..to]);
        for from in 0..=to {
            let proof = infallible(prove_consistency(&memory, from as u64, to as u64));
            let defined = if from == 0 { Vec::new() } else { defined_subproof(from, &leaves[..to], true) };
            assert_eq!(proof, defined, "{from} to {to}");
            let old = defined_root(&leaves[..from]);
            assert_eq!(verify_consistency((from as u64, &old), (to as u64, &new), &proof), Ok(()), "{from} to {to}");
        }
    }
}

proptest! {
    #[test]
    fn proofs_of_any_size_verify_and_of_anything_else_do_not(size in 1..=SIZES, index: usize, from: usize, bit in 0..256_usize) {
        let leaves = leaves(SIZES);
        let memory = Memory::of(&leaves);
        let (index, from, size) = (index % size, 1 + from % size, size);
        let root = defined_root(&leaves[..size]);
        let proof = infallible(prove_inclusion(&memory, index as u64, size as u64));
        prop_assert_eq!(&proof, &defined_path(index, &leaves[..size]));
        let check = |leaf: &Hash, index: usize, size: usize, proof: &[Hash], root: &Hash| {
            verify_inclusion(leaf, index as u64, size as u64, proof, root).is_ok()
        };
        prop_assert!(check(&leaves[index], index, size, &proof, &root));
        prop_assert!(!check(&leaf(b"another"), index, size, &proof, &root));
        prop_assert!(!check(&leaves[index], index + 1, size, &proof, &root));
        prop_assert!(!check(&leaves[index], size, size, &proof, &root));
        for (at, _) in proof.iter().enumerate() {
            let mut changed = proof.clone();
            changed[at][bit / 8] ^= 1 << (bit % 8);
            prop_assert!(!check(&leaves[index], index, size, &changed, &root));
            prop_assert!(!check(&leaves[index], index, size, &proof[..at], &root));
        }
        prop_assert!(!check(&leaves[index], index, size, &[&proof[..], &[root]].concat(), &root));

        let old = defined_root(&leaves[..from]);
        let proof = infallible(prove_consistency(&memory, from as u64, size as u64));
        prop_assert_eq!(&proof, &defined_subproof(from, &leaves[..size], true));
        let check = |old: (usize, &Hash), new: (usize, &Hash), proof: &[Hash]| {
            verify_consistency((old.0 as u64, old.1), (new.0 as u64, new.1), proof).is_ok()
        };
        prop_assert!(check((from, &old), (size, &root), &proof));
        prop_assert!(!check((from, &leaf(b"another")), (size, &root), &proof));
        prop_assert!(!check((from, &old), (size, &leaf(b"another")), &proof));
        prop_assert!(size == from || !check((size, &root), (from, &old), &proof));
        for (at, _) in proof.iter().enumerate() {
            let mut changed = proof.clone();
            changed[at][bit / 8] ^= 1 << (bit % 8);
            prop_assert!(!check((from, &old), (size, &root), &changed));
            prop_assert!(!check((from, &old), (size, &root), &proof[..at]));
        }
        prop_assert!(!check((from, &old), (size, &root), &[&proof[..], &[root]].concat()));
    }

    #[test]
    fn no_proof_makes_verification_panic(
        index: u64, size: u64, from: u64, leaf: Hash, root: Hash, proof in prop::collection::vec(any::<Hash>(), 0..70)
    ) {
        prop_assert!(verify_inclusion(&leaf, index, size, &proof, &root).is_err());
        prop_assert!(verify_consistency((from, &leaf), (size, &root), &proof).is_err());
    }
}

/// The leaves and roots of `testdata` in Certificate Transparency's C++ and Go implementations
/// (`merkle/testonly/constants.go` of transparency-dev/merkle).
#[test]
fn the_vectors_of_certificate_transparency() {
    let inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let bytes = |text: &str| -> Vec<u8> {
        let pairs = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("ASCII"));
        pairs.map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal")).collect()
    };
    let leaves: Vec<Hash> = inputs.iter().map(|input| leaf(&bytes(input))).collect();
    let memory = Memory::of(&leaves);
    for (size, expected) in (1..).zip(roots) {
        assert_eq!(hex(&infallible(root(&memory, size))), expected, "{size}");
    }
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(infallible(root(&memory, 0)), parse_hex::<32>(empty).expect("hexadecimal"));
}
