//! Auditors' public keys: Ed25519 and what OpenSSH can sign with.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use crypto::Refused;
use crypto::hash::Sha256;
use crypto::sign::verify_ed25519;
use crypto::verify::p256_fixed;

use crate::manifest::wire::{BadWire, Reader, strings};
use crate::pem;

const ED25519: &str = "ssh-ed25519";
const P256: &str = "ecdsa-sha2-nistp256";
const SK_ED25519: &str = "sk-ssh-ed25519@openssh.com";
const SK_P256: &str = "sk-ecdsa-sha2-nistp256@openssh.com";
/// The curve's name inside a P-256 key (RFC 5656, section 3.1).
const CURVE: &[u8] = b"nistp256";

/// The flag by which a security key says that somebody touched it (OpenSSH `PROTOCOL.u2f`).
const USER_PRESENT: u8 = 0x01;

/// An auditor's public key. Two keys are equal when the same secret signs for both, however they were written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AuditorKey {
    /// Ed25519 (RFC 8032): a key file of `teehouse manifest keygen`, or OpenSSH's `ssh-ed25519`.
    Ed25519([u8; 32]),
    /// ECDSA on P-256, its point uncompressed: OpenSSH's `ecdsa-sha2-nistp256`.
    P256([u8; 65]),
    /// Ed25519 in a hardware token: OpenSSH's `sk-ssh-ed25519@openssh.com`.
    SkEd25519 {
        /// The public key.
        key: [u8; 32],
        /// What the token was told that the key is for, usually `ssh:`.
        application: String,
    },
    /// ECDSA on P-256 in a hardware token: OpenSSH's `sk-ecdsa-sha2-nistp256@openssh.com`.
    SkP256 {
        /// The public key, an uncompressed point.
        point: [u8; 65],
        /// What the token was told that the key is for, usually `ssh:`.
        application: String,
    },
}

/// The text or bytes are no public key that can sign manifests.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAuditorKey {
    /// Neither PEM nor a line of an OpenSSH public key file.
    #[error("expected a public key: PEM with an Ed25519 key, or one line as in an OpenSSH .pub file")]
    Form,
    /// A key, but of a kind that can't sign manifests.
    #[error("keys of this kind can't sign manifests: use Ed25519 or ECDSA P-256")]
    Kind,
    /// An OpenSSH key whose bytes are not what its kind demands.
    #[error("the OpenSSH public key is malformed")]
    Wire(#[from] BadWire),
}

impl AuditorKey {
    /// Reads a public key file: PEM (`PUBLIC KEY`, Ed25519), or one line as OpenSSH writes it. Gives the line's comment,
    /// too, where there is one.
    ///
    /// # Errors
    /// [`BadAuditorKey`] for anything else; private keys and other kinds of keys included.
    pub fn from_file(text: &str) -> Result<(Self, Option<&str>), BadAuditorKey> {
        if text.trim_start().starts_with("-----BEGIN ") {
            let key = pem::decode_ed25519(text).map_err(|_| BadAuditorKey::Form)?;
            return key.map(|key| (AuditorKey::Ed25519(key), None)).ok_or(BadAuditorKey::Kind);
        }
        let line = text.trim();
        let mut words = line.splitn(3, ' ');
        let (kind, bytes) = words.next().zip(words.next()).ok_or(BadAuditorKey::Form)?;
        let comment = words.next().map(str::trim).filter(|comment| !comment.is_empty());
        if line.contains(['\n', '\r']) {
            return Err(BadAuditorKey::Form);
        }
        let bytes = STANDARD.decode(bytes).map_err(|_| BadAuditorKey::Form)?;
        let key = AuditorKey::from_wire(&bytes)?;
        if key.kind() == kind { Ok((key, comment)) } else { Err(BadAuditorKey::Form) }
    }

    /// What OpenSSH calls keys of this kind.
    pub const fn kind(&self) -> &'static str {
        match self {
            AuditorKey::Ed25519(_) => ED25519,
            AuditorKey::P256(_) => P256,
            AuditorKey::SkEd25519 { .. } => SK_ED25519,
            AuditorKey::SkP256 { .. } => SK_P256,
        }
    }

    /// `SHA256:` and the digest of the key in base64, as `ssh-keygen -l` prints it.
    pub fn fingerprint(&self) -> String {
        format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(&self.to_wire())))
    }

    pub(super) fn to_wire(&self) -> Vec<u8> {
        let kind = self.kind().as_bytes();
        match self {
            AuditorKey::Ed25519(key) => strings(&[kind, key]),
            AuditorKey::P256(point) => strings(&[kind, CURVE, point]),
            AuditorKey::SkEd25519 { key, application } => strings(&[kind, key, application.as_bytes()]),
            AuditorKey::SkP256 { point, application } => strings(&[kind, CURVE, point, application.as_bytes()]),
        }
    }

    pub(super) fn from_wire(bytes: &[u8]) -> Result<Self, BadAuditorKey> {
        let mut reader = Reader::new(bytes);
        let kind = reader.string()?;
        let key = match str::from_utf8(kind) {
            Ok(ED25519) => AuditorKey::Ed25519(reader.string_array()?),
            Ok(P256) => AuditorKey::P256(point(&mut reader)?),
            Ok(SK_ED25519) => {
                AuditorKey::SkEd25519 { key: reader.string_array()?, application: application(&mut reader)? }
            }
            Ok(SK_P256) => AuditorKey::SkP256 { point: point(&mut reader)?, application: application(&mut reader)? },
            _ => return Err(BadAuditorKey::Kind),
        };
        reader.end()?;
        Ok(key)
    }

    /// Checks a bare Ed25519 signature; keys of other kinds make none.
    pub(super) fn verify_bare(&self, message: &[u8], signature: &[u8; 64]) -> Result<(), Refused> {
        match self {
            AuditorKey::Ed25519(key) => verify_ed25519(key, message, signature),
            _ => Err(Refused),
        }
    }

    /// Checks an SSH signature (RFC 8709, RFC 5656, OpenSSH `PROTOCOL.u2f`) over `message`.
    pub(super) fn verify_ssh(&self, message: &[u8], signature: &[u8]) -> Result<(), Refused> {
        self.try_verify_ssh(message, signature).unwrap_or(Err(Refused))
    }

    fn try_verify_ssh(&self, message: &[u8], signature: &[u8]) -> Result<Result<(), Refused>, BadWire> {
        let mut reader = Reader::new(signature);
        if reader.string()? != self.kind().as_bytes() {
            return Err(BadWire);
        }
        let bytes = reader.string()?;
        let signed = match self {
            AuditorKey::Ed25519(_) | AuditorKey::P256(_) => message.to_vec(),
            AuditorKey::SkEd25519 { application, .. } | AuditorKey::SkP256 { application, .. } => {
                signed_by_token(application, reader.array()?, reader.array()?, message)?
            }
        };
        reader.end()?;
        Ok(match self {
            AuditorKey::Ed25519(key) | AuditorKey::SkEd25519 { key, .. } => verify_ed25519(key, &signed, bytes),
            AuditorKey::P256(point) | AuditorKey::SkP256 { point, .. } => p256_fixed(point, &signed, &halves(bytes)?),
        })
    }
}

/// What a security key signs in place of a message; it must have been touched.
fn signed_by_token(application: &str, flags: [u8; 1], count: [u8; 4], message: &[u8]) -> Result<Vec<u8>, BadWire> {
    if flags[0] & USER_PRESENT == 0 {
        return Err(BadWire);
    }
    Ok([&Sha256::digest(application.as_bytes())[..], &flags, &count, &Sha256::digest(message)].concat())
}

fn halves(signature: &[u8]) -> Result<[u8; 64], BadWire> {
    let mut reader = Reader::new(signature);
    let (r, s) = (reader.scalar()?, reader.scalar()?);
    reader.end()?;
    let mut halves = [0; 64];
    halves[..32].copy_from_slice(&r);
    halves[32..].copy_from_slice(&s);
    Ok(halves)
}

fn point(reader: &mut Reader<'_>) -> Result<[u8; 65], BadWire> {
    if reader.string()? != CURVE {
        return Err(BadWire);
    }
    reader.string_array().and_then(|point: [u8; 65]| if point[0] == 4 { Ok(point) } else { Err(BadWire) })
}

fn application(reader: &mut Reader<'_>) -> Result<String, BadWire> {
    String::from_utf8(reader.string()?.to_vec()).map_err(|_| BadWire)
}

/// As in an OpenSSH `.pub` file, without a comment.
impl fmt::Display for AuditorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), STANDARD.encode(self.to_wire()))
    }
}

/// Reads exactly what [`fmt::Display`] writes.
impl FromStr for AuditorKey {
    type Err = BadAuditorKey;

    fn from_str(text: &str) -> Result<Self, BadAuditorKey> {
        let (key, _) = AuditorKey::from_file(text)?;
        if key.to_string() == text { Ok(key) } else { Err(BadAuditorKey::Form) }
    }
}

#[cfg(test)]
mod tests {
    use crypto::sign::{Ed25519KeyPair, P256KeyPair};

    use super::*;

    /// Made once with `ssh-keygen -t ed25519 -N '' -C comment`; the fingerprint in the test is that of `ssh-keygen -l`.
    const SSH_ED25519: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINH0a99NPafH2z+smmKK5tmdhI63t7Bk6mqLnk+BgiSA comment\n";

    #[test]
    fn openssh_lines_read_back() {
        let (key, comment) = AuditorKey::from_file(SSH_ED25519).unwrap();
        assert_eq!((key.to_string() + " comment\n", comment), (SSH_ED25519.to_owned(), Some("comment")));
        assert_eq!(key.to_string().parse(), Ok(key.clone()));
        assert_eq!(key.fingerprint(), "SHA256:83IV3qd9MK2TjAlmeaD7jgpaAn19SAupvtrhjH5DaHw");
        for text in [SSH_ED25519, SSH_ED25519.trim(), &format!(" {key}"), &format!("{key}\n")] {
            assert_eq!(AuditorKey::from_file(text).map(|(key, _)| key), Ok(key.clone()), "{text}");
        }
        for text in [SSH_ED25519, &format!(" {key}"), &format!("{key}\n")] {
            assert_eq!(text.parse::<AuditorKey>(), Err(BadAuditorKey::Form), "{text}");
        }
    }

    #[test]
    fn every_kind_has_one_text() {
        let application = "ssh:".to_owned();
        let mut point = [7; 65];
        point[0] = 4;
        let keys = [
            AuditorKey::Ed25519([1; 32]),
            AuditorKey::P256(point),
            AuditorKey::SkEd25519 { key: [1; 32], application: application.clone() },
            AuditorKey::SkP256 { point, application },
        ];
        for key in keys {
            assert_eq!(key.to_string().parse(), Ok(key.clone()));
            let wire = key.to_wire();
            for end in 0..wire.len() {
                assert!(AuditorKey::from_wire(&wire[..end]).is_err());
            }
            assert_eq!(AuditorKey::from_wire(&[&wire[..], &[0]].concat()), Err(BadAuditorKey::Wire(BadWire)));
        }
    }

    #[test]
    fn other_keys_are_refused() {
        let pem = pem::encode_ed25519(&[3; 32]);
        assert_eq!(AuditorKey::from_file(&pem), Ok((AuditorKey::Ed25519([3; 32]), None)));
        let rsa = format!("ssh-rsa {}", STANDARD.encode(strings(&[b"ssh-rsa", &[1, 0, 1], &[0xc0; 256]])));
        assert_eq!(AuditorKey::from_file(&rsa), Err(BadAuditorKey::Kind));
        let p256 = pem::encode(pem::PUBLIC_KEY, crate::leaf::LeafKey::generate().public().spki()).to_string();
        assert_eq!(AuditorKey::from_file(&p256), Err(BadAuditorKey::Kind));
        let mislabelled = SSH_ED25519.replace("ssh-ed25519", "ssh-rsa");
        let two = SSH_ED25519.repeat(2);
        for bad in ["", "ssh-ed25519", "ssh-ed25519 x", &mislabelled, &two, "-----BEGIN PRIVATE KEY-----"] {
            assert_eq!(AuditorKey::from_file(bad), Err(BadAuditorKey::Form), "{bad}");
        }
    }

    fn mpints(asn1: &[u8]) -> Vec<u8> {
        let (r, rest) = asn1[4..].split_at(usize::from(asn1[3]));
        strings(&[r, &rest[2..]])
    }

    /// A token's signature over `message`, as `PROTOCOL.u2f` describes it.
    fn touched(sign: impl Fn(&[u8]) -> Vec<u8>, kind: &str, flags: u8, message: &[u8]) -> Vec<u8> {
        let tail = [flags, 0, 0, 0, 9];
        let signed = [&Sha256::digest(b"ssh:")[..], &tail, &Sha256::digest(message)].concat();
        [strings(&[kind.as_bytes(), &sign(&signed)]), tail.to_vec()].concat()
    }

    fn check_every_byte_counts(key: &AuditorKey, signature: &[u8]) {
        assert_eq!(key.verify_ssh(b"message", signature), Ok(()), "{key}");
        assert_eq!(key.verify_ssh(b"massage", signature), Err(Refused), "{key}");
        assert_eq!(key.verify_ssh(b"message", &[signature, &[0]].concat()), Err(Refused), "{key}");
        for at in 0..signature.len() {
            let mut changed = signature.to_vec();
            changed[at] ^= 1;
            assert_eq!(key.verify_ssh(b"message", &changed), Err(Refused), "{key}, byte {at}");
            assert_eq!(key.verify_ssh(b"message", &signature[..at]), Err(Refused), "{key}, cut at {at}");
        }
    }

    #[test]
    fn signatures_of_every_kind_verify() {
        let ed25519 = Ed25519KeyPair::generate();
        let p256 = P256KeyPair::generate();
        let application = "ssh:".to_owned();
        let point = p256.public_key().try_into().unwrap();
        let cases = [
            (AuditorKey::Ed25519(ed25519.public_key()), strings(&[ED25519.as_bytes(), &ed25519.sign(b"message")])),
            (AuditorKey::P256(point), strings(&[P256.as_bytes(), &mpints(&p256.sign(b"message"))])),
            (
                AuditorKey::SkEd25519 { key: ed25519.public_key(), application: application.clone() },
                touched(|signed| ed25519.sign(signed).to_vec(), SK_ED25519, 1, b"message"),
            ),
            (
                AuditorKey::SkP256 { point, application },
                touched(|signed| mpints(&p256.sign(signed)), SK_P256, 5, b"message"),
            ),
        ];
        for (key, signature) in &cases {
            check_every_byte_counts(key, signature);
        }
        let untouched = touched(|signed| ed25519.sign(signed).to_vec(), SK_ED25519, 0, b"message");
        assert_eq!(cases[2].0.verify_ssh(b"message", &untouched), Err(Refused));
    }
}
