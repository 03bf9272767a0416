//! Real quotes and what is known of them; see `tests/data/dcap/README.md`.

use attest::Verified;
use attest::appraise::Verifier;
use attest::claims::{Claims, Measurement};
use attest::collateral::{Collateral, IntelCollateral};
use attest::dcap::layout::{fields, without_padding};
use attest::evidence::{Evidence, ReportData};
use attest::platform::Platform;
use attest::reference::{Allowance, Policy, ReferenceValues};
use attest::refusal::Refusal;
use types::service::Role;
use types::time::UnixMillis;

pub(crate) struct Sample {
    pub(crate) name: &'static str,
    /// The quote, perhaps with padding.
    pub(crate) file: &'static [u8],
    pub(crate) collateral: &'static [u8],
    /// When quote and collateral hold, by their own dates, in ms since 1970.
    pub(crate) holds: [u64; 2],
}

pub(crate) const SGX_V3: Sample = Sample {
    name: "SGX, version 3",
    file: include_bytes!("../data/dcap/sgx-v3.quote"),
    collateral: include_bytes!("../data/dcap/sgx-v3.json"),
    holds: [1_750_330_571_000, 1_752_919_278_000],
};

pub(crate) const TDX_V4: Sample = Sample {
    name: "TDX 1.0, version 4",
    file: include_bytes!("../data/dcap/tdx-v4.quote"),
    collateral: include_bytes!("../data/dcap/tdx-v4.json"),
    holds: [1_750_329_147_000, 1_752_919_234_999],
};

pub(crate) const TDX_V5: Sample = Sample {
    name: "TDX 1.5, version 5",
    file: include_bytes!("../data/dcap/tdx-v5-ex.quote"),
    collateral: include_bytes!("../data/dcap/tdx-v5-ex.json"),
    holds: [1_791_419_306_000, 1_794_008_711_000],
};

/// A platform below every level that Intel rates.
pub(crate) const TDX_OUT_OF_DATE: Sample = Sample {
    name: "TDX 1.5, version 5, out of date",
    file: include_bytes!("../data/dcap/tdx-v5-out-of-date.quote"),
    collateral: include_bytes!("../data/dcap/tdx-v5-out-of-date.json"),
    holds: [1_771_412_331_000, 1_774_003_275_000],
};

pub(crate) const GOOD: [Sample; 3] = [SGX_V3, TDX_V4, TDX_V5];

impl Sample {
    pub(crate) fn quote(&self) -> &'static [u8] {
        without_padding(self.file).unwrap()
    }

    pub(crate) fn evidence(&self) -> Evidence {
        Evidence::decode(self.quote()).unwrap()
    }

    pub(crate) fn now(&self) -> UnixMillis {
        UnixMillis(self.holds[1] - 1000)
    }

    pub(crate) fn collateral(&self) -> Collateral {
        Collateral::default().with_intel(IntelCollateral::from_json(self.collateral).unwrap())
    }

    pub(crate) fn field<const N: usize>(&self, name: &str) -> [u8; N] {
        let field = fields(self.quote()).unwrap().into_iter().find(|field| field.name == name).unwrap();
        self.quote()[field.range].try_into().unwrap()
    }

    pub(crate) fn report_data(&self) -> ReportData {
        ReportData(self.field("REPORTDATA"))
    }

    pub(crate) fn measurement(&self) -> Measurement {
        match self.evidence().platform() {
            Platform::Sgx => Measurement::Sgx { mrenclave: self.field("MRENCLAVE"), mrsigner: self.field("MRSIGNER") },
            _ => Measurement::Tdx {
                mrtd: self.field("MRTD"),
                rtmr: ["RTMR0", "RTMR1", "RTMR2", "RTMR3"].map(|register| self.field(register)),
            },
        }
    }

    /// Accepts the machine with every weakness it may have.
    pub(crate) fn lenient(&self) -> ReferenceValues {
        ReferenceValues { allowances: Allowance::ALL.into(), ..ReferenceValues::exactly([self.measurement()]) }
    }

    pub(crate) fn appraise(&self, values: ReferenceValues, now: UnixMillis) -> Result<Verified<Claims>, Refusal> {
        appraise(&self.evidence(), &self.report_data(), &policy(values), &self.collateral(), now)
    }
}

pub(crate) fn policy(values: ReferenceValues) -> Policy {
    Policy::default().with_role(Role::Kms, values)
}

pub(crate) fn appraise(
    evidence: &Evidence,
    report_data: &ReportData,
    policy: &Policy,
    collateral: &Collateral,
    now: UnixMillis,
) -> Result<Verified<Claims>, Refusal> {
    Verifier { policy, collateral }.appraise(evidence, report_data, Role::Kms, now)
}

/// A certificate as quotes carry it (RFC 7468).
pub(crate) fn pem(der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line)).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}
