//! Signed notes (C2SP signed-note, <https://c2sp.org/signed-note>): a text with signatures under it.
//!
//! ```text
//! <text, each line with its newline>
//!
//! — <key name> base64(key id ‖ signature)         one or more lines
//!
//! key id = the first 4 bytes of SHA-256(key name ‖ 0x0a ‖ 0x01 ‖ Ed25519 public key)
//! ```
//!
//! Signatures of other keys, such as witnesses', are passed over.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::hash::Sha256;
use crypto::sign::{Ed25519KeyPair, verify_ed25519};

/// The longest note that is read, in bytes: a short text and 16 signatures of 5 kB each.
pub const MAX_BYTES: usize = 100_000;

/// The most signatures that a note may have; the specification asks for no fewer.
pub const MAX_SIGNATURES: usize = 16;

/// What begins a signature's line.
const MARK: &str = "— ";

/// The type of Ed25519 signatures in key ids.
const ED25519: u8 = 0x01;

const KEY_ID_LEN: usize = 4;

/// A note that is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadNote {
    /// More than [`MAX_BYTES`] or [`MAX_SIGNATURES`].
    #[error("the note is longer than {MAX_BYTES} bytes, or has more than {MAX_SIGNATURES} signatures")]
    TooLong,
    /// Not a text with signatures under it.
    #[error("the note is malformed")]
    Malformed,
    /// The key's signature is not there.
    #[error("the note is not signed by the key that should have signed it")]
    NotSigned,
}

/// An Ed25519 key's id under a name.
fn key_id(name: &str, key: &[u8]) -> [u8; KEY_ID_LEN] {
    let mut hasher = Sha256::new();
    hasher.update(name.as_bytes());
    hasher.update(&[b'\n', ED25519]);
    hasher.update(key);
    let [a, b, c, d, ..] = hasher.finish();
    [a, b, c, d]
}

/// A note with one Ed25519 signature over its text, which ends in a newline.
pub fn write(text: &str, name: &str, key: &[u8], signature: &[u8; Ed25519KeyPair::SIGNATURE_LEN]) -> String {
    let signed = [&key_id(name, key)[..], signature].concat();
    format!("{text}\n{MARK}{name} {}\n", STANDARD.encode(signed))
}

/// The text of a note that a key signed under a name.
///
/// # Errors
/// [`BadNote`] when the note is malformed, when the key did not sign it, and when one of the signatures in the key's
/// name is not the key's.
pub fn open<'a>(note: &'a str, name: &str, key: &[u8]) -> Result<&'a str, BadNote> {
    let (text, signatures) = split(note)?;
    let id = key_id(name, key);
    let mut found = false;
    for (by, signed) in signatures {
        let (signed_id, signature) = signed.split_at(KEY_ID_LEN);
        if by == name && signed_id == id {
            verify_ed25519(key, text.as_bytes(), signature).map_err(|_| BadNote::NotSigned)?;
            found = true;
        }
    }
    if found { Ok(text) } else { Err(BadNote::NotSigned) }
}

/// A key's name, and its id with the signature after it.
type Signature<'a> = (&'a str, Vec<u8>);

/// A note's text and its signatures.
fn split(note: &str) -> Result<(&str, Vec<Signature<'_>>), BadNote> {
    if note.len() > MAX_BYTES {
        return Err(BadNote::TooLong);
    }
    if note.chars().any(|c| c < ' ' && c != '\n') {
        return Err(BadNote::Malformed);
    }
    let at = note.rfind("\n\n").ok_or(BadNote::Malformed)?;
    let (text, lines) = (&note[..=at], &note[at + 2..]);
    let lines = lines.strip_suffix('\n').ok_or(BadNote::Malformed)?;
    let signatures = lines.split('\n').take(MAX_SIGNATURES + 1).map(signature).collect::<Result<Vec<_>, _>>()?;
    if signatures.len() > MAX_SIGNATURES { Err(BadNote::TooLong) } else { Ok((text, signatures)) }
}

fn signature(line: &str) -> Result<Signature<'_>, BadNote> {
    let (name, encoded) = line.strip_prefix(MARK).and_then(|rest| rest.split_once(' ')).ok_or(BadNote::Malformed)?;
    let signed = STANDARD.decode(encoded).map_err(|_| BadNote::Malformed)?;
    let named = !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c == '+');
    if named && signed.len() > KEY_ID_LEN { Ok((name, signed)) } else { Err(BadNote::Malformed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
    const NAME: &str = "PeterNeumann";

    /// The signer's and verifier's keys and the note of the example in Go's `golang.org/x/mod/sumdb/note`.
    fn example() -> (Ed25519KeyPair, String) {
        let encoded = STANDARD.decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz").expect("base64");
        let pair = Ed25519KeyPair::from_seed(encoded[1..].try_into().expect("32 bytes"));
        let line = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=";
        (pair, format!("{TEXT}\n{line}\n"))
    }

    #[test]
    fn the_example_of_gos_library() {
        let (pair, note) = example();
        let public = STANDARD.decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW").expect("base64");
        assert_eq!(pair.public_key(), public[1..]);
        assert_eq!(crypto::hash::hex(&key_id(NAME, &pair.public_key())), "c74f20a3");
        assert_eq!(write(TEXT, NAME, &pair.public_key(), &pair.sign(TEXT.as_bytes())), note);
        assert_eq!(open(&note, NAME, &pair.public_key()), Ok(TEXT));
    }

    #[test]
    fn other_keys_are_passed_over_but_not_believed() {
        let (pair, note) = example();
        let (key, other) = (pair.public_key(), Ed25519KeyPair::generate());
        let line = |name, pair: &Ed25519KeyPair| {
            let signed = write(TEXT, name, &pair.public_key(), &pair.sign(TEXT.as_bytes()));
            signed[TEXT.len() + 1..].to_owned()
        };
        let witnessed = format!("{note}{}{}", line("witness.example/1", &other), line(NAME, &other));
        assert_eq!(open(&witnessed, NAME, &key), Ok(TEXT));
        assert_eq!(open(&note, NAME, &other.public_key()), Err(BadNote::NotSigned));
        assert_eq!(open(&note, "Peter", &key), Err(BadNote::NotSigned));
        let mut wrong = other.sign(TEXT.as_bytes());
        wrong[0] ^= 1;
        let lying = write(TEXT, NAME, &key, &wrong)[TEXT.len() + 1..].to_owned();
        assert_eq!(open(&format!("{note}{lying}"), NAME, &key), Err(BadNote::NotSigned));
        let sixteen = format!("{note}{}", line("w", &other).repeat(MAX_SIGNATURES - 1));
        assert_eq!(open(&sixteen, NAME, &key), Ok(TEXT));
        assert_eq!(open(&format!("{sixteen}{}", line("w", &other)), NAME, &key), Err(BadNote::TooLong));
    }

    #[test]
    fn malformed_notes_are_refused() {
        let (pair, note) = example();
        let key = pair.public_key();
        let long = format!("{}{note}", "x".repeat(MAX_BYTES));
        for bad in [
            "",
            "\n",
            "\n\n",
            TEXT,
            &note[..note.len() - 1],
            &format!("{note}\n"),
            &note.replace('—', "-"),
            &note.replace("— P", "—P"),
            &note.replace("PeterNeumann", "Peter+Neumann"),
            &note.replace("PeterNeumann", ""),
            &note.replace("x08g", "x0 8g"),
            &note.replace("AM=\n", "AM\n"),
            &note.replace('\n', "\r\n"),
            &long,
        ] {
            assert!(open(bad, NAME, &key).is_err(), "{bad:?}");
        }
        for at in 0..note.len() {
            let mut changed = note.clone().into_bytes();
            changed[at] ^= 1;
            if let Ok(changed) = String::from_utf8(changed) {
                assert!(open(&changed, NAME, &key).is_err(), "byte {at}");
            }
        }
    }
}
