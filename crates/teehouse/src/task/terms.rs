//! What the creator of a task demands of it, as `teehouse task create` takes it.

use types::consent::ApprovalRule;
use types::secret::Secret;
use types::trust::TrustLevel;
use types::user::UserId;
use types::wire::tms_external::TaskTerms;

use crate::manifest::DateArg;
use crate::task::agree::digest;
use crate::task::read_payload;

/// What a new task's creator demands.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Terms")]
pub(super) struct Args {
    /// The payload of its run, which the others approve with it: a text, or @FILE that holds it
    #[arg(long, value_name = "TEXT|@FILE", value_parser = crate::settings::secret)]
    payload: Option<Secret>,
    /// What the results are for, in one line
    #[arg(long, value_name = "TEXT", default_value = "")]
    purpose: String,
    /// How many parties must approve, you included; everyone otherwise
    #[arg(long, value_name = "NUMBER")]
    at_least: Option<u32>,
    /// A party who must approve in any case; may be said more than once
    #[arg(long, value_name = "USER")]
    named: Vec<UserId>,
    /// The last instant at which it can be approved
    #[arg(long, value_name = "DATE")]
    approve_until: Option<DateArg>,
    /// Take no approval that does not name the manifest that it is of
    #[arg(long)]
    exact: bool,
    /// The first instant at which it may start
    #[arg(long, value_name = "DATE")]
    not_before: Option<DateArg>,
    /// The last instant at which it may start
    #[arg(long, value_name = "DATE")]
    not_after: Option<DateArg>,
    /// How many seconds it may run
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<u64>,
    /// The least trusted platform that may run it: simulated, tpm or confidential
    #[arg(long, value_name = "LEVEL")]
    minimum_trust: Option<TrustLevel>,
    /// The fewest records that a result may be about: with fewer, or none, the run fails and says no number
    #[arg(long, value_name = "N")]
    minimum_group: Option<u64>,
}

impl Args {
    /// The terms as the tms takes them.
    pub(super) fn read(self) -> anyhow::Result<TaskTerms> {
        let payload = self.payload.map(read_payload).transpose()?;
        let date = |date: Option<DateArg>| date.map(|date| date.0);
        let rule = ApprovalRule {
            at_least: self.at_least,
            named: self.named,
            deadline_ms: date(self.approve_until),
            exact: self.exact,
        };
        Ok(TaskTerms {
            approval: Some(rule).filter(|rule| *rule != ApprovalRule::default()),
            payload_sha256: payload.as_ref().map(digest),
            not_before_ms: date(self.not_before),
            not_after_ms: date(self.not_after),
            time_ms: self.seconds.map(|seconds| seconds.saturating_mul(1000)),
            minimum_trust: self.minimum_trust,
            minimum_group: self.minimum_group,
            purpose: self.purpose,
        })
    }
}
