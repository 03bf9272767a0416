//! Scratch space on a disk: sealed, at its place, gone with the run.

use std::path::Path;

use super::outputs::Shelf;
use super::*;
use crate::files::Unsettled;

const KNOWN: &[u8] = b"plaintext that nobody may see on a disk, ";

/// Runs on one small input with this spool.
fn run_with(
    spool: Arc<dyn Spool>,
    body: impl Fn(&mut Invocation<'_>) -> Ran + Send + Sync,
) -> Result<(Ran, Outputs), Unsettled> {
    run_on(vec![], spool, body)
}

fn done() -> Ran {
    Ok(String::new())
}

#[test]
fn blocks_come_back_from_every_thread() {
    let (spool, dir) = spool();
    let ran = run_with(spool, |invocation| {
        let scratch = invocation.scratch()?;
        // It has no name from the start: there is nothing to be found after a kill.
        assert_eq!(fs::read_dir(dir.path().join("spool")).unwrap().count(), 0);
        std::thread::scope(|scope| {
            for thread in 0..4u8 {
                let scratch = scratch.clone();
                scope.spawn(move || {
                    let blocks: Vec<_> = (0..50).map(|at| vec![thread ^ at; 1 + 100 * usize::from(at)]).collect();
                    let at: Vec<_> = blocks.iter().map(|block| scratch.append(block).unwrap()).collect();
                    for (block, position) in blocks.iter().zip(at).rev() {
                        let mut back = vec![0; block.len()];
                        scratch.read(position, &mut back).unwrap();
                        assert_eq!(back, *block);
                    }
                });
            }
        });
        done()
    });
    ran.unwrap().0.unwrap();
    assert_eq!(names_below(dir.path()), 0);
}

fn names_below(folder: &Path) -> usize {
    fs::read_dir(folder.join("spool")).unwrap().count()
}

#[test]
fn nothing_unsealed_is_in_the_scratch_space() {
    let shelf = Shelf::with_room(usize::MAX);
    let block = KNOWN.repeat(100);
    let ran = run_with(Arc::new(shelf.clone()), |invocation| {
        let scratch = invocation.scratch()?;
        let positions = [scratch.append(&block)?, scratch.append(&block)?];
        assert_ne!(positions[0], positions[1]);
        done()
    });
    ran.unwrap().0.unwrap();
    let stored = shelf.bytes.lock().unwrap();
    assert!(stored.len() > 2 * block.len());
    assert!(!stored.windows(16).any(|window| window == &KNOWN[..16]));
    let half = stored.len() / 2;
    assert_ne!(stored[..half], stored[half..]);
}

/// What is changed, swapped, cut or asked for elsewhere is no block, and the run's failure is the disk's.
#[test]
fn altered_blocks_are_refused() {
    const LEN: usize = 1000;
    type Change = fn(&mut Vec<u8>);
    let changes: [Change; 5] = [
        |bytes| bytes[0] ^= 1,
        |bytes| bytes[LEN] ^= 1,
        |bytes| bytes[LEN + 15] ^= 0x80,
        |bytes| bytes.rotate_left(LEN + 16),
        |bytes| bytes.truncate(LEN),
    ];
    for change in changes {
        let shelf = Shelf::with_room(usize::MAX);
        let ran = run_with(Arc::new(shelf.clone()), |invocation| {
            let scratch = invocation.scratch()?;
            let first = scratch.append(&[7; LEN])?;
            scratch.append(&[8; LEN])?;
            change(&mut shelf.bytes.lock().unwrap());
            let mut back = [0; LEN];
            assert!(matches!(scratch.read(first, &mut back), Err(Failure::Stream(_))));
            assert_eq!(back, [0; LEN]);
            done()
        });
        // Whatever the function makes of it.
        assert!(matches!(ran, Err(Unsettled::Spool(_))));
    }
}

#[test]
fn a_block_is_read_whole_and_at_its_place() {
    for (offset, len) in [(0, 99), (0, 101), (1, 99), (116, 100)] {
        let (spool, _dir) = spool();
        let ran = run_with(spool, |invocation| {
            let scratch = invocation.scratch()?;
            let position = scratch.append(&[7; 100])?;
            assert!(scratch.read(position + offset, &mut vec![0; len]).is_err());
            done()
        });
        assert!(matches!(ran, Err(Unsettled::Spool(_))));
    }
}

#[test]
fn a_full_disk_fails_the_run() {
    let ran = run_with(Arc::new(Shelf::with_room(1500)), |invocation| {
        let scratch = invocation.scratch()?;
        scratch.append(&[7; 1000])?;
        assert!(matches!(scratch.append(&[7; 1000]), Err(Failure::Stream(_))));
        done()
    });
    assert!(matches!(ran, Err(Unsettled::Spool(problem)) if problem.kind() == std::io::ErrorKind::StorageFull));
}

/// psi itself, from sealed files, with less memory than they need: right, and nothing is left.
#[test]
fn a_psi_that_spills_leaves_nothing() {
    let records = |from: u32| (from..from + 100_000).flat_map(|at| at.to_be_bytes().repeat(8)).collect::<Vec<u8>>();
    let (left, right) = (Stored::new(&records(0)), Stored::new(&records(50_000)));
    let shelf = Shelf::with_room(usize::MAX);
    let mut files = RunFiles::new(vec![left.stream(), right.stream()], Arc::new(shelf.clone()));
    let psi = functions::builtins().into_iter().find(|function| function.interface().name == "psi").unwrap();
    let limits = Limits { memory: 1 << 20, ..Limits::default() };
    executor::run(&*psi, None, &mut files, &limits, &StopSignal::new()).unwrap();
    let outputs = files.settle(&|| Ok(())).unwrap();
    let answer = |common: std::ops::Range<u32>| (0..100_000).map(|at| common.contains(&at).into()).collect::<Vec<u8>>();
    assert_eq!(outputs[&Output::Owner(0)].sha256(), digest(&answer(50_000..100_000)));
    assert_eq!(outputs[&Output::Owner(1)].sha256(), digest(&answer(0..50_000)));
    assert!(shelf.bytes.lock().unwrap().len() > 1 << 20);
    let known = 70_000u32.to_be_bytes().repeat(4);
    assert!(!shelf.bytes.lock().unwrap().windows(16).any(|window| window == known));
}
