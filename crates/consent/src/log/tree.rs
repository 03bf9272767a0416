//! The tree of RFC 9162, section 2.1: its root, proofs that a leaf is in it, proofs that it extends an earlier one.
//!
//! What is stored are the hashes of complete subtrees: node (level, index) is over the leaves from `index << level` to
//! before `(index + 1) << level`. Such a hash never changes once its last leaf is there, and a new leaf makes one more
//! besides itself on average. Every root and every proof follows from at most two of them per level.

use crypto::hash::Sha256;

/// A SHA-256.
pub type Hash = [u8; 32];

/// The most leaves: so many that their number has a canonical form.
pub const MAX_SIZE: u64 = crate::canonical::MAX_NUMBER;

/// The longest proof, in hashes: an inclusion proof has at most one per level, a consistency proof one more.
pub const MAX_PROOF: usize = 64;

/// Where the hashes of complete subtrees are kept.
pub trait Nodes {
    /// Why one can't be had.
    type Error;

    /// The hash over `1 << level` leaves from `index << level` on. It is asked only for subtrees that are complete.
    ///
    /// # Errors
    /// When it is not there.
    fn node(&self, level: u32, index: u64) -> Result<Hash, Self::Error>;
}

/// A hash of a complete subtree that a new leaf makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewNode {
    /// Its level; leaves have 0.
    pub level: u32,
    /// Its place on the level.
    pub index: u64,
    /// The hash.
    pub hash: Hash,
}

/// A proof does not show what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotProven {
    /// The leaf is not in the tree.
    #[error("the proof does not show that the entry is in the log")]
    Inclusion,
    /// The tree does not extend the earlier one.
    #[error("the proof does not show that the log only grew")]
    Consistency,
}

/// The hash of a leaf: SHA-256 of `0x00 ‖ entry`.
pub fn leaf(entry: &[u8]) -> Hash {
    prefixed(0x00, &[entry])
}

/// The hash of a node: SHA-256 of `0x01 ‖ left ‖ right`.
pub fn parent(left: &Hash, right: &Hash) -> Hash {
    prefixed(0x01, &[left, right])
}

/// The root of the empty tree: SHA-256 of nothing.
pub fn empty_root() -> Hash {
    Sha256::digest(b"")
}

fn prefixed(prefix: u8, parts: &[&[u8]]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(&[prefix]);
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finish()
}

/// The nodes that the leaf at `size` makes: itself, then each subtree that it completes.
///
/// # Errors
/// When a node to its left is not there.
pub fn append<N: Nodes>(nodes: &N, size: u64, leaf: Hash) -> Result<Vec<NewNode>, N::Error> {
    let mut made = vec![NewNode { level: 0, index: size, hash: leaf }];
    let (mut hash, mut level, mut index) = (leaf, 0, size);
    while index & 1 == 1 {
        hash = parent(&nodes.node(level, index - 1)?, &hash);
        (level, index) = (level + 1, index >> 1);
        made.push(NewNode { level, index, hash });
    }
    Ok(made)
}

/// The complete subtrees that a tree of this size consists of, from left to right: level and index.
pub fn peaks(size: u64) -> Vec<(u32, u64)> {
    complete_parts(0, size).collect()
}

/// The root over the hashes of [`peaks`]; that of the empty tree over none.
pub fn root_of_peaks(peaks: &[Hash]) -> Hash {
    let mut peaks = peaks.iter().rev();
    let last = peaks.next().copied().unwrap_or_else(empty_root);
    peaks.fold(last, |right, left| parent(left, &right))
}

/// The root of the first `size` leaves.
///
/// # Errors
/// When a node is not there.
pub fn root<N: Nodes>(nodes: &N, size: u64) -> Result<Hash, N::Error> {
    subtree(nodes, 0, size)
}

/// The proof that leaf `index` is in the tree of the first `size` leaves (RFC 9162, section 2.1.3.1).
///
/// # Errors
/// When a node is not there.
///
/// # Panics
/// Unless `index < size`.
pub fn prove_inclusion<N: Nodes>(nodes: &N, index: u64, size: u64) -> Result<Vec<Hash>, N::Error> {
    assert!(index < size, "a leaf of the tree");
    let (mut begin, mut end, mut path) = (0, size, Vec::new());
    while end - begin > 1 {
        let middle = begin + split(end - begin);
        if index < middle {
            path.push(subtree(nodes, middle, end)?);
            end = middle;
        } else {
            path.push(subtree(nodes, begin, middle)?);
            begin = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The proof that the tree of the first `to` leaves extends that of the first `from` (RFC 9162, section 2.1.4.1);
/// nothing is needed when either is empty or both are the same.
///
/// # Errors
/// When a node is not there.
///
/// # Panics
/// Unless `from <= to`.
pub fn prove_consistency<N: Nodes>(nodes: &N, from: u64, to: u64) -> Result<Vec<Hash>, N::Error> {
    assert!(from <= to, "an earlier tree");
    let (mut begin, mut end, mut path) = (0, to, Vec::new());
    if from == 0 || from == to {
        return Ok(path);
    }
    while from != end {
        let middle = begin + split(end - begin);
        if from <= middle {
            path.push(subtree(nodes, middle, end)?);
            end = middle;
        } else {
            path.push(subtree(nodes, begin, middle)?);
            begin = middle;
        }
    }
    // Whoever has the earlier root has this hash already when it begins at the first leaf.
    if begin > 0 {
        path.push(subtree(nodes, begin, end)?);
    }
    path.reverse();
    Ok(path)
}

/// Checks an inclusion proof (RFC 9162, section 2.1.3.2).
///
/// # Errors
/// [`NotProven::Inclusion`] for every other leaf, place, tree and proof.
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> Result<(), NotProven> {
    if index >= size {
        return Err(NotProven::Inclusion);
    }
    let (mut place, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if last == 0 {
            return Err(NotProven::Inclusion);
        }
        if place & 1 == 1 || place == last {
            hash = parent(sibling, &hash);
            while place & 1 == 0 && place != 0 {
                (place, last) = (place >> 1, last >> 1);
            }
        } else {
            hash = parent(&hash, sibling);
        }
        (place, last) = (place >> 1, last >> 1);
    }
    if last == 0 && hash == *root { Ok(()) } else { Err(NotProven::Inclusion) }
}

/// Checks a consistency proof (RFC 9162, section 2.1.4.2).
///
/// # Errors
/// [`NotProven::Consistency`] for every other pair of trees and every other proof.
pub fn verify_consistency((from, old): (u64, &Hash), (to, new): (u64, &Hash), proof: &[Hash]) -> Result<(), NotProven> {
    let shown = match from {
        0 => proof.is_empty() && *old == empty_root(),
        from if from == to => proof.is_empty() && old == new,
        from => from < to && both_roots(from, to, old, proof) == Some((*old, *new)),
    };
    if shown { Ok(()) } else { Err(NotProven::Consistency) }
}

/// The roots of two trees as a proof has them; nothing when it is too long or too short.
fn both_roots(from: u64, to: u64, old: &Hash, proof: &[Hash]) -> Option<(Hash, Hash)> {
    let (mut path, (mut place, mut last)) = (proof.iter(), (from - 1, to - 1));
    let first = if from.is_power_of_two() { old } else { path.next()? };
    while place & 1 == 1 {
        (place, last) = (place >> 1, last >> 1);
    }
    let (mut before, mut after) = (*first, *first);
    for sibling in path {
        if last == 0 {
            return None;
        }
        if place & 1 == 1 || place == last {
            (before, after) = (parent(sibling, &before), parent(sibling, &after));
            while place & 1 == 0 && place != 0 {
                (place, last) = (place >> 1, last >> 1);
            }
        } else {
            after = parent(&after, sibling);
        }
        (place, last) = (place >> 1, last >> 1);
    }
    (last == 0).then_some((before, after))
}

/// The hash over leaves from `begin` to before `end`, which are one side of a split further up: `begin` is a multiple
/// of the smallest power of two that is not less than their number.
fn subtree<N: Nodes>(nodes: &N, begin: u64, end: u64) -> Result<Hash, N::Error> {
    let parts = complete_parts(begin, end).map(|(level, index)| nodes.node(level, index));
    Ok(root_of_peaks(&parts.collect::<Result<Vec<_>, _>>()?))
}

/// The complete subtrees that such leaves consist of, the largest first.
fn complete_parts(begin: u64, end: u64) -> impl Iterator<Item = (u32, u64)> {
    let length = end - begin;
    let set = (0..u64::BITS).rev().filter(move |level| length >> level & 1 == 1);
    set.scan(begin, |at, level| {
        let part = (level, *at >> level);
        *at += 1 << level;
        Some(part)
    })
}

/// The largest power of two that is less than `length`, which is 2 or more.
fn split(length: u64) -> u64 {
    1 << (length - 1).ilog2()
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
