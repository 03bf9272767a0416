//! Reports, byte for byte (56860, `ATTESTATION_REPORT`).

use attest::evidence::ReportData;
pub use attest::snp::layout::REPORT_BYTES;
use attest::snp::layout::fields;
use attest::snp::{KeyKind, SnpProduct, SnpTcb};
use crypto::maker::P384KeyPair;

use crate::snp::Chip;

/// How much of a report is signed.
const SIGNED_BYTES: usize = 0x2a0;

/// What a report is to say.
#[derive(Clone, Debug)]
pub struct Guest {
    /// The report's version: 2 to 5.
    pub version: u32,
    /// What was launched.
    pub launch_digest: [u8; 48],
    /// What its starter bound to it.
    pub host_data: [u8; 32],
    /// Its security version.
    pub svn: u32,
    /// Its policy.
    pub policy: u64,
    /// What the machine says of itself.
    pub platform_info: u64,
    /// The privilege level of whoever asked.
    pub vmpl: u32,
    /// The key that signed the launch, if any.
    pub author: Option<[u8; 48]>,
    /// The firmware at launch, if it was other than now.
    pub launch_tcb: Option<SnpTcb>,
    /// What it bound itself.
    pub report_data: ReportData,
}

impl Default for Guest {
    fn default() -> Self {
        Guest {
            version: 5,
            launch_digest: [0x4d; 48],
            host_data: [0x40; 32],
            svn: 3,
            policy: 0x3_0000,
            platform_info: 0x20,
            vmpl: 0,
            author: None,
            launch_tcb: None,
            report_data: ReportData([0x44; 64]),
        }
    }
}

impl Guest {
    pub(super) fn report(&self, product: SnpProduct, chip: &Chip) -> [u8; REPORT_BYTES] {
        let mut report = [0; REPORT_BYTES];
        let mut put = |name, bytes: &[u8]| {
            let (_, range) = fields().find(|(other, _)| *other == name).expect("a field of the report");
            report[range][..bytes.len()].copy_from_slice(bytes);
        };
        let tcb = chip.tcb.to_bytes(product);
        let kind = if chip.kind == KeyKind::Vlek { 1 << 2 } else { 0 };
        put("VERSION", &self.version.to_le_bytes());
        put("GUEST_SVN", &self.svn.to_le_bytes());
        put("POLICY", &self.policy.to_le_bytes());
        put("VMPL", &self.vmpl.to_le_bytes());
        put("SIGNATURE_ALGO", &1_u32.to_le_bytes());
        put("PLATFORM_INFO", &self.platform_info.to_le_bytes());
        put("KEY_INFO", &(kind | u32::from(self.author.is_some())).to_le_bytes());
        put("REPORT_DATA", &self.report_data.0);
        put("MEASUREMENT", &self.launch_digest);
        put("HOST_DATA", &self.host_data);
        put("AUTHOR_KEY_DIGEST", &self.author.unwrap_or([0; 48]));
        ["CURRENT_TCB", "REPORTED_TCB", "COMMITTED_TCB"].iter().for_each(|name| put(name, &tcb));
        put("LAUNCH_TCB", &self.launch_tcb.map_or(tcb, |tcb| tcb.to_bytes(product)));
        if self.version >= 3 {
            put("CPUID", &cpuid(product));
        }
        put("CHIP_ID", if product == SnpProduct::Turin { &chip.id[..8] } else { &chip.id });
        ["CURRENT_VERSION", "COMMITTED_VERSION"].iter().for_each(|name| put(name, &[40, 55, 1]));
        report
    }
}

/// Family, model and stepping.
const fn cpuid(product: SnpProduct) -> [u8; 3] {
    match product {
        SnpProduct::Milan => [0x19, 0x01, 0x01],
        SnpProduct::Genoa => [0x19, 0x11, 0x01],
        SnpProduct::Turin => [0x1a, 0x02, 0x01],
    }
}

/// Puts the signature in its place: two little-endian integers of 72 bytes.
pub(super) fn sign(report: &mut [u8; REPORT_BYTES], key: &P384KeyPair) {
    let signature = key.sign(&report[..SIGNED_BYTES]);
    for (index, half) in signature.as_chunks::<48>().0.iter().enumerate() {
        let start = SIGNED_BYTES + 72 * index;
        let place = &mut report[start..start + 48];
        place.copy_from_slice(half);
        place.reverse();
    }
}
