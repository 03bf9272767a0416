//! Whether an invocation is one that the task's parties agreed on: its payload, its time.

use crypto::hash::Sha256;
use types::consent::{ManifestLimits, PayloadTerms, TaskManifest};
use types::secret::Secret;
use types::time::UnixMillis;

/// What of an invocation nobody agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAgreed {
    /// It brings a payload, and there is to be none.
    #[error(
        "the parties agreed on no payload: the creator fixes one with `teehouse task payload`, and they approve again"
    )]
    Payload,
    /// It brings another payload, or none.
    #[error("this is not the payload that the parties approved")]
    OtherPayload,
    /// It comes too early.
    #[error("the parties agreed that it starts later")]
    Early,
    /// It comes too late.
    #[error("the parties agreed that it starts earlier than now")]
    Late,
    /// The auditors said anew what may run.
    #[error("it was approved under another auditors' manifest; what runs has changed since, so create the task anew")]
    OtherMeasurements,
    /// Something of the task changed between the invocation and its start.
    #[error("what the parties agree on changed while this invocation waited: look again, then invoke it anew")]
    Changed,
}

/// Decides whether an invocation with this payload is agreed on.
///
/// # Errors
/// What of it is not.
pub(crate) fn check(manifest: &TaskManifest, payload: Option<&Secret>, now: UnixMillis) -> Result<(), NotAgreed> {
    let ManifestLimits { not_before_ms, not_after_ms, .. } = manifest.limits;
    if not_before_ms.is_some_and(|first| now < first) {
        return Err(NotAgreed::Early);
    }
    if not_after_ms.is_some_and(|last| now > last) {
        return Err(NotAgreed::Late);
    }
    let payload = payload.map(Secret::expose).filter(|text| !text.is_empty());
    match (&manifest.payload, payload) {
        (PayloadTerms::Any, _) | (PayloadTerms::None, None) => Ok(()),
        (PayloadTerms::None, Some(_)) => Err(NotAgreed::Payload),
        (PayloadTerms::Exactly(agreed), payload) => {
            let found = Sha256::digest(payload.unwrap_or_default().as_bytes());
            if found == *agreed.as_bytes() { Ok(()) } else { Err(NotAgreed::OtherPayload) }
        }
    }
}
