//! The account of a run's linear memories and tables.

use wasmtime::ResourceLimiter;

/// A table's element is a pointer.
const ELEMENT_BYTES: u64 = 8;

/// Counts what a guest has and refuses what would be too much; nothing in WebAssembly ever shrinks.
#[derive(Debug)]
pub(super) struct Memory {
    limit: u64,
    used: u64,
    refused: bool,
}

impl Memory {
    pub(super) fn new(limit: u64) -> Self {
        Self { limit, used: 0, refused: false }
    }

    /// Bytes of all memories and tables: the most that there were.
    pub(super) fn peak(&self) -> u64 {
        self.used
    }

    /// The limit, if the guest wanted more.
    pub(super) fn passed(&self) -> Option<u64> {
        self.refused.then_some(self.limit)
    }

    fn grow(&mut self, by: u64) -> bool {
        let total = self.used.saturating_add(by);
        let fits = total <= self.limit;
        self.refused |= !fits;
        if fits {
            self.used = total;
        }
        fits
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        // What the module itself rules out is not the limit's doing.
        Ok(maximum.is_none_or(|most| desired <= most) && self.grow(desired.saturating_sub(current) as u64))
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let by = (desired.saturating_sub(current) as u64).saturating_mul(ELEMENT_BYTES);
        Ok(maximum.is_none_or(|most| desired <= most) && self.grow(by))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_can_be_reached_and_not_passed() {
        let mut memory = Memory::new(100);
        assert!(memory.memory_growing(0, 60, None).unwrap());
        assert!(memory.table_growing(0, 5, None).unwrap());
        assert_eq!((memory.peak(), memory.passed()), (100, None));
        assert!(!memory.memory_growing(60, 61, None).unwrap());
        assert_eq!((memory.peak(), memory.passed()), (100, Some(100)));
    }

    #[test]
    fn what_the_module_rules_out_is_not_the_limits_doing() {
        let mut memory = Memory::new(100);
        assert!(!memory.memory_growing(0, 60, Some(50)).unwrap());
        assert_eq!(memory.passed(), None);
        assert!(!memory.memory_growing(0, usize::MAX, None).unwrap());
        assert!(!memory.table_growing(0, usize::MAX, None).unwrap());
    }
}
