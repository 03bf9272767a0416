//! `rsa_sign`: signs a text with a party's private key, which nobody else sees.
//!
//! The first file is the key: RSA (PKCS#8 or PKCS#1) or Ed25519 (PKCS#8), unencrypted, in PEM or DER. What is signed is
//! the payload's `data` or, without it, the second file. The result is the signature in base64.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::BadKey;
use crypto::rsa::RsaKeyPair;
use crypto::sign::Ed25519KeyPair;
use executor::{Failure, Function, Inputs, Interface, Invocation, PayloadRule, ResultRule};
use serde::Deserialize;
use types::function::FunctionType;

use crate::pem;

pub(crate) struct RsaSign;

static INTERFACE: Interface = Interface {
    name: Cow::Borrowed("rsa_sign"),
    version: 1,
    summary: Cow::Borrowed("signs a text or a file with a private key (RSA-PKCS1-SHA256 or Ed25519)"),
    function_type: FunctionType::Either,
    inputs: Inputs { min: 1, max: 2, from_every_party: false },
    payload: PayloadRule::Optional,
    outputs: Cow::Borrowed(&[]),
    result: ResultRule::Text,
    schema: Cow::Borrowed(include_str!("schema/rsa_sign.json")),
    counts: false,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Parameters {
    #[serde(default)]
    algorithm: Algorithm,
    data: Option<String>,
}

#[derive(Clone, Copy, Default, Deserialize)]
enum Algorithm {
    #[default]
    #[serde(rename = "rsa-pkcs1-sha256")]
    RsaPkcs1Sha256,
    #[serde(rename = "ed25519")]
    Ed25519,
}

impl Function for RsaSign {
    fn interface(&self) -> &Interface {
        &INTERFACE
    }

    fn run(&self, invocation: &mut Invocation<'_>) -> Result<String, Failure> {
        let Parameters { algorithm, data } = invocation.parameters()?;
        let mut key = invocation.input(0)?;
        let key = pem::der(key.rest()?);
        let signature = match (data, invocation.input_count()) {
            (Some(data), 1) => sign(algorithm, &key, data.as_bytes()),
            (None, 2) => sign(algorithm, &key, invocation.input(1)?.rest()?),
            _ => {
                return Err(Failure::payload(
                    "data",
                    "the text to sign is here or in the second file, and not in both",
                ));
            }
        };
        let signature = signature.map_err(|problem| Failure::function(format!("input 1: {problem}")))?;
        Ok(STANDARD.encode(signature))
    }
}

fn sign(algorithm: Algorithm, key: &[u8], message: &[u8]) -> Result<Vec<u8>, BadKey> {
    match algorithm {
        Algorithm::RsaPkcs1Sha256 => RsaKeyPair::from_der(key)?.sign_pkcs1_sha256(message),
        Algorithm::Ed25519 => Ok(Ed25519KeyPair::from_pkcs8(key)?.sign(message).to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::check;

    /// Keys and signatures that Python's `cryptography` made; both schemes are deterministic.
    /// (`vectors/make.py` wrote them.)
    const RSA_PEM: &[u8] = include_bytes!("vectors/rsa_pkcs8.pem");
    const RSA_DER: &[u8] = include_bytes!("vectors/rsa_pkcs1.der");
    const RSA_SIGNATURE: &str = include_str!("vectors/rsa_signature.txt");
    const ED25519_PEM: &[u8] = include_bytes!("vectors/ed25519_pkcs8.pem");
    const ED25519_SIGNATURE: &str = include_str!("vectors/ed25519_signature.txt");

    const RSA: &str = r#"{"data":"hello"}"#;
    const ED25519: &str = r#"{"algorithm":"ed25519","data":"hello"}"#;

    #[test]
    fn signatures_are_those_of_an_independent_library() {
        for key in [RSA_PEM, RSA_DER] {
            check(&RsaSign, Some(RSA), &[key], Ok(RSA_SIGNATURE), &[]);
            check(&RsaSign, None, &[key, b"hello"], Ok(RSA_SIGNATURE), &[]);
        }
        check(&RsaSign, Some(ED25519), &[ED25519_PEM], Ok(ED25519_SIGNATURE), &[]);
        check(&RsaSign, Some(r#"{"algorithm":"ed25519"}"#), &[ED25519_PEM, b"hello"], Ok(ED25519_SIGNATURE), &[]);
    }

    #[test]
    fn what_is_no_such_key_is_refused() {
        let rsa = "input 1: not an unencrypted RSA private key of 2048 to 8192 bits (PKCS#8 or PKCS#1)";
        let ed25519 = "input 1: not a PKCS#8 private key for Ed25519";
        for key in [&b""[..], b"-----BEGIN PRIVATE KEY-----", ED25519_PEM, &RSA_DER[..RSA_DER.len() - 1]] {
            check(&RsaSign, Some(RSA), &[key], Err(rsa), &[]);
        }
        for key in [&b""[..], RSA_PEM] {
            check(&RsaSign, Some(ED25519), &[key], Err(ed25519), &[]);
        }
    }

    #[test]
    fn the_text_is_in_one_place() {
        let one = "payload: data: the text to sign is here or in the second file, and not in both";
        check(&RsaSign, None, &[RSA_DER], Err(one), &[]);
        check(&RsaSign, Some(RSA), &[RSA_DER, b"hello"], Err(one), &[]);
        let known = "payload: algorithm: expected `rsa-pkcs1-sha256` or `ed25519`";
        check(&RsaSign, Some(r#"{"algorithm":"rsa-md5","data":""}"#), &[RSA_DER], Err(known), &[]);
    }
}
