//! Quotes, byte for byte (`sgx_quote_3.h`, `sgx_quote_4.h`, `sgx_quote_5.h` of Intel's DCAP).

use attest::evidence::ReportData;
use attest::platform::Platform;
use crypto::hash::Sha256;

use crate::machine::{CPU_SVN, Installed};

/// Who signs the forge's quoting enclaves.
pub(crate) const QE_MRSIGNER: [u8; 32] = [0x8c; 32];
/// An enclave in 64-bit mode that is initialised and holds the provisioning key.
pub(crate) const QE_ATTRIBUTES: [u8; 16] = [0x15, 0, 0, 0, 0, 0, 0, 0, 0xe7, 0, 0, 0, 0, 0, 0, 0];
/// The quoting enclaves' security version.
pub(crate) const QE_SVN: u16 = 8;
/// Who signs TDX modules: zeros stand for Intel.
pub(crate) const SEAM_MRSIGNER: [u8; 48] = [0; 48];

/// `INTEL_QE_VENDOR_ID`.
const QE_VENDOR_ID: [u8; 16] =
    [0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07];
/// ECDSA-256 with a P-256 key.
const ECDSA_P256: u16 = 2;
/// In `ATTRIBUTES` of an enclave: initialised, debug, 64-bit mode.
const SGX_INIT_MODE64: u8 = 0x05;
const SGX_DEBUG: u8 = 0x02;
/// In `ATTRIBUTES` of a trust domain: debug, and no exceptions on pending pages.
const TD_DEBUG: u64 = 1;
const SEPT_VE_DISABLE: u64 = 1 << 28;
/// What the QE's authentication data are: 0 to 31, as Intel's QE writes them.
const AUTHENTICATION_DATA: [u8; 32] = {
    let mut data = [0; 32];
    let mut at = 0;
    while at < 32 {
        data[at] = at as u8;
        at += 1;
    }
    data
};

/// What an SGX quote is to say.
#[derive(Clone, Debug)]
pub struct Enclave {
    /// What the enclave is.
    pub mrenclave: [u8; 32],
    /// Who signed it.
    pub mrsigner: [u8; 32],
    /// Its product number.
    pub product_id: u16,
    /// Its security version.
    pub security_version: u16,
    /// What its starter bound to it.
    pub config_id: [u8; 64],
    /// Whether a debugger can look inside.
    pub debug: bool,
    /// What it bound itself.
    pub report_data: ReportData,
}

/// What a TDX quote is to say.
#[derive(Clone, Debug)]
pub struct Domain {
    /// Which form the quote has.
    pub version: DomainVersion,
    /// The initial contents.
    pub mrtd: [u8; 48],
    /// The run-time registers.
    pub rtmr: [[u8; 48]; 4],
    /// What its starter bound to it.
    pub config_id: [u8; 48],
    /// Whether a debugger can look inside.
    pub debug: bool,
    /// What it bound itself.
    pub report_data: ReportData,
}

/// The forms of TDX quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DomainVersion {
    /// Version 4: a TDX 1.0 report.
    V4,
    /// Version 5 with a TDX 1.5 report.
    V5,
}

impl Enclave {
    /// An ordinary enclave.
    pub fn new(report_data: ReportData) -> Self {
        Enclave {
            mrenclave: [0xe1; 32],
            mrsigner: [0x51; 32],
            product_id: 1,
            security_version: 4,
            config_id: [0; 64],
            debug: false,
            report_data,
        }
    }
}

impl Domain {
    /// An ordinary trust domain.
    pub fn new(report_data: ReportData) -> Self {
        Domain {
            version: DomainVersion::V4,
            mrtd: [0xd0; 48],
            rtmr: [[0xa0; 48], [0xa1; 48], [0xa2; 48], [0; 48]],
            config_id: [0; 48],
            debug: false,
            report_data,
        }
    }
}

pub(crate) fn sgx(installed: &Installed<'_>, enclave: &Enclave) -> Vec<u8> {
    let debug = if enclave.debug { SGX_DEBUG } else { 0 };
    let mut attributes = QE_ATTRIBUTES;
    attributes[0] = SGX_INIT_MODE64 | debug;
    let report = enclave_report(&attributes, enclave);
    let signed = [header(3, Platform::Sgx), report].concat();
    let signature_data = [signature(installed, &signed), certification(installed, Platform::Sgx)].concat();
    [signed, sized(&signature_data)].concat()
}

pub(crate) fn tdx(installed: &Installed<'_>, domain: &Domain) -> Vec<u8> {
    let report = td_report(installed, domain);
    let signed = match domain.version {
        DomainVersion::V4 => [header(4, Platform::Tdx), report].concat(),
        DomainVersion::V5 => [header(5, Platform::Tdx), vec![3, 0], sized(&report)].concat(),
    };
    let certification = [vec![6, 0], sized(&certification(installed, Platform::Tdx))].concat();
    [signed.clone(), sized(&[signature(installed, &signed), certification].concat())].concat()
}

fn header(version: u16, platform: Platform) -> Vec<u8> {
    let tee: u32 = if platform == Platform::Tdx { 0x81 } else { 0 };
    let parts: [&[u8]; 6] =
        [&version.to_le_bytes(), &ECDSA_P256.to_le_bytes(), &tee.to_le_bytes(), &[0; 4], &QE_VENDOR_ID, &[0; 20]];
    parts.concat()
}

/// `sgx_report_body_t`.
fn enclave_report(attributes: &[u8; 16], enclave: &Enclave) -> Vec<u8> {
    let parts: [&[u8]; 12] = [
        &[CPU_SVN; 16],
        &[0; 4 + 28],
        attributes,
        &enclave.mrenclave,
        &[0; 32],
        &enclave.mrsigner,
        &[0; 32],
        &enclave.config_id,
        &enclave.product_id.to_le_bytes(),
        &enclave.security_version.to_le_bytes(),
        &[0; 60],
        &enclave.report_data.0,
    ];
    parts.concat()
}

/// `sgx_report2_body_t`, and `sgx_report2_body_v1_5_t` in version 5.
fn td_report(installed: &Installed<'_>, domain: &Domain) -> Vec<u8> {
    let attributes = SEPT_VE_DISABLE | if domain.debug { TD_DEBUG } else { 0 };
    let parts: [&[u8]; 10] = [
        &tee_tcb_svn(installed.machine.launch_svn),
        &[0x5e; 48],
        &SEAM_MRSIGNER,
        &[0; 8],
        &attributes.to_le_bytes(),
        &[0xe7, 2, 6, 0, 0, 0, 0, 0],
        &domain.mrtd,
        &domain.config_id,
        &[0; 2 * 48],
        domain.rtmr.as_flattened(),
    ];
    let newer = match domain.version {
        DomainVersion::V4 => Vec::new(),
        DomainVersion::V5 => [&tee_tcb_svn(installed.machine.current_svn)[..], &[0; 48]].concat(),
    };
    [parts.concat(), domain.report_data.0.to_vec(), newer].concat()
}

/// SVNs of the TDX module: component 1, its version, is 0, so that TCB levels judge it all.
pub(crate) fn tee_tcb_svn(svn: u8) -> [u8; 16] {
    let mut components = [svn; 16];
    components[1] = 0;
    components
}

/// The product number of the quoting enclaves for SGX and for TDX.
pub(crate) fn qe_product(platform: Platform) -> u16 {
    if platform == Platform::Tdx { 2 } else { 1 }
}

/// Signature and attestation key.
fn signature(installed: &Installed<'_>, signed: &[u8]) -> Vec<u8> {
    [&installed.attestation.sign_fixed(signed), installed.attestation.point()].concat()
}

/// The QE's report, which vouches for the attestation key, and what vouches for the QE: the same in every quote.
fn certification(installed: &Installed<'_>, platform: Platform) -> Vec<u8> {
    let [sgx, tdx] = &installed.certification;
    let made = if platform == Platform::Tdx { tdx } else { sgx };
    made.get_or_init(|| certify(installed, platform)).clone()
}

fn certify(installed: &Installed<'_>, platform: Platform) -> Vec<u8> {
    let bound = Sha256::digest(&[installed.attestation.point(), &AUTHENTICATION_DATA].concat());
    let report = enclave_report(
        &QE_ATTRIBUTES,
        &Enclave {
            mrsigner: QE_MRSIGNER,
            product_id: qe_product(platform),
            security_version: QE_SVN,
            ..Enclave::new(ReportData::from_sha256(bound))
        },
    );
    let parts: [&[u8]; 6] = [
        &report,
        &installed.pck.sign_fixed(&report),
        &[32, 0],
        &AUTHENTICATION_DATA,
        &[5, 0],
        &sized(installed.chain.as_bytes()),
    ];
    parts.concat()
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("a few kilobytes");
    [&length.to_le_bytes(), bytes].concat()
}
