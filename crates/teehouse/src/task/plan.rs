//! `teehouse task plan`: what approving a task comes to, on one page.

use std::io::{self, Write};

use client::Teehouse;
use indicatif::HumanBytes;
use serde::Serialize;
use serde_json::Value;
use types::consent::{ApprovedBy, FilePolicy, PayloadTerms, TaskManifest};
use types::digest::Digest;
use types::file::PinnedFile;
use types::function::OutputUse;
use types::id::{FileId, TaskId};
use types::task::Status;
use types::user::UserId;
use types::wire::tms_external::{FoundManifest, FunctionDetails};

use crate::output::Output;
use crate::task::explain::explain;
use crate::task::tells::{Told, result, tells};
use crate::utc::utc;

/// How many earlier tasks are looked through for one of the same parties.
const LOOKED_AT: usize = 50;

/// Inputs that differ by less than this part of their size differ by little.
const LITTLE: u64 = 20;

/// What `plan` answers.
#[derive(Serialize)]
pub(super) struct Plan {
    #[serde(flatten)]
    found: FoundManifest,
    /// The function, where the caller may see it.
    function: Option<FunctionDetails>,
    /// What is different from the last task of the same parties and function.
    since: Option<Since>,
    /// Who gets which files.
    tells: Vec<Told>,
    /// What the caller allows of the own inputs, and how much of that was used.
    policies: Vec<OwnPolicy>,
    /// Why it does not run, in words.
    standing: Vec<String>,
}

/// What the caller allows of an own input.
#[derive(Serialize)]
struct OwnPolicy {
    file_id: FileId,
    policy: FilePolicy,
    /// How often it was used so far.
    uses: u64,
}

/// A comparison with an earlier task.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Since {
    /// The earlier task.
    task_id: TaskId,
    /// What is different, in words.
    differences: Vec<String>,
    /// Whether inputs differ by so little that both results together may tell what the difference is about.
    differs_by_little: bool,
}

pub(super) async fn run(user: &Teehouse, id: &TaskId, output: &Output) -> anyhow::Result<()> {
    let found = user.manifest(id).await?;
    let function = &found.manifest.function;
    // Who may not see a function can still be asked to agree to a task with it.
    let function = user.function(&format!("{}@{}", function.name, function.version)).await.ok();
    let since = last_like(user, &found.manifest).await?.map(|before| compare(&before, &found.manifest));
    let (standing, policies) = (explain(&found), policies(user, &found.manifest).await);
    let schema: Option<Value> = function.as_ref().and_then(|function| serde_json::from_str(&function.schema).ok());
    let tells = tells(&found.manifest, schema.as_ref());
    let plan = Plan { found, function, since, tells, policies, standing };
    output.result(&plan, |out| plan.print(user.user(), out))?;
    Ok(())
}

/// The policies of the caller's own inputs; of a file that is gone meanwhile there is none.
async fn policies(user: &Teehouse, manifest: &TaskManifest) -> Vec<OwnPolicy> {
    let mut policies = Vec::new();
    for input in manifest.inputs.iter().filter(|input| input.user_id == *user.user()) {
        let Ok(info) = user.file_info(&input.file_id).await else { continue };
        let uses = info.uses.unwrap_or_default();
        policies.extend(info.policy.map(|policy| OwnPolicy { file_id: input.file_id.clone(), policy, uses }));
    }
    policies
}

/// The last task before this one with the same parties and function that ran or may yet run.
async fn last_like(user: &Teehouse, manifest: &TaskManifest) -> anyhow::Result<Option<TaskManifest>> {
    let ids = user.list_tasks().await?;
    let earlier = ids.iter().skip_while(|id| **id != manifest.task_id).skip(1);
    for id in earlier.take(LOOKED_AT) {
        let other = user.manifest(id).await?;
        if is_like(&other.manifest, manifest) && other.status == Status::Finished {
            return Ok(Some(other.manifest));
        }
    }
    Ok(None)
}

fn is_like(one: &TaskManifest, other: &TaskManifest) -> bool {
    let sorted = |manifest: &TaskManifest| {
        let mut parties = manifest.parties.clone();
        parties.sort();
        parties
    };
    one.function.name == other.function.name && sorted(one) == sorted(other)
}

fn compare(before: &TaskManifest, now: &TaskManifest) -> Since {
    let mut differences = Vec::new();
    if before.function != now.function {
        let (old, new) = (&before.function, &now.function);
        differences.push(format!("the code: version {} then, version {} now", old.version, new.version));
    }
    if before.payload != now.payload {
        differences.push("the payload".to_owned());
    }
    if before.minimum_group != now.minimum_group {
        let (old, new) = (group(before), group(now));
        differences.push(format!("the minimum group: {old} then, {new} now"));
    }
    let mut differs_by_little = false;
    for party in &now.parties {
        let (old, new) = (of(before, party), of(now, party));
        for (old, new) in old.iter().zip(&new).filter(|(old, new)| old.sha256 != new.sha256) {
            let by = old.file_size.abs_diff(new.file_size);
            differs_by_little |= by * LITTLE < old.file_size.max(new.file_size);
            differences.push(format!(
                "{party}'s file {}: other content, {} bytes then, {} now",
                new.file_id, old.file_size, new.file_size
            ));
        }
        if old.len() != new.len() {
            differences.push(format!("{party} brought {} files then, {} now", old.len(), new.len()));
        }
    }
    Since { task_id: before.task_id.clone(), differences, differs_by_little }
}

fn group(manifest: &TaskManifest) -> String {
    manifest.minimum_group.map_or_else(|| "none".to_owned(), |group| group.to_string())
}

fn of<'a>(manifest: &'a TaskManifest, party: &UserId) -> Vec<&'a PinnedFile> {
    manifest.inputs.iter().filter(|input| input.user_id == *party).collect()
}

impl Plan {
    fn print(&self, user: &UserId, out: &mut dyn Write) -> io::Result<()> {
        let manifest = &self.found.manifest;
        writeln!(out, "task            {}", manifest.task_id)?;
        writeln!(out, "manifest        {}", self.found.manifest_sha256)?;
        if !manifest.purpose.is_empty() {
            writeln!(out, "purpose         {}", manifest.purpose)?;
        }
        self.print_code(out)?;
        self.print_inputs(out)?;
        self.print_outputs(user, out)?;
        self.print_limits(out)?;
        self.print_approvals(out)?;
        self.print_since(out)?;
        writeln!(out)?;
        self.standing.iter().try_for_each(|line| writeln!(out, "{line}"))?;
        if self.found.missing.contains(user) {
            writeln!(
                out,
                "to agree to exactly this: teehouse task approve {} --manifest {}",
                manifest.task_id, self.found.manifest_sha256
            )?;
        }
        Ok(())
    }

    fn print_code(&self, out: &mut dyn Write) -> io::Result<()> {
        let function = &self.found.manifest.function;
        writeln!(out, "\nCODE            {} version {}", function.name, function.version)?;
        if let Some(details) = &self.function {
            writeln!(out, "  does          {}", details.summary)?;
        }
        writeln!(out, "  digest        {}", function.digest)?;
        match &self.found.manifest.code {
            Some(code) => {
                writeln!(
                    out,
                    "  author        {} ({} of code, SHA-256 {})",
                    code.file.user_id,
                    HumanBytes(code.file.file_size),
                    code.file.sha256
                )?;
                writeln!(out, "  endorsed by   nobody: it is its author's word")
            }
            None => {
                let by = self.found.manifest.measurements.as_ref().map(Digest::to_string);
                writeln!(
                    out,
                    "  endorsed by   the auditors, as part of the platform: manifest {}",
                    by.as_deref().unwrap_or("unknown")
                )
            }
        }
    }

    fn print_inputs(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "\nREADS")?;
        for input in &self.found.manifest.inputs {
            let from = input.from_task.as_ref().map(|task| format!(", a result of task {task}")).unwrap_or_default();
            writeln!(
                out,
                "  {:<12}  {} ({}{from})",
                input.user_id.as_str(),
                input.file_id,
                HumanBytes(input.file_size)
            )?;
            writeln!(out, "                SHA-256 {}", input.sha256)?;
            if let Some(own) = self.policies.iter().find(|own| own.file_id == input.file_id) {
                own.print(out)?;
            }
        }
        match &self.found.manifest.payload {
            PayloadTerms::None => writeln!(out, "  payload       none"),
            PayloadTerms::Any => writeln!(out, "  payload       whatever its creator sends"),
            PayloadTerms::Exactly(digest) => writeln!(out, "  payload       the one with SHA-256 {digest}"),
        }
    }

    /// Who learns what. Of everything, somebody learns whether it ran and how it ended.
    fn print_outputs(&self, user: &UserId, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "\nTELLS")?;
        for party in &self.found.manifest.parties {
            let you = if party == user { " (you)" } else { "" };
            let told = self.tells.iter().filter(|told| told.party == *party);
            let told: Vec<String> = told.map(|told| self.in_words(told)).collect();
            let told = if told.is_empty() { "no file".to_owned() } else { told.join("; ") };
            writeln!(out, "  {party}{you}: {told}")?;
        }
        let schema = self.function.as_ref().and_then(|function| serde_json::from_str(&function.schema).ok());
        let (text, bytes) = schema.map_or((None, None), |schema: Value| result(&self.found.manifest, &schema));
        let size = bytes.map(|bytes| format!(", about {}", HumanBytes(bytes))).unwrap_or_default();
        writeln!(out, "  whoever runs it: the function's result text{size}")?;
        text.map_or(Ok(()), |text| writeln!(out, "                {text}"))
    }

    fn in_words(&self, told: &Told) -> String {
        let kind = match told.output {
            OutputUse::Owner => "a file about each of their own inputs",
            OutputUse::Creator => "a file for the creator alone",
            OutputUse::Shared => "a file that all parties get",
        };
        let text = told.description.as_ref().map(|text| format!(" ({text})")).unwrap_or_default();
        let most = self.function.as_ref().and_then(|function| function.code.as_ref()?.limits.output_bytes);
        let size = match (told.about_bytes, most) {
            (Some(bytes), _) => format!("about {}", HumanBytes(bytes)),
            (None, Some(bytes)) => format!("at most {}", HumanBytes(bytes)),
            (None, None) => "as large as its content makes it".to_owned(),
        };
        format!("{kind}{text}, {size}")
    }

    fn print_limits(&self, out: &mut dyn Write) -> io::Result<()> {
        let manifest = &self.found.manifest;
        let limits = &manifest.limits;
        writeln!(out, "\nLIMITS          one run of at most {} s", limits.time_ms.div_ceil(1000))?;
        if let Some(first) = limits.not_before_ms {
            writeln!(out, "  not before    {}", utc(first))?;
        }
        if let Some(last) = limits.not_after_ms {
            writeln!(out, "  not after     {}", utc(last))?;
        }
        writeln!(out, "  platform      at least {}", manifest.minimum_trust)?;
        match manifest.minimum_group {
            Some(group) => {
                writeln!(out, "  group         results about fewer than {group} records, or none, are refused")
            }
            None => Ok(()),
        }
    }

    fn print_approvals(&self, out: &mut dyn Write) -> io::Result<()> {
        let rule = &self.found.manifest.approval;
        let wanted = match (rule.at_least, rule.named.is_empty()) {
            (Some(number), true) => format!("{number} of {}", self.found.manifest.approvers.len()),
            (Some(number), false) => {
                format!("{number} of {}, {} among them", self.found.manifest.approvers.len(), names(&rule.named))
            }
            (None, false) => names(&rule.named),
            (None, true) => "everyone".to_owned(),
        };
        writeln!(out, "\nAPPROVALS       {wanted} must approve")?;
        if let Some(deadline) = rule.deadline_ms {
            writeln!(out, "  until         {}", utc(deadline))?;
        }
        for approval in &self.found.approvals {
            let by = match (&approval.by, approval.exact) {
                (ApprovedBy::Signature(_), _) => "signed exactly this",
                (ApprovedBy::Token, true) => "approved exactly this, by token",
                (ApprovedBy::Token, false) => "approved by token, whatever files others bring",
            };
            writeln!(out, "  {:<12}  {by}, {}", approval.user_id.as_str(), utc(approval.at_ms))?;
        }
        self.found.missing.iter().try_for_each(|user| writeln!(out, "  {:<12}  has not approved this", user.as_str()))
    }

    fn print_since(&self, out: &mut dyn Write) -> io::Result<()> {
        let Some(since) = &self.since else { return Ok(()) };
        writeln!(out, "\nSINCE           task {}, the last of the same parties and function", since.task_id)?;
        if since.differences.is_empty() {
            writeln!(out, "  nothing is different")?;
        }
        since.differences.iter().try_for_each(|line| writeln!(out, "  {line}"))?;
        match since.differs_by_little {
            true => {
                writeln!(out, "  BEWARE: inputs differ by little; both results together may tell what that is about")
            }
            false => Ok(()),
        }
    }
}

impl OwnPolicy {
    /// What is used up of it.
    fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        if let Some(most) = self.policy.uses {
            writeln!(out, "                you allow {most} uses of it, of which {} are taken", self.uses)?;
        }
        match self.policy.not_after_ms {
            Some(last) => writeln!(out, "                you allow that until {}", utc(last)),
            None => Ok(()),
        }
    }
}

fn names(users: &[UserId]) -> String {
    users.iter().map(UserId::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
pub(super) mod tests {
    use types::consent::{ApprovalRule, ManifestLimits};
    use types::function::FunctionRef;
    use types::time::UnixMillis;
    use types::trust::TrustLevel;

    use super::*;

    pub(in crate::task) fn manifest(inputs: &[(&str, u8, u64)]) -> TaskManifest {
        let user = |name: &str| name.parse().expect("a good name");
        let input = |(name, content, size): &(&str, u8, u64)| PinnedFile {
            user_id: user(name),
            file_id: "file".parse().expect("short"),
            sha256: Digest::new([*content; 32]),
            file_size: *size,
            from_task: None,
        };
        TaskManifest {
            schema: 1,
            task_id: "task".parse().expect("short"),
            created_ms: UnixMillis(0),
            parties: vec![user("alice"), user("bob")],
            function: FunctionRef { name: "psi".into(), version: 1, digest: Digest::new([0; 32]) },
            code: None,
            inputs: inputs.iter().map(input).collect(),
            payload: PayloadTerms::None,
            outputs: Vec::new(),
            limits: ManifestLimits { time_ms: 1, runs: 1, not_before_ms: None, not_after_ms: None },
            approvers: Vec::new(),
            approval: ApprovalRule::default(),
            minimum_trust: TrustLevel::Simulated,
            minimum_group: None,
            measurements: None,
            purpose: String::new(),
        }
    }

    fn check(now: &[(&str, u8, u64)], differences: usize, by_little: bool) {
        let before = manifest(&[("alice", 1, 3200), ("bob", 2, 6400)]);
        let since = compare(&before, &manifest(now));
        assert_eq!((since.differences.len(), since.differs_by_little), (differences, by_little), "{since:?}");
    }

    #[test]
    fn a_few_rows_more_or_less_are_reported() {
        check(&[("alice", 1, 3200), ("bob", 2, 6400)], 0, false);
        check(&[("alice", 3, 3232), ("bob", 2, 6400)], 1, true);
        check(&[("alice", 3, 3200), ("bob", 2, 6400)], 1, true);
        check(&[("alice", 3, 9000), ("bob", 4, 100)], 2, false);
        check(&[("alice", 1, 3200), ("bob", 2, 6400), ("bob", 3, 6400)], 1, false);
    }
}
