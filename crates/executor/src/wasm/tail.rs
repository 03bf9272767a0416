//! The last lines of a guest's standard error.

/// Bytes that are kept: what fits on a screen.
const BYTES: usize = 4096;
/// Lines that a failure shows.
const LINES: usize = 12;

/// Keeps the end of what is written to it.
#[derive(Default)]
pub(super) struct Tail {
    bytes: Vec<u8>,
    cut: bool,
}

impl Tail {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let kept = &bytes[bytes.len().saturating_sub(BYTES)..];
        let over = (self.bytes.len() + kept.len()).saturating_sub(BYTES);
        self.cut |= over > 0 || kept.len() < bytes.len();
        self.bytes.drain(..over);
        self.bytes.extend_from_slice(kept);
    }

    /// The last lines that are there whole, as printable text; what is not UTF-8 becomes U+FFFD.
    pub(super) fn lines(&self) -> String {
        let text = String::from_utf8_lossy(&self.bytes);
        let mut lines: Vec<&str> = text.trim_end().lines().collect();
        if self.cut && lines.len() > 1 {
            lines.remove(0);
        }
        lines[lines.len().saturating_sub(LINES)..].join("\n").chars().map(printable).collect()
    }
}

/// Terminals carry out some control characters.
fn printable(c: char) -> char {
    if c.is_control() && c != '\n' { ' ' } else { c }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(writes: &[&str]) -> String {
        let mut tail = Tail::default();
        writes.iter().for_each(|write| tail.push(write.as_bytes()));
        tail.lines()
    }

    #[test]
    fn the_last_lines_are_kept() {
        assert_eq!(lines(&[]), "");
        assert_eq!(lines(&["one\ntw", "o\n\n"]), "one\ntwo");
        assert_eq!(lines(&["a\x1b[2Jb\tc"]), "a [2Jb c");
        let many: Vec<String> = (0..10_000).map(|n| format!("line {n}\n")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let kept = lines(&many);
        assert!(kept.starts_with("line 9988\n") && kept.ends_with("line 9999"), "{kept}");
        assert_eq!(lines(&[&many.concat()]), kept);
    }

    #[test]
    fn memory_is_bounded() {
        let mut tail = Tail::default();
        for _ in 0..100 {
            tail.push(&[b'x'; 5000]);
            tail.push(b"yy");
        }
        assert_eq!(tail.bytes.len(), BYTES);
        assert!(tail.lines().ends_with("xyy"));
    }
}
