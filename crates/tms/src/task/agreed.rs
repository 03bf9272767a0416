//! What the parties of a task agree on, and what their approvals come to.

use consent::agreement::{Agreement, Change, OtherMeasurements};
use consent::canonical::NotCanonical;
use consent::{agreement, manifest};
use serde::{Deserialize, Serialize};
use types::consent::{
    Approval, ApprovalRule, ApprovalSignature, ApprovedBy, ManifestCode, ManifestLimits, ManifestOutput, PayloadTerms,
    TaskManifest,
};
use types::digest::Digest;
use types::file::PinnedFile;
use types::function::{FunctionInfo, FunctionType, OutputUse, PayloadUse};
use types::id::TaskId;
use types::task::{Event, Status};
use types::time::UnixMillis;
use types::trust::TrustLevel;
use types::user::UserId;
use types::wire::tms_external::TaskTerms;
use types::wire::tms_internal::{ReleaseTask, ReleasedTask};

use super::{NewTask, Task};
use crate::Error;
use crate::authz::{Approve, Bring, Change as ChangeTerms, Permit, Withdraw};

/// How often a task may run.
const RUNS: u32 = 1;

/// What was agreed on beside function, parties and files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Terms {
    approval: ApprovalRule,
    payload: PayloadTerms,
    outputs: Vec<OutputUse>,
    not_before: Option<UnixMillis>,
    not_after: Option<UnixMillis>,
    minimum_trust: TrustLevel,
    #[serde(default)]
    minimum_group: Option<u64>,
    measurements: Option<Digest>,
    purpose: String,
}

/// An approval that a party asks to be recorded.
pub(crate) struct Asked {
    /// The manifest that it names.
    pub(crate) manifest: Option<Digest>,
    /// Its signature.
    pub(crate) signature: Option<ApprovalSignature>,
    /// When it came.
    pub(crate) now: UnixMillis,
}

/// Why a task can't start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotNow {
    /// It is too early.
    Early,
    /// It is too late.
    Late,
}

impl Terms {
    pub(super) fn new(new: &NewTask<'_>, function_type: FunctionType) -> Self {
        let TaskTerms {
            approval,
            payload_sha256,
            not_before_ms,
            not_after_ms,
            time_ms: _,
            minimum_trust,
            minimum_group,
            purpose,
        } = new.terms.clone();
        Terms {
            approval: approval.unwrap_or_default(),
            payload: payload(new.function, function_type, payload_sha256),
            outputs: new.function.outputs.clone(),
            not_before: not_before_ms,
            not_after: not_after_ms,
            minimum_trust: minimum_trust.unwrap_or(TrustLevel::Simulated),
            minimum_group,
            measurements: new.measurements,
            purpose,
        }
    }

    fn check_deadline(&self, id: &TaskId, now: UnixMillis) -> Result<(), Error> {
        let late = self.approval.deadline_ms.is_some_and(|deadline| now > deadline);
        if late { Err(Error::TooLate(id.clone())) } else { Ok(()) }
    }

    /// Those of a task that was created before there were any.
    fn of_old(task: &Task) -> Self {
        let outputs = vec![OutputUse::Owner, OutputUse::Creator, OutputUse::Shared];
        let payload = if task.function_type == FunctionType::Single { PayloadTerms::Any } else { PayloadTerms::None };
        Terms {
            approval: ApprovalRule::default(),
            payload,
            outputs,
            not_before: None,
            not_after: None,
            minimum_trust: TrustLevel::Simulated,
            minimum_group: None,
            measurements: None,
            purpose: String::new(),
        }
    }
}

/// Whoever brings data of their own alone may bring any payload; several parties agree on it first.
fn payload(function: &FunctionInfo, function_type: FunctionType, fixed: Option<Digest>) -> PayloadTerms {
    match (fixed, function_type) {
        (Some(digest), _) => PayloadTerms::Exactly(digest),
        (None, _) if function.payload == Some(PayloadUse::Refused) => PayloadTerms::None,
        (None, FunctionType::Single) => PayloadTerms::Any,
        (None, _) => PayloadTerms::None,
    }
}

/// Checks what the creator demands of this function, for these approvers.
pub(crate) fn check_terms(
    terms: &TaskTerms,
    function: &FunctionInfo,
    approvers: &[UserId],
    now: UnixMillis,
) -> Result<(), Error> {
    let rule = |ok: bool, rule: &str| if ok { Ok(()) } else { Err(Error::field("terms", rule)) };
    if let Some(approval) = &terms.approval {
        agreement::check_rule(approval, approvers, now).map_err(|bad| Error::field("terms", bad.to_string()))?;
    }
    let line = terms.purpose.chars().count() <= manifest::MAX_PURPOSE && !terms.purpose.chars().any(char::is_control);
    rule(line, &format!("purpose: one line of at most {} characters", manifest::MAX_PURPOSE))?;
    rule(terms.not_after_ms.is_none_or(|last| last >= now), "not_after_ms: has passed")?;
    let order = terms.not_before_ms.zip(terms.not_after_ms).is_none_or(|(first, last)| first <= last);
    rule(order, "not_before_ms is later than not_after_ms")?;
    rule(terms.time_ms != Some(0), "time_ms: nothing runs in no time")?;
    check_group(terms.minimum_group, function).map_err(|rule| Error::field("terms", rule))
}

/// Whether a minimum group can be asked of this function.
fn check_group(minimum: Option<u64>, function: &FunctionInfo) -> Result<(), String> {
    match minimum {
        Some(_) if !function.counts => {
            let name = &function.function.name;
            Err(format!("minimum_group: {name} does not count what its results are about, so it can't keep to one"))
        }
        Some(group) if !manifest::GROUPS.contains(&group) => {
            Err(format!("minimum_group: a number from {} to {}", manifest::GROUPS.start(), manifest::GROUPS.end()))
        }
        _ => Ok(()),
    }
}

impl Task {
    /// Whom it needs the approval of.
    pub(crate) fn approvers(&self) -> Vec<UserId> {
        match self.function_type {
            FunctionType::Single => vec![self.creator.clone()],
            FunctionType::Multiparty | FunctionType::Either => self.participants().cloned().collect(),
        }
    }

    fn terms(&self) -> Terms {
        self.terms.clone().unwrap_or_else(|| Terms::of_old(self))
    }

    /// Exactly what parties approve.
    pub(crate) fn consented(&self, id: &TaskId) -> TaskManifest {
        let terms = self.terms();
        let recipients = |output: &OutputUse| match output {
            OutputUse::Creator => vec![self.creator.clone()],
            OutputUse::Shared => self.participants().cloned().collect(),
            OutputUse::Owner => {
                let owner = |user: &&UserId| self.inputs.iter().any(|input| input.user_id == **user);
                self.participants().filter(owner).cloned().collect()
            }
        };
        let output = |output: &OutputUse| ManifestOutput { output: *output, recipients: recipients(output) };
        TaskManifest {
            schema: manifest::SCHEMA,
            task_id: id.clone(),
            created_ms: self.created,
            parties: self.participants().cloned().collect(),
            function: self.function.clone(),
            code: self.code.clone().map(|code| ManifestCode { file: code.file, runtime: code.runtime }),
            inputs: self.inputs.clone(),
            payload: terms.payload,
            outputs: terms.outputs.iter().map(output).collect(),
            limits: ManifestLimits {
                time_ms: self.time_limit_ms,
                runs: RUNS,
                not_before_ms: terms.not_before,
                not_after_ms: terms.not_after,
            },
            approvers: self.approvers(),
            approval: terms.approval,
            minimum_trust: terms.minimum_trust,
            minimum_group: terms.minimum_group,
            measurements: terms.measurements,
            purpose: terms.purpose,
        }
    }

    /// What identifies it.
    pub(crate) fn digest(&self, id: &TaskId) -> Result<Digest, Error> {
        let no_form = |error: NotCanonical| Error::field("terms", error.to_string());
        self.identified.map_or_else(|| manifest::digest(&self.consented(id)).map_err(no_form), Ok)
    }

    /// Keeps what identifies it. To be called whenever it has changed: every step of a task asks for it, several times.
    fn identify(&mut self, id: &TaskId) -> Result<Digest, Error> {
        self.identified = None;
        let digest = self.digest(id)?;
        self.identified = Some(digest);
        Ok(digest)
    }

    /// The approvals. Of a task that was created before they were kept, those that it had by its parties' tokens.
    pub(crate) fn agreement(&self, id: &TaskId) -> Result<Agreement, Error> {
        if let Some(agreement) = &self.agreement {
            return Ok(agreement.clone());
        }
        let manifest = self.digest(id)?;
        let by_token = |user: &UserId| Approval {
            user_id: user.clone(),
            manifest,
            by: ApprovedBy::Token,
            exact: false,
            at_ms: self.created,
        };
        let approved = self.collaborators.iter().filter(|collaborator| collaborator.approved);
        let mut agreement = Agreement::default();
        for user in std::iter::once(&self.creator).chain(approved.map(|collaborator| &collaborator.user_id)) {
            let _ = agreement.approve(by_token(user));
        }
        Ok(agreement)
    }

    /// Whose approval is missing.
    pub(crate) fn missing(&self, id: &TaskId) -> Result<Vec<UserId>, Error> {
        let (terms, approvers, agreement) = (self.terms(), self.approvers(), self.agreement(id)?);
        Ok(agreement.missing(&terms.approval, &approvers).cloned().collect())
    }

    /// Its creator agrees by creating it, where nothing more is asked.
    pub(super) fn approve_by_creating(&mut self, id: &TaskId, signs: bool) -> Result<(), Error> {
        let mut agreement = Agreement::default();
        let terms = self.terms();
        let manifest = self.identify(id)?;
        if !terms.approval.exact && !signs {
            let user_id = self.creator.clone();
            let _ = agreement.approve(Approval {
                user_id,
                manifest,
                by: ApprovedBy::Token,
                exact: false,
                at_ms: self.created,
            });
        }
        self.settle(agreement);
        Ok(())
    }

    /// Keeps approvals, and moves the task on where they are enough and all files are there.
    fn settle(&mut self, agreement: Agreement) {
        let (terms, approvers) = (self.terms(), self.approvers());
        let reached = agreement.is_reached(&terms.approval, &approvers) && self.incomplete().is_none();
        for collaborator in &mut self.collaborators {
            collaborator.approved =
                approvers.contains(&collaborator.user_id) && agreement.of(&collaborator.user_id).is_some();
        }
        self.agreement = Some(agreement);
        if reached && self.status == Status::Created {
            self.status = self.status.after(Event::AllApproved).unwrap_or(self.status);
        }
    }

    /// What is missing of the files.
    pub(crate) fn incomplete(&self) -> Option<String> {
        if self.inputs.len() < self.rules.min {
            return Some(format!("the function needs {} files, not {}", self.rules.min, self.inputs.len()));
        }
        let multiparty = self.function_type == FunctionType::Multiparty;
        let brought = |party: &&UserId| self.inputs.iter().any(|input| input.user_id == **party);
        let nothing =
            self.participants().find(|party| !brought(party)).filter(|_| multiparty && self.rules.from_every_party);
        nothing.map(|party| format!("the function needs a file from every party, and {party} brought none"))
    }

    /// Whether a party may bring so many files now; with `last`, when nothing more can come after them.
    fn check_files(&self, user: &UserId, brings: usize, last: bool) -> Result<(), Error> {
        let brought = |party: &&UserId| self.inputs.iter().any(|input| input.user_id == **party);
        let to_come = self.participants().filter(|party| *party != user && !brought(party)).count();
        let has = if brought(&user) { 1 } else { 0 };
        self.rules.check(brings, (self.inputs.len(), has), (to_come, last))
    }

    fn check_open(&self, id: &TaskId, event: Event) -> Result<(), Error> {
        let not_approvable = |_| Error::NotApprovable { task: id.clone(), status: self.status };
        self.status.after(event).map(|_| ()).map_err(not_approvable)
    }

    /// Whether a party may approve it now, bringing so many files.
    ///
    /// # Errors
    /// When it is not waiting for approvals, the approval is not of it as it stands or not by whom it must be, the
    /// party approved before, or the number of files does not fit.
    pub(crate) fn check_approval(
        &self,
        permit: &Permit<Approve>,
        id: &TaskId,
        (asked, brings): (&Asked, usize),
    ) -> Result<(), Error> {
        let terms = self.terms();
        let user = permit.user();
        let by_token_again = asked.manifest.is_none() && self.agreement(id)?.of(user).is_some();
        if by_token_again {
            return Err(Error::ApprovedAlready(id.clone()));
        }
        self.check_open(id, Event::Approved)?;
        terms.check_deadline(id, asked.now)?;
        match asked.manifest {
            Some(_) if brings > 0 => return Err(Error::BringFirst),
            Some(named) if named != self.digest(id)? => return Err(Error::OtherManifest(id.clone())),
            None if terms.approval.exact => return Err(Error::NamesNone(id.clone())),
            _ => {}
        }
        let others = self.missing(id)?.iter().filter(|missing| *missing != user).count();
        self.check_files(user, brings, others == 0)
    }

    /// The task after a party approved it, bringing files.
    ///
    /// # Errors
    /// As [`Task::check_approval`].
    pub(crate) fn approve(
        mut self,
        permit: &Permit<Approve>,
        id: &TaskId,
        (asked, files): (&Asked, Vec<PinnedFile>),
    ) -> Result<Self, Error> {
        self.check_approval(permit, id, (asked, files.len()))?;
        let mut agreement = self.agreement(id)?;
        self.inputs.extend(files);
        let manifest = self.identify(id)?;
        agreement.change(&manifest, Change::Files);
        let by = match &asked.signature {
            Some(signature) => ApprovedBy::Signature(signature.clone()),
            None => ApprovedBy::Token,
        };
        let user_id = permit.user().clone();
        let approval = Approval { user_id, manifest, by, exact: asked.manifest.is_some(), at_ms: asked.now };
        agreement.approve(approval).map_err(|agreement::Already| Error::ApprovedAlready(id.clone()))?;
        self.settle(agreement);
        Ok(self)
    }

    /// Whether a party may bring so many files without approving.
    ///
    /// # Errors
    /// When it is not waiting for approvals, or they are too many.
    pub(crate) fn check_bringing(&self, permit: &Permit<Bring>, id: &TaskId, brings: usize) -> Result<(), Error> {
        self.check_open(id, Event::Approved)?;
        self.check_files(permit.user(), brings, false)
    }

    /// The task after a party brought files without approving: approvals that named the manifest before lapse.
    ///
    /// # Errors
    /// As [`Task::check_bringing`].
    pub(crate) fn bring(mut self, permit: &Permit<Bring>, id: &TaskId, files: Vec<PinnedFile>) -> Result<Self, Error> {
        self.check_bringing(permit, id, files.len())?;
        let mut agreement = self.agreement(id)?;
        self.inputs.extend(files);
        agreement.change(&self.identify(id)?, Change::Files);
        self.settle(agreement);
        Ok(self)
    }

    /// The task with another payload: every approval lapses. Whoever changed it agrees by that, where nothing more is
    /// asked of them.
    ///
    /// # Errors
    /// When it runs, or ended, or nobody could approve it any more.
    pub(crate) fn set_payload(
        mut self,
        permit: &Permit<ChangeTerms>,
        id: &TaskId,
        (sha256, signs, now): (Option<Digest>, bool, UnixMillis),
    ) -> Result<Self, Error> {
        self.check_open(id, Event::Changed)?;
        let mut agreement = self.agreement(id)?;
        let mut terms = self.terms();
        terms.check_deadline(id, now)?;
        terms.payload = match (sha256, self.function_type) {
            (Some(digest), _) => PayloadTerms::Exactly(digest),
            (None, FunctionType::Single) => PayloadTerms::Any,
            (None, _) => PayloadTerms::None,
        };
        let exact = terms.approval.exact;
        self.terms = Some(terms);
        let manifest = self.identify(id)?;
        agreement.change(&manifest, Change::Terms);
        if !exact && !signs {
            let user_id = permit.user().clone();
            let _ = agreement.approve(Approval { user_id, manifest, by: ApprovedBy::Token, exact: false, at_ms: now });
        }
        self.status = self.status.after(Event::Changed).unwrap_or(self.status);
        self.settle(agreement);
        Ok(self)
    }

    /// The task after a party took back its consent.
    ///
    /// # Errors
    /// When it ended.
    pub(crate) fn withdraw(mut self, permit: &Permit<Withdraw>, id: &TaskId, now: UnixMillis) -> Result<Self, Error> {
        let (user, before) = (permit.user(), self.status);
        let ended = |_| Error::EndedAlready { task: id.clone(), status: before };
        self.status = before.after(Event::Withdrawn).map_err(ended)?;
        self.lease = None;
        self.run.iter_mut().for_each(|run| run.ended = Some(now));
        self.leave_no_results();
        self.withdrawn = Some(super::Withdrawn { by: user.clone(), before, at: now });
        let message = match *user == self.creator {
            true => format!("its creator {user} cancelled it"),
            false => format!("{user} withdrew from it"),
        };
        self.error = Some(types::error::FailureReason::new(types::error::ErrorCode::PreconditionFailed, message));
        Ok(self)
    }

    /// What it may read, if it runs under the lease that is asked about.
    ///
    /// # Errors
    /// When it has no digest.
    pub(crate) fn released(&self, release: &ReleaseTask) -> Result<ReleasedTask, Error> {
        let id = &release.task_id;
        let lease = self.lease.as_ref().and_then(|lease| lease.id.as_ref());
        Ok(ReleasedTask {
            running: lease == Some(&release.lease_id),
            ended: self.status.is_final(),
            manifest: self.consented(id),
            approvals: self.agreement(id)?.standing().to_vec(),
        })
    }

    /// Whether those who approved exactly what stands approved what runs by this manifest of the auditors'.
    ///
    /// # Errors
    /// Who approved what runs by another.
    pub(crate) fn check_measured(&self, here: Option<&Digest>) -> Result<(), OtherMeasurements> {
        let agreed = self.terms.as_ref().and_then(|terms| terms.measurements.as_ref());
        let approvals = self.agreement.as_ref().map_or(&[][..], Agreement::standing);
        agreement::check_measured(agreed, approvals, here)
    }

    /// Whether the time is not one at which it may start.
    pub(crate) fn not_now(&self, now: UnixMillis) -> Option<NotNow> {
        let terms = self.terms.as_ref()?;
        if terms.not_before.is_some_and(|first| now < first) {
            return Some(NotNow::Early);
        }
        terms.not_after.filter(|last| now > *last).map(|_| NotNow::Late)
    }

    /// The least trusted platform that may run it.
    pub(crate) fn minimum_trust(&self) -> TrustLevel {
        self.terms.as_ref().map_or(TrustLevel::Simulated, |terms| terms.minimum_trust)
    }
}
