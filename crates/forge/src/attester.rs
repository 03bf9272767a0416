//! Forged machines as attesters, for whole handshakes.

use std::sync::Arc;

use attest::attester::{AttestError, Attester};
use attest::evidence::{Evidence, ReportData};
use attest::platform::Platform;
use attest::tpm::PcrSelection;
use types::time::UnixMillis;

use crate::authority::Forge;
use crate::machine::Machine;
use crate::quote::{Domain, Enclave};
use crate::snp::{Chip, Guest, SnpForge};
use crate::tpm::ForgedTpm;

/// An enclave on a forged machine.
pub struct SgxAttester {
    /// Who vouches for the machine.
    pub forge: Arc<Forge>,
    /// The machine, installed anew for every quote.
    pub machine: Machine,
    /// The enclave, but for its report data.
    pub enclave: Enclave,
}

/// A trust domain on a forged machine.
pub struct TdxAttester {
    /// Who vouches for the machine.
    pub forge: Arc<Forge>,
    /// The machine, installed anew for every quote.
    pub machine: Machine,
    /// The domain, but for its report data.
    pub domain: Domain,
}

impl Attester for SgxAttester {
    fn platform(&self) -> Platform {
        Platform::Sgx
    }

    fn attest(&self, report_data: &ReportData, _now: UnixMillis) -> Result<Evidence, AttestError> {
        let enclave = Enclave { report_data: *report_data, ..self.enclave.clone() };
        let quote = self.forge.install(self.machine.clone()).sgx_quote(&enclave);
        Ok(Evidence::new(Platform::Sgx, quote).expect("a quote"))
    }
}

impl Attester for TdxAttester {
    fn platform(&self) -> Platform {
        Platform::Tdx
    }

    fn attest(&self, report_data: &ReportData, _now: UnixMillis) -> Result<Evidence, AttestError> {
        let domain = Domain { report_data: *report_data, ..self.domain.clone() };
        let quote = self.forge.install(self.machine.clone()).tdx_quote(&domain);
        Ok(Evidence::new(Platform::Tdx, quote).expect("a quote"))
    }
}

/// A guest on a forged SEV-SNP machine.
pub struct SnpAttester {
    /// Who vouches for the machine.
    pub forge: Arc<SnpForge>,
    /// The processor, installed anew for every report.
    pub chip: Chip,
    /// The guest, but for its report data.
    pub guest: Guest,
}

/// A machine with a forged TPM.
pub struct TpmAttester {
    /// The TPM.
    pub tpm: Arc<ForgedTpm>,
    /// What it quotes.
    pub pcrs: PcrSelection,
    /// The values of these, lowest first.
    pub values: Vec<[u8; 32]>,
}

impl Attester for SnpAttester {
    fn platform(&self) -> Platform {
        Platform::SevSnp
    }

    fn attest(&self, report_data: &ReportData, _now: UnixMillis) -> Result<Evidence, AttestError> {
        let guest = Guest { report_data: *report_data, ..self.guest.clone() };
        Ok(self.forge.install(self.chip).carried(&guest))
    }
}

impl Attester for TpmAttester {
    fn platform(&self) -> Platform {
        Platform::Tpm
    }

    fn attest(&self, report_data: &ReportData, _now: UnixMillis) -> Result<Evidence, AttestError> {
        Ok(self.tpm.evidence(self.pcrs, &self.values, report_data))
    }
}
