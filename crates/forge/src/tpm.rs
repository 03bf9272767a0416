//! A forge of TPM quotes: an attestation key that says what it likes.

use attest::evidence::{Evidence, ReportData};
use attest::platform::Platform;
use attest::tpm::{PcrSelection, TpmEvidence, TpmKeyName};
use crypto::hash::Sha256;
use crypto::maker::{RsaKey, RsaScheme};

use crate::key::Key;

/// Numbers of TPM 2.0 part 2, sections 6.3, 6.9 and 8.3.
const RSA: u16 = 0x0001;
const SHA256: u16 = 0x000b;
const NULL: u16 = 0x0010;
const RSASSA: u16 = 0x0014;
const RSAPSS: u16 = 0x0016;
const ECDSA: u16 = 0x0018;
const ECC: u16 = 0x0023;
const NIST_P256: u16 = 0x0003;
const GENERATED: u32 = 0xff54_4347;
const ATTEST_QUOTE: u16 = 0x8018;

/// Attributes of an attestation key: fixed to its TPM and parent, of the TPM's own making, restricted, signing.
pub const ATTESTATION_KEY: u32 = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 16 | 1 << 18;

/// A TPM that does not exist, and its attestation key.
pub struct ForgedTpm {
    key: TpmKey,
    attributes: u32,
}

/// How its key signs.
enum TpmKey {
    Ecdsa(Key),
    Rsassa(RsaKey),
    Rsapss(RsaKey),
}

/// What a quote is to say.
#[derive(Clone, Debug)]
pub struct PcrQuote {
    /// The number that begins what a TPM generated.
    pub magic: u32,
    /// The structure's type.
    pub kind: u16,
    /// What is bound: the SHA-256 of the report data.
    pub extra_data: Vec<u8>,
    /// Whether the TPM's clock is safe.
    pub safe: u8,
    /// The selection, as `TPML_PCR_SELECTION`.
    pub selection: Vec<u8>,
    /// The digest of the selected PCRs.
    pub pcr_digest: Vec<u8>,
}

impl PcrQuote {
    /// A quote over these PCRs as an honest TPM makes it.
    pub fn honest(pcrs: PcrSelection, values: &[[u8; 32]], report_data: &ReportData) -> Self {
        let mut bits = [0_u8; 3];
        pcrs.iter().for_each(|pcr| bits[usize::from(pcr / 8)] |= 1 << (pcr % 8));
        PcrQuote {
            magic: GENERATED,
            kind: ATTEST_QUOTE,
            extra_data: Sha256::digest(&report_data.0).to_vec(),
            safe: 1,
            selection: [&1_u32.to_be_bytes()[..], &SHA256.to_be_bytes(), &[3], &bits].concat(),
            pcr_digest: Sha256::digest(values.as_flattened()).to_vec(),
        }
    }

    /// `TPMS_ATTEST`.
    fn encode(&self) -> Vec<u8> {
        let parts: [&[u8]; 9] = [
            &self.magic.to_be_bytes(),
            &self.kind.to_be_bytes(),
            &sized(&[0x77; 34]),
            &sized(&self.extra_data),
            &[0x11; 16],
            &[self.safe],
            &[0x22; 8],
            &self.selection,
            &sized(&self.pcr_digest),
        ];
        parts.concat()
    }
}

impl ForgedTpm {
    /// A TPM whose key signs with ECDSA on P-256.
    pub fn ecdsa() -> Self {
        Self::with(TpmKey::Ecdsa(Key::generate()))
    }

    /// A TPM whose key signs with RSASSA-PKCS1-v1_5.
    pub fn rsassa() -> Self {
        Self::with(TpmKey::Rsassa(RsaKey::generate()))
    }

    /// A TPM whose key signs with RSASSA-PSS.
    pub fn rsapss() -> Self {
        Self::with(TpmKey::Rsapss(RsaKey::generate()))
    }

    /// The same with other attributes than [`ATTESTATION_KEY`].
    pub fn with_attributes(self, attributes: u32) -> Self {
        ForgedTpm { attributes, ..self }
    }

    /// The name of its attestation key.
    pub fn key_name(&self) -> TpmKeyName {
        TpmKeyName::of(&self.public())
    }

    /// Signs a quote.
    pub fn quote(&self, quote: &PcrQuote) -> TpmEvidence {
        self.sign(quote.encode())
    }

    /// Signs anything.
    pub fn sign(&self, attest: Vec<u8>) -> TpmEvidence {
        let signature = match &self.key {
            TpmKey::Ecdsa(key) => {
                let halves = key.sign_fixed(&attest);
                [numbers(&[ECDSA, SHA256]), sized(&halves[..32]), sized(&halves[32..])].concat()
            }
            TpmKey::Rsassa(key) => {
                [numbers(&[RSASSA, SHA256]), sized(&key.sign(RsaScheme::Pkcs1Sha256, &attest))].concat()
            }
            TpmKey::Rsapss(key) => {
                [numbers(&[RSAPSS, SHA256]), sized(&key.sign(RsaScheme::PssSha256, &attest))].concat()
            }
        };
        TpmEvidence { public: self.public(), attest, signature }
    }

    /// Evidence as an honest machine gives it.
    pub fn evidence(&self, pcrs: PcrSelection, values: &[[u8; 32]], report_data: &ReportData) -> Evidence {
        let quote = self.quote(&PcrQuote::honest(pcrs, values, report_data));
        Evidence::new(Platform::Tpm, quote.encode()).expect("small enough")
    }

    fn with(key: TpmKey) -> Self {
        ForgedTpm { key, attributes: ATTESTATION_KEY }
    }

    /// `TPMT_PUBLIC`.
    fn public(&self) -> Vec<u8> {
        let (kind, scheme) = match &self.key {
            TpmKey::Ecdsa(_) => (ECC, ECDSA),
            TpmKey::Rsassa(_) => (RSA, RSASSA),
            TpmKey::Rsapss(_) => (RSA, RSAPSS),
        };
        let head = [&numbers(&[kind, SHA256])[..], &self.attributes.to_be_bytes(), &sized(&[])].concat();
        let unique = match &self.key {
            TpmKey::Ecdsa(key) => {
                let (x, y) = key.point().split_at(32);
                [numbers(&[NIST_P256, NULL]), sized(x), sized(y)].concat()
            }
            TpmKey::Rsassa(key) | TpmKey::Rsapss(key) => [numbers(&[2048, 0, 0]), sized(&key.modulus())].concat(),
        };
        [head, numbers(&[NULL, scheme, SHA256]), unique].concat()
    }
}

fn numbers(values: &[u16]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

/// A buffer after its length.
fn sized(bytes: &[u8]) -> Vec<u8> {
    [&numbers(&[u16::try_from(bytes.len()).expect("short")])[..], bytes].concat()
}
