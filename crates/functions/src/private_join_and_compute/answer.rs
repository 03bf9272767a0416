//! Writes the same lines to every owner: one thread merges and formats, the others write.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use executor::{Failure, OutputStream, contain};

use super::runs::{Run, merge};
use crate::blocks::BLOCK_BYTES;
use crate::crew::Crew;
use crate::spill::Pool;

/// Blocks on their way to a thread.
const WAITING: usize = 4;

type Block = Arc<Vec<u8>>;

/// Merges the runs and writes their sums, sorted, to all outputs.
pub(super) fn answer(
    runs: Vec<Run>,
    pool_and_crew: (&Pool, &Crew),
    mut outputs: Vec<OutputStream>,
) -> Result<(), Failure> {
    let each = outputs.len().div_ceil(pool_and_crew.1.threads()).max(1);
    thread::scope(|scope| {
        let (mut senders, mut writers) = (Vec::new(), Vec::new());
        while !outputs.is_empty() {
            let mine = outputs.split_off(outputs.len().saturating_sub(each));
            let (sender, receiver) = sync_channel(WAITING);
            senders.push(sender);
            let write = move || contain(|| write(mine, &receiver));
            writers.push(thread::Builder::new().spawn_scoped(scope, write)?);
        }
        let formatted = format(runs, pool_and_crew, &senders);
        drop(senders);
        let panicked = |_| Failure::Panicked { place: None };
        // A writer's own failure is why there was nobody to send to.
        writers.into_iter().try_for_each(|writer| writer.join().map_err(panicked)?)?;
        formatted
    })
}

fn write(mut outputs: Vec<OutputStream>, blocks: &Receiver<Block>) -> Result<(), Failure> {
    for block in blocks {
        outputs.iter_mut().try_for_each(|output| output.write_all(&block))?;
    }
    outputs.into_iter().try_for_each(OutputStream::finish)
}

fn format(runs: Vec<Run>, pool_and_crew: (&Pool, &Crew), to: &[SyncSender<Block>]) -> Result<(), Failure> {
    let mut block = Vec::with_capacity(BLOCK_BYTES);
    merge(runs, pool_and_crew, |identity, total| {
        block.extend_from_slice(identity);
        block.extend_from_slice(b" : ");
        put_decimal(&mut block, total);
        block.push(b'\n');
        if block.len() < BLOCK_BYTES {
            return Ok(());
        }
        send(std::mem::replace(&mut block, Vec::with_capacity(BLOCK_BYTES)), to)
    })?;
    send(block, to)
}

fn send(block: Vec<u8>, to: &[SyncSender<Block>]) -> Result<(), Failure> {
    let block = Arc::new(block);
    let gone = |_| Failure::function("another thread failed");
    to.iter().try_for_each(|sender| sender.send(block.clone()).map_err(gone))
}

fn put_decimal(to: &mut Vec<u8>, number: i128) {
    let Ok(small) = i64::try_from(number) else {
        to.extend_from_slice(number.to_string().as_bytes());
        return;
    };
    if small < 0 {
        to.push(b'-');
    }
    let (mut digits, mut at, mut left) = ([0; 20], 20, small.unsigned_abs());
    loop {
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    to.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_they_are_everywhere() {
        for number in [0, 1, -1, 9, 10, -10, i64::MAX.into(), i64::MIN.into(), 1 << 64, i128::MIN, i128::MAX] {
            let mut written = Vec::new();
            put_decimal(&mut written, number);
            assert_eq!(written, number.to_string().as_bytes());
        }
    }
}
