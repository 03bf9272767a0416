//! What names the exact code of a function in a task that parties consent to: SHA-256 over what decides its results.

use crate::hash::{DIGEST_LEN, Sha256};

/// A function that is part of the platform: its version within this version of the platform.
pub fn built_in(platform: &str, name: &str, version: u32) -> [u8; DIGEST_LEN] {
    of_parts(&[b"teehouse built-in", platform.as_bytes(), name.as_bytes(), &version.to_be_bytes()])
}

/// A user's function: the digest of its code alone, or of that and of the interpreter that runs it.
pub fn of_user(code: &[u8; DIGEST_LEN], runtime: Option<&[u8; DIGEST_LEN]>) -> [u8; DIGEST_LEN] {
    match runtime {
        None => *code,
        Some(runtime) => of_parts(&[b"teehouse interpreted", runtime, code]),
    }
}

/// Each part after its length, so that no two lists of parts are the same bytes.
fn of_parts(parts: &[&[u8]]) -> [u8; DIGEST_LEN] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(&(part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_decides_results_changes_the_digest() {
        let (code, other, runtime) = ([1; 32], [2; 32], [3; 32]);
        let all = [
            built_in("0.1.0", "psi", 1),
            built_in("0.1.0", "psi", 2),
            built_in("0.1.1", "psi", 1),
            built_in("0.1.", "0psi", 1),
            of_user(&code, None),
            of_user(&other, None),
            of_user(&code, Some(&runtime)),
            of_user(&code, Some(&other)),
            of_user(&runtime, Some(&code)),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(!all[..at].contains(one), "{at}");
        }
        assert_eq!(of_user(&code, None), code);
    }
}
