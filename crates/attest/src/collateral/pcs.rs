//! The answers of Intel's Provisioning Certification Service (API v4), as they came over HTTP.

use dcap_qvl::QuoteCollateralV3;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::collateral::intel::{BadCollateral, CRL_CHAIN, QE_CHAIN, QE_IDENTITY, TCB_CHAIN, TCB_INFO, within};

/// The answers of Intel's PCS or a PCCS, as they came.
#[derive(Clone, Copy, Debug)]
pub struct PcsAnswers<'a> {
    /// `GET /sgx/certification/v4/tcb?fmspc=…` or `/tdx/…`: the body.
    pub tcb_info: &'a [u8],
    /// Its header `TCB-Info-Issuer-Chain`: PEM, percent-encoded.
    pub tcb_info_issuer_chain: &'a str,
    /// `GET …/qe/identity`: the body.
    pub qe_identity: &'a [u8],
    /// Its header `SGX-Enclave-Identity-Issuer-Chain`.
    pub qe_identity_issuer_chain: &'a str,
    /// `GET …/pckcrl?ca=processor|platform&encoding=der`: the body.
    pub pck_crl: &'a [u8],
    /// Its header `SGX-PCK-CRL-Issuer-Chain`.
    pub pck_crl_issuer_chain: &'a str,
    /// The root CA's revocation list (DER).
    pub root_ca_crl: &'a [u8],
}

impl PcsAnswers<'_> {
    pub(super) fn parts(&self) -> Result<QuoteCollateralV3, BadCollateral> {
        let (tcb_info, tcb_info_signature) = signed::<TcbAnswer<'_>>(TCB_INFO, self.tcb_info)?;
        let (qe_identity, qe_identity_signature) = signed::<QeAnswer<'_>>(QE_IDENTITY, self.qe_identity)?;
        Ok(QuoteCollateralV3 {
            tcb_info,
            tcb_info_signature,
            tcb_info_issuer_chain: chain(TCB_CHAIN, self.tcb_info_issuer_chain)?,
            qe_identity,
            qe_identity_signature,
            qe_identity_issuer_chain: chain(QE_CHAIN, self.qe_identity_issuer_chain)?,
            pck_crl: self.pck_crl.to_vec(),
            pck_crl_issuer_chain: chain(CRL_CHAIN, self.pck_crl_issuer_chain)?,
            root_ca_crl: self.root_ca_crl.to_vec(),
            pck_certificate_chain: None,
        })
    }
}

fn chain(part: &'static str, header: &str) -> Result<String, BadCollateral> {
    percent_decode(header).ok_or(BadCollateral::Malformed(part))
}

/// `{"tcbInfo": …, "signature": "…"}`: what is signed is the text of the first, byte for byte.
#[derive(Deserialize)]
struct TcbAnswer<'a> {
    #[serde(borrow, rename = "tcbInfo")]
    document: &'a RawValue,
    signature: &'a str,
}

/// `{"enclaveIdentity": …, "signature": "…"}`.
#[derive(Deserialize)]
struct QeAnswer<'a> {
    #[serde(borrow, rename = "enclaveIdentity")]
    document: &'a RawValue,
    signature: &'a str,
}

impl<'a> From<TcbAnswer<'a>> for (&'a RawValue, &'a str) {
    fn from(answer: TcbAnswer<'a>) -> Self {
        (answer.document, answer.signature)
    }
}

impl<'a> From<QeAnswer<'a>> for (&'a RawValue, &'a str) {
    fn from(answer: QeAnswer<'a>) -> Self {
        (answer.document, answer.signature)
    }
}

/// The signed text of an answer's body, and the signature.
fn signed<'a, T>(part: &'static str, body: &'a [u8]) -> Result<(String, Vec<u8>), BadCollateral>
where
    T: Deserialize<'a> + Into<(&'a RawValue, &'a str)>,
{
    within(body)?;
    let answer: T = serde_json::from_slice(body).map_err(|source| BadCollateral::Json { part, source })?;
    let (document, signature) = answer.into();
    let signature: [u8; 64] =
        crypto::hash::parse_hex(&signature.to_ascii_lowercase()).map_err(|_| BadCollateral::Malformed(part))?;
    Ok((document.get().to_owned(), signature.to_vec()))
}

/// Decodes `%0A` and its like (RFC 3986, section 2.1); Intel's headers carry PEM so.
fn percent_decode(header: &str) -> Option<String> {
    let mut parts = header.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        let [byte] = crypto::hash::parse_hex(&digits.to_ascii_lowercase()).ok()?;
        bytes.push(byte);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_decoded_strictly() {
        let cases = [
            ("", Some("")),
            ("plain+text", Some("plain+text")),
            ("-----BEGIN%20CERTIFICATE-----%0AMII%2b%2B", Some("-----BEGIN CERTIFICATE-----\nMII++")),
            ("%25", Some("%")),
            ("%", None),
            ("%2", None),
            ("%2g", None),
            ("%ff", None),
            ("%é", None),
        ];
        for (header, expected) in cases {
            assert_eq!(percent_decode(header).as_deref(), expected, "{header}");
        }
    }

    #[test]
    fn the_signed_text_is_kept_byte_for_byte() {
        let body = format!(r#"{{"tcbInfo": {{"b" :1,"a":[ 2 ]}} , "signature":"{}"}}"#, "0A".repeat(64));
        let (document, signature) = signed::<TcbAnswer<'_>>(TCB_INFO, body.as_bytes()).expect("an answer");
        assert_eq!(document, r#"{"b" :1,"a":[ 2 ]}"#);
        assert_eq!(signature, [10; 64]);
        assert!(signed::<QeAnswer<'_>>(QE_IDENTITY, body.as_bytes()).is_err());
        assert!(signed::<TcbAnswer<'_>>(TCB_INFO, body.replace("0A", "0").as_bytes()).is_err());
    }
}
