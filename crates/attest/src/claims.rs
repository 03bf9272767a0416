//! What verified evidence says: the same few claims whatever the platform.

use std::collections::BTreeSet;
use std::fmt;

use crypto::hash::{Sha256, hex};
use types::service::Role;
use types::time::UnixMillis;

use crate::evidence::ReportData;
use crate::platform::Platform;
use crate::reference::Allowance;
use crate::snp::{SnpProduct, SnpTcb};
use crate::tpm::PcrSelection;
use crate::validity::Validity;

/// What a platform said about itself, once its signature was checked.
///
/// Claims are plain data and prove nothing; [`crate::Verified`]`<Claims>` does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// What runs, and with that on which kind of platform.
    pub measurement: Measurement,
    /// What the running code had the platform bind.
    pub report_data: ReportData,
    /// Whether the platform's operator can look inside.
    pub mode: Mode,
    /// The code's security version (SGX ISVSVN, SNP guest SVN); 0 where the platform has none.
    pub security_version: u32,
    /// The product that the code's author says it is (SGX ISVPRODID); 0 where the platform has none.
    pub product_id: u16,
    /// What whoever started the code had the platform bind to it.
    pub config_id: ConfigId,
    /// How the platform's maker rates its firmware and processor.
    pub tcb_status: TcbStatus,
    /// When the maker's word for that state was newest (Intel `tcbDate`, the oldest of machine, module and quoting
    /// enclave); 0 where nobody rates platforms.
    pub tcb_date: UnixMillis,
    /// The maker's names for the state's known weaknesses (`INTEL-SA-00615`); empty where nobody rates platforms.
    pub advisories: Vec<String>,
    /// What the machine is and a policy must allow by name, beside `mode` and `tcb_status`.
    pub weaknesses: BTreeSet<Allowance>,
    /// Which machine it is; empty where the platform does not say.
    pub platform_ids: BTreeSet<PlatformId>,
    /// What only platforms of this kind say.
    pub specifics: Specifics,
    /// How old the maker's own statements are that this appraisal rests on.
    pub endorsements: Endorsements,
    /// When the statement, and everything that it rests on, holds.
    pub validity: Validity,
}

impl Claims {
    /// The platform that made them.
    pub fn platform(&self) -> Platform {
        self.measurement.platform()
    }
}

/// What runs on a platform, in the platform's own terms. Being an enum, it cannot be compared across platforms.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measurement {
    /// A name for code: see [`Measurement::simulated`].
    Simulated([u8; 32]),
    /// SHA-256 over the selected PCRs (TPM 2.0 part 2, `TPMS_QUOTE_INFO`).
    Tpm {
        /// `pcrDigest` of the quote.
        pcr_digest: [u8; 32],
    },
    /// SEV-SNP's launch digest (`MEASUREMENT`; SNP ABI, table 23).
    SevSnp {
        /// SHA-384 over the initial memory and registers.
        launch_digest: [u8; 48],
    },
    /// TDX's build-time and run-time measurements (TDX module, `TDREPORT`).
    Tdx {
        /// The initial contents of the trust domain.
        mrtd: [u8; 48],
        /// The run-time registers: firmware, kernel, command line and initrd, application.
        rtmr: [[u8; 48]; 4],
    },
    /// SGX's enclave identity (Intel SDM, `REPORT`).
    Sgx {
        /// The enclave's initial contents.
        mrenclave: [u8; 32],
        /// The key that signed the enclave.
        mrsigner: [u8; 32],
    },
}

impl Measurement {
    /// The simulated measurement of a build in a role: SHA-256 over a label and both, each after its length.
    ///
    /// `build` is whatever the caller calls its code: a binary's digest, or a version on a laptop.
    pub fn simulated(role: Role, build: &[u8]) -> Self {
        Measurement::Simulated(Self::simulated_digest(role, build))
    }

    pub(crate) fn simulated_digest(role: Role, build: &[u8]) -> [u8; 32] {
        let mut hash = Sha256::new();
        for part in [b"teehouse simulated measurement v1".as_slice(), role.as_str().as_bytes(), build] {
            hash.update(&(part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.finish()
    }

    /// The platform whose measurement this is.
    pub fn platform(&self) -> Platform {
        match self {
            Measurement::Simulated(_) => Platform::Simulated,
            Measurement::Tpm { .. } => Platform::Tpm,
            Measurement::SevSnp { .. } => Platform::SevSnp,
            Measurement::Tdx { .. } => Platform::Tdx,
            Measurement::Sgx { .. } => Platform::Sgx,
        }
    }
}

/// The platform's name, then each part in lower-case hexadecimal: `simulated:9f86…`.
impl fmt::Display for Measurement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.platform())?;
        let mut part = |bytes: &[u8]| write!(f, ":{}", hex(bytes));
        match self {
            Measurement::Simulated(digest) => part(digest),
            Measurement::Tpm { pcr_digest } => part(pcr_digest),
            Measurement::SevSnp { launch_digest } => part(launch_digest),
            Measurement::Tdx { mrtd, rtmr } => {
                part(mrtd)?;
                rtmr.iter().try_for_each(|register| part(register))
            }
            Measurement::Sgx { mrenclave, mrsigner } => {
                part(mrenclave)?;
                part(mrsigner)
            }
        }
    }
}

/// What the starter of an enclave or a virtual machine bound to it without it being measured: SGX `CONFIGID` (64
/// bytes), TDX `MRCONFIGID` (48 bytes), SNP `HOST_DATA` (32 bytes). Empty where the platform has no such field.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConfigId(pub Vec<u8>);

/// In lower-case hexadecimal.
impl fmt::Display for ConfigId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

/// One machine, as its maker numbers it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PlatformId {
    /// Intel's number of a processor package (PCK certificate, `PPID`).
    Ppid([u8; 16]),
    /// Intel's number of a machine of several packages (PCK certificate, `PIID`).
    Piid([u8; 16]),
    /// AMD's number of a processor (SNP ABI, `CHIP_ID`).
    ChipId([u8; 64]),
    /// The name of a TPM's attestation key, which never leaves that TPM: SHA-256 over its public area.
    TpmKey([u8; 32]),
}

/// The kind, then the number in lower-case hexadecimal: `ppid:0123…`.
impl fmt::Display for PlatformId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PlatformId::Ppid(id) => write!(f, "ppid:{}", hex(id)),
            PlatformId::Piid(id) => write!(f, "piid:{}", hex(id)),
            PlatformId::ChipId(id) => write!(f, "chip:{}", hex(id)),
            PlatformId::TpmKey(id) => write!(f, "tpm-key:{}", hex(id)),
        }
    }
}

/// What platforms of one kind say and others don't.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Specifics {
    /// Nothing beside what all say.
    None,
    /// Of SEV-SNP.
    SevSnp(SnpClaims),
    /// Of a TPM: the PCRs that it quoted.
    Tpm(PcrSelection),
}

/// What only an SEV-SNP platform says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnpClaims {
    /// The processor's family.
    pub product: SnpProduct,
    /// The lowest versions of firmware that count: see `snp`.
    pub tcb: SnpTcb,
    /// The privilege level of whoever asked for the report, 0 being the highest; `u32::MAX` is the host.
    pub vmpl: u32,
    /// Who signed what was launched.
    pub author: SnpAuthor,
}

/// Who signed the launch of an SEV-SNP machine (SNP ABI, `AUTHOR_KEY_DIGEST`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SnpAuthor {
    /// Nobody.
    Anonymous,
    /// Whoever holds the key with this SHA-384.
    Key([u8; 48]),
}

/// In lower-case hexadecimal, or `anonymous`.
impl fmt::Display for SnpAuthor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SnpAuthor::Anonymous => f.write_str("anonymous"),
            SnpAuthor::Key(digest) => f.write_str(&hex(digest)),
        }
    }
}

/// How old the statements of a platform's maker are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endorsements {
    /// The platform's evidence needs none.
    Unneeded,
    /// Intel's: TCB info, QE identity and revocation lists.
    Intel {
        /// When the oldest of them was issued.
        issued: UnixMillis,
        /// The lower of the two `tcbEvaluationDataNumber`s: how far Intel had got in rating its platforms.
        tcb_evaluation: u32,
    },
    /// AMD's: a revocation list.
    Amd {
        /// When it was issued.
        issued: UnixMillis,
    },
}

/// Whether a platform keeps its operator out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nobody can look inside.
    Production,
    /// A debugger can look inside; such a platform protects nothing.
    Debug,
}

/// How a platform's maker rates the state of its trusted computing base (Intel PCS API v4, `tcbStatus`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TcbStatus {
    /// Nobody rates platforms of this kind.
    Unrated,
    /// Nothing is known to be wrong.
    UpToDate,
    /// Software must make up for a known weakness.
    HardeningNeeded,
    /// The machine's configuration must make up for a known weakness.
    ConfigurationNeeded,
    /// Both must.
    ConfigurationAndHardeningNeeded,
    /// The virtual machine was started before the platform's last update; it should be started anew.
    RelaunchAdvised,
    /// The same, on a machine whose configuration must make up for a known weakness.
    RelaunchAdvisedConfigurationNeeded,
    /// Updates for known weaknesses are missing.
    OutOfDate,
    /// The same, on a machine whose configuration must make up for a known weakness.
    OutOfDateConfigurationNeeded,
    /// The maker has withdrawn its word.
    Revoked,
}

impl TcbStatus {
    /// The name that reports and manifests use.
    pub const fn as_str(self) -> &'static str {
        match self {
            TcbStatus::Unrated => "unrated",
            TcbStatus::UpToDate => "up to date",
            TcbStatus::HardeningNeeded => "hardening needed",
            TcbStatus::ConfigurationNeeded => "configuration needed",
            TcbStatus::ConfigurationAndHardeningNeeded => "configuration and hardening needed",
            TcbStatus::RelaunchAdvised => "relaunch advised",
            TcbStatus::RelaunchAdvisedConfigurationNeeded => "relaunch advised, configuration needed",
            TcbStatus::OutOfDate => "out of date",
            TcbStatus::OutOfDateConfigurationNeeded => "out of date, configuration needed",
            TcbStatus::Revoked => "revoked",
        }
    }
}

impl fmt::Display for TcbStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_role_and_build_measures_differently() {
        let builds: [&[u8]; 3] = [b"", b"a", b"ab"];
        let all: BTreeSet<_> =
            Role::ALL.iter().flat_map(|role| builds.map(|build| Measurement::simulated(*role, build))).collect();
        assert_eq!(all.len(), Role::ALL.len() * builds.len());
    }

    /// Computed with Python's `hashlib` from the description of [`Measurement::simulated`].
    #[test]
    fn a_simulated_measurement_has_these_bytes() {
        let expected = "simulated:fa3c4d1869f8638d681c9875a8b9ab48c97d45cc6f9e38f66c524e449395fa1c";
        assert_eq!(Measurement::simulated(Role::Kms, b"build").to_string(), expected);
    }

    #[test]
    fn a_measurement_shows_its_platform_first() {
        assert_eq!(Measurement::Simulated([0xab; 32]).to_string(), format!("simulated:{}", "ab".repeat(32)));
        let tdx = Measurement::Tdx { mrtd: [1; 48], rtmr: [[2; 48]; 4] };
        assert_eq!(tdx.to_string(), format!("tdx:{}{}", "01".repeat(48), format!(":{}", "02".repeat(48)).repeat(4)));
    }
}
