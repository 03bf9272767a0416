//! `online_decrypt`: opens ciphertext inside, so that whoever asks sees the plaintext and never needs a machine for it.
//!
//! The payload carries key and nonce, and the ciphertext or nothing of it: then the one file is the ciphertext. AES-GCM
//! with the 16-byte tag at the end, 128 or 256 bits. Text in the payload comes back as the result; a file comes back as
//! a file, for the task's creator.

use std::borrow::Cow;
use std::io::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::message::{self, MessageKey};
use executor::{Failure, Function, Inputs, Interface, Invocation, Limit, Output, OutputKind, PayloadRule, ResultRule};
use serde::Deserialize;
use types::function::FunctionType;

use crate::FINISHED;

pub(crate) struct OnlineDecrypt;

static INTERFACE: Interface = Interface {
    name: Cow::Borrowed("online_decrypt"),
    version: 1,
    summary: Cow::Borrowed("opens a message or a file that was sealed with AES-GCM"),
    function_type: FunctionType::Either,
    inputs: Inputs { min: 0, max: 1, from_every_party: false },
    payload: PayloadRule::Required,
    outputs: Cow::Borrowed(&[OutputKind::Creator]),
    result: ResultRule::Text,
    schema: Cow::Borrowed(include_str!("schema/online_decrypt.json")),
    counts: false,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Parameters {
    algorithm: Algorithm,
    key: String,
    nonce: String,
    #[serde(default)]
    associated_data: String,
    encrypted_data: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Algorithm {
    Aes128Gcm,
    Aes256Gcm,
}

impl Function for OnlineDecrypt {
    fn interface(&self) -> &Interface {
        &INTERFACE
    }

    fn run(&self, invocation: &mut Invocation<'_>) -> Result<String, Failure> {
        let parameters: Parameters = invocation.parameters()?;
        let sealed = Sealed::parse(&parameters)?;
        match (&parameters.encrypted_data, invocation.input_count()) {
            (Some(text), 0) => open_text(&sealed, text),
            (None, 1) => open_file(&sealed, invocation),
            _ => Err(Failure::payload("encrypted_data", "ciphertext is here or in the file, and not in both")),
        }
    }
}

/// All that opens ciphertext.
struct Sealed {
    key: MessageKey,
    nonce: [u8; message::NONCE_LEN],
    associated_data: Vec<u8>,
}

impl Sealed {
    fn parse(parameters: &Parameters) -> Result<Self, Failure> {
        let algorithm = match parameters.algorithm {
            Algorithm::Aes128Gcm => message::Algorithm::Aes128Gcm,
            Algorithm::Aes256Gcm => message::Algorithm::Aes256Gcm,
        };
        let key = decode("key", &parameters.key)?;
        let key = MessageKey::new(algorithm, &key).map_err(|error| Failure::function(format!("payload: {error}")))?;
        let nonce = decode("nonce", &parameters.nonce)?;
        let nonce = nonce.try_into().map_err(|_| Failure::payload("nonce", "must be 12 bytes"))?;
        let associated_data = decode("associated_data", &parameters.associated_data)?;
        Ok(Self { key, nonce, associated_data })
    }

    fn open<'a>(&self, ciphertext: &'a mut [u8]) -> Result<&'a [u8], Failure> {
        const REFUSED: &str = "the ciphertext was not sealed under this key, nonce and associated data";
        self.key.open(self.nonce, &self.associated_data, ciphertext).map_err(|_| Failure::function(REFUSED))
    }
}

fn decode(member: &str, text: &str) -> Result<Vec<u8>, Failure> {
    STANDARD.decode(text).map_err(|_| Failure::payload(member, "expected base64 with padding"))
}

fn open_text(sealed: &Sealed, text: &str) -> Result<String, Failure> {
    let mut ciphertext = decode("encrypted_data", text)?;
    let plaintext = str::from_utf8(sealed.open(&mut ciphertext)?);
    Ok(plaintext
        .map_err(|_| Failure::function("the plaintext is not UTF-8; bring the ciphertext as a file"))?
        .to_owned())
}

fn open_file(sealed: &Sealed, invocation: &mut Invocation<'_>) -> Result<String, Failure> {
    let limit = invocation.memory_limit();
    if invocation.input_size(0) > limit {
        return Err(Limit::Memory(limit).into());
    }
    let mut ciphertext = invocation.input(0)?.rest()?.to_vec();
    let mut output = invocation.output(Output::Creator)?;
    output.write_all(sealed.open(&mut ciphertext)?)?;
    output.finish()?;
    Ok(FINISHED.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::check;

    // McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B: test cases 2 and 14, a block of zeros under
    // a key and a nonce of zeros, for 128 and 256 bits. Test case 4's ciphertext has associated data.
    const ZEROS_128: &str = "A4jazmC2o5LzKMK5cbL+eKtuR9Qs7BO99TpnshJXvd8=";
    const ZEROS_256: &str = "zqdAPU1ga24HTsXTuvOdGNDRyKeZmWvwJluYtdSKuRk=";

    fn payload(algorithm: &str, key_len: usize, nonce_len: usize, data: &str) -> String {
        let [key, nonce] = [key_len, nonce_len].map(|length| STANDARD.encode(vec![0; length]));
        format!(r#"{{"algorithm":"{algorithm}","key":"{key}","nonce":"{nonce}"{data}}}"#)
    }

    fn check_text(algorithm: &str, key_len: usize, nonce_len: usize, data: &str, expected: Result<&str, &str>) {
        let data = format!(r#","encrypted_data":"{data}""#);
        check(&OnlineDecrypt, Some(&payload(algorithm, key_len, nonce_len, &data)), &[], expected, &[]);
    }

    #[test]
    fn vectors_of_both_sizes_open() {
        let zeros = "\0".repeat(16);
        for (algorithm, key_len, sealed) in [("aes128gcm", 16, ZEROS_128), ("aes256gcm", 32, ZEROS_256)] {
            check_text(algorithm, key_len, 12, sealed, Ok(&zeros));
            let file = STANDARD.decode(sealed).unwrap();
            let plaintext = [(Output::Creator, zeros.as_bytes())];
            check(&OnlineDecrypt, Some(&payload(algorithm, key_len, 12, "")), &[&file], Ok("Finished"), &plaintext);
        }
    }

    #[test]
    fn what_does_not_open_is_refused() {
        let refused = "the ciphertext was not sealed under this key, nonce and associated data";
        check_text("aes128gcm", 16, 12, &format!("B{}", &ZEROS_128[1..]), Err(refused));
        check_text("aes128gcm", 16, 12, "", Err(refused));
        check_text("aes256gcm", 32, 12, ZEROS_128, Err(refused));
        check_text("aes128gcm", 32, 12, ZEROS_128, Err("payload: key must be 16 bytes, not 32"));
        check_text("aes256gcm", 16, 12, ZEROS_256, Err("payload: key must be 32 bytes, not 16"));
        check_text("aes128gcm", 16, 11, ZEROS_128, Err("payload: nonce: must be 12 bytes"));
        check_text("aes128gcm", 16, 12, "?", Err("payload: encrypted_data: expected base64 with padding"));
        check_text("rot13", 16, 12, "", Err("payload: algorithm: expected `aes128gcm` or `aes256gcm`"));
        let other =
            payload("aes128gcm", 16, 12, &format!(r#","associated_data":"AA==","encrypted_data":"{ZEROS_128}""#));
        check(&OnlineDecrypt, Some(&other), &[], Err(refused), &[]);
        let neither = "payload: encrypted_data: ciphertext is here or in the file, and not in both";
        check(&OnlineDecrypt, Some(&payload("aes128gcm", 16, 12, "")), &[], Err(neither), &[]);
    }
}
