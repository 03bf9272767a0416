//! Which keys a scan visits.

use std::{
    marker::PhantomData,
    ops::{Bound, RangeBounds, RangeFull},
};

use crate::key::{AsKey, Composite, Key, to_bytes};

/// A range of keys: all of them (`..`), between two, or all with the same first component; from a cursor on.
#[derive(Debug, Clone)]
pub struct Range<K> {
    pub(crate) start: Bound<Vec<u8>>,
    pub(crate) end: Bound<Vec<u8>>,
    keys: PhantomData<fn() -> K>,
}

impl<K: Key> Range<K> {
    /// Every key of the table; `..` is the same.
    pub fn all() -> Self {
        Self::new(Bound::Unbounded, Bound::Unbounded)
    }

    /// The keys within bounds such as `from..` or `from..to`.
    pub fn between<Q: AsKey<K>>(bounds: impl RangeBounds<Q>) -> Self {
        Self::new(bounds.start_bound().map(to_bytes), bounds.end_bound().map(to_bytes))
    }

    /// Only what comes after `cursor`, the last key of the page before.
    #[must_use]
    pub fn after(mut self, cursor: impl AsKey<K>) -> Self {
        let cursor = to_bytes(cursor);
        let later = match &self.start {
            Bound::Unbounded => true,
            Bound::Included(start) | Bound::Excluded(start) => *start <= cursor,
        };
        if later {
            self.start = Bound::Excluded(cursor);
        }
        self
    }

    fn new(start: Bound<Vec<u8>>, end: Bound<Vec<u8>>) -> Self {
        Self { start, end, keys: PhantomData }
    }

    /// Whether no key can be within, which ordered maps refuse to be asked about.
    pub(crate) fn is_empty(&self) -> bool {
        match (&self.start, &self.end) {
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
            (Bound::Included(start), Bound::Included(end)) => start > end,
            (Bound::Included(start) | Bound::Excluded(start), Bound::Included(end) | Bound::Excluded(end)) => {
                start >= end
            }
        }
    }
}

impl<K: Composite> Range<K> {
    /// The keys whose first component is `first`.
    pub fn starting_with(first: impl AsKey<K::First>) -> Self {
        let start = to_bytes(first);
        let end = successor(start.clone()).map_or(Bound::Unbounded, Bound::Excluded);
        Self::new(Bound::Included(start), end)
    }
}

impl<K: Key> From<RangeFull> for Range<K> {
    fn from(_: RangeFull) -> Self {
        Self::all()
    }
}

/// The least bytes that sort after everything that begins with `prefix`; none when it is all `ff`.
fn successor(mut prefix: Vec<u8>) -> Option<Vec<u8>> {
    while let Some(last) = prefix.pop() {
        if let Some(next) = last.checked_add(1) {
            prefix.push(next);
            return Some(prefix);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains<K: Key>(range: &Range<K>, key: impl AsKey<K>) -> bool {
        (range.start.clone(), range.end.clone()).contains(&to_bytes(key))
    }

    #[test]
    fn starting_with_is_exactly_the_first_component() {
        let alice = Range::<(String, u64)>::starting_with("alice");
        for (name, within) in [("alice", true), ("alic", false), ("alice2", false), ("alice\0", false), ("bob", false)]
        {
            for number in [0, 7, u64::MAX] {
                assert_eq!(contains(&alice, (name, number)), within, "{name:?}");
            }
        }
        let last = Range::<(u64, u64)>::starting_with(u64::MAX);
        assert!(contains(&last, (u64::MAX, u64::MAX)) && !contains(&last, (u64::MAX - 1, u64::MAX)));
    }

    #[test]
    fn after_never_widens() {
        let range = Range::<u64>::between(5..9);
        for (cursor, first) in [(0, 5), (4, 5), (5, 6), (7, 8)] {
            let rest = range.clone().after(cursor);
            assert_eq!((0..20).find(|key| contains(&rest, key)), Some(first));
        }
        assert!(range.clone().after(9).is_empty());
        assert!(!range.is_empty());
    }

    #[test]
    fn backward_bounds_are_empty() {
        for range in [
            Range::<u64>::between((Bound::Included(6_u64), Bound::Included(5_u64))),
            Range::between((Bound::Included(5_u64), Bound::Excluded(5_u64))),
            Range::between((Bound::Excluded(5_u64), Bound::Excluded(5_u64))),
        ] {
            assert!(range.is_empty(), "{range:?}");
        }
        assert!(!Range::<u64>::between(5..=5).is_empty());
    }
}
