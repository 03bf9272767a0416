//! The envelope: a payload, its type and signatures over both (DSSE v1, `secure-systems-lab/dsse`).
//!
//! ```text
//! {"payload": BASE64, "payloadType": TYPE, "signatures": [{"keyid": HINT, "sig": BASE64}, …]}
//!
//! PAE = "DSSEv1 " LEN(TYPE) " " TYPE " " LEN(PAYLOAD) " " PAYLOAD         lengths in bytes, in decimal
//! ```
//!
//! A signature is over the PAE. One of 64 bytes is bare Ed25519 (RFC 8032); a longer one is the blob of an OpenSSH
//! signature ([`super::sshsig`]).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde::{Deserialize, Serialize};

use crate::manifest::Malformed;
use crate::manifest::auditors::{Auditor, Auditors};
use crate::manifest::key::AuditorKey;
use crate::manifest::refusal::plain;
use crate::manifest::sshsig::SshSignature;

/// The type of payloads that are manifests.
pub const PAYLOAD_TYPE: &str = "application/vnd.teehouse.manifest+json";

/// The longest envelope, in bytes: a thousand TDX measurements fit.
pub const MAX_BYTES: usize = 256 * 1024;

/// The most signatures: every auditor of an old and of a new set.
pub const MAX_SIGNATURES: usize = 2 * Auditors::MAX;

/// A payload with signatures, none of which is known to verify.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    payload: Vec<u8>,
    payload_type: String,
    signatures: Vec<Signature>,
}

/// One signature, and which key it claims to be by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    keyid: String,
    made: Made,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Made {
    Bare([u8; 64]),
    Ssh(Box<SshSignature>),
}

/// Whose a signature is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signer<'a> {
    /// It verifies by this auditor's key.
    Auditor(&'a Auditor),
    /// It claims to be this auditor's, and does not verify.
    NotBy(&'a Auditor),
    /// It is of none of these auditors.
    Unknown,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    payload: String,
    #[serde(rename = "payloadType")]
    payload_type: String,
    signatures: Vec<SignatureDocument>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignatureDocument {
    #[serde(default)]
    keyid: String,
    sig: String,
}

/// DSSE's pre-authentication encoding of a payload and its type.
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

impl Envelope {
    /// A payload of type [`PAYLOAD_TYPE`] that nobody has signed.
    pub fn unsigned(payload: Vec<u8>) -> Self {
        Envelope { payload, payload_type: PAYLOAD_TYPE.to_owned(), signatures: Vec::new() }
    }

    /// Reads an envelope. Nothing in it is believed.
    ///
    /// # Errors
    /// [`Malformed`] when it is longer than [`MAX_BYTES`], has more than [`MAX_SIGNATURES`], or is in another form.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        if bytes.len() > MAX_BYTES {
            return Err(Malformed::TooLong);
        }
        let Document { payload, payload_type, signatures } =
            serde_json::from_slice(bytes).map_err(|error| Malformed::json("envelope", &error))?;
        if signatures.len() > MAX_SIGNATURES {
            return Err(Malformed::TooManySignatures);
        }
        let signatures = signatures.into_iter().map(Signature::read).collect::<Result<_, _>>()?;
        Ok(Envelope { payload: base64("payload", &payload)?, payload_type, signatures })
    }

    /// The envelope as a file: JSON on several lines.
    pub fn to_bytes(&self) -> Vec<u8> {
        let document = Document {
            payload: STANDARD.encode(&self.payload),
            payload_type: self.payload_type.clone(),
            signatures: self.signatures.iter().map(Signature::write).collect(),
        };
        let mut bytes = serde_json::to_vec_pretty(&document).expect("texts and lists are JSON");
        bytes.push(b'\n');
        bytes
    }

    /// What the payload says that it is.
    pub fn payload_type(&self) -> &str {
        &self.payload_type
    }

    /// The payload, which nobody may have signed.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The signatures, which may not verify.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// What signatures are over: DSSE's pre-authentication encoding.
    pub fn pae(&self) -> Vec<u8> {
        pae(&self.payload_type, &self.payload)
    }

    /// Adds a signature; whether it verifies is not asked.
    pub fn add(&mut self, signature: Signature) {
        self.signatures.push(signature);
    }

    /// The auditors among these by whose keys a signature here verifies.
    pub fn signers<'a>(&self, auditors: &'a Auditors) -> Vec<&'a Auditor> {
        let pae = self.pae();
        let signed = |auditor: &&Auditor| {
            let alone = std::slice::from_ref(*auditor);
            self.signatures.iter().any(|signature| signature.verify(&pae, alone) == Signer::Auditor(&alone[0]))
        };
        auditors.list().iter().filter(signed).collect()
    }
}

impl Signature {
    /// A bare Ed25519 signature over an envelope's PAE.
    pub fn bare(key: &AuditorKey, signature: [u8; 64]) -> Self {
        Signature { keyid: key.fingerprint(), made: Made::Bare(signature) }
    }

    /// An OpenSSH signature over an envelope's PAE.
    pub fn ssh(signature: SshSignature) -> Self {
        Signature { keyid: signature.key().fingerprint(), made: Made::Ssh(Box::new(signature)) }
    }

    /// The hint by which key it is: for our own signatures, the key's fingerprint; empty where there is none.
    pub fn keyid(&self) -> &str {
        &self.keyid
    }

    /// What a person may call the key that is said to have signed: a fingerprint where there is one.
    pub(super) fn claimed_key(&self) -> String {
        match &self.made {
            Made::Ssh(signature) => signature.key().fingerprint(),
            Made::Bare(_) if !self.keyid.is_empty() => plain(&self.keyid),
            Made::Bare(_) => "an unnamed key".to_owned(),
        }
    }

    /// Which of these auditors made it over `pae`. A bare signature with a key's fingerprint is tried with that key
    /// alone; otherwise each key is tried, since a `keyid` is only a hint.
    pub(super) fn verify<'a>(&self, pae: &[u8], auditors: &'a [Auditor]) -> Signer<'a> {
        let judge =
            |auditor: &'a Auditor, good: bool| if good { Signer::Auditor(auditor) } else { Signer::NotBy(auditor) };
        match &self.made {
            Made::Ssh(signature) => auditors
                .iter()
                .find(|auditor| auditor.key == *signature.key())
                .map_or(Signer::Unknown, |auditor| judge(auditor, signature.verify(pae).is_ok())),
            Made::Bare(signature) => {
                let verifies = |auditor: &&Auditor| auditor.key.verify_bare(pae, signature).is_ok();
                match auditors.iter().find(|auditor| auditor.key.fingerprint() == self.keyid) {
                    Some(auditor) => judge(auditor, verifies(&auditor)),
                    None => auditors.iter().find(verifies).map_or(Signer::Unknown, Signer::Auditor),
                }
            }
        }
    }

    fn read(document: SignatureDocument) -> Result<Self, Malformed> {
        let bytes = base64("signature", &document.sig)?;
        let made = match bytes.as_slice().try_into() {
            Ok(bare) => Made::Bare(bare),
            Err(_) => Made::Ssh(Box::new(SshSignature::from_blob(bytes)?)),
        };
        Ok(Signature { keyid: document.keyid, made })
    }

    fn write(&self) -> SignatureDocument {
        let sig = match &self.made {
            Made::Bare(signature) => STANDARD.encode(signature),
            Made::Ssh(signature) => STANDARD.encode(signature.blob()),
        };
        SignatureDocument { keyid: self.keyid.clone(), sig }
    }
}

/// Base64 in either of the alphabets that DSSE allows, padded.
fn base64(part: &'static str, text: &str) -> Result<Vec<u8>, Malformed> {
    STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).map_err(|_| Malformed::Base64(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the DSSE specification (`protocol.md`).
    #[test]
    fn the_pae_is_that_of_the_specification() {
        let envelope = Envelope {
            payload: b"hello world".to_vec(),
            payload_type: "http://example.com/HelloWorld".to_owned(),
            signatures: Vec::new(),
        };
        assert_eq!(envelope.pae(), b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }

    #[test]
    fn both_alphabets_are_read_and_one_is_written() {
        let json = |payload: &str| format!(r#"{{"payload":"{payload}","payloadType":"t","signatures":[]}}"#);
        for payload in ["+/8=", "-_8="] {
            let envelope = Envelope::from_bytes(json(payload).as_bytes()).unwrap();
            assert_eq!(envelope.payload(), [0xfb, 0xff]);
            assert!(str::from_utf8(&envelope.to_bytes()).unwrap().contains("+/8="));
        }
        for payload in ["+_8=", "+/8", "+/9=", "+/8= ", "é"] {
            assert_eq!(Envelope::from_bytes(json(payload).as_bytes()), Err(Malformed::Base64("payload")), "{payload}");
        }
    }
}
