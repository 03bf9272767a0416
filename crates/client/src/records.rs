//! Lines of text as the 32-byte records that `psi` compares, and back from its answer to lines.
//!
//! A line is what lies between two newlines, byte for byte: nothing is trimmed, an empty line is a line, and so is a
//! last one without a newline. Both parties must write the same thing the same way for it to be found.

use crypto::hash::{DIGEST_LEN, Sha256};

/// Length of a record, in bytes.
pub const RECORD_LEN: usize = DIGEST_LEN;

/// A text's lines, without their newlines.
pub fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let whole = text.strip_suffix(b"\n").unwrap_or(text);
    // Splitting nothing gives one piece; a text without bytes has no line.
    whole.split(|&byte| byte == b'\n').filter(move |_| !text.is_empty())
}

/// The SHA-256 of each line, one after the other.
pub fn from_lines(text: &[u8]) -> Vec<u8> {
    let mut records = Vec::with_capacity(lines(text).count() * RECORD_LEN);
    lines(text).for_each(|line| records.extend_from_slice(&Sha256::digest(line)));
    records
}

/// The lines whose byte in the answer is 1: those that the other party has too.
///
/// # Errors
/// When the answer is none to these lines.
pub fn select<'a>(text: &'a [u8], answer: &[u8]) -> Result<Vec<&'a [u8]>, SelectError> {
    let count = lines(text).count();
    if count != answer.len() {
        return Err(SelectError::Count { lines: count, answers: answer.len() });
    }
    let mut selected = Vec::new();
    for (number, (line, byte)) in lines(text).zip(answer).enumerate() {
        match byte {
            0 => {}
            1 => selected.push(line),
            _ => return Err(SelectError::NoAnswer { number: number + 1 }),
        }
    }
    Ok(selected)
}

/// An answer that is none to the lines.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// There is not one byte for each line.
    #[error("the text has {lines} lines, the answer is to {answers}: it belongs to another text")]
    Count {
        /// How many lines there are.
        lines: usize,
        /// How many bytes there are.
        answers: usize,
    },
    /// A byte is neither 0 nor 1.
    #[error("byte {number} of the answer is neither 0 nor 1: it is no answer of psi")]
    NoAnswer {
        /// Which, counted from 1.
        number: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_lines(text: &str, expected: &[&str]) {
        let found: Vec<_> = lines(text.as_bytes()).collect();
        let expected: Vec<_> = expected.iter().map(|line| line.as_bytes()).collect();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn lines_are_what_lies_between_newlines() {
        check_lines("", &[]);
        check_lines("\n", &[""]);
        check_lines("\n\n", &["", ""]);
        check_lines("a", &["a"]);
        check_lines("a\n", &["a"]);
        check_lines("a\n\nb", &["a", "", "b"]);
        check_lines(" a\t\r\nb \n", &[" a\t\r", "b "]);
        check_lines("\na", &["", "a"]);
    }

    #[test]
    fn each_line_becomes_its_digest() {
        assert_eq!(from_lines(b""), b"");
        let expected = [Sha256::digest(b"a"), Sha256::digest(b""), Sha256::digest(b"\xff\0\r")].concat();
        assert_eq!(from_lines(b"a\n\n\xff\0\r"), expected);
        assert_eq!(from_lines(b"a\n\n\xff\0\r\n"), expected);
    }

    #[test]
    fn ones_select() {
        let check = |text: &str, answer: &[u8], expected: Result<Vec<&str>, SelectError>| {
            let expected = expected.map(|lines| lines.into_iter().map(str::as_bytes).collect());
            assert_eq!(select(text.as_bytes(), answer), expected, "{text:?} {answer:?}");
        };
        check("", &[], Ok(vec![]));
        check("a\nb\nc\n", &[0, 1, 1], Ok(vec!["b", "c"]));
        check("a\n\na", &[1, 1, 0], Ok(vec!["a", ""]));
        check("a\nb", &[1], Err(SelectError::Count { lines: 2, answers: 1 }));
        check("a", &[1, 0], Err(SelectError::Count { lines: 1, answers: 2 }));
        check("a\nb", &[1, b'1'], Err(SelectError::NoAnswer { number: 2 }));
    }
}
