//! The certificates in a quote: PCK certificate, PCK CA, root CA, as PEM in exactly one encoding.
//!
//! `dcap-qvl` finds a path among whatever certificates are there, in whatever PEM. One encoding and one length leave
//! nothing that could be changed or hidden between them.

use dcap_qvl::intel::parse_pck_extension_with;
use types::time::UnixMillis;

use crate::certificate;
use crate::collateral::intel::Subject;
use crate::dcap::config::OurCrypto;
use crate::pem;
use crate::platform::Platform;
use crate::refusal::{Fault, Refusal};
use crate::validity::Validity;

const PART: &str = "PCK certificate chain";

/// What a refusal calls the first two of the three; the third is pinned.
const DATED: [&str; 2] = ["PCK certificate", "PCK CA's certificate"];

/// A PCK certificate with what leads to a root, nothing of it verified.
pub(super) struct PckChain {
    certificates: [Vec<u8>; 3],
    dates: [Validity; 2],
    issuer: Vec<u8>,
    issuer_name: String,
}

impl PckChain {
    /// Reads three blocks of PEM (RFC 7468, lines of 64 characters and LF), and a NUL after them or none.
    pub(super) fn read(text: &[u8]) -> Result<Self, Refusal> {
        read(text).map_err(|fault| fault.of(PART))
    }

    /// The third certificate (DER).
    pub(super) fn root(&self) -> &[u8] {
        &self.certificates[2]
    }

    /// Which machines' collateral applies to the PCK certificate's machine.
    pub(super) fn subject(&self, platform: Platform) -> Result<Subject, Refusal> {
        let malformed = || Fault::Expected("Intel's SGX extension").of(PART);
        let extension = parse_pck_extension_with::<OurCrypto>(&self.certificates[0]).map_err(|_| malformed())?;
        let pce_id = extension.pce_id.try_into().map_err(|_| malformed())?;
        Ok(Subject { platform, fmspc: extension.fmspc, pce_id, issuer: self.issuer.clone() })
    }

    /// The PCK CA's name, for people.
    pub(super) fn issuer_name(&self) -> &str {
        &self.issuer_name
    }

    /// When both certificates under the root hold.
    pub(super) fn validity(&self) -> Validity {
        self.dates[0].and(self.dates[1])
    }

    pub(super) fn check_dates(&self, now: UnixMillis) -> Result<(), Refusal> {
        DATED.iter().zip(self.dates).try_for_each(|(what, validity)| validity.check(what, now))
    }
}

fn read(text: &[u8]) -> Result<PckChain, Fault> {
    let text = std::str::from_utf8(text).map_err(|_| Fault::Expected("PEM"))?;
    let text = text.strip_suffix('\0').unwrap_or(text);
    let certificates = pem::decode_certificates(text).map_err(|_| Fault::Expected("PEM"))?;
    let canonical: String = certificates.iter().map(|der| pem::encode(pem::CERTIFICATE, der).to_string()).collect();
    if canonical != text {
        return Err(Fault::Expected("PEM in its one encoding"));
    }
    let certificates: [Vec<u8>; 3] = certificates.try_into().map_err(|_| Fault::Expected("three certificates"))?;
    let (leaf, authority) = (certificate::parse(&certificates[0])?, certificate::parse(&certificates[1])?);
    Ok(PckChain {
        dates: [certificate::validity_of(&leaf), certificate::validity_of(&authority)],
        issuer: leaf.issuer().as_raw().to_vec(),
        issuer_name: leaf.issuer().to_string(),
        certificates,
    })
}
