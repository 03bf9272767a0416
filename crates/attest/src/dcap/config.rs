//! `dcap-qvl` on our cryptography: `crypto`, which is AWS-LC, and no second library.

use dcap_qvl::config::{Config, CryptoProvider};
use dcap_qvl::signature::DerSigEncoder;
use dcap_qvl::x509::X509CertBackend;
use pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};

/// The verifier's own certificate parser and signature encoder, our hashes and signatures.
pub(super) struct OurCrypto;

impl Config for OurCrypto {
    type X509 = X509CertBackend;
    type SigEncoder = DerSigEncoder;
    type Crypto = OurCrypto;
}

impl CryptoProvider for OurCrypto {
    fn sig_algo() -> &'static dyn SignatureVerificationAlgorithm {
        &EcdsaP256Sha256
    }

    fn sha256(data: &[u8]) -> [u8; 32] {
        crypto::hash::Sha256::digest(data)
    }

    fn sha384(data: &[u8]) -> [u8; 48] {
        crypto::hash::sha384(data)
    }
}

/// The one signature algorithm of Intel's certificates and quotes (RFC 5758, section 3.2).
#[derive(Debug)]
struct EcdsaP256Sha256;

impl SignatureVerificationAlgorithm for EcdsaP256Sha256 {
    fn verify_signature(&self, public_key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        crypto::sign::verify_p256(public_key, message, signature).map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_P256
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_SHA256
    }
}
