//! The framed protocol: an 8-byte big-endian length, then that many bytes of JSON; answers have the same shape.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Bytes of the length field.
pub(crate) const HEADER_BYTES: usize = 8;

/// How much is read at once, and so how far a length field is believed before its bytes arrive.
const READ_BYTES: usize = 64 << 10;

/// What the buffered bytes amount to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// A whole frame's body, taken out of the buffer.
    Frame(Bytes),
    /// More bytes are needed.
    Partial,
    /// The length is over the limit; the body is not in the buffer.
    TooLarge {
        /// What the length field claims, in bytes.
        claimed: u64,
    },
}

/// Takes one frame off the front of a buffer.
pub(crate) fn parse(buffer: &mut BytesMut, limit: usize) -> Parsed {
    let Some(header) = buffer.first_chunk::<HEADER_BYTES>() else { return Parsed::Partial };
    let claimed = u64::from_be_bytes(*header);
    let Some(length) = usize::try_from(claimed).ok().filter(|length| *length <= limit) else {
        return Parsed::TooLarge { claimed };
    };
    if buffer.len() - HEADER_BYTES < length {
        return Parsed::Partial;
    }
    let _header = buffer.split_to(HEADER_BYTES);
    Parsed::Frame(buffer.split_to(length).freeze())
}

/// How many bytes the frame at the front of a buffer has with its length field; 0 before that is there.
pub(crate) fn length(buffer: &[u8]) -> u64 {
    let Some(header) = buffer.first_chunk::<HEADER_BYTES>() else { return 0 };
    u64::from_be_bytes(*header).saturating_add(HEADER_BYTES as u64)
}

/// Reads what is there, up to a bounded amount. `0` is the end of the stream.
pub(crate) async fn fill(io: &mut (impl AsyncRead + Unpin), buffer: &mut BytesMut) -> io::Result<usize> {
    buffer.reserve(READ_BYTES.min(buffer.len().max(4 << 10)));
    io.read_buf(buffer).await
}

/// Reads one frame.
///
/// # Errors
/// When the stream ends or breaks, or the frame is over the limit.
pub(crate) async fn read(io: &mut (impl AsyncRead + Unpin), buffer: &mut BytesMut, limit: usize) -> io::Result<Bytes> {
    loop {
        match parse(buffer, limit) {
            Parsed::Frame(body) => return Ok(body),
            Parsed::TooLarge { claimed } => {
                return Err(io::Error::other(format!("a frame of {claimed} bytes is over the limit of {limit}")));
            }
            Parsed::Partial => {}
        }
        if fill(io, buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Writes one frame.
pub(crate) async fn write(io: &mut (impl AsyncWrite + Unpin), body: &[u8]) -> io::Result<()> {
    /// Bodies up to this size are copied next to their header, so that they leave in one TLS record.
    const COPY_BYTES: usize = 16 << 10;
    let header = (body.len() as u64).to_be_bytes();
    if body.len() <= COPY_BYTES {
        io.write_all(&[&header[..], body].concat()).await?;
    } else {
        io.write_all(&header).await?;
        io.write_all(body).await?;
    }
    io.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 16;

    fn check(bytes: &[u8], expected: Parsed) {
        assert_eq!(parse(&mut BytesMut::from(bytes), LIMIT), expected, "{bytes:?}");
    }

    #[test]
    fn frames_are_cut_where_they_end() {
        check(b"", Parsed::Partial);
        check(b"\0\0\0\0\0\0\0", Parsed::Partial);
        check(b"\0\0\0\0\0\0\0\x02{", Parsed::Partial);
        check(b"\0\0\0\0\0\0\0\x02{}", Parsed::Frame(Bytes::from_static(b"{}")));
        check(b"\0\0\0\0\0\0\0\x00", Parsed::Frame(Bytes::new()));
        check(b"\0\0\0\0\0\0\0\x10", Parsed::Partial);
        check(b"\0\0\0\0\0\0\0\x11", Parsed::TooLarge { claimed: 17 });
        check(b"\x80\0\0\0\0\0\0\0", Parsed::TooLarge { claimed: 1 << 63 });
        check(&[0xff; 8], Parsed::TooLarge { claimed: u64::MAX });
    }

    #[tokio::test]
    async fn what_is_written_reads_back_however_it_is_cut() {
        for size in [0, 1, LIMIT] {
            let (mut near, mut far) = tokio::io::duplex(3);
            let body = vec![7; size];
            let sent = body.clone();
            let writer = tokio::spawn(async move { write(&mut near, &sent).await });
            assert_eq!(read(&mut far, &mut BytesMut::new(), LIMIT).await.expect("whole"), body);
            writer.await.expect("no panic").expect("read to the end");
        }
    }
}
