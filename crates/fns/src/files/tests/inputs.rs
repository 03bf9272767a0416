//! Inputs: what a function reads is the declared plaintext, in every pass, or nothing of its run counts.

use std::io::{BufRead as _, Read as _};

use crypto::file::OpenError;
use crypto::file::stream::{Error as StreamError, HEADER_LEN};

use super::*;

fn read_all(invocation: &mut Invocation<'_>) -> Result<Vec<u8>, Failure> {
    let mut content = Vec::new();
    invocation.input(0)?.read_to_end(&mut content)?;
    Ok(content)
}

fn done() -> Ran {
    Ok("done".to_owned())
}

/// The run is refused because of its input; nothing of it is left.
fn check_refused(stored: &Stored, words: &str, body: impl Fn(&mut Invocation<'_>) -> Ran + Send + Sync) {
    match stored.run(body).0 {
        Err(Unsettled::Input { input: 0, source }) => assert!(source.to_string().contains(words), "{source}"),
        Err(other) => panic!("{other:?}"),
        Ok((ran, _)) => panic!("{ran:?} instead of {words:?}"),
    }
}

/// Whatever a function does with a bad input, and whatever it says: the run is refused.
fn check_refused_however_it_is_used(stored: &Stored, words: &str) {
    check_refused(stored, words, |_| done());
    check_refused(stored, words, |_| Err(Failure::function("not to my taste")));
    check_refused(stored, words, |_| panic!("words"));
    check_refused(stored, words, |invocation| {
        invocation.input(0)?;
        done()
    });
    check_refused(stored, words, |invocation| {
        invocation.input(0)?.read_exact(&mut [0; 10])?;
        Err(Failure::function("line 1: not to my taste"))
    });
    check_refused(stored, words, |invocation| {
        read_all(invocation)?;
        done()
    });
    // One that minds no failure.
    check_refused(stored, words, |invocation| {
        for _ in 0..3 {
            let _ = read_all(invocation);
        }
        invocation.output(Output::Shared)?.finish()?;
        done()
    });
}

#[test]
fn every_pass_reads_the_same_whatever_the_chunks() {
    for length in [1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 5 * BLOCK + 100] {
        let plaintext = content(length);
        for log2 in [12, 15, 16, 17, 20] {
            let stored = Stored::in_chunks_of(&plaintext, log2);
            let (settled, _dir) = stored.run(|invocation| {
                assert_eq!(invocation.input_size(0), plaintext.len() as u64);
                for _ in 0..3 {
                    assert!(read_all(invocation)? == plaintext);
                }
                done()
            });
            assert_eq!(settled.unwrap().0.unwrap(), "done", "{length} 2^{log2}");
        }
    }
}

#[test]
fn passes_may_go_side_by_side_and_end_early() {
    let plaintext = content(4 * BLOCK + 7);
    let (settled, _dir) = Stored::new(&plaintext).run(|invocation| {
        let (mut ahead, mut behind) = (invocation.input(0)?, invocation.input(0)?);
        let mut buffer = vec![0; 2 * BLOCK + 3];
        ahead.read_exact(&mut buffer)?;
        assert!(buffer == plaintext[..buffer.len()]);
        let mut all = Vec::new();
        behind.read_to_end(&mut all)?;
        assert!(all == plaintext);
        assert!(ahead.fill_buf()?[0] == plaintext[buffer.len()]);
        done()
    });
    assert_eq!(settled.unwrap().0.unwrap(), "done");
}

#[test]
fn small_inputs_are_verified_first_and_one_slice() {
    for length in [0, 1, BLOCK, 2 * BLOCK + 1] {
        let (plaintext, (spool, _dir)) = (content(length), spool());
        let stored = Stored::new(&plaintext);
        let open =
            || Input::open(Source::Disk(stored.path.clone()), &stored.config, stored.declared, &mut Room::new(1 << 20));
        let settled = run_on(vec![open().unwrap()], spool, |invocation| {
            assert!(invocation.input(0)?.fill_buf()? == plaintext);
            done()
        });
        assert_eq!(settled.unwrap().0.unwrap(), "done");
        stored.damage(|bytes| *bytes.last_mut().unwrap() ^= 1);
        assert!(matches!(open(), Err(ReadError::Stream(StreamError::Refused { .. }))));
        stored.swap(&content(length + 1)[1..], 16);
        assert!(length == 0 || matches!(open(), Err(ReadError::Stream(StreamError::DigestDiffers))));
    }
}

/// The room for small inputs is a run's, not an input's.
#[test]
fn many_small_inputs_do_not_fill_the_memory() {
    let stored = Stored::new(&content(7 << 20));
    let mut room = Room::new(1 << 20);
    let in_memory = (0..6).map(|_| {
        let source = Source::Disk(stored.path.clone());
        matches!(Input::open(source, &stored.config, stored.declared, &mut room).unwrap(), Input::Memory(_))
    });
    assert_eq!(in_memory.collect::<Vec<_>>(), [true, true, true, true, false, false]);
}

#[test]
fn other_content_than_was_declared_is_refused() {
    let plaintext = content(3 * BLOCK + 100);
    for at in [0, BLOCK, plaintext.len() - 1] {
        let stored = Stored::new(&plaintext);
        let mut other = plaintext.clone();
        other[at] ^= 1;
        stored.swap(&other, 16);
        check_refused_however_it_is_used(&stored, "another SHA-256 than was declared");
    }
}

/// The last block of a file, declared with the digest of that block alone, is not the file.
#[test]
fn a_digest_is_over_all_blocks() {
    let plaintext = content(BLOCK + 100);
    let mut stored = Stored::new(&plaintext);
    stored.declared.sha256 = digest(&plaintext[BLOCK..]);
    check_refused_however_it_is_used(&stored, "another SHA-256 than was declared");
}

#[test]
fn damage_anywhere_is_refused() {
    const SEALED: usize = BLOCK + 16;
    let plaintext = content(3 * BLOCK + 100);
    for index in [0, 1, 2, 3] {
        let stored = Stored::new(&plaintext);
        stored.damage(|bytes| bytes[HEADER_LEN + index * SEALED + 50] ^= 0x10);
        check_refused_however_it_is_used(&stored, &format!("chunk {index} of the stored file does not verify"));
    }
    // Chunks 1 and 2, each in the other's place.
    let stored = Stored::new(&plaintext);
    stored.damage(|bytes| bytes[HEADER_LEN + SEALED..HEADER_LEN + 3 * SEALED].rotate_left(SEALED));
    check_refused_however_it_is_used(&stored, "chunk 1 of the stored file does not verify");
    // A chunk of an earlier sealing under the same key.
    let stored = Stored::new(&plaintext);
    let earlier = sealed(&plaintext, &stored.key, 16);
    let chunk = HEADER_LEN + 2 * SEALED..HEADER_LEN + 3 * SEALED;
    stored.damage(|bytes| bytes[chunk.clone()].copy_from_slice(&earlier[chunk]));
    check_refused_however_it_is_used(&stored, "chunk 2 of the stored file does not verify");
}

#[test]
fn a_file_that_was_cut_is_refused_before_the_run_and_within_it() {
    const SEALED: usize = BLOCK + 16;
    let plaintext = content(3 * BLOCK + 100);
    let whole = HEADER_LEN + 3 * SEALED + 116;
    let ends = (0..4).flat_map(|chunks| [HEADER_LEN + chunks * SEALED, HEADER_LEN + chunks * SEALED + 1]);
    for end in ends.chain([0, 63, whole - 1, whole + 1]) {
        let stored = Stored::new(&plaintext);
        stored.damage(|bytes| bytes.resize(end, 0));
        let refused = stored.try_stream().err().unwrap();
        assert!(matches!(refused, ReadError::Stream(_)), "{end}: {refused}");

        let stored = Stored::new(&plaintext);
        if end < whole {
            check_refused(&stored, "stored file", |invocation| {
                stored.damage(|bytes| bytes.truncate(end));
                let _ = read_all(invocation);
                done()
            });
        }
    }
}

#[test]
fn what_is_no_file_in_chunks_is_refused() {
    let stored = Stored::new(&content(2 * BLOCK));
    stored.damage(|bytes| bytes[0] ^= 1);
    assert!(stored.try_stream().err().unwrap().to_string().contains("header"));
    fs::remove_file(&stored.path).unwrap();
    assert!(matches!(stored.try_stream(), Err(ReadError::Missing)));
    std::os::unix::fs::symlink(stored.dir.path(), &stored.path).unwrap();
    assert!(matches!(stored.try_stream(), Err(ReadError::NotRegular)));
    fs::remove_file(&stored.path).unwrap();
    fs::create_dir(&stored.path).unwrap();
    assert!(matches!(stored.try_stream(), Err(ReadError::NotRegular)));
}

/// Whoever holds the file's key can seal other bytes; the second pass must not see them.
#[test]
fn a_swap_between_passes_is_noticed() {
    let plaintext = content(3 * BLOCK + 100);
    for at in [0, BLOCK + 5, plaintext.len() - 1] {
        let stored = Stored::new(&plaintext);
        let mut other = plaintext.clone();
        other[at] ^= 1;
        check_refused(&stored, "it was changed while the function read it", |invocation| {
            read_all(invocation)?;
            stored.swap(&other, 16);
            assert!(read_all(invocation).is_err());
            done()
        });
    }
}

/// The same bytes, sealed anew with other chunks, are the same.
#[test]
fn a_second_pass_over_another_sealing_is_fine() {
    let plaintext = content(3 * BLOCK + 100);
    let stored = Stored::new(&plaintext);
    let (settled, _dir) = stored.run(|invocation| {
        for log2 in [12, 18, 16] {
            assert!(read_all(invocation)? == plaintext);
            stored.swap(&plaintext, log2);
        }
        done()
    });
    assert_eq!(settled.unwrap().0.unwrap(), "done");
}

/// A function that read a false beginning is not saved by the true file that stands there when its run ends.
#[test]
fn a_swap_behind_the_first_block_is_noticed_at_the_end() {
    let plaintext = content(3 * BLOCK + 100);
    let stored = Stored::new(&plaintext);
    let mut other = plaintext.clone();
    other[0] ^= 1;
    stored.swap(&other, 16);
    check_refused(&stored, "another SHA-256 than was declared", |invocation| {
        invocation.input(0)?.read_exact(&mut [0; 5])?;
        stored.swap(&plaintext, 16);
        done()
    });
}

#[test]
fn a_file_that_is_gone_when_the_run_ends_is_refused() {
    let stored = Stored::new(&content(3 * BLOCK));
    check_refused(&stored, "never uploaded", |invocation| {
        invocation.input(0)?;
        fs::remove_file(&stored.path)?;
        done()
    });
}

#[test]
fn chunks_that_no_memory_is_meant_for_are_refused() {
    let stored = Stored::in_chunks_of(&content(3 * BLOCK), 21);
    let refused = stored.try_stream().err().unwrap();
    assert!(matches!(refused, ReadError::ChunkLen { found: 0x20_0000, most: 0x10_0000 }), "{refused}");
}

#[test]
fn settling_ends_when_the_run_must() {
    let (stored, (spool, _dir)) = (Stored::new(&content(3 * BLOCK)), spool());
    let files = RunFiles::new(vec![stored.stream()], spool);
    let stopped = files.settle(&|| Err(Stopped::Cancelled("the node stops".to_owned())));
    assert!(matches!(stopped, Err(Unsettled::Input { source: ReadError::Stopped(_), .. })));
}

#[test]
fn the_functions_own_failure_counts_when_its_inputs_are_good() {
    let stored = Stored::new(&content(3 * BLOCK));
    let (settled, _dir) = stored.run(|_| Err(Failure::function("not to my taste")));
    assert!(matches!(settled.unwrap().0, Err(Failure::Function(words)) if words == "not to my taste"));
}

#[test]
fn one_message_is_verified_first() {
    let (plaintext, (config, key)) = (content(1000), keys());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, crypto::file::seal(plaintext.clone(), key).unwrap()).unwrap();
    let open = |size: u64, limit: u64| {
        let declared = Declared { size, sha256: digest(&plaintext), format: Format::Single };
        Input::open(Source::Disk(path.clone()), &config, declared, &mut Room::new(limit))
    };
    assert!(matches!(open(1000, 1000), Ok(Input::Memory(_))));
    assert!(matches!(open(1000, 999), Err(ReadError::Open(OpenError::TooLarge { limit: 999 }))));
    assert!(matches!(open(999, 1000), Err(ReadError::Open(OpenError::WrongLength { size: 999 }))));
}
