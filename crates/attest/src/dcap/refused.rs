//! Why `dcap-qvl` refused, in our words.
//!
//! It answers with text. What our policy refused is carried inside as it is; the few texts that have a [`Refusal`] of
//! their own are told apart here; every other is passed on. A text that changed would make a refusal less precise, never
//! make it an acceptance, and tests meet each of these.

use crate::claims::TcbStatus;
use crate::platform::Platform;
use crate::refusal::Refusal;

/// Texts of signatures that don't verify, and of chains that lead nowhere.
const BAD_SIGNATURE: [&str; 5] = [
    "Signature is invalid for qe_report",
    "QE report hash mismatch",
    "ISV enclave report signature is invalid",
    "Failed to verify certificate chain: UnknownIssuer",
    "Failed to verify certificate chain: InvalidSignatureForPublicKey",
];

const REVOKED_CERTIFICATE: &str = "CertRevoked";
const NO_LEVEL: &str = "No matching TCB level found";
const REVOKED_TCB: &str = "TCB status is invalid: Revoked";

/// What a refusal by the verifier means.
pub(super) fn refusal(platform: Platform, error: anyhow::Error) -> Refusal {
    match error.downcast::<Refusal>() {
        Ok(refusal) => refusal,
        Err(error) => told_apart(platform, format!("{error:#}")),
    }
}

fn told_apart(platform: Platform, reason: String) -> Refusal {
    if BAD_SIGNATURE.iter().any(|text| reason.starts_with(text)) {
        Refusal::BadSignature
    } else if reason.contains(REVOKED_CERTIFICATE) {
        Refusal::Revoked("platform's certificate, or one that vouches for it,")
    } else if reason == NO_LEVEL {
        Refusal::TcbBelowEveryLevel
    } else if reason == REVOKED_TCB {
        Refusal::Tcb(TcbStatus::Revoked)
    } else {
        Refusal::Unverifiable { platform, reason }
    }
}
