//! PEM (RFC 7468) for what this crate keeps in files, wiped where it is secret.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// Characters of base64 per line (RFC 7468, section 2).
const LINE_CHARS: usize = 64;

/// The label of an unencrypted PKCS#8 private key.
pub(crate) const PRIVATE_KEY: &str = "PRIVATE KEY";
/// The label of a SubjectPublicKeyInfo.
pub(crate) const PUBLIC_KEY: &str = "PUBLIC KEY";
/// The label of a revocation list (RFC 7468, section 6).
pub(crate) const REVOCATION_LIST: &str = "X509 CRL";
/// The label of an X.509 certificate.
pub(crate) const CERTIFICATE: &str = "CERTIFICATE";

/// The text is not one PEM block of the wanted kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected one PEM block `{0}`")]
pub struct BadPem(pub(crate) &'static str);

/// One block of PEM.
pub(crate) fn encode(label: &str, der: &[u8]) -> Zeroizing<String> {
    let body = Zeroizing::new(STANDARD.encode(der));
    let lines = body.len().div_ceil(LINE_CHARS);
    let mut text = Zeroizing::new(String::with_capacity(body.len() + lines + 2 * (label.len() + 18)));
    text.push_str(&format!("-----BEGIN {label}-----\n"));
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(LINE_CHARS));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

/// The bytes of a text that is one block of PEM with this label, white space around and inside it aside.
pub(crate) fn decode(label: &'static str, text: &str) -> Result<Zeroizing<Vec<u8>>, BadPem> {
    let body = text
        .trim()
        .strip_prefix(&*format!("-----BEGIN {label}-----"))
        .and_then(|rest| rest.strip_suffix(&*format!("-----END {label}-----")))
        .ok_or(BadPem(label))?;
    let mut packed = Zeroizing::new(String::with_capacity(body.len()));
    packed.extend(body.split_ascii_whitespace());
    STANDARD.decode(packed.as_bytes()).map(Zeroizing::new).map_err(|_| BadPem(label))
}

/// The bytes of each block of a text that is nothing but certificates, white space aside.
pub(crate) fn decode_certificates(text: &str) -> Result<Vec<Vec<u8>>, BadPem> {
    let blocks = text.trim().split_inclusive("-----END CERTIFICATE-----");
    blocks.map(|block| decode(CERTIFICATE, block).map(|der| der.to_vec())).collect()
}

/// An Ed25519 SubjectPublicKeyInfo up to the key (RFC 8410, section 4).
const ED25519_HEAD: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// An Ed25519 public key as PEM, as other tools read it.
pub(crate) fn encode_ed25519(key: &[u8; 32]) -> String {
    encode(PUBLIC_KEY, &[&ED25519_HEAD[..], key].concat()).to_string()
}

/// The Ed25519 public key in a block of PEM; nothing, when a public key of another kind is in it.
pub(crate) fn decode_ed25519(text: &str) -> Result<Option<[u8; 32]>, BadPem> {
    let spki = decode(PUBLIC_KEY, text)?;
    Ok(spki.strip_prefix(&ED25519_HEAD).and_then(|key| key.try_into().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_read_back_at_every_line_length() {
        for length in 0..200 {
            let der = vec![length; usize::from(length)];
            let text = encode(PRIVATE_KEY, &der);
            assert!(text.lines().all(|line| line.len() <= LINE_CHARS));
            assert_eq!(decode(PRIVATE_KEY, &text).as_deref(), Ok(&der));
            assert_eq!(decode(PRIVATE_KEY, &text.replace('\n', "\r\n")).as_deref(), Ok(&der));
        }
    }

    #[test]
    fn other_texts_are_refused() {
        let good = encode(CERTIFICATE, &[1, 2, 3]);
        let cases = ["", "AQID", &good[1..], &good[..good.len() - 2], &good.repeat(2), &good.replace("AQID", "AQI")];
        for text in cases {
            assert_eq!(decode(CERTIFICATE, text), Err(BadPem(CERTIFICATE)), "{text}");
        }
        assert_eq!(decode(PRIVATE_KEY, &good), Err(BadPem(PRIVATE_KEY)));
    }

    #[test]
    fn certificates_follow_one_another() {
        let text = [encode(CERTIFICATE, &[1]), encode(CERTIFICATE, &[2, 3])].map(|block| block.to_string()).concat();
        assert_eq!(decode_certificates(&text), Ok(vec![vec![1], vec![2, 3]]));
        assert_eq!(decode_certificates(""), Ok(vec![]));
        for bad in [text.replacen("AQ==", "AQ=", 1), format!("{text}x"), encode(PUBLIC_KEY, &[1]).to_string()] {
            assert!(decode_certificates(&bad).is_err(), "{bad}");
        }
    }
}
