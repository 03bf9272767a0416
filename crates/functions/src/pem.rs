//! Keys in PEM (RFC 7468) or DER.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The DER in a file that is either; what is neither is left for whoever reads keys to refuse.
pub(crate) fn der(file: &[u8]) -> Cow<'_, [u8]> {
    from_pem(file).map_or(Cow::Borrowed(file), Cow::Owned)
}

/// The first block between `-----BEGIN …-----` and `-----END …-----`.
fn from_pem(file: &[u8]) -> Option<Vec<u8>> {
    let text = str::from_utf8(file).ok()?;
    let (_, begun) = text.split_once("-----BEGIN ")?;
    let (_, body) = begun.split_once("-----")?;
    let (body, _) = body.split_once("-----END ")?;
    STANDARD.decode(body.split_ascii_whitespace().collect::<String>()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pem_is_decoded_and_all_else_is_left_alone() {
        for (file, expected) in [
            (
                &b"text before\n-----BEGIN PRIVATE KEY-----\r\nAQID\r\nBA==\r\n-----END PRIVATE KEY-----\r\n"[..],
                &[1, 2, 3, 4][..],
            ),
            (b"-----BEGIN X-----\nAQID\n", b"-----BEGIN X-----\nAQID\n"),
            (b"-----BEGIN X-----\n!\n-----END X-----", b"-----BEGIN X-----\n!\n-----END X-----"),
            (&[0x30, 0xff], &[0x30, 0xff]),
            (b"", b""),
        ] {
            assert_eq!(&*der(file), expected);
        }
    }
}
