//! How much memory a model's bytes would take, before they are decoded (Protocol Buffers; `onnx.proto`).
//!
//! A decoded node takes a few hundred bytes where two on the wire are enough. Weights as `raw_data` take what they say,
//! so all else must be small.

use executor::{Failure, Limit};

/// A decoded message may be so many times its bytes.
const GROWTH: u64 = 256;
/// The file, its decoded form, tensors of it and the optimised model are in memory at once.
const COPIES: u64 = 8;

const GRAPH: u64 = 7;
const INITIALIZER: u64 = 5;
const RAW_DATA: u64 = 9;

/// Refuses a file that is too large for the run's memory.
pub(super) fn refuse_large(memory: u64, size: u64) -> Result<(), Failure> {
    if size > memory / COPIES { Err(Limit::Memory(memory).into()) } else { Ok(()) }
}

/// Refuses bytes of which too many are no weights.
pub(super) fn check(file: &[u8], memory: u64) -> Result<(), Failure> {
    let weights = weights(file).ok_or_else(|| Failure::function("input 1: not an ONNX model"))?;
    let structure = file.len() as u64 - weights;
    if structure > memory / GROWTH {
        let problem = "input 1: the model's structure is too large for the memory limit; weights belong in raw_data";
        return Err(Failure::function(problem));
    }
    Ok(())
}

/// Bytes of `raw_data` in all initializers.
fn weights(file: &[u8]) -> Option<u64> {
    let mut sum = 0;
    each(file, GRAPH, |graph| {
        each(graph, INITIALIZER, |tensor| {
            each(tensor, RAW_DATA, |data| {
                sum += data.len() as u64;
                Some(())
            })
        })
    })?;
    Some(sum)
}

/// Calls back for each length-delimited field of this number in a message.
fn each(mut message: &[u8], number: u64, mut found: impl FnMut(&[u8]) -> Option<()>) -> Option<()> {
    while !message.is_empty() {
        let key = varint(&mut message)?;
        match key & 7 {
            0 => varint(&mut message).map(drop)?,
            1 => message = message.get(8..)?,
            5 => message = message.get(4..)?,
            2 => {
                let length = usize::try_from(varint(&mut message)?).ok()?;
                let (field, rest) = message.split_at_checked(length)?;
                message = rest;
                if key >> 3 == number {
                    found(field)?;
                }
            }
            _ => return None,
        }
    }
    Some(())
}

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = message.split_first()?;
        *message = rest;
        value |= u64::from(byte & 127) << shift;
        if *byte < 128 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_weights_may_be_large() {
        // ir_version 8, and a graph with an initializer with 5 bytes of raw data.
        let file = [0x08, 8, 0x3a, 9, 0x2a, 7, 0x4a, 5, 1, 2, 3, 4, 5];
        assert_eq!(weights(&file), Some(5));
        assert!(check(&file, 8 * GROWTH).is_ok());
        assert!(check(&file, 8 * GROWTH - 1).is_err());
        for length in 1..file.len() {
            assert!(weights(&file[..length]).is_none() || length == 2, "{length}");
        }
        assert!(refuse_large(80, 10).is_ok() && refuse_large(80, 11).is_err());
    }
}
