//! The log: every change that parties may want to see afterwards, in the transaction that makes the change.
//!
//! ```text
//! log entries   index            → an entry's canonical bytes
//! log nodes     level, index     → the hash of a complete subtree, of each second level
//! log head      –                → the size, and the hashes of the subtrees that the tree consists of
//! log readers   user, index      → the entry's task: what concerns a user
//! log chains    user             → the link of the user's last entry
//! log records   id               → the index of an entry that another service sent under this id
//! ```
//!
//! Nodes of the levels between follow from the two below them, and leaves from entries: an append writes a node every third
//! time instead of two nodes, which is what a commit is made of, and a proof reads three records for two levels.
//! The head alone gives the root, and a new leaf needs nothing else. So an append reads one record and a checkpoint
//! reads one record, whatever the log's size. Whatever leaves the log is checked against the root first: a record that
//! someone removed, or put back as it was, shows. A store that was put back whole does not show here, but to whoever
//! remembers a checkpoint.

mod append;
mod events;
mod read;
mod record;
mod service;

pub(crate) use append::{Pending, append};
pub(crate) use events::of_change;
pub use service::Log;

use consent::log::tree::{self, Hash, Nodes};
use serde::{Deserialize, Serialize};
use store::{StoreError, Table};
use types::digest::Digest;
use types::id::TaskId;

/// Entries by index.
const ENTRIES: Table<u64, String> = Table::new("log entries");
/// The hashes of complete subtrees, by level and index. Earlier versions kept those of every level.
const NODES: Table<(u64, u64), Digest> = Table::new("log nodes");
/// Nodes are kept of every level that is a multiple of this, but for the leaves.
const KEPT: u32 = 2;

/// Whether nodes of a level are kept.
fn is_kept(level: u32) -> bool {
    level > 0 && level.is_multiple_of(KEPT)
}

/// What the tree consists of; one record, under 0.
const HEAD: Table<u64, Head> = Table::new("log head");
/// The entries that concern a user, each with the task that it is about.
const READERS: Table<(String, u64), Option<TaskId>> = Table::new("log readers");
/// The link of each user's last entry.
const CHAINS: Table<String, Digest> = Table::new("log chains");

/// The name of [`HEAD`], for errors.
const HEAD_NAME: &str = "log head";

/// What the tree consists of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    /// How many entries there are.
    pub(crate) size: u64,
    /// The hashes of [`tree::peaks`].
    peaks: Vec<Digest>,
}

impl Head {
    /// The root of the tree.
    pub(crate) fn root(&self) -> Hash {
        tree::root_of_peaks(&self.peaks.iter().map(|peak| *peak.as_bytes()).collect::<Vec<_>>())
    }

    /// The head of the tree with one more leaf, and the nodes that the leaf makes.
    fn grown(&self, leaf: Hash) -> Result<(Self, Vec<tree::NewNode>), StoreError> {
        let made = tree::append(self, self.size, leaf)?;
        // The leaf completes as many subtrees as there are peaks that it swallows.
        let kept = self.peaks.len().saturating_sub(made.len() - 1);
        let last = made.last().map(|node| Digest::new(node.hash));
        let peaks = self.peaks.iter().take(kept).copied().chain(last).collect();
        Ok((Head { size: self.size + 1, peaks }, made))
    }
}

impl Nodes for Head {
    type Error = StoreError;

    fn node(&self, level: u32, index: u64) -> Result<Hash, StoreError> {
        let at = tree::peaks(self.size).iter().position(|peak| *peak == (level, index));
        let peak = at.and_then(|at| self.peaks.get(at));
        peak.map(|peak| *peak.as_bytes()).ok_or(StoreError::Shape { table: HEAD_NAME })
    }
}

#[cfg(test)]
mod tests;
