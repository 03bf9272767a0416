//! Frames from arbitrary bytes that arrive in arbitrary pieces: none over the limit, and the pieces change nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, u16, &[u8])| {
    let (piece, limit, bytes) = input;
    rpc::fuzz::frames(bytes, piece.into(), limit.into());
});
