//! Lower-case hexadecimal, written without the machinery of formatting: every digest of every record goes through here.

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Writes two digits a byte into `text`, which is twice as long, and returns it.
pub(crate) fn write<'a>(bytes: &[u8], text: &'a mut [u8]) -> &'a str {
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 0xf)];
    }
    std::str::from_utf8(text).expect("digits are ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_its_two_digits() {
        for byte in 0..=u8::MAX {
            assert_eq!(write(&[byte, !byte], &mut [0; 4]), format!("{byte:02x}{:02x}", !byte));
        }
    }
}
