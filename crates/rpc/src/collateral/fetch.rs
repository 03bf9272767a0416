//! What makers are asked, and how their answers become one document.
//!
//! Sources: Intel PCS API, version 4, which a PCCS repeats and adds `rootcacrl` to; AMD, VCEK Certificate and KDS Interface
//! Specification (57230), chapter 4.

use attest::collateral::{AmdCollateral, BadCollateral, ChipKey, IntelCollateral, KdsAnswers, Need, Part, PcsAnswers};
use attest::snp::{KeyKind, SnpProduct};
use crypto::hash::hex;

use crate::collateral::web::{Answer, AnswerLimits, Web, WebError};
use crate::config::Collateral as Settings;
use crate::tls::TlsError;

/// Intel's own service has no list of its root CA; Intel publishes it here, where its certificate says.
const INTEL_ROOT_CRL: &str = "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der";
const INTEL_HOST: &str = "trustedservices.intel.com";

/// Makers' services, or caches that repeat what these say.
pub(crate) struct Makers {
    web: Web,
    intel: Option<String>,
    intel_root_crl: Option<String>,
    amd: Option<String>,
}

/// Why nothing came.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// Nobody is configured who could be asked.
    #[error("no {0} is configured")]
    NotConfigured(&'static str),
    /// One question has no answer.
    #[error("{address}")]
    Web {
        /// Which.
        address: String,
        /// Why.
        source: WebError,
    },
    /// The answers can't be read.
    #[error("the answer")]
    Read(#[from] BadCollateral),
    /// A part of an answer is missing or not what it should be.
    #[error("the answer has no proper {0}")]
    Part(&'static str),
}

impl Makers {
    /// The configured services.
    ///
    /// # Errors
    /// When the file of additional roots can't be used.
    pub(crate) fn new(settings: &Settings, limits: AnswerLimits) -> Result<Self, TlsError> {
        let base = |url: &Option<String>| url.as_ref().map(|url| url.trim_end_matches('/').to_owned());
        Ok(Makers {
            web: Web::new(settings.ca_file.as_deref(), limits)?,
            intel: base(&settings.intel_url),
            intel_root_crl: settings.intel_root_crl_url.clone(),
            amd: base(&settings.amd_url),
        })
    }

    /// Whether there is somebody to be asked.
    pub(crate) fn can_answer(&self, need: &Need) -> bool {
        match need {
            Need::Intel { .. } => self.intel.is_some(),
            Need::Amd { .. } => self.amd.is_some(),
        }
    }

    /// Asks for what is needed.
    ///
    /// # Errors
    /// When one of the questions has no answer that can be read.
    pub(crate) async fn fetch(&self, need: &Need) -> Result<Part, FetchError> {
        match need {
            Need::Intel { platform, fmspc, ca } => {
                let base = self.intel.as_deref().ok_or(FetchError::NotConfigured("collateral.intel_url"))?;
                self.fetch_intel(base, platform.as_str(), &hex(fmspc), ca.as_str()).await
            }
            Need::Amd { product, kind, key } => {
                let base = self.amd.as_deref().ok_or(FetchError::NotConfigured("collateral.amd_url"))?;
                self.fetch_amd(base, *product, *kind, key.as_ref()).await
            }
        }
    }

    async fn fetch_intel(&self, base: &str, tee: &str, fmspc: &str, ca: &str) -> Result<Part, FetchError> {
        let tcb_info = self.get(format!("{base}/{tee}/certification/v4/tcb?fmspc={fmspc}")).await?;
        let qe_identity = self.get(format!("{base}/{tee}/certification/v4/qe/identity")).await?;
        let pck_crl = self.get(format!("{base}/sgx/certification/v4/pckcrl?ca={ca}&encoding=der")).await?;
        let root_ca_crl = self.get(self.root_crl_address(base)).await?;
        let read = IntelCollateral::from_pcs(&PcsAnswers {
            tcb_info: &tcb_info.body,
            tcb_info_issuer_chain: header(&tcb_info, "TCB-Info-Issuer-Chain")?,
            qe_identity: &qe_identity.body,
            qe_identity_issuer_chain: header(&qe_identity, "SGX-Enclave-Identity-Issuer-Chain")?,
            pck_crl: &der(&pck_crl.body).ok_or(FetchError::Part("PCK CA's revocation list"))?,
            pck_crl_issuer_chain: header(&pck_crl, "SGX-PCK-CRL-Issuer-Chain")?,
            root_ca_crl: &der(&root_ca_crl.body).ok_or(FetchError::Part("root CA's revocation list"))?,
        })?;
        Ok(Part::Intel(Box::new(read)))
    }

    fn root_crl_address(&self, base: &str) -> String {
        match &self.intel_root_crl {
            Some(address) => address.clone(),
            None if base.contains(INTEL_HOST) => INTEL_ROOT_CRL.to_owned(),
            None => format!("{base}/sgx/certification/v4/rootcacrl"),
        }
    }

    async fn fetch_amd(
        &self,
        base: &str,
        product: SnpProduct,
        kind: KeyKind,
        key: Option<&ChipKey>,
    ) -> Result<Part, FetchError> {
        let base = format!("{base}/{}/v1/{product}", kind.as_str().to_ascii_lowercase());
        let cert_chain = self.get(format!("{base}/cert_chain")).await?;
        let crl = self.get(format!("{base}/crl")).await?;
        let key = match key {
            Some(key) => Some(self.get(format!("{base}/{}", key_address(product, key))).await?),
            None => None,
        };
        let keys: Vec<&[u8]> = key.iter().map(|answer| &answer.body[..]).collect();
        let cert_chain = std::str::from_utf8(&cert_chain.body).map_err(|_| FetchError::Part("certificate chain"))?;
        let read = AmdCollateral::from_kds(&KdsAnswers { cert_chain, crl: &crl.body, keys: &keys })?;
        Ok(Part::Amd(Box::new(read)))
    }

    async fn get(&self, address: String) -> Result<Answer, FetchError> {
        self.web.get(&address).await.map_err(|source| FetchError::Web { address, source })
    }
}

/// The end of a chip key's address.
fn key_address(product: SnpProduct, ChipKey { chip, tcb }: &ChipKey) -> String {
    let (boot_loader, tee, snp, microcode) = (tcb.boot_loader, tcb.tee, tcb.snp, tcb.microcode);
    let parts = format!("blSPL={boot_loader:02}&teeSPL={tee:02}&snpSPL={snp:02}&ucodeSPL={microcode:02}");
    match product {
        SnpProduct::Turin => format!("{}?fmcSPL={:02}&{parts}", hex(&chip[..8]), tcb.fmc),
        SnpProduct::Milan | SnpProduct::Genoa => format!("{}?{parts}", hex(chip)),
    }
}

fn header<'a>(answer: &'a Answer, name: &'static str) -> Result<&'a str, FetchError> {
    answer.headers.get(name).and_then(|value| value.to_str().ok()).ok_or(FetchError::Part(name))
}

/// A revocation list as it is, or in hexadecimal, as a PCCS gives the root's.
fn der(body: &[u8]) -> Option<Vec<u8>> {
    /// How a list in DER begins; in hexadecimal it begins with a 3.
    const SEQUENCE: u8 = 0x30;
    match body.first() {
        Some(&SEQUENCE) => Some(body.to_vec()),
        _ => unhex(std::str::from_utf8(body).ok()?.trim()),
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |digit: &u8| char::from(*digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => Some(digit(high)? << 4 | digit(low)?),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use attest::snp::SnpTcb;

    use super::*;

    #[test]
    fn lists_come_in_two_forms() {
        assert_eq!(der(&[0x30, 0x82, 1]), Some(vec![0x30, 0x82, 1]));
        assert_eq!(der(b"308201\n"), Some(vec![0x30, 0x82, 1]));
        assert_eq!(der(b"30820A"), Some(vec![0x30, 0x82, 10]));
        for other in [&b"30820"[..], b"308g", b"<html>", &[0xff]] {
            assert_eq!(der(other), None);
        }
    }

    /// The examples of the specification, section 4.1, and Turin's additional part.
    #[test]
    fn chips_have_addresses() {
        let tcb = SnpTcb { fmc: 1, boot_loader: 2, tee: 0, snp: 6, microcode: 115 };
        let key = ChipKey { chip: [0xab; 64], tcb };
        assert_eq!(
            key_address(SnpProduct::Milan, &key),
            format!("{}?blSPL=02&teeSPL=00&snpSPL=06&ucodeSPL=115", "ab".repeat(64))
        );
        assert_eq!(
            key_address(SnpProduct::Turin, &key),
            "abababababababab?fmcSPL=01&blSPL=02&teeSPL=00&snpSPL=06&ucodeSPL=115"
        );
    }
}
