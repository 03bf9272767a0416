//! Who agreed to what: the approvals of a task, which of them stand, and whether they are enough.
//!
//! An approval is of one manifest. When the manifest changes, approvals that named the old one lapse, and their parties
//! must look again. An approval in the documented way names none: it is recorded as one of the manifest as it stood, and
//! stands when other parties bring their files, because that protocol has no second round; it lapses when anything
//! else changes.

use serde::{Deserialize, Serialize};
use types::consent::{Approval, ApprovalRule, ApprovedBy, TaskManifest};
use types::digest::Digest;
use types::time::UnixMillis;
use types::user::UserId;

use crate::approval::{NotSigned, Statement};
use crate::canonical::NotCanonical;
use crate::manifest;

/// What of a task changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A party brought files.
    Files,
    /// Anything else.
    Terms,
}

/// The approvals of one task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    /// Those that stand; at most one of each party.
    standing: Vec<Approval>,
    /// Those that were given to earlier manifests, or were replaced by stronger ones.
    lapsed: Vec<Approval>,
}

/// The party approved the same in the same way before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Already;

impl Agreement {
    /// The approvals that stand.
    pub fn standing(&self) -> &[Approval] {
        &self.standing
    }

    /// The approvals that do not stand any more.
    pub fn lapsed(&self) -> &[Approval] {
        &self.lapsed
    }

    /// The approval of a party, if it stands.
    pub fn of(&self, user: &UserId) -> Option<&Approval> {
        self.standing.iter().find(|approval| approval.user_id == *user)
    }

    /// Takes an approval, which was found good. One that names its manifest, or that is signed, replaces a weaker one.
    ///
    /// # Errors
    /// [`Already`] when one that is as strong stands.
    pub fn approve(&mut self, approval: Approval) -> Result<(), Already> {
        if let Some(at) = self.standing.iter().position(|standing| standing.user_id == approval.user_id) {
            if strength(&approval) <= strength(&self.standing[at]) {
                return Err(Already);
            }
            self.lapsed.push(self.standing.remove(at));
        }
        self.standing.push(approval);
        Ok(())
    }

    /// What is to be approved changed to another manifest: whose approvals lapse by that.
    pub fn change(&mut self, manifest: &Digest, change: Change) -> Vec<UserId> {
        let stays = |approval: &Approval| match change {
            Change::Files => !approval.exact || approval.manifest == *manifest,
            Change::Terms => approval.manifest == *manifest,
        };
        let (standing, lapsed) = std::mem::take(&mut self.standing).into_iter().partition(stays);
        self.standing = standing;
        let whose = lapsed.iter().map(|approval: &Approval| approval.user_id.clone()).collect();
        self.lapsed.extend(lapsed);
        whose
    }

    /// Whether the approvals that stand are enough.
    pub fn is_reached(&self, rule: &ApprovalRule, approvers: &[UserId]) -> bool {
        reached(rule, approvers, &self.standing)
    }

    /// Whose approval is missing. With a number that must approve, these are all who may still do so.
    pub fn missing<'a>(&'a self, rule: &'a ApprovalRule, approvers: &'a [UserId]) -> impl Iterator<Item = &'a UserId> {
        let reached = self.is_reached(rule, approvers);
        let wanted = move |user: &&UserId| !reached && (rule.at_least.is_some() || needed(rule, user));
        approvers.iter().filter(wanted).filter(|user| self.of(user).is_none())
    }
}

/// Naming the manifest counts for more than not, and then a signature for more than a token.
fn strength(approval: &Approval) -> (bool, bool) {
    (approval.exact, matches!(approval.by, ApprovedBy::Signature(_)))
}

fn needed(rule: &ApprovalRule, user: &UserId) -> bool {
    rule.named.is_empty() || rule.named.contains(user)
}

fn reached(rule: &ApprovalRule, approvers: &[UserId], approvals: &[Approval]) -> bool {
    let approved = |user: &UserId| approvals.iter().any(|approval| approval.user_id == *user);
    let count = approvers.iter().filter(|user| approved(user)).count();
    match rule.at_least {
        Some(number) => count >= number as usize && rule.named.iter().all(approved),
        None => approvers.iter().filter(|user| needed(rule, user)).all(approved),
    }
}

/// A rule that no task can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRule {
    /// The number is out of range.
    #[error("at_least: 1 to {0}")]
    AtLeast(usize),
    /// Somebody is named who approves nothing, or is named twice.
    #[error("named: only parties that approve, each once")]
    Named,
    /// It is too late already.
    #[error("deadline_ms: has passed")]
    Deadline,
}

/// Checks a rule for a new task.
///
/// # Errors
/// What is wrong with it.
pub fn check_rule(rule: &ApprovalRule, approvers: &[UserId], now: UnixMillis) -> Result<(), BadRule> {
    let ApprovalRule { at_least, named, deadline_ms, exact: _ } = rule;
    if at_least.is_some_and(|number| !(1..=approvers.len()).contains(&(number as usize))) {
        return Err(BadRule::AtLeast(approvers.len()));
    }
    let once = |at: usize, user: &UserId| approvers.contains(user) && !named[..at].contains(user);
    if !named.iter().enumerate().all(|(at, user)| once(at, user)) {
        return Err(BadRule::Named);
    }
    if deadline_ms.is_some_and(|deadline| deadline < now) { Err(BadRule::Deadline) } else { Ok(()) }
}

/// Why approvals are not enough for a manifest.
#[derive(Debug, thiserror::Error)]
pub enum Insufficient {
    /// The manifest has no digest.
    #[error("the manifest: {0}")]
    Manifest(#[from] NotCanonical),
    /// An approval is of another manifest.
    #[error("{0} approved another manifest")]
    OtherManifest(UserId),
    /// A signature is not this approval's.
    #[error("{0}'s signature is not that of this approval")]
    Signature(UserId),
    /// Somebody approves who is not asked, or somebody twice.
    #[error("{0} is not to approve, or approved twice")]
    NotAnApprover(UserId),
    /// One came too late.
    #[error("{0} approved after the deadline")]
    Late(UserId),
    /// There are too few.
    #[error("not all approvals are there that the rule asks for")]
    TooFew,
}

/// What runs is not what a party approved, since the auditors said anew what may run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} approved it under another auditors' manifest; what runs has changed since, so create the task anew")]
pub struct OtherMeasurements(pub UserId);

/// Decides whether what runs here is what was approved: whoever approved exactly a manifest approved its `measurements`,
/// which are compared with those of the auditors' manifest by which services run now.
///
/// # Errors
/// A party whose approval does not hold here.
pub fn check_measured(
    agreed: Option<&Digest>,
    approvals: &[Approval],
    here: Option<&Digest>,
) -> Result<(), OtherMeasurements> {
    match approvals.iter().find(|approval| approval.exact) {
        Some(approval) if agreed.is_some() && agreed != here => Err(OtherMeasurements(approval.user_id.clone())),
        _ => Ok(()),
    }
}

/// Decides whether approvals are good and enough for a manifest, by nothing but them: for whoever releases keys, and
/// for whoever reads a receipt. A token's approval is the word of the services that took it.
///
/// # Errors
/// The first reason why they are not.
pub fn check(manifest: &TaskManifest, approvals: &[Approval]) -> Result<Digest, Insufficient> {
    let digest = manifest::digest(manifest)?;
    let rule = &manifest.approval;
    for (at, approval) in approvals.iter().enumerate() {
        let user = &approval.user_id;
        let twice = approvals[..at].iter().any(|earlier| earlier.user_id == *user);
        if twice || !manifest.approvers.contains(user) {
            return Err(Insufficient::NotAnApprover(user.clone()));
        }
        if (approval.exact || rule.exact) && approval.manifest != digest {
            return Err(Insufficient::OtherManifest(user.clone()));
        }
        if rule.deadline_ms.is_some_and(|deadline| approval.at_ms > deadline) {
            return Err(Insufficient::Late(user.clone()));
        }
        if let ApprovedBy::Signature(by) = &approval.by {
            let statement = Statement::new(manifest.task_id.clone(), user.clone(), approval.manifest);
            statement.verify(by).map_err(|NotSigned| Insufficient::Signature(user.clone()))?;
        }
    }
    if reached(rule, &manifest.approvers, approvals) { Ok(digest) } else { Err(Insufficient::TooFew) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_approvals_hold_under_their_auditors_manifest_alone() {
        let approval = |exact| Approval {
            user_id: "anna".parse().expect("a name"),
            manifest: Digest::new([0; 32]),
            by: ApprovedBy::Token,
            exact,
            at_ms: UnixMillis(0),
        };
        let [then, now] = [1, 2].map(|byte| Digest::new([byte; 32]));
        for (exact, agreed, here, holds) in [
            (true, Some(&then), Some(&then), true),
            (true, Some(&then), Some(&now), false),
            (true, Some(&then), None, false),
            (true, None, Some(&now), true),
            (false, Some(&then), Some(&now), true),
        ] {
            let found = check_measured(agreed, &[approval(exact)], here);
            assert_eq!(found.is_ok(), holds, "{exact} {agreed:?} {here:?}");
        }
    }
}
