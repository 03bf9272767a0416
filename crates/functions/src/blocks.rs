//! An input in blocks, for functions that neither need a whole file at once nor care about lines.

use std::io::Read;

use executor::{Failure, InputStream};

/// Bytes in every block but the last: one chunk of the stored file format, and small enough for any L2 cache.
pub(crate) const BLOCK_BYTES: usize = 64 << 10;

/// Calls `use_block` with one block after the other; all but the last are full.
pub(crate) fn for_each(
    input: &mut InputStream,
    mut use_block: impl FnMut(&mut [u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut block = Vec::with_capacity(BLOCK_BYTES);
    loop {
        block.clear();
        input.by_ref().take(BLOCK_BYTES as u64).read_to_end(&mut block)?;
        if block.is_empty() {
            return Ok(());
        }
        use_block(&mut block)?;
    }
}
