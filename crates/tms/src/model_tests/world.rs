//! A task, three parties, two nodes and the kms, as a [`Model`].

mod runs;

use std::collections::BTreeSet;
use std::net::SocketAddr;

use consent::agreement;
use consent::approval::Statement;
use consent::uses::{Tally, Use};
use crypto::sign::Ed25519KeyPair;
use rpc::authn::Principal;
use serde_json::Value;
use types::bytes::Base64;
use types::consent::{Approval, ApprovalKey, ApprovalRule, ApprovalSignature, PayloadTerms};
use types::digest::Digest;
use types::error::{ErrorCode, FailureReason};
use types::file::PinnedFile;
use types::function::{FunctionInfo, FunctionRef, FunctionType};
use types::id::{LeaseId, TaskId};
use types::secret::Secret;
use types::task::Status;
use types::time::UnixMillis;
use types::user::UserId;
use types::wire::tms_external::{ApproveTask, TaskTerms};
use types::wire::tms_internal::ReleaseTask;

use super::explore::Model;
use crate::agree::check_signature;
use crate::authz;
use crate::task::{Asked, NewTask, Task};

const PARTIES: [&str; 3] = ["creator", "one", "two"];
/// Who signs where somebody does.
const SIGNER: usize = 2;
const EARLY: UnixMillis = UnixMillis(1);
const DEADLINE: UnixMillis = UnixMillis(2);
const LATE: UnixMillis = UnixMillis(3);

/// What is explored.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Setting {
    /// Whether every approval must name its manifest.
    pub(super) exact: bool,
    /// How many must approve, the creator among them; everyone when absent.
    pub(super) at_least: Option<u32>,
    /// Whether there is a deadline.
    pub(super) deadline: bool,
    /// Whether a party asked that nothing but a signature approves in its name; somebody else has its token.
    pub(super) signs: bool,
    /// Whether the creator allows one use of its file.
    pub(super) one_use: bool,
    /// How many collaborators have a file to bring.
    pub(super) files: usize,
    /// Whether there is one node alone, so that nobody races.
    pub(super) one_node: bool,
    /// What is broken.
    pub(super) mutant: Option<Mutant>,
}

/// A transition that is broken, to see that it would be noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutant {
    /// Approvals stay when the manifest changes.
    KeepsApprovals,
    /// Reports count under whichever lease they come.
    TakesAnyReport,
    /// Nodes do not say by which manifest they run.
    NamesNoManifest,
    /// A withdrawal is stated, and the lease stays.
    WithdrawsLate,
}

/// What is to be approved, as far as it can change.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Content {
    inputs: Vec<PinnedFile>,
    payload: PayloadTerms,
}

/// What a party said last.
#[derive(Clone, Copy, Debug)]
struct Said {
    exact: bool,
    in_time: bool,
}

/// Where a node is with the task.
#[derive(Clone, Debug, PartialEq)]
enum Node {
    /// It was not invoked.
    Idle,
    /// It read the task, and is about to ask for the lease.
    Read(Digest),
    /// It has the lease.
    Runs,
    /// It sent its report, which may arrive late, and again.
    Reported(Status),
    /// It crashed; if it had the lease, its request for it may arrive again.
    Gone { leased: bool },
}

/// A state.
#[derive(Clone, Debug)]
pub(super) struct World {
    task: Task,
    now: UnixMillis,
    nodes: [Node; 2],
    /// What parties said of what is to be approved now.
    said: [Option<Said>; 3],
    /// The manifest at which parties look now, and the one at which they looked at first.
    standing: Digest,
    first: Digest,
    /// The uses of the creator's file, as the kms counts them.
    tally: Tally,
    held: [Option<Use>; 2],
    /// Runs whose function began.
    began: u64,
}

/// What may happen.
#[derive(Clone, Copy, Debug)]
pub(super) enum Action {
    /// A party approves in the documented way, with its file or without.
    Approve { who: usize, file: bool },
    /// A party approves the manifest that it looks at, or one at which it looked long ago.
    ApproveExactly { who: usize, stale: bool },
    /// Somebody who has the signer's token shows its signature of another manifest.
    ReplaySignature,
    /// A party brings its file.
    Bring { who: usize },
    /// The creator fixes the payload, or takes it back.
    SetPayload { fixed: bool },
    /// A party withdraws.
    Withdraw { who: usize },
    /// A node is invoked and reads the task.
    Read { node: usize },
    /// A node's request for the lease arrives; for the first time or again.
    Lease { node: usize },
    /// A node asks the kms for keys.
    Keys { node: usize },
    /// A node tells the kms that its function begins.
    Begin { node: usize },
    /// The kms gives uses back that runs did not begin with.
    Reclaim,
    /// A node reports an output before its end.
    Output { node: usize },
    /// A node ends its run and sends its report.
    End { node: usize, status: Status },
    /// A report arrives: a node's, for the first time or again, or a forged one in its name.
    Report { node: usize, status: Status },
    /// A node crashes.
    Crash { node: usize },
    /// The tms gives the lease up.
    LoseLease,
    /// The tms crashes and reads its record again.
    Restart,
    /// The deadline passes.
    Tick,
}

fn id() -> TaskId {
    "task".parse().expect("short")
}

fn user(who: usize) -> UserId {
    PARTIES[who].parse().expect("a good name")
}

fn lease(node: usize) -> LeaseId {
    format!("lease {node}").parse().expect("short")
}

fn file(who: usize) -> Vec<PinnedFile> {
    let (user_id, file_id) = (user(who), PARTIES[who].parse().expect("short"));
    vec![PinnedFile { user_id, file_id, sha256: Digest::new([0; 32]), file_size: 0, from_task: None }]
}

fn pair() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed(&[7; 32])
}

fn sign(who: usize, manifest: Digest) -> ApprovalSignature {
    let signature = pair().sign(&Statement::new(id(), user(who), manifest).signed_bytes());
    ApprovalSignature { key: Base64(pair().public_key().to_vec()), signature: Base64(signature.to_vec()) }
}

impl Setting {
    fn rule(&self) -> ApprovalRule {
        ApprovalRule {
            at_least: self.at_least,
            named: self.at_least.map(|_| user(0)).into_iter().collect(),
            deadline_ms: self.deadline.then_some(DEADLINE),
            exact: self.exact,
        }
    }

    fn principal(&self, who: usize) -> Principal {
        let key = Base64(pair().public_key().to_vec());
        match self.signs && who == SIGNER {
            true => Principal::danger_with_key_for_tests(ApprovalKey { user_id: user(who), key, required: true }),
            false => Principal::danger_for_tests(user(who)),
        }
    }

    /// A request for an approval, as the service takes it apart.
    fn approve(&self, world: &World, who: usize, file: bool, manifest: Option<(Digest, Digest)>) -> Option<Task> {
        let principal = self.principal(who);
        let signed = manifest.filter(|_| self.signs && who == SIGNER);
        let approve = ApproveTask {
            task_id: id(),
            files: Vec::new(),
            manifest: manifest.map(|(named, _)| named),
            signature: signed.map(|(_, signed)| sign(who, signed)),
            user_id: user(who),
            user_token: Secret::new("token".to_owned()),
        };
        check_signature(&principal, &approve).ok()?;
        let may = if approve.manifest.is_some() { authz::confirm } else { authz::approve };
        let permit = may(&principal, &id(), &world.task).ok()?;
        let asked = Asked { manifest: approve.manifest, signature: approve.signature, now: world.now };
        let files = if file { self::file(who) } else { Vec::new() };
        world.task.clone().approve(&permit, &id(), (&asked, files)).ok()
    }

    fn change(&self, world: &World, action: Action) -> Option<Task> {
        let task = world.task.clone();
        match action {
            Action::Bring { who } => {
                let permit = authz::bring(&self.principal(who), &id(), &task).ok()?;
                task.bring(&permit, &id(), file(who)).ok()
            }
            Action::SetPayload { fixed } => {
                let permit = authz::change(&self.principal(0), &id(), &task).ok()?;
                let sha256 = fixed.then(|| Digest::new([1; 32]));
                task.set_payload(&permit, &id(), (sha256, false, world.now)).ok()
            }
            Action::Withdraw { who } => {
                let permit = authz::withdraw(&self.principal(who), &id(), &task).ok()?;
                let withdrawn = task.clone().withdraw(&permit, &id(), world.now).ok()?;
                let forgotten = task.status() == Status::Running && self.is(Mutant::WithdrawsLate);
                let mut late = task;
                late.withdrawn = withdrawn.withdrawn.clone();
                Some(if forgotten { late } else { withdrawn })
            }
            Action::LoseLease => {
                let lease = task.lease.clone()?;
                task.lose_lease(&lease, FailureReason::new(ErrorCode::Unavailable, "lost"), world.now)
            }
            _ => None,
        }
    }

    fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// What parties say by an action that was accepted, and what of earlier words still counts: those of exactly a
    /// manifest for that manifest alone, the others for as long as only files come, each brought by its owner.
    fn note(&self, before: &World, world: &mut World, action: Action) {
        let (was, is) = (before.content(), world.content());
        let only_files = was.payload == is.payload && is.inputs.starts_with(&was.inputs);
        let counts = |said: &Said| was == is || !said.exact && only_files;
        world.said = world.said.map(|said| said.filter(counts));
        let in_time = !self.deadline || world.now <= DEADLINE;
        let mut say = |who: usize, exact| world.said[who] = Some(Said { exact, in_time });
        match action {
            Action::Approve { who, .. } => say(who, false),
            Action::ApproveExactly { who, .. } => say(who, true),
            Action::SetPayload { .. } if !self.exact => say(0, false),
            _ => {}
        }
    }

    /// Whether enough parties said that what is to be approved now may run.
    fn consented(&self, world: &World) -> bool {
        let agrees = |said: &Option<Said>| said.is_some_and(|said| said.in_time);
        let count = world.said.iter().filter(|said| agrees(said)).count();
        match self.at_least {
            Some(number) => count >= number as usize && agrees(&world.said[0]),
            None => count == PARTIES.len(),
        }
    }

    /// Approvals that lapsed stand again, as if a change forgot to drop them.
    fn forget_to_drop(task: Task) -> Task {
        let mut record = serde_json::to_value(&task).expect("JSON");
        let lapsed = record["agreement"]["lapsed"].take();
        let standing = record["agreement"]["standing"].as_array_mut().expect("a list");
        for approval in lapsed.as_array().expect("a list") {
            if standing.iter().all(|other| other["user_id"] != approval["user_id"]) {
                standing.push(approval.clone());
            }
        }
        record["agreement"]["lapsed"] = Value::Array(Vec::new());
        serde_json::from_value(record).expect("a record")
    }

    /// A request about what is to be approved, or about giving it up.
    fn ask(&self, world: &World, action: Action) -> Option<World> {
        let standing = world.standing;
        let task = match action {
            Action::Approve { who, file } => self.approve(world, who, file, None),
            Action::ApproveExactly { who, stale } => {
                let named = if stale { world.first } else { standing };
                self.approve(world, who, false, Some((named, named)))
            }
            Action::ReplaySignature => self.approve(world, SIGNER, false, Some((standing, world.first))),
            other => self.change(world, other),
        }?;
        let task = if self.is(Mutant::KeepsApprovals) { Self::forget_to_drop(task) } else { task };
        let mut after = World { task, ..world.clone() };
        if after.content() != world.content() {
            after.standing = after.digest();
        }
        self.note(world, &mut after, action);
        Some(after)
    }
}

impl World {
    fn content(&self) -> Content {
        Content { inputs: self.task.inputs.clone(), payload: self.task.consented(&id()).payload }
    }

    /// What identifies what is to be approved, made anew; the task keeps the same.
    fn digest(&self) -> Digest {
        let digest = consent::manifest::digest(&self.task.consented(&id())).expect("small numbers");
        assert_eq!(self.task.digest(&id()).expect("small numbers"), digest);
        digest
    }

    /// Whether the kms would give a node its keys: it believes the tms's record, the approvals, and no node.
    fn keys(&self, node: usize) -> bool {
        let release = ReleaseTask { task_id: id(), lease_id: lease(node) };
        let released = self.task.released(&release).expect("small numbers");
        released.running && !released.ended && agreement::check(&released.manifest, &released.approvals).is_ok()
    }

    /// What happened on the way here, for whoever wants to know that it can.
    pub(super) fn story(&self) -> impl Iterator<Item = &'static str> {
        let before = self.task.withdrawn.as_ref().map(|withdrawn| withdrawn.before);
        let lapsed = self.task.agreement(&id()).expect("small numbers").lapsed().iter().any(|approval| approval.exact);
        [
            (self.task.status() == Status::Finished, "finished"),
            (self.task.status() == Status::Failed && before.is_none(), "failed"),
            (matches!(before, Some(Status::Created | Status::Ready)), "withdrawn while it waits"),
            (before == Some(Status::Running), "withdrawn while it runs"),
            (lapsed, "lapsed"),
        ]
        .into_iter()
        .filter_map(|(is, what)| is.then_some(what))
    }
}

impl Model for Setting {
    type State = World;
    type Action = Action;

    fn first(&self) -> World {
        let function = FunctionRef { name: "f".to_owned(), version: 1, digest: Digest::new([0; 32]) };
        let info = FunctionInfo {
            function,
            function_type: FunctionType::Multiparty,
            min_files: 1,
            max_files: Some(3),
            from_every_party: false,
            summary: String::new(),
            payload: None,
            outputs: Vec::new(),
            schema: String::new(),
            counts: false,
        };
        let new = NewTask {
            creator: user(0),
            function: &info,
            code: None,
            node: SocketAddr::from(([127, 0, 0, 1], 3444)),
            collaborators: vec![user(1), user(2)],
            token: Secret::new("token".to_owned()),
            time_limit_ms: 1000,
            terms: TaskTerms { approval: Some(self.rule()), ..TaskTerms::default() },
            measurements: None,
            signs: false,
            now: EARLY,
        };
        let task = Task::new(&id(), new, file(0)).expect("small numbers");
        let first = task.digest(&id()).expect("small numbers");
        let by_creating = Some(Said { exact: false, in_time: true }).filter(|_| !self.exact);
        let second = if self.one_node { Node::Gone { leased: false } } else { Node::Idle };
        let (nodes, said) = ([Node::Idle, second], [by_creating, None, None]);
        World {
            task,
            now: EARLY,
            nodes,
            said,
            standing: first,
            first,
            tally: Tally::default(),
            held: [None, None],
            began: 0,
        }
    }

    fn actions(&self, world: &World) -> Vec<Action> {
        let mut actions =
            vec![Action::Restart, Action::SetPayload { fixed: true }, Action::SetPayload { fixed: false }];
        for who in 0..PARTIES.len() {
            actions.push(Action::Withdraw { who });
            if world.task.status().is_final() {
                // `types::task` shows that nothing leads out of these; states that differ in approvals are one.
                continue;
            }
            actions.extend([false, true].map(|stale| Action::ApproveExactly { who, stale }));
            actions.push(Action::Approve { who, file: false });
            let has = world.task.inputs.iter().any(|input| input.user_id == user(who));
            if !has && who <= self.files {
                actions.extend([Action::Approve { who, file: true }, Action::Bring { who }]);
            }
        }
        actions.extend((self.signs && world.standing != world.first).then_some(Action::ReplaySignature));
        actions.extend((self.deadline && world.now == EARLY).then_some(Action::Tick));
        actions.extend(world.task.lease.as_ref().map(|_| Action::LoseLease));
        actions.extend(self.one_use.then_some(Action::Reclaim));
        // Nodes that were not invoked are alike.
        let idle = world.nodes.iter().position(|node| matches!(node, Node::Idle));
        actions.extend(idle.filter(|_| world.task.status() == Status::Ready).map(|node| Action::Read { node }));
        for node in 0..world.nodes.len() {
            match &world.nodes[node] {
                Node::Idle => {}
                Node::Read(..) => actions.extend([Action::Lease { node }, Action::Crash { node }]),
                Node::Runs => actions.extend([
                    Action::Lease { node },
                    Action::Keys { node },
                    Action::Begin { node },
                    Action::Output { node },
                    Action::End { node, status: Status::Finished },
                    Action::End { node, status: Status::Failed },
                    Action::Crash { node },
                ]),
                Node::Reported(_) => {
                    actions.extend([Action::Lease { node }, Action::Keys { node }, Action::Begin { node }]);
                }
                Node::Gone { leased: true } => actions.extend([Action::Lease { node }, Action::Keys { node }]),
                Node::Gone { leased: false } => {}
            }
            let may = |status: &Status| match &world.nodes[node] {
                Node::Idle | Node::Runs => false,
                Node::Reported(sent) => sent == status,
                Node::Read(..) | Node::Gone { .. } => true,
            };
            let ends = [Status::Finished, Status::Failed].into_iter().filter(may);
            actions.extend(ends.map(|status| Action::Report { node, status }));
        }
        actions
    }

    fn next(&self, world: &World, action: Action) -> Result<Option<World>, String> {
        let mut after = world.clone();
        let next = match action {
            Action::Read { node } => {
                after.nodes[node] = Node::Read(world.standing);
                Some(after)
            }
            Action::Lease { node } => self.lease(world, node)?,
            Action::Keys { node } => {
                if world.keys(node) {
                    self.check_approved(world)?;
                }
                self.reserve(world, node)
            }
            Action::Begin { node } => Self::begin(world, node),
            Action::Reclaim => Self::reclaim(world),
            Action::Output { node } if world.task.outputs.is_empty() => self.report(world, node, None)?,
            Action::Output { .. } => None,
            Action::End { node, status } => {
                after.nodes[node] = Node::Reported(status);
                Some(after)
            }
            Action::Report { node, status } => self.report(world, node, Some(status))?,
            Action::Crash { node } => {
                after.nodes[node] = Node::Gone { leased: matches!(world.nodes[node], Node::Runs) };
                Some(after)
            }
            Action::Restart => {
                let record = serde_json::to_vec(&world.task).expect("JSON");
                after.task = serde_json::from_slice(&record).expect("what was written");
                match serde_json::to_vec(&after.task).expect("JSON") == record {
                    true => None,
                    false => return Err("the store's record is not the task".to_owned()),
                }
            }
            Action::Tick => {
                after.now = LATE;
                Some(after)
            }
            other => self.ask(world, other),
        };
        next.map(|next| self.hold(&next).map(|()| next)).transpose()
    }

    /// All of the record that can change and that anything depends on: neither the approvals that lapsed, nor the order of
    /// those that stand, nor how the run went.
    fn bytes(&self, world: &World) -> Vec<u8> {
        let World { task, now, nodes, said, standing, first: _, tally: _, held, began } = world;
        let Task { outputs, result_file, lease, ended_under, withdrawn, .. } = task;
        let (status, withdrawn) = (task.status(), withdrawn.is_some());
        let lease = lease.as_ref().map(|lease| &lease.id);
        let ends =
            format!("{status} {outputs:?} {result_file:?} {lease:?} {ended_under:?} {withdrawn} {held:?} {began}");
        if status.is_final() {
            return format!("{ends} {nodes:?}").into_bytes();
        }
        let agreement = task.agreement(&id()).expect("small numbers");
        let approval = |approval: &Approval| format!("{} {} {}", approval.user_id, approval.manifest, approval.exact);
        let approvals: BTreeSet<String> = agreement.standing().iter().map(approval).collect();
        format!("{ends} {nodes:?} {approvals:?} {standing} {now:?} {said:?}").into_bytes()
    }
}
