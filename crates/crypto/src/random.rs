//! Bytes from the system's random source, the only randomness in the platform.

/// Fills `out` with random bytes.
///
/// # Panics
/// When the system has no random source; nothing safe can be done without one.
pub fn fill(out: &mut [u8]) {
    aws_lc_rs::rand::fill(out).expect("the system has a random source");
}

/// `N` random bytes: ids and nonces. Keys have their own constructors.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    #[test]
    fn two_draws_differ() {
        assert_ne!(super::bytes::<32>(), super::bytes::<32>());
    }
}
