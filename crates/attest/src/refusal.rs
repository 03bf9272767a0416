//! Why evidence or a certificate was refused.

use types::service::Role;
use types::time::UnixMillis;

use crate::claims::{ConfigId, Measurement, PlatformId, SnpAuthor, TcbStatus};
use crate::identity::Deployment;
use crate::platform::Platform;
use crate::reference::Allowance;
use crate::snp::{SnpProduct, SnpTcb};
use crate::tpm::{PcrSelection, TpmKeyName};

/// Why an appraisal said no. Every reason is the peer's or the policy's; none is a fault of the verifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The policy has no reference value of this platform for this role, or does not allow the platform by name.
    #[error("the policy accepts no {platform} platform as {role}")]
    PlatformNotAccepted {
        /// The evidence's platform.
        platform: Platform,
        /// The role that the peer claims.
        role: Role,
    },
    /// The TPM's attestation key is none of those that the policy lists.
    #[error("the TPM's attestation key {0} is not listed")]
    TpmKeyUnknown(TpmKeyName),
    /// The TPM quoted other PCRs than the policy names.
    #[error("the quote is over PCRs {found}, not {accepted}")]
    PcrSelection {
        /// What the evidence says.
        found: PcrSelection,
        /// What the policy demands.
        accepted: PcrSelection,
    },
    /// The platform is accepted, but what runs on it is not among the reference values of the role.
    #[error("no reference value of {role} has the measurement {measurement}")]
    MeasurementUnknown {
        /// The role that the peer claims.
        role: Role,
        /// What the evidence says is running.
        measurement: Box<Measurement>,
    },
    /// The evidence was made for something else: another key, another connection.
    #[error("the evidence binds other report data")]
    ReportDataDiffers,
    /// The evidence was not signed by the platform's trust anchor, or was changed since.
    #[error("the evidence's signature does not verify under the platform's root")]
    BadSignature,
    /// Too old.
    #[error("the {what} expired at {} ms since 1970", not_after.0)]
    Expired {
        /// What is dated so: evidence, certificate.
        what: &'static str,
        /// Its last instant.
        not_after: UnixMillis,
    },
    /// From the future.
    #[error("the {what} is valid only from {} ms since 1970", not_before.0)]
    NotYetValid {
        /// What is dated so: evidence, certificate.
        what: &'static str,
        /// Its first instant.
        not_before: UnixMillis,
    },
    /// The platform runs the code in a mode in which its operator can look inside.
    #[error("the platform is in debug mode")]
    Debug,
    /// The code's security version is below the role's minimum.
    #[error("security version {found} is below the minimum {minimum}")]
    SecurityVersion {
        /// What the evidence says.
        found: u32,
        /// What the policy demands.
        minimum: u32,
    },
    /// The platform's firmware and processor are in a state that the policy does not allow.
    #[error("the platform's TCB status is {0}")]
    Tcb(TcbStatus),
    /// The platform's firmware and processor are older than everything that their maker rates.
    #[error("the platform's TCB is below every level that its maker rates")]
    TcbBelowEveryLevel,
    /// The state of the platform's firmware and processor is too old, whatever its rating.
    #[error("the platform's TCB is of {} ms since 1970, before the minimum {}", found.0, minimum.0)]
    TcbTooOld {
        /// When the maker's word for that state was newest.
        found: UnixMillis,
        /// What the policy demands.
        minimum: UnixMillis,
    },
    /// The SEV-SNP firmware is older than the policy demands.
    #[error("the {product}'s firmware is of {found}, below the minimum {minimum}")]
    SnpTcb {
        /// The processor's family.
        product: SnpProduct,
        /// What the evidence says.
        found: Box<SnpTcb>,
        /// What the policy demands.
        minimum: Box<SnpTcb>,
    },
    /// The policy has minima of SEV-SNP firmware, but none for this family of processors.
    #[error("the policy names no minimum of firmware for {0}")]
    SnpProduct(SnpProduct),
    /// Somebody at another privilege level of the SEV-SNP machine asked for the report.
    #[error("the report was made at VMPL {found}, not {accepted}")]
    Vmpl {
        /// What the evidence says.
        found: u32,
        /// What the policy demands.
        accepted: u32,
    },
    /// Somebody signed the launch of the SEV-SNP machine, or nobody did, whom the policy does not list.
    #[error("the launch's author {0} is not listed")]
    SnpAuthor(SnpAuthor),
    /// The machine is what the policy does not allow by name.
    #[error("the policy does not allow {0}")]
    NotAllowed(Allowance),
    /// The machine is none of those that the policy lists.
    #[error("the platform is not listed: {}", list(ids))]
    PlatformNotListed {
        /// What the machine calls itself.
        ids: Vec<PlatformId>,
    },
    /// Whoever started the code bound something to it that the policy does not list.
    #[error("the config id {0} is not listed")]
    ConfigIdUnknown(ConfigId),
    /// The evidence for the session is of other code than the certificate's.
    #[error("the session's evidence is of other code than the certificate's: {0}")]
    OtherMeasurement(Box<Measurement>),
    /// The evidence for the session is of another machine, or was started otherwise, than the certificate's.
    #[error("the session's evidence is of another machine than the certificate's")]
    OtherMachine,
    /// The peer did not attest the session as it should.
    #[error("the peer did not attest this session")]
    SessionNotAttested,
    /// The evidence's certificates lead to another root than the pinned one.
    #[error("the evidence leads to another root than that of the maker of {0} platforms")]
    OtherRoot(Platform),
    /// The platform's maker has revoked a certificate or key that the evidence rests on.
    #[error("the {0} is revoked")]
    Revoked(&'static str),
    /// The verifier holds no collateral for this machine.
    #[error("no collateral for {platform} machines of the kind {kind}")]
    CollateralMissing {
        /// The evidence's platform.
        platform: Platform,
        /// The maker's name for machines like this one (Intel FMSPC in hexadecimal, and the CA that issues for it).
        kind: String,
    },
    /// The collateral is authentic and in date, but older than the policy accepts: somebody may have turned a clock
    /// back.
    #[error("the collateral is older than the policy's floor")]
    CollateralBelowFloor,
    /// The evidence or its collateral contradicts itself or the maker's rules, in the verifier's words.
    #[error("the {platform} evidence is refused: {reason}")]
    Unverifiable {
        /// The evidence's platform.
        platform: Platform,
        /// What the verifier says.
        reason: String,
    },
    /// The certificate carries no evidence.
    #[error("the certificate carries no evidence (extension 2.23.133.5.4.9)")]
    EvidenceMissing,
    /// The certificate's evidence vouches for another public key than the certificate's.
    #[error("the evidence vouches for another public key")]
    KeyNotBound,
    /// The certificate names not exactly one URI, or one that is no service's identity.
    #[error("the certificate's identity is refused")]
    Identity(#[source] IdentityRefusal),
    /// The peer is a service of another deployment.
    #[error("the peer belongs to deployment `{0}`")]
    OtherDeployment(Deployment),
    /// The peer is a service of this deployment, but not one that may stand here.
    #[error("the peer is {0}, which is not expected here")]
    OtherRole(Role),
    /// The bytes are not what they should be.
    #[error("malformed {part}")]
    Malformed {
        /// Which part of the input.
        part: &'static str,
        /// What is wrong with it.
        #[source]
        fault: Fault,
    },
}

/// Why a certificate's subject alternative names identify no service.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityRefusal {
    /// No URI among the names.
    #[error("it names no URI")]
    Missing,
    /// Two or more URIs: which one would count is for an attacker to choose.
    #[error("it names more than one URI")]
    Several,
    /// The URI is not `teehouse://DEPLOYMENT/ROLE`.
    #[error("its URI is not teehouse://DEPLOYMENT/ROLE")]
    NotAnIdentity,
}

/// What is wrong with malformed bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Longer than allowed.
    #[error("longer than {limit} bytes")]
    TooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// Ends before it should.
    #[error("truncated")]
    Truncated,
    /// Goes on after its end.
    #[error("trailing bytes")]
    TrailingBytes,
    /// Not in the one encoding that is allowed (RFC 8949, section 4.2.1).
    #[error("not in deterministic encoding")]
    NotDeterministic,
    /// Something else was expected in this place.
    #[error("expected {0}")]
    Expected(&'static str),
}

fn list(ids: &[PlatformId]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl Fault {
    /// The refusal of an input whose `part` has this fault.
    pub(crate) fn of(self, part: &'static str) -> Refusal {
        Refusal::Malformed { part, fault: self }
    }
}
