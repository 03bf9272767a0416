//! What an attestation report says, in the verifier's terms.

use std::collections::BTreeSet;

use crate::claims::{ConfigId, Measurement, Mode, PlatformId, SnpAuthor, SnpClaims};
use crate::collateral::ChipKey;
use crate::evidence::ReportData;
use crate::reference::Allowance;
use crate::refusal::{Fault, Refusal};
use crate::snp::layout::{Layout, REPORT_BYTES};
use crate::snp::tcb::{SnpProduct, SnpTcb};
use crate::snp::vek::{KeyKind, Vek};
use crate::snp::{PART, unverifiable};

/// `SIGNATURE_ALGO`: ECDSA P-384 with SHA-384.
const ECDSA_P384_SHA384: u32 = 1;

/// Bits of the guest's policy (SNP ABI, section 4.3).
const MUST_BE_ONE: u64 = 1 << 17;
const MIGRATE_MA: u64 = 1 << 18;
const DEBUG: u64 = 1 << 19;
const KNOWN_POLICY_BITS: u64 = (1 << 26) - 1;

/// Bits of `PLATFORM_INFO`. A bit that is not known here could be a weakness, and is refused.
const SMT_ENABLED: u64 = 1;
const ALIAS_CHECK_COMPLETE: u64 = 1 << 5;
const KNOWN_PLATFORM_BITS: u64 = 0b1011_1111;

/// Bits of the word at 0x48: whether there is an author key, whether chip keys are masked, which key signed.
const AUTHOR_KEY_ENABLED: u32 = 1;
const SIGNING_KEY: u32 = 0b1_1100;
const KNOWN_KEY_BITS: u32 = 0b1_1111;

/// A report whose form is right; nothing of it is verified.
#[derive(Clone, Copy)]
pub(super) struct Report<'a>(Layout<'a>);

impl<'a> Report<'a> {
    pub(super) fn read(bytes: &'a [u8; REPORT_BYTES]) -> Result<Self, Fault> {
        let report = Report(Layout::read(bytes)?);
        let checks = [
            (report.0.u32("SIGNATURE_ALGO") == ECDSA_P384_SHA384, "an ECDSA P-384 signature"),
            (report.policy() & !KNOWN_POLICY_BITS == 0, "a guest policy without unknown bits"),
            (report.policy() & MUST_BE_ONE != 0, "a guest policy whose bit 17 is one"),
            (report.platform_info() & !KNOWN_PLATFORM_BITS == 0, "platform information without unknown bits"),
            (report.key_info() & !KNOWN_KEY_BITS == 0, "key information without unknown bits"),
        ];
        match checks.into_iter().find(|(holds, _)| !holds) {
            Some((_, expected)) => Err(Fault::Expected(expected)),
            None => report.key_kind().map(|_| report),
        }
    }

    /// Which kind of key signed it, by its own word.
    pub(super) fn key_kind(self) -> Result<KeyKind, Fault> {
        match (self.key_info() & SIGNING_KEY) >> 2 {
            0 => Ok(KeyKind::Vcek),
            1 => Ok(KeyKind::Vlek),
            _ => Err(Fault::Expected("a report signed by a VCEK or VLEK")),
        }
    }

    /// The chip and the version of its firmware as they are in the report, for people.
    pub(super) fn machine(self) -> String {
        let (chip, tcb) = (self.0.field::<64>("CHIP_ID"), self.0.field::<8>("REPORTED_TCB"));
        format!("chip {} with TCB {}", crypto::hash::hex(&chip), crypto::hash::hex(&tcb))
    }

    /// The product by its own word, which versions before 3 do not have: all of those are of the first two products.
    pub(super) fn products(self) -> Vec<SnpProduct> {
        let family_model = self.0.field::<3>("CPUID");
        match SnpProduct::of_cpuid(family_model[0], family_model[1]) {
            Some(product) if self.0.version() >= 3 => vec![product],
            _ if self.0.version() < 3 => vec![SnpProduct::Milan, SnpProduct::Genoa],
            _ => Vec::new(),
        }
    }

    /// The chip and the state of its firmware that signed it, by its own word; none where the chip is hidden.
    pub(super) fn chip_key(self, product: SnpProduct) -> Option<ChipKey> {
        let chip = self.0.field("CHIP_ID");
        let tcb = self.tcb("REPORTED_TCB", product).ok()?;
        (chip != [0; 64]).then_some(ChipKey { chip, tcb })
    }

    /// Whether this key's certificate is for the chip and the firmware that the report names.
    ///
    /// # Errors
    /// [`Refusal::Unverifiable`] names the first difference.
    pub(super) fn check_key(self, vek: &Vek<'_>) -> Result<(), Refusal> {
        let (family_model, product) = (self.0.field::<3>("CPUID"), vek.product());
        let cpu = SnpProduct::of_cpuid(family_model[0], family_model[1]);
        let tcb = self.tcb("REPORTED_TCB", product)?;
        if self.key_kind() != Ok(vek.kind()) {
            return Err(unverifiable("another kind of key than the certificate's signed the report"));
        }
        if self.0.version() >= 3 && cpu != Some(product) {
            return Err(unverifiable("the endorsement key is another product's"));
        }
        if tcb != vek.tcb() {
            return Err(unverifiable("the endorsement key is for another TCB version"));
        }
        match vek.chip() {
            Some(chip) if chip != self.0.field("CHIP_ID") => Err(unverifiable("the endorsement key is another chip's")),
            _ => Ok(()),
        }
    }

    /// Checks the signature, whose halves are little-endian integers of 72 bytes.
    pub(super) fn check_signature(self, vek: &Vek<'_>) -> Result<(), Refusal> {
        let halves = ["signature R", "signature S"].map(|half| {
            let mut half: [u8; 48] = self.0.field(half);
            half.reverse();
            half
        });
        let signature = halves.concat().try_into().expect("two halves of 48 bytes");
        crypto::verify::p384_fixed(vek.point(), self.0.signed(), &signature).map_err(|_| Refusal::BadSignature)
    }

    pub(super) fn measurement(self) -> Measurement {
        Measurement::SevSnp { launch_digest: self.0.field("MEASUREMENT") }
    }

    pub(super) fn report_data(self) -> ReportData {
        ReportData(self.0.field("REPORT_DATA"))
    }

    pub(super) fn config_id(self) -> ConfigId {
        ConfigId(self.0.field::<32>("HOST_DATA").to_vec())
    }

    pub(super) fn guest_svn(self) -> u32 {
        self.0.u32("GUEST_SVN")
    }

    pub(super) fn mode(self) -> Mode {
        if self.policy() & DEBUG == 0 { Mode::Production } else { Mode::Debug }
    }

    /// The chip, unless its owner hides it.
    pub(super) fn platform_ids(self) -> BTreeSet<PlatformId> {
        let chip = self.0.field("CHIP_ID");
        (chip != [0; 64]).then_some(PlatformId::ChipId(chip)).into_iter().collect()
    }

    /// What of guest and machine a policy must allow by name.
    pub(super) fn weaknesses(self) -> BTreeSet<Allowance> {
        let (policy, platform) = (self.policy(), self.platform_info());
        let provisional = self.0.field::<3>("CURRENT_VERSION") != self.0.field::<3>("COMMITTED_VERSION")
            || self.0.u64("CURRENT_TCB") != self.0.u64("COMMITTED_TCB");
        let found = [
            (policy & MIGRATE_MA != 0, Allowance::MigrationAgent),
            (provisional, Allowance::ProvisionalFirmware),
            (platform & SMT_ENABLED != 0, Allowance::SimultaneousMultithreading),
            (platform & ALIAS_CHECK_COMPLETE == 0, Allowance::UncheckedMemoryAliases),
        ];
        found.into_iter().filter_map(|(found, weakness)| found.then_some(weakness)).collect()
    }

    /// What only this platform says. Of the four TCB versions the lowest counts in each part: what was running when the
    /// guest was launched, runs now, is what the signing key stands for, or could be gone back to.
    pub(super) fn specifics(self, product: SnpProduct) -> Result<SnpClaims, Refusal> {
        let mut tcb = self.tcb("REPORTED_TCB", product)?;
        for other in ["CURRENT_TCB", "COMMITTED_TCB", "LAUNCH_TCB"] {
            tcb = tcb.lower(&self.tcb(other, product)?);
        }
        Ok(SnpClaims { product, tcb, vmpl: self.0.u32("VMPL"), author: self.author() })
    }

    fn author(self) -> SnpAuthor {
        match self.key_info() & AUTHOR_KEY_ENABLED {
            0 => SnpAuthor::Anonymous,
            _ => SnpAuthor::Key(self.0.field("AUTHOR_KEY_DIGEST")),
        }
    }

    fn tcb(self, name: &'static str, product: SnpProduct) -> Result<SnpTcb, Refusal> {
        SnpTcb::read(product, self.0.field(name)).map_err(|fault| fault.of(PART))
    }

    fn policy(self) -> u64 {
        self.0.u64("POLICY")
    }

    fn platform_info(self) -> u64 {
        self.0.u64("PLATFORM_INFO")
    }

    fn key_info(self) -> u32 {
        self.0.u32("KEY_INFO")
    }
}
