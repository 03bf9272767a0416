//! What a receipt proves, found out from the receipt and the auditors' manifest alone.
//!
//! ```text
//! receipt ── signature, evidence (tms) ──▶ Receipt ─┬─ manifest ── digest ── approvals: enough, and signed where they say so
//!                                                   ├─ run ── signature, evidence (fns) ── of this manifest, as agreed on
//!                                                   └─ log ── checkpoint (tms) ── inclusion ── of this end of this task
//! ```

use attest::appraise::Verifier;
use attest::claims::Claims;
use attest::identity::Deployment;
use attest::platform::Platform;
use crypto::hash::Sha256;
use types::consent::{ApprovedBy, PayloadTerms, SignedStatement, TaskManifest};
use types::digest::Digest;
use types::log::Event;
use types::receipt::{LogReceipt, RECEIPT, RUN, Receipt, RunReceipt, RunStatement, SCHEMA};
use types::service::Role;
use types::task::Status;
use types::time::UnixMillis;
use types::user::UserId;

use crate::agreement::{self, Insufficient};
use crate::log::checkpoint::{BadCheckpoint, Checkpoint};
use crate::log::{entry, tree};
use crate::manifest;
use crate::statement::{self, NotBelieved};

/// The longest receipt, in bytes: a thousand inputs fit.
pub const MAX_BYTES: usize = 4 << 20;

/// How far the clocks of two machines may differ, in milliseconds.
const CLOCK_SKEW_MS: u64 = 300_000;

/// How old the evidence of a key may be when the key signs, in milliseconds: it is renewed each day, and a platform that
/// gives none for a while must not spoil receipts. Nothing signs the instant at which evidence was made, and it is
/// appraised as of then: who could choose it freely could choose a day before a platform was found to be broken.
const EVIDENCE_AGE_MS: u64 = 7 * 24 * 3_600_000;

/// A receipt that was found to be right.
#[derive(Debug)]
pub struct Proven {
    /// What it says.
    pub receipt: Receipt,
    /// What the node said of the run, if it said anything.
    pub run: Option<RunStatement>,
    /// What signed it.
    pub tms: Claims,
    /// What ran the function, if it said so.
    pub node: Option<Claims>,
    /// How large the log was that has it, if it is in one.
    pub log_size: Option<u64>,
}

/// Why a receipt proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum NotProven {
    /// The receipt itself is not to be believed.
    #[error("the receipt: {0}")]
    Receipt(#[source] NotBelieved),
    /// It is in another version of the format.
    #[error("the receipt has format {0}, and this program reads format {SCHEMA}")]
    Schema(u32),
    /// It is another deployment's.
    #[error("the receipt is of the deployment `{found}`, and the manifest is for `{expected}`")]
    OtherDeployment {
        /// Whose it is.
        found: String,
        /// Whose it should be.
        expected: String,
    },
    /// The evidence for a key is not of the time at which the key signed.
    #[error("the evidence for the key that signed is not of that time")]
    EvidenceTime,
    /// The digest in it is not the manifest's.
    #[error("the manifest in the receipt is not the one that it names")]
    OtherManifest,
    /// The task ran and was not approved.
    #[error("the approvals: {0}")]
    Approvals(#[from] Insufficient),
    /// The node's statement is not to be believed.
    #[error("the node's statement: {0}")]
    Run(#[source] NotBelieved),
    /// The node states something that does not belong to the rest.
    #[error("the node's statement and the receipt contradict each other: {0}")]
    Contradiction(&'static str),
    /// What ran was not agreed on.
    #[error("what ran is not what was agreed on: {0}")]
    NotAgreed(&'static str),
    /// The checkpoint is not to be believed.
    #[error("{0}")]
    Checkpoint(#[from] BadCheckpoint),
    /// The log does not have it.
    #[error("the log that the receipt names does not have it")]
    NotLogged,
}

impl Proven {
    /// Whether any part of it is the word of a simulated platform, which proves nothing.
    pub fn is_simulated(&self) -> bool {
        let simulated = |claims: &Claims| claims.platform() == Platform::Simulated;
        simulated(&self.tms) || self.node.as_ref().is_some_and(simulated)
    }

    /// Who approved with a signature, which needs nobody else's word.
    pub fn signers(&self) -> impl Iterator<Item = &UserId> {
        let signed = self.receipt.approvals.iter().filter(|approval| matches!(approval.by, ApprovedBy::Signature(_)));
        signed.map(|approval| &approval.user_id)
    }
}

/// Verifies a receipt. `verifier` judges by the auditors' manifest of `deployment`.
///
/// # Errors
/// The first reason why it proves nothing.
pub fn verify(signed: &SignedStatement, verifier: &Verifier<'_>, deployment: &Deployment) -> Result<Proven, NotProven> {
    let receipt: Receipt = statement::open(signed, RECEIPT).map_err(NotProven::Receipt)?;
    if receipt.schema != SCHEMA {
        return Err(NotProven::Schema(receipt.schema));
    }
    if receipt.deployment != deployment.as_str() {
        let (found, expected) = (receipt.deployment, deployment.as_str().to_owned());
        return Err(NotProven::OtherDeployment { found, expected });
    }
    timely(signed, receipt.issued_ms)?;
    let tms = statement::appraise(&signed.signer, verifier, Role::Tms).map_err(NotProven::Receipt)?.into_inner();
    if manifest::digest(&receipt.manifest).ok() != Some(receipt.manifest_sha256) {
        return Err(NotProven::OtherManifest);
    }
    let (run, node) = match &receipt.run {
        None if receipt.status == Status::Finished => {
            return Err(NotProven::Contradiction("it finished without a run"));
        }
        None => (None, None),
        Some(run) => ran(&receipt, run, verifier)?,
    };
    let log_size =
        receipt.log.as_ref().map(|log| logged(&receipt, log, deployment, &signed.signer.key.0)).transpose()?;
    Ok(Proven { receipt, run, tms, node, log_size })
}

/// Checks that evidence was made about when its key signed.
fn timely(signed: &SignedStatement, at: UnixMillis) -> Result<(), NotProven> {
    let made = signed.signer.at_ms.0;
    let fits = made <= at.0.saturating_add(CLOCK_SKEW_MS) && at.0.saturating_sub(made) <= EVIDENCE_AGE_MS;
    if fits { Ok(()) } else { Err(NotProven::EvidenceTime) }
}

/// Checks what ran against what was agreed on.
fn ran(
    receipt: &Receipt,
    run: &RunReceipt,
    verifier: &Verifier<'_>,
) -> Result<(Option<RunStatement>, Option<Claims>), NotProven> {
    agreement::check(&receipt.manifest, &receipt.approvals)?;
    let limits = &receipt.manifest.limits;
    let agreed = |ok: bool, what| if ok { Ok(()) } else { Err(NotProven::NotAgreed(what)) };
    agreed(run.trust >= receipt.manifest.minimum_trust, "a less trusted platform")?;
    agreed(limits.not_before_ms.is_none_or(|first| run.started_ms >= first), "it started too early")?;
    agreed(limits.not_after_ms.is_none_or(|last| run.started_ms <= last), "it started too late")?;
    let Some(signed) = &run.statement else { return Ok((None, None)) };
    let stated: RunStatement = statement::open(signed, RUN).map_err(NotProven::Run)?;
    timely(signed, stated.ended_ms)?;
    let node = statement::appraise(&signed.signer, verifier, Role::Fns).map_err(NotProven::Run)?.into_inner();
    let same = |ok: bool, what| if ok { Ok(()) } else { Err(NotProven::Contradiction(what)) };
    same(stated.schema == SCHEMA, "the format")?;
    same(stated.task_id == receipt.manifest.task_id, "the task")?;
    same(stated.manifest_sha256 == receipt.manifest_sha256, "the manifest")?;
    same(stated.status == receipt.status, "how it ended")?;
    same(stated.error == receipt.error, "why it failed")?;
    same(node.platform().level() == run.trust, "the node's platform")?;
    same(stated.started_ms <= stated.ended_ms, "when it ran")?;
    same(stated.started_ms.0.abs_diff(run.started_ms.0) <= CLOCK_SKEW_MS, "when it ran")?;
    agreed(pays(&receipt.manifest, stated.payload_sha256), "the payload")?;
    agreed(recipients(&receipt.manifest, &stated), "the recipients of an output")?;
    Ok((Some(stated), Some(node)))
}

fn pays(manifest: &TaskManifest, payload: Option<Digest>) -> bool {
    let nothing = Digest::new(Sha256::digest(b""));
    match manifest.payload {
        PayloadTerms::Any => true,
        PayloadTerms::None => payload.is_none_or(|payload| payload == nothing),
        PayloadTerms::Exactly(agreed) => payload.unwrap_or(nothing) == agreed,
    }
}

/// Whether every output went to parties that the manifest lets receive one.
fn recipients(manifest: &TaskManifest, run: &RunStatement) -> bool {
    let receives = |user: &UserId| manifest.outputs.iter().any(|output| output.recipients.contains(user));
    run.outputs.iter().flat_map(|output| &output.recipients).all(receives)
}

/// Checks that the log has this end of this task; how large the log was.
fn logged(receipt: &Receipt, log: &LogReceipt, deployment: &Deployment, key: &[u8]) -> Result<u64, NotProven> {
    let Checkpoint { size, root } = Checkpoint::open(&log.checkpoint, deployment, key)?;
    let proof: Vec<tree::Hash> = log.proof.iter().map(|hash| *hash.as_bytes()).collect();
    let leaf = tree::leaf(&log.entry.0);
    tree::verify_inclusion(&leaf, log.index, size, &proof, &root).map_err(|_| NotProven::NotLogged)?;
    let found = entry::open(&log.entry.0).map_err(|_| NotProven::NotLogged)?;
    let event = entry::event(&found).ok_or(NotProven::NotLogged)?;
    let statement = receipt.run.as_ref().and_then(|run| run.statement.as_ref());
    let stated = statement.map(|signed| Digest::new(Sha256::digest(&signed.payload.0)));
    let (task, manifest, as_ended) = match &event {
        Event::Finished { task_id, manifest, run_sha256, .. } => {
            (task_id, manifest, receipt.status == Status::Finished && *run_sha256 == stated)
        }
        Event::Failed { task_id, manifest, run_sha256, .. } => {
            (task_id, manifest, receipt.status == Status::Failed && *run_sha256 == stated)
        }
        Event::Withdrawn { task_id, manifest, .. } | Event::Cancelled { task_id, manifest, .. } => {
            (task_id, manifest, receipt.status == Status::Failed)
        }
        _ => return Err(NotProven::NotLogged),
    };
    let same = *task == receipt.manifest.task_id && *manifest == Some(receipt.manifest_sha256);
    if same && as_ended { Ok(size) } else { Err(NotProven::NotLogged) }
}
