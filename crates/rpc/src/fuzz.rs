//! Entry points for fuzz targets: whatever an attacker can send, without the sockets.

use bytes::BytesMut;

use crate::frame::{Parsed, parse};

/// Reads frames from arbitrary bytes that arrive in arbitrary pieces; returns how many there were.
///
/// # Panics
/// When a frame over the limit is accepted, or the pieces change what is read: both would be bugs.
pub fn frames(bytes: &[u8], piece: usize, limit: usize) -> usize {
    let whole = read_all(&mut BytesMut::from(bytes), limit);
    let (mut buffer, mut pieces) = (BytesMut::new(), Vec::new());
    for piece in bytes.chunks(piece.max(1)) {
        buffer.extend_from_slice(piece);
        pieces.extend(read_all(&mut buffer, limit));
    }
    assert!(whole.iter().all(|frame| frame.len() <= limit), "a frame over the limit was accepted");
    assert_eq!(whole, pieces, "what is read depends on how it arrives");
    whole.len()
}

fn read_all(buffer: &mut BytesMut, limit: usize) -> Vec<bytes::Bytes> {
    let mut frames = Vec::new();
    while let Parsed::Frame(body) = parse(buffer, limit) {
        frames.push(body);
    }
    frames
}
