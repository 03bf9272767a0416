//! Signatures of `ssh-keygen`: made now where it is installed, and made once.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use attest::manifest::auditors::{Auditor, Auditors};
use attest::manifest::envelope::{Envelope, Signature};
use attest::manifest::key::AuditorKey;
use attest::manifest::sshsig::{BadSshSignature, NAMESPACE, SshSignature};
use attest::manifest::{Manifest, ManifestRefusal, verify};

use crate::house::{House, NOW};

/// A key that `ssh-keygen` makes, or nothing where there is no such program.
fn make_key(dir: &Path, kind: &str) -> Option<AuditorKey> {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", kind, "-N", "", "-C", kind, "-f"])
        .arg(dir.join(kind))
        .stdin(Stdio::null())
        .status()
        .ok()?;
    assert!(made.success(), "{kind}");
    let text = std::fs::read_to_string(dir.join(kind).with_extension("pub")).unwrap();
    let (key, comment) = AuditorKey::from_file(&text).unwrap();
    assert_eq!(comment, Some(kind));
    Some(key)
}

fn ssh_sign(key: &Path, namespace: &str, hash: &str, message: &[u8]) -> String {
    let mut child = Command::new("ssh-keygen")
        .args(["-q", "-Y", "sign", "-O", &format!("hashalg={hash}"), "-n", namespace, "-f"])
        .arg(key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(message).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn signatures_made_now_verify() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::new();
    for kind in ["ed25519", "ecdsa"] {
        let Some(key) = make_key(dir.path(), kind) else { return };
        let auditor = Auditor { name: kind.to_owned(), key: key.clone() };
        let trusted = Auditors::new(2, vec![auditor, house.ada.auditor()]).unwrap();
        let manifest = Manifest { auditors: trusted.clone(), ..house.manifest() };
        let unsigned = Envelope::unsigned(manifest.to_bytes());
        for hash in ["sha256", "sha512"] {
            let armour = ssh_sign(&dir.path().join(kind), NAMESPACE, hash, &unsigned.pae());
            let signature = SshSignature::from_armour(&armour).unwrap();
            assert_eq!(*signature.key(), key);
            let mut envelope = unsigned.clone();
            envelope.add(Signature::ssh(signature));
            assert_eq!(envelope.signers(&trusted).len(), 1);
            envelope.add(house.ada.secret.sign(&envelope));
            assert!(verify(&envelope.to_bytes(), &trusted, None, NOW).is_ok(), "{kind} {hash}");
            check_no_other_payload(&envelope, &trusted, &manifest);
        }
        let other = ssh_sign(&dir.path().join(kind), "git", "sha512", &unsigned.pae());
        assert_eq!(SshSignature::from_armour(&other), Err(BadSshSignature::Namespace));
    }
}

/// Whatever byte is changed, what is accepted is the same manifest.
fn check_no_other_payload(envelope: &Envelope, trusted: &Auditors, manifest: &Manifest) {
    let bytes = envelope.to_bytes();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        if let Ok(accepted) = verify(&changed, trusted, None, NOW) {
            assert_eq!(accepted.to_bytes(), manifest.to_bytes(), "byte {at}");
        }
    }
}

/// The envelope in `data/manifest` and its keys; its README says how they were made.
fn vector() -> (Vec<u8>, Auditors) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/manifest");
    let auditor = |name: &str| {
        let text = std::fs::read_to_string(dir.join(name).with_extension("pub")).unwrap();
        Auditor { name: name.to_owned(), key: AuditorKey::from_file(&text).unwrap().0 }
    };
    let auditors = ["ada", "ben", "cem"].map(auditor);
    (std::fs::read(dir.join("house.manifest.json")).unwrap(), Auditors::new(3, auditors.into()).unwrap())
}

#[test]
fn signatures_made_once_verify() {
    let (envelope, trusted) = vector();
    let issued = Manifest::from_bytes(Envelope::from_bytes(&envelope).unwrap().payload()).unwrap().issued;
    let manifest = verify(&envelope, &trusted, None, issued).unwrap();
    assert_eq!((manifest.deployment.as_str(), manifest.version), ("house", 1));
    assert_eq!(manifest.auditors.threshold(), 3);
}

#[test]
fn an_openssh_signature_over_something_else_does_not_count() {
    let (bytes, trusted) = vector();
    let envelope = Envelope::from_bytes(&bytes).unwrap();
    let mut moved = Envelope::unsigned(House::new().manifest().to_bytes());
    envelope.signatures().iter().for_each(|signature| moved.add(signature.clone()));
    let refusal = verify(&moved.to_bytes(), &trusted, None, NOW).map(drop);
    assert!(matches!(refusal, Err(ManifestRefusal::BadSignature(_))), "{refusal:?}");
}
